import Recognizing
import Testing
import Vocabulary

@testable import Deciding

@Suite("What two policy sets decide differently") struct PolicyDiffTests {
    /// The actions of these tests, each in the facets that the catalog gives it.
    static let actions: [FacetedAction] = {
        let names: Set<String> = [
            "s3:GetObject", "s3:DeleteObject", "s3:ListBucket", "dynamodb:DeleteItem", "sts:AssumeRole",
            "secretsmanager:GetSecretValue", "iam:PassRole",
        ]
        return FacetedAction.all(in: .builtIn).filter { names.contains($0.action.description) }
    }()

    static func diff(
        _ before: String, _ after: String, agents: String = "[\"*\"]"
    ) throws -> PolicyDiff {
        PolicyDiff(
            from: try .of(before, agents: agents), to: try .of(after, agents: agents), over: actions)
    }

    private static let approval = "Approval: {Approvers: [oncall]}"
    private static let lake = "\"arn:aws:s3:::lake/*\""

    /// One line a change: kind, actions, agents, resources.
    private static func lines(_ diff: PolicyDiff) -> [String] {
        diff.changes.map { change in
            let resources =
                (change.isForAllOfThem ? "" : "some of ") + change.resources.joined(separator: ",")
            let when = change.witness.circumstances.map { " when " + $0 }.joined()
            return "\(change.kind.rawValue): \(change.actions.map(\.description).joined(separator: ",")) "
                + "by \(change.agents.joined(separator: ",")) on \(resources)\(when)"
        }
    }

    // MARK: - One change at a time

    @Test func `what is written otherwise and says the same is no change`() throws {
        let before = """
            - Sid: A
              Effect: Allow
              Action: ["s3:GetObject", "s3:ListBucket"]
              Resource: ["arn:aws:s3:::a", "arn:aws:s3:::b"]
            - Sid: B
              Effect: Deny
              Action: "s3:DeleteObject"
              Resource: "*"
              Condition: {StringEquals: {aws:RequestedRegion: x}}
            """
        let after = """
            - Sid: Z
              Effect: Deny
              Action: "s3:deleteobject"
              Resource: "*"
              Condition: {stringEquals: {AWS:requestedregion: [x]}}
            - {Sid: C, Effect: Allow, Action: "s3:GetObject", Resource: "arn:aws:s3:::b"}
            - Sid: D
              Effect: Allow
              Action: "s3:ListBucket"
              Resource: ["arn:aws:s3:::b", "arn:aws:s3:::a"]
            - {Sid: E, Effect: Allow, Action: "s3:GetObject", Resource: "arn:aws:s3:::a"}
            """
        #expect(try Self.diff(before, after).isNone)
    }

    @Test func `a statement that another one makes needless may go`() throws {
        let wide = "- {Sid: A, Effect: Allow, Action: \"s3:*\", Resource: \(Self.lake)}"
        let both =
            wide + "\n- {Sid: B, Effect: Allow, Action: s3:GetObject, Resource: \"arn:aws:s3:::lake/tmp/*\"}"
        #expect(try Self.diff(both, wide).isNone)
        #expect(try Self.diff(wide, both).isNone)
    }

    @Test func `each kind of change is told for its actions and agents alone`() throws {
        let deny = "- {Sid: N, Effect: Deny, Action: \"iam:*\", Resource: \"*\"}\n"
        let allow =
            deny + "- {Sid: A, Effect: Allow, Action: s3:GetObject, Resource: \(Self.lake), Agents: [etl-*]}"
        let ask =
            deny
            + "- {Sid: A, Effect: AllowWithApproval, Action: s3:GetObject, Resource: \(Self.lake), "
            + "Agents: [etl-*], \(Self.approval)}"
        let on = "s3:GetObject by etl-* on arn:aws:s3:::lake/*"
        #expect(try Self.lines(Self.diff(deny, allow)) == ["new access: \(on)"])
        #expect(try Self.lines(Self.diff(deny, ask)) == ["new access by approval: \(on)"])
        #expect(try Self.lines(Self.diff(ask, allow)) == ["lost gate: \(on)"])
        #expect(try Self.lines(Self.diff(allow, ask)) == ["new gate: \(on)"])
        #expect(try Self.lines(Self.diff(allow, deny)) == ["lost access: \(on)"])
        #expect(try Self.diff(deny, allow).widens && Self.diff(ask, allow).widens)
        #expect(try !Self.diff(allow, ask).widens && !Self.diff(allow, deny).widens)
    }

