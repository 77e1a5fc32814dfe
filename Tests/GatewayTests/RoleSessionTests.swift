import Approving
import Deciding
import Identifying
import Recognizing
import Recording
import SigV4
import Testing
import Vocabulary

@testable import Gateway

@Suite("Sessions of roles") struct RoleSessionTests {
    private static let statements = """
        Countersign: 1
        Id: orders
        Agents: ["*"]
        Statement:
          - {Sid: Read, Effect: Allow, Action: "dynamodb:GetItem", Resource: "*"}
          - Sid: Drop
            Effect: Allow
            Action: "dynamodb:DeleteTable"
            Resource: "*"
            Condition: {NumericLessThan: {countersign:HourUTC: "24"}}
          - Sid: DeletesAsk
            Effect: AllowWithApproval
            Action: dynamodb:DeleteItem
            Resource: "*"
            Approval: {Approvers: [oncall], Scope: exact, MaxUses: 1, Hold: 20s}
        """

    private static func desk(_ mode: Downscope) throws -> Desk {
        var desk = try makeDesk(statements)
        desk.roleSessions = RoleSessionBook(mode: mode)
        return desk
    }

    private static func ready(
        _ want: RoleSessionWant, _ id: String = "ASIA1", lasts: Duration = .seconds(3_600),
        at now: Instant = noon
    ) throws -> RoleSessionBook.Ready {
        let asked = AssumeRole(
            "arn:aws:iam::111122223333:role/gateway", for: want.key, approval: want.approval, host: want.host,
            policy: nil, duration: lasts)
        var statements: AgentPolicy?
        var extent = SignedAs.Extent.none
        switch want.key.extent {
        case .statements(let prefixes):
            statements = try AgentPolicy(
                for: want.policy, caller: want.caller, host: want.host, prefixes: Set(prefixes))
            extent = .statements
        case .grant: extent = .grant
        case .call: extent = .call
        case .identity: extent = .none
        }
        let credentials = Credentials(
            accessKeyID: id, secretKey: Secret([1]), sessionToken: Secret([2]), expiration: nil)
        return RoleSessionBook.Ready(
            signer: Signer(credentials, SignedAs(extent: extent, role: asked.role)), asked: asked,
            statements: statements, set: want.policy.digest, end: now.advanced(by: lasts))
    }

    /// Answers the one thing that is due; what it was for.
    private static func answer(_ desk: inout Desk, _ id: String = "ASIA1", at now: Instant = noon) throws {
        let due = desk.roleSessions.takeDue()
        try #require(due.count == 1)
        let news = desk.roleSessions.settle(due[0], .success(try ready(due[0], id, at: now)), at: now)
        #expect(news == nil)
    }

    private static func fail(
        _ desk: inout Desk, _ failure: RoleSessionFailure, at now: Instant = noon
    ) throws -> String? {
        let due = desk.roleSessions.takeDue()
        try #require(due.count == 1)
        return desk.roleSessions.settle(due[0], .failure(failure), at: now)
    }

    private static let down = RoleSessionFailure.unavailable(why: "sts: down", lasts: .seconds(300))

    // MARK: - Which credentials

    @Test func `a read waits for its agent's session, and the next one has it`() throws {
        var (walk, desk) = (Walk("GetItem"), try Self.desk(.prefer))
        #expect(try walk.arrive(&desk) == "await role for statements of dynamodb")
        var second = Walk("GetItem", key: "o-92", number: 2)
        #expect(try second.arrive(&desk) == "await role for statements of dynamodb")
        // One question for both.
        try Self.answer(&desk)
        #expect(try walk.take(.assumed, &desk) == "record, 0 uses, as ASIA1 for statements")
        #expect(try second.take(.assumed, &desk) == "record, 0 uses, as ASIA1 for statements")
        var third = Walk("GetItem", key: "o-93", number: 3)
        #expect(try third.arrive(&desk) == "record, 0 uses, as ASIA1 for statements")
        #expect(desk.roleSessions.due.isEmpty)
    }

