import Vocabulary

/// `path` with every byte but `A-Z a-z 0-9 - . _ ~ /` as one escape in capitals, whatever spelling it came
/// in; nil for a bad escape.
///
/// Some clients sign this form and send another of the same meaning.
package func strictlyEncodedPath(_ path: String) -> String? {
    var out: [UInt8] = []
    guard appendStrictly(path.utf8, keepsSlash: true, plusIsBlank: false, to: &out) else { return nil }
    return String(decoding: out, as: UTF8.self)
}

/// `query` with names and values spelled as in ``strictlyEncodedPath(_:)``, but `/` is an escape too and `+`
/// is a blank; nil for a bad escape.
package func strictlyEncodedQuery(_ query: String) -> String? {
    var out: [UInt8] = []
    for piece in query.utf8.split(separator: 0x26, omittingEmptySubsequences: false) {
        if !out.isEmpty { out.append(0x26) }
        let mark = piece.firstIndex(of: 0x3D) ?? piece.endIndex
        guard appendStrictly(piece[..<mark], keepsSlash: false, plusIsBlank: true, to: &out) else {
            return nil
        }
        out.append(0x3D)
        guard appendStrictly(piece[mark...].dropFirst(), keepsSlash: false, plusIsBlank: true, to: &out)
        else { return nil }
    }
    return String(decoding: out, as: UTF8.self)
}

/// Whether every escape in `text` was one.
private func appendStrictly(
    _ text: some Sequence<UInt8>, keepsSlash: Bool, plusIsBlank: Bool, to out: inout [UInt8]
) -> Bool {
    var rest = text.makeIterator()
    while var byte = rest.next() {
        if byte == 0x25 {
            guard let high = rest.next()?.hexValue, let low = rest.next()?.hexValue else { return false }
            byte = high << 4 | low
        } else if byte == 0x2B, plusIsBlank {
            byte = 0x20
        }
        let isPlain =
            byte.isAlphanumeric || byte == 0x2D || byte == 0x2E || byte == 0x5F || byte == 0x7E
            || (keepsSlash && byte == 0x2F)
        if isPlain { out.append(byte) } else { appendPercentEncoded(byte, to: &out) }
    }
    return true
}

extension UInt8 {
    /// The value of a hexadecimal digit in either case; nil for any other byte.
    fileprivate var hexValue: UInt8? {
        switch self {
        case 0x30...0x39: self - 0x30
        case 0x41...0x46: self - 0x41 + 10
        case 0x61...0x66: self - 0x61 + 10
        default: nil
        }
    }
}
