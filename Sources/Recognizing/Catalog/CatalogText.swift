/// A string of the catalog, in place: codes of one byte, each for a symbol of 1 to 15 characters.
///
/// Any symbol is a row of the file's table: its characters, and in the last byte how many they are.
/// scripts/catalog.d/spelling.py makes the table. Strings are compared without being spelled out.
struct CatalogText: @unchecked Sendable {
    static let symbolCount = 256
    /// The size of a symbol's row.
    static let symbolSize = 16
    /// Where in the row its count of characters stands.
    static let sizeOffset = 15

    // INVARIANT: both point into the catalog's constant bytes, as `CatalogFile.start` does.
    let symbols: UnsafeRawPointer
    let codes: UnsafeRawPointer
    /// How many bytes it has, spelled out.
    let count: Int

    var string: String {
        withUnsafeTemporaryAllocation(byteCount: count + Self.symbolSize, alignment: 1) { buffer in
            // INVARIANT: a row is written at a place before `count`, so it ends in the buffer.
            var (at, code) = (0, codes)
            while at < count {
                let row = symbols + Self.symbolSize * Int(code.load(as: UInt8.self))
                // The whole row in two moves; the next one covers what is no character of this.
                buffer.storeBytes(of: row.loadUnaligned(as: UInt64.self), toByteOffset: at, as: UInt64.self)
                buffer.storeBytes(
                    of: row.loadUnaligned(fromByteOffset: 8, as: UInt64.self), toByteOffset: at + 8,
                    as: UInt64.self)
                at += Int(row.load(fromByteOffset: Self.sizeOffset, as: UInt8.self))
                code += 1
            }
            return String(decoding: buffer[..<count], as: UTF8.self)
        }
    }

    /// Whether it is exactly `other`.
    func equals(_ other: some StringProtocol) -> Bool {
        count == other.utf8.count && compared(with: other) { equals($0) { $0 == $1 } }
    }

    /// Whether it is `other` but for the case of ASCII letters.
    func equalsIgnoringCase(_ other: some StringProtocol) -> Bool {
        count == other.utf8.count && compared(with: other) { equals($0) { $0.lowercased == $1.lowercased } }
    }

    /// Negative, zero or positive as `other` comes after, is equal or comes before, by bytes.
    func order(against other: some StringProtocol) -> Int {
        compared(with: other) { other in
            var order = 0
            eachByte { byte, at in
                guard at < other.count else {
                    order = 1
                    return false
                }
                order = Int(byte) - Int(other[at])
                return order == 0
            }
            return order == 0 && count < other.count ? -1 : order
        }
    }

    private func compared<Outcome>(
        with other: some StringProtocol, _ compare: (UnsafeBufferPointer<UInt8>) -> Outcome
    ) -> Outcome {
        other.utf8.withContiguousStorageIfAvailable(compare)
            ?? Array(other.utf8).withUnsafeBufferPointer(compare)
    }

    /// INVARIANT: `other` has `count` bytes; both callers compare the counts first.
    @inline(__always)
    private func equals(
        _ other: UnsafeBufferPointer<UInt8>, _ isSame: (UInt8, UInt8) -> Bool
    ) -> Bool {
        var isEqual = true
        eachByte { byte, at in
            isEqual = isSame(byte, other[at])
            return isEqual
        }
        return isEqual
    }

    /// Calls `visit` with each byte and its place, until it returns false.
    ///
    /// INVARIANT: no symbol is empty, which opening the file makes sure of, so this ends; and it never gives
    /// more than `count` bytes.
    @inline(__always)
    private func eachByte(_ visit: (UInt8, _ at: Int) -> Bool) {
        var (at, code) = (0, codes)
        while at < count {
            let row = symbols + Self.symbolSize * Int(code.load(as: UInt8.self))
            let end = min(at + Int(row.load(fromByteOffset: Self.sizeOffset, as: UInt8.self)), count)
            var byte = row
            while at < end {
                guard visit(byte.load(as: UInt8.self), at) else { return }
                at += 1
                byte += 1
            }
            code += 1
        }
    }
}
