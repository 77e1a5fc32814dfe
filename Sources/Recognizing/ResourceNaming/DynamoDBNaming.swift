import Vocabulary

/// Names what calls of Amazon DynamoDB and DynamoDB Streams touch.
///
/// A query or scan of an index is authorized on the index's ARN alone (Developer Guide, "Using IAM policy
/// conditions", index examples). A restore needs the action on its source and, with the reads and writes it
/// does, on its target ("Using IAM with DynamoDB backup and restore"). An import reads and an export writes
/// S3 in the caller's name.
enum DynamoDBNaming {
    static let table = OperationTable(
        """
        table: CreateBackup CreateTable DeleteItem DeleteTable DescribeContinuousBackups DescribeTable
        table: DescribeKinesisStreamingDestination DescribeTableReplicaAutoScaling DescribeTimeToLive
        table: DisableKinesisStreamingDestination EnableKinesisStreamingDestination GetItem PutItem
        table: UpdateContinuousBackups UpdateItem UpdateKinesisStreamingDestination UpdateTable
        table: UpdateTableReplicaAutoScaling UpdateTimeToLive
        index: Query Scan
        table-and-index: DescribeContributorInsights UpdateContributorInsights
        batch: BatchGetItem BatchWriteItem
        transaction: TransactGetItems TransactWriteItems
        statements: BatchExecuteStatement ExecuteStatement ExecuteTransaction
        backup: DeleteBackup DescribeBackup
        export: DescribeExport
        import: DescribeImport
        resource: DeleteResourcePolicy GetResourcePolicy ListTagsOfResource PutResourcePolicy TagResource
        resource: UntagResource
        global: CreateGlobalTable DescribeGlobalTable DescribeGlobalTableSettings UpdateGlobalTable
        global: UpdateGlobalTableSettings
        own: ExportTableToPointInTime ImportTable RestoreTableFromBackup RestoreTableToPointInTime
        list: ListExports ListImports
        star: DescribeEndpoints DescribeLimits ListBackups ListContributorInsights ListGlobalTables ListTables
        """)

    /// The operations of the client `dynamodbstreams`.
    static let streams = OperationTable(
        """
        stream: DescribeStream GetShardIterator
        iterator: GetRecords
        streams: ListStreams
        """)

    /// Adds the pairs of the call.
    static func name(_ draft: inout Draft) throws(RecognitionError) {
        guard let row = table[draft.operation]?.first else {
            throw .unknownOperation(service: "dynamodb", method: "", path: draft.operation)
        }
        let (parameters, action) = (draft.parameters, "dynamodb:\(row.action)")
        switch row.kind {
        case "table":
            let table = try TableName(parameters, "TableName", draft.place)
            draft.want(action, on: table.resource)
            try extend(&draft, table)
        case "index":
            let table = try TableName(parameters, "TableName", draft.place)
            draft.want(action, on: try index(parameters, of: table) ?? table.resource)
        case "table-and-index":
            let table = try TableName(parameters, "TableName", draft.place)
            draft.want(action, on: table.resource)
            if let index = try index(parameters, of: table) { draft.want(action, on: index) }
        case "batch": try batch(&draft, action)
        case "transaction": try transaction(&draft)
        case "statements": try statements(&draft)
        case "backup", "export", "import":
            let member = row.kind.prefix(1).uppercased() + row.kind.dropFirst() + "Arn"
            let arn = try draft.arn(member, service: "dynamodb", kinds: ["table/"])
            guard arn.text?.parts(by: 0x2F).dropFirst(2).first == row.kind else {
                throw parameters.malformed(member, "is no ARN of \(row.kind)s")
            }
            draft.want(action, on: arn)
        case "resource":
            let arn = try draft.arn("ResourceArn", service: "dynamodb", kinds: ["table/"])
            draft.want(action, on: arn)
            if draft.operation == "TagResource" { try draft.tag("Tags", action, on: [arn]) }
        case "global": try globalTable(&draft, action)
        case "own": try copyOfTable(&draft, action)
        case "list":
            guard parameters.has("TableArn") else { return draft.want(action, on: .star) }
            draft.want(action, on: try TableName(parameters, "TableArn", draft.place).resource)
        default: draft.want(action, on: .star)
        }
    }

