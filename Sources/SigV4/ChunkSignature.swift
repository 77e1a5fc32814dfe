import Hashing
import Vocabulary

/// The signatures of a body in chunks, each of which signs the one before: the first that of the head, the
/// last that of the trailers.
///
/// - SeeAlso: Amazon S3 API Reference, "Signature calculations for the authorization header: transferring
///   payload in multiple chunks" and "…: including trailing headers".
package struct ChunkChain: Sendable {
    private let key: KeyedHMAC
    /// What every string to sign of the body has between its first line and the signature before.
    private let place: [UInt8]
    private var previous: [UInt8]

    /// A chain that begins with `seed`, the signature of the head in 64 lower-case hexadecimal digits, under
    /// the `key` of `scope`; `timestamp` is the head's own: `20130524T000000Z`.
    package init(seed: [UInt8], key: KeyedHMAC, timestamp: String, scope: SigningScope) {
        self.key = key
        place = Array("\(timestamp)\n\(scope.text)\n".utf8)
        previous = seed
    }

    /// The signature of the next chunk, whose bytes are `chunk`: 64 lower-case hexadecimal digits.
    package mutating func sign(chunk: UnsafeRawBufferPointer) -> [UInt8] {
        var hasher = SHA256Hasher()
        hasher.update(chunk)
        return link("AWS4-HMAC-SHA256-PAYLOAD\n", hashes: [emptyHash, hasher.finish().bytes.lowercaseHex])
    }

    /// The signature of the trailers that follow the last chunk, written `name:value` and a line feed each.
    package mutating func sign(trailer: [UInt8]) -> [UInt8] {
        link("AWS4-HMAC-SHA256-TRAILER\n", hashes: [sha256(trailer).bytes.lowercaseHex])
    }

    private mutating func link(_ algorithm: String, hashes: [[UInt8]]) -> [UInt8] {
        var toSign = Array(algorithm.utf8)
        toSign.reserveCapacity(320)
        toSign += place
        toSign += previous
        for hash in hashes {
            toSign.append(0x0A)
            toSign += hash
        }
        previous = key.authenticate(toSign).lowercaseHex
        return previous
    }
}

/// Whether `chain`, begun with the head's signature, gives the signatures that `body` came with.
///
/// `body` is out of its framing. The time depends on its size alone.
package func verifies(_ chain: ChunkChain, _ signatures: ChunkSignatures, of body: [UInt8]) -> Bool {
    var chain = chain
    var made: [UInt8] = []
    made.reserveCapacity(signatures.digits.count)
    let fits = body.withUnsafeBytes { body in
        var place = 0
        for count in signatures.byteCounts {
            guard count >= 0, count <= body.count - place else { return false }
            made += chain.sign(chunk: UnsafeRawBufferPointer(rebasing: body[place..<place + count]))
            place += count
        }
        return place == body.count
    }
    // A body whose last chunk is not the empty one has been cut: what follows is signed by nobody.
    guard fits, signatures.byteCounts.last == 0, constantTimeEqual(made, signatures.digits) else {
        return false
    }
    guard let trailer = signatures.trailer else { return true }
    return constantTimeEqual(chain.sign(trailer: trailer.signed), trailer.signature)
}

private let emptyHash = sha256([]).bytes.lowercaseHex
