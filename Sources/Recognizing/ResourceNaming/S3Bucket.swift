import Vocabulary

/// What stands where an S3 request names its bucket.
///
/// - SeeAlso: Amazon S3 User Guide, "General purpose bucket naming rules" (reserved suffixes) and
///   "Referencing access points".
enum S3Bucket: Hashable, Sendable {
    /// A general purpose bucket.
    case bucket(String)
    /// An access point by its ARN.
    case accessPoint(S3AccessPoint)
    /// The alias of an access point, or of an Object Lambda one: it does not say whose, and which, it is.
    case alias(String, isObjectLambda: Bool)
    /// A directory bucket, `NAME--ZONE--x-s3`, or one of its access points, `NAME--ZONE--xa-s3`.
    case directory(S3Directory)
    /// The alias of an Outposts access point, what ends like an alias and is none, or an ARN of something
    /// else: nothing is known of what it touches.
    case other

    /// What `text` names; `part` is what a message calls it.
    ///
    /// - Throws: ``RecognitionError/malformed(part:why:)`` for what is neither a bucket name (3 to 255 of
    ///   letters, digits, `.`, `-`, `_`, as old buckets of us-east-1 may have) nor an ARN, and for an access
    ///   point or directory bucket whose name could not stand in a host. A `/` would make a bucket look like
    ///   an object.
    init(parsing text: String, part: @autoclosure () -> String) throws(RecognitionError) {
        if text.begins(with: "arn:") {
            guard let arn = ARN(parsing: text) else { throw .malformed(part: part(), why: "is no ARN") }
            self = try S3AccessPoint(arn, part: part()).map { .accessPoint($0) } ?? .other
            return
        }
        guard text.isName(others: ".-_", lengthMax: 255), text.utf8.count >= 3,
            text.utf8.contains(where: \.isAlphanumeric)
        else { throw .malformed(part: part(), why: "is no bucket name") }
        let name = text.asciiLowercased
        if name.ends(with: "--x-s3") || name.ends(with: "--xa-s3") {
            guard let directory = S3Directory(text) else {
                throw .malformed(part: part(), why: "is no directory bucket `name--zone--x-s3` in lower case")
            }
            self = .directory(directory)
        } else if text.isHostLabel, text.ends(with: "-s3alias") || text.ends(with: "--ol-s3") {
            self = .alias(text, isObjectLambda: text.ends(with: "--ol-s3"))
        } else if ["-s3alias", "--ol-s3", "--op-s3", ".mrap"].contains(where: { name.ends(with: $0) }) {
            self = .other
        } else {
            self = .bucket(text)
        }
    }
}

/// An access point, as its ARN says it.
struct S3AccessPoint: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        /// `arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME`.
        case bucket
        /// `arn:aws:s3::ACCOUNT:accesspoint/ALIAS.mrap`.
        case multiRegion
        /// `arn:aws:s3-object-lambda:REGION:ACCOUNT:accesspoint/NAME`.
        case objectLambda
        /// `arn:aws:s3-outposts:REGION:ACCOUNT:outpost/ID/accesspoint/NAME`.
        case outpost(String)
    }

    let kind: Kind
    let partition: String
    /// Empty for a Multi-Region Access Point.
    let region: String
    let account: String
    /// 1 to 50 of lower-case letters, digits and dashes, so that it can stand in a host.
    let name: String

    /// Nil for an ARN of anything else.
    ///
    /// - Throws: ``RecognitionError/malformed(part:why:)`` for an access point without account, or whose name
    ///   is none.
    init?(_ arn: ARN, part: String) throws(RecognitionError) {
        let steps = arn.resource.utf8.split(
            omittingEmptySubsequences: false, whereSeparator: { $0 == 0x2F || $0 == 0x3A }
        ).map { String(decoding: $0, as: UTF8.self) }
        switch (arn.service, steps.count, steps[0]) {
        case ("s3", 2, "accesspoint") where arn.region.isEmpty && steps[1].ends(with: ".mrap"):
            (kind, name) = (.multiRegion, steps[1])
        case ("s3", 2, "accesspoint"): (kind, name) = (.bucket, steps[1])
        case ("s3-object-lambda", 2, "accesspoint"): (kind, name) = (.objectLambda, steps[1])
        case ("s3-outposts", 4, "outpost") where steps[2] == "accesspoint" && steps[1].isHostLabel:
            (kind, name) = (.outpost(steps[1]), steps[3])
        case ("s3-outposts", 4, "outpost"), ("s3", _, "accesspoint"), ("s3-object-lambda", _, "accesspoint"):
            throw .malformed(part: part, why: "is no ARN of an access point")
        default: return nil
        }
        (partition, region, account) = (arn.partition, arn.region, arn.account)
        let label = kind == .multiRegion ? String(name.dropLast(5)) : name
        guard label.isHostLabel, label.utf8.count <= 50, account.isAccount,
            kind == .multiRegion || !region.isEmpty
        else { throw .malformed(part: part, why: "is no ARN of an access point") }
    }

    /// The ARN in the one spelling that policies use.
    var arn: String {
        switch kind {
        case .bucket, .multiRegion: "arn:\(partition):s3:\(region):\(account):accesspoint/\(name)"
        case .objectLambda: "arn:\(partition):s3-object-lambda:\(region):\(account):accesspoint/\(name)"
        case .outpost: "\(outpostARN)accesspoint/\(name)"
        }
    }

    /// The ARN of its outpost, with the slash after it.
    fileprivate var outpostARN: String {
        guard case .outpost(let id) = kind else { return "" }
        return "arn:\(partition):s3-outposts:\(region):\(account):outpost/\(id)/"
    }
}