    @Test func `a hole in a denial is found where the patterns part`() throws {
        let all = "- {Sid: A, Effect: Allow, Action: s3:DeleteObject, Resource: \"*\"}\n"
        let before = all + "- {Sid: N, Effect: Deny, Action: s3:DeleteObject, Resource: \(Self.lake)}"
        let after =
            all
            + "- {Sid: N, Effect: Deny, Action: s3:DeleteObject, Resource: \"arn:aws:s3:::lake/*.parquet\"}"
        let diff = try Self.diff(before, after)
        let change = try #require(diff.changes.first)
        #expect(diff.changes.count == 1 && change.kind == .newAccess && !change.isForAllOfThem)
        #expect(change.witness.resource.description == "arn:aws:s3:::lake/x")
    }

    @Test func `a gate is weaker when it is easier to pass, and only then`() throws {
        func gate(_ approval: String) -> String {
            "- {Sid: A, Effect: RequireApproval, Action: s3:GetObject, Resource: \"*\", "
                + "Approval: {\(approval)}}"
        }
        for (before, after, kind) in [
            ("Approvers: [oncall]", "Approvers: [oncall, secops]", PolicyDiff.Kind.weakerGate),
            ("Approvers: [oncall, secops]", "Approvers: [oncall]", .changedGate),
            ("Approvers: {oncall: 1, secops: 1}", "Approvers: {oncall: 1}", .weakerGate),
            ("Approvers: {oncall: 1}", "Approvers: {oncall: 2}", .changedGate),
            ("Approvers: [oncall]", "Approvers: [secops]", .weakerGate),
            ("Approvers: [oncall], GrantTTL: 5m", "Approvers: [oncall], GrantTTL: 6m", .weakerGate),
            ("Approvers: [oncall], MaxUses: 2", "Approvers: [oncall]", .changedGate),
            ("Approvers: [oncall], Confirm: typed", "Approvers: [oncall]", .weakerGate),
            ("Approvers: [oncall], PendingTTL: 5m", "Approvers: [oncall], PendingTTL: 9m", .changedGate),
        ] {
            let diff = try Self.diff(gate(before), gate(after))
            #expect(Set(diff.changes.map(\.kind)) == [kind], "\(before) -> \(after)")
            #expect(diff.widens == (kind == .weakerGate))
        }
    }

