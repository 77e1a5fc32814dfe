import Vocabulary

/// Names what calls of S3 control touch that are made on an outpost: the header `x-amz-outpost-id` says on
/// which, and what is named by name or ARN lies there.
///
/// - SeeAlso: Amazon S3 on Outposts User Guide, "Amazon S3 API operations"; Service Authorization Reference,
///   Amazon S3 on Outposts.
enum OutpostNaming {
    /// The member that holds the id; of most operations their model has none.
    static let member = "OutpostId"
    static let header = "x-amz-outpost-id"

    private static let table = OperationTable(
        """
        bucket: CreateBucket DeleteBucket DeleteBucketPolicy DeleteBucketTagging>PutBucketTagging
        bucket: DeleteBucketLifecycleConfiguration>PutLifecycleConfiguration
        bucket: DeleteBucketReplication>PutReplicationConfiguration GetBucket GetBucketPolicy
        bucket: GetBucketLifecycleConfiguration>GetLifecycleConfiguration
        bucket: GetBucketReplication>GetReplicationConfiguration GetBucketTagging GetBucketVersioning
        bucket: PutBucketLifecycleConfiguration>PutLifecycleConfiguration PutBucketPolicy
        bucket: PutBucketReplication>PutReplicationConfiguration PutBucketTagging PutBucketVersioning
        accesspoint: CreateAccessPoint DeleteAccessPoint DeleteAccessPointPolicy GetAccessPoint
        accesspoint: GetAccessPointPolicy PutAccessPointPolicy
        star: ListAccessPoints ListRegionalBuckets
        """)

    /// `parameters` of a call of S3 control, with the outpost of its head where no member of its own has it.
    ///
    /// - Throws: ``RecognitionError/malformed(part:why:)`` for an id that is none.
    static func parameters(
        _ parameters: JSON, of operation: CatalogOperation, head: RequestHead
    ) throws(RecognitionError) -> JSON {
        guard operation.service.name.isSame(as: "s3control") else { return parameters }
        let given = parameters[member]?.string ?? head[header]
        guard let given else { return parameters }
        guard given.isHostLabel else { throw .malformed(part: "`\(header)`", why: "is no outpost") }
        guard parameters[member] == nil else { return parameters }
        return .object((parameters.members ?? []) + [.init(member, .string(given))])
    }

    /// Adds the pairs of the call.
    static func name(_ draft: inout Draft) throws(RecognitionError) {
        let parameters = draft.parameters
        guard let row = table[draft.operation]?.first else {
            throw .malformed(part: "`\(header)`", why: "\(draft.operation) on an outpost is not there")
        }
        guard row.kind != "star" else { return draft.want("s3-outposts:\(row.action)", on: .star) }
        let account = try parameters.textIfAny("AccountId") ?? draft.place.account
        let place = Place(
            partition: draft.place.partition, region: draft.place.region, account: account)
        let root = "outpost/\(try parameters.text(member))/\(row.kind)/"
        let spot = row.kind == "bucket" ? "Bucket" : "Name"
        let name = try parameters.text(spot)
        let isARN = name.begins(with: "arn:")
        let whole = place.resource("s3-outposts", .known(root)).description
        guard let last = isARN ? name.after(whole) : name, last.isName(others: ".-", lengthMax: 63) else {
            throw parameters.malformed(spot, "is no \(row.kind) of that outpost, region and account")
        }
        draft.want("s3-outposts:\(row.action)", on: place.resource("s3-outposts", .known(root + last)))
        if draft.operation == "PutBucketReplication",
            let settings = try parameters.structure("ReplicationConfiguration")
        {
            try draft.passRole("Role", in: settings)
        }
    }
}
