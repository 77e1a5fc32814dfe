import Glibc
import Testing
import Vocabulary

@testable import Forwarding

@Suite("Local calls", .serialized) struct LocalCallTests {
    private func withSocket(
        _ script: @escaping @Sendable (RawServer.Connection) -> Void,
        _ body: (String, RawServer) throws -> Void
    ) throws {
        let folder = try temporaryFolder()
        let path = folder + "/s"
        defer {
            unlink(path)
            rmdir(folder)
        }
        let server = RawServer(path: path, script)
        try body(path, server)
        server.stop()
    }

    @Test func `a call over a unix socket is answered with status, fields and body`() throws {
        let reply = "HTTP/1.1 409 Conflict\r\nX-Own: a\r\nContent-Length: 2\r\n\r\n{}"
        try withSocket(answering(reply)) { path, server in
            let got = try localCall(
                socket: path, method: "POST", path: "/v1/approvals/apr-1?x=y",
                fields: [HeaderField("x-a", "b")],
                body: Array("{\"a\":1}".utf8))
            #expect(got.status == 409)
            #expect(got.body == Array("{}".utf8))
            #expect(got.fields.contains(HeaderField("x-own", "a")))
            let request = try #require(server.requests.first)
            #expect(request.line == "POST /v1/approvals/apr-1?x=y HTTP/1.1")
            #expect(request.values("content-type") == ["application/json"])
            #expect(request.values("x-a") == ["b"])
            #expect(request.body == Array("{\"a\":1}".utf8))
        }
    }

    @Test func `a call without a body sends none`() throws {
        try withSocket(answering(ok)) { path, server in
            _ = try localCall(socket: path, method: "GET", path: "/v1")
            _ = try localCall(socket: path, method: "DELETE", path: "/v1")
            _ = try localCall(socket: path, method: "POST", path: "/v1")
            #expect(server.requests.map { $0.values("content-length") } == [[], [], ["0"]])
            #expect(server.requests.allSatisfy { $0.values("content-type").isEmpty })
        }
    }

    @Test func `no listener, a silent one and a bad reply are told apart`() throws {
        #expect(throws: LocalCallError.unreachable(socket: "/nowhere/s")) {
            _ = try localCall(socket: "/nowhere/s", method: "GET", path: "/")
        }
        #expect(throws: LocalCallError.unreachable(socket: String(repeating: "a", count: 108))) {
            _ = try localCall(socket: String(repeating: "a", count: 108), method: "GET", path: "/")
        }
        try withSocket({
            _ = $0.read(); $0.drain()
        }) { path, _ in
            #expect(throws: LocalCallError.timedOut) {
                _ = try localCall(socket: path, method: "GET", path: "/", limit: .milliseconds(100))
            }
        }
        try withSocket(answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok")) {
            path, _ in
            #expect(throws: LocalCallError.badReply("the reply has two Content-Length fields")) {
                _ = try localCall(socket: path, method: "GET", path: "/")
            }
        }
        try withSocket({ connection in
            _ = connection.read()
            connection.write("HTTP/1.1 200 OK\r\n\r\n")
            while connection.write([UInt8](repeating: 0x61, count: 1_048_576)) {}
        }) { path, _ in
            #expect(throws: LocalCallError.badReply("the reply is larger than \(localReplyBytesMax) bytes")) {
                _ = try localCall(socket: path, method: "GET", path: "/")
            }
        }
    }

    @Test(
        "bytes that could change what is sent are refused",
        arguments: [("G T", "/"), ("GET", "/a b"), ("GET", "/\r\n"), ("GET", "v1")])
    func unsafe(_ method: String, _ path: String) {
        #expect(throws: LocalCallError.unsafe(part: method == "GET" ? "path" : "method")) {
            _ = try localCall(socket: "/nowhere/s", method: method, path: path)
        }
    }

    @Test func `a field that breaks its line is refused`() {
        for field in [HeaderField("x-a", "b\r\nc"), HeaderField("x a", "b"), HeaderField("host", "b")] {
            #expect(throws: LocalCallError.unsafe(part: "field `\(field.name)`")) {
                _ = try localCall(socket: "/nowhere/s", method: "GET", path: "/", fields: [field])
            }
        }
    }
}
