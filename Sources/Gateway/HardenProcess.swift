import Glibc
import Hashing

/// The process could not be made to keep its memory to itself.
package struct HardeningError: Error, Sendable, Hashable {}

/// Does what must hold before any secret is read: memory not dumpable, no core files, files made by it for
/// its user alone, no file of TLS keys, and no death by a peer that closes its connection.
///
/// - Throws: ``HardeningError`` when the kernel refuses; the gate must not serve then.
package func hardenProcess() throws(HardeningError) {
    guard hideMemory() else { throw HardeningError() }
    umask(0o077)
    // libcurl would write the keys of its connections there, for whoever wants to read along.
    unsetenv("SSLKEYLOGFILE")
    signal(SIGPIPE, SIG_IGN)
}
