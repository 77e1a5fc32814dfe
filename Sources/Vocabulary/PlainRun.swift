/// How many bytes from the front of `bytes` stand for themselves in a JSON text: printable ASCII but for the
/// quote and the backslash.
///
/// Looks at eight bytes at once: a body may be one long text.
func plainRun(_ bytes: UnsafeRawBufferPointer) -> Int {
    var at = 0
    while at + 8 <= bytes.count {
        let word = bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)
        guard isPlain(word) else { break }
        at += 8
    }
    while at < bytes.count {
        let byte = bytes[at]
        guard byte >= 0x20, byte < 0x7F, byte != 0x22, byte != 0x5C else { break }
        at += 1
    }
    return at
}

/// Whether all eight bytes of `word` are plain.
///
/// A byte's high bit stays clear only if the byte is ASCII, at least 0x20, not 0x7F, and neither of the two
/// marks. What one byte borrows from the next can only set more bits.
private func isPlain(_ word: UInt64) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let quotes = word ^ (ones &* 0x22)
    let backslashes = word ^ (ones &* 0x5C)
    let deletes = word ^ (ones &* 0x7F)
    let low = word &- (ones &* 0x20)
    let marked = word | low | (quotes &- ones) | (backslashes &- ones) | (deletes &- ones)
    return marked & (ones &* 0x80) == 0
}