    @Test func `a condition is told where it decides`() throws {
        let allow = "- {Sid: A, Effect: Allow, Action: s3:ListBucket, Resource: \"arn:aws:s3:::lake\"}"
        let part =
            "- {Sid: A, Effect: Allow, Action: s3:ListBucket, Resource: \"arn:aws:s3:::lake\", "
            + "Condition: {StringLike: {s3:Prefix: \"tmp/*\"}}}"
        let none = "- {Sid: N, Effect: Deny, Action: \"iam:*\", Resource: \"*\"}"
        #expect(
            try Self.lines(Self.diff(none, part)) == [
                "new access: s3:ListBucket by any other agent on arn:aws:s3:::lake when s3:Prefix is `tmp/`"
            ])
        let lost = try Self.lines(Self.diff(allow, part))
        #expect(lost.count == 1 && lost[0].hasPrefix("lost access") && !lost[0].contains("tmp/"))
    }

    @Test func `what only some calls of an action show is told as such`() throws {
        let none = "- {Sid: N, Effect: Deny, Action: \"iam:*\", Resource: \"*\"}"
        let heads =
            "- {Sid: A, Effect: Allow, Action: s3:GetObject, Resource: \"*\", "
            + "Condition: {StringEquals: {countersign:Sensitivity: metadata}}}"
        let diff = try Self.diff(none, heads)
        let share = try #require(diff.changes.first?.shares.values.first)
        #expect(share.contains("HeadObject") && !share.contains("SelectObjectContent"))
    }

    @Test func `who may answer is part of a gate`() throws {
        let policy =
            "Countersign: 1\nId: a\nAgents: [\"*\"]\nStatement:\n"
            + "  - {Sid: A, Effect: AllowWithApproval, Action: \"s3:*\", Resource: \"*\", \(Self.approval)}\n"
        func set(_ members: String) throws -> PolicySet {
            let book = people.split(separator: "\n").map {
                $0.contains("oncall:") ? "  oncall: \(members)" : $0
            }
            return try PolicySet.load(
                files: [
                    PolicyFile("a.yaml", policy), PolicyFile("approvers.yaml", book.joined(separator: "\n")),
                ], actions: knownActions)
        }
        let (two, three) = (try set("[alice, bob]"), try set("[alice, bob, carol]"))
        let more = PolicyDiff(from: two, to: three, over: Self.actions)
        #expect(more.approvers.map(\.change) == ["gained carol"] && more.widens && !more.isNone)
        let fewer = PolicyDiff(from: three, to: two, over: Self.actions)
        #expect(fewer.approvers.map(\.change) == ["lost carol"] && !fewer.widens)
    }

    @Test func `a limit that is gone or wider is told, and one that is new or narrower`() throws {
        func limited(_ limit: String) -> String {
            "- {Sid: A, Effect: Allow, Action: s3:GetObject, Resource: \"*\"\(limit)}"
        }
        let (tight, wide) = (", Limit: {Calls: 10, Per: 1m}", ", Limit: {Calls: 20, Per: 1m}")
        for (before, after, kind) in [
            ("", tight, PolicyDiff.Kind.newLimit), (wide, tight, .newLimit), (tight, wide, .lostLimit),
            (tight, "", .lostLimit), (tight, ", Limit: {Calls: 10, Per: 2m}", .lostLimit),
        ] {
            let diff = try Self.diff(limited(before), limited(after))
            #expect(Set(diff.changes.map(\.kind)) == [kind], "\(before) -> \(after)")
            #expect(diff.widens == (kind == .lostLimit))
        }
        #expect(try Self.diff(limited(tight), limited(tight)).isNone)
    }

    @Test func `what is not decided is never no change`() throws {
        let tied =
            "- {Sid: A, Effect: Allow, Action: s3:GetObject, "
            + "Resource: \"arn:aws:s3:::home/${aws:PrincipalTag/team}/*\"}"
        let none = "- {Sid: N, Effect: Deny, Action: \"iam:*\", Resource: \"*\"}"
        let diff = try Self.diff(none, tied)
        #expect(!diff.isNone && diff.widens)
        #expect(diff.undecided.flatMap(\.actions).map(\.description) == ["s3:GetObject"])
    }

    @Test func `the own folder of an agent is told apart from the others'`() throws {
        let none = "- {Sid: N, Effect: Deny, Action: \"iam:*\", Resource: \"*\"}"
        let own =
            "- {Sid: A, Effect: Allow, Action: s3:GetObject, "
            + "Resource: \"arn:aws:s3:::home/${countersign:Agent}/*\"}"
        let diff = try Self.diff(none, own)
        #expect(diff.undecided.isEmpty)
        #expect(diff.changes.map(\.kind) == [.newAccess])
    }

    // MARK: - Any change

    @Test func `random sets: what decides differently is told, and what is told decides differently`() throws
    {
        var random = SeededRandom(seed: 29)
        var (differing, witnesses, undecided) = (0, 0, 0)
        for _ in 0..<60 {
            let (before, after) = try RandomPolicies.pair(&random)
            let (old, new) = (try PolicySet.of(before), try PolicySet.of(after))
            let diff = PolicyDiff(from: old, to: new, over: Self.actions)
            for change in diff.changes where change.kind != .lostLimit && change.kind != .newLimit {
                let (was, now) = (change.witness.decided(by: old), change.witness.decided(by: new))
                #expect(
                    PolicyDiff.Kind(from: .init(was), to: .init(now)) == change.kind,
                    "\(before)\n->\n\(after)\n\(change)")
                witnesses += 1
            }
            undecided += diff.undecided.isEmpty ? 0 : 1
            for _ in 0..<60 {
                let call = try RandomPolicies.call(&random, Self.actions)
                let kind = PolicyDiff.Kind(
                    from: .init(call.decided(by: old)), to: .init(call.decided(by: new)))
                guard let kind else { continue }
                differing += 1
                let told = diff.changes.contains {
                    $0.actions.contains(call.action) && $0.agents.contains { call.agent.isMeant(by: $0) }
                        && $0.kind.widens == kind.widens
                }
                let open = diff.undecided.contains {
                    $0.actions.contains(call.action)
                        && $0.agents.contains { call.agent.isMeant(by: $0) || $0 == "every agent" }
                }
                #expect(told || open, "\(kind) \(call)\n\(before)\n->\n\(after)\n\(Self.lines(diff))")
            }
        }
        #expect(
            differing > 60 && witnesses > 60 && undecided < 50, "\(differing) \(witnesses) \(undecided)")
    }
}

