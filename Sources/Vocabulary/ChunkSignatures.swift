/// What a body that came in signed chunks says of itself: a signature for each chunk, one for its trailers.
///
/// It proves nothing until Identifying has verified it. The chunks' bytes follow each other without a gap in
/// the body out of its framing.
package struct ChunkSignatures: Hashable, Sendable {
    /// The trailers as they were signed, and their signature.
    package struct Trailer: Hashable, Sendable {
        /// `name:value` and a line feed for each, in the order of the body.
        package let signed: [UInt8]
        /// 64 lower-case hexadecimal digits.
        package let signature: [UInt8]

        package init(signed: [UInt8], signature: [UInt8]) {
            self.signed = signed
            self.signature = signature
        }
    }

    /// How many bytes each chunk has; the last one has none.
    package private(set) var byteCounts: [Int] = []
    /// The signatures of the chunks one after the other, 64 lower-case hexadecimal digits each.
    package private(set) var digits: [UInt8] = []
    /// Nil for a body whose mode has no trailers.
    package var trailer: Trailer?

    package init() {}

    /// Adds a chunk of `byteCount` bytes with its `signature` of 64 digits.
    package mutating func append(byteCount: Int, signature: some Collection<UInt8>) {
        byteCounts.append(byteCount)
        digits.append(contentsOf: signature)
    }
}
