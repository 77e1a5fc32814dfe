import Hashing
import Vocabulary

/// `parameters` as they may be recorded and shown: without the values of secrets, and not longer than an
/// entry can hold.
///
/// The value of a member with a secret's name becomes `{"redacted":n}`, its length in bytes: no hash, since a
/// short secret can be guessed from one. A long text becomes its beginning, length and SHA-256. If the whole
/// still takes more than ``Redaction/byteCountMax`` bytes, it becomes its length and SHA-256.
package func redacted(_ parameters: JSON) -> JSON {
    let value = Redaction.redact(parameters, depth: 1)
    let line = value.line
    guard line.count > Redaction.byteCountMax else { return value }
    return .object([.count("omitted_bytes", line.count), .digest("digest", sha256(line))])
}

/// What counts as a secret, and how much of the rest is kept.
package enum Redaction {
    /// The most bytes that the parameters of one call take in an entry.
    package static let byteCountMax = 48 * 1_024
    /// The most bytes of one text that are kept.
    static let textByteCountMax = 4_096
    /// The deepest level that is kept: an entry nests them, and must itself be read back.
    static let depthMax = 48

    /// Names, in lower case, whose values are secrets wherever they stand.
    private static let secretNames: Set<[UInt8]> = Set(
        [
            "secretstring", "secretbinary", "plaintext", "clientsecret", "secret", "secretkey",
            "secretaccesskey",
            "sessiontoken", "authtoken", "accesstoken", "refreshtoken", "idtoken", "oauthtoken",
            "bearertoken",
            "privatekey", "privatekeyplaintext", "certificateprivatekey", "keymaterial",
            "encryptedkeymaterial",
            "ciphertextblob", "apikey", "apikeyvalue", "xapikey", "credentials", "sharedsecret",
            "presharedkey",
            "webidentitytoken",
            "samlassertion", "tokencode", "authenticationcode1", "authenticationcode2", "authparameters",
            "passphrase",
            "passcode", "pin", "otp", "securestring",
        ].map { Array($0.utf8) })
    /// Endings and beginnings of such names.
    private static let secretMarks = [
        "password", "passwd", "privatekey", "secretkey", "clientsecret", "authtoken",
    ].map { Array($0.utf8) }
    /// Maps whose every value is taken for a secret: a function's environment.
    private static let secretMaps: Set<String> = [
        "environment", "environmentvariables", "secureenvironmentvariables",
    ]

    /// Whether a value under this name, in any case, is a secret. By bytes: it is asked of every condition
    /// key of every call.
    static func isSecret(_ name: String) -> Bool { isSecret(name.utf8) }

    static func isSecret(_ name: some Sequence<UInt8>) -> Bool {
        var lower: [UInt8] = []
        lower.reserveCapacity(32)
        for byte in name where byte != 0x2D && byte != 0x5F { lower.append(byte.lowercased) }
        return secretNames.contains(lower)
            || secretMarks.contains { mark in
                lower.starts(with: mark) || lower.suffix(mark.count).elementsEqual(mark)
            }
    }

    static func redact(_ value: JSON, depth: Int) -> JSON {
        guard depth <= depthMax else {
            return .object([.count("omitted_bytes", value.line.count)])
        }
        switch value {
        case .null, .bool, .number: return value
        case .string(let text):
            guard text.utf8.count > textByteCountMax else { return value }
            return .object([
                .text("begins", text, byteCountMax: 256), .count("bytes", text.utf8.count),
                .digest("digest", sha256(text)),
            ])
        case .array(let elements): return .array(elements.map { redact($0, depth: depth + 1) })
        case .object(let members): return object(members, depth: depth)
        }
    }

    private static func object(_ members: [JSON.Member], depth: Int) -> JSON {
        // SSM's PutParameter says in a neighbor that its value is a secret; an overwrite may leave that out.
        let type = members.first { $0.name.asciiLowercased == "type" }?.value.string?.asciiLowercased
        let isOverwrite = members.contains { $0.name.asciiLowercased == "overwrite" }
        let isSecure = type == "securestring" || (type == nil && isOverwrite)
        // A name twice would make the entry unreadable; the first one is kept, as a reader would see it.
        var names: Set<[UInt8]> = []
        return .object(
            members.compactMap { member in
                guard names.insert(Array(member.name.utf8)).inserted else { return nil }
                let name = member.name.asciiLowercased
                let isHidden = isSecret(member.name) || (isSecure && name == "value")
                if isHidden { return JSON.Member(member.name, hidden(member.value)) }
                if secretMaps.contains(name) || name.hasPrefix("environmentvariables") {
                    return JSON.Member(
                        member.name, valuesHidden(member.value, depth: depth + 1, isInList: false))
                }
                return JSON.Member(member.name, redact(member.value, depth: depth + 1))
            })
    }

    /// Only the length, of a text in bytes, else of its JSON. Yes and no are no secrets.
    private static func hidden(_ value: JSON) -> JSON {
        if value == .null || value.bool != nil { return value }
        return .object([.count("redacted", value.string?.utf8.count ?? value.line.count)])
    }

    /// Every text below, whatever its name, but the names in a list of `{name, value}`.
    private static func valuesHidden(_ value: JSON, depth: Int, isInList: Bool) -> JSON {
        guard depth <= depthMax else { return .object([.count("omitted_bytes", value.line.count)]) }
        switch value {
        case .null, .bool: return value
        case .number, .string: return hidden(value)
        case .array(let elements):
            return .array(elements.map { valuesHidden($0, depth: depth + 1, isInList: true) })
        case .object(let members):
            var names: Set<[UInt8]> = []
            return .object(
                members.compactMap { member in
                    guard names.insert(Array(member.name.utf8)).inserted else { return nil }
                    let isName = isInList && ["name", "key", "type"].contains(member.name.asciiLowercased)
                    return JSON.Member(
                        member.name,
                        isName
                            ? redact(member.value, depth: depth + 1)
                            : valuesHidden(member.value, depth: depth + 1, isInList: false))
                })
        }
    }
}

