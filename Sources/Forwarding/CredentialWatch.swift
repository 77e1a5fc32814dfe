import CCurl

/// Looks for the words by which AWS names keys in a reply that streams past (THREATS.md section 8).
///
/// A reply that is compressed or encrypted says nothing to it: a flag for operators, not a lock.
struct CredentialWatch {
    /// `SecretAccessKey` and `SessionToken`, in either case of their first letter.
    private static let words = ["ecretAccessKey", "essionToken"]
    /// One byte less than the longest word: what a word may have in the piece before.
    private static let carriedByteCount = 13

    private(set) var hasSeenAny = false
    /// The end of what has passed.
    private var carried: [UInt8] = []

    /// Takes the next piece of the body.
    mutating func look(at piece: UnsafeRawBufferPointer) {
        guard !hasSeenAny, !piece.isEmpty else { return }
        let seam = carried + piece.prefix(Self.carriedByteCount)
        hasSeenAny = seam.withUnsafeBytes(Self.holdsWord) || Self.holdsWord(piece)
        carried = Array((carried + piece.suffix(Self.carriedByteCount)).suffix(Self.carriedByteCount))
    }

    private static func holdsWord(_ bytes: UnsafeRawBufferPointer) -> Bool {
        words.contains { cs_holds(bytes.baseAddress, bytes.count, $0) != 0 }
    }
}
