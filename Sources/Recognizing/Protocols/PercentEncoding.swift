import Vocabulary

/// `text` with each `%XX` decoded exactly once; nil for a bad escape or for bytes that are not UTF-8.
func percentDecoded(_ text: some StringProtocol, plusIsBlank: Bool = false) -> String? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count)
    var rest = text.utf8.makeIterator()
    while let byte = rest.next() {
        switch byte {
        case 0x25:
            guard let high = rest.next(), let low = rest.next(),
                let value = [UInt8](lowercaseHex: [high.lowercased, low.lowercased])
            else { return nil }
            bytes += value
        case 0x2B where plusIsBlank: bytes.append(0x20)
        default: bytes.append(byte)
        }
    }
    return String(validating: bytes, as: UTF8.self)
}

/// `text` with every byte but `A-Z a-z 0-9 - . _ ~` written as `%XX`, upper case: SigV4's UriEncode. `/`
/// stays when `keepsSlash`.
func percentEncoded(_ text: String, keepsSlash: Bool = false) -> String {
    var out: [UInt8] = []
    out.reserveCapacity(text.utf8.count + 16)
    let digits = Array("0123456789ABCDEF".utf8)
    for byte in text.utf8 {
        if byte.isAlphanumeric || byte == 0x2D || byte == 0x2E || byte == 0x5F || byte == 0x7E
            || (keepsSlash && byte == 0x2F)
        {
            out.append(byte)
        } else {
            out += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
    return String(decoding: out, as: UTF8.self)
}

/// One name of a query or form, decoded once; `value` is nil when there was no `=`.
struct QueryItem: Hashable {
    let name: String
    let value: String?
}

/// The items of a query or form: split at `&`, then at the first `=`, each side decoded once, `+` a blank.
/// Empty items are refused.
///
/// - Throws: ``RecognitionError/malformed(part:why:)`` for bad escapes, `;`, and empty names.
func queryItems(_ text: some StringProtocol, part: String) throws(RecognitionError) -> [QueryItem] {
    guard !text.isEmpty else { return [] }
    var items: [QueryItem] = []
    for piece in text.split(separator: "&", omittingEmptySubsequences: false) {
        let sides = piece.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard !piece.utf8.contains(0x3B) else {
            throw .malformed(part: part, why: "`;` separates nothing; write it %3B")
        }
        guard let name = percentDecoded(sides[0], plusIsBlank: true), !name.isEmpty else {
            throw .malformed(part: part, why: "an item has no name or a bad percent escape")
        }
        var value: String?
        if sides.count == 2 {
            guard let decoded = percentDecoded(sides[1], plusIsBlank: true) else {
                throw .malformed(part: part, why: "`\(shown(name))` has a bad percent escape")
            }
            value = decoded
        }
        items.append(QueryItem(name: name, value: value))
    }
    return items
}

extension String {
    /// The text without the case of its letters: those of ASCII and the few others that fold into them, such
    /// as the Kelvin sign and the long s.
    var caseFolded: String {
        utf8.allSatisfy { $0 < 0x80 } ? asciiLowercased : uppercased().lowercased()
    }

    /// Whether both are the same bytes: Swift's `==` holds canonically equivalent texts equal, AWS does not.
    func isSame(as other: some StringProtocol) -> Bool { utf8.elementsEqual(other.utf8) }
}
