import Glibc
import Synchronization
import Testing
import Vocabulary

@testable import Accepting

/// Serves with a closure.
struct TestHandler: ExchangeHandler {
    let body: @Sendable (Exchange) -> Void

    init(_ body: @escaping @Sendable (Exchange) -> Void) { self.body = body }

    func serve(_ exchange: Exchange) { body(exchange) }

    /// Reads the body and sends it back, after the target.
    static let echo = TestHandler { exchange in
        exchange.readBody(limit: 1 << 20) { result in
            switch result {
            case .success(let body):
                exchange.answer(
                    status: 200, fields: [], body: Array(exchange.head.target.utf8) + [0x20] + body)
            case .failure(let fault):
                let reply = Reply(plain: fault)
                exchange.answer(status: reply.status, fields: reply.fields, body: reply.body)
            }
        }
    }
}

/// A loop and a listener for one test.
final class TestDoor {
    let loop = Loop()
    let listener: Listener
    let port: UInt16

    init(_ handler: TestHandler = .echo, limits: Limits = Limits()) throws {
        listener = try Listener.open(
            .loopback(host: "127.0.0.1", port: 0), tag: .control, limits: limits, on: loop, serving: handler)
        guard case .loopback(_, let port) = listener.address else {
            throw TestSocket.Failed(call: "address", reason: 0)
        }
        self.port = port
    }

    /// Whether `count` connections are left, after 5 s at most.
    func waitForConnections(_ count: Int) -> Bool {
        for _ in 0..<500 {
            let found = Awaited<Int>()
            loop.execute { [listener] in found.set(listener.connectionCount) }
            if found.wait() == count { return true }
            usleep(10_000)
        }
        return false
    }

    deinit {
        listener.close()
        loop.stop()
    }
}

/// A value that the loop sets and the test waits for.
final class Awaited<Value: Sendable>: Sendable {
    private let slot = Mutex<Value?>(nil)

    func set(_ value: Value) { slot.withLock { $0 = value } }

    /// The value, once it is there; nil after 5 s without.
    func wait() -> Value? {
        for _ in 0..<500 {
            if let value = slot.withLock({ $0 }) { return value }
            usleep(10_000)
        }
        return nil
    }

    var now: Value? { slot.withLock { $0 } }
}

private let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

/// A folder for one test; what is left in it goes with it.
final class TemporaryFolder {
    let path: String
    var socketPath: String { path + "/s" }

    init() throws {
        var template = Array("/tmp/accepting-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw TestSocket.Failed(call: "mkdtemp", reason: errno) }
        path = String(cString: made)
    }

    deinit {
        unlink(socketPath)
        rmdir(path)
    }
}

private func open(_ address: ListenAddress, on loop: Loop) throws(ListenError) -> Listener {
    try Listener.open(address, tag: .agents, on: loop, serving: TestHandler.echo)
}

@Suite("Listener") struct ListenerTests {
    @Test func `a request over loopback is answered and the connection kept`() throws {
        let door = try TestDoor()
        let client = try TestSocket(port: door.port)
        for _ in 0..<2 {
            client.send("POST /a%20b?c HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
            let answer = client.receive(until: "hello")
            #expect(answer == "HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n/a%20b?c hello")
        }
    }

    @Test(
        "an address that is not loopback, or a name, is refused",
        arguments: [
            "0.0.0.0", "192.168.1.1", "10.0.0.1", "128.0.0.1", "::", "fe80::1", "::ffff:127.0.0.1",
            "localhost", "", "*",
        ])
    func notLoopback(_ host: String) {
        let loop = Loop()
        defer { loop.stop() }
        #expect(throws: ListenError.notLoopback(host)) {
            _ = try open(.loopback(host: host, port: 0), on: loop)
        }
    }

    @Test func `a taken port is refused`() throws {
        let door = try TestDoor()
        #expect(throws: ListenError.inUse("127.0.0.1:\(door.port)")) {
            _ = try open(.loopback(host: "127.0.0.1", port: door.port), on: door.loop)
        }
    }

    @Test func `connections past the limit are told so and closed`() throws {
        var limits = Limits()
        limits.connectionCountMax = 3
        let door = try TestDoor(limits: limits)
        var clients: [TestSocket] = []
        for _ in 0..<3 {
            let client = try TestSocket(port: door.port)
            client.send(get)
            #expect(client.receive(until: "/ ").hasPrefix("HTTP/1.1 200"))
            clients.append(client)
        }
        let fourth = try TestSocket(port: door.port)
        fourth.send(get)
        let answer = fourth.receiveAll()
        #expect(answer?.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n") == true)
        #expect(answer?.contains("connection: close") == true)
        fourth.close()
        clients.removeLast().close()
        #expect(door.waitForConnections(2))
        let fifth = try TestSocket(port: door.port)
        fifth.send(get)
        #expect(fifth.receive(until: "/ ").hasPrefix("HTTP/1.1 200"))
    }