    @Test func `a call under a grant has a session of its own, that goes with the grant`() throws {
        var (walk, desk) = (Walk(), try Self.desk(.prefer))
        try walk.waits(1, &desk)
        try desk.review(1)
        #expect(try walk.take(.reconsider, &desk, at: after(5)) == "await role for \(GrantID(random: 1))")
        let due = desk.roleSessions.takeDue()
        #expect(due.first?.approval == ApprovalID(random: 1))
        #expect(due.first?.pairs.map(\.action.name) == ["DeleteItem"])
        // Nothing was used yet: what cannot be signed burns no grant.
        #expect(desk.grants.usesLeft(of: GrantID(random: 1)) == 1)
        _ = desk.roleSessions.settle(due[0], .success(try Self.ready(due[0], at: after(5))), at: after(5))
        #expect(try walk.take(.assumed, &desk, at: after(6)) == "record, 1 uses, as ASIA1 for grant")
        #expect(desk.roleSessions.count == 1)
        desk.roleSessions.prune(desk.grants, at: after(6))
        #expect(desk.roleSessions.count == 0)
    }

    @Test func `a grant revoked while its session is asked for sends nothing`() throws {
        var (walk, desk) = (Walk(), try Self.desk(.prefer))
        try walk.waits(1, &desk)
        try desk.review(1)
        _ = try walk.take(.reconsider, &desk, at: after(5))
        try desk.grants.revoke(GrantID(random: 1))
        try Self.answer(&desk, at: after(6))
        #expect(try walk.take(.assumed, &desk, at: after(6)) == "request")
    }

    @Test func `a policy that changed meanwhile is judged, not the one before`() throws {
        var (walk, desk) = (Walk("GetItem"), try Self.desk(.prefer))
        _ = try walk.arrive(&desk)
        desk.policy = try policySet(
            standing.replacing(
                "Effect: Allow, Action: \"dynamodb:GetItem\"",
                with: "Effect: Deny, Action: \"dynamodb:GetItem\""))
        try Self.answer(&desk)
        #expect(try walk.take(.assumed, &desk) == "refuse: denied")
    }

    @Test func `another set is asked about again, and what says the same keeps its session`() throws {
        var (walk, desk) = (Walk("GetItem"), try Self.desk(.prefer))
        _ = try walk.arrive(&desk)
        try Self.answer(&desk)
        desk.policy = try policySet(Self.statements + "\n# another text")
        var next = Walk("GetItem", number: 2)
        #expect(try next.arrive(&desk) == "await role for statements of dynamodb")
        #expect(desk.roleSessions.due.first?.earlier != nil)
    }

    @Test func `a client that leaves while it waits claims nothing`() throws {
        var (walk, desk) = (Walk("GetItem"), try Self.desk(.prefer))
        _ = try walk.arrive(&desk)
        #expect(try walk.take(.gone, &desk) == "withdraw")
        try Self.answer(&desk)
        #expect(try walk.take(.assumed, &desk) == "-")
    }

    @Test func `a write beyond what statements tell AWS has a session of its own pairs`() throws {
        var (walk, desk) = (Walk("DeleteTable"), try Self.desk(.prefer))
        #expect(try walk.arrive(&desk) == "await role for statements of dynamodb")
        try Self.answer(&desk)
        #expect(try walk.take(.assumed, &desk) == "await role for the call")
        try Self.answer(&desk, "ASIA2")
        #expect(try walk.take(.assumed, &desk) == "record, 0 uses, as ASIA2 for call")
    }

    @Test func `off signs with the gateway's own, and asks for nothing`() throws {
        var (walk, desk) = (Walk("GetItem"), try Self.desk(.off))
        #expect(try walk.arrive(&desk) == "record, 0 uses")
        #expect(desk.roleSessions.due.isEmpty)
    }

    // MARK: - What stands in the way

    @Test func `too large: prefer goes on under the agent's name, require refuses`() throws {
        for mode in [Downscope.prefer, .require] {
            var (walk, desk) = (Walk(), try Self.desk(mode))
            try walk.waits(1, &desk)
            try desk.review(1)
            _ = try walk.take(.reconsider, &desk, at: after(5))
            #expect(try Self.fail(&desk, .unsayable(why: "too large"), at: after(5)) == nil)
            let next = try walk.take(.assumed, &desk, at: after(6))
            if mode == .require {
                #expect(next == "refuse: unscoped: too large")
                #expect(desk.grants.usesLeft(of: GrantID(random: 1)) == 1)
                continue
            }
            #expect(next == "await role for the agent's name")
            try Self.answer(&desk, at: after(6))
            let sent = try walk.take(.assumed, &desk, at: after(6))
            #expect(sent == "record, 1 uses, as ASIA1 for none (too large)")
        }
    }

