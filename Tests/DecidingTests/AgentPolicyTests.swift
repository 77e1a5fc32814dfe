import Recognizing
import Testing
import Vocabulary

@testable import Deciding

@Suite("The session policy of an agent's statements") struct AgentPolicyTests {
    private static let names = SessionPolicyTests.names

    private static func set(_ statements: String) throws -> PolicySet {
        let indented = statements.split(separator: "\n").enumerated().map { number, line in
            let isUnnamed = line.hasPrefix("- {") && !line.hasPrefix("- {Sid")
            return "  " + (isUnnamed ? "- {Sid: S\(number), " + line.dropFirst(3) : line)
        }.joined(separator: "\n")
        let text = "Countersign: 1\nId: test\nAgents: [\"*\"]\nStatement:\n\(indented)\n"
        return try .load(
            files: [PolicyFile("test.yaml", text), PolicyFile("approvers.yaml", people)], actions: names)
    }

    private static func caller(_ strength: IdentityStrength = .signed, task: String? = "T-1") throws -> Caller
    {
        Caller(
            agent: try AgentName(parsing: "etl-1"), session: SessionID(random: 7), strength: strength,
            task: task.map { ClaimedText($0, source: .sessionToken) }, reason: nil, scope: nil)
    }

    private static func policy(
        _ statements: String, _ prefixes: Set<String> = ["s3"], caller who: Caller? = nil,
        host: String? = "h",
        isCompact: Bool = false
    ) throws -> AgentPolicy {
        try AgentPolicy(
            for: set(statements), caller: who ?? caller(), host: host, prefixes: prefixes,
            isCompact: isCompact)
    }

    /// The rules of `policy` as text, the rider left off.
    private static func rules(_ policy: AgentPolicy) throws -> [String] {
        let json = try JSON(parsing: Array(policy.policy.text.utf8))
        return (json["Statement"]?.array ?? []).map(\.text).filter { !$0.contains("ViaAWSService") }
    }

    @Test func `what allows the agent is in it, for the services of the call alone`() throws {
        let policy = try Self.policy(
            """
            - {Effect: Allow, Action: ["s3:GetObject", "dynamodb:GetItem"], Resource: "arn:aws:s3:::a/*"}
            - {Effect: Allow, Action: "*", Resource: "arn:aws:s3:::${countersign:Agent}/*", Agents: ["etl-*"]}
            - {Effect: Allow, Action: s3:PutObject, Resource: "*", Agents: [other]}
            - {Effect: AllowWithApproval, Action: s3:DeleteObject, Resource: "*",
               Approval: {Approvers: [oncall]}}
            """, isCompact: true)
        let rules = try Self.rules(policy)
        #expect(rules.count == 2, "\(rules)")
        #expect(
            rules.contains(#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*"}"#),
            "\(rules)")
        let own = try #require(rules.first { $0.contains("arn:aws:s3:::etl-1/*") })
        // `*` names no operation that hands out keys.
        let actions = try JSON(parsing: Array(own.utf8))["Action"]?.array?.compactMap(\.string) ?? []
        func names(_ action: String) -> Bool {
            actions.contains { Pattern(Substring($0), foldsCase: true).matches(action) }
        }
        let vending = SessionPolicyTests.actions.filter { faceted in
            faceted.action.prefix == "s3" && faceted.facets.contains(where: \.facet.vends)
        }
        #expect(names("s3:GetObject") && !vending.isEmpty, "\(own)")
        for faceted in vending { #expect(!names(faceted.action.description), "\(faceted.action)") }
        #expect(
            !policy.policy.text.contains("dynamodb")
                && !policy.policy.text.contains("PutObject\",\"Resource\":\"*"))
    }

