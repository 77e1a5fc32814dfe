import Glibc
import Testing
import Vocabulary

@testable import Forwarding

@Suite("Forwarding", .serialized) struct ForwardingTests {
    @Test func `a request goes out byte for byte, and nothing is added but its length`() async throws {
        let server = RawServer(answering(ok))
        try await withForwarder { forwarder in
            let sample = Sample(
                method: "POST", path: "/a/./b/../c//d%2fE/%7Ex/", query: "y=a+b&&=",
                fields: [HeaderField("X-Amz-Target", "T.Op"), HeaderField("x-empty", "")],
                body: .bytes(Array("{}".utf8)))
            let sink = try await forwarder.exchange(sample, with: server.authority)
            #expect(sink.outcome?.kind == .answered)
            #expect(sink.outcome?.status == 200)
            #expect(sink.body == Array("ok".utf8))
            #expect(sink.head == ReplyHead(status: 200, fields: [], bodyByteCount: 2))
        }
        let request = try #require(server.requests.first)
        #expect(request.line == "POST /a/./b/../c//d%2fE/%7Ex/?y=a+b&&= HTTP/1.1")
        let names = request.head.split(separator: "\r\n").dropFirst().map {
            $0.prefix { $0 != ":" }.lowercased()
        }
        #expect(
            names == ["host", "x-amz-target", "x-empty", "x-amz-date", "authorization", "content-length"])
        #expect(request.values("host") == [server.authority])
        #expect(request.values("content-length") == ["2"])
        #expect(request.body == Array("{}".utf8))
    }

    @Test func `fields of the request are sent where libcurl has defaults of its own`() async throws {
        let server = RawServer(answering(ok))
        try await withForwarder { forwarder in
            let sample = Sample(
                method: "POST", fields: [HeaderField("accept", "a/b"), HeaderField("content-type", "c/d")],
                body: .bytes([1]))
            _ = try await forwarder.exchange(sample, with: server.authority)
        }
        #expect(server.requests.first?.values("accept") == ["a/b"])
        #expect(server.requests.first?.values("content-type") == ["c/d"])
    }

    @Test(
        "a body is announced as its method needs it",
        arguments: [
            ("POST", 0, ["0"]), ("PUT", 0, ["0"]), ("PATCH", 0, ["0"]), ("GET", 0, []), ("DELETE", 0, []),
            ("GET", 3, ["3"]), ("DELETE", 3, ["3"]), ("PUT", 262_144, ["262144"]),
            ("PUT", 262_145, ["262145"]),
            ("POST", 3_000_000, ["3000000"]),
        ])
    func bodies(_ method: String, _ count: Int, _ lengths: [String]) async throws {
        let server = RawServer(answering(ok))
        let body = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        try await withForwarder { forwarder in
            let sink = try await forwarder.exchange(
                Sample(method: method, body: .bytes(body), mayRepeat: method == "GET"), with: server.authority
            )
            #expect(sink.outcome?.kind == .answered)
        }
        let request = try #require(server.requests.first)
        #expect(request.line.hasPrefix(method + " / "))
        #expect(request.values("content-length") == lengths)
        #expect(request.values("expect").isEmpty)
        #expect(request.body == body)
    }

    @Test func `HEAD has the announced length and no body`() async throws {
        let server = RawServer(answering("HTTP/1.1 200 OK\r\nContent-Length: 123\r\nETag: \"e\"\r\n\r\n"))
        try await withForwarder { forwarder in
            let sink = try await forwarder.exchange(Sample(method: "HEAD"), with: server.authority)
            #expect(sink.outcome?.kind == .answered)
            #expect(
                sink.head
                    == ReplyHead(status: 200, fields: [HeaderField("etag", "\"e\"")], bodyByteCount: 123))
            #expect(sink.body.isEmpty)
        }
        #expect(server.requests.first?.line == "HEAD / HTTP/1.1")
    }

    @Test func `connections are kept, and a call under a grant has its own, be it a read`() async throws {
        let server = RawServer(answering(ok))
        try await withForwarder { forwarder in
            for _ in 0..<3 { _ = try await forwarder.exchange(Sample(), with: server.authority) }
            _ = try await forwarder.exchange(Sample(method: "DELETE"), with: server.authority, on: .fresh)
            _ = try await forwarder.exchange(Sample(mayRepeat: true), with: server.authority, on: .fresh)
        }
        #expect(server.requests.map(\.connection) == [1, 1, 1, 2, 3])
    }

    @Test(
        "a write whose kept connection dies is sent once and its outcome is unknown",
        arguments: [
            ("POST", 10, ""), ("DELETE", 0, ""), ("PUT", 400_000, ""), ("POST", 0, ""),
            ("POST", 5, "HTTP/1.1 2"),
        ])
    func replay(_ method: String, _ count: Int, partial: String) async throws {
        let server = RawServer(dyingAtSecond(partial))
        try await withForwarder { forwarder in
            _ = try await forwarder.exchange(Sample(), with: server.authority)
            let write = Sample(method: method, body: .bytes([UInt8](repeating: 1, count: count)))
            let sink = try await forwarder.exchange(write, with: server.authority)
            #expect(sink.outcome?.kind == .unknown)
            #expect(sink.head == nil)
            try await Task.sleep(for: .milliseconds(50))
        }
        #expect(server.requests.filter { $0.line.hasPrefix(method) }.count == 1)
    }

    @Test(
        "only a read without a grant has a second send",
        arguments: [(true, true), (true, false), (false, true)])
    func secondSend(_ mayRepeat: Bool, _ isPooled: Bool) throws {
        let outbound = try Outbound(Sample(mayRepeat: mayRepeat).signed(for: "127.0.0.1:1"))
        let transfer = Transfer(
            outbound: .success(outbound), connection: isPooled ? .pooled : .fresh, sink: RecordingSink(),
            driver: IdleDriver())
        #expect(transfer.willSend())
        #expect(transfer.willSend() == (mayRepeat && isPooled))
    }

    @Test func `once it is cancelled nothing is sent and nothing taken`() throws {
        let outbound = try Outbound(Sample(mayRepeat: true).signed(for: "127.0.0.1:1"))
        let sink = RecordingSink()
        func transfer() -> Transfer {
            Transfer(outbound: .success(outbound), connection: .pooled, sink: sink, driver: IdleDriver())
        }
        let unsent = transfer()
        unsent.cancel()
        #expect(!unsent.willSend())
        let sent = transfer()
        #expect(sent.willSend())
        for line in ["HTTP/1.1 200 OK", "content-length: 4", ""] {
            #expect(sent.receivedLine(Array("\(line)\r\n".utf8)))
        }
        #expect([1, 2].withUnsafeBytes(sent.received) > 0)
        sent.cancel()
        #expect([3, 4].withUnsafeBytes(sent.received) == 0)
    }

    @Test(
        "a read whose kept connection dies may be sent again",
        arguments: [("GET", 0), ("POST", 12), ("POST", 300_000)])
    func repeatedRead(_ method: String, _ count: Int) async throws {
        let server = RawServer(dyingAtSecond(""))
        let body = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        try await withForwarder { forwarder in
            _ = try await forwarder.exchange(Sample(path: "/first"), with: server.authority)
            let read = Sample(method: method, path: "/second", body: .bytes(body), mayRepeat: true)
            let sink = try await forwarder.exchange(read, with: server.authority)
            #expect(sink.outcome?.kind == .answered)
        }
        let sent = server.requests.filter { $0.line.contains("/second") }
        #expect(sent.map(\.connection) == [1, 2])
        #expect(sent.allSatisfy { $0.body == body })
    }

    @Test func `no connection means nothing was sent`() async throws {
        let server = RawServer { _ in }
        let authority = server.authority
        server.stop()
        try await withForwarder { forwarder in
            try await Task.sleep(for: .milliseconds(50))
            let sink = try await forwarder.exchange(Sample(method: "POST"), with: authority)
            #expect(sink.outcome?.kind == .notSent)
            #expect(sink.outcome?.error != nil)
        }
    }

    @Test(
        "a reply that is cut short is unknown, with what was seen of it",
        arguments: [
            ("", nil), ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", nil),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", 200),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", 200),
            ("HTTP/1.1 500 Oh\r\nContent-Length: 5\r\n\r\nab", 500),
        ] as [(String, Int?)])
    func cutShort(_ reply: String, status: Int?) async throws {
        let server = RawServer { connection in
            _ = connection.read()
            connection.write(reply)
        }
        try await withForwarder { forwarder in
            let sink = try await forwarder.exchange(Sample(method: "POST"), with: server.authority)
            #expect(sink.outcome?.kind == .unknown)
            #expect(sink.outcome?.status == status)
            #expect(sink.told.withLock { $0.outcomes.count } == 1)
        }
    }

    @Test func `a redirect is handed back and not followed`() async throws {
        let elsewhere = RawServer(answering(ok))
        let target = "http://\(elsewhere.authority)/x"
        let server = RawServer(
            answering("HTTP/1.1 307 Temporary Redirect\r\nLocation: \(target)\r\nContent-Length: 0\r\n\r\n"))
        try await withForwarder { forwarder in
            let sink = try await forwarder.exchange(Sample(), with: server.authority)
            #expect(sink.outcome?.status == 307)
            #expect(sink.outcome?.kind == .answered)
            #expect(sink.head?.fields == [HeaderField("location", target)])
        }
        #expect(elsewhere.requests.isEmpty)
    }

    @Test func `a proxy of the environment is not used`() async throws {
        let proxy = RawServer(answering(ok))
        let server = RawServer(answering(ok))
        for name in ["http_proxy", "all_proxy", "ALL_PROXY"] { setenv(name, "http://\(proxy.authority)", 1) }
        defer { for name in ["http_proxy", "all_proxy", "ALL_PROXY"] { unsetenv(name) } }
        try await withForwarder { forwarder in
            let sink = try await forwarder.exchange(Sample(), with: server.authority)
            #expect(sink.outcome?.kind == .answered)
        }
        #expect(proxy.requests.isEmpty)
        #expect(server.requests.count == 1)
    }

    @Test func `the identifiers of AWS are in the outcome`() async throws {
        let server = RawServer(
            answering(
                "HTTP/1.1 200 OK\r\nx-amz-request-id: R1\r\nx-amz-id-2: E1\r\nContent-Length: 0\r\n\r\n"))
        try await withForwarder { forwarder in
            let sink = try await forwarder.exchange(Sample(), with: server.authority)
            #expect(sink.outcome?.awsRequestID == "R1")
            #expect(sink.outcome?.awsExtendedRequestID == "E1")
            #expect((sink.outcome?.bytesReceived ?? 0) > 50)
            #expect((sink.outcome?.bytesSent ?? 0) > 50)
        }
    }

    @Test func `an error reply that echoes our credentials is redacted, and its length is right`()
        async throws
    {
        let token = "FwoGZXIvYXdzEJr/token+=="
        let body =
            "<Error><AWSAccessKeyId>AKIDEXAMPLE</AWSAccessKeyId><M>token \(token)</M></Error>"
        let server = RawServer(
            answering("HTTP/1.1 403 F\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"))
        try await withForwarder { forwarder in
            let sink = try await forwarder.exchange(Sample(token: token), with: server.authority)
            let text = String(decoding: sink.body, as: UTF8.self)
            #expect(
                text
                    == "<Error><AWSAccessKeyId>[redacted]</AWSAccessKeyId><M>token [redacted]</M></Error>"
            )
            #expect(sink.head?.bodyByteCount == sink.body.count)
            #expect(sink.outcome?.kind == .answered)
        }
    }

    @Test func `an endless error reply is not passed on`() async throws {
        let server = RawServer { connection in
            _ = connection.read()
            connection.write("HTTP/1.1 500 Oh\r\n\r\n")
            while connection.write([UInt8](repeating: 0x61, count: 65_536)) {}
        }
        try await withForwarder { forwarder in
            let sink = try await forwarder.exchange(Sample(), with: server.authority)
            #expect(sink.outcome?.kind == .unknown)
            #expect(sink.body.isEmpty)
        }
    }
}

/// Answers the first request of the first connection, takes the second one and closes with `partial`; later
/// connections answer.
private func dyingAtSecond(_ partial: String) -> @Sendable (RawServer.Connection) -> Void {
    { connection in
        guard connection.read() != nil else { return }
        connection.write(ok)
        if connection.number == 1 {
            guard connection.read() != nil else { return }
            connection.write(partial)
            return
        }
        while connection.read() != nil { connection.write(ok) }
    }
}

/// Carries nothing out.
private final class IdleDriver: Driver {
    func submit(_ transfer: Transfer) {}
    func unpause(_ transfer: Transfer) {}
    func stop() {}
}
