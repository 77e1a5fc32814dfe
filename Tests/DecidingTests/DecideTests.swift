import Recognizing
import Testing
import Vocabulary

@testable import Deciding

@Suite("The gate's host") struct HostTests {
    static let own = """
        - Sid: Here
          Effect: Allow
          Action: dynamodb:GetItem
          Resource: "*"
          Condition: {StringLike: {countersign:Host: "web-*"}}
        """

    static func says(_ statement: String, on host: String?) throws -> String {
        decide(
            try meaning([pair("dynamodb:GetItem", Resource(orders))]), caller: try caller(),
            under: try PolicySet.of(statement), grants: GrantBook(), host: host, at: noon
        ).word
    }

    @Test
    func `a statement may be for some hosts; where the host is not known, that counts against the caller`()
        throws
    {
        #expect(try Self.says(Self.own, on: "web-14") == "allow test/Here")
        #expect(try Self.says(Self.own, on: "etl-2") == "deny byDefault")
        #expect(try Self.says(Self.own, on: "WEB-14") == "deny byDefault")
        #expect(try Self.says(Self.own, on: nil) == "deny byDefault")
        let not = Self.own.replacing("StringLike", with: "StringNotLike")
        #expect(try Self.says(not, on: nil) == "deny byDefault")
        let deny = Self.own.replacing("Effect: Allow", with: "Effect: Deny")
        let all = "\n- {Sid: All, Effect: Allow, Action: '*', Resource: '*'}"
        #expect(try Self.says(deny + all, on: "etl-2") == "allow test/All")
        #expect(try Self.says(deny + all, on: nil) == "deny test/Here")
    }

    @Test func `a case says which host the gate runs on`() throws {
        let cases = try PolicyCase.read(
            PolicyFile(
                "cases.yaml",
                "Cases:\n  - {Action: dynamodb:GetItem, Host: web-1, Says: allow test/Here}\n"
                    + "  - {Action: dynamodb:GetItem, Says: deny byDefault}"))
        #expect(PolicyTest(cases, on: try PolicySet.of(Self.own)).failures.map(\.found) == [])
    }

    @Test func `it is compared as text`() {
        let wrong = Self.own.replacing("StringLike", with: "NumericEquals").replacing("web-*", with: "4")
        let statement = wrong.split(separator: "\n").joined(separator: "\n  ")
        let head = "Countersign: 1\nId: x\nAgents: [\"*\"]\nStatement:\n  "
        let told = faults([PolicyFile("x.yaml", head + statement)])
        #expect(told.count == 1 && told[0].contains("is text: use a String operator"), "\(told)")
    }
}

@Suite("Deciding a call") struct DecideTests {
    static let approval = "Approval: {Approvers: [oncall]}"

    @Test func `no statement means denied`() throws {
        let empty = try PolicySet.load(files: [], actions: knownActions)
        #expect(try empty.says("dynamodb:GetItem") == "deny byDefault")
    }