    @Test func `what the set denies or asks about is denied`() throws {
        let rules = try Self.rules(
            Self.policy(
                """
                - {Effect: Allow, Action: dynamodb:*, Resource: "*"}
                - {Effect: RequireApproval, Action: [dynamodb:DeleteTable, s3:DeleteBucket], Resource: "*",
                   Approval: {Approvers: [oncall]}}
                - {Effect: Deny, Action: "*", Resource: "*",
                   Condition: {StringNotEquals: {aws:RequestedRegion: us-east-1}}}
                - {Effect: Deny, Action: dynamodb:PutItem, Resource: "*", Agents: [other]}
                - {Effect: Deny, Action: s3:PutObject, Resource: "*"}
                """, ["dynamodb"]))
        #expect(
            rules == [
                #"{"Effect":"Allow","Action":"dynamodb:*","Resource":"*"}"#,
                #"{"Effect":"Deny","Action":"dynamodb:DeleteTable","Resource":"*"}"#,
                #"{"Effect":"Deny","Action":"dynamodb:*","Resource":"*","#
                    + #""Condition":{"StringNotEquals":{"aws:RequestedRegion":"us-east-1"}}}"#,
            ])
    }

    @Test func `what only the gate sees allows nothing, and denies whatever it says`() throws {
        let rules = try Self.rules(
            Self.policy(
                """
                - {Effect: Allow, Action: s3:PutObject, Resource: "*",
                   Condition: {NumericLessThan: {countersign:HourUTC: 6}}}
                - {Effect: Allow, Action: s3:GetObject, Resource: "arn:aws:s3:::${countersign:HourUTC}/*"}
                - {Effect: Allow, Action: s3:ListBucket, Resource: "*"}
                - {Effect: Deny, Action: s3:ListBucket, Resource: "arn:aws:s3:::a",
                   Condition: {NumericGreaterThan: {countersign:ItemCount: 6}}}
                """))
        #expect(
            rules == [
                #"{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}"#,
                #"{"Effect":"Deny","Action":"s3:ListBucket","Resource":"arn:aws:s3:::a"}"#,
            ])
    }

    @Test func `who calls is settled before AWS is asked`() throws {
        let statements = """
            - {Effect: Allow, Action: s3:PutObject, Resource: "*",
               Condition: {StringEquals: {countersign:Strength: signed}}}
            - {Effect: Allow, Action: s3:GetObject, Resource: "arn:aws:s3:::${countersign:Task}/*"}
            - {Effect: Allow, Action: s3:ListBucket, Resource: "*",
               Condition: {StringEquals: {countersign:Host: h}}}
            """
        let signed = try Self.policy(statements, caller: Self.caller(task: "a*${x}"))
        #expect(
            try Self.rules(signed) == [
                #"{"Effect":"Allow","Action":["s3:ListBucket","s3:PutObject"],"Resource":"*"}"#,
                #"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a${*}${$}{x}/*"}"#,
            ])
        // Any task would be a session of its own, as often as the agent likes.
        #expect(try Self.rules(Self.policy(statements, caller: Self.caller(.listener), host: nil)) == [])
        #expect(try Self.rules(Self.policy(statements, caller: Self.caller(task: nil), host: "g")).count == 1)
    }

    @Test func `an action that AWS cannot tell apart is left to a policy of its own`() throws {
        let rules = try Self.rules(
            Self.policy(
                """
                - {Effect: Allow, Action: [s3:GetObject, s3:ListBucket], Resource: "*",
                   Condition: {StringEquals: {countersign:Sensitivity: metadata}}}
                """))
        // A look at an object needs the same action as a read of it.
        #expect(rules == [#"{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}"#])
    }

    @Test func `covers tells the calls that the policy lets through`() throws {
        let statements = """
            - {Sid: A, Effect: Allow, Action: s3:GetObject, Resource: "*"}
            - {Sid: B, Effect: Allow, Action: s3:PutObject, Resource: "*",
               Condition: {NumericLessThan: {countersign:ItemCount: 6}}}
            - {Sid: C, Effect: Deny, Action: s3:GetObject, Resource: "arn:aws:s3:::a/*",
               Condition: {NumericGreaterThan: {countersign:ItemCount: 6}}}
            """
        let policy = try Self.policy(statements)
        func covers(_ pairs: [Pair], mode: Mode = .enforce) throws -> Bool {
            let meaning = try meaning(pairs)
            let caller = try Self.caller()
            let decision = decide(
                meaning, caller: caller, under: try Self.set(statements), grants: GrantBook(), mode: mode,
                at: noon)
            guard case .allow(let allowance) = decision else { throw SessionPolicyError.noPairs }
            return policy.covers(allowance, of: meaning, caller: caller, host: "h", at: noon)
        }
        let (get, put) = ("s3:GetObject", "s3:PutObject")
        #expect(try covers([pair(get, Resource("arn:aws:s3:::b/k"))]))
        #expect(try !covers([pair(get, Resource("arn:aws:s3:::a/k"))]))
        #expect(try !covers([pair(get, Resource([.known("arn:aws:s3:::"), .unknown]))]))
        #expect(try !covers([pair(put, Resource("arn:aws:s3:::b/k"))]))
        #expect(
            try !covers([pair(get, Resource("arn:aws:s3:::b/k")), pair(put, Resource("arn:aws:s3:::b/k"))]))
        #expect(try !covers([pair("s3:DeleteBucket", Resource("arn:aws:s3:::b"))], mode: .observe))
    }

    @Test func `what does not fit is said so, and compaction makes it smaller`() throws {
        let all = FacetedAction.all(in: .builtIn, of: ["dynamodb"]).map(\.action)
        let listed = all.filter { Self.names.contains("dynamodb", $0.name) }
        let some = listed.dropFirst().map(\.description).joined(separator: ", ")
        let tables = (0..<12).map { "\"arn:aws:dynamodb:us-east-1:111122223333:table/t\($0)\"" }
        let text = "- {Effect: Allow, Action: [\(some)], Resource: [\(tables.joined(separator: ", "))]}"
        #expect(throws: SessionPolicyError.self) { _ = try Self.policy(text, ["dynamodb"]) }
        let compact = try Self.policy(text, ["dynamodb"], isCompact: true)
        #expect(compact.policy.text.utf8.count < 1_500)
    }

    @Test func `on random sets the policy lets no agent do what the set does not`() throws {
        var random = SeededRandom(seed: LawTests.seed)
        var (allowed, refused, covered) = (0, 0, 0)
        let actions = Dictionary(grouping: SessionPolicyTests.actions, by: \.action.prefix)
        for round in 0..<100 {
            let set = try PolicySet.of(try RandomPolicies.pair(&random).0)
            for _ in 0..<30 {
                let call = try RandomPolicies.call(&random, PolicyDiffTests.actions)
                // How much goes through only the gate can count: six things are beyond a limit of five.
                if call.settings.contains(.itemCount(6)) { continue }
                let policy: AgentPolicy
                do throws(SessionPolicyError) {
                    policy = try AgentPolicy(
                        for: set, caller: call.caller, host: nil, prefixes: [call.action.prefix],
                        isCompact: round.isMultiple(of: 2), over: actions[call.action.prefix] ?? [])
                } catch { continue }
                let decision = call.decided(by: set)
                let role = try PolicySet.load(
                    files: [
                        PolicyFile(
                            "agents.yaml",
                            "Countersign: 1\nAgents: [{Name: \(call.agent), Policies: [session.json]}]"),
                        PolicyFile("session.json", policy.policy.text),
                    ], actions: Self.names)
                // AWS has no rule about credentials.
                let byAWS = PolicyDiff.Witness(
                    agent: call.agent, action: call.action, resource: call.resource, circumstances: [],
                    level: call.level, sensitivity: call.sensitivity, vends: false, settings: call.settings)
                let isAllowed = PolicyDiff.Verdict(byAWS.decided(by: role)).word == "allow"
                let isLet = PolicyDiff.Verdict(decision).word == "allow"
                #expect(!isAllowed || isLet, "\(call)\n\(set.statements)\n\(policy.policy.text)")
                if isAllowed { allowed += 1 } else { refused += 1 }
                // And what it says to cover, it covers.
                guard case .allow(let allowance) = decision,
                    policy.covers(allowance, of: call.meaning, caller: call.caller, host: nil, at: call.at)
                else { continue }
                covered += 1
                #expect(isAllowed, "\(call)\n\(set.statements)\n\(policy.policy.text)")
            }
        }
        #expect(allowed > 20 && refused > 1_000 && covered > 20, "\(allowed) \(refused) \(covered)")
    }
}

extension PolicyDiff.Witness {
    fileprivate var situation: Situation {
        var situation = Situation()
        for setting in settings { situation.set(setting) }
        return situation
    }

    fileprivate var caller: Caller { situation.caller(agent) }
    fileprivate var at: Instant { situation.at }
    fileprivate var meaning: Meaning {
        let pair = Pair(action: action, resource: resource, level: level, sensitivity: sensitivity)
        return situation.meaning(of: pair, vends: vends)
    }
}
