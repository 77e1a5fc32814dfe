import Hashing
import Recognizing
import Testing
import Vocabulary

@testable import Forwarding

@Suite("Forwarding refusals", .serialized) struct RefusalTests {
    @Test(
        "a byte that could change what is sent is refused",
        arguments: [
            Sample(method: "GE\r\nT"), Sample(method: "G T"), Sample(method: ""), Sample(path: "/a\r\nX: y"),
            Sample(path: "/a b"), Sample(path: "/a#b"), Sample(path: "a"), Sample(path: "/a?b"),
            Sample(path: "/é"),
            Sample(path: "/a\0"), Sample(query: "a\nb"), Sample(query: "a#b"), Sample(query: "a b"),
            Sample(fields: [HeaderField("x-a", "b\r\nx-c: d")]), Sample(fields: [HeaderField("x-a", "b\nc")]),
            Sample(fields: [HeaderField("x-a", "b\0c")]), Sample(fields: [HeaderField("x-a", "b\u{7F}")]),
            Sample(fields: [HeaderField("x a", "b")]), Sample(fields: [HeaderField("x-a:", "b")]),
            Sample(fields: [HeaderField("x\r\n", "b")]), Sample(fields: [HeaderField("", "b")]),
            Sample(fields: [HeaderField("Content-Length", "3")]),
            Sample(fields: [HeaderField("Connection", "close")]),
            Sample(fields: [HeaderField("transfer-encoding", "chunked")]),
            Sample(fields: [HeaderField("Expect", "x")]),
            Sample(fields: [HeaderField("TE", "trailers")]), Sample(fields: [HeaderField("upgrade", "h2c")]),
            Sample(method: "HEAD", body: .bytes([1])), Sample(body: .stream(sha256: sha256(""), count: 0)),
        ])
    func unsafe(_ sample: Sample) async throws {
        let server = RawServer(answering(ok))
        try await withForwarder { forwarder in
            let sink = try await forwarder.exchange(sample, with: server.authority)
            #expect(sink.outcome?.kind == .notSent)
            #expect(sink.outcome?.bytesSent == 0)
            #expect(sink.head == nil)
        }
        #expect(server.requests.isEmpty)
    }

    @Test(
        "an authority that is not a host and a port is refused",
        arguments: [
            "", "127.0.0.1\r\nX: y", "a b", "a/b", "user@127.0.0.1", "127.0.0.1:", "127.0.0.1:0",
            "127.0.0.1:65536",
            "127.0.0.1:+1", "127.0.0.1:1:2", "[::1", "[::1]x", "[]", "[a.b-c]", "exämple.com", "a?b", "a#b",
            "a\\b", "a_b",
        ])
    func authority(_ authority: String) async throws {
        try await withForwarder { forwarder in
            let sink = try await forwarder.exchange(Sample(usesTLS: true), with: authority)
            #expect(sink.outcome?.kind == .notSent)
            #expect(sink.outcome?.error == ForwardingError.unsafe(part: "authority").message)
        }
    }

    @Test(
        "plain http goes to this machine only",
        arguments: [
            "example.com", "10.0.0.1", "127.0.0.1.example.com", "1.127.0.0", "127.1", "[::2]:80",
            "127.0.0.256",
            "localhost.example.com",
        ])
    func plain(_ authority: String) async throws {
        try await withForwarder { forwarder in
            let sink = try await forwarder.exchange(Sample(), with: authority)
            #expect(sink.outcome?.error == ForwardingError.plainBeyondLoopback(authority: authority).message)
        }
        #expect(["127.0.0.1", "127.1.2.3", "localhost", "::1"].allSatisfy { isLoopback($0[...]) })
    }

