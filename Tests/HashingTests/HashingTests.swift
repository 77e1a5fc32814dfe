import Testing
import Vocabulary

@testable import Hashing

@Suite("Hashing") struct HashingTests {
    @Test func `the digests of FIPS 180 come out`() {
        #expect(sha256("").hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(sha256("abc").hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        let million = [UInt8](repeating: 0x61, count: 1_000_000)
        #expect(sha256(million).hex == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    @Test func `bytes in pieces hash as bytes in one, and a finished hasher starts anew`() {
        var hasher = SHA256Hasher()
        hasher.update([0x61])
        hasher.update([])
        hasher.update(AnyCollection([0x62, 0x63] as [UInt8]))
        #expect(hasher.finish() == sha256("abc"))
        #expect(hasher.finish() == sha256(""))
    }

    @Test func `a hasher thrown away half way leaves nothing to the next`() {
        for _ in 0..<4 {
            var hasher = SHA256Hasher()
            hasher.update([1, 2, 3])
        }
        #expect(sha256("abc").hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test func `the MACs of RFC 4231 come out`() {
        let first = hmacSHA256(key: Secret([UInt8](repeating: 0x0B, count: 20)), "Hi There".utf8)
        #expect(text(first) == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
        let second = hmacSHA256(key: Secret(Array("Jefe".utf8)), "what do ya want for nothing?".utf8)
        #expect(text(second) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        let long = KeyedHMAC(key: Secret([UInt8](repeating: 0xAA, count: 131)))
        for _ in 0..<2 {
            let mac = long.authenticate("Test Using Larger Than Block-Size Key - Hash Key First".utf8)
            #expect(text(mac) == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
        }
    }

    @Test func `the key of RFC 5869's third case comes out`() {
        let key = Secret([UInt8](repeating: 0x0B, count: 22))
        let derived = hkdfSHA256(key: key, info: [], count: 42).withBytes { text($0) }
        #expect(
            derived == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")
        let other = hkdfSHA256(key: key, info: [0], count: 42).withBytes { text($0) }
        #expect(other != derived)
    }

    @Test func `an empty key is a key and not the one before it`() {
        let other = hmacSHA256(key: Secret([1, 2, 3]), "abc".utf8)
        let empty = hmacSHA256(key: Secret([]), [])
        #expect(text(empty) == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
        #expect(KeyedHMAC(key: Secret([])).authenticate([]) == empty)
        #expect(other != hmacSHA256(key: Secret([]), "abc".utf8))
    }

    @Test func `many threads with one key get its MACs`() async {
        let keyed = KeyedHMAC(key: Secret(Array("Jefe".utf8)))
        let right = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<8 {
                group.addTask {
                    (0..<500).allSatisfy { step in
                        let message = Array("\(number) \(step)".utf8)
                        let once = hmacSHA256(key: Secret(Array("Jefe".utf8)), message)
                        return keyed.authenticate(message) == once && sha256(message) == sha256(message)
                    }
                }
            }
            return await group.allSatisfy { $0 }
        }
        #expect(right)
    }

    @Test func `equal bytes are equal, a changed byte or count is not`() {
        let mac = Array(0..<32) as [UInt8]
        var changed = mac
        changed[31] ^= 1
        #expect(constantTimeEqual(mac, mac))
        #expect(!constantTimeEqual(mac, changed))
        #expect(!constantTimeEqual(mac, mac.dropLast()))
        #expect(constantTimeEqual([], []))
    }

    @Test func `random bytes differ and have the count asked for`() {
        #expect(randomBytes(16) != randomBytes(16))
        #expect(randomBytes(33).count == 33)
        #expect(randomBytes(0).isEmpty)
        #expect(randomBytes(-1).isEmpty)
    }
}

private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes.lowercaseHex, as: UTF8.self) }
