import Vocabulary

/// Names what calls of Amazon SQS touch.
///
/// The queue is what the path of `QueueUrl` says, `/ACCOUNT/NAME`; its host is never dialled and says
/// nothing. Batch forms need the single action, once. Moving messages reads the source and sends to the
/// destination ("Required permissions for dead-letter queue redrive").
enum SQSNaming {
    static let table = OperationTable(
        """
        url: AddPermission ChangeMessageVisibility ChangeMessageVisibilityBatch>ChangeMessageVisibility
        url: DeleteMessage DeleteMessageBatch>DeleteMessage DeleteQueue GetQueueAttributes
        url: ListDeadLetterSourceQueues ListQueueTags PurgeQueue ReceiveMessage RemovePermission SendMessage
        url: SendMessageBatch>SendMessage SetQueueAttributes TagQueue UntagQueue
        name: CreateQueue GetQueueUrl
        source: ListMessageMoveTasks StartMessageMoveTask
        handle: CancelMessageMoveTask
        star: ListQueues
        """)

    /// Adds the pairs of the call.
    static func name(_ draft: inout Draft) throws(RecognitionError) {
        guard let row = table[draft.operation]?.first else {
            throw .unknownOperation(service: "sqs", method: "", path: draft.operation)
        }
        let (parameters, action) = (draft.parameters, "sqs:\(row.action)")
        switch row.kind {
        case "url":
            let queue = try queue(parameters, draft.place)
            draft.want(action, on: queue)
            if draft.operation.ends(with: "Batch") { draft.itemCount = try parameters.count("Entries") }
            if draft.operation == "TagQueue" { try draft.tag("Tags", action, on: [queue]) }
        case "name":
            let name = try queueName(parameters.text("QueueName"), part: "QueueName")
            let owner = try parameters.textIfAny("QueueOwnerAWSAccountId")
            guard owner?.isAccount != false else {
                throw parameters.malformed("QueueOwnerAWSAccountId", "is no account")
            }
            let place = Place(
                partition: draft.place.partition, region: draft.place.region,
                account: owner ?? draft.place.account)
            let queue = place.resource("sqs", .known(name))
            draft.want(action, on: queue)
            if draft.operation == "CreateQueue" {
                try draft.tag(parameters.has("tags") ? "tags" : "Tags", "sqs:TagQueue", on: [queue])
            }
        case "source":
            let source = try queueARN("SourceArn", draft)
            draft.want(action, on: source)
            guard draft.operation == "StartMessageMoveTask" else { return }
            for verb in ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"] {
                draft.want("sqs:\(verb)", on: source)
            }
            // Without a destination the messages go back to the queues they came from, which the request does
            // not name.
            let back = draft.place.resource("sqs", .unknown)
            draft.want(
                "sqs:SendMessage",
                on: parameters.has("DestinationArn") ? try queueARN("DestinationArn", draft) : back)
        case "handle": draft.want(action, on: draft.place.resource("sqs", .unknown))
        default: draft.want(action, on: .star)
        }
    }

    private static func queueARN(_ member: String, _ draft: Draft) throws(RecognitionError) -> Resource {
        guard let arn = ARN(parsing: try draft.parameters.text(member)), arn.service == "sqs" else {
            throw draft.parameters.malformed(member, "is no ARN of a queue")
        }
        _ = try queueName(arn.resource, part: member)
        return Resource(arn.text)
    }

    /// The queue of `QueueUrl`: exactly two segments of path, an account and a name, without query or
    /// fragment.
    private static func queue(_ parameters: Parameters, _ place: Place) throws(RecognitionError) -> Resource {
        let url = try parameters.text("QueueUrl")
        var path = url
        if let rest = url.after("https://") ?? url.after("http://") {
            let halves = rest.parts(by: 0x2F, maxSplits: 1)
            guard halves.count == 2 else { throw parameters.malformed("QueueUrl", "names no queue") }
            path = halves[1]
        } else if let rest = url.after("/") {
            path = rest
        }
        let segments = path.parts(by: 0x2F)
        guard segments.count == 2, segments[0].isAccount else {
            throw parameters.malformed("QueueUrl", "is not `https://HOST/ACCOUNT/NAME`")
        }
        let name = try queueName(segments[1], part: "QueueUrl")
        return Place(partition: place.partition, region: place.region, account: segments[0])
            .resource("sqs", .known(name))
    }

    private static func queueName(_ text: String, part: String) throws(RecognitionError) -> String {
        let stem = text.ends(with: ".fifo") ? String(decoding: text.utf8.dropLast(5), as: UTF8.self) : text
        guard text.utf8.count <= 80, stem.isName(others: "-_", lengthMax: 80) else {
            throw .malformed(part: part, why: "is no queue name")
        }
        return text
    }
}

/// Names what calls of Amazon SNS touch.
///
/// A subscription is judged by its topic. The resource of a text message is the telephone number itself: only
/// a policy on `*` or on that number covers it. Platform applications and endpoints have no resource type in
/// the Service Authorization Reference, so their actions are judged on `*`; publishing to an endpoint is
/// judged on its ARN.
enum SNSNaming {
    static let table = OperationTable(
        """
        topic: AddPermission ConfirmSubscription DeleteTopic GetTopicAttributes ListSubscriptionsByTopic
        topic: PublishBatch>Publish RemovePermission SetTopicAttributes Subscribe
        resource: GetDataProtectionPolicy ListTagsForResource PutDataProtectionPolicy TagResource
        resource: UntagResource
        subscription: GetSubscriptionAttributes SetSubscriptionAttributes Unsubscribe
        own: CreateTopic Publish
        star: CheckIfPhoneNumberIsOptedOut CreatePlatformApplication CreatePlatformEndpoint
        star: CreateSMSSandboxPhoneNumber DeleteEndpoint DeletePlatformApplication DeleteSMSSandboxPhoneNumber
        star: GetEndpointAttributes GetPlatformApplicationAttributes GetSMSAttributes
        star: GetSMSSandboxAccountStatus ListEndpointsByPlatformApplication ListOriginationNumbers
        star: ListPhoneNumbersOptedOut ListPlatformApplications ListSMSSandboxPhoneNumbers ListSubscriptions
        star: ListTopics OptInPhoneNumber SetEndpointAttributes SetPlatformApplicationAttributes
        star: SetSMSAttributes VerifySMSSandboxPhoneNumber
        """)