    @Test(
        "an odd reply is not passed on and its outcome is unknown",
        arguments: [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nok",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok",
            "HTTP/1.1 5x OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 600 OK\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "ICY 200 OK\r\n\r\nok", "hello\r\n\r\n",
            "HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nX-Amz-A: bc\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "HTTP/1.1 200 OK\r\nContent-Length: 2\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\nok",
            "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nnocolon\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + ok,
            "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok",
            String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 17) + ok,
            "HTTP/1.1 200 OK\r\n"
                + String(repeating: "X-Amz-A: \(String(repeating: "a", count: 1_000))\r\n", count: 66)
                + "Content-Length: 2\r\n\r\nok",
        ])
    func oddReply(_ reply: String) async throws {
        let server = RawServer(answering(reply))
        try await withForwarder { forwarder in
            let sink = try await forwarder.exchange(Sample(method: "POST"), with: server.authority)
            #expect(sink.outcome?.kind == .unknown)
            #expect(sink.head == nil)
            #expect(sink.body.isEmpty)
            #expect(sink.outcome?.error != nil)
        }
        #expect(server.requests.count == 1)
    }

    @Test(
        "a sound neighbor of an odd reply is passed on",
        arguments: [
            ok, "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\nX-Trailer: a\r\n\r\n",
            String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 16) + ok,
            "HTTP/1.1 200 OK\r\n"
                + String(repeating: "X-A: \(String(repeating: "a", count: 1_000))\r\n", count: 64)
                + "Content-Length: 2\r\n\r\nok",
        ])
    func soundReply(_ reply: String) async throws {
        let server = RawServer(answering(reply))
        try await withForwarder { forwarder in
            let sink = try await forwarder.exchange(Sample(), with: server.authority)
            #expect(sink.outcome?.kind == .answered)
            #expect(sink.body == Array("ok".utf8))
            #expect(sink.told.withLock { $0.heads.count } == 1)
            #expect(sink.head?.fields.contains { $0.name == "x-trailer" } == false)
        }
    }

    @Test func `a reply without a length ends with its connection`() async throws {
        let server = RawServer { connection in
            _ = connection.read()
            connection.write("HTTP/1.1 200 OK\r\n\r\nok")
        }
        try await withForwarder { forwarder in
            let sink = try await forwarder.exchange(Sample(), with: server.authority)
            #expect(sink.outcome?.kind == .answered)
            #expect(sink.body == Array("ok".utf8))
        }
    }

    @Test(
        "a status line that is not one is refused without libcurl's word for it",
        arguments: [
            "HTTP/1.1 5x OK", "HTTP/1.1 20", "HTTP/1.1 2000 OK", "HTTP/1.1 200OK", "HTTP/1.1  200 OK",
            "HTTP/1.1 +20 OK", "HTTP/1.1 099 OK", "HTTP/1.1 600 OK", "HTTP/1.1 101 Switching", "HTTP/1.1", "",
            "http/1.1 200 OK", "HTTP/2 200 OK", "HTTP/1.2 200 OK", "ICY 200 OK",
        ])
    func statusLine(_ line: String) {
        var reader = ReplyReader()
        guard case .refused = reader.line(Array("\(line)\r\n".utf8)) else {
            Issue.record("`\(line)` was taken")
            return
        }
    }

    @Test func `only fields that AWS documents are passed on, without those of the connection`() {
        var reader = ReplyReader()
        let lines = [
            "HTTP/1.1 200 OK", "Connection: keep-alive, X-Amz-Named", "X-Amz-Named: 1",
            "Keep-Alive: timeout=5",
            "x-amz-version-id: v", "X-Amzn-RequestId: r", "Content-Type: a/b", "Content-Length: 0",
            "ETag: \"e\"",
            "Set-Cookie: a=b", "X-Countersign-Approval-Id: apr-1", "Access-Control-Allow-Origin: *",
            "Smithy-Protocol: rpc-v2-cbor", "Proxy-Authenticate: x", "Retry-After: 1", "Via: x",
        ]
        for line in lines { #expect(reader.line(Array("\(line)\r\n".utf8)) == .more) }
        let fields = [
            HeaderField("x-amz-version-id", "v"), HeaderField("x-amzn-requestid", "r"),
            HeaderField("content-type", "a/b"), HeaderField("etag", "\"e\""),
            HeaderField("smithy-protocol", "rpc-v2-cbor"), HeaderField("retry-after", "1"),
        ]
        #expect(reader.line([0x0D, 0x0A]) == .head(ReplyHead(status: 200, fields: fields, bodyByteCount: 0)))
        #expect(reader.awsRequestID == "r")
    }

    @Test func `an identifier that does not look like one is left out`() {
        var reader = ReplyReader()
        for line in [
            "HTTP/1.1 200 OK", "x-amz-request-id: a b", "x-amz-id-2: \(String(repeating: "a", count: 257))",
        ] {
            #expect(reader.line(Array("\(line)\r\n".utf8)) == .more)
        }
        _ = reader.line([0x0D, 0x0A])
        #expect(reader.awsRequestID == nil)
        #expect(reader.awsExtendedRequestID == nil)
    }
}

extension Sample: CustomTestStringConvertible {
    var testDescription: String {
        JSON.strings([method, path, query] + fields.map { "\($0.name):\($0.value)" }).text
    }
}
