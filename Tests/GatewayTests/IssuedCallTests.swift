import Hashing
import Identifying
import Recognizing
import SigV4
import Testing
import Vocabulary

@testable import Gateway

/// A desk whose host key issued keys for session 9 of `support-7`, and calls signed with them.
private struct Stand {
    var desk: Desk
    let keys: IssuedKeys

    init(_ policy: String = standing) throws {
        desk = try makeDesk(policy)
        let key = try #require(HostKey(bytes: [UInt8](repeating: 3, count: 32)))
        desk.keys = KeyRing(key)
        let agent = try AgentName(parsing: "support-7")
        desk.sessions.apply(
            .opened(
                Session(
                    id: SessionID(random: 9), agent: agent, uid: 1_500, owner: nil, task: "JIRA-42",
                    reason: nil, opened: noon)))
        keys = key.issue(
            try IssuedIdentity(
                agent: agent, session: SessionID(random: 9), task: "JIRA-42", reason: "erase", owner: nil,
                account: nil, role: nil, issued: noon, expires: after(28_800)),
            id: IssuedKeyID(random: (4, 4)))
    }

    /// The head of `operation`, signed for `body`.
    func head(_ operation: String = "GetItem", _ body: [UInt8] = itemBody(), at date: Instant = noon)
        -> RequestHead
    {
        let plain = dynamoHead(operation)
        let signed = signByHeaders(
            SigningInput(
                method: "POST", path: "/", query: "", pathRule: .normalized, authority: "127.0.0.1:8990",
                fields: plain.fields.filter { $0.name != "host" }, payload: sha256(body),
                sendsPayloadHash: false, region: "us-east-1", service: "dynamodb"),
            with: Credentials(
                accessKeyID: keys.accessKeyID, secretKey: keys.secretKey, sessionToken: keys.sessionToken,
                expiration: nil), at: date, keys: SigningKeys())
        return RequestHead(
            method: "POST", target: "/", fields: [HeaderField("host", "127.0.0.1:8990")] + signed.fields)
    }

    /// A call of STS with `form`, signed or not.
    func roleCall(_ form: String, isSigned: Bool = true) -> (head: RequestHead, body: [UInt8]) {
        let body = Array(("Action=AssumeRole&Version=2011-06-15&" + form).utf8)
        let fields = [
            HeaderField("content-type", "application/x-www-form-urlencoded"),
            HeaderField("content-length", "\(body.count)"),
        ]
        let host = HeaderField("host", "127.0.0.1:8990")
        guard isSigned else {
            return (RequestHead(method: "POST", target: "/", fields: [host] + fields), body)
        }
        let signed = signByHeaders(
            SigningInput(
                method: "POST", path: "/", query: "", pathRule: .normalized, authority: host.value,
                fields: fields, payload: sha256(body), sendsPayloadHash: false, region: "us-east-1",
                service: "sts"),
            with: Credentials(
                accessKeyID: keys.accessKeyID, secretKey: keys.secretKey, sessionToken: keys.sessionToken,
                expiration: nil), at: noon, keys: SigningKeys())
        return (RequestHead(method: "POST", target: "/", fields: [host] + signed.fields), body)
    }

    /// What the corridor does with `head` and then `body`, and whom it takes for the caller.
    mutating func arrive(
        _ head: RequestHead, _ body: [UInt8] = itemBody(), at now: Instant = noon
    ) throws -> (action: String, caller: Caller?) {
        var corridor = Corridor(request: RequestID(random: 1))
        let first = word(
            corridor.step(.head(head, wall: now), at: try otherBinding(), of: &desk, now: now))
        guard first == "read body" else { return (first, corridor.caller) }
        let action = word(corridor.step(.body(body), at: try otherBinding(), of: &desk, now: now))
        return (action, corridor.caller)
    }

    private func otherBinding() throws -> ListenerBinding {
        ListenerBinding(agent: try AgentName(parsing: "other"), session: SessionID(random: 7))
    }
}

@Suite("Calls signed with issued keys") struct IssuedCallTests {
    @Test func `the caller is whom the key was issued to, whatever listener it came in by`() throws {
        var stand = try Stand()
        let (action, caller) = try stand.arrive(stand.head())
        #expect(action == "record, 0 uses")
        #expect(caller?.agent.text == "support-7" && caller?.session == SessionID(random: 9))
        #expect(caller?.strength == .signed && caller?.task?.text == "JIRA-42")
        #expect(caller?.issued?.accessKeyID == stand.keys.accessKeyID)
    }

