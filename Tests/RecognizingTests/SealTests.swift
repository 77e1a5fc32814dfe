import Recognizing
import Testing
import Vocabulary

/// What leaves here: everything that was judged, and nothing else that a client chose.
@Suite("Seal") struct SealTests {
    func call(
        _ method: String, _ target: String, _ fields: [(String, String)] = [], body: String = "",
        service: String = "s3", host: String = "127.0.0.1:8990"
    ) throws -> Call {
        let head = RequestHead(
            method: method, target: target,
            fields: [HeaderField("Host", host)] + fields.map { HeaderField($0.0, $0.1) })
        let caller = Caller(
            agent: try AgentName(parsing: "local"), session: SessionID(random: 7), strength: .listener,
            task: nil, reason: nil, scope: CredentialScope(region: "us-east-1", service: service))
        return try recognize(
            InboundRequest(head: head, body: Array(body.utf8)), caller: caller,
            setting: RecognitionSetting(account: "111122223333", region: "us-east-1"))
    }

    func fields(_ call: Call) -> [String] { call.sealed.fields.map { "\($0.name): \($0.value)" } }

    @Test func `what an upload says of its object goes along as it is`() throws {
        let said = [
            ("cache-control", "no-store"), ("content-disposition", "attachment; filename=\"a;b\""),
            ("content-encoding", "gzip"), ("content-language", "de"),
            ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
            ("content-type", "text/plain; charset=iso-8859-1"), ("expires", "Thu, 01 Jan 2026 00:00:00 GMT"),
            ("if-none-match", "*"), ("x-amz-checksum-sha256", "x"),
            ("x-amz-sdk-checksum-algorithm", "SHA256"),
            ("x-amz-expected-bucket-owner", "111122223333"), ("x-amz-meta-a", "  b  c"), ("x-amz-meta-", "-"),
            ("x-amz-request-payer", "requester"), ("x-amz-storage-class", "STANDARD_IA"),
            ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ]
        let call = try call("PUT", "/logs/k", said, body: "x")
        #expect(fields(call) == said.filter { $0.0 != "x-amz-meta-" }.map { "\($0.0): \($0.1)" })
        #expect(call.sealed.body == .bytes(Array("x".utf8)))
    }

    @Test func `what a read asks for goes along as it is`() throws {
        let said = [
            ("range", "bytes=0-9"), ("if-range", "\"e\""), ("if-match", "\"e\""),
            ("if-modified-since", "Thu, 01 Jan 2026 00:00:00 GMT"),
            ("x-amz-checksum-mode", "ENABLED"), ("x-amz-expected-bucket-owner", "111122223333"),
        ]
        let call = try call("GET", "/logs/k?response-content-type=a%2Fb&versionId=3", said)
        #expect(fields(call) == said.map { "\($0.0): \($0.1)" })
        #expect(call.sealed.query == "response-content-type=a%2Fb&versionId=3")
    }

    @Test(
        "a field that nobody judged stays here",
        arguments: [
            "x-amz-acl", "x-amz-copy-source", "x-amz-website-redirect-location", "x-amz-anything",
            "x-http-method-override",
            "x-original-url", "x-forwarded-host", "forwarded", "cookie", "x-amz-target2", "x-amz-date",
            "x-amz-content-sha256", "x-amz-security-token", "x-amz-s3session-token", "authorization2",
            "proxy-authorization",
            "te", "trailer", "upgrade", "x-countersign-task", "x-amz-meta-a",
            "content-encoding",
            "content-type", "origin-agent-cluster", "date",
        ])
    func strangersStay(_ name: String) throws {
        #expect(try call("GET", "/logs/k", [(name, "x")]).sealed.fields == [])
    }

    @Test func `a field that Connection names stays here, and takes nothing of ours with it`() throws {
        let call = try call(
            "PUT", "/logs/k", [("connection", "x-amz-acl, close"), ("x-amz-acl", "public-read")], body: "x")
        #expect(call.sealed.fields == [])
        #expect(call.meaning.pairs.map(\.action.description) == ["s3:PutObject"])
    }

