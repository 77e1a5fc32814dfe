import Glibc
import Synchronization

/// A server of raw bytes on loopback or on a unix socket: each connection is played by a script, on a thread
/// of its own.
final class RawServer: @unchecked Sendable {
    // INVARIANT: `listener` and `port` are set once in init; all else is locked.

    /// One request as it came.
    struct Request: Hashable, Sendable {
        let connection: Int
        let head: String
        let body: [UInt8]

        var line: String { head.split(separator: "\r\n").first.map(String.init) ?? "" }
        /// The values of the field `name`.
        func values(_ name: String) -> [String] {
            head.split(separator: "\r\n").dropFirst().compactMap { line in
                let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2, parts[0].lowercased() == name else { return nil }
                return String(parts[1].drop { $0 == " " })
            }
        }
    }

    struct Connection {
        let number: Int
        fileprivate let socket: Int32
        fileprivate let server: RawServer

        /// The next head; nil when the client closed.
        func readHead() -> String? {
            var bytes: [UInt8] = []
            let end = Array("\r\n\r\n".utf8)
            while !bytes.suffix(4).elementsEqual(end) {
                guard let byte = readSome(1)?.first else { return nil }
                bytes.append(byte)
            }
            return String(decoding: bytes, as: UTF8.self)
        }

        /// The next request, noted; nil when the client closed.
        func read() -> Request? {
            guard let head = readHead() else { return nil }
            let length = Request(connection: number, head: head, body: []).values("content-length").first
            var body: [UInt8] = []
            var left = length.flatMap { Int($0) } ?? 0
            while left > 0 {
                guard let some = readSome(min(left, 65_536)) else { return nil }
                body += some
                left -= some.count
            }
            let request = Request(connection: number, head: head, body: body)
            server.seen.withLock { $0.append(request) }
            return request
        }

        private func readSome(_ count: Int) -> [UInt8]? {
            var buffer = [UInt8](repeating: 0, count: count)
            let got = recv(socket, &buffer, count, 0)
            return got > 0 ? Array(buffer[..<got]) : nil
        }

        /// Writes all of `bytes`; false when the client closed.
        @discardableResult
        func write(_ bytes: [UInt8]) -> Bool {
            var start = 0
            while start < bytes.count {
                let sent = bytes[start...].withUnsafeBytes {
                    send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard sent > 0 else { return false }
                start += sent
                server.written.withLock { $0 += sent }
            }
            return true
        }

        @discardableResult
        func write(_ text: String) -> Bool { write(Array(text.utf8)) }

        /// Waits until the client closes.
        func drain() { while readSome(4_096) != nil {} }
    }

    let port: UInt16
    let written = Mutex(0)
    let seen = Mutex<[Request]>([])
    private let accepted = Mutex(0)
    private let listener: Int32
    private let script: @Sendable (Connection) -> Void

    var authority: String { "127.0.0.1:\(port)" }
    var requests: [Request] { seen.withLock { $0 } }
    /// How many connections it has accepted.
    var connectionCount: Int { accepted.withLock { $0 } }

    init(_ script: @escaping @Sendable (Connection) -> Void) {
        self.script = script
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                precondition(
                    bind(listener, address, size) == 0 && listen(listener, 64) == 0, "no test server")
                getsockname(listener, address, &size)
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        start()
    }

    /// A server on the unix socket at `path`.
    init(path: String, _ script: @escaping @Sendable (Connection) -> Void) {
        self.script = script
        port = 0
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let listener = listener
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                let size = socklen_t(MemoryLayout<sockaddr_un>.size)
                precondition(
                    bind(listener, address, size) == 0 && listen(listener, 64) == 0, "no test server")
            }
        }
        start()
    }

    deinit { close(listener) }

    /// Accepts no more connections.
    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    private func start() {
        onThread { [listener, weak self] in
            var number = 0
            while true {
                let socket = accept(listener, nil, nil)
                guard socket >= 0, let server = self else { return }
                number += 1
                server.accepted.withLock { $0 += 1 }
                let connection = Connection(number: number, socket: socket, server: server)
                onThread {
                    server.script(connection)
                    close(socket)
                }
            }
        }
    }
}

/// Runs `work` on a thread of its own, so that no test's thread is held by a blocking socket.
func onThread(_ work: @escaping @Sendable () -> Void) {
    final class Work {
        let work: @Sendable () -> Void; init(_ work: @escaping @Sendable () -> Void) { self.work = work }
    }
    var thread = pthread_t()
    let context = Unmanaged.passRetained(Work(work)).toOpaque()
    pthread_create(
        &thread, nil,
        { context in
            guard let context else { return nil }
            Unmanaged<Work>.fromOpaque(context).takeRetainedValue().work()
            return nil
        }, context)
    pthread_detach(thread)
}

/// Waits until `condition` holds, at most ten seconds; whether it did.
func eventually(_ condition: () -> Bool) async -> Bool {
    for _ in 0..<2_000 {
        if condition() { return true }
        try? await Task.sleep(for: .milliseconds(5))
    }
    return condition()
}