    @Test func `an allow opens its action on its resource for its agent, and none of their neighbors`() throws
    {
        let set = try PolicySet.of(
            "- {Sid: A, Effect: Allow, Action: dynamodb:GetItem, Resource: '\(orders)'}",
            agents: "[\"support-*\"]")
        #expect(try set.says("dynamodb:GetItem") == "allow test/A")
        #expect(try set.says("dynamodb:getitem") == "allow test/A")
        #expect(try set.says("dynamodb:PutItem") == "deny byDefault")
        #expect(try set.says("dynamodb:GetItem", Resource(orders + "2")) == "deny byDefault")
        #expect(
            try set.says("dynamodb:GetItem", Resource(orders.replacing("orders", with: "Orders")))
                == "deny byDefault")
        #expect(try set.says("dynamodb:GetItem", agent: "etl-1") == "deny byDefault")
        #expect(try set.says("s3:GetItem") == "deny byDefault")
    }

    /// Each row: the effects that match, and what follows. Deny, then the floor, then Allow, then
    /// AllowWithApproval.
    @Test(
        "the first effect that matches decides",
        arguments: [
            ([], "deny byDefault"), (["Allow"], "allow test/Allow"),
            (["AllowWithApproval"], "ask test/AllowWithApproval"),
            (["RequireApproval"], "ask test/RequireApproval"), (["Deny"], "deny test/Deny"),
            (["AllowWithApproval", "Allow"], "allow test/Allow"),
            (["Allow", "RequireApproval"], "ask test/RequireApproval"),
            (["AllowWithApproval", "RequireApproval"], "ask test/RequireApproval"),
            (["AllowWithApproval", "Allow", "RequireApproval"], "ask test/RequireApproval"),
            (["Allow", "Deny"], "deny test/Deny"), (["RequireApproval", "Deny"], "deny test/Deny"),
            (["Allow", "AllowWithApproval", "RequireApproval", "Deny"], "deny test/Deny"),
        ])
    func precedence(_ effects: [String], _ expected: String) throws {
        let other = "- {Sid: Other, Effect: Allow, Action: s3:GetObject, Resource: \"*\"}"
        let statements = effects.map { effect in
            let tail = effect.hasSuffix("Approval") ? ", \(Self.approval)" : ""
            return
                "- {Sid: \(effect), Effect: \(effect), Action: dynamodb:DeleteItem, Resource: \"*\"\(tail)}"
        }
        for order in [statements + [other], [other] + statements.reversed()] {
            let set = try PolicySet.of(order.joined(separator: "\n"))
            #expect(try set.says("dynamodb:DeleteItem") == expected)
        }
    }

    @Test func `the strictest pair decides the call`() throws {
        let set = try PolicySet.of(
            """
            - {Sid: Get, Effect: Allow, Action: s3:GetObject, Resource: "*"}
            - {Sid: Put, Effect: AllowWithApproval, Action: s3:PutObject, Resource: "*", \(Self.approval)}
            """)
        func decision(_ actions: String...) throws -> Decision {
            let pairs = actions.map { pair($0, Resource("arn:aws:s3:::b/k")) }
            return decide(
                try meaning(pairs), caller: try caller(), under: set, grants: GrantBook(), at: noon)
        }
        #expect(try decision("s3:GetObject").word == "allow test/Get")
        #expect(try decision("s3:GetObject", "s3:PutObject").word == "ask test/Put")
        #expect(try decision("s3:PutObject", "s3:DeleteObject", "s3:GetObject").word == "deny byDefault")
        let question = try #require(try decision("s3:GetObject", "s3:PutObject").question)
        #expect(question.pairs.map(\.action.name) == ["PutObject"])
        #expect(try decision().word == "deny byDefault")
    }

    @Test func `two statements that ask the same people in another order ask for one quorum`() throws {
        let asked = "Approval: {Approvers:"
        let set = try PolicySet.of(
            """
            - {Sid: A, Effect: RequireApproval, Action: "*", Resource: "*", \(asked) {oncall: 1, secops: 1}}}
            - {Sid: B, Effect: RequireApproval, Action: "*", Resource: "*", \(asked) {secops: 1, oncall: 1}}}
            """)
        let question = try #require(
            decide(
                try meaning([pair("s3:GetObject", .star)]), caller: try caller(), under: set,
                grants: GrantBook(), at: noon
            ).question)
        #expect(question.terms.quorums.count == 1)
    }

    /// Whether the key has one value, several or none, the request does not say: the exception may be void.
    @Test func `an exception that may be void opens nothing, and lifts no denial`() throws {
        let made = "Action: s3:GetObject, NotResource: 'arn:aws:s3:::${x:k}/a'}"
        let set = try PolicySet.of("- {Sid: A, Effect: Allow, \(made)")
        let denied = try PolicySet.of("- {Sid: D, Effect: Deny, \(made)")
        var keys = ConditionKeys()
        for value in [ConditionKeys.Value.unknown, .absent, .filled(["a", "b"])] {
            keys["x:k"] = value
            #expect(try set.says("s3:GetObject", keys: keys) == "deny byDefault")
            #expect(try denied.says("s3:GetObject", keys: keys) == "deny test/D")
        }
        keys["x:k"] = .filled(["a"])
        #expect(try set.says("s3:GetObject", keys: keys) == "allow test/A")
        #expect(try set.says("s3:GetObject", Resource("arn:aws:s3:::a/a"), keys: keys) == "deny byDefault")
    }

    // MARK: - What no statement can do

    @Test(arguments: SendingBar.allCases)
    func `a call that is never sent is denied, also under a star that names it`(bar: SendingBar) throws {
        let set = try PolicySet.of(
            "- {Sid: A, Effect: Allow, Action: ['*', 'sts:AssumeRole'], Resource: '*'}")
        let meaning = try meaning([pair("sts:AssumeRole", .star)], bar: bar)
        let decision = decide(meaning, caller: try caller(), under: set, grants: GrantBook(), at: noon)
        #expect(decision.word == "deny barred: \(bar.rawValue)")
    }

    @Test func `who am I is always answered, also against a denial`() throws {
        let set = try PolicySet.of("- {Sid: No, Effect: Deny, Action: '*', Resource: '*'}")
        let who = try meaning([pair("sts:GetCallerIdentity", .star, .read)], always: true)
        let decision = decide(who, caller: try caller(), under: set, grants: GrantBook(), at: noon)
        guard case .allow(let allowance) = decision else { return #expect(Bool(false), "not allowed") }
        #expect(allowance.grounds == [.alwaysAnswered])
        let other = try meaning([pair("sts:GetCallerIdentity", .star, .read)])
        #expect(
            decide(other, caller: try caller(), under: set, grants: GrantBook(), at: noon).word
                == "deny test/No")
    }

    @Test func `a call without pairs, or an action without a name, is denied under everything`() throws {
        let set = try PolicySet.of("- {Sid: A, Effect: Allow, Action: '*', Resource: '*'}")
        let nothing = decide(try meaning([]), caller: try caller(), under: set, grants: GrantBook(), at: noon)
        #expect(nothing.word == "deny byDefault")
        guard case .deny(let denial) = nothing else { return }
        #expect(denial.items.map(\.pair.action.description) == ["dynamodb:DeleteItem"])
        for action in ["dynamodb:?", "dynamodb:*", "dynamodb:", ":GetItem", "*:GetItem"] {
            #expect(try set.says(action) == "deny byDefault", "\(action)")
        }
        #expect(try set.says("dynamodb:GetItem") == "allow test/A")
    }

    @Test func `a request that names a star matches no pattern but a star`() throws {
        let set = try PolicySet.of(
            "- {Sid: A, Effect: Allow, Action: s3:GetObject, Resource: 'arn:aws:s3:::b/k'}")
        #expect(try set.says("s3:GetObject", Resource("arn:aws:s3:::b/*")) == "deny byDefault")
        #expect(try set.says("s3:GetObject", Resource("*")) == "deny byDefault")
    }

    @Test func `a presumed name opens an Allow, and is no exception from a denial`() throws {
        let role = "arn:aws:iam::111122223333:role/"
        let app = Resource([.known(role), .unknown, .known("app")], presumed: role + "app")
        let open = "- {Sid: A, Effect: Allow, Action: iam:GetRole, Resource: '\(role)app'}\n"
        #expect(try PolicySet.of(open).says("iam:GetRole", app) == "allow test/A")
        let denied = open + "- {Sid: No, Effect: Deny, Action: iam:GetRole, NotResource: '\(role)app'}"
        #expect(try PolicySet.of(denied).says("iam:GetRole", app) == "deny test/No")
        #expect(try PolicySet.of(denied).says("iam:GetRole", Resource(role + "app")) == "allow test/A")
    }

    // MARK: - Replies that hold credentials

    /// Each row: the statements, and what they say of `sts:AssumeRole`, whose reply holds credentials.
    @Test(
        "credentials are handed out only where a statement names the action",
        arguments: [
            (["Allow *"], "deny vendsCredentials"), (["Allow sts:*"], "deny vendsCredentials"),
            (["Allow sts:Assume????"], "deny vendsCredentials"), (["Allow sts:AssumeRole"], "allow test/S0"),
            (["Allow sts:assumerole"], "allow test/S0"), (["AllowWithApproval *"], "deny vendsCredentials"),
            (["AllowWithApproval sts:AssumeRole"], "ask test/S0"),
            (["Allow *", "AllowWithApproval sts:AssumeRole"], "ask test/S1"),
            (["RequireApproval *"], "deny vendsCredentials"),
            (["RequireApproval sts:AssumeRole"], "ask test/S0"),
            (["RequireApproval sts:*", "Allow sts:AssumeRole"], "ask test/S0"),
            (["RequireApproval sts:*", "Allow *"], "deny vendsCredentials"),
            (["Allow sts:AssumeRole", "Deny sts:*"], "deny test/S1"), ([], "deny byDefault"),
        ])
    func vending(_ statements: [String], _ expected: String) throws {
        let lines = statements.enumerated().map { index, text in
            let words = text.split(separator: " ")
            let tail = words[0].hasSuffix("Approval") ? ", \(Self.approval)" : ""
            return "- {Sid: S\(index), Effect: \(words[0]), Action: \"\(words[1])\", Resource: \"*\"\(tail)}"
        }
        let other = "- {Sid: Other, Effect: Allow, Action: s3:GetObject, Resource: \"*\"}"
        let set = try PolicySet.of((lines + [other]).joined(separator: "\n"))
        #expect(try set.says("sts:AssumeRole", .star, vends: true) == expected)
    }

    @Test func `NotAction names nothing`() throws {
        let set = try PolicySet.of("- {Sid: A, Effect: Allow, NotAction: sts:AssumeRole, Resource: '*'}")
        #expect(try set.says("sts:GetSessionToken", .star, vends: true) == "deny vendsCredentials")
        #expect(try set.says("sts:GetSessionToken", .star) == "allow test/A")
    }

    // MARK: - Several statements ask

    @Test func `all asking statements bind, each to its strictest term`() throws {
        let set = try PolicySet.of(
            """
            - Sid: A
              Effect: RequireApproval
              Action: dynamodb:DeleteItem
              Resource: "*"
              Approval: {Approvers: [oncall], GrantTTL: 10m, MaxUses: 5, Hold: 20s, Confirm: typed}
            - Sid: B
              Effect: RequireApproval
              Action: "dynamodb:*"
              Resource: "*"
              Approval: {Approvers: {secops: 2}, MaxUses: 3, FirstUseWithin: 5m, Hold: 5s, PendingTTL: 25m}
            - Sid: C
              Effect: AllowWithApproval
              Action: "dynamodb:*"
              Resource: "*"
              Approval: {Approvers: [alice], GrantTTL: 1m, ReviewReason: required, AgentReason: required}
            """)
        let decision = decide(
            try meaning([pair("dynamodb:DeleteItem", Resource(orders))]), caller: try caller(), under: set,
            grants: GrantBook(), at: noon)
        let question = try #require(decision.question)
        #expect(question.statements.map(\.sid) == ["A", "B"])
        let terms = question.terms
        #expect(terms.quorums.map { $0.needs.map(\.name) } == [["oncall"], ["secops"]])
        #expect(terms.quorums.map(\.anyOne) == [true, false])
        #expect((terms.grantTTL, terms.maxUses, terms.pendingTTL) == (.seconds(600), 3, .seconds(1_500)))
        #expect((terms.firstUseWithin, terms.hold) == (.seconds(300), .fixed(.seconds(5))))
        #expect(terms.confirmsTyped && !terms.needsAgentReason && !terms.needsReviewReason)
        #expect(terms.scope == .exact)
    }

    @Test func `merging is the stricter of each term, in either order`() {
        let quorum = ApprovalTerms.Quorum(needs: [.init(name: "a", count: 1)], anyOne: true)
        let loose = ApprovalTerms(quorums: [quorum], scope: .statement, maxUses: 9)
        let strict = ApprovalTerms(
            quorums: [quorum], scope: .resource, grantTTL: .seconds(1), maxUses: 2, pendingTTL: .seconds(2),
            firstUseWithin: .seconds(1), hold: .fixed(.zero), confirmsTyped: true, needsAgentReason: true,
            needsReviewReason: true, needsSignedEvidence: true, needsPostReview: true)
        #expect(loose.merged(with: strict) == strict)
        #expect(strict.merged(with: loose) == strict)
    }

    // MARK: - Properties

    /// Statements of every effect over a small world of actions, resources and agents.
    static func randomStatement(_ random: inout SeededRandom, _ number: Int, effect: String? = nil) -> String
    {
        let effect = effect ?? random.pick(["Allow", "Deny", "AllowWithApproval", "RequireApproval"])
        let action = random.pick(["dynamodb:GetItem", "dynamodb:*Item", "s3:*", "*", "sts:AssumeRole"])
        let resource = random.pick([
            "*", orders, "arn:aws:dynamodb:*:*:table/*", "arn:aws:s3:::b/?",
            "arn:aws:dynamodb:us-east-1:*:table/o*",
        ])
        let condition = random.pick([
            "", ", Condition: {StringEquals: {x:k: a}}", ", Condition: {StringNotEquals: {x:k: a}}",
            ", Condition: {Bool: {countersign:Mutates: \"true\"}}",
        ])
        let key = random.pick(["Action", "Action", "Action", "NotAction"])
        let tail = effect.hasSuffix("Approval") ? ", \(approval)" : ""
        return
            "- {Sid: S\(number), Effect: \(effect), \(key): \"\(action)\", "
            + "Resource: \"\(resource)\"\(condition)\(tail)}"
    }

    static func randomMeaning(_ random: inout SeededRandom) throws -> Meaning {
        let resources: [Resource] = [
            Resource(orders), .star, .unknown, Resource("arn:aws:s3:::b/k"),
            Resource([.known("arn:aws:dynamodb:us-east-1:111122223333:table/"), .unknown]),
            Resource([.known("arn:aws:dynamodb:us-east-1:"), .unknown, .known(":table/orders")]),
            Resource("::::::"),
        ]
        let actions = ["dynamodb:GetItem", "s3:GetObject", "sts:AssumeRole", "x:?"]
        let levels: [AccessLevel] = [.read, .write, .unknown]
        let pairs = (0..<Int.random(in: 0...3, using: &random)).map { _ in
            pair(random.pick(actions), random.pick(resources), random.pick(levels))
        }
        var keys = ConditionKeys()
        let values: [ConditionKeys.Value] = [
            .filled(["a"]), .filled(["b"]), .filled(["a", "b"]), .absent, .unknown,
        ]
        keys["x:k"] = random.pick(values)
        return try meaning(
            pairs, keys: keys, vends: Bool.random(using: &random),
            always: Int.random(in: 0...9, using: &random) == 0)
    }

    @Test func `one more denial or floor never allows more, and one more Allow never lifts a denial`() throws
    {
        var random = SeededRandom(seed: 3)
        var counts: [String: Int] = [:]
        for _ in 0..<400 {
            let statements = (0..<Int.random(in: 1...5, using: &random)).map {
                Self.randomStatement(&random, $0)
            }
            let base = try PolicySet.of(statements.joined(separator: "\n"))
            func adding(_ effect: String) throws -> PolicySet {
                let more = Self.randomStatement(&random, 99, effect: effect)
                return try PolicySet.of(
                    (statements + [more]).shuffled(using: &random).joined(separator: "\n"))
            }
            let (denying, floored, opened) = (
                try adding("Deny"), try adding("RequireApproval"), try adding("Allow")
            )
            for _ in 0..<10 {
                let meaning = try Self.randomMeaning(&random)
                func rank(_ set: PolicySet) throws -> Int {
                    switch decide(meaning, caller: try caller(), under: set, grants: GrantBook(), at: noon) {
                    case .deny(let denial):
                        #expect(!denial.items.isEmpty)
                        return denial.items.contains {
                            if case .statement = $0.reason { true } else { false }
                        } ? -1 : 0
                    case .ask(let question):
                        #expect(!question.pairs.isEmpty && !question.terms.quorums.isEmpty)
                        return 1
                    case .allow(let allowance):
                        #expect(allowance.grounds.count == max(1, meaning.pairs.count))
                        return 2
                    }
                }
                let before = try rank(base)
                counts["\(before)", default: 0] += 1
                #expect(try rank(denying) <= before)
                #expect(try rank(floored) <= max(1, before))
                if before == -1 { #expect(try rank(opened) == -1) }
            }
        }
        #expect(counts.values.allSatisfy { $0 > 30 } && counts.count == 4, "\(counts)")
    }
}

extension Decision {
    var question: Question? {
        guard case .ask(let question) = self else { return nil }
        return question
    }
}
