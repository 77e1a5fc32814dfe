/// Base 64 (RFC 4648, section 4): the standard alphabet, padded, one spelling for each byte string.
package enum Base64 {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// `bytes` as padded base 64 without line breaks.
    package static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var (buffer, bits): (UInt32, UInt32) = (0, 0)
        for byte in bytes {
            buffer = buffer << 8 | UInt32(byte)
            bits += 8
            while bits >= 6 {
                bits -= 6
                text.append(alphabet[Int(buffer >> bits & 63)])
            }
            buffer &= (1 << bits) - 1
        }
        if bits > 0 { text.append(alphabet[Int(buffer << (6 - bits) & 63)]) }
        while !text.count.isMultiple(of: 4) { text.append(0x3D) }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes that `text` writes; nil unless ``encode(_:)`` would write them just so: no blanks, all
    /// padding, no stray bits.
    package static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        guard text.count.isMultiple(of: 4) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3)
        var (buffer, bits, padding): (UInt32, UInt32, Int) = (0, 0, 0)
        for character in text {
            if character == 0x3D {
                padding += 1
                continue
            }
            guard padding == 0, let value = value(of: character) else { return nil }
            buffer = buffer << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(buffer >> bits & 255))
            }
            buffer &= (1 << bits) - 1
        }
        // Left over: 0 bits without padding, 2 bits with one `=`, 4 bits with two; all of them zero.
        guard padding <= 2, bits == UInt32(padding) * 2, buffer == 0 else { return nil }
        return bytes
    }

    /// `bytes` in the alphabet for URLs and file names (RFC 4648, section 5), without padding.
    package static func encodeForURL(_ bytes: [UInt8]) -> String {
        var text = Array(encode(bytes).utf8)
        while text.last == 0x3D { text.removeLast() }
        for place in text.indices {
            if text[place] == 0x2B { text[place] = 0x2D }
            if text[place] == 0x2F { text[place] = 0x5F }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes that `text` writes; nil unless ``encodeForURL(_:)`` would write them just so.
    package static func decodeForURL(_ text: some Collection<UInt8>) -> [UInt8]? {
        var plain: [UInt8] = []
        plain.reserveCapacity(text.count + 2)
        for character in text {
            switch character {
            case 0x2D: plain.append(0x2B)
            case 0x5F: plain.append(0x2F)
            case 0x2B, 0x2F, 0x3D: return nil
            default: plain.append(character)
            }
        }
        while !plain.count.isMultiple(of: 4) { plain.append(0x3D) }
        return decode(plain)
    }

    private static func value(of character: UInt8) -> UInt8? {
        switch character {
        case 0x41...0x5A: character - 0x41
        case 0x61...0x7A: character - 0x61 + 26
        case 0x30...0x39: character - 0x30 + 52
        case 0x2B: 62
        case 0x2F: 63
        default: nil
        }
    }
}
