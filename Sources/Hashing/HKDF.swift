import COpenSSL
import Vocabulary

/// `count` bytes derived from `key` for the purpose `info` by HKDF with SHA-256 and no salt (RFC 5869).
///
/// For keys that are random already: the salt would only strengthen weak ones. `count` is 1 to 8,160.
package func hkdfSHA256(key: Secret, info: [UInt8], count: Int) -> Secret {
    // INVARIANT: callers name sizes of their own, within what RFC 5869 can give.
    precondition((1...255 * 32).contains(count), "no such count of HKDF")
    var out = [UInt8](repeating: 0, count: count)
    let derived = key.withBytes { key in
        cs_hkdf_sha256(algorithms.hkdf, key, key.count, info, info.count, &out, count)
    }
    // INVARIANT: any key and info within an array's size will do; deriving fails only when out of memory.
    precondition(derived == 1, "HKDF gave no key")
    return Secret(out)
}