/// Bytes that the members of one entry may take together: what a line has, less its head, time and type.
private let membersByteCountMax = 64_000
/// Bytes that each list of pairs keeps when it must be shortened.
private let shortPairsByteCountMax = 12 * 1_024

/// `members`, shortened until they fit on a line: `what.parameters` first, then `what.pairs` and `pairs`.
func fitted(_ members: [JSON.Member]) -> [JSON.Member] {
    func fits(_ members: [JSON.Member]) -> Bool { JSON.object(members).line.count <= membersByteCountMax }
    if fits(members) { return members }
    var shorter = members.map { member in
        member.name == "what" ? JSON.Member("what", withoutParameters(member.value)) : member
    }
    if fits(shorter) { return shorter }
    shorter = shorter.map { member in
        member.name == "what"
            ? JSON.Member("what", .object(withShortPairs(member.value.members ?? []))) : member
    }
    return withShortPairs(shorter)
}

private func withoutParameters(_ what: JSON) -> JSON {
    .object(
        (what.members ?? []).map { member in
            guard member.name == "parameters" else { return member }
            let line = member.value.line
            return JSON.Member(
                "parameters", .object([.count("omitted_bytes", line.count), .digest("digest", sha256(line))]))
        })
}

private func withShortPairs(_ members: [JSON.Member]) -> [JSON.Member] {
    members.flatMap { member -> [JSON.Member] in
        guard member.name == "pairs", let pairs = member.value.array else { return [member] }
        let (kept, isWhole) = listed(pairs, byteCountMax: shortPairsByteCountMax)
        let list = JSON.Member("pairs", .array(kept))
        return isWhole
            ? [list]
            : [
                list, .count("pair_count", pairs.count),
                .digest("pairs_digest", sha256(JSON.array(pairs).line)),
            ]
    }
}
