import NIOCore
import NIOEmbedded
import Vocabulary

@testable import Accepting

/// One connection without a network, on a clock that the test moves.
final class TestConnection {
    let eventLoop = EmbeddedEventLoop()
    let channel: EmbeddedChannel
    let door: Door
    let connection: Connection
    private(set) var exchanges: [Exchange] = []
    private(set) var faults: [RequestFault] = []

    /// Collects what is served; loop-confined as the real handlers are.
    private final class Collector: ExchangeHandler, @unchecked Sendable {
        weak var owner: TestConnection?
        let each: (Exchange) -> Void

        init(_ each: @escaping (Exchange) -> Void) { self.each = each }

        func serve(_ exchange: Exchange) {
            owner?.exchanges.append(exchange)
            each(exchange)
        }

        func refused(_ fault: RequestFault, at tag: ListenerTag, from peer: Peer) -> Reply {
            owner?.faults.append(fault)
            return Reply(plain: fault)
        }
    }

    init(limits: Limits = Limits(), _ each: @escaping (Exchange) -> Void = { _ in }) throws {
        let loop = Loop(eventLoop)
        let collector = Collector(each)
        channel = EmbeddedChannel(loop: eventLoop)
        door = Door(tag: .control, limits: limits, handler: collector)
        connection = Connection(door: door, loop: loop)
        channel.localAddress = try SocketAddress(ipAddress: "127.0.0.1", port: 1)
        channel.remoteAddress = try SocketAddress(ipAddress: "127.0.0.1", port: 2)
        collector.owner = self
        try channel.pipeline.syncOperations.addHandler(connection)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 2)).wait()
    }

    func send(_ text: String) throws { try channel.writeInbound(ByteBuffer(string: text)) }

    func pass(_ time: TimeAmount) { eventLoop.advanceTime(by: time) }

    /// What was sent to the client since the last look.
    func sent() throws -> String {
        var text = ""
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: bytes) }
        return text
    }

    var isOpen: Bool { channel.isActive }

    deinit { _ = try? channel.finish(acceptAlreadyClosed: true) }
}

func get(_ target: String, _ fields: String = "") -> String {
    "GET \(target) HTTP/1.1\r\nHost: h\r\n\(fields)\r\n"
}

func answerTarget(_ exchange: Exchange) {
    exchange.answer(status: 200, fields: [], body: Array(exchange.head.target.utf8))
}

func okAnswer(_ body: String, _ more: String = "") -> String {
    "HTTP/1.1 200 OK\r\ncontent-length: \(body.utf8.count)\r\n\(more)\r\n\(body)"
}
