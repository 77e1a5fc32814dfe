import Hashing
import Testing
import Vocabulary

@Suite("Checksums") struct ChecksumTests {
    /// The check values of the catalogue of parametrised CRC algorithms (reveng.sourceforge.io), and of the
    /// standards of the hashes.
    @Test(
        "each has the value that its standard gives for 123456789",
        arguments: [
            (Checksum.crc32, "cbf43926"), (.crc32c, "e3069283"), (.crc64nvme, "ae8b14860a799888"),
            (.md5, "25f9e794323b453885f5181f1b624d0b"), (.sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (.sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
            (
                .sha512,
                "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274a"
                    + "d27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85"
            ),
        ])
    func standard(_ checksum: Checksum, _ expected: String) throws {
        let made = try #require(checksum.of(Array("123456789".utf8)))
        #expect(String(decoding: made.lowercaseHex, as: UTF8.self) == expected)
        #expect(made.count == checksum.byteCount)
    }

    @Test(
        "eight bytes at a time are what one at a time would be",
        arguments: [
            (Checksum.crc32, UInt64(0xEDB8_8320)), (.crc32c, 0x82F6_3B78),
            (.crc64nvme, 0x9A6C_9329_AC4B_C9B5),
        ])
    func steps(_ checksum: Checksum, _ polynomial: UInt64) throws {
        let all = (0..<100).map { UInt8(truncatingIfNeeded: $0 * $0 * 31 + 7) }
        let ones: UInt64 = checksum == .crc64nvme ? .max : 0xFFFF_FFFF
        for count in 0...all.count {
            var code = ones
            for byte in all.prefix(count) {
                code ^= UInt64(byte)
                for _ in 0..<8 { code = code >> 1 ^ (code & 1 == 0 ? 0 : polynomial) }
            }
            code ^= ones
            let made = try #require(checksum.of(Array(all.prefix(count))))
            #expect(made.reduce(UInt64(0)) { $0 << 8 | UInt64($1) } == code, "\(count) bytes")
        }
    }
}
