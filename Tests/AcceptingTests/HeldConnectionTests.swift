import Glibc
import Testing

@testable import Accepting

private let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

@Suite("Listener: clients that leave or do not read") struct HeldConnectionTests {
    private func heldDoor(_ exchange: Awaited<Exchange>, _ gone: Awaited<Bool>) throws -> TestDoor {
        try TestDoor(
            TestHandler {
                $0.whenGone { gone.set(true) }
                exchange.set($0)
            })
    }

    @Test("a client that leaves, half or whole, while its request is held is gone", arguments: [true, false])
    func leaves(half: Bool) throws {
        let exchange = Awaited<Exchange>()
        let gone = Awaited<Bool>()
        let door = try heldDoor(exchange, gone)
        let client = try TestSocket(port: door.port)
        client.send(get + get)
        _ = try #require(exchange.wait())
        usleep(50_000)
        #expect(gone.now == nil)
        if half { client.endOutput() } else { client.close() }
        #expect(gone.wait() == true)
    }

    @Test func `a client that was reset before it was accepted is not served`() throws {
        let peer = Awaited<Peer>()
        let door = try TestDoor(TestHandler { peer.set($0.peer) })
        // The loop looks at the listener only after the client has gone.
        door.loop.execute { usleep(300_000) }
        usleep(50_000)
        let client = try TestSocket(port: door.port)
        client.send(get)
        client.reset()
        usleep(500_000)
        #expect(peer.now == nil)
        let next = try TestSocket(port: door.port)
        next.send(get)
        guard case .tcp = peer.wait() else {
            Issue.record("\(String(describing: peer.now))")
            return
        }
    }

    @Test func `a client that leaves in mid-body is gone`() throws {
        let exchange = Awaited<Exchange>()
        let gone = Awaited<Bool>()
        let door = try heldDoor(exchange, gone)
        let client = try TestSocket(port: door.port)
        client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
        let held = try #require(exchange.wait())
        let got = Awaited<Bool>()
        door.loop.execute { held.readBody(limit: 10) { _ in got.set(true) } }
        client.endOutput()
        #expect(gone.wait() == true)
        #expect(got.now == nil)
    }

    @Test func `an undecided upload waits in the network, not in memory`() throws {
        let exchange = Awaited<Exchange>()
        let door = try heldDoor(exchange, Awaited())
        let client = try TestSocket(port: door.port)
        client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 50000000\r\n\r\n")
        let held = try #require(exchange.wait())
        #expect(client.sendUntilStuck(50_000_000) < 50_000_000)
        let count = Awaited<Int>()
        door.loop.execute { count.set(held.heldByteCount) }
        #expect((count.wait() ?? .max) <= 131_072)
    }

    @Test func `a large answer to a slow reader waits at its source`() throws {
        let total = 64 << 20
        let written = Awaited<Int>()
        let door = try TestDoor(
            TestHandler { exchange in
                exchange.beginAnswer(status: 200, fields: [], contentLength: total)
                pour(exchange, left: total, of: total, written)
            })
        let client = try TestSocket(port: door.port, receiveBuffer: 65_536)
        client.send(get)
        usleep(300_000)
        // The watermark, one piece, and what the kernel buffers on both sides.
        let early = try #require(written.wait())
        #expect(early < 12 << 20)
        var received = 0
        while received < total, let bytes = client.receive(atMost: 1 << 20), !bytes.isEmpty {
            received += bytes.count
        }
        #expect(received >= total)
        #expect(written.now == total)
    }

    @Test func `a client that stops reading is cut, and its owner told`() throws {
        var limits = Limits()
        limits.writeStallTime = .milliseconds(200)
        let gone = Awaited<Bool>()
        let door = try TestDoor(
            TestHandler { exchange in
                exchange.whenGone { gone.set(true) }
                exchange.beginAnswer(status: 200, fields: [], contentLength: 64 << 20)
                pour(exchange, left: 64 << 20, of: 64 << 20, Awaited())
            }, limits: limits)
        let client = try TestSocket(port: door.port, receiveBuffer: 4096)
        client.send(get)
        #expect(gone.wait() == true)
    }
}

/// Writes 64 KiB pieces while the client keeps up.
private func pour(_ exchange: Exchange, left: Int, of total: Int, _ written: Awaited<Int>) {
    var left = left
    while left > 0, exchange.isWritable {
        let piece = min(left, 65_536)
        exchange.write([UInt8](repeating: 0x78, count: piece))
        left -= piece
        written.set(total - left)
    }
    let rest = left
    if rest == 0 {
        exchange.end()
    } else {
        exchange.whenWritable { pour(exchange, left: rest, of: total, written) }
    }
}