/// A directory bucket or an access point of one: its name says in which zone it lies.
struct S3Directory: Hashable, Sendable {
    let name: String
    /// `use1-az4`.
    let zone: String
    /// Whether it is an access point.
    let isAccessPoint: Bool

    /// Nil unless `name` is a label of a host, `base--zone--x-s3` or `base--zone--xa-s3`.
    init?(_ name: String) {
        isAccessPoint = name.ends(with: "--xa-s3")
        let rest = String(name.dropLast(isAccessPoint ? 7 : 6))
        guard name.isHostLabel, let end = rest.range(ofLast: "--") else { return nil }
        zone = end.after
        guard zone.isHostLabel, !end.before.isEmpty else { return nil }
        self.name = name
    }
}

extension String {
    /// Whether the text is a label of a host: 1 to 63 lower-case letters, digits and dashes, no dash at an
    /// end.
    var isHostLabel: Bool {
        (1...63).contains(utf8.count) && utf8.first != 0x2D && utf8.last != 0x2D
            && utf8.allSatisfy { $0.isLowerAlphanumeric || $0 == 0x2D }
    }

    /// What stands before and after the last `separator`; nil when it is not there.
    fileprivate func range(ofLast separator: String) -> (before: String, after: String)? {
        let (text, mark) = (Array(utf8), Array(separator.utf8))
        guard text.count >= mark.count else { return nil }
        for start in stride(from: text.count - mark.count, through: 0, by: -1)
        where text[start..<start + mark.count].elementsEqual(mark) {
            return (
                String(decoding: text[..<start], as: UTF8.self),
                String(decoding: text[(start + mark.count)...], as: UTF8.self)
            )
        }
        return nil
    }
}

extension Draft {
    /// The actions of the `s3` prefix that a directory bucket has itself under the `s3express` prefix.
    private static let directoryActions: Set<String> = [
        "CreateBucket", "DeleteBucket", "GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy",
        "GetEncryptionConfiguration", "PutEncryptionConfiguration", "GetInventoryConfiguration",
        "PutInventoryConfiguration", "GetLifecycleConfiguration", "PutLifecycleConfiguration",
        "GetMetricsConfiguration", "PutMetricsConfiguration", "TagResource",
    ]

