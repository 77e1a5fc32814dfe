import Vocabulary

/// What a call touches, as ``namePairs(_:)`` found it.
package struct NamedPairs: Hashable, Sendable {
    /// In the order of the request, without doubles; never empty.
    package var pairs: [Pair]
    /// How many things the call touches: keys, messages or names of a batch, else 1.
    package var itemCount: Int
    /// The condition keys that the request fills, or is known not to carry.
    package var keys: ConditionKeys

    package init(pairs: [Pair], itemCount: Int = 1, keys: ConditionKeys = ConditionKeys()) {
        self.pairs = pairs
        self.itemCount = itemCount
        self.keys = keys
    }
}

/// The most pairs of one call. S3's batch of 1,000 deletes has at most three for each key; nothing of AWS has
/// more. A call of a million names would keep every other one waiting.
let pairCountMax = 4_000

/// The (IAM action, resource) pairs of a call, from its parsed parameters.
///
/// Ten services are named exactly, by the Service Authorization Reference and their own documentation; every
/// other by the catalog's ARN formats, where what the request does not say is an unknown run, never `*`.
/// Names are never patterns: a `*` in a key is that character.
///
/// - Throws: ``RecognitionError/malformed(part:why:)`` when a member that names a resource is missing, of
///   another type, not of its service's form, or would mean the gateway itself.
/// - SeeAlso: Service Authorization Reference, "Actions, resources, and condition keys".
func namePairs(_ facts: CallFacts) throws(RecognitionError) -> NamedPairs {
    var draft = Draft(facts)
    if facts.service == "s3control", facts.parameters[OutpostNaming.member] != nil {
        try OutpostNaming.name(&draft)
    } else if let name = exactNamer(service: facts.service, operation: facts.operation) {
        try name(&draft)
    } else {
        try GenericNaming.name(&draft)
    }
    let catalog = Catalog(file: facts.model.file)
    // INVARIANT: a call has at least one pair. One without would pass every policy: it is given one that
    // nothing allows.
    if draft.wants.isEmpty {
        draft.want(Action(prefix: facts.model.service.iamPrefix, name: facts.operation), on: .unknown)
    }
    guard draft.wants.count <= pairCountMax else {
        throw .malformed(part: "the call", why: "it touches more than \(pairCountMax) things")
    }
    // A batch asks for one action many times.
    var last: (wanted: Action, listed: ListedAction?)?
    let pairs = draft.wants.map { want in
        var listed = last?.listed
        if last?.wanted != want.action {
            listed = catalog.listedAction(prefix: want.action.prefix, name: want.action.name)
            last = (want.action, listed)
        }
        return Pair(
            action: listed?.action ?? want.action, resource: want.resource,
            level: want.level ?? listed?.level ?? .unknown, sensitivity: facts.model.sensitivity)
    }
    var filling = KeyFilling(facts: facts, pairs: pairs, keys: draft.keys)
    filling.fillAll()
    return NamedPairs(pairs: pairs, itemCount: max(1, draft.itemCount), keys: filling.keys)
}

/// The code that names the pairs of an operation of the ten services; nil where the catalog's formats do,
/// also for an operation that one of the ten gained after its table was written.
func exactNamer(service: String, operation: String) -> ((inout Draft) throws(RecognitionError) -> Void)? {
    switch service {
    case "dynamodb" where DynamoDBNaming.table[operation] != nil: DynamoDBNaming.name
    case "dynamodbstreams" where DynamoDBNaming.streams[operation] != nil: DynamoDBNaming.nameStreams
    case "s3" where S3Naming.knows(operation): S3Naming.name
    case "sqs" where SQSNaming.table[operation] != nil: SQSNaming.name
    case "sns" where SNSNaming.table[operation] != nil: SNSNaming.name
    case "sts" where STSNaming.table[operation] != nil: STSNaming.name
    case "iam" where IAMNaming.table[operation] != nil: IAMNaming.name
    case "lambda" where LambdaNaming.table[operation] != nil: LambdaNaming.name
    case "kms" where KMSNaming.table[operation] != nil: KMSNaming.name
    case "secretsmanager" where SecretNaming.table[operation] != nil: SecretNaming.name
    case "ssm" where SSMNaming.table[operation] != nil: SSMNaming.name
    case "cloudwatch" where operation == "PutMetricData": nameMetrics
    default: HostNaming.namer(service: service)
    }
}

/// It takes no resource: the namespace is all that a statement can hold it to.
private func nameMetrics(_ draft: inout Draft) throws(RecognitionError) {
    try GenericNaming.name(&draft)
    draft.fill("cloudwatch:namespace", from: "Namespace")
}

/// `values`, unless they are more than a call may name.
func few(_ values: [JSON], at path: String) throws(RecognitionError) -> [JSON] {
    guard values.count <= pairCountMax else {
        throw .malformed(part: path, why: "names more than \(pairCountMax) things")
    }
    return values
}
