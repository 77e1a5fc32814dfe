import COpenSSL
import Vocabulary

/// A checksum that S3 knows by an `x-amz-checksum-` field, of those that are computed here.
///
/// - SeeAlso: Amazon S3 User Guide, "Checking object integrity for data uploads".
package enum Checksum: String, Hashable, Sendable, CaseIterable {
    case crc32
    /// Castagnoli (RFC 3720).
    case crc32c
    /// The one of the NVM Express base specification.
    case crc64nvme
    case md5
    case sha1
    case sha256
    case sha512

    /// How many bytes it has.
    package var byteCount: Int {
        switch self {
        case .crc32, .crc32c: 4
        case .crc64nvme: 8
        case .md5: 16
        case .sha1: 20
        case .sha256: 32
        case .sha512: 64
        }
    }

    /// The checksum of `bytes`, most significant byte first, as S3 writes it.
    ///
    /// Nil only where OpenSSL has no such hash: one that runs by the rules of FIPS 140 has no MD5.
    package func of(_ bytes: [UInt8]) -> [UInt8]? {
        switch self {
        case .crc32: return bigEndian(CyclicCode.crc32.checksum(of: bytes))
        case .crc32c: return bigEndian(CyclicCode.crc32c.checksum(of: bytes))
        case .crc64nvme: return bigEndian(CyclicCode.crc64nvme.checksum(of: bytes))
        case .sha256: return Hashing.sha256(bytes).bytes
        case .md5, .sha1, .sha512: return digest(bytes)
        }
    }

    private func bigEndian(_ code: UInt64) -> [UInt8] {
        (0..<byteCount).reversed().map { UInt8(truncatingIfNeeded: code >> UInt64(8 * $0)) }
    }

    private func digest(_ bytes: [UInt8]) -> [UInt8]? {
        var count = 0
        var isMade = false
        let made = [UInt8](unsafeUninitializedCapacity: Int(EVP_MAX_MD_SIZE)) { buffer, filled in
            isMade =
                bytes.withUnsafeBytes {
                    EVP_Q_digest(nil, rawValue, nil, $0.baseAddress, $0.count, buffer.baseAddress, &count)
                } == 1
            filled = isMade ? count : 0
        }
        return isMade ? made : nil
    }
}

/// A cyclic code that begins and ends with all bits turned over and takes the lowest bit first, of at most 64
/// bits.
private struct CyclicCode: Sendable {
    static let crc32 = CyclicCode(polynomial: 0xEDB8_8320, ones: 0xFFFF_FFFF)
    static let crc32c = CyclicCode(polynomial: 0x82F6_3B78, ones: 0xFFFF_FFFF)
    static let crc64nvme = CyclicCode(polynomial: 0x9A6C_9329_AC4B_C9B5, ones: .max)

    /// A one for each bit that the code has.
    private let ones: UInt64
    /// At `256 * n + byte`: what `byte` does to the code `n` bytes later.
    private let table: [UInt64]

    /// - Parameter polynomial: Its bits in reverse, without the highest.
    init(polynomial: UInt64, ones: UInt64) {
        self.ones = ones
        var table = (0..<256).map { byte in
            (0..<8).reduce(UInt64(byte)) { code, _ in code >> 1 ^ (code & 1 == 0 ? 0 : polynomial) }
        }
        for place in 256..<2_048 {
            let before = table[place - 256]
            table.append(before >> 8 ^ table[Int(before & 0xFF)])
        }
        self.table = table
    }

    func checksum(of bytes: [UInt8]) -> UInt64 {
        table.withUnsafeBufferPointer { table in
            bytes.withUnsafeBytes { bytes in
                var code = ones
                var place = 0
                // Eight bytes a step: an upload of the largest size is summed up in milliseconds.
                while bytes.count - place >= 8 {
                    var word = UInt64(
                        littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
                    word ^= code
                    code = 0
                    for step in 0..<8 {
                        code ^= table[256 * (7 - step) + Int(word >> UInt64(8 * step) & 0xFF)]
                    }
                    place += 8
                }
                while place < bytes.count {
                    code = code >> 8 ^ table[Int(code & 0xFF ^ UInt64(bytes[place]))]
                    place += 1
                }
                return code ^ ones
            }
        }
    }
}