    @Test func `in a flood past the limit 32 are told so and the next is cut without a word`() throws {
        var limits = Limits()
        limits.connectionCountMax = 1
        let door = try TestDoor(limits: limits)
        let clients = try (0..<33).map { _ in try TestSocket(port: door.port) }
        // Those that were told stay until they close, or their time is up.
        for client in clients.dropFirst() {
            #expect(client.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 503"))
        }
        #expect(try TestSocket(port: door.port).receiveAll() == "")
        clients[0].send(get)
        #expect(clients[0].receive(until: "/ ").hasPrefix("HTTP/1.1 200"))
    }

    @Test func `an early refusal reaches a client that is still sending`() throws {
        let door = try TestDoor(
            TestHandler { $0.answer(status: 403, fields: [], body: Array("denied".utf8)) })
        let client = try TestSocket(port: door.port)
        client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 16000000\r\n\r\n")
        // A reset would fail the client's send, and many then never look for an answer.
        for _ in 0..<8 { #expect(client.send([UInt8](repeating: 0, count: 1_000_000))) }
        #expect(client.receiveAll()?.hasSuffix("\r\n\r\ndenied") == true)
    }

    @Test func `a closing connection that its client leaves open is ended`() throws {
        var limits = Limits()
        limits.lingerTime = .milliseconds(100)
        let door = try TestDoor(limits: limits)
        let client = try TestSocket(port: door.port)
        client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        #expect(client.receiveAll()?.hasSuffix("/ ") == true)
        #expect(door.waitForConnections(0))
    }
}

@Suite("Listener: unix sockets") struct UnixSocketTests {
    @Test func `a unix socket has its mode and tells the peer's uid, gid and pid`() throws {
        let folder = try TemporaryFolder()
        let path = folder.socketPath
        let loop = Loop()
        defer { loop.stop() }
        let peer = Awaited<Peer>()
        let tag = Awaited<ListenerTag>()
        let handler = TestHandler { exchange in
            peer.set(exchange.peer)
            tag.set(exchange.tag)
            exchange.answer(status: 200, fields: [], body: [])
        }
        let listener = try Listener.open(
            .socket(path: path, mode: 0o660, group: getgid()), tag: .agents, on: loop, serving: handler)
        var status = stat()
        #expect(lstat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o660)
        let client = try TestSocket(path: path)
        client.send(get)
        #expect(client.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 200"))
        #expect(peer.wait() == .unix(uid: getuid(), gid: getgid(), pid: getpid()))
        #expect(tag.wait() == .agents)
        listener.close()
        #expect(lstat(path, &status) != 0)
    }

    @Test func `a socket that nobody listens on is replaced, one that is listened on is not`() throws {
        let folder = try TemporaryFolder()
        let path = folder.socketPath
        let stale = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(stale, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(bound == 0)
        Glibc.close(stale)
        let loop = Loop()
        defer { loop.stop() }
        let listener = try open(.socket(path: path, mode: 0o600, group: nil), on: loop)
        #expect(throws: ListenError.inUse(path)) {
            _ = try open(.socket(path: path, mode: 0o600, group: nil), on: loop)
        }
        let client = try TestSocket(path: path)
        client.send(get)
        #expect(client.receive(until: "/ ").hasPrefix("HTTP/1.1 200"))
        listener.close()
    }

    @Test func `a file that is no socket is left alone`() throws {
        let folder = try TemporaryFolder()
        let path = folder.socketPath
        Glibc.close(creat(path, 0o600))
        let loop = Loop()
        defer { loop.stop() }
        #expect(throws: ListenError.notASocket(path: path)) {
            _ = try open(.socket(path: path, mode: 0o600, group: nil), on: loop)
        }
        var status = stat()
        #expect(lstat(path, &status) == 0)
    }

    @Test func `a path that has no room in an address is refused`() throws {
        let loop = Loop()
        defer { loop.stop() }
        for path in ["", "/tmp/" + String(repeating: "a", count: 103)] {
            #expect(throws: ListenError.pathTooLong(path)) {
                _ = try open(.socket(path: path, mode: 0o600, group: nil), on: loop)
            }
        }
    }

    @Test func `a closing listener leaves its successor's socket alone`() throws {
        let folder = try TemporaryFolder()
        let path = folder.socketPath
        let loop = Loop()
        defer { loop.stop() }
        let first = try open(.socket(path: path, mode: 0o600, group: nil), on: loop)
        unlink(path)
        let second = try open(.socket(path: path, mode: 0o600, group: nil), on: loop)
        first.close()
        let client = try TestSocket(path: path)
        client.send(get)
        #expect(client.receive(until: "/ ").hasPrefix("HTTP/1.1 200"))
        second.close()
    }
}