    @Test func `another body, date, field or key is refused and is nobody's call`() throws {
        var stand = try Stand()
        let head = stand.head()
        let other = try stand.arrive(head, itemBody("o-92"))
        #expect(other.action == "refuse: unidentified" && other.caller == nil)
        for (name, value) in [
            ("x-amz-target", "DynamoDB_20120810.DeleteItem"), ("x-amz-date", "20261122T083101Z"),
            ("x-amz-security-token", "AAAA"), ("authorization", "AWS4-HMAC-SHA256 Credential=x"),
        ] {
            let fields = head.fields.map { $0.name == name ? HeaderField(name, value) : $0 }
            let (action, caller) = try stand.arrive(RequestHead(method: "POST", target: "/", fields: fields))
            #expect(action == "refuse: unidentified" && caller == nil, "\(name)")
        }
        #expect(try stand.arrive(head, at: after(901)).action == "refuse: unidentified")
        stand.desk.keys = KeyRing(HostKey(bytes: [UInt8](repeating: 4, count: 32)))
        #expect(try stand.arrive(head).action == "refuse: unidentified")
        stand.desk.keys = KeyRing()
        #expect(try stand.arrive(head).action == "refuse: unidentified")
    }

    @Test func `a key ends with its session, at once`() throws {
        var stand = try Stand()
        let head = stand.head()
        #expect(try stand.arrive(head).action == "record, 0 uses")
        stand.desk.sessions.apply(
            .closed(SessionID(random: 9), .init(cause: .approver, by: "alice", reason: nil, at: noon)))
        #expect(try stand.arrive(head).action == "refuse: session over")
    }

    @Test func `a retry with the same signature is a call like the first`() throws {
        var stand = try Stand()
        let head = stand.head()
        for _ in 0..<3 { #expect(try stand.arrive(head).action == "record, 0 uses") }
    }

    @Test func `each refusal says what to do, in the service's own code`() throws {
        let desk = try makeDesk()
        func told(_ error: IdentificationError) -> Answer {
            words(for: .unidentified(error), desk: desk, now: noon, shape: answerShape(dynamoHead("GetItem")))
        }
        for (error, part) in [
            (.badToken(why: "it was changed"), "token is not good: it was changed. `countersign run`"),
            (.keyExpired(noon), "good until 2026-11-22T08:31:00.000Z. `countersign run`"),
            (.presignedExpired(noon), "it can be made anew"),
            (.wrongSignature, "the secret key is another one"),
            (.skewedClock(by: .seconds(1_200)), "signed 20 min before this host's time"),
            (.skewedClock(by: .seconds(-1_200)), "signed 20 min after this host's time"),
            (.wrongBody, "its body is not the one that was signed"),
        ] as [(IdentificationError, String)] {
            let answer = told(error)
            #expect(answer.message.contains(part), "\(answer.message)")
            // The codes that clients know for these faults make them try again.
            #expect(answer.status == 403 && answer.code == "AccessDeniedException")
        }
    }

    @Test func `a role that policy names is given by the gate, and not as more than was asked for`() throws {
        let role = "arn:aws:iam::444455556666:role/deploy"
        var stand = try Stand(
            """
            Countersign: 1
            Id: roles
            Agents: ["*"]
            Statement:
              - {Sid: Role, Effect: Allow, Action: "sts:AssumeRole", Resource: "\(role)"}
            """)
        let plain = "RoleArn=\(role)&RoleSessionName=x"
        for (form, expected) in [
            (plain, "give \(role) for 3600 s 4"),
            (plain + "&DurationSeconds=900", "give \(role) for 900 s 4"),
            (plain + "&DurationSeconds=899", #"refuse: role unlike: ["DurationSeconds"]"#),
            (plain + "&DurationSeconds=43201", #"refuse: role unlike: ["DurationSeconds"]"#),
            (plain + "&Policy=%7B%7D", #"refuse: role unlike: ["Policy"]"#),
            (plain + "&ExternalId=x1", #"refuse: role unlike: ["ExternalId"]"#),
            ("RoleArn=arn:aws:iam::444455556666:role/other&RoleSessionName=x", "refuse: denied"),
        ] {
            let (head, body) = stand.roleCall(form)
            var corridor = Corridor(request: RequestID(random: 1))
            let binding = try binding()
            _ = corridor.step(.head(head, wall: noon), at: binding, of: &stand.desk, now: noon)
            var action = word(corridor.step(.body(body), at: binding, of: &stand.desk, now: noon))
            if action == "record, 0 uses" {
                action = word(
                    corridor.step(.durable(EntryID(seq: 4)), at: binding, of: &stand.desk, now: noon))
            }
            #expect(action == expected, "\(form)")
        }
    }
}
