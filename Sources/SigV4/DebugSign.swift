import Hashing
import Vocabulary

/// What is wrong with a line of `countersign debug sign --jsonl`.
package enum SignLineError: Error, Sendable, Hashable {
    /// The line is not one JSON object.
    case notAnObject
    /// `member` is missing, of another type, or not what it should be; `rule` says what that is.
    case malformed(member: String, rule: String)

    var message: String {
        switch self {
        case .notAnObject: "the line is not one JSON object"
        case .malformed(let member, let rule): "`\(member)` is not \(rule)"
        }
    }
}

/// One line of `countersign debug sign --jsonl`: the request in `line` signed, every stage shown.
///
/// In: `id`, `method`, `target`, `headers` (`[[name, value], …]`), `body_b64`, `service`, `region`,
/// `access_key`, `secret_key`, `session_token`, `date`, and optionally `normalize_path` and
/// `content_sha256_header`. Out, without a line break: `id`, `canonical_request`, `string_to_sign`,
/// `authorization` and `headers`, or `id` and `error` (`status`, `code`, `message`). All given fields are
/// signed; without a Host among them, `<service>.<region>.amazonaws.com` is.
package func debugSignLine(_ line: [UInt8]) -> [UInt8] {
    var id = JSON.null
    do throws(SignLineError) {
        let object = try object(in: line)
        id = object["id"] ?? .null
        let request = try SignLine(object)
        let signed = signByHeaders(
            request.input, with: request.credentials, at: request.date, keys: SigningKeys(countMax: 1))
        let host = HeaderField("host", request.input.authority)
        return JSON.object([
            .init("id", id),
            .init("canonical_request", .string(String(decoding: signed.canonicalRequest, as: UTF8.self))),
            .init("string_to_sign", .string(String(decoding: signed.stringToSign, as: UTF8.self))),
            .init("authorization", .string(signed.authorization)),
            .init("headers", .array(([host] + signed.fields).map { .strings([$0.name, $0.value]) })),
        ]).line
    } catch {
        let fault: JSON = ["status": 400, "code": "MalformedInput", "message": .string(error.message)]
        return JSON.object([.init("id", id), .init("error", fault)]).line
    }
}

private func object(in line: [UInt8]) throws(SignLineError) -> JSON {
    do {
        let value = try JSON(parsing: line)
        guard case .object = value else { throw SignLineError.notAnObject }
        return value
    } catch { throw .notAnObject }
}

private struct SignLine {
    let input: SigningInput
    let credentials: Credentials
    let date: Instant

    init(_ object: JSON) throws(SignLineError) {
        let method = try text("method", of: object)
        guard !method.isEmpty, method.utf8.allSatisfy(\.isTokenByte) else {
            throw .malformed(member: "method", rule: "an HTTP method")
        }
        let target = try text("target", of: object)
        guard target.utf8.first == 0x2F, !target.utf8.contains(0x23) else {
            throw .malformed(member: "target", rule: "a path that begins with `/`, without a fragment")
        }
        let mark = target.utf8.firstIndex(of: 0x3F) ?? target.endIndex
        let service = try text("service", of: object)
        let region = try text("region", of: object)
        guard !service.isEmpty, !region.isEmpty else {
            throw .malformed(member: service.isEmpty ? "service" : "region", rule: "a name")
        }
        let fields = try SignLine.fields(of: object)
        let hosts = fields.filter { $0.name == "host" }
        guard hosts.count <= 1 else {
            throw .malformed(member: "headers", rule: "a list with at most one Host")
        }
        guard let body = Base64.decode(try text("body_b64", of: object, absent: "").utf8) else {
            throw .malformed(member: "body_b64", rule: "padded base 64")
        }
        let isS3 = signsAsS3(service)
        let normalizes = try flag("normalize_path", of: object) ?? !isS3
        input = SigningInput(
            method: method, path: String(target[..<mark]), query: String(target[mark...].dropFirst()),
            pathRule: PathRule(normalizes: normalizes, encodesAgain: !isS3),
            authority: hosts.first?.value ?? "\(service).\(region).amazonaws.com", fields: fields,
            payload: sha256(body), sendsPayloadHash: try flag("content_sha256_header", of: object) ?? isS3,
            region: region, service: service)
        let token = try text("session_token", of: object, absent: "")
        credentials = Credentials(
            accessKeyID: try text("access_key", of: object),
            secretKey: Secret(Array(try text("secret_key", of: object).utf8)),
            sessionToken: token.isEmpty ? nil : Secret(Array(token.utf8)), expiration: nil)
        let date = try text("date", of: object)
        guard date.utf8.count == 16, let date = Instant(parsing: date) else {
            throw .malformed(member: "date", rule: "a time like `20150830T123600Z`")
        }
        self.date = date
    }

    private static func fields(of object: JSON) throws(SignLineError) -> [HeaderField] {
        let rule = "a list of [name, value] pairs"
        guard let pairs = (object["headers"] ?? .array([])).array else {
            throw .malformed(member: "headers", rule: rule)
        }
        var fields: [HeaderField] = []
        for pair in pairs {
            guard let parts = pair.array, parts.count == 2, let name = parts[0].string,
                let value = parts[1].string,
                !name.isEmpty, name.utf8.allSatisfy(\.isTokenByte)
            else { throw .malformed(member: "headers", rule: rule) }
            fields.append(HeaderField(name, value))
        }
        return fields
    }
}

private func text(_ name: String, of object: JSON, absent: String? = nil) throws(SignLineError) -> String {
    switch object[name] {
    case .string(let text): return text
    case nil, .null:
        guard let absent else { throw .malformed(member: name, rule: "given") }
        return absent
    default: throw .malformed(member: name, rule: "a string")
    }
}

private func flag(_ name: String, of object: JSON) throws(SignLineError) -> Bool? {
    switch object[name] {
    case .bool(let value): return value
    case nil, .null: return nil
    default: throw .malformed(member: name, rule: "true or false")
    }
}

extension UInt8 {
    /// Whether the byte may stand in an HTTP token (RFC 9110, section 5.6.2).
    fileprivate var isTokenByte: Bool { isAlphanumeric || "!#$%&'*+-.^_`|~".utf8.contains(self) }
}
