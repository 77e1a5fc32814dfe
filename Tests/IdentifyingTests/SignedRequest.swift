import Glibc
import Testing
import Vocabulary

@testable import Identifying

/// One line of `fixtures/issued/requests.jsonl`, written by `scripts/fixtures/issued`.
struct SignedRequest: Sendable {
    let id: String
    var method: String
    var target: String
    var fields: [HeaderField]
    var body: [UInt8]
    let canonicalRequest: String?
    let stringToSign: String

    /// When all of them were signed.
    static let signed = Instant(secondsSinceEpoch: 1_795_336_260)

    static func all() throws -> [SignedRequest] {
        let path = String(
            #filePath.prefix(#filePath.count - "/Tests/IdentifyingTests/SignedRequest.swift".count))
        let file = try #require(fopen(path + "/fixtures/issued/requests.jsonl", "r"))
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
        return try bytes.split(separator: 0x0A).map { try SignedRequest(JSON(parsing: Array($0))) }
    }

    static func named(_ id: String) throws -> SignedRequest { try #require(try all().first { $0.id == id }) }

    private init(_ line: JSON) throws {
        id = try #require(line["id"]?.string)
        method = try #require(line["method"]?.string)
        target = try #require(line["target"]?.string)
        fields = try #require(line["headers"]?.array).map { pair in
            let parts = (pair.array ?? []).compactMap(\.string)
            try #require(parts.count == 2)
            // As Accepting hands values on.
            return HeaderField(parts[0], String(trimming: parts[1]))
        }
        body = try #require(line["body_b64"]?.string.flatMap { Base64.decode($0.utf8) })
        canonicalRequest = line["canonical_request"]?.string
        stringToSign = try #require(line["string_to_sign"]?.string)
    }

    var head: RequestHead { RequestHead(method: method, target: target, fields: fields) }

    /// Who this request is from, `skew` seconds after it was signed.
    func caller(
        _ keys: inout KeyRing, skew: Int64 = 0, now: Instant = signed
    ) throws(IdentificationError) -> Caller {
        let wall = Self.signed.advanced(by: .seconds(skew))
        return try identify(head, at: anyListener, keys: &keys, now: now, wall: wall).caller(
            sending: body, content: body, chunks: nil)
    }

    /// The same with the value of the field `name` changed by `change`; nil where there is none.
    func changing(_ name: String, _ change: (String) -> String) -> SignedRequest {
        var changed = self
        changed.fields = fields.map { $0.name == name ? HeaderField(name, change($0.value)) : $0 }
        return changed
    }

    func adding(_ name: String, _ value: String) -> SignedRequest {
        var changed = self
        changed.fields.append(HeaderField(name, value))
        return changed
    }

    func removing(_ name: String) -> SignedRequest {
        var changed = self
        changed.fields.removeAll { $0.name == name }
        return changed
    }

    func targeting(_ change: (String) -> String) -> SignedRequest {
        var changed = self
        changed.target = change(target)
        return changed
    }
}

let anyListener: ListenerBinding = {
    guard let agent = try? AgentName(parsing: "local") else { preconditionFailure("no such agent") }
    return ListenerBinding(agent: agent, session: SessionID(random: 7))
}()

extension String {
    /// `text` without the blanks and tabs at its ends.
    init(trimming text: String) {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        self = String(text.drop(while: isBlank).reversed().drop(while: isBlank).reversed())
    }

    /// The text with the byte at `place` in place of what was there.
    func with(_ byte: UInt8, at place: Int) -> String {
        var bytes = Array(utf8)
        bytes[place] = byte
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The credential that `head` carries, read anew.
func presented(_ head: RequestHead) throws(IdentificationError) -> PresentedCredential {
    var known = KnownAuthorizations()
    return try PresentedCredential(head, CredentialFields(head), known: &known)
}
