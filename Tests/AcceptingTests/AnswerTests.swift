import NIOCore
import NIOEmbedded
import Testing
import Vocabulary

@testable import Accepting

@Suite("Exchange: answers") struct ExchangeAnswerTests {
    @Test(
        "an answer that has no body sends none",
        arguments: [("HEAD", 200), ("HEAD", 403), ("GET", 204), ("GET", 304)])
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
            #expect(try !client.sent().contains("hello"))
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
                ("Content-Length", "99"), ("Transfer-Encoding", "chunked"), ("Connection", "upgrade"),
                ("Upgrade", "h2c"),
                ("Keep-Alive", "x"), ("Trailer", "x"), ("a", "b\r\nevil: 1"), ("b", "\0"), ("na me", "x"),
                ("", "x"),
                ("good", "kept"), ("x-amz-request-id", "1"),
            ].map { HeaderField($0.0, $0.1) }
            exchange.answer(status: 200, fields: fields, body: [])
        }
        try client.send(get("/"))
        #expect(
            try client.sent()
                == "HTTP/1.1 200 OK\r\ngood: kept\r\nx-amz-request-id: 1\r\ncontent-length: 0\r\n\r\n")
    }

    @Test(
        "a connection is closed when the client wants it",
        arguments: [
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

    @Test func `a connection on which nothing comes is closed after 10 s without a word`() throws {
        let client = try TestConnection(answerTarget)
        client.pass(.milliseconds(9_999))
        #expect(client.isOpen)
        client.pass(.milliseconds(1))
        #expect(!client.isOpen)
        #expect(try client.sent() == "")
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

    @Test("after an idle time the next head has 10 s of its own", arguments: [20, 55])
    func nextHead(idle: Int) throws {
        let client = try TestConnection(answerTarget)
        try client.send(get("/"))
        _ = try client.sent()
        client.pass(.seconds(Int64(idle)))
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