    /// The call needs `s3:` and `action` on `bucket`, or on the object `key` of it; as the source of a copy
    /// when `isSource`.
    ///
    /// The key is literal and whole, `*` and `/` included. An unknown bucket makes an unknown resource, which
    /// no `Allow` covers.
    mutating func want(_ action: String, _ bucket: S3Bucket, key: String? = nil, isSource: Bool = false) {
        switch bucket {
        case .bucket(let name):
            var text = "arn:"
            text.reserveCapacity(32 + name.utf8.count + (key?.utf8.count ?? 0))
            text += place.partition
            text += ":s3:::"
            text += name
            if let key {
                text += "/"
                text += key
            }
            want(Action(prefix: "s3", name: action), on: Resource(text))
        case .accessPoint(let point): want(action, point, key: key)
        case .alias(_, let isObjectLambda):
            let service = isObjectLambda ? "s3-object-lambda" : "s3"
            // The endpoint that a call goes to has the access points of its own region; a copy may read from
            // any.
            var parts: [Resource.Part] = [.known("arn:\(place.partition):\(service):")]
            parts += isSource ? [.unknown, .known(":")] : [.known("\(place.region):")]
            parts += [.unknown, .known(":accesspoint/"), .unknown]
            if let key, !isObjectLambda { parts.append(.known("/object/\(key)")) }
            want("\(service):\(action)", on: Resource(parts))
        case .directory(let directory)
        where key == nil && !directory.isAccessPoint && Self.directoryActions.contains(action):
            want("s3express:\(action)", on: place.resource("s3express", .known("bucket/\(directory.name)")))
        case .directory(let directory):
            if let level = S3Session.level(operation, action, isSource: isSource) {
                wantSession(directory, level, isSource: isSource)
            } else {
                want("s3:\(action)", on: .unknown)
            }
        case .other: want("s3:\(action)", on: .unknown)
        }
    }

    private mutating func want(_ action: String, _ point: S3AccessPoint, key: String?) {
        switch point.kind {
        case .bucket, .multiRegion:
            want("s3:\(action)", on: Resource(point.arn + (key.map { "/object/\($0)" } ?? "")))
        case .objectLambda: want("s3-object-lambda:\(action)", on: Resource(point.arn))
        case .outpost:
            let bucket = key.map { [Resource.Part.unknown, .known("/object/\($0)")] }
            guard let bucket else {
                want("s3-outposts:\(action)", on: Resource(point.arn))
                want(
                    "s3-outposts:\(action)", on: Resource([.known(point.outpostARN + "bucket/"), .unknown]))
                return
            }
            want("s3-outposts:\(action)", on: Resource([.known(point.outpostARN)] + bucket))
        }
    }

    /// `s3express:CreateSession`, which is what IAM asks of every zonal call, for what this one does.
    private mutating func wantSession(_ directory: S3Directory, _ level: AccessLevel, isSource: Bool) {
        let member = isSource ? "ExpectedSourceBucketOwner" : "ExpectedBucketOwner"
        // AWS refuses the call when another account owns the bucket; ``S3Route`` sends ours along where the
        // client names none. The owner of an access point is nobody's to say.
        var owner = parameters.value(member)?.string.flatMap { $0.isAccount ? $0 : nil }
        if !parameters.has(member), facts.model.input?.member(named: member) != nil { owner = place.account }
        let kind = directory.isAccessPoint ? "accesspoint" : "bucket"
        let at = Place(
            partition: place.partition, region: place.region, account: directory.isAccessPoint ? nil : owner)
        want(
            Action(prefix: "s3express", name: "CreateSession"),
            on: at.resource("s3express", .known("\(kind)/\(directory.name)")), level: level)
    }
}

/// What zonal calls of directory buckets do with the one action that they need.
///
/// - SeeAlso: Amazon S3 API Reference, CreateSession (what a read-only session may do), CopyObject; Amazon S3
///   User Guide, "Authenticating and authorizing requests" of directory buckets.
enum S3Session {
    private static let reads: [String: AccessLevel] = [
        "GetObject": .read, "HeadObject": .read, "GetObjectAttributes": .read, "ListObjectsV2": .list,
        "ListParts": .list, "ListMultipartUploads": .list, "HeadBucket": .list,
    ]
    private static let writes: Set<String> = [
        "AbortMultipartUpload", "CompleteMultipartUpload", "CopyObject", "CreateMultipartUpload",
        "DeleteObject", "DeleteObjects", "PutObject", "RenameObject", "UploadPart", "UploadPartCopy",
    ]
    private static let actions: Set<String> = [
        "AbortMultipartUpload", "DeleteObject", "GetObject", "GetObjectAttributes", "ListBucket",
        "ListBucketMultipartUploads", "ListMultipartUploadParts", "PutObject",
    ]

    /// Whether the operation is one of a zone's endpoint.
    static func isZonal(_ operation: String) -> Bool { reads[operation] != nil || writes.contains(operation) }

