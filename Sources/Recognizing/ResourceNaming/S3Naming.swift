import Vocabulary

/// Names what calls of Amazon S3 touch.
///
/// Several checks hang on one request (Amazon S3 User Guide, "Required permissions for Amazon S3 API
/// operations"): a version id makes the action its `Version` form, a copy reads its source, ACL, tagging,
/// object-lock and governance fields need the actions that set the same by themselves, a conditional write by
/// ETag reads, and a KMS key that the request names is used in the caller's name. A key that only the
/// bucket's default encryption names is not in the request and makes no pair.
enum S3Naming {
    static let table = OperationTable(
        """
        bucket: CreateBucket CreateBucketMetadataConfiguration>CreateBucketMetadataTableConfiguration
        bucket: CreateBucketMetadataTableConfiguration DeleteBucket
        bucket: DeleteBucketAnalyticsConfiguration>PutAnalyticsConfiguration DeleteBucketCors>PutBucketCORS
        bucket: DeleteBucketEncryption>PutEncryptionConfiguration
        bucket: DeleteBucketLifecycle>PutLifecycleConfiguration
        bucket: DeleteBucketIntelligentTieringConfiguration>PutIntelligentTieringConfiguration
        bucket: DeleteBucketInventoryConfiguration>PutInventoryConfiguration
        bucket: DeleteBucketMetadataConfiguration>DeleteBucketMetadataTableConfiguration
        bucket: DeleteBucketMetadataTableConfiguration
        bucket: DeleteBucketMetricsConfiguration>PutMetricsConfiguration
        bucket: DeleteBucketOwnershipControls>PutBucketOwnershipControls DeleteBucketPolicy
        bucket: DeleteBucketReplication>PutReplicationConfiguration DeleteBucketTagging>PutBucketTagging
        bucket: DeleteBucketWebsite DeletePublicAccessBlock>PutBucketPublicAccessBlock GetBucketAbac
        bucket: GetBucketAccelerateConfiguration>GetAccelerateConfiguration GetBucketAcl
        bucket: GetBucketAnalyticsConfiguration>GetAnalyticsConfiguration GetBucketCors>GetBucketCORS
        bucket: GetBucketEncryption>GetEncryptionConfiguration
        bucket: GetBucketIntelligentTieringConfiguration>GetIntelligentTieringConfiguration
        bucket: GetBucketInventoryConfiguration>GetInventoryConfiguration
        bucket: GetBucketLifecycle>GetLifecycleConfiguration
        bucket: GetBucketLifecycleConfiguration>GetLifecycleConfiguration GetBucketLocation GetBucketLogging
        bucket: GetBucketMetadataConfiguration>GetBucketMetadataTableConfiguration
        bucket: GetBucketMetadataTableConfiguration GetBucketMetricsConfiguration>GetMetricsConfiguration
        bucket: GetBucketNotification GetBucketNotificationConfiguration>GetBucketNotification
        bucket: GetBucketOwnershipControls GetBucketPolicy GetBucketPolicyStatus
        bucket: GetBucketReplication>GetReplicationConfiguration GetBucketRequestPayment GetBucketTagging
        bucket: GetBucketVersioning GetBucketWebsite
        bucket: GetObjectLockConfiguration>GetBucketObjectLockConfiguration
        bucket: GetPublicAccessBlock>GetBucketPublicAccessBlock HeadBucket>ListBucket
        bucket: ListBucketAnalyticsConfigurations>GetAnalyticsConfiguration
        bucket: ListBucketIntelligentTieringConfigurations>GetIntelligentTieringConfiguration
        bucket: ListBucketInventoryConfigurations>GetInventoryConfiguration
        bucket: ListBucketMetricsConfigurations>GetMetricsConfiguration
        bucket: ListMultipartUploads>ListBucketMultipartUploads ListObjectVersions>ListBucketVersions
        bucket: ListObjects>ListBucket ListObjectsV2>ListBucket PutBucketAbac PutBucketAcl
        bucket: PutBucketAccelerateConfiguration>PutAccelerateConfiguration
        bucket: PutBucketAnalyticsConfiguration>PutAnalyticsConfiguration PutBucketCors>PutBucketCORS
        bucket: PutBucketEncryption>PutEncryptionConfiguration
        bucket: PutBucketIntelligentTieringConfiguration>PutIntelligentTieringConfiguration
        bucket: PutBucketInventoryConfiguration>PutInventoryConfiguration PutBucketLogging
        bucket: PutBucketLifecycle>PutLifecycleConfiguration
        bucket: PutBucketLifecycleConfiguration>PutLifecycleConfiguration
        bucket: PutBucketMetricsConfiguration>PutMetricsConfiguration PutBucketNotification
        bucket: PutBucketNotificationConfiguration>PutBucketNotification PutBucketOwnershipControls
        bucket: PutBucketPolicy PutBucketReplication>PutReplicationConfiguration PutBucketRequestPayment
        bucket: PutBucketTagging PutBucketVersioning PutBucketWebsite
        bucket: PutObjectLockConfiguration>PutBucketObjectLockConfiguration
        bucket: PutPublicAccessBlock>PutBucketPublicAccessBlock
        bucket: UpdateBucketMetadataInventoryTableConfiguration UpdateBucketMetadataJournalTableConfiguration
        object: AbortMultipartUpload CompleteMultipartUpload>PutObject CopyObject>PutObject
        object: CreateMultipartUpload>PutObject GetObjectLegalHold GetObjectRetention GetObjectTorrent
        object: ListParts>ListMultipartUploadParts PutObject PutObjectLegalHold PutObjectRetention
        object: RestoreObject SelectObjectContent>GetObject UpdateObjectEncryption UploadPart>PutObject
        object: UploadPartCopy>PutObject
        version: DeleteObject DeleteObjectTagging GetObject GetObjectAcl GetObjectAttributes GetObjectTagging
        version: HeadObject>GetObject PutObjectAcl PutObjectTagging
        """)