    @Test func `no session to be had: prefer goes on without and says so once, require refuses`() throws {
        for mode in [Downscope.prefer, .require] {
            var (walk, desk) = (Walk("GetItem"), try Self.desk(mode))
            _ = try walk.arrive(&desk)
            let news = try #require(try Self.fail(&desk, Self.down))
            #expect(news.contains("sts: down"))
            let without =
                mode == .require
                ? "refuse: fault unscoped(\"sts: down\")" : "record, 0 uses, not scoped down (sts: down)"
            #expect(try walk.take(.assumed, &desk) == without)
            // Nobody waits, and nobody asks, for a while.
            var next = Walk("GetItem", number: 2)
            #expect(try next.arrive(&desk, at: after(299)) == without)
            #expect(desk.roleSessions.due.isEmpty)
            // Then one asks, beside the calls.
            for number in [3, 4] as [UInt64] {
                var later = Walk("GetItem", number: number)
                #expect(try later.arrive(&desk, at: after(300)) == without)
            }
            #expect(try Self.fail(&desk, Self.down, at: after(301)) == nil, "said before")
            var last = Walk("GetItem", number: 5)
            _ = try last.arrive(&desk, at: after(700))
            let due = desk.roleSessions.takeDue()
            let back = desk.roleSessions.settle(
                due[0], .success(try Self.ready(due[0], at: after(700))), at: after(700))
            #expect(back?.contains("again") ?? false)
            var scoped = Walk("GetItem", number: 6)
            #expect(try scoped.arrive(&desk, at: after(701)) == "record, 0 uses, as ASIA1 for statements")
        }
    }

