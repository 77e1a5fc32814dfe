import Hashing
import SigV4
import Vocabulary

@testable import Identifying

/// A client that signs whatever it is told to, also what no client should.
struct Client {
    var method = "PUT"
    var path = "/bucket-1/key"
    var query: [(String, String)] = []
    var fields: [(String, String)] = [("x-amz-meta-a", "1")]
    var body: [UInt8] = Array("hello".utf8)
    var service = "s3"
    var day: String?
    var timestamp = SignedRequest.signed.basicFormat
    /// What `x-amz-content-sha256` says; nil for the right hash.
    var hash: String?
    /// What is signed; nil for all.
    var names: [String]?
    /// What `SignedHeaders` says; nil for what is signed.
    var list: String?
    var algorithm = "AWS4-HMAC-SHA256"
    var terminator = "aws4_request"
    var expires = SignedRequest.signed.advanced(by: .seconds(28_800))
    var host = "127.0.0.1:8990"

    private var keys: IssuedKeys {
        get throws {
            try hostKey().issue(
                IssuedIdentity(
                    agent: AgentName(parsing: "support-7"), session: SessionID(random: 1), task: "t",
                    reason: nil, owner: nil, account: nil, role: nil, issued: SignedRequest.signed,
                    expires: expires), id: IssuedKeyID(random: (1, 2)))
        }
    }

    private func signature(
        _ all: [HeaderField], _ query: String, payload: String
    ) throws -> (names: String, signature: String) {
        let signed = all.filter { names?.contains($0.name) ?? true }
        let canonical = CanonicalRequest(
            method: method, path: path, pathRule: signsAsS3(service) ? .asSent : .normalized, query: query,
            fields: signed, payloadHash: Array(payload.utf8))
        let scope = SigningScope(day: scopeDay, region: "eu-west-1", service: service)
        let key = KeyedHMAC(key: signingKey(of: try keys.secretKey, in: scope))
        let digits = key.authenticate(stringToSign(canonical, timestamp: timestamp, scope: scope))
            .lowercaseHex
        return (
            list ?? String(decoding: canonical.signedHeaders, as: UTF8.self),
            String(decoding: digits, as: UTF8.self)
        )
    }

    private var scopeDay: String { day ?? String(timestamp.prefix(8)) }
    private var credential: String {
        get throws { "\(try keys.accessKeyID)/\(scopeDay)/eu-west-1/\(service)/\(terminator)" }
    }

    /// Signed in the header.
    func head() throws -> RequestHead {
        let hash = hash ?? sha256(body).hex
        let all =
            [HeaderField("host", host), HeaderField("x-amz-date", timestamp)]
            + [
                HeaderField("x-amz-content-sha256", hash),
                HeaderField("x-amz-security-token", try keys.sessionToken.shownInTests),
            ] + fields.map { HeaderField($0.0, $0.1) }
        let query = query.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
        let made = try signature(all, query, payload: hash)
        let authorization =
            "\(algorithm) Credential=\(try credential), SignedHeaders=\(made.names), "
            + "Signature=\(made.signature)"
        return RequestHead(
            method: method, target: query.isEmpty ? path : "\(path)?\(query)",
            fields: all + [HeaderField("authorization", authorization)])
    }

    /// Presigned; `changed` are parameters in place of the right ones.
    func presigned(_ changed: [String: String?] = [:], payload: String = "UNSIGNED-PAYLOAD") throws
        -> RequestHead
    {
        let all = [HeaderField("host", host)] + fields.map { HeaderField($0.0, $0.1) }
        let list =
            list ?? all.map(\.name).filter { names?.contains($0) ?? true }.sorted().joined(separator: ";")
        let parameters: [(String, String)] = [
            ("X-Amz-Algorithm", algorithm), ("X-Amz-Credential", try credential), ("X-Amz-Date", timestamp),
            ("X-Amz-Expires", "600"), ("X-Amz-SignedHeaders", list),
            ("X-Amz-Security-Token", try keys.sessionToken.shownInTests),
        ]
        var items = query
        for (name, value) in parameters {
            guard let value = changed.keys.contains(name) ? changed[name] ?? nil : value else { continue }
            items.append((name, value))
        }
        let query = items.map { "\($0.0)=\(percentEncodedInTests($0.1))" }.joined(separator: "&")
        let made = try signature(all, query, payload: payload)
        return RequestHead(
            method: method, target: "\(path)?\(query)&X-Amz-Signature=\(made.signature)", fields: all)
    }
}

private func percentEncodedInTests(_ text: String) -> String {
    text.replacing("/", with: "%2F").replacing(";", with: "%3B").replacing("=", with: "%3D")
}
