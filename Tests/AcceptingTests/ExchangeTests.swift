import NIOCore
import NIOEmbedded
import Testing
import Vocabulary

@testable import Accepting

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

    @Test func `a client that always leaves half a request behind does not fill the memory`() throws {
        let client = try TestConnection(answerTarget)
        let request = get("/", "x: " + String(repeating: "v", count: 16_000) + "\r\n")
        let (begun, rest) = (request.prefix(9_000), request.dropFirst(9_000))
        try client.send(String(begun))
        for _ in 0..<2_000 { try client.send(String(rest + begun)) }
        #expect(client.exchanges.count == 2_000)
        #expect(client.connection.heldByteCount <= 131_072)
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

    @Test func `a fault of a request that came in pieces leaves nothing behind`() throws {
        let text = get("//evil") + get("/next") + get("//evil") + get("/last")
        for size in [1, 7, 20] {
            let client = try TestConnection(answerTarget)
            var rest = text[...]
            while !rest.isEmpty {
                try client.send(String(rest.prefix(size)))
                rest = rest.dropFirst(size)
            }
            #expect(client.faults.count == 2)
            #expect(client.exchanges.map(\.head.target) == ["/next", "/last"])
            #expect(client.isOpen)
        }
    }

    @Test func `a fault of HEAD closes, since its client expects no text`() throws {
        let client = try TestConnection(answerTarget)
        try client.send("HEAD //evil HTTP/1.1\r\nHost: h\r\n\r\n" + get("/next"))
        #expect(try client.sent().contains("connection: close"))
        #expect(client.exchanges.isEmpty)
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
        // One that was accepted just before is cut without a word.
        #expect(busy.door.enter(busy.connection) == .flooded)
    }
}

@Suite("Exchange: bodies") struct ExchangeBodyTests {
    private func readingConnection(limit: Int, _ results: @escaping (Result<[UInt8], RequestFault>) -> Void)
        throws -> TestConnection
    {
        try TestConnection { exchange in exchange.readBody(limit: limit, then: results) }
    }

    @Test(
        "a body is read to its limit and not past it",
        arguments: [
            "Content-Length: 5\r\n\r\nhello",
            "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
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
            try client.sent()
                == "HTTP/1.1 403 Forbidden\r\nx: y\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno")
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

    @Test func `100 Continue is sent once, however often the body is asked for`() throws {
        let client = try TestConnection { exchange in
            for _ in 0..<2 { exchange.readBody(limit: 5) { _ in } }
        }
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

    @Test func `the bodies of a listener are counted together until they are answered`() throws {
        var limits = Limits()
        limits.bodyBytesOfListenerMax = 10
        var results: [Result<[UInt8], RequestFault>] = []
        let client = try TestConnection(limits: limits) { $0.readBody(limit: 100) { results.append($0) } }
        let put = "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789"
        for _ in 0..<2 {
            try client.send(put)
            #expect(try results.removeLast().get().count == 10)
            client.exchanges.last?.answer(status: 200, fields: [], body: [])
        }
        #expect(client.door.charge(1))
        try client.send(put)
        #expect(throws: RequestFault.tooManyBodies) { try results.removeLast().get() }
        client.exchanges.last?.answer(status: 503, fields: [], body: [])
        #expect(client.door.charge(9))
        #expect(!client.door.charge(1))
    }

    @Test func `a body no longer counts when its client is gone`() throws {
        var limits = Limits()
        limits.bodyBytesOfListenerMax = 10
        let client = try TestConnection(limits: limits) { $0.readBody(limit: 100) { _ in } }
        try client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n0123456789")
        #expect(!client.door.charge(1))
        try client.channel.close().wait()
        #expect(client.door.charge(10))
    }
}