    /// Adds the pairs of the call.
    static func name(_ draft: inout Draft) throws(RecognitionError) {
        guard let row = table[draft.operation]?.first else {
            throw .unknownOperation(service: "sns", method: "", path: draft.operation)
        }
        let (parameters, action) = (draft.parameters, "sns:\(row.action)")
        switch row.kind {
        case "topic": draft.want(action, on: try topic("TopicArn", draft))
        case "resource":
            let topic = try topic("ResourceArn", draft)
            draft.want(action, on: topic)
            if draft.operation == "TagResource" { try draft.tag("Tags", action, on: [topic]) }
        case "subscription":
            let text = try parameters.text("SubscriptionArn")
            guard let arn = ARN(parsing: text), arn.service == "sns" else {
                throw parameters.malformed("SubscriptionArn", "is no ARN of a subscription")
            }
            let parts = arn.resource.parts(by: 0x3A)
            guard parts.count == 2, isTopic(parts[0]), parts[1].isName(others: "-", lengthMax: 64) else {
                throw parameters.malformed("SubscriptionArn", "is no ARN of a subscription")
            }
            draft.want(action, on: arn.place.resource("sns", .known(parts[0])))
        case "own": try draft.operation == "Publish" ? publish(&draft) : createTopic(&draft)
        default: draft.want(action, on: .star)
        }
        try passRoles(&draft)
        switch draft.operation {
        case "PublishBatch": draft.itemCount = try parameters.count("PublishBatchRequestEntries")
        case "Subscribe":
            draft.fill("sns:Protocol", from: "Protocol")
            draft.fill("sns:Endpoint", from: "Endpoint")
        default: break
        }
    }

    private static func isTopic(_ name: String) -> Bool {
        let stem = name.ends(with: ".fifo") ? String(decoding: name.utf8.dropLast(5), as: UTF8.self) : name
        return stem.isName(others: "-_", lengthMax: 256)
    }

    private static func topic(_ member: String, _ draft: Draft) throws(RecognitionError) -> Resource {
        guard let arn = ARN(parsing: try draft.parameters.text(member)), arn.service == "sns",
            isTopic(arn.resource)
        else {
            throw draft.parameters.malformed(member, "is no ARN of a topic")
        }
        return Resource(arn.text)
    }

    private static func publish(_ draft: inout Draft) throws(RecognitionError) {
        let parameters = draft.parameters
        let members = ["TopicArn", "TargetArn", "PhoneNumber"].filter(parameters.has)
        guard members.count == 1, let member = members.first else {
            throw parameters.malformed(
                "TopicArn", "must be given, or one of `TargetArn` and `PhoneNumber` in its stead")
        }
        if member == "PhoneNumber" {
            let number = try parameters.name(
                "PhoneNumber", of: "telephone number", others: "+-. ()", lengthMax: 32)
            return draft.want("sns:Publish", on: Resource(number))
        }
        if member == "TargetArn", let arn = ARN(parsing: try parameters.text("TargetArn")),
            arn.service == "sns", arn.resource.begins(with: "endpoint/")
        {
            return draft.want("sns:Publish", on: Resource(arn.text))
        }
        draft.want("sns:Publish", on: try topic(member, draft))
    }

    private static func createTopic(_ draft: inout Draft) throws(RecognitionError) {
        let name = try draft.parameters.text("Name")
        guard isTopic(name) else { throw draft.parameters.malformed("Name", "is no topic name") }
        let topic = draft.place.resource("sns", .known(name))
        draft.want("sns:CreateTopic", on: topic)
        try draft.tag("Tags", "sns:TagResource", on: [topic])
        if draft.parameters.has("DataProtectionPolicy") {
            draft.want("sns:PutDataProtectionPolicy", on: topic)
        }
    }

    /// Attributes named `…RoleArn` hand a role to SNS: delivery logs, Firehose subscriptions.
    private static func passRoles(_ draft: inout Draft) throws(RecognitionError) {
        let parameters = draft.parameters
        guard ["Create", "Set", "Subscribe"].contains(where: { draft.operation.begins(with: $0) }) else {
            return
        }
        for list in ["Attributes", "attributes"] where parameters.value(list)?.members != nil {
            guard let attributes = try parameters.structure(list) else { continue }
            for entry in attributes.json.members ?? [] where entry.name.asciiLowercased.ends(with: "rolearn")
            {
                // An empty value takes the role away.
                guard entry.value != .string("") else { continue }
                draft.want("iam:PassRole", on: try draft.role(entry.name, in: attributes))
            }
        }
        guard let name = try parameters.textIfAny("AttributeName"),
            name.asciiLowercased.ends(with: "rolearn"),
            parameters.has("AttributeValue"), parameters.value("AttributeValue") != .string("")
        else { return }
        draft.want("iam:PassRole", on: try draft.role("AttributeValue", in: parameters))
    }
}
