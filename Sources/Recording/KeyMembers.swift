import Recognizing
import Vocabulary

/// What an entry holds of a call so that policy can judge it again, beside what it means
/// (``meaningMembers(_:pairs:)``).
///
/// `protocol`; `keys`, the condition keys that hold for all of `pairs`: a text or a list of texts, `null` for
/// one whose value is not recorded; `absent_keys`, those that the call is known not to have; `families`,
/// beginnings of names of which `keys` holds all; `pair_keys`, the same for each of `pairs` where they
/// differ; and `keys_cut` when there was no room for all. A secret's value is never recorded.
///
/// `saysUserAgent`: whether the entry has elsewhere what the client calls itself.
package func keyMembers(_ meaning: Meaning, pairs: [Pair], saysUserAgent: Bool = false) -> [JSON.Member] {
    let (ofAll, ofEach) = meaning.recordedKeys(of: pairs, hasUserAgent: !saysUserAgent)
    var members = [JSON.Member("protocol", .string(meaning.wireProtocol.description))]
    if meaning.vendsCredentials { members.append(JSON.Member("vends_credentials", .bool(true))) }
    var writing = KeyWriting()
    members += writing.members(of: ofAll, isOfAll: true)
    if ofEach.contains(where: { !$0.isEmpty }) {
        let each = ofEach.map { JSON.object(writing.members(of: $0, isOfAll: false)) }
        if !writing.isCut { members.append(JSON.Member("pair_keys", .array(each))) }
    }
    if writing.isCut { members.append(JSON.Member("keys_cut", .bool(true))) }
    return members
}

/// Writes condition keys as long as there is room for them.
private struct KeyWriting {
    /// Bytes that the keys of this entry may still take.
    private var room = 6 * 1_024
    /// Whether something was left out for want of room.
    private(set) var isCut = false
    /// Bytes that the JSON of one key's value may take.
    private static let valueByteCountMax = 2 * 1_024

    mutating func members(of recorded: RecordedKeys, isOfAll: Bool) -> [JSON.Member] {
        var keys: [JSON.Member] = []
        keys.reserveCapacity(recorded.keys.count)
        for key in recorded.keys {
            let value = Self.value(of: key)
            if takes(Self.byteCount(key.name) + value.byteCount + 2) {
                keys.append(JSON.Member(key.name, value.json))
            }
        }
        var members: [JSON.Member] = []
        // In every entry, so that a reader knows that keys were recorded.
        if isOfAll || !keys.isEmpty { members.append(JSON.Member("keys", .object(keys))) }
        for (name, texts) in [("absent_keys", recorded.absent), ("families", recorded.families)]
        where !texts.isEmpty && takes(texts.reduce(16) { $0 + Self.byteCount($1) + 1 }) {
            members.append(JSON.Member(name, .strings(texts)))
        }
        return members
    }

    private mutating func takes(_ byteCount: Int) -> Bool {
        guard room >= byteCount else {
            isCut = true
            return false
        }
        room -= byteCount
        return true
    }

    /// The text, or the list of texts; `null` for a secret, and for what takes too much room.
    private static func value(of key: RecordedKeys.Key) -> (json: JSON, byteCount: Int) {
        guard let values = key.values else { return (.null, 4) }
        let isSecret = Redaction.isSecret(ownName(key.name)) && !values.allSatisfy(isTruthValue)
        let byteCount = values.reduce(2) { $0 + Self.byteCount($1) + 1 }
        if isSecret || byteCount > valueByteCountMax { return (.null, 4) }
        return (values.count == 1 ? .string(values[0]) : .strings(values), byteCount)
    }

    /// `password` of `aws:requesttag/password` and of `kms:encryptioncontext:password`.
    private static func ownName(_ name: String) -> Substring.UTF8View {
        let bytes = name.utf8
        guard let mark = bytes.lastIndex(where: { $0 == 0x3A || $0 == 0x2F }) else { return bytes[...] }
        return bytes[bytes.index(after: mark)...]
    }

    /// Yes and no are no secrets.
    private static func isTruthValue(_ text: String) -> Bool {
        text.utf8.elementsEqual("true".utf8) || text.utf8.elementsEqual("false".utf8)
    }

    /// At least as many bytes as `text` takes on a line: what is escaped becomes six.
    private static func byteCount(_ text: String) -> Int {
        let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C }
        return isPlain ? text.utf8.count + 2 : text.utf8.count * 6 + 2
    }
}
