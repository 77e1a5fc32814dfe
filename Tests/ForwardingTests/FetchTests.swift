import Glibc
import Testing
import Vocabulary

@testable import Forwarding

@Suite("Fetches", .serialized) struct FetchTests {
    private func fetched(
        _ reply: String, limit: Duration = .seconds(5)
    ) throws -> (LocalReply, RawServer) {
        let server = RawServer(answering(reply))
        let fetch = Fetch(
            "PUT", "/latest/api/token?a=b", at: try Origin(authority: server.authority, usesTLS: false),
            fields: [HeaderField("x-aws-ec2-metadata-token-ttl-seconds", "60")])
        return (try fetch.perform(limit: limit, trustFile: "/nowhere"), server)
    }

    @Test func `a fetch sends what it is told, and nothing of curl's own`() throws {
        let (reply, server) = try fetched("HTTP/1.1 200 OK\r\nX-Own: a\r\nContent-Length: 2\r\n\r\nok")
        #expect(reply.status == 200 && reply.body == Array("ok".utf8))
        #expect(reply.fields.contains(HeaderField("x-own", "a")))
        let request = try #require(server.requests.first)
        #expect(request.line == "PUT /latest/api/token?a=b HTTP/1.1")
        let names = request.head.split(separator: "\r\n").dropFirst().map {
            $0.split(separator: ":")[0].lowercased()
        }
        #expect(names == ["host", "x-aws-ec2-metadata-token-ttl-seconds", "content-length"])
    }

    @Test func `a redirect is an answer, not a way`() throws {
        let target = RawServer(answering(ok))
        let (reply, server) = try fetched(
            "HTTP/1.1 302 Found\r\nLocation: http://\(target.authority)/\r\nContent-Length: 0\r\n\r\n")
        #expect(reply.status == 302)
        #expect(target.requests.isEmpty && server.requests.count == 1)
    }

    @Test func `a proxy of the environment is not asked`() throws {
        let proxy = RawServer(answering(ok))
        setenv("http_proxy", "http://\(proxy.authority)", 1)
        defer { unsetenv("http_proxy") }
        _ = try fetched(ok)
        #expect(proxy.requests.isEmpty)
    }

    @Test func `a reply that is too large, cut short or slow is none`() throws {
        let large =
            "HTTP/1.1 200 OK\r\nContent-Length: 262145\r\n\r\n" + String(repeating: "a", count: 262_145)
        #expect(throws: FetchError.self) { try fetched(large) }
        let whole =
            "HTTP/1.1 200 OK\r\nContent-Length: 262144\r\n\r\n" + String(repeating: "a", count: 262_144)
        #expect(try fetched(whole).0.body.count == Fetch.replyBytesMax)
        #expect(throws: FetchError.self) {
            try fetched("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok")
        }
        #expect(throws: FetchError.self) {
            try fetched("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", limit: .milliseconds(200))
        }
    }

    @Test(arguments: [
        ("http://127.0.0.1:8990", "127.0.0.1:8990", "/"), ("http://localhost/x?y=z", "localhost", "/x?y=z"),
        ("http://[::1]:80/", "[::1]:80", "/"), ("http://169.254.170.2/v2/a", "169.254.170.2", "/v2/a"),
        ("http://169.254.170.23/v1", "169.254.170.23", "/v1"),
        ("http://[fd00:ec2::23]/v1", "[fd00:ec2::23]", "/v1"),
        ("https://sts.example?x", "sts.example", "/?x"),
    ])
    func `an origin and its path`(_ url: String, _ authority: String, _ path: String) throws {
        let (origin, rest) = try Origin.split(url)
        #expect(origin.authority == authority && rest == path)
    }

    @Test(arguments: [
        "http://169.254.170.3/", "http://10.0.0.1/", "http://metadata/", "http://127.0.0.1.example/",
        "http://169.254.169.254.example/", "http://[fd00:ec2::24]/",
    ])
    func `plain http goes to this machine and to AWS's own addresses only`(_ url: String) {
        #expect {
            try Origin.split(url)
        } throws: { error in
            guard case FetchError.plainElsewhere = error else { return false }
            return true
        }
    }

    @Test(arguments: [
        "ftp://127.0.0.1/", "http://", "http://a@127.0.0.1/", "http://127.0.0.1:0/", "http://127.0.0.1#x",
        "127.0.0.1", "http://127.0.0.1 /", "http://127.0.0.1\\@evil/", "http:/127.0.0.1/",
    ])
    func `what is no origin is refused`(_ url: String) {
        #expect(throws: FetchError.self) { try Origin.split(url) }
    }

    @Test(arguments: ["a\r\nX-Evil: b", "a\nb", "a\u{0}b"])
    func `a token that breaks its line is not sent`(_ token: String) throws {
        let server = RawServer(answering(ok))
        let fetch = Fetch(
            "GET", "/", at: try Origin(authority: server.authority, usesTLS: false),
            fields: [HeaderField("authorization", token)])
        #expect(throws: FetchError.unsafe(part: "field `authorization`")) {
            try fetch.perform(limit: .seconds(1), trustFile: "/nowhere")
        }
        let path = Fetch("GET", "/\(token)", at: try Origin(authority: server.authority, usesTLS: false))
        #expect(throws: FetchError.unsafe(part: "path")) {
            try path.perform(limit: .seconds(1), trustFile: "/nowhere")
        }
        #expect(server.requests.isEmpty)
    }
}
