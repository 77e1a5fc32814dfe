import Hashing
import Vocabulary

/// A SigV4 signature by headers, stage by stage as AWS explains a mismatch.
package struct HeaderSignature: Hashable, Sendable {
    package let canonicalRequest: [UInt8]
    package let stringToSign: [UInt8]
    /// 64 hexadecimal digits.
    package let signature: [UInt8]
    /// The value of the `authorization` field.
    package let authorization: String
    /// All fields that are signed, and `authorization`, in the order to send.
    package let fields: [HeaderField]
}

/// What to sign, whoever asks for it.
package struct SigningInput: Hashable, Sendable {
    package let method: String
    /// As sent, percent-encoded, begins with `/`.
    package let path: String
    /// As sent, without the `?`; empty for none.
    package let query: String
    package let pathRule: PathRule
    /// What is sent as Host.
    package let authority: String
    /// The fields to send. Their order stays; those that a signature makes itself are replaced.
    package let fields: [HeaderField]
    /// SHA-256 of the body.
    package let payload: Digest
    /// Whether `x-amz-content-sha256` is sent: S3 demands it.
    package let sendsPayloadHash: Bool
    package let region: String
    /// The signing name.
    package let service: String

    package init(
        method: String, path: String, query: String, pathRule: PathRule, authority: String,
        fields: [HeaderField],
        payload: Digest, sendsPayloadHash: Bool, region: String, service: String
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.pathRule = pathRule
        self.authority = authority
        self.fields = fields
        self.payload = payload
        self.sendsPayloadHash = sendsPayloadHash
        self.region = region
        self.service = service
    }
}

/// The SigV4 signature of `input` at `date`, by headers: all given fields, `host`, `x-amz-date`, the session
/// token and, where asked for, the payload hash are signed.
///
/// - SeeAlso: AWS "Create a signed AWS API request".
package func signByHeaders(
    _ input: SigningInput, with credentials: Credentials, at date: Instant, keys: SigningKeys
) -> HeaderSignature {
    let timestamp = date.basicFormat
    let scope = SigningScope(day: String(timestamp.prefix(8)), region: input.region, service: input.service)
    let payloadHash = input.payload.bytes.lowercaseHex
    var fields = input.fields
    let sendsPayloadHash = input.sendsPayloadHash || fields.contains { $0.name == "x-amz-content-sha256" }
    fields.removeAll { ownNames.contains($0.name) }
    fields.append(HeaderField("x-amz-date", timestamp))
    if sendsPayloadHash {
        fields.append(HeaderField("x-amz-content-sha256", String(decoding: payloadHash, as: UTF8.self)))
    }
    if let token = credentials.sessionToken {
        fields.append(
            HeaderField("x-amz-security-token", token.withBytes { String(decoding: $0, as: UTF8.self) }))
    }
    let canonical = CanonicalRequest(
        method: input.method, path: input.path, pathRule: input.pathRule, query: input.query,
        fields: fields + [HeaderField("host", input.authority)], payloadHash: payloadHash)
    let toSign = stringToSign(canonical, timestamp: timestamp, scope: scope)
    let signature = keys.key(for: credentials, in: scope).authenticate(toSign).lowercaseHex
    var authorization = Array("AWS4-HMAC-SHA256 Credential=".utf8)
    authorization.reserveCapacity(256 + canonical.signedHeaders.count)
    authorization.append(contentsOf: credentials.accessKeyID.utf8)
    authorization.append(0x2F)
    authorization.append(contentsOf: scope.text.utf8)
    authorization.append(contentsOf: ", SignedHeaders=".utf8)
    authorization.append(contentsOf: canonical.signedHeaders)
    authorization.append(contentsOf: ", Signature=".utf8)
    authorization.append(contentsOf: signature)
    let value = String(decoding: authorization, as: UTF8.self)
    fields.append(HeaderField("authorization", value))
    return HeaderSignature(
        canonicalRequest: canonical.bytes, stringToSign: toSign, signature: signature, authorization: value,
        fields: fields)
}

/// The second stage: algorithm, time, scope, and the hash of the canonical request.
package func stringToSign(_ canonical: CanonicalRequest, timestamp: String, scope: SigningScope) -> [UInt8] {
    var out = Array("AWS4-HMAC-SHA256\n".utf8)
    out.reserveCapacity(192)
    out.append(contentsOf: timestamp.utf8)
    out.append(0x0A)
    out.append(contentsOf: scope.text.utf8)
    out.append(0x0A)
    out.append(contentsOf: sha256(canonical.bytes).bytes.lowercaseHex)
    return out
}

/// Whether `signingName` is of the S3 family: path as sent, payload hash in a field.
package func signsAsS3(_ signingName: String) -> Bool {
    ["s3", "s3express", "s3-object-lambda", "s3-outposts"].contains(signingName)
}

/// What the signature makes itself, so that nobody else's may stand beside it.
private let ownNames: Set<String> = [
    "authorization", "host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token",
]