    /// The operations with rules of their own.
    private static let others: Set<String> = [
        "CreateSession", "DeleteObjects", "ListBuckets", "ListDirectoryBuckets", "RenameObject",
        "WriteGetObjectResponse",
    ]

    /// Whether the operation is one of S3's that is named here.
    static func knows(_ operation: String) -> Bool { others.contains(operation) || table[operation] != nil }

    /// Adds the pairs of the call.
    static func name(_ draft: inout Draft) throws(RecognitionError) {
        let parameters = draft.parameters
        var bucket: S3Bucket?
        switch draft.operation {
        case "ListBuckets": draft.want("s3:ListAllMyBuckets", on: .star)
        case "ListDirectoryBuckets": draft.want("s3express:ListAllMyDirectoryBuckets", on: .star)
        // The route is an opaque name of an Object Lambda access point.
        case "WriteGetObjectResponse": draft.want("s3-object-lambda:WriteGetObjectResponse", on: .unknown)
        case "CreateSession": bucket = try createSession(&draft)
        // Directory buckets only; both names are of one bucket.
        case "RenameObject":
            let named = try S3Bucket(parsing: parameters.text("Bucket"), part: "Bucket")
            draft.want("PutObject", named, key: try key(parameters))
            bucket = named
        case "DeleteObjects": bucket = try deleteObjects(&draft)
        default:
            guard let row = table[draft.operation]?.first else {
                throw .unknownOperation(service: "s3", method: "", path: draft.operation)
            }
            let named = try S3Bucket(parsing: parameters.text("Bucket"), part: "Bucket")
            bucket = named
            if row.kind == "bucket" {
                draft.want(row.action, named)
                try extendBucket(&draft, named)
            } else {
                let key = try key(parameters)
                try checkVersion(parameters)
                let versioned = row.kind == "version" && parameters.has("VersionId")
                try readSource(&draft)
                let action = versioned ? Self.versioned(row.action) : row.action
                draft.want(action, named, key: key)
                try extendObject(&draft, named, key, versioned: versioned)
            }
        }
        try fillKeys(&draft, bucket)
    }

