import Hashing
import SigV4
import Testing
import Vocabulary

/// The documented examples of Amazon S3: 66,560 bytes `a` in chunks of 64 KiB and 1 KiB.
@Suite("Chunk signatures") struct ChunkSignatureTests {
    private let scope = SigningScope(day: "20130524", region: "us-east-1", service: "s3")
    private let body = [UInt8](repeating: 0x61, count: 66_560)
    private let plainSeed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    private let plain = [
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ]
    private let trailingSeed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
    private let trailing = [
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ]
    private let trailer = ChunkSignatures.Trailer(
        signed: Array("x-amz-checksum-crc32c:sOO8/Q==\n".utf8),
        signature: Array("d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435".utf8))

    private func chain(_ seed: String) -> ChunkChain {
        let secret = Secret(Array("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".utf8))
        return ChunkChain(
            seed: Array(seed.utf8), key: KeyedHMAC(key: signingKey(of: secret, in: scope)),
            timestamp: "20130524T000000Z", scope: scope)
    }

    private func signatures(
        _ digits: [String], counts: [Int] = [65_536, 1_024, 0], trailer: ChunkSignatures.Trailer? = nil
    ) -> ChunkSignatures {
        var signatures = ChunkSignatures()
        for (count, text) in zip(counts, digits) { signatures.append(byteCount: count, signature: text.utf8) }
        signatures.trailer = trailer
        return signatures
    }

    @Test func `Amazon's examples verify, with trailers and without`() {
        #expect(verifies(chain(plainSeed), signatures(plain), of: body))
        #expect(verifies(chain(trailingSeed), signatures(trailing, trailer: trailer), of: body))
    }

    @Test func `each link holds: another seed, chunk, order, byte, trailer or trailer's signature does not`()
    {
        #expect(!verifies(chain(trailingSeed), signatures(plain), of: body))
        for place in 0..<3 {
            var changed = plain
            changed[place] = String(changed[place].reversed())
            #expect(!verifies(chain(plainSeed), signatures(changed), of: body))
        }
        #expect(!verifies(chain(plainSeed), signatures([plain[1], plain[0], plain[2]]), of: body))
        for place in [0, 65_535, 65_536, 66_559] {
            var changed = body
            changed[place] ^= 1
            #expect(!verifies(chain(plainSeed), signatures(plain), of: changed))
        }
        let other = ChunkSignatures.Trailer(
            signed: Array("x-amz-checksum-crc32c:sOO8/g==\n".utf8), signature: trailer.signature)
        #expect(!verifies(chain(trailingSeed), signatures(trailing, trailer: other), of: body))
        let forged = ChunkSignatures.Trailer(signed: trailer.signed, signature: Array(trailing[2].utf8))
        #expect(!verifies(chain(trailingSeed), signatures(trailing, trailer: forged), of: body))
    }

    @Test func `a body that was cut at a chunk does not verify, though each chunk that is left does`() {
        let cut = signatures(Array(plain.prefix(2)), counts: [65_536, 1_024])
        #expect(!verifies(chain(plainSeed), cut, of: body))
        #expect(
            !verifies(chain(plainSeed), signatures(Array(plain.prefix(1))), of: Array(body.prefix(65_536))))
        #expect(!verifies(chain(plainSeed), ChunkSignatures(), of: []))
        #expect(!verifies(chain(plainSeed), signatures(plain), of: body + [0x61]))
    }

    @Test func `counts that are not the body's do not verify and read nothing beside it`() {
        for counts in [[65_536, 1_025, 0], [65_536, 1_023, 0], [.max, 1_024, 0], [-1, 1_024, 0]] {
            #expect(!verifies(chain(plainSeed), signatures(plain, counts: counts), of: body))
        }
    }
}
