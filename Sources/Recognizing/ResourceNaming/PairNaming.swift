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
    switch facts.service {
    case "dynamodb" where DynamoDBNaming.table[facts.operation] != nil: try DynamoDBNaming.name(&draft)
    case "dynamodbstreams" where DynamoDBNaming.streams[facts.operation] != nil:
        try DynamoDBNaming.nameStreams(&draft)
    case "s3" where S3Naming.knows(facts.operation): try S3Naming.name(&draft)
    case "sqs" where SQSNaming.table[facts.operation] != nil: try SQSNaming.name(&draft)
    case "sns" where SNSNaming.table[facts.operation] != nil: try SNSNaming.name(&draft)
    case "sts" where STSNaming.table[facts.operation] != nil: try STSNaming.name(&draft)
    case "iam" where IAMNaming.table[facts.operation] != nil: try IAMNaming.name(&draft)
    case "lambda" where LambdaNaming.table[facts.operation] != nil: try LambdaNaming.name(&draft)
    case "kms" where KMSNaming.table[facts.operation] != nil: try KMSNaming.name(&draft)
    case "secretsmanager" where SecretNaming.table[facts.operation] != nil:
        try SecretNaming.name(&draft)
    case "ssm" where SSMNaming.table[facts.operation] != nil: try SSMNaming.name(&draft)
    case "cloudwatch" where facts.operation == "PutMetricData":
        try GenericNaming.name(&draft)
        // It takes no resource: the namespace is all that a statement can hold it to.
        draft.fill("cloudwatch:namespace", from: "Namespace")
    // Also an operation that one of the ten services gained after its table was written.
    default: try GenericNaming.name(&draft)
    }
    let catalog = Catalog(file: facts.model.file)
    // INVARIANT: a call has at least one pair. One without would pass every policy: it is given one that
    // nothing allows.
    if draft.wants.isEmpty {
        draft.want(Action(prefix: facts.model.service.iamPrefix, name: facts.operation), on: .unknown)
    }
    let pairs = draft.wants.map { want in
        let listed = catalog.listedAction(prefix: want.action.prefix, name: want.action.name)
        return Pair(
            action: listed?.action ?? want.action, resource: want.resource, level: listed?.level ?? .unknown,
            sensitivity: facts.model.sensitivity)
    }
    return NamedPairs(pairs: pairs, itemCount: max(1, draft.itemCount), keys: draft.keys)
}