    /// Adds the pairs of a call of DynamoDB Streams. A shard iterator is opaque: which stream it reads is not
    /// known.
    static func nameStreams(_ draft: inout Draft) throws(RecognitionError) {
        guard let row = streams[draft.operation]?.first else {
            throw .unknownOperation(service: "dynamodbstreams", method: "", path: draft.operation)
        }
        switch row.kind {
        case "stream":
            let arn = try draft.arn("StreamArn", service: "dynamodb", kinds: ["table/"])
            draft.want("dynamodb:\(row.action)", on: arn)
        case "iterator":
            let stream = draft.place.resource(
                "dynamodb", .known("table/"), .unknown, .known("/stream/"), .unknown)
            draft.want("dynamodb:\(row.action)", on: stream)
        default: draft.want("dynamodb:\(row.action)", on: .star)
        }
    }

    private static func index(_ parameters: Parameters, of table: TableName) throws(RecognitionError)
        -> Resource?
    {
        guard parameters.has("IndexName") else { return nil }
        let name = try parameters.name("IndexName", of: "index name", others: "_.-", lengthMax: 255)
        return table.resource("index/\(name)")
    }

    /// What setting more than the table itself needs.
    private static func extend(_ draft: inout Draft, _ table: TableName) throws(RecognitionError) {
        let parameters = draft.parameters
        switch draft.operation {
        case "CreateTable":
            try draft.tag("Tags", "dynamodb:TagResource", on: [table.resource])
            if parameters.has("ResourcePolicy") {
                draft.want("dynamodb:PutResourcePolicy", on: table.resource)
            }
            if parameters.has("GlobalTableSourceArn") {
                let source = try TableName(parameters, "GlobalTableSourceArn", draft.place)
                draft.want("dynamodb:AssociateTableReplica", on: source.resource)
            }
        case "UpdateTable":
            for update in try parameters.structures("ReplicaUpdates") {
                for verb in ["Create", "Update", "Delete"] {
                    guard let change = try update.structure(verb) else { continue }
                    let region = try change.name("RegionName", of: "region", others: "-", lengthMax: 32)
                    let action = verb == "Update" ? "dynamodb:UpdateTable" : "dynamodb:\(verb)TableReplica"
                    draft.want(action, on: table.in(region).resource)
                }
            }
            for update in try parameters.structures("GlobalTableWitnessUpdates") {
                for verb in ["Create", "Delete"] where update.has(verb) {
                    draft.want("dynamodb:\(verb)GlobalTableWitness", on: table.resource)
                }
            }
        default: break
        }
    }

    /// One pair for each table of the batch.
    private static func batch(_ draft: inout Draft, _ action: String) throws(RecognitionError) {
        var count = 0
        for entry in try draft.parameters.entries("RequestItems") {
            let part = "RequestItems.\(shown(entry.name))"
            draft.want(action, on: try TableName(parsing: entry.name, part: part, draft.place).resource)
            let items = draft.operation == "BatchGetItem" ? entry.value["Keys"]?.array : entry.value.array
            count += items?.count ?? 1
        }
        guard !draft.wants.isEmpty else { throw draft.parameters.malformed("RequestItems", "names no table") }
        draft.itemCount = max(1, count)
    }

    private static let transactActions = [
        ("Put", "PutItem"), ("Update", "UpdateItem"), ("Delete", "DeleteItem"),
        ("ConditionCheck", "ConditionCheckItem"), ("Get", "GetItem"),
    ]

    /// Each item by its own action; the transaction has none.
    private static func transaction(_ draft: inout Draft) throws(RecognitionError) {
        let items = try draft.parameters.structures("TransactItems")
        let isRead = draft.operation == "TransactGetItems"
        for item in items {
            let verbs = transactActions.filter { item.has($0.0) && ($0.0 == "Get") == isRead }
            guard verbs.count == 1, let (verb, name) = verbs.first, let body = try item.structure(verb)
            else { throw .malformed(part: item.path, why: "is not one item of its transaction") }
            let action = Action(prefix: "dynamodb", name: name)
            draft.want(action, on: try TableName(body, "TableName", draft.place).resource)
        }
        guard !draft.wants.isEmpty else { throw draft.parameters.malformed("TransactItems", "is empty") }
        draft.itemCount = items.count
    }

