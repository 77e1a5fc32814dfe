import Hashing
import SigV4
import Vocabulary

/// Who a request says it is from, as far as its head can prove it.
///
/// Only ``caller(sending:content:chunks:)`` gives the caller, once the body is there: a signature covers
/// both.
package struct Identification: Sendable {
    /// What is still to be shown.
    private enum Proof: Sendable {
        /// Nothing.
        case complete
        /// That there is no body.
        case emptyBody
        /// That the body's SHA-256 is the signed one, in 64 hexadecimal digits.
        case hash([UInt8])
        /// The signature, which covers a hash that only the body tells.
        case signature(PresentedSignature, KeyedHMAC)
        /// The signatures of the body's chunks, which go on from that of the head.
        case chunks(ChunkChain)
    }

    private let claimed: Caller
    private let proof: Proof

    /// The caller of a request that its listener vouches for.
    init(_ caller: Caller) {
        claimed = caller
        proof = .complete
    }

    /// The caller that the head alone proves, for records of a request that is refused before its body is
    /// there; nil when it proves none yet.
    package var provenByHead: Caller? {
        switch proof {
        case .complete, .emptyBody, .hash, .chunks: claimed
        case .signature: nil
        }
    }

    /// The caller, if what came is what they signed.
    ///
    /// - Parameters:
    ///   - body: As it came.
    ///   - content: The same out of its aws-chunked framing; `body` itself where it has none.
    ///   - chunks: The signatures that came in that framing.
    /// - Throws: ``IdentificationError/wrongBody``, ``IdentificationError/wrongSignature``.
    package func caller(
        sending body: [UInt8], content: [UInt8], chunks: ChunkSignatures?
    ) throws(IdentificationError) -> Caller {
        switch proof {
        case .complete: break
        case .emptyBody: guard body.isEmpty else { throw .wrongBody }
        case .hash(let hash):
            guard constantTimeEqual(sha256(body).bytes.lowercaseHex, hash) else { throw .wrongBody }
        case .signature(let signature, let key):
            guard signature.verifies(key, payloadHash: sha256(body).bytes.lowercaseHex) else {
                throw .wrongSignature
            }
        case .chunks(let chain):
            guard let chunks, verifies(chain, chunks, of: content) else { throw .wrongBody }
        }
        return claimed
    }
}

// MARK: - Issued keys

extension Identification {
    /// What `signature` proves of `head`.
    init(
        _ signature: PresentedSignature, _ head: RequestHead, keys: inout KeyRing, now: Instant, wall: Instant
    ) throws(IdentificationError) {
        let caller = try keys.caller(of: signature.id, token: signature.token, at: now)
        try signature.checkTime(wall)
        let key = try keys.signingKey(of: signature.id, in: signature.scope)
        let payloadHash: [UInt8]
        switch signature.payload {
        case .inferred:
            payloadHash = []
            proof = .signature(signature, key)
        case .stated(let hash):
            payloadHash = hash
            proof = .hash(hash)
        case .unsigned:
            payloadHash = Array("UNSIGNED-PAYLOAD".utf8)
            // Which calls of other services may come so, Recognizing knows from their models; it asks for
            // these two.
            let mayHaveBody = signsAsS3(signature.scope.service) || ["PUT", "POST"].contains(head.method)
            proof = mayHaveBody ? .complete : .emptyBody
        case .unsignedChunks:
            payloadHash = Array("STREAMING-UNSIGNED-PAYLOAD-TRAILER".utf8)
            proof = .complete
        case .signedChunks(let form):
            payloadHash = Array(form.utf8)
            proof = .chunks(
                ChunkChain(
                    seed: signature.signature, key: key, timestamp: signature.timestamp,
                    scope: signature.scope))
        }
        let isProven = payloadHash.isEmpty || signature.verifies(key, payloadHash: payloadHash)
        guard isProven else { throw .wrongSignature }
        claimed = caller.signing(head, for: signature.authorization.routes)
    }

    /// What `signature` proves of `head`: all, since version 2 leaves the body out.
    init(
        _ signature: OldSignature, _ head: RequestHead, keys: inout KeyRing, now: Instant, wall: Instant
    ) throws(IdentificationError) {
        let caller = try keys.caller(of: signature.id, token: signature.token, at: now)
        try signature.checkTime(wall)
        guard signature.verifies(try keys.secretKey(of: signature.id)) else { throw .wrongSignature }
        claimed = caller.signing(head, for: nil)
        proof = .complete
    }
}

extension Caller {
    /// The caller of the call with `head`, signed for `scope`, with what the head claims where the token is
    /// silent.
    fileprivate func signing(_ head: RequestHead, for scope: CredentialScope?) -> Caller {
        var claims = Claims()
        (claims.task, claims.reason) = (task, reason)
        claims.complete(from: head)
        return Caller(
            agent: agent, session: session, strength: strength, task: claims.task, reason: claims.reason,
            scope: scope, issued: issued)
    }
}
