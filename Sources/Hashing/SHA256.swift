import COpenSSL
import Synchronization
import Vocabulary

/// The SHA-256 of `bytes` (FIPS 180-4).
///
/// Safe on every thread; contiguous storage is read in place, anything else is copied once.
package func sha256(_ bytes: some Collection<UInt8>) -> Digest {
    var hasher = SHA256Hasher()
    hasher.update(bytes)
    return hasher.finish()
}

/// The SHA-256 of `bytes`: as for any collection, and compiled for bytes.
package func sha256(_ bytes: [UInt8]) -> Digest {
    var hasher = SHA256Hasher()
    hasher.update(bytes)
    return hasher.finish()
}

/// The SHA-256 of the UTF-8 of `text`.
package func sha256(_ text: String) -> Digest { sha256(Array(text.utf8)) }

/// A SHA-256 over bytes that come in pieces.
///
/// Owned by one place at a time, as its type demands; its OpenSSL context comes from a pool of the process
/// and goes back to it.
package struct SHA256Hasher: ~Copyable, Sendable {
    private let context: ContextPool.Context

    /// A hasher that has seen no bytes.
    package init() {
        context = digestContexts.take()
        let started = EVP_DigestInit_ex2(context.pointer, algorithms.sha256, nil)
        // INVARIANT: OpenSSL fails here only when out of memory; the algorithm was fetched when the process
        // first hashed.
        precondition(started == 1, "SHA-256 could not be started")
    }

    deinit { digestContexts.give(context) }

    /// Appends `bytes` to what is hashed.
    package mutating func update(_ bytes: some Collection<UInt8>) {
        withContiguousBytes(of: bytes) { update($0) }
    }

    /// Appends `bytes` to what is hashed: as for any collection, and compiled for bytes.
    package mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { update($0) }
    }

    /// Appends the bytes of `buffer` to what is hashed.
    package mutating func update(_ buffer: UnsafeRawBufferPointer) {
        let updated = EVP_DigestUpdate(context.pointer, buffer.baseAddress, buffer.count)
        // INVARIANT: a started SHA-256 context takes any bytes up to 2^61 of them.
        precondition(updated == 1, "SHA-256 refused bytes")
    }

    /// The digest of all bytes so far, and the hasher as new.
    package mutating func finish() -> Digest {
        let bytes = [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            count = finish(into: UnsafeMutableRawBufferPointer(buffer))
        }
        // INVARIANT: ``finish(into:)`` gives 32 bytes; a digest of another size cannot be made.
        guard let digest = Digest(bytes: bytes) else {
            preconditionFailure("SHA-256 gave \(bytes.count) bytes")
        }
        return digest
    }

    /// Writes the 32 bytes of the digest to `buffer` and makes the hasher as new; returns 32.
    package mutating func finish(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        // INVARIANT: callers hand in room for a whole digest.
        precondition(buffer.count >= 32, "no room for a SHA-256")
        var count: UInt32 = 0
        let address = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
        let ended = EVP_DigestFinal_ex(context.pointer, address, &count)
        let restarted = EVP_DigestInit_ex2(context.pointer, nil, nil)
        // INVARIANT: ending and restarting a started context allocates nothing that can fail.
        precondition(ended == 1 && restarted == 1 && count == 32, "SHA-256 could not be ended")
        return 32
    }
}

/// Hands `body` the bytes of `collection` in one piece, copied only when they do not already lie so.
func withContiguousBytes<Result>(
    of collection: some Collection<UInt8>, _ body: (UnsafeRawBufferPointer) -> Result
) -> Result {
    let inPlace = collection.withContiguousStorageIfAvailable { body(UnsafeRawBufferPointer($0)) }
    return inPlace ?? Array(collection).withUnsafeBytes(body)
}

// MARK: - OpenSSL

/// What OpenSSL looks up by name: fetched once a process, since each implicit fetch costs as much as hashing
/// 200 bytes.
struct Algorithms: @unchecked Sendable {
    // INVARIANT: the pointers are fetched before anything can read them, never freed, and read-only in
    // OpenSSL's contract.
    let sha256: OpaquePointer
    let hmac: OpaquePointer
    let hkdf: OpaquePointer
}

let algorithms: Algorithms = {
    // INVARIANT: every OpenSSL 3 with its default provider has them; one without cannot run this program.
    guard let sha256 = EVP_MD_fetch(nil, "SHA256", nil), let hmac = EVP_MAC_fetch(nil, "HMAC", nil),
        let hkdf = EVP_KDF_fetch(nil, "HKDF", nil)
    else { preconditionFailure("OpenSSL has no SHA-256, no HMAC or no HKDF") }
    return Algorithms(sha256: sha256, hmac: hmac, hkdf: hkdf)
}()

/// OpenSSL contexts that nobody uses at the moment. Making one costs more than hashing a small request.
final class ContextPool: Sendable {
    /// A context that exactly one owner uses between ``take()`` and ``give(_:)``.
    struct Context: @unchecked Sendable {
        let pointer: OpaquePointer
    }

    /// As many are kept as threads hash at once; more are freed.
    static let keptCountMax = 64

    private let idle = Mutex<[Context]>([])
    private let make: @Sendable () -> OpaquePointer?
    private let free: @Sendable (OpaquePointer) -> Void

    init(make: @escaping @Sendable () -> OpaquePointer?, free: @escaping @Sendable (OpaquePointer) -> Void) {
        self.make = make
        self.free = free
    }

    func take() -> Context {
        if let context = idle.withLock({ $0.popLast() }) { return context }
        // INVARIANT: making a context fails only when out of memory.
        guard let pointer = make() else { preconditionFailure("OpenSSL gave no context") }
        return Context(pointer: pointer)
    }

    func give(_ context: Context) {
        let kept = idle.withLock { contexts in
            guard contexts.count < Self.keptCountMax else { return false }
            contexts.append(context)
            return true
        }
        if !kept { free(context.pointer) }
    }
}

private let digestContexts = ContextPool(make: { EVP_MD_CTX_new() }, free: { EVP_MD_CTX_free($0) })
