import Hashing
import SigV4
import Vocabulary

/// A presigned URL of S3's signature version 2 by a key of ours: what boto3 and the AWS CLI make when their
/// endpoint is not AWS's own.
///
/// Version 2 signs neither Host nor most of the query. What it leaves out must not be there, so that nobody
/// can add to a URL that was handed on: Host must be this machine by its plain name, and of the query only
/// what is signed may be there.
///
/// - SeeAlso: Amazon S3 "Authenticating requests using the REST API", query string request authentication.
struct OldSignature {
    let id: IssuedKeyID
    let token: String
    private let expires: Instant
    /// 20 bytes.
    private let signature: [UInt8]
    private let signed: [UInt8]

    init(_ id: IssuedKeyID, _ query: SignatureQuery, _ head: RequestHead) throws(IdentificationError) {
        self.id = id
        guard let seconds = try query.value("Expires"), (1...11).contains(seconds.utf8.count),
            seconds.utf8.allSatisfy(\.isDigit), let count = Int64(seconds),
            try query.value("AWSAccessKeyId") != nil
        else { throw .malformed(why: "the query must hold Expires, in seconds since 1970") }
        expires = Instant(secondsSinceEpoch: count)
        guard let text = try query.value("Signature"), let bytes = Base64.decode(text.utf8), bytes.count == 20
        else { throw .malformed(why: "the query must hold Signature, 20 bytes in base 64") }
        signature = bytes
        let host = (head["host"] ?? "").prefix { $0 != ":" }
        let isAddress = !host.isEmpty && host.utf8.allSatisfy { $0.isDigit || $0 == 0x2E }
        guard isAddress || host == "localhost" else {
            throw .malformed(
                why: "signature version 2 does not sign Host, so Host must be a plain address; "
                    + "signature_version = s3v4 signs it")
        }
        let items = try OldSignature.items(of: head)
        guard let token = items.fields.first(where: { $0.name == "x-amz-security-token" }) else {
            throw .badToken(why: "there is none, and a key of Countersign is nothing without its own")
        }
        self.token = token.value
        var lines = [head.method, items.contentMD5 ?? "", items.contentType ?? "", seconds]
        lines += items.fields.map { "\($0.name):\($0.value)" }
        let resource =
            String(head.rawPath)
            + (items.resources.isEmpty ? "" : "?" + items.resources.joined(separator: "&"))
        signed = Array((lines + [resource]).joined(separator: "\n").utf8)
    }

    /// What of head and query is signed.
    private struct Items {
        var contentMD5: String?
        var contentType: String?
        /// `x-amz-…`, sorted by name.
        var fields: [HeaderField] = []
        /// `versionId=3`, `acl`: sorted by name.
        var resources: [String] = []
    }

    private static func items(of head: RequestHead) throws(IdentificationError) -> Items {
        var items = Items()
        items.fields = head.fields.filter { $0.name.hasPrefix("x-amz-") }
        items.contentMD5 = try head.sole("content-md5")
        items.contentType = try head.sole("content-type")
        var resources: [(name: String, text: String)] = []
        for item in (head.rawQuery ?? "").utf8.split(separator: 0x26, omittingEmptySubsequences: false) {
            let mark = item.firstIndex(of: 0x3D) ?? item.endIndex
            let name = String(Substring(item[..<mark]))
            guard let value = percentDecoded(Substring(item[mark...].dropFirst())) else {
                throw .malformed(why: "a parameter of the query is not UTF-8")
            }
            let known = name.asciiLowercased
            switch name {
            case "AWSAccessKeyId", "Signature", "Expires": continue
            case "content-md5" where items.contentMD5 == nil: items.contentMD5 = value
            case "content-type" where items.contentType == nil: items.contentType = value
            case _ where known.hasPrefix("x-amz-"): items.fields.append(HeaderField(name, value))
            case _ where subresources.contains(name):
                resources.append((name, mark == item.endIndex ? name : "\(name)=\(value)"))
            default:
                throw .malformed(
                    why: "signature version 2 does not sign the parameter `\(shown(name))`; "
                        + "signature_version = s3v4 does")
            }
        }
        items.fields.sort { $0.name < $1.name }
        for (left, right) in zip(items.fields, items.fields.dropFirst()) where left.name == right.name {
            throw .malformed(why: "`\(shown(left.name))` is there twice")
        }
        resources.sort { $0.name < $1.name }
        for (left, right) in zip(resources, resources.dropFirst()) where left.name == right.name {
            throw .malformed(why: "the query holds `\(left.name)` twice")
        }
        items.resources = resources.map(\.text)
        return items
    }

    /// Checks when it ends against `wall`, the time of this host's clock.
    func checkTime(_ wall: Instant) throws(IdentificationError) {
        guard wall < expires else { throw .presignedExpired(expires) }
        guard expires.since(wall) <= PresentedSignature.lifetimeMax + PresentedSignature.skewMax else {
            throw .malformed(why: "Expires must be within 7 days")
        }
    }

    /// Whether `secret` makes this signature.
    func verifies(_ secret: Secret) -> Bool { constantTimeEqual(hmacSHA1(key: secret, signed), signature) }
}

/// The parameters that are part of what version 2 signs.
private let subresources: Set<String> = [
    "accelerate", "acl", "analytics", "cors", "defaultObjectAcl", "delete", "inventory", "lifecycle",
    "location", "logging", "metrics", "notification", "object-lock", "partNumber", "policy", "replication",
    "requestPayment", "response-cache-control", "response-content-disposition", "response-content-encoding",
    "response-content-language", "response-content-type", "response-expires", "restore", "select",
    "select-type", "storageClass", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning",
    "versions", "website",
]