    @Test func `a session is renewed before its end, and never used at it`() throws {
        var (walk, desk) = (Walk("GetItem"), try Self.desk(.prefer))
        _ = try walk.arrive(&desk)
        try Self.answer(&desk)
        var early = Walk("GetItem", number: 2)
        #expect(try early.arrive(&desk, at: after(2_990)).hasPrefix("record"))
        #expect(desk.roleSessions.due.isEmpty)
        var late = Walk("GetItem", number: 3)
        #expect(try late.arrive(&desk, at: after(3_010)).hasPrefix("record"))
        #expect(desk.roleSessions.due.count == 1, "asked for beside the call")
        _ = try Self.fail(&desk, Self.down, at: after(3_011))
        var kept = Walk("GetItem", number: 4)
        #expect(
            try kept.arrive(&desk, at: after(3_569)) == "record, 0 uses, as ASIA1 for statements",
            "good until its end")
        var over = Walk("GetItem", number: 5)
        #expect(try over.arrive(&desk, at: after(3_571)) == "record, 0 uses, not scoped down (sts: down)")
    }

    @Test func `a session whose key AWS refuses is asked for anew`() throws {
        var (walk, desk) = (Walk("GetItem"), try Self.desk(.prefer))
        _ = try walk.arrive(&desk)
        let due = desk.roleSessions.takeDue()
        let ready = try Self.ready(due[0])
        _ = desk.roleSessions.settle(due[0], .success(ready), at: noon)
        desk.roleSessions.drop(ready.signer)
        #expect(try walk.take(.assumed, &desk) == "await role for statements of dynamodb")
    }

    @Test func `the book is bounded, and one agent's calls do not push out another's`() throws {
        var desk = try Self.desk(.require)
        var other = Walk("GetItem")
        _ = try other.arrive(&desk)
        try Self.answer(&desk)
        let caller = Caller(
            agent: try AgentName(parsing: "noisy"), session: SessionID(random: 9), strength: .listener,
            task: nil, reason: nil, scope: nil)
        for number in 0..<(RoleSessionBook.perAgentCountMax + 10) {
            let digest = try #require(
                Digest(bytes: [UInt8(number % 256), UInt8(number / 256)] + Array(repeating: 0, count: 30)))
            let want = RoleSessionWant(
                key: RoleSessionKey(caller, .call(digest)), caller: caller, pairs: [], approval: nil,
                policy: desk.policy, host: nil, lifetime: nil, earlier: nil)
            _ = desk.roleSessions.settle(want, .success(try Self.ready(want)), at: noon)
        }
        #expect(desk.roleSessions.count == RoleSessionBook.perAgentCountMax + 1)
        #expect(try other.take(.assumed, &desk).hasPrefix("record"))
    }

    @Test func `a key that stands for a role signs as that role or not at all`() throws {
        for mode in Downscope.allCases {
            var desk = try Self.desk(mode)
            let power = IssuedPower(
                accessKeyID: "CSAKX", owner: nil, account: "111122223333",
                role: "arn:aws:iam::111122223333:role/deploy", expires: after(600))
            let caller = Caller(
                agent: try AgentName(parsing: "support-7"), session: SessionID(random: 7), strength: .signed,
                task: nil, reason: nil, scope: nil, issued: power)
            var walk = Walk("GetItem")
            _ = try walk.arrive(&desk)
            let call = try #require(walk.corridor.call)
            guard case .allow(let allowance) = desk.decide(call.meaning, caller: caller, at: noon) else {
                throw Unexpected()
            }
            _ = desk.roleSessions.takeDue()
            guard case .comes(let key) = desk.power(for: call.meaning, allowance, caller, at: noon) else {
                throw Unexpected()
            }
            #expect(key.role == power.role)
            _ = try Self.fail(&desk, Self.down)
            guard case .unavailable = desk.power(for: call.meaning, allowance, caller, at: noon) else {
                throw Unexpected()
            }
        }
    }

    // MARK: - Names

    @Test func `what AWS is told of who calls is what it takes`() throws {
        func asked(_ agent: String, task: String? = nil, host: String? = "web-14") throws -> AssumeRole {
            let caller = Caller(
                agent: try AgentName(parsing: agent), session: SessionID(random: 7), strength: .signed,
                task: task.map { ClaimedText($0, source: .sessionToken) }, reason: nil, scope: nil)
            return AssumeRole(
                "arn:aws:iam::111122223333:role/gateway", for: RoleSessionKey(caller, .identity),
                approval: ApprovalID(random: 1), host: host, policy: nil, duration: .seconds(900))
        }
        let usual = try asked("support-7", task: "JIRA-42")
        #expect(usual.sessionName == "support-7@\(SessionID(random: 7))")
        #expect(usual.sourceIdentity == "support-7")
        #expect(
            usual.tags.map { "\($0.key)=\($0.value)" } == [
                "countersign:agent=support-7", "countersign:approval=\(ApprovalID(random: 1))",
                "countersign:task=JIRA-42", "countersign:host=web-14",
            ])
        #expect(usual.transitiveKeys == ["countersign:agent"])
        let long = String(repeating: "a", count: 64)
        let cut = try asked(long)
        #expect(cut.sessionName.count == 64 && cut.sessionName.hasSuffix("@\(SessionID(random: 7))"))
        #expect(cut.sourceIdentity == long)
        #expect(try asked("a").sourceIdentity == "agent=a")
        let odd = try asked("b-1", task: "drop \u{202E}; \"x\" é\n" + String(repeating: "t", count: 400))
        let task = try #require(odd.tags.first { $0.key == "countersign:task" }).value
        #expect(task.count == 256 && task.hasPrefix("drop __ _x_ __tt"))
    }

    @Test func `the role of a session is read off its ARN, and nobody else has one`() {
        #expect(
            roleARN(of: "arn:aws:sts::111122223333:assumed-role/gateway/i-1")
                == "arn:aws:iam::111122223333:role/gateway")
        #expect(
            roleARN(of: "arn:aws-cn:iam::111122223333:role/team/gateway")
                == "arn:aws-cn:iam::111122223333:role/team/gateway")
        for arn in [
            "arn:aws:iam::111122223333:user/mia", "arn:aws:iam::111122223333:root", "",
            "arn:aws:sts::1:assumed-role/a/b",
            "arn:aws:sts::111122223333:federated-user/mia", "arn:aws:iam::111122223333:role",
        ] { #expect(roleARN(of: arn) == nil) }
    }
}
