import NIOCore
import NIOEmbedded
import Testing
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

private func get(_ target: String, _ fields: String = "") -> String { "GET \(target) HTTP/1.1\r\nHost: h\r\n\(fields)\r\n" }

private func answerTarget(_ exchange: Exchange) {
    exchange.answer(status: 200, fields: [], body: Array(exchange.head.target.utf8))
}

private func okAnswer(_ body: String, _ more: String = "") -> String {
    "HTTP/1.1 200 OK\r\ncontent-length: \(body.utf8.count)\r\n\(more)\r\n\(body)"
}

@Suite("Exchange: requests") struct ExchangeRequestTests {
    @Test func `pipelined requests are decided one at a time, in order`() throws {
        let client = try TestConnection()
        try client.send(get("/1") + get("/2") + get("/3"))
        for number in 1...3 {
            #expect(client.exchanges.count == number)
            client.exchanges[number - 1].answer(status: 200, fields: [], body: Array("\(number)".utf8))
            #expect(try client.sent() == okAnswer("\(number)"))
        }
        #expect(client.exchanges.map(\.head.target) == ["/1", "/2", "/3"])
        #expect(client.isOpen)
    }

    @Test func `thousands of pipelined requests answered at once do not nest`() throws {
        let client = try TestConnection(answerTarget)
        try client.send(String(repeating: get("/"), count: 20_000))
        #expect(client.exchanges.count == 20_000)
        #expect(try client.sent() == String(repeating: okAnswer("/"), count: 20_000))
    }

    @Test func `requests wait while the client does not read its answers`() throws {
        let client = try TestConnection(answerTarget)
        client.channel.isWritable = false
        try client.send(get("/1") + get("/2"))
        #expect(client.exchanges.isEmpty)
        client.channel.isWritable = true
        client.channel.pipeline.fireChannelWritabilityChanged()
        #expect(client.exchanges.count == 2)
    }

    @Test func `a fault of a framed request is answered and the next request served`() throws {
        let client = try TestConnection(answerTarget)
        try client.send(get("//evil") + get("/next"))
        #expect(client.faults.map(\.status) == [400])
        let sent = try client.sent()
        #expect(sent.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        #expect(sent.contains("BadRequest: the target begins with `//`\n" + okAnswer("/next")))
        #expect(client.isOpen)
    }

    @Test func `a framing fault closes and what follows is not read`() throws {
        let client = try TestConnection(answerTarget)
        try client.send(get("/", "Content-Length: 3\r\nContent-Length: 3\r\n") + get("/smuggled"))
        #expect(client.exchanges.isEmpty)
        let sent = try client.sent()
        #expect(sent.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        #expect(sent.contains("\r\nconnection: close\r\n"))
        #expect(!client.isOpen)
    }

    @Test func `an expectation other than 100-continue is answered 417`() throws {
        let client = try TestConnection(answerTarget)
        try client.send(get("/", "Expect: tea\r\n"))
        #expect(try client.sent().hasPrefix("HTTP/1.1 417 Expectation Failed\r\n"))
    }

    @Test func `the client is gone while its request is held`() throws {
        let client = try TestConnection()
        try client.send(get("/"))
        let exchange = try #require(client.exchanges.first)
        var goneCount = 0
        exchange.whenGone { goneCount += 1 }
        #expect(!exchange.isGone)
        try client.channel.close().wait()
        #expect(goneCount == 1)
        #expect(exchange.isGone)
        #expect(!exchange.isWritable)
        exchange.answer(status: 200, fields: [], body: [])
        exchange.readBody(limit: 1) { _ in Issue.record("there is no body any more") }
        var toldLate = 0
        exchange.whenGone { toldLate += 1 }
        #expect(toldLate == 1)
        #expect(client.door.connectionCount == 0)
    }

    @Test func `a client that leaves after its answer was not gone`() throws {
        let client = try TestConnection()
        try client.send(get("/"))
        let exchange = try #require(client.exchanges.first)
        exchange.whenGone { Issue.record("the answer was complete") }
        exchange.answer(status: 200, fields: [], body: [])
        try client.channel.close().wait()
        #expect(!exchange.isGone)
    }

    @Test func `a closed listener lets busy connections answer and ends idle ones`() throws {
        let idle = try TestConnection(answerTarget)
        try idle.send(get("/"))
        idle.door.drain()
        #expect(!idle.isOpen)
        let busy = try TestConnection()
        try busy.send(get("/"))
        busy.door.drain()
        #expect(busy.isOpen)
        busy.exchanges[0].answer(status: 200, fields: [], body: [])
        #expect(try busy.sent() == okAnswer("", "connection: close\r\n"))
        #expect(!busy.isOpen)
    }
}