    /// What the call does to the bucket; nil when directory buckets have no such operation or action.
    static func level(_ operation: String, _ action: String, isSource: Bool) -> AccessLevel? {
        guard actions.contains(action) else { return nil }
        if isSource { return .read }
        return reads[operation] ?? (writes.contains(operation) ? .write : nil)
    }
}

/// The object that `x-amz-copy-source` names.
struct S3Source: Hashable, Sendable {
    let bucket: S3Bucket
    let key: String
    let versionID: String?

    /// Every object that `text` may name: one, or two where a raw `+` can be read as itself or as a blank.
    ///
    /// The forms are `bucket/key`, `/bucket/key` and `arn:…:accesspoint/name/object/key`, percent-encoded,
    /// with an optional `?versionId=…` that is not. Whatever else follows a `?`, an encoded `?versionId=`
    /// (which a server that decodes first would take for one), bad escapes and bytes that are not UTF-8 are
    /// refused.
    ///
    /// - SeeAlso: Amazon S3 API Reference, CopyObject, `x-amz-copy-source`.
    static func all(parsing text: String, part: String) throws(RecognitionError) -> [S3Source] {
        let readings = text.utf8.contains(0x2B) ? [false, true] : [false]
        var sources: [S3Source] = []
        for plusIsBlank in readings {
            sources.append(try S3Source(parsing: text, part: part, plusIsBlank: plusIsBlank))
        }
        return sources
    }

    private init(parsing text: String, part: String, plusIsBlank: Bool) throws(RecognitionError) {
        let halves = text.parts(by: 0x3F)
        var version: String?
        if halves.count > 1 {
            guard halves.count == 2, let value = halves[1].after("versionId="), !value.isEmpty,
                !value.utf8.contains(0x26), let decoded = Self.decoded(value, plusIsBlank: plusIsBlank)
            else { throw .malformed(part: part, why: "holds a `?` that begins no version id") }
            version = decoded
        }
        guard let path = Self.decoded(halves[0], plusIsBlank: plusIsBlank) else {
            throw .malformed(part: part, why: "is not percent-encoded UTF-8")
        }
        guard
            !path.asciiLowercased.parts(by: 0x3F).dropFirst().contains(where: {
                $0.begins(with: "versionid=")
            }),
            path.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }),
            version?.utf8.allSatisfy({ $0 > 0x20 }) ?? true
        else { throw .malformed(part: part, why: "holds an encoded `?versionId=` or a control character") }
        versionID = version
        if path.begins(with: "arn:") {
            (bucket, key) = try Self.split(arn: path, part: part)
            return
        }
        let body = path.after("/") ?? path
        guard !climbs(body) else { throw .malformed(part: part, why: "climbs above the bucket") }
        let parts = body.parts(by: 0x2F, maxSplits: 1)
        guard parts.count == 2, !parts[1].isEmpty else {
            throw .malformed(part: part, why: "is not `bucket/key`")
        }
        bucket = try S3Bucket(parsing: parts[0], part: part)
        key = parts[1]
    }

    /// The access point and key of `arn:…:accesspoint/name/object/key`; the key may hold any character.
    private static func split(arn text: String, part: String) throws(RecognitionError) -> (S3Bucket, String) {
        let fields = text.parts(by: 0x3A, maxSplits: 5)
        let isOutpost = fields.count == 6 && fields[5].begins(with: "outpost/")
        let count = isOutpost ? 6 : 4
        let steps = fields.count == 6 ? fields[5].parts(by: 0x2F, maxSplits: count - 1) : []
        guard steps.count == count, steps[count - 4] == "accesspoint", steps[count - 2] == "object",
            !steps[count - 1].isEmpty
        else {
            // Whatever comes: some object, somewhere.
            return (.other, text)
        }
        let point = (fields[0..<5] + [steps.dropLast(2).joined(separator: "/")]).joined(separator: ":")
        return (try S3Bucket(parsing: point, part: part), steps[count - 1])
    }

    /// `text` with percent escapes undone once; nil for a bad escape or bytes that are not UTF-8.
    private static func decoded(_ text: String, plusIsBlank: Bool) -> String? {
        percentDecoded(text, plusIsBlank: plusIsBlank)
    }
}