extension AgentName {
    /// Whether `label` is that of its kind.
    fileprivate func isMeant(by label: String) -> Bool {
        label == "any other agent"
            || label.split(separator: " ").filter { $0 != "and" }.allSatisfy { Pattern($0).matches(text) }
    }
}

/// Small sets that often differ a little, and calls that they often are about.
enum RandomPolicies {
    private static let actions = [
        "s3:GetObject", "\"s3:*\"", "\"*\"", "[s3:DeleteObject, dynamodb:DeleteItem]", "sts:AssumeRole",
        "[\"secretsmanager:*\", s3:ListBucket]", "\"s3:*Object\"",
    ]
    private static let resources = [
        "\"*\"", "\"arn:aws:s3:::lake/*\"", "\"arn:aws:s3:::lake/tmp/*\"", "\"arn:aws:s3:::*\"",
        "[\"arn:aws:s3:::lake/a\", \"arn:aws:s3:::lake\"]", "\"arn:aws:s3:::lake/*.csv\"",
        "\"arn:aws:s3:::l?ke/*\"", "\"arn:aws:s3:*:111122223333:*\"",
        "\"arn:aws:s3:::lake/${countersign:Agent}/*\"",
        "\"arn:aws:s3:::lake/${aws:PrincipalTag/t, 'tmp'}/*\"",
        "\"arn:aws:secretsmanager:us-east-1:111122223333:secret:db-??????\"",
    ]
    private static let conditions = [
        "StringEquals: {aws:RequestedRegion: [eu-west-1, us-east-1]}",
        "StringNotLike: {s3:prefix: [\"tmp/*\", \"*x\"]}", "StringLike: {s3:prefix: \"tmp/*\"}",
        "\"ForAllValues:StringEquals\": {aws:TagKeys: [a, b]}",
        "\"ForAnyValue:StringLike\": {aws:TagKeys: \"a*\"}",
        "\"Null\": {s3:prefix: \"true\"}", "NumericLessThan: {s3:max-keys: [10, 2.5]}",
        "NumericGreaterThanEqualsIfExists: {s3:max-keys: 3}", "Bool: {countersign:Mutates: \"true\"}",
        "StringEquals: {countersign:Sensitivity: metadata}", "NumericLessThan: {countersign:HourUTC: 6}",
        "DateGreaterThan: {aws:CurrentTime: \"2026-12-01T00:00:00Z\"}",
        "StringEquals: {countersign:Agent: etl-1}",
        "IpAddress: {aws:VpcSourceIp: [\"10.0.0.0/8\", \"10.1.0.0/16\"]}",
        "ArnLike: {aws:SourceVpc: \"arn:aws:ec2:*:1:vpc/*\"}", "StringEquals: {countersign:Strength: signed}",
        "BoolIfExists: {aws:MultiFactorAuthPresent: \"true\"}", "StringLike: {countersign:Task: \"T-*\"}",
        "NumericGreaterThan: {countersign:ItemCount: 5}", "StringEqualsIgnoreCase: {s3:prefix: Tmp}",
        "StringEquals: {s3:prefix: \"${countersign:Agent}\"}", "BinaryEquals: {s3:bin: [YQ==, Yg==]}",
    ]
    private static let agents = ["[\"*\"]", "[\"etl-*\"]", "[etl-1]", "[\"*-1\"]"]
    private static let approvals = [
        "{Approvers: [oncall]}", "{Approvers: [oncall], GrantTTL: 1h}", "{Approvers: [secops], MaxUses: 3}",
    ]