    @Test func `the path and query leave here in one spelling`() throws {
        #expect(try call("GET", "/logs/a%2fb+c%7e;d=e").sealed.path == "/logs/a/b%2Bc~%3Bd%3De")
        #expect(try call("GET", "/logs/a/../b//c/").sealed.path == "/logs/a/../b//c/")
        #expect(try call("GET", "/k", host: "logs.s3.us-east-1.amazonaws.com").sealed.path == "/logs/k")
        #expect(
            try call("GET", "/logs?list-type=2&prefix=a+b%2f&x-id=x").sealed.query
                == "list-type=2&prefix=a%20b%2F")
        #expect(try call("GET", "/logs/?policy=").sealed.path == "/logs")
        let copy = try call("PUT", "/logs/k", [("x-amz-copy-source", "src/a%20b?versionId=3")])
        #expect(fields(copy) == ["x-amz-copy-source: src/a%20b?versionId=3"])
    }

    @Test func `a write without its condition is not sent`() throws {
        #expect(throws: RecognitionError.self) { try call("DELETE", "/logs/k", [("if-none-match", "*")]) }
        #expect(throws: RecognitionError.self) { try call("PUT", "/logs", [("if-match", "\"e\"")]) }
        #expect(try fields(call("DELETE", "/logs/k", [("if-match", "\"e\"")])) == ["if-match: \"e\""])
    }

    @Test func `a call of SQS goes to the queue that was judged`() throws {
        let type = ("content-type", "application/x-www-form-urlencoded")
        let form = "Action=SendMessage&MessageBody=x&Version=2012-11-05"
        let call = try call("POST", "/111122223333/orders", [type], body: form, service: "sqs")
        #expect(call.sealed.path == "/111122223333/orders")
        #expect(
            call.meaning.pairs.map(\.resource.description) == ["arn:aws:sqs:us-east-1:111122223333:orders"])
        #expect(throws: RecognitionError.self) {
            try self.call(
                "POST", "/111122223333/orders", [type], body: "Action=ListUsers&Version=2010-05-08",
                service: "iam")
        }
    }

    @Test func `a call with a target keeps its content type where it has no body`() throws {
        let said = [
            ("x-amz-target", "AmazonSSM.DescribeParameters"), ("content-type", "application/x-amz-json-1.1"),
        ]
        #expect(fields(try call("POST", "/", said, service: "ssm")) == said.map { "\($0.0): \($0.1)" })
        let read = try call("GET", "/logs/k", [("content-type", "text/plain")])
        #expect(!read.sealed.fields.contains { $0.name == "content-type" })
    }

    @Test func `a hash that is a parameter goes along, and only the body's own`() throws {
        let target =
            "/v1/package/version/publish?domain=d&repository=r&format=generic&package=p&version=1&asset=a"
        let hash = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
        func publish(_ hash: String) throws -> Call {
            try call(
                "POST", target, [("x-amz-content-sha256", hash)], body: "x", service: "codeartifact")
        }
        #expect(fields(try publish(hash)) == ["x-amz-content-sha256: \(hash)"])
        for other in [String(hash.reversed()), "UNSIGNED-PAYLOAD", ""] {
            #expect(throws: RecognitionError.self) { try publish(other) }
        }
        let upload = try call("PUT", "/logs/k", [("x-amz-content-sha256", hash)], body: "x")
        #expect(!upload.sealed.fields.contains { $0.name == "x-amz-content-sha256" })
    }

    @Test func `a batch holds a thousand keys and no more`() throws {
        func delete(_ count: Int) throws -> Call {
            let keys = (0..<count).map { "<Object><Key>\($0)</Key></Object>" }.joined()
            return try call("POST", "/logs?delete", body: "<Delete>\(keys)</Delete>")
        }
        #expect(try delete(1000).meaning.pairs.count == 1000)
        #expect(throws: RecognitionError.self) { try delete(1001) }
    }

    @Test func `a call of very many names is refused before it keeps others waiting`() throws {
        func json(_ target: String, _ body: String) throws -> Call {
            try call(
                "POST", "/", [("x-amz-target", target), ("content-type", "application/x-amz-json-1.1")],
                body: body, service: String(target.hasPrefix("AmazonSSM") ? "ssm" : "ecs"))
        }
        func names(_ count: Int) -> String { (0..<count).map { "\"n\($0)\"" }.joined(separator: ",") }
        #expect(
            try json("AmazonSSM.DeleteParameters", "{\"Names\":[\(names(4_000))]}").meaning.pairs.count
                == 4_000)
        #expect(throws: RecognitionError.self) {
            try json("AmazonSSM.DeleteParameters", "{\"Names\":[\(names(4_001))]}")
        }
        let describe = "AmazonEC2ContainerServiceV20141113.DescribeClusters"
        #expect(try json(describe, "{\"clusters\":[\(names(4_000))]}").meaning.pairs.count == 4_000)
        #expect(throws: RecognitionError.self) { try json(describe, "{\"clusters\":[\(names(4_001))]}") }

        func strangers(_ count: Int) -> String { (0..<count).map { "\"x\($0)\":1" }.joined(separator: ",") }
        #expect(throws: Never.self) { try json("AmazonSSM.DescribeParameters", "{\(strangers(100))}") }
        #expect(throws: RecognitionError.self) {
            try json("AmazonSSM.DescribeParameters", "{\(strangers(120))}")
        }
    }

    @Test func `a declaration of XML is short, and the parts of a form's names are counted`() throws {
        let keys = "<Delete><Object><Key>a</Key></Object></Delete>"
        let blanks = String(repeating: " ", count: 200)
        #expect(throws: Never.self) {
            try call("POST", "/logs?delete", body: "<?xml version='1.0' encoding='UTF-8'?>\(keys)")
        }
        #expect(throws: RecognitionError.self) {
            try call("POST", "/logs?delete", body: "<?xml version='1.0'\(blanks)?>\(keys)")
        }
        func form(_ count: Int) throws -> Call {
            let deep = (0..<count).map { number in
                [String](repeating: "a\(number)", count: 31).joined(separator: ".") + "=1"
            }
            return try call(
                "POST", "/", [("content-type", "application/x-www-form-urlencoded")],
                body: (["Action=ListUsers&Version=2010-05-08"] + deep).joined(separator: "&"),
                service: "iam")
        }
        #expect(throws: Never.self) { try form(100) }
        #expect(throws: RecognitionError.self) { try form(7_000) }
    }
}
