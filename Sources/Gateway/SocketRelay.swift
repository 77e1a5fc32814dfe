import Glibc
import Synchronization

/// Carries connections between a unix socket and a TCP port of loopback: the one way out of a sandbox.
///
/// It looks at nothing and changes nothing. Threads of its own do the work, with all signals blocked; it runs
/// until the process ends.
package final class SocketRelay: Sendable {
    /// One end.
    package enum Place: Hashable, Sendable {
        case unix(path: String)
        /// 127.0.0.1.
        case loopback(port: UInt16)
    }

    /// Connections at once; further ones are closed.
    static let connectionCountMax = 256

    private let target: Place
    private let openCount = Atomic(0)

    /// Listens at `place` and carries what comes to `target`.
    ///
    /// - Throws: ``ConfigurationError`` when `place` cannot be listened at, or no thread can be started.
    package init(at place: Place, to target: Place) throws(ConfigurationError) {
        self.target = target
        let listener = place.socket { descriptor, address, size in
            Glibc.bind(descriptor, address, size) == 0 && listen(descriptor, 128) == 0
        }
        guard let listener else {
            throw ConfigurationError("\(place): cannot listen: \(String(cString: strerror(errno)))")
        }
        let isStarted = runDetached { [self] in
            blockAllSignals()
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else {
                    usleep(10_000)
                    continue
                }
                carry(client)
            }
        }
        guard isStarted else { throw ConfigurationError("no thread could be started") }
    }

    private func carry(_ client: Int32) {
        guard openCount.load(ordering: .relaxed) < Self.connectionCountMax,
            let server = target.socket({ connect($0, $1, $2) == 0 })
        else {
            close(client)
            return
        }
        openCount.add(1, ordering: .relaxed)
        let pair = Pair(client, server) { [self] in openCount.subtract(1, ordering: .relaxed) }
        for (from, to) in [(client, server), (server, client)] where !runDetached({ pair.copy(from, to) }) {
            pair.copy(from, to)
        }
    }

    /// Both ends of a connection; closed when both ways are done.
    private final class Pair: Sendable {
        private let ends: (Int32, Int32)
        private let doneCount = Atomic(0)
        private let whenClosed: @Sendable () -> Void

        init(_ one: Int32, _ other: Int32, whenClosed: @escaping @Sendable () -> Void) {
            ends = (one, other)
            self.whenClosed = whenClosed
        }

        /// Copies until there is no more, then ends that way.
        func copy(_ from: Int32, _ to: Int32) {
            blockAllSignals()
            var buffer = [UInt8](repeating: 0, count: 65_536)
            copying: while true {
                let count = recv(from, &buffer, buffer.count, 0)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { break }
                var sent = 0
                while sent < count {
                    let taken = buffer.withUnsafeBytes { bytes in
                        send(
                            to, bytes.baseAddress?.advanced(by: sent), count - sent,
                            Int32(MSG_NOSIGNAL))
                    }
                    guard taken > 0 else { break copying }
                    sent += taken
                }
            }
            shutdown(to, Int32(SHUT_WR))
            guard doneCount.add(1, ordering: .relaxed).newValue == 2 else { return }
            close(ends.0)
            close(ends.1)
            whenClosed()
        }
    }
}

extension SocketRelay.Place {
    /// A socket of its kind for which `use` succeeds with its address; nil when it does not.
    fileprivate func socket(_ use: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Bool) -> Int32? {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor: Int32
        let isUsed: Bool
        switch self {
        case .unix(let path):
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            let room = MemoryLayout.size(ofValue: address.sun_path)
            guard path.utf8.count < room else {
                errno = ENAMETOOLONG
                return nil
            }
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            descriptor = Glibc.socket(AF_UNIX, type, 0)
            isUsed = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    use(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
        case .loopback(let port):
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            descriptor = Glibc.socket(AF_INET, type, 0)
            isUsed = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    use(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        guard descriptor >= 0, isUsed else {
            let reason = errno
            if descriptor >= 0 { close(descriptor) }
            errno = reason
            return nil
        }
        return descriptor
    }
}

/// In a thread of our own: signals are for the one that waits for them.
private func blockAllSignals() {
    var all = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_BLOCK, &all, nil)
}
