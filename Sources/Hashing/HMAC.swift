import COpenSSL
import Synchronization
import Vocabulary

/// The HMAC-SHA-256 of `message` under `key` (RFC 2104): 32 bytes.
///
/// Safe on every thread. A key that signs often is better kept in a ``KeyedHMAC``.
package func hmacSHA256(key: Secret, _ message: some Collection<UInt8>) -> [UInt8] {
    let context = macContexts.take()
    defer { macContexts.give(context) }
    setKey(key, of: context)
    return withContiguousBytes(of: message) { buffer in
        [UInt8](unsafeUninitializedCapacity: 32) { mac, count in
            count = authenticate(buffer, with: context, into: UnsafeMutableRawBufferPointer(mac))
        }
    }
}

/// The HMAC-SHA-1 of `message` under `key`, which must not be empty: 20 bytes.
///
/// Only signature version 2 asks for it; as a MAC it is still sound.
package func hmacSHA1(key: Secret, _ message: [UInt8]) -> [UInt8] {
    var mac = [UInt8](repeating: 0, count: 20)
    let made = key.withBytes { key in
        HMAC(EVP_sha1(), key, Int32(clamping: key.count), message, message.count, &mac, nil)
    }
    // INVARIANT: OpenSSL's default provider has SHA-1, and keys are far below 2 GiB.
    precondition(made != nil, "HMAC-SHA-1 could not be made")
    return mac
}

/// One key's HMAC-SHA-256, for many messages: the key's own two blocks are hashed once.
///
/// Safe on every thread; one message at a time.
package final class KeyedHMAC: Sendable {
    private let context: Mutex<ContextPool.Context>

    /// An HMAC under `key`, of any length, also empty.
    package init(key: Secret) {
        // INVARIANT: making a context fails only when out of memory.
        guard let pointer = cs_hmac_sha256_new(algorithms.hmac) else {
            preconditionFailure("OpenSSL gave no context")
        }
        let context = ContextPool.Context(pointer: pointer)
        setKey(key, of: context)
        self.context = Mutex(context)
    }

    deinit { context.withLock { EVP_MAC_CTX_free($0.pointer) } }

    /// The HMAC of `message`: as for any collection, and compiled for bytes.
    package func authenticate(_ message: [UInt8]) -> [UInt8] {
        message.withUnsafeBytes { buffer in
            [UInt8](unsafeUninitializedCapacity: 32) { mac, count in
                count = authenticate(buffer, into: UnsafeMutableRawBufferPointer(mac))
            }
        }
    }

    /// The HMAC of `message`: 32 bytes.
    package func authenticate(_ message: some Collection<UInt8>) -> [UInt8] {
        withContiguousBytes(of: message) { buffer in
            [UInt8](unsafeUninitializedCapacity: 32) { mac, count in
                count = authenticate(buffer, into: UnsafeMutableRawBufferPointer(mac))
            }
        }
    }

    /// Writes the 32 bytes of the HMAC of `message` to `mac`; returns 32.
    package func authenticate(
        _ message: UnsafeRawBufferPointer, into mac: UnsafeMutableRawBufferPointer
    ) -> Int {
        context.withLock { context in
            // INVARIANT: restarting with the key that is set allocates nothing that can fail.
            precondition(EVP_MAC_init(context.pointer, nil, 0, nil) == 1, "HMAC could not be restarted")
            return Hashing.authenticate(message, with: context, into: mac)
        }
    }
}

private func setKey(_ key: Secret, of context: ContextPool.Context) {
    let set = key.withBytes { bytes in
        bytes.withUnsafeBufferPointer { buffer in
            // A null key means "the key before": an empty one needs an address too.
            var none: UInt8 = 0
            guard let address = buffer.baseAddress, !buffer.isEmpty else {
                return EVP_MAC_init(context.pointer, &none, 0, nil)
            }
            return EVP_MAC_init(context.pointer, address, buffer.count, nil)
        }
    }
    // INVARIANT: HMAC takes keys of every length; setting one fails only when out of memory.
    precondition(set == 1, "HMAC refused a key")
}

private func authenticate(
    _ message: UnsafeRawBufferPointer, with context: ContextPool.Context,
    into mac: UnsafeMutableRawBufferPointer
) -> Int {
    // INVARIANT: callers hand in room for a whole HMAC.
    precondition(mac.count >= 32, "no room for an HMAC")
    var none: UInt8 = 0
    let updated = withUnsafePointer(to: &none) { end in
        let address = message.baseAddress?.assumingMemoryBound(to: UInt8.self) ?? end
        return EVP_MAC_update(context.pointer, address, message.count)
    }
    var count = 0
    let address = mac.baseAddress?.assumingMemoryBound(to: UInt8.self)
    let ended = EVP_MAC_final(context.pointer, address, &count, mac.count)
    // INVARIANT: a keyed context takes any bytes and gives 32.
    precondition(updated == 1 && ended == 1 && count == 32, "HMAC could not be ended")
    return 32
}

private let macContexts = ContextPool(
    make: { cs_hmac_sha256_new(algorithms.hmac) }, free: { EVP_MAC_CTX_free($0) })
