import Identifying
import Testing
import Vocabulary

@Suite("Identifying") struct IdentifyingTests {
    let binding: ListenerBinding

    init() throws {
        binding = ListenerBinding(agent: try AgentName(parsing: "local"), session: SessionID(random: 7))
    }

    func head(_ fields: [(String, String)], target: String = "/") -> RequestHead {
        RequestHead(method: "POST", target: target, fields: fields.map { HeaderField($0.0, $0.1) })
    }

    /// The caller of a call that needs no signature.
    func caller(_ head: RequestHead, at binding: ListenerBinding) throws -> Caller {
        var keys = KeyRing()
        let now = Instant(secondsSinceEpoch: 1_795_336_260)
        return try identify(head, at: binding, keys: &keys, now: now, wall: now).caller(
            sending: [], content: [], chunks: nil)
    }

    func authorization(_ key: String, scope: String = "20261123/eu-west-1/DynamoDB/aws4_request") -> (
        String, String
    ) {
        ("Authorization", "AWS4-HMAC-SHA256 Credential=\(key)/\(scope), SignedHeaders=host, Signature=00")
    }

    @Test func `an unsigned call is the listener's agent`() throws {
        let caller = try caller(head([("Host", "127.0.0.1")]), at: binding)
        #expect(caller.agent == binding.agent && caller.session == binding.session)
        #expect(caller.strength == .listener && caller.scope == nil && caller.task == nil)
    }

    @Test func `the dummy key carries region, service, task and reason`() throws {
        let caller = try caller(
            head([
                authorization("unsigned"),
                ("X-Amz-Security-Token", "task=JIRA-42;reason=erase%20o-91%3B%20asked"),
                ("X-Countersign-Task", "other"),
            ]), at: binding)
        #expect(caller.scope == CredentialScope(region: "eu-west-1", service: "dynamodb"))
        #expect(caller.task == ClaimedText("JIRA-42", source: .sessionToken))
        #expect(caller.reason == ClaimedText("erase o-91; asked", source: .sessionToken))
    }

    @Test func `task and reason come from headers, and the task from the application id last`() throws {
        let byHeader = try caller(
            head([
                ("X-Countersign-Task", "t"), ("X-Countersign-Reason", "r"), ("User-Agent", "Boto3/1 app/a7"),
            ]), at: binding)
        #expect(
            byHeader.task == ClaimedText("t", source: .header)
                && byHeader.reason == ClaimedText("r", source: .header))
        let byAgent = try caller(head([("User-Agent", "Boto3/1.43 md/x app/agent7")]), at: binding)
        #expect(byAgent.task == ClaimedText("agent7", source: .userAgent))
    }

    @Test("a real AWS key is refused and named by its ends only", arguments: ["AKIA", "ASIA"])
    func realKey(prefix: String) {
        #expect(throws: IdentificationError.realKey(id: "\(prefix)…MPLE")) {
            try caller(head([authorization("\(prefix)IOSFODNN7EXAMPLE")]), at: binding)
        }
        #expect(throws: IdentificationError.realKey(id: "\(prefix)…MPLE")) {
            try caller(
                head(
                    [],
                    target:
                        "/b/k?X-Amz-Credential=\(prefix)IOSFODNN7EXAMPLE%2F20261123%2Fus-east-1%2Fs3"
                        + "%2Faws4_request"
                ),
                at: binding)
        }
        #expect(throws: IdentificationError.realKey(id: "\(prefix)…MPLE")) {
            try caller(
                head([], target: "/b/k?AWSAccessKeyId=\(prefix)IOSFODNN7EXAMPLE&Signature=x"), at: binding)
        }
    }

    @Test(
        "any other credential is refused",
        arguments: [
            "AWS4-HMAC-SHA256 Credential=unsigned2/20261123/eu-west-1/s3/aws4_request,"
                + " SignedHeaders=host, Signature=0",
            "AWS4-HMAC-SHA256 Credential=CSAK0123456789ABCDEF/20261123/eu-west-1/s3/aws4_request,"
                + " SignedHeaders=host, Signature=0",
            "AWS4-ECDSA-P256-SHA256 Credential=unsigned/20261123/s3/aws4_request,"
                + " SignedHeaders=host, Signature=0",
            "AWS4-HMAC-SHA256 Credential=unsigned/20261123/eu-west-1/s3,"
                + " SignedHeaders=host, Signature=0",
            "AWS4-HMAC-SHA256 Credential=unsigned/2026/eu-west-1/s3/aws4_request,"
                + " SignedHeaders=host, Signature=0",
            "AWS4-HMAC-SHA256 Credential=unsigned/20261123/eu-west-1/s3/aws4_request, Credential=x,"
                + " Signature=0",
            "AWS4-HMAC-SHA256 Credential=unsigned/20261123/e\u{FC}/s3/aws4_request,"
                + " SignedHeaders=host, Signature=0",
            "Bearer abc", "Basic dW5zaWduZWQ6", "AWS unsigned:abc", "AWS4-HMAC-SHA256", "",
        ])
    func otherCredential(value: String) {
        #expect(throws: IdentificationError.self) {
            try caller(head([("Authorization", value)]), at: binding)
        }
    }

    @Test func `a token without a signature, two credentials, and a token of another form are refused`() {
        for (fields, target) in [
            ([("X-Amz-Security-Token", "task=x")], "/"),
            ([authorization("unsigned"), authorization("unsigned")], "/"),
            (
                [authorization("unsigned")],
                "/?X-Amz-Credential=unsigned%2F20261123%2Fus-east-1%2Fs3%2Faws4_request"
            ),
            ([authorization("unsigned"), ("X-Amz-Security-Token", "FwoGZXIvYXdzE")], "/"),
            ([authorization("unsigned"), ("X-Amz-Security-Token", "task=a;task=b")], "/"),
            ([authorization("unsigned"), ("X-Amz-Security-Token", "task=%zz")], "/"),
            ([authorization("unsigned"), ("X-Amz-Security-Token", "task=a;agent=b")], "/"),
            ([], "/?X-Amz-Signature=00"),
        ] {
            #expect(throws: IdentificationError.self) {
                try caller(head(fields, target: target), at: binding)
            }
        }
    }

    @Test func `a presigned url by the dummy key is the listener's agent`() throws {
        let scope = "unsigned%2F20261123%2Feu-west-1%2Fs3%2Faws4_request"
        let caller = try caller(
            head(
                [],
                target: "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=\(scope)&X-Amz-Signature=00"),
            at: binding)
        #expect(caller.scope == CredentialScope(region: "eu-west-1", service: "s3"))
        #expect(
            try self.caller(
                head([], target: "/b/k?AWSAccessKeyId=unsigned&Signature=a&Expires=1"), at: binding
            )
            .scope == nil)
    }

    @Test func `a call from a web page is refused`() {
        for origin in ["https://example.com", "null"] {
            #expect(throws: IdentificationError.self) {
                try caller(head([("Origin", origin)]), at: binding)
            }
        }
        // An image's address needs no Origin.
        for name in ["Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "sec-fetch-user"] {
            #expect(throws: IdentificationError.self) {
                try caller(head([(name, "none")], target: "/?Action=DeleteTopic"), at: binding)
            }
        }
    }

    @Test func `agent text is cut at 500 characters and one past it`() throws {
        for count in [500, 501] {
            let caller = try caller(
                head([("X-Countersign-Task", String(repeating: "x", count: count))]), at: binding)
            #expect(caller.task?.text.count == 500)
            #expect(caller.task?.text.hasSuffix("…") == (count > 500))
        }
    }
}
