import Vocabulary

/// What an issued session token says, before its MAC.
///
/// Binary, fields in one order, lengths before texts: one spelling for each identity. A text of no bytes is
/// none.
struct SessionToken: Hashable {
    static let version: UInt8 = 1
    /// The longest text of a token: base 64 of all bounds of ``IssuedIdentity`` together, and its MAC.
    static let textByteCountMax = 4_096

    let id: IssuedKeyID
    let identity: IssuedIdentity

    init(id: IssuedKeyID, identity: IssuedIdentity) {
        self.id = id
        self.identity = identity
    }

    var bytes: [UInt8] {
        var out: [UInt8] = [Self.version]
        out += id.bytes
        for moment in [identity.issued, identity.expires] {
            withUnsafeBytes(of: moment.wholeSeconds.bigEndian) { out += $0 }
        }
        let texts = [
            identity.agent.text, identity.session.text, identity.task, identity.reason, identity.owner,
            identity.account, identity.role,
        ]
        for text in texts {
            let bytes = (text ?? "").utf8
            // INVARIANT: every text of an identity is bounded far below 64 KiB.
            out += [UInt8(bytes.count >> 8), UInt8(bytes.count & 255)]
            out += bytes
        }
        return out
    }

    /// The token that `bytes` write; nil for any that ``bytes`` would not write just so.
    init?(_ bytes: [UInt8]) {
        var rest = bytes[...]
        guard rest.popFirst() == Self.version, rest.count >= 26 else { return nil }
        let head = rest.prefix(10)
        rest = rest.dropFirst(10)
        func moment(_ at: Int) -> Instant? {
            let seconds = rest.dropFirst(at).prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return seconds <= 9_000_000_000 ? Instant(secondsSinceEpoch: Int64(seconds)) : nil
        }
        guard let issued = moment(0), let expires = moment(8) else { return nil }
        rest = rest.dropFirst(16)
        var texts: [String] = []
        while !rest.isEmpty {
            guard rest.count >= 2 else { return nil }
            let count = Int(rest[rest.startIndex]) << 8 | Int(rest[rest.startIndex + 1])
            rest = rest.dropFirst(2)
            guard rest.count >= count, let text = String(validating: rest.prefix(count), as: UTF8.self) else {
                return nil
            }
            texts.append(text)
            rest = rest.dropFirst(count)
        }
        guard texts.count == 7 else { return nil }
        func optional(_ text: String) -> String? { text.isEmpty ? nil : text }
        do throws(NameError) {
            identity = try IssuedIdentity(
                agent: try AgentName(parsing: texts[0]), session: try SessionID(parsing: texts[1]),
                task: optional(texts[2]), reason: optional(texts[3]), owner: optional(texts[4]),
                account: optional(texts[5]), role: optional(texts[6]), issued: issued, expires: expires)
        } catch { return nil }
        id = IssuedKeyID(bytes: Array(head))
        guard self.bytes == bytes else { return nil }
    }
}
