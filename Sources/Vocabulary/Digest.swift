/// A SHA-256 value, written `sha256:` and 64 lower-case hexadecimal digits.
package struct Digest: Hashable, Sendable, CustomStringConvertible {
    /// Exactly 32 bytes.
    package let bytes: [UInt8]

    /// The digest held in `bytes`; nil unless there are exactly 32.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        self.bytes = bytes
    }

    /// The digest written in `text` as ``description`` writes it; nil for any other spelling.
    package init?(parsing text: String) {
        guard text.hasPrefix("sha256:"), let bytes = [UInt8](lowercaseHex: text.utf8.dropFirst(7)) else {
            return nil
        }
        self.init(bytes: bytes)
    }

    /// The 64 hexadecimal digits alone.
    package var hex: String { String(decoding: bytes.lowercaseHex, as: UTF8.self) }

    package var description: String {
        // Each entry of the log holds several: one buffer, no text in between.
        String(unsafeUninitializedCapacity: 71) { buffer in
            var at = buffer.update(fromContentsOf: Array("sha256:".utf8))
            for byte in bytes {
                buffer[at] = hexDigit(byte >> 4)
                buffer[at + 1] = hexDigit(byte & 15)
                at += 2
            }
            return at
        }
    }
}

extension Sequence where Element == UInt8 {
    /// The bytes as lower-case hexadecimal digits, two a byte.
    package var lowercaseHex: [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(underestimatedCount * 2)
        for byte in self {
            text.append(hexDigit(byte >> 4))
            text.append(hexDigit(byte & 15))
        }
        return text
    }
}

private func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }

extension Array where Element == UInt8 {
    /// The bytes as lower-case hexadecimal digits, two a byte. The same as for any sequence; other rooms get
    /// this one compiled for bytes, where the general one costs more than the hash that it writes.
    package var lowercaseHex: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count * 2) { text, filled in
            // INVARIANT: two digits a byte, and room for as many.
            for (index, byte) in enumerated() {
                text[2 * index] = hexDigit(byte >> 4)
                text[2 * index + 1] = hexDigit(byte & 15)
            }
            filled = count * 2
        }
    }

    /// The bytes that `text` writes in lower-case hexadecimal; nil for an odd count or any other character.
    package init?(lowercaseHex text: some Collection<UInt8>) {
        guard text.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 2)
        var high: UInt8?
        for character in text {
            let value: UInt8
            switch character {
            case 0x30...0x39: value = character - 0x30
            case 0x61...0x66: value = character - 0x61 + 10
            default: return nil
            }
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        self = bytes
    }
}