    /// `GetObjectTagging` -> `GetObjectVersionTagging`.
    private static func versioned(_ action: String) -> String {
        for verb in ["GetObject", "PutObject", "DeleteObject"] {
            if let rest = action.after(verb) { return verb + "Version" + rest }
        }
        return action
    }

    private static func createSession(_ draft: inout Draft) throws(RecognitionError) -> S3Bucket {
        let bucket = try S3Bucket(parsing: draft.parameters.text("Bucket"), part: "Bucket")
        switch bucket {
        case .directory(let directory) where !directory.isAccessPoint:
            draft.want(
                "s3express:CreateSession",
                on: draft.place.resource("s3express", .known("bucket/\(directory.name)")))
        case .bucket, .accessPoint, .alias, .directory, .other:
            draft.want("s3express:CreateSession", on: .unknown)
        }
        return bucket
    }

    private static func deleteObjects(_ draft: inout Draft) throws(RecognitionError) -> S3Bucket {
        let parameters = draft.parameters
        let bucket = try S3Bucket(parsing: parameters.text("Bucket"), part: "Bucket")
        guard let list = try parameters.structure("Delete"), list.has("Objects") else {
            throw parameters.malformed("Delete", "names no objects")
        }
        let objects = try list.structures("Objects")
        guard objects.count <= batchCountMax else {
            throw list.malformed("Objects", "names more than \(batchCountMax) objects")
        }
        for object in objects {
            let key = try key(object)
            try checkVersion(object)
            let version = object.has("VersionId")
            draft.want(version ? "DeleteObjectVersion" : "DeleteObject", bucket, key: key)
            if parameters.flag("BypassGovernanceRetention") {
                draft.want("BypassGovernanceRetention", bucket, key: key)
            }
            if let etag = try object.textIfAny("ETag"), etag != "*" {
                draft.want("GetObject", bucket, key: key)
            }
        }
        guard !draft.wants.isEmpty else { throw list.malformed("Objects", "is empty") }
        draft.itemCount = objects.count
        return bucket
    }

    /// The most objects that one DeleteObjects names (API Reference, DeleteObjects).
    private static let batchCountMax = 1000

    /// The read of a copy's source.
    private static func readSource(_ draft: inout Draft) throws(RecognitionError) {
        guard draft.operation == "CopyObject" || draft.operation == "UploadPartCopy" else { return }
        for source in try S3Source.all(parsing: draft.parameters.text("CopySource"), part: "CopySource") {
            draft.want(
                source.versionID == nil ? "GetObject" : "GetObjectVersion", source.bucket, key: source.key,
                isSource: true)
        }
    }

    /// The key of an object: at most 1,024 bytes.
    private static func key(_ parameters: Parameters) throws(RecognitionError) -> String {
        let key = try parameters.text("Key")
        guard key.utf8.count <= 1024 else { throw parameters.malformed("Key", "is longer than 1024 bytes") }
        return key
    }

