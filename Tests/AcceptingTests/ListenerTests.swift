import Accepting
import Glibc
import Synchronization
import Testing
import Vocabulary

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
                exchange.answer(status: 200, fields: [], body: Array(exchange.head.target.utf8) + [0x20] + body)
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
        guard case .loopback(_, let port) = listener.address else { throw TestSocket.Failed(call: "address", reason: 0) }
        self.port = port
    }

    deinit {
        listener.close()
        loop.stop()
    }
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
}