    /// Each statement by its own action; one that is not surely read may be any of the four on a table that
    /// is not known.
    private static func statements(_ draft: inout Draft) throws(RecognitionError) {
        let parameters = draft.parameters
        var texts = [try parameters.textIfAny("Statement")].compactMap(\.self)
        if draft.operation != "ExecuteStatement" {
            let member = draft.operation == "BatchExecuteStatement" ? "Statements" : "TransactStatements"
            for statement in try parameters.structures(member) {
                texts.append(try statement.text("Statement"))
            }
            draft.itemCount = max(1, texts.count)
        }
        for text in texts {
            guard let statement = PartiQLStatement(parsing: text),
                statement.table.map({ $0.isName(others: "_.-", lengthMax: 255) }) ?? true
            else {
                for verb in PartiQLStatement.Verb.allCases {
                    draft.want("dynamodb:PartiQL\(verb.rawValue)", on: .unknown)
                }
                continue
            }
            draft.want("dynamodb:PartiQL\(statement.verb.rawValue)", on: resource(of: statement, draft.place))
        }
        guard !draft.wants.isEmpty else { throw parameters.malformed("Statement", "is missing") }
    }

    /// The table or index of `statement`, as far as it is named.
    private static func resource(of statement: PartiQLStatement, _ place: Place) -> Resource {
        guard let table = statement.table else {
            return place.resource("dynamodb", .known("table/"), .unknown)
        }
        let name = TableName(place: place, name: table)
        guard statement.isOfIndex else { return name.resource }
        guard let index = statement.index, index.isName(others: "_.-", lengthMax: 255) else {
            return place.resource("dynamodb", .known("table/\(table)/index/"), .unknown)
        }
        return name.resource("index/\(index)")
    }

    /// Global tables of 2017: the table's own ARN has no region, and every replica is a table in its region.
    private static func globalTable(_ draft: inout Draft, _ action: String) throws(RecognitionError) {
        let parameters = draft.parameters
        let table = try TableName(parameters, "GlobalTableName", draft.place)
        draft.want(action, on: table.place.global.resource("dynamodb", .known("global-table/\(table.name)")))
        var regions: [String] = []
        switch draft.operation {
        case "CreateGlobalTable":
            for replica in try parameters.structures("ReplicationGroup") {
                regions.append(try region(replica))
            }
        case "UpdateGlobalTable":
            for update in try parameters.structures("ReplicaUpdates") {
                for verb in ["Create", "Delete"] {
                    if let change = try update.structure(verb) { regions.append(try region(change)) }
                }
            }
        case "UpdateGlobalTableSettings":
            // The settings reach every replica, and the request need not name them.
            let tail: [Resource.Part] = [
                .unknown, .known(":"), table.account, .known(":table/\(table.name)"),
            ]
            draft.want(action, on: Resource([.known("arn:\(table.place.partition):dynamodb:")] + tail))
        default: return
        }
        for region in regions { draft.want(action, on: table.in(region).resource) }
    }

    private static func region(_ parameters: Parameters) throws(RecognitionError) -> String {
        try parameters.name("RegionName", of: "region", others: "-", lengthMax: 32)
    }

    private static let restoreActions = [
        "BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "UpdateItem",
    ]