    /// A version id is one word; which version an empty one means is anybody's guess.
    private static func checkVersion(_ parameters: Parameters) throws(RecognitionError) {
        guard let version = try parameters.textIfAny("VersionId") else { return }
        guard version.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), version.utf8.count <= 1024 else {
            throw parameters.malformed("VersionId", "is no version id")
        }
    }

    private static let grants = [
        "GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite", "GrantWriteACP",
    ]

    private static func setsACL(_ parameters: Parameters) -> Bool {
        parameters.has("ACL") || grants.contains(where: parameters.has)
    }

    private static func extendBucket(_ draft: inout Draft, _ bucket: S3Bucket) throws(RecognitionError) {
        let parameters = draft.parameters
        switch draft.operation {
        case "CreateBucket":
            if setsACL(parameters) { draft.want("PutBucketAcl", bucket) }
            if parameters.flag("ObjectLockEnabledForBucket") {
                draft.want("PutBucketObjectLockConfiguration", bucket)
                draft.want("PutBucketVersioning", bucket)
            }
            if parameters.has("ObjectOwnership") { draft.want("PutBucketOwnershipControls", bucket) }
            if let settings = try parameters.structure("CreateBucketConfiguration"), settings.has("Tags") {
                draft.want("TagResource", bucket)
            }
        case "PutBucketReplication":
            if let settings = try parameters.structure("ReplicationConfiguration") {
                try draft.passRole("Role", in: settings)
            }
        default: break
        }
    }

    private static func extendObject(
        _ draft: inout Draft, _ bucket: S3Bucket, _ key: String, versioned: Bool
    ) throws(RecognitionError) {
        let parameters = draft.parameters
        switch draft.operation {
        case "PutObject", "CopyObject", "CreateMultipartUpload":
            if setsACL(parameters) { draft.want("PutObjectAcl", bucket, key: key) }
            // A copy carries its source's tags over by itself; the request says so only when it replaces
            // them.
            let replaces = parameters.value("TaggingDirective")?.string == "REPLACE"
            if parameters.has("Tagging") || replaces { draft.want("PutObjectTagging", bucket, key: key) }
            if parameters.has("ObjectLockMode") || parameters.has("ObjectLockRetainUntilDate") {
                draft.want("PutObjectRetention", bucket, key: key)
            }
            if parameters.has("ObjectLockLegalHoldStatus") {
                draft.want("PutObjectLegalHold", bucket, key: key)
            }
            // The parts of a multipart upload are put together from what was encrypted before.
            let actions =
                ["kms:GenerateDataKey"] + (draft.operation == "CreateMultipartUpload" ? ["kms:Decrypt"] : [])
            try draft.useKey("SSEKMSKeyId", actions)
        case "DeleteObject", "PutObjectRetention":
            if parameters.flag("BypassGovernanceRetention") {
                draft.want("BypassGovernanceRetention", bucket, key: key)
            }
        case "GetObjectAttributes":
            draft.want(versioned ? "GetObjectVersion" : "GetObject", bucket, key: key)
        case "RestoreObject": try restore(&draft, bucket, key)
        case "UpdateObjectEncryption":
            if let key = try parameters.structure("ObjectEncryption")?.structure("SSEKMS") {
                try draft.useKey("KMSKeyArn", ["kms:GenerateDataKey"], in: key)
            }
        default: break
        }
        let reads = ["PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject"]
        if reads.contains(draft.operation), let etag = try parameters.textIfAny("IfMatch"), etag != "*" {
            draft.want("GetObject", bucket, key: key)
        }
    }

    /// A restore of type SELECT reads the object and writes what it finds to another bucket.
    private static func restore(_ draft: inout Draft, _ bucket: S3Bucket, _ key: String)
        throws(RecognitionError)
    {
        guard let request = try draft.parameters.structure("RestoreRequest") else { return }
        if request.has("SelectParameters") || request.has("Type") {
            draft.want("GetObject", bucket, key: key)
        }
        guard let output = try request.structure("OutputLocation")?.structure("S3") else { return }
        let target = try S3Bucket(parsing: output.text("BucketName"), part: output.spot("BucketName"))
        let prefix = try output.textIfAny("Prefix") ?? ""
        // Which objects, their names say only where the bucket is a plain one.
        guard case .bucket(let name) = target else { return draft.want("s3:PutObject", on: .unknown) }
        let place = "arn:\(draft.place.partition):s3:::\(name)/\(prefix)"
        draft.want("s3:PutObject", on: Resource([.known(place), .unknown]))
        if output.has("CannedACL") || output.has("AccessControlList") {
            draft.want("s3:PutObjectAcl", on: Resource([.known(place), .unknown]))
        }
        if output.has("Tagging") {
            draft.want("s3:PutObjectTagging", on: Resource([.known(place), .unknown]))
        }
    }

    /// The condition keys that a member fills as it is spelled.
    private static let keys = [
        ("s3:prefix", "Prefix"), ("s3:delimiter", "Delimiter"), ("s3:max-keys", "MaxKeys"),
        ("s3:x-amz-acl", "ACL"), ("s3:x-amz-grant-read", "GrantRead"),
        ("s3:x-amz-grant-full-control", "GrantFullControl"), ("s3:x-amz-grant-read-acp", "GrantReadACP"),
        ("s3:x-amz-grant-write", "GrantWrite"), ("s3:x-amz-grant-write-acp", "GrantWriteACP"),
        ("s3:x-amz-metadata-directive", "MetadataDirective"), ("s3:x-amz-storage-class", "StorageClass"),
        ("s3:x-amz-server-side-encryption", "ServerSideEncryption"), ("s3:if-match", "IfMatch"),
        ("s3:if-none-match", "IfNoneMatch"),
        ("s3:x-amz-website-redirect-location", "WebsiteRedirectLocation"), ("s3:versionid", "VersionId"),
    ]

    private static let keyNames = KeyNames(Set(keys.map(\.0)))
    /// What a call without an access point and a directory bucket does not have.
    private static let pointKeys = KeyNames([
        "s3:dataaccesspointarn", "s3:dataaccesspointaccount", "s3express:sessionmode",
    ])
    private static let plainKeyNames = KeyNames(keyNames.names.union(pointKeys.names))

    private static func fillKeys(_ draft: inout Draft, _ bucket: S3Bucket?) throws(RecognitionError) {
        // The objects of a batch have conditions and versions of their own: nothing is said of those keys.
        let isBatch = draft.operation == "DeleteObjects"
        switch bucket {
        case .bucket? where !draft.wants.contains(where: { $0.action.name == "CreateSession" }):
            draft.keys.say(absent: isBatch ? pointKeys : plainKeyNames)
        case .bucket?, .accessPoint?, .alias?, .directory?, .other?, nil:
            if !isBatch { draft.keys.say(absent: keyNames) }
            try fillPointKeys(&draft, bucket)
        }
        guard !isBatch else { return }
        for (key, member) in keys where draft.parameters.has(member) { draft.fill(key, from: member) }
    }

    /// The keys of an access point, and what the call does in a directory bucket: `ReadOnly` when it writes
    /// nothing there.
    private static func fillPointKeys(
        _ draft: inout Draft, _ bucket: S3Bucket?
    ) throws(RecognitionError) {
        switch bucket {
        case .accessPoint(let point)?:
            draft.fill("s3:DataAccessPointArn", [point.arn])
            draft.fill("s3:DataAccessPointAccount", [point.account])
        // Which access point is behind an alias, nobody can tell.
        case .alias?, .other?: break
        case .bucket?, .directory?, nil:
            draft.fill("s3:DataAccessPointArn", [])
            draft.fill("s3:DataAccessPointAccount", [])
        }
        let sessions = draft.wants.filter { $0.action.name == "CreateSession" }
        if draft.operation == "CreateSession" {
            // ReadWrite is what it gives when it is not asked for less.
            draft.fill(
                "s3express:SessionMode", [try draft.parameters.textIfAny("SessionMode") ?? "ReadWrite"])
        } else if sessions.count == 1 {
            let isRead = sessions[0].level.map { !$0.mutates } ?? false
            draft.fill("s3express:SessionMode", [isRead ? "ReadOnly" : "ReadWrite"])
        } else if sessions.isEmpty {
            draft.fill("s3express:SessionMode", [])
        }
    }
}
