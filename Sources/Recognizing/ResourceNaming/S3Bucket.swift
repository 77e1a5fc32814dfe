import Vocabulary

/// What stands where an S3 request names its bucket.
///
/// - SeeAlso: Amazon S3 User Guide, "General purpose bucket naming rules" (reserved suffixes) and "Access
///   points: ARNs".
enum S3Bucket: Hashable, Sendable {
    /// A general purpose bucket.
    case bucket(String)
    /// An access point or Multi-Region Access Point by its ARN `arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME`.
    case accessPoint(String)
    /// A directory bucket, `NAME--ZONE--x-s3`: its objects are reached by sessions, which the gateway does
    /// not open.
    case directory(String)
    /// An alias (whose access point the request does not say), an Object Lambda or Outposts access point: a
    /// resource that stands for others, so nothing is known of what it touches.
    case other

    /// What `text` names; `part` is what a message calls it.
    ///
    /// - Throws: ``RecognitionError/malformed(part:why:)`` for what is neither a bucket name (3 to 255 of
    ///   letters, digits, `.`, `-`, `_`, as old buckets of us-east-1 may have) nor an ARN. A `/` would make a
    ///   bucket look like an object.
    init(parsing text: String, part: String) throws(RecognitionError) {
        if text.begins(with: "arn:") {
            guard let arn = ARN(parsing: text) else { throw .malformed(part: part, why: "is no ARN") }
            let name = arn.resource.after("accesspoint/") ?? arn.resource.after("accesspoint:")
            guard arn.service == "s3", let name, name.isName(others: ".-", lengthMax: 63) else {
                self = .other
                return
            }
            self = .accessPoint("arn:\(arn.partition):s3:\(arn.region):\(arn.account):accesspoint/\(name)")
            return
        }
        guard text.isName(others: ".-_", lengthMax: 255), text.utf8.count >= 3,
            text.utf8.contains(where: \.isAlphanumeric)
        else { throw .malformed(part: part, why: "is no bucket name") }
        let name = text.asciiLowercased
        if name.ends(with: "--x-s3") {
            self = .directory(text)
        } else if ["-s3alias", "--ol-s3", "--op-s3", "--xa-s3", ".mrap"].contains(where: {
            name.ends(with: $0)
        }) {
            self = .other
        } else {
            self = .bucket(text)
        }
    }
}

extension Draft {
    /// The actions of the `s3` prefix that a directory bucket has itself under the `s3express` prefix.
    private static let directoryActions: Set<String> = [
        "CreateBucket", "DeleteBucket", "GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy",
        "GetEncryptionConfiguration", "PutEncryptionConfiguration", "GetLifecycleConfiguration",
        "PutLifecycleConfiguration",
    ]

    /// The call needs `s3:` and `action` on `bucket`, or on the object `key` of it.
    ///
    /// The key is literal and whole, `*` and `/` included. An unknown bucket makes an unknown resource, which
    /// no `Allow` covers.
    mutating func want(_ action: String, _ bucket: S3Bucket, key: String? = nil) {
        switch bucket {
        case .bucket(let name):
            want(
                "s3:\(action)",
                on: Resource("arn:\(place.partition):s3:::\(name)" + (key.map { "/\($0)" } ?? "")))
        case .accessPoint(let arn):
            want("s3:\(action)", on: Resource(arn + (key.map { "/object/\($0)" } ?? "")))
        case .directory(let name) where key == nil && Self.directoryActions.contains(action):
            want("s3express:\(action)", on: place.resource("s3express", .known("bucket/\(name)")))
        case .directory, .other:
            want("s3:\(action)", on: .unknown)
        }
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
        let steps = fields.count == 6 ? fields[5].parts(by: 0x2F, maxSplits: 3) : []
        guard steps.count == 4, steps[0] == "accesspoint", steps[2] == "object", !steps[3].isEmpty else {
            // Outposts and whatever comes: some object, somewhere.
            return (.other, text)
        }
        let point = fields[0..<5].joined(separator: ":") + ":accesspoint/" + steps[1]
        return (try S3Bucket(parsing: point, part: part), steps[3])
    }

    /// `text` with percent escapes undone once; nil for a bad escape or bytes that are not UTF-8.
    private static func decoded(_ text: String, plusIsBlank: Bool) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case 0x25:
                guard let high = rest.popFirst()?.hexValue, let low = rest.popFirst()?.hexValue else {
                    return nil
                }
                bytes.append(high << 4 | low)
            case 0x2B where plusIsBlank: bytes.append(0x20)
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

extension UInt8 {
    /// The value of a hexadecimal digit in either case; nil for any other byte.
    fileprivate var hexValue: UInt8? {
        switch self {
        case 0x30...0x39: self - 0x30
        case 0x41...0x46: self - 0x41 + 10
        case 0x61...0x66: self - 0x61 + 10
        default: nil
        }
    }
}
