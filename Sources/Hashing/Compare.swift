import COpenSSL

/// Whether `left` and `right` are the same bytes, in a time that depends on their count alone.
///
/// For anything secret: MACs, tokens, nonces. Different counts are unequal at once; the count is not a
/// secret.
package func constantTimeEqual(_ left: some Collection<UInt8>, _ right: some Collection<UInt8>) -> Bool {
    withContiguousBytes(of: left) { left in
        withContiguousBytes(of: right) { right in
            guard left.count == right.count else { return false }
            return left.isEmpty || CRYPTO_memcmp(left.baseAddress, right.baseAddress, left.count) == 0
        }
    }
}

/// `count` bytes that nobody can guess, from OpenSSL's generator.
///
/// Only Gateway calls it: everywhere else randomness comes in as a parameter.
package func randomBytes(_ count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: max(0, count)) { buffer, filled in
        guard count > 0 else { return filled = 0 }
        // INVARIANT: callers ask for sizes of their own, far below 2 GiB; a generator without entropy must
        // stop the program.
        precondition(count <= 1 << 20 && RAND_bytes(buffer.baseAddress, Int32(count)) == 1, "no random bytes")
        filled = count
    }
}