    /// Restores, imports and exports: what is read, what is written, and S3 where it is one of them.
    private static func copyOfTable(_ draft: inout Draft, _ action: String) throws(RecognitionError) {
        let parameters = draft.parameters
        switch draft.operation {
        case "ExportTableToPointInTime":
            draft.want(action, on: try TableName(parameters, "TableArn", draft.place).resource)
            let target = try objects(parameters, "S3Prefix", draft.place)
            for verb in ["AbortMultipartUpload", "PutObject", "PutObjectAcl"] {
                draft.want("s3:\(verb)", on: target)
            }
            try draft.useKey("S3SseKmsKeyId", ["kms:GenerateDataKey"])
        case "ImportTable":
            guard let target = try parameters.structure("TableCreationParameters") else {
                throw parameters.malformed("TableCreationParameters", "is missing")
            }
            guard let source = try parameters.structure("S3BucketSource") else {
                throw parameters.malformed("S3BucketSource", "is missing")
            }
            draft.want(action, on: try TableName(target, "TableName", draft.place).resource)
            draft.want(
                "ListBucket", try S3Bucket(parsing: source.text("S3Bucket"), part: source.spot("S3Bucket")))
            draft.want("s3:GetObject", on: try objects(source, "S3KeyPrefix", draft.place))
        default:
            let target = try TableName(parameters, "TargetTableName", draft.place)
            if draft.operation == "RestoreTableFromBackup" {
                draft.want(action, on: try draft.arn("BackupArn", service: "dynamodb", kinds: ["table/"]))
            } else {
                let members = ["SourceTableArn", "SourceTableName"].filter(parameters.has)
                guard let member = members.first else {
                    throw parameters.malformed("SourceTableName", "is missing")
                }
                let source = try TableName(parameters, member, draft.place)
                draft.want(action, on: source.resource)
                if members.count > 1,
                    try TableName(parameters, "SourceTableName", draft.place).name != source.name
                {
                    throw parameters.malformed("SourceTableName", "is not the table of `SourceTableArn`")
                }
            }
            draft.want(action, on: target.resource)
            for verb in restoreActions { draft.want("dynamodb:\(verb)", on: target.resource) }
        }
    }

    /// Every object below the prefix of `S3Bucket`.
    private static func objects(
        _ parameters: Parameters, _ prefix: String, _ place: Place
    ) throws(RecognitionError) -> Resource {
        let bucket = try S3Bucket(parsing: parameters.text("S3Bucket"), part: parameters.spot("S3Bucket"))
        guard case .bucket(let name) = bucket else { return .unknown }
        let text = "arn:\(place.partition):s3:::\(name)/" + (try parameters.textIfAny(prefix) ?? "")
        return Resource([.known(text), .unknown])
    }
}

/// A table, by name or by ARN: an ARN names the table of its own account and region.
struct TableName: Hashable, Sendable {
    let place: Place
    let name: String

    init(place: Place, name: String) {
        self.place = place
        self.name = name
    }

    /// The table in the member `member`.
    init(_ parameters: Parameters, _ member: String, _ place: Place) throws(RecognitionError) {
        try self.init(parsing: parameters.text(member), part: parameters.spot(member), place)
    }

    /// The table `text`: 1 to 255 of letters, digits, `_`, `.`, `-`, or `arn:…:dynamodb:…:table/NAME`.
    init(parsing text: String, part: @autoclosure () -> String, _ place: Place) throws(RecognitionError) {
        if text.isName(others: "_.-", lengthMax: 255) {
            self.init(place: place, name: text)
            return
        }
        guard let arn = ARN(parsing: text), arn.service == "dynamodb", arn.account.isAccount,
            let name = arn.resource.after("table/"), name.isName(others: "_.-", lengthMax: 255)
        else { throw .malformed(part: part(), why: "is no table name and no ARN of a table") }
        self.init(place: arn.place, name: name)
    }

    var resource: Resource { resource(nil) }
    /// The account as part of an ARN.
    var account: Resource.Part { place.account.map { .known($0) } ?? .unknown }

    /// `table/NAME`, or `table/NAME/` and `part`.
    func resource(_ part: String?) -> Resource {
        let sub: [Resource.Part] = part.map { [.known("/"), .known($0)] } ?? []
        return place.resource("dynamodb", tail: [.known("table/"), .known(name)] + sub)
    }

    /// The table of the same name in `region`.
    func `in`(_ region: String) -> TableName { TableName(place: place.in(region), name: name) }
}
