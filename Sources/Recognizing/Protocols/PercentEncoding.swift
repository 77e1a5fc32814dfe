import Vocabulary

/// `text` with each `%XX` decoded exactly once; nil for a bad escape or for bytes that are not UTF-8.
func percentDecoded(_ text: some Sequence<UInt8>, plusIsBlank: Bool = false) -> String? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.underestimatedCount)
    var rest = text.makeIterator()
    while let byte = rest.next() {
        switch byte {
        case 0x25:
            guard let high = rest.next()?.hexValue, let low = rest.next()?.hexValue else { return nil }
            bytes.append(high << 4 | low)
        case 0x2B where plusIsBlank: bytes.append(0x20)
        default: bytes.append(byte)
        }
    }
    return String(validating: bytes, as: UTF8.self)
}

extension UInt8 {
    /// The value of a hexadecimal digit in either case; nil for any other byte.
    var hexValue: UInt8? {
        switch self {
        case 0x30...0x39: self - 0x30
        case 0x41...0x46: self - 0x41 + 10
        case 0x61...0x66: self - 0x61 + 10
        default: nil
        }
    }
}

/// `text` with every byte but `A-Z a-z 0-9 - . _ ~` written as `%XX`, upper case: SigV4's UriEncode. `/`
/// stays when `keepsSlash`.
func percentEncoded(_ text: String, keepsSlash: Bool = false) -> String {
    func isPlain(_ byte: UInt8) -> Bool {
        byte.isAlphanumeric || byte == 0x2D || byte == 0x2E || byte == 0x5F || byte == 0x7E
            || (keepsSlash && byte == 0x2F)
    }
    func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x41 - 10 + value }
    if text.utf8.allSatisfy(isPlain) { return text }
    var out: [UInt8] = []
    out.reserveCapacity(text.utf8.count + 16)
    for byte in text.utf8 {
        if isPlain(byte) {
            out.append(byte)
        } else {
            out.append(0x25)
            out.append(digit(byte >> 4))
            out.append(digit(byte & 15))
        }
    }
    return String(decoding: out, as: UTF8.self)
}

/// One name of a query or form, decoded once; `value` is nil when there was no `=`.
struct QueryItem: Hashable {
    let name: String
    let value: String?
}

/// The same of a text.
func percentDecoded(_ text: some StringProtocol, plusIsBlank: Bool = false) -> String? {
    percentDecoded(text.utf8, plusIsBlank: plusIsBlank)
}

/// The items of a query or form: split at `&`, then at the first `=`, each side decoded once, `+` a blank.
/// Empty items are refused.
///
/// - Throws: ``RecognitionError/malformed(part:why:)`` for bad escapes, `;`, and empty names.
func queryItems(_ text: ArraySlice<UInt8>, part: String) throws(RecognitionError) -> [QueryItem] {
    guard !text.isEmpty else { return [] }
    var items: [QueryItem] = []
    var start = text.startIndex
    while true {
        let end = text[start...].firstIndex(of: 0x26) ?? text.endIndex
        let piece = text[start..<end]
        guard !piece.contains(0x3B) else {
            throw .malformed(part: part, why: "`;` separates nothing; write it %3B")
        }
        let equals = piece.firstIndex(of: 0x3D)
        guard let name = decoded(piece[..<(equals ?? end)]), !name.isEmpty else {
            throw .malformed(part: part, why: "an item has no name or a bad percent escape")
        }
        var value: String?
        if let equals {
            guard let decoded = decoded(piece[(equals + 1)...]) else {
                throw .malformed(part: part, why: "`\(shown(name))` has a bad percent escape")
            }
            value = decoded
        }
        items.append(QueryItem(name: name, value: value))
        if end == text.endIndex { return items }
        start = end + 1
    }
}

/// The same of a text.
func queryItems(_ text: some StringProtocol, part: String) throws(RecognitionError) -> [QueryItem] {
    try queryItems(Array(text.utf8)[...], part: part)
}

/// One side of an item.
private func decoded(_ side: ArraySlice<UInt8>) -> String? {
    side.withUnsafeBufferPointer { bytes in
        // Most hold no escape and only ASCII, of which there is nothing to validate.
        bytes.allSatisfy { $0 < 0x80 && $0 != 0x25 && $0 != 0x2B }
            ? String(decoding: bytes, as: UTF8.self) : percentDecoded(bytes, plusIsBlank: true)
    }
}

extension String {
    /// The text without the case of its letters: those of ASCII and the few others that fold into them, such
    /// as the Kelvin sign and the long s.
    var caseFolded: String {
        utf8.allSatisfy { $0 < 0x80 } ? asciiLowercased : uppercased().lowercased()
    }

    /// Whether both are the same bytes: Swift's `==` holds canonically equivalent texts equal, AWS does not.
    func isSame(as other: String) -> Bool { hasBytes(of: other) }

    /// The same for a part of a text.
    func isSame(as other: Substring) -> Bool { utf8.elementsEqual(other.utf8) }
}
