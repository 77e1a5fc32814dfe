import Glibc
import Vocabulary

/// An IP address, or a block of them: `203.0.113.0/24`, `2001:db8::/32`.
struct AddressBlock: Hashable, Sendable {
    /// 4 or 16.
    private let bytes: [UInt8]
    private let prefixLength: Int

    /// The block that `text` writes; without `/` the one address. Bits past the prefix do not count.
    init?(parsing text: String) {
        let halves = text.utf8.split(separator: 0x2F, maxSplits: 1, omittingEmptySubsequences: false)
        guard let bytes = Self.address(String(halves[0]) ?? "") else { return nil }
        self.bytes = bytes
        guard halves.count == 2 else {
            prefixLength = bytes.count * 8
            return
        }
        guard let length = wholeNumber(String(halves[1]) ?? "", in: 0...(bytes.count * 8)) else { return nil }
        prefixLength = length
    }

    /// Whether `text` is an address of the block; nil when it is no address.
    func contains(_ text: String) -> Bool? {
        guard let other = Self.address(text) else { return nil }
        guard other.count == bytes.count else { return false }
        return (0..<prefixLength).allSatisfy { bit in
            (bytes[bit / 8] ^ other[bit / 8]) & (0x80 >> UInt8(bit % 8)) == 0
        }
    }

    /// The first address of the block and the one past its last: among the edges of several blocks is one
    /// address for each way to be in some and not in others.
    var edges: [String] {
        let first = bytes.enumerated().map { index, byte in
            let kept = min(8, max(0, prefixLength - index * 8))
            return kept == 0 ? 0 : byte & ~UInt8(truncatingIfNeeded: 0xFF >> kept)
        }
        var past = first
        var bit = prefixLength - 1
        // Counting up by the block's size: ones become zeros until a zero becomes one.
        while bit >= 0 {
            let mask: UInt8 = 0x80 >> UInt8(bit % 8)
            past[bit / 8] ^= mask
            if past[bit / 8] & mask != 0 { break }
            bit -= 1
        }
        return [first, past].map(Self.text)
    }

    private static func text(_ bytes: [UInt8]) -> String {
        guard bytes.count == 16 else { return bytes.map { String($0) }.joined(separator: ".") }
        return stride(from: 0, to: 16, by: 2).map {
            String(Int(bytes[$0]) << 8 | Int(bytes[$0 + 1]), radix: 16)
        }
        .joined(separator: ":")
    }

    /// The 4 or 16 bytes of an address in its standard text form; nil for any other text.
    private static func address(_ text: String) -> [UInt8]? {
        guard !text.utf8.contains(0) else { return nil }
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: count)
            if inet_pton(family, text, &bytes) == 1 { return bytes }
        }
        return nil
    }
}