@Suite("Exchange: bodies") struct ExchangeBodyTests {
    private func readingConnection(limit: Int, _ results: @escaping (Result<[UInt8], RequestFault>) -> Void) throws -> TestConnection {
        try TestConnection { exchange in exchange.readBody(limit: limit, then: results) }
    }

    @Test("a body is read to its limit and not past it", arguments: [
        "Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    ])
    func limit(_ rest: String) throws {
        for limit in [5, 4] {
            var results: [Result<[UInt8], RequestFault>] = []
            let client = try readingConnection(limit: limit) { results.append($0) }
            try client.send("PUT / HTTP/1.1\r\nHost: h\r\n" + rest)
            #expect(results.count == 1)
            if limit == 5 { #expect(try results[0].get() == Array("hello".utf8)) }
            if limit == 4 { #expect(throws: RequestFault.bodyTooLarge(limit: 4)) { try results[0].get() } }
        }
    }

    @Test func `the body waits in the network until it is asked for`() throws {
        let client = try TestConnection()
        try client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel")
        var body: [UInt8]?
        client.exchanges[0].readBody(limit: 5) { body = try? $0.get() }
        #expect(body == nil)
        try client.send("lo" + get("/next"))
        #expect(body == Array("hello".utf8))
        #expect(client.exchanges.count == 1)
        client.exchanges[0].answer(status: 200, fields: [], body: [])
        #expect(client.exchanges.count == 2)
    }

    @Test func `a request without a body has an empty one`() throws {
        var body: [UInt8]?
        let client = try readingConnection(limit: 0) { body = try? $0.get() }
        try client.send(get("/"))
        #expect(body == [])
    }

    @Test func `100 Continue is sent when the body is asked for, once, and not before`() throws {
        let client = try TestConnection()
        try client.send("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        #expect(try client.sent() == "")
        var body: [UInt8]?
        client.exchanges[0].readBody(limit: 5) { body = try? $0.get() }
        #expect(try client.sent() == "HTTP/1.1 100 Continue\r\n\r\n")
        try client.send("hello")
        #expect(body == Array("hello".utf8))
        client.exchanges[0].answer(status: 200, fields: [], body: [])
        #expect(try client.sent() == okAnswer(""))
        #expect(client.isOpen)
    }

    @Test func `a final status takes the place of 100 Continue and closes`() throws {
        let client = try TestConnection()
        try client.send("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        client.exchanges[0].answer(status: 403, fields: [HeaderField("x", "y")], body: Array("no".utf8))
        #expect(
            try client.sent() == "HTTP/1.1 403 Forbidden\r\nx: y\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno")
        #expect(!client.isOpen)
    }

    @Test func `a body over its limit is refused before 100 Continue`() throws {
        let client = try TestConnection()
        try client.send("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        var fault: RequestFault?
        client.exchanges[0].readBody(limit: 4) { if case .failure(let why) = $0 { fault = why } }
        #expect(fault?.status == 413)
        #expect(try client.sent() == "")
    }

    @Test func `HTTP 1.0 gets no 100 Continue`() throws {
        let client = try readingConnection(limit: 5) { _ in }
        try client.send("PUT / HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        #expect(try client.sent() == "")
    }

    @Test func `an empty body that is expected to be continued is continued`() throws {
        let client = try readingConnection(limit: 5) { _ in }
        try client.send("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n")
        #expect(try client.sent() == "HTTP/1.1 100 Continue\r\n\r\n")
    }

    @Test func `an ill-framed body is the owner's to answer, and the connection closes`() throws {
        var fault: RequestFault?
        let client = try readingConnection(limit: 50) { if case .failure(let why) = $0 { fault = why } }
        try client.send("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX")
        #expect(fault?.closes == true)
        client.exchanges[0].answer(status: 400, fields: [], body: [])
        #expect(try client.sent().contains("connection: close"))
        #expect(!client.isOpen)
    }

    @Test func `a client that leaves in mid-body is gone, and its body is not handed over`() throws {
        let client = try readingConnection(limit: 50) { _ in Issue.record("the body is not whole") }
        try client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nhello")
        var isGone = false
        client.exchanges[0].whenGone { isGone = true }
        try client.channel.close().wait()
        #expect(isGone)
    }

    @Test func `an answer before the whole body has come closes`() throws {
        let client = try TestConnection()
        try client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nhelloX" + get("/x"))
        client.exchanges[0].answer(status: 200, fields: [], body: [])
        #expect(try client.sent() == okAnswer("", "connection: close\r\n"))
        #expect(client.exchanges.count == 1)
    }
}

@Suite("Exchange: answers") struct ExchangeAnswerTests {
    @Test("an answer that has no body sends none", arguments: [("HEAD", 200), ("HEAD", 403), ("GET", 204), ("GET", 304)])
    func bodiless(_ method: String, _ status: Int) throws {
        let client = try TestConnection { $0.answer(status: status, fields: [], body: Array("text".utf8)) }
        try client.send("\(method) / HTTP/1.1\r\nHost: h\r\n\r\n")
        let sent = try client.sent()
        #expect(sent.hasSuffix("\r\n\r\n"))
        #expect(sent.contains("content-length: 4\r\n") == (method == "HEAD"))
        #expect(client.isOpen)
    }

    @Test func `a streamed HEAD keeps the announced length and drops the pieces`() throws {
        let client = try TestConnection { exchange in
            exchange.beginAnswer(status: 200, fields: [], contentLength: 1000)
            exchange.write([1, 2, 3])
            exchange.end()
        }
        try client.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try client.sent() == "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        #expect(client.isOpen)
    }

    @Test func `an answer of unknown length is chunked`() throws {
        let client = try TestConnection { exchange in
            exchange.beginAnswer(status: 200, fields: [], contentLength: nil)
            exchange.write(Array("0123456789".utf8))
            exchange.write([])
            exchange.write(Array("a".utf8))
            exchange.end()
        }
        try client.send(get("/"))
        #expect(
            try client.sent() == "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                + "a\r\n0123456789\r\n1\r\na\r\n0\r\n\r\n")
        #expect(client.isOpen)
    }

    @Test func `an answer of unknown length to HTTP 1.0 ends with the connection`() throws {
        let client = try TestConnection { exchange in
            exchange.beginAnswer(status: 200, fields: [], contentLength: nil)
            exchange.write(Array("text".utf8))
            exchange.end()
        }
        try client.send("GET / HTTP/1.0\r\nHost: h\r\n\r\n")
        #expect(try client.sent() == "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\ntext")
        #expect(!client.isOpen)
    }

    @Test func `an answer longer or shorter than announced cuts the connection`() throws {
        for body in ["hell", "hello!"] {
            let client = try TestConnection { exchange in
                exchange.beginAnswer(status: 200, fields: [], contentLength: 5)
                exchange.write(Array(body.utf8))
                exchange.end()
            }
            try client.send(get("/") + get("/next"))
            #expect(!client.isOpen)
            #expect(client.exchanges.count == 1)
        }
        let whole = try TestConnection { exchange in
            exchange.beginAnswer(status: 200, fields: [], contentLength: 5)
            exchange.write(Array("hel".utf8))
            exchange.write(Array("lo".utf8))
            exchange.end()
        }
        try whole.send(get("/"))
        #expect(try whole.sent() == okAnswer("hello"))
        #expect(whole.isOpen)
    }

    @Test func `an aborted answer is seen to be cut`() throws {
        let client = try TestConnection { exchange in
            exchange.beginAnswer(status: 200, fields: [], contentLength: nil)
            exchange.whenGone { Issue.record("the owner itself cut it") }
            exchange.write([65])
            exchange.abort()
            exchange.write([65])
            exchange.end()
        }
        try client.send(get("/"))
        #expect(try client.sent().hasSuffix("1\r\nA\r\n"))
        #expect(!client.isOpen)
    }

    @Test func `a second answer never reaches the next request`() throws {
        let client = try TestConnection()
        try client.send(get("/1") + get("/2"))
        client.exchanges[0].answer(status: 200, fields: [], body: [])
        _ = try client.sent()
        client.exchanges[0].answer(status: 200, fields: [], body: Array("stray".utf8))
        client.exchanges[0].write([65])
        client.exchanges[0].end()
        #expect(try client.sent() == "")
        #expect(client.exchanges.count == 2)
    }

    @Test func `an impossible status cuts the connection`() throws {
        for status in [0, 100, 199, 600] {
            let client = try TestConnection { $0.answer(status: status, fields: [], body: []) }
            try client.send(get("/"))
            #expect(try client.sent() == "")
            #expect(!client.isOpen)
        }
    }

    @Test func `fields that frame, or that would break the head, are left out`() throws {
        let client = try TestConnection { exchange in
            let fields = [
                ("Content-Length", "99"), ("Transfer-Encoding", "chunked"), ("Connection", "upgrade"), ("Upgrade", "h2c"),
                ("Keep-Alive", "x"), ("Trailer", "x"), ("a", "b\r\nevil: 1"), ("b", "\0"), ("na me", "x"), ("", "x"),
                ("good", "kept"), ("x-amz-request-id", "1"),
            ].map { HeaderField($0.0, $0.1) }
            exchange.answer(status: 200, fields: fields, body: [])
        }
        try client.send(get("/"))
        #expect(
            try client.sent() == "HTTP/1.1 200 OK\r\ngood: kept\r\nx-amz-request-id: 1\r\ncontent-length: 0\r\n\r\n")
    }

    @Test("a connection is closed when the client wants it", arguments: [
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: x\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: h\r\n\r\n",
    ])
    func closing(_ request: String) throws {
        let client = try TestConnection(answerTarget)
        try client.send(request)
        #expect(try client.sent() == okAnswer("/", "connection: close\r\n"))
        #expect(!client.isOpen)
    }

    @Test func `whenWritable waits for the client to read on`() throws {
        let client = try TestConnection()
        try client.send(get("/"))
        let exchange = client.exchanges[0]
        exchange.beginAnswer(status: 200, fields: [], contentLength: nil)
        var calls = 0
        exchange.whenWritable { calls += 1 }
        #expect(calls == 1)
        client.channel.isWritable = false
        #expect(!exchange.isWritable)
        exchange.whenWritable { calls += 1 }
        #expect(calls == 1)
        client.channel.isWritable = true
        client.channel.pipeline.fireChannelWritabilityChanged()
        client.channel.pipeline.fireChannelWritabilityChanged()
        #expect(calls == 2)
    }
}

@Suite("Exchange: time") struct ExchangeTimeTests {
    @Test func `a head must be there after 10 s`() throws {
        let client = try TestConnection(answerTarget)
        for byte in "GET / HTT" {
            try client.send(String(byte))
            client.pass(.seconds(1))
        }
        client.pass(.milliseconds(999))
        #expect(try client.sent() == "")
        client.pass(.milliseconds(1))
        #expect(try client.sent().hasPrefix("HTTP/1.1 408 Request Timeout\r\n"))
        #expect(client.faults.map(\.status) == [408])
        #expect(!client.isOpen)
    }

    @Test func `a kept connection may idle 60 s and not longer`() throws {
        let client = try TestConnection(answerTarget)
        for _ in 0..<3 {
            try client.send(get("/"))
            client.pass(.milliseconds(59_999))
            #expect(client.isOpen)
        }
        _ = try client.sent()
        client.pass(.milliseconds(1))
        #expect(!client.isOpen)
        #expect(try client.sent() == "")
    }

    @Test func `after an idle time the next head has 10 s of its own`() throws {
        let client = try TestConnection(answerTarget)
        try client.send(get("/"))
        _ = try client.sent()
        client.pass(.seconds(55))
        try client.send("G")
        client.pass(.milliseconds(9_999))
        #expect(client.isOpen)
        client.pass(.milliseconds(1))
        #expect(try client.sent().hasPrefix("HTTP/1.1 408"))
    }

    @Test func `a held request has all the time its owner gives it`() throws {
        let client = try TestConnection()
        try client.send(get("/"))
        client.pass(.minutes(30))
        #expect(client.isOpen)
        client.exchanges[0].answer(status: 200, fields: [], body: [])
        #expect(try client.sent() == okAnswer(""))
    }

    @Test func `a body must keep its minimum rate while it is read`() throws {
        for missing in [0, 1] {
            var fault: RequestFault?
            let client = try TestConnection { exchange in
                exchange.readBody(limit: 1 << 20) { if case .failure(let why) = $0 { fault = why } }
            }
            try client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n")
            for window in 1...3 {
                try client.send(String(repeating: "x", count: 10_240 - (window == 3 ? missing : 0)))
                client.pass(.milliseconds(9_999))
                #expect(fault == nil)
                client.pass(.milliseconds(1))
            }
            #expect(fault?.status == (missing == 0 ? nil : 408))
        }
    }

    @Test func `the body's time begins when it is asked for`() throws {
        let client = try TestConnection()
        try client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n")
        client.pass(.minutes(2))
        var body: [UInt8]?
        client.exchanges[0].readBody(limit: 5) { body = try? $0.get() }
        client.pass(.seconds(9))
        try client.send("hello")
        #expect(body == Array("hello".utf8))
    }

    @Test func `an upstream may be slow in mid-answer`() throws {
        let client = try TestConnection()
        try client.send(get("/"))
        client.exchanges[0].beginAnswer(status: 200, fields: [], contentLength: nil)
        client.pass(.minutes(5))
        client.exchanges[0].end()
        #expect(client.isOpen)
    }

    @Test func `a timer can be cancelled`() {
        let eventLoop = EmbeddedEventLoop()
        let loop = Loop(eventLoop)
        let fired = NIOLoopBoundBox(0, eventLoop: eventLoop)
        loop.schedule(after: .seconds(1)) { fired.value += 1 }
        loop.schedule(after: .seconds(1)) { fired.value += 10 }.cancel()
        eventLoop.advanceTime(by: .milliseconds(999))
        #expect(fired.value == 0)
        eventLoop.advanceTime(by: .milliseconds(1))
        #expect(fired.value == 1)
    }
}