    private static func statement(_ random: inout SeededRandom) -> String {
        func one(_ texts: [String]) -> String { texts[Int.random(in: 0..<texts.count, using: &random)] }
        func chance(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &random) == 0 }
        let effect = one(["Allow", "Allow", "Deny", "AllowWithApproval", "RequireApproval"])
        var text = "Effect: \(effect), \(chance(8) ? "NotAction" : "Action"): \(one(actions)), "
        text += "\(chance(6) ? "NotResource" : "Resource"): \(one(resources))"
        if chance(2) {
            let first = one(conditions)
            let second = one(conditions)
            let isApart = first.prefix { $0 != ":" } != second.prefix { $0 != ":" }
            text += ", Condition: {\(chance(3) && isApart ? "\(first), \(second)" : first)}"
        }
        if chance(3) { text += ", Agents: \(one(agents))" }
        if effect.hasPrefix("Allow"), chance(8) { text += ", Limit: {Calls: 5, Items: 5, Per: 1m}" }
        if effect.hasSuffix("Approval") { text += ", Approval: \(one(approvals))" }
        return text
    }

    /// Two sets, most statements of which are in both.
    static func pair(_ random: inout SeededRandom) throws -> (String, String) {
        var sides: [[String]] = [[], []]
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let text = statement(&random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0: sides[0].append(text)
            case 1: sides[1].append(text)
            case 2:
                sides[0].append(text)
                sides[1].append(statement(&random))
            default:
                sides[0].append(text)
                sides[1].append(text)
            }
        }
        let texts = sides.map { side in
            (side + ["Effect: Allow, Action: ec2:DescribeInstances, Resource: \"*\""]).enumerated()
                .map { "- {Sid: S\($0), \($1)}" }.joined(separator: "\n")
        }
        return (texts[0], texts[1])
    }

    private static let touched: [Resource] =
        [
            "arn:aws:s3:::lake/a", "arn:aws:s3:::lake", "arn:aws:s3:::lake/tmp/b.csv", "arn:aws:s3:::like/c",
            "arn:aws:s3:::lake/etl-1/x", "arn:aws:s3:::other/x.csv", "arn:aws:s3:eu-west-1:111122223333:ap/x",
            "arn:aws:s3:::lake/etl-2/y", "ARN:aws:s3:::lake/a", "arn:aws:s3::a:b:lake/a",
        ].map { Resource($0) } + [
            .star, .unknown, Resource([.known("arn:aws:s3:::lake/"), .unknown]),
            Resource([.known("arn:aws:s3:::"), .unknown, .known(".csv")]),
            Resource([.known("arn:aws:s3:"), .unknown, .known(":111122223333:ap")]),
            Resource([.known("arn:aws:s3:::lake/t"), .unknown, .known("/x")]),
            Resource([
                .known("arn:aws:secretsmanager:us-east-1:111122223333:secret:db-"),
                .unknownCharacters(count: 6),
            ]),
        ]

    /// Any call of one pair.
    static func call(_ random: inout SeededRandom, _ actions: [FacetedAction]) throws -> PolicyDiff.Witness {
        func one<Element>(_ elements: [Element]) -> Element {
            elements[Int.random(in: 0..<elements.count, using: &random)]
        }
        let faceted = one(actions)
        let facet = one(faceted.facets).facet
        var settings: [Situation.Setting] = []
        for (name, values) in [
            ("aws:requestedregion", ["eu-west-1", "us-east-1", "x"]),
            ("s3:prefix", ["tmp/a", "x", "tmp", "etl-1", ""]),
            ("aws:tagkeys", ["a", "b", "ab", "c", ""]), ("s3:max-keys", ["2", "3", "9", "10", "many"]),
            ("aws:vpcsourceip", ["10.1.2.3", "10.9.9.9", "192.0.2.1"]), ("s3:bin", ["YQ==", "Yw=="]),
            ("aws:sourcevpc", ["arn:aws:ec2:x:1:vpc/a", "vpc"]),
            ("aws:multifactorauthpresent", ["true", "false"]),
            ("aws:principaltag/t", ["tmp", "a"]),
        ] {
            switch Int.random(in: 0..<6, using: &random) {
            case 0: settings.append(.keys(name, .absent))
            case 1, 2, 3: settings.append(.keys(name, .filled([one(values)])))
            case 4: settings.append(.keys(name, .filled([one(values), one(values)])))
            default: settings.append(.keys(name, .unknown))
            }
        }
        settings.append(.strength(one(IdentityStrength.allCases)))
        settings.append(.task(one([nil, "T-1", "other"])))
        settings.append(.itemCount(one([1, 5, 6])))
        settings.append(
            .at(
                Instant(secondsSinceEpoch: one([1_795_336_260, 1_796_083_199, 1_796_083_201, 1_796_090_000])))
        )
        return PolicyDiff.Witness(
            agent: try AgentName(parsing: one(["etl-1", "etl-2", "b-1", "support"])), action: faceted.action,
            resource: one(touched), circumstances: [], level: facet.level, sensitivity: facet.sensitivity,
            vends: facet.vends, settings: settings)
    }
}
