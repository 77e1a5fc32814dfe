import Recognizing
import Testing
import Vocabulary

@testable import Deciding

@Suite("Explaining a decision") struct ExplainTests {
    private static func explained(_ set: PolicySet, _ meaning: Meaning, agent: String = "support-7") throws
        -> Explanation
    {
        explain(meaning, caller: try caller(agent), under: set, at: noon)
    }

    @Test func `each part of a statement says for itself whether it fits`() throws {
        let set = try PolicySet.of(
            """
            - Sid: Own
              Effect: Allow
              Action: "dynamodb:GetItem"
              Resource: "\(orders)"
              Condition:
                StringEquals: {x:k: [a, b], countersign:Task: T-2}
                "ForAllValues:StringLike": {x:l: "c*"}
                Bool: {countersign:Mutates: "false"}
            - {Sid: Other, Effect: Allow, Action: "dynamodb:Query", Resource: "\(orders)/*", Agents: [x]}
            """)
        var keys = ConditionKeys()
        keys["x:k"] = .filled(["b"])
        keys["x:l"] = .absent
        let meaning = try meaning([pair("dynamodb:GetItem", Resource(orders), .read)], keys: keys)
        let trials = try Self.explained(set, meaning).pairs[0].trials
        #expect(trials.map(\.statement.id.sid) == ["Other", "Own"])
        let (other, own) = (trials[0], trials[1])
        #expect(!other.coversAgent && !other.coversAction && other.resource == .no && !other.applies)
        #expect(own.coversAgent && own.coversAction && own.resource == .yes && !own.applies)
        #expect(
            own.conditions.map(\.comparator) == [
                "StringEquals", "StringEquals", "ForAllValues:StringLike", "Bool",
            ])
        #expect(own.conditions.map(\.key) == ["x:k", "countersign:Task", "x:l", "countersign:Mutates"])
        #expect(own.conditions.map(\.values) == [["a", "b"], ["T-2"], ["c*"], ["false"]])
        #expect(own.conditions.map(\.truth) == [.yes, .no, .yes, .yes])
        #expect(
            own.conditions.map(\.fact) == [
                .filled(["b"]), .filled(["T-1"]), .absent(why: "the call does not have it"),
                .filled(["false"]),
            ])
    }

    @Test func `the gate's host is what is stated, and else not known`() throws {
        let set = try PolicySet.of(
            """
            - Sid: Here
              Effect: Allow
              Action: "dynamodb:GetItem"
              Resource: "*"
              Condition: {StringEquals: {countersign:Host: web-14}}
            """)
        let meaning = try meaning([pair("dynamodb:GetItem", Resource(orders), .read)])
        func told(on host: String?) throws -> (Truth, String) {
            let told = explain(meaning, caller: try caller(), under: set, host: host, at: noon)
            return (told.pairs[0].trials[0].conditions[0].truth, told.decision.word)
        }
        #expect(try told(on: "web-14") == (.yes, "allow test/Here"))
        #expect(try told(on: "web-15") == (.no, "deny byDefault"))
        #expect(try told(on: nil) == (.unknown, "deny byDefault"))
    }

    @Test(
        "what is not known is told with its reason",
        arguments: [
            ("{Bool: {x:k: \"true\"}}", ["maybe"], "the value is not of the operator's type"),
            (
                "{StringEquals: {x:k: a}}", ["a", "b"],
                "several values are compared under `ForAllValues:` or `ForAnyValue:` alone"
            ),
            ("{StringNotEquals: {x:k: \"${x:absent}\"}}", ["a"], "a variable of it has not one value"),
            ("{\"ForAllValues:StringEquals\": {x:k: a}}", [""], "AWS may take an empty text for no value"),
        ])
    func unknown(_ condition: String, _ values: [String], _ why: String) throws {
        var keys = ConditionKeys()
        keys["x:k"] = .filled(values)
        keys["x:absent"] = .absent
        let set = try PolicySet.of(
            "- {Sid: S, Effect: Deny, Action: \"*\", Resource: \"*\", Condition: \(condition)}")
        let explanation = try Self.explained(set, meaning([pair("dynamodb:GetItem", .star)], keys: keys))
        let trial = explanation.pairs[0].trials[0]
        #expect(trial.conditions.map(\.truth) == [.unknown] && trial.conditions.map(\.why) == [why])
        #expect(trial.applies && explanation.pairs[0].decision == .deny(.statement(trial.statement.id)))
    }

    @Test func `a key without a value says why: not told, not listed, or no task`() throws {
        let set = try PolicySet.of(
            """
            - Sid: S
              Effect: Deny
              Action: "*"
              Resource: "*"
              Condition:
                StringEquals:
                  aws:PrincipalOrgID: o-1
                  s3:prefix: a
                  dynamodb:LeadingKeys: a
                  countersign:Task: a
                  countersign:AccessLevel: Read
            """)
        let meaning = try meaning([pair("dynamodb:DeleteItem", Resource(orders), .unknown)])
        let who = try caller(task: nil)
        let trial = explain(meaning, caller: who, under: set, at: noon).pairs[0].trials[0]
        let notTold = "the request does not tell, so the gate cannot know"
        #expect(
            trial.conditions.map(\.fact) == [
                .unknown(why: notTold), .unknown(why: "AWS does not list it for dynamodb:DeleteItem"),
                .unknown(why: notTold), .absent(why: "the agent states no task"),
                .unknown(why: "AWS does not say which level dynamodb:DeleteItem has"),
            ])
    }

    @Test func `variables are shown with what they stand for, once each`() throws {
        let set = try PolicySet.of(
            """
            - Sid: S
              Effect: Allow
              Action: "s3:GetObject"
              Resource:
                - "arn:aws:s3:::b/${countersign:Agent}/${aws:Tag, 'x'}"
                - "arn:aws:s3:::c/${countersign:Agent}"
              Condition: {StringLike: {countersign:Task: "${countersign:Session}*"}}
            """)
        let meaning = try meaning([pair("s3:GetObject", Resource("arn:aws:s3:::c/support-7"))])
        let trial = try Self.explained(set, meaning).pairs[0].trials[0]
        #expect(trial.resource == .yes)
        #expect(trial.variables.map(\.key) == ["countersign:Agent", "aws:tag"])
        #expect(trial.variables[0].fact == .filled(["support-7"]))
        #expect(trial.conditions[0].variables.map(\.key) == ["countersign:Session"])
    }

    @Test func `a barred call and who am I are explained as they are decided`() throws {
        let set = try PolicySet.of("- {Sid: All, Effect: Deny, Action: \"*\", Resource: \"*\"}")
        let pairs = [pair("sts:GetCallerIdentity", .star, .read)]
        let answered = try Self.explained(set, meaning(pairs, always: true))
        #expect(
            answered.pairs.map(\.decision) == [.alwaysAnswered]
                && answered.decision.word == "allow alwaysAnswered")
        let barred = try Self.explained(set, meaning(pairs, bar: .session))
        #expect(barred.pairs.map(\.decision) == [.deny(.barred(.session))])
        let empty = try Self.explained(set, meaning([]))
        #expect(empty.pairs.map(\.decision) == [.deny(.byDefault)] && empty.decision.word == "deny byDefault")
    }

    @Test func `a limit is told where it binds, and decides where the call goes beyond`() throws {
        let set = try PolicySet.of(
            """
            - {Sid: Few, Effect: Allow, Action: "dynamodb:GetItem", Resource: "*", Limit: {Items: 5, Per: 1m}}
            - {Sid: Other, Effect: Allow, Action: "dynamodb:Query", Resource: "*", Limit: {Calls: 1, Per: 1m}}
            """)
        let pairs = [pair("dynamodb:GetItem", Resource(orders), .read)]
        let fits = try Self.explained(set, meaning(pairs, items: 5)).pairs[0]
        #expect(fits.decision == .allow(StatementID(document: "test", sid: "Few")))
        #expect(fits.trials.map(\.limit?.binds) == [true, false] && fits.trials[0].limit?.reach == nil)
        #expect(fits.trials[0].limit?.text == "5 items a minute per agent, then deny")
        let over = try Self.explained(set, meaning(pairs, items: 6))
        let reach = try #require(over.pairs[0].trials[0].limit?.reach)
        #expect(over.pairs[0].decision == .deny(.limit(reach)) && over.decision.word == "deny limit:test/Few")
        var book = LimitBook()
        _ = book.restore(
            Limit.Amount(items: 1), of: reach.statement, per: .seconds(60), agent: try caller().agent,
            session: nil, at: noon)
        let full = explain(
            try meaning(pairs, items: 5), caller: try caller(), under: set, limits: book, at: noon)
        #expect(full.decision.word == "deny limit:test/Few" && full.pairs[0].trials[0].limit?.reach != nil)
    }

    @Test func `on random sets and calls what is explained is what is decided`() throws {
        var random = SeededRandom(seed: 11)
        var counts: [String: Int] = [:]
        for _ in 0..<400 {
            let statements = (0..<Int.random(in: 1...6, using: &random)).map {
                DecideTests.randomStatement(&random, $0)
            }
            let set = try PolicySet.of(statements.joined(separator: "\n"))
            for _ in 0..<10 {
                let meaning = try DecideTests.randomMeaning(&random)
                let explanation = try Self.explained(set, meaning)
                let decided = decide(
                    meaning, caller: try caller(), under: set, grants: GrantBook(), at: noon)
                #expect(explanation.decision == decided)
                #expect(explanation.said == Said(decided), "\(statements) on \(meaning.pairs)")
                counts["\(explanation.said.word)", default: 0] += 1
                for pair in explanation.pairs { #expect(pair.trials.count == set.statements.count) }
            }
        }
        #expect(counts.count == 3 && counts.values.allSatisfy { $0 > 30 }, "\(counts)")
    }
}

/// A decision as far as the pairs apart can tell it.
private struct Said: Hashable {
    let word: String
    let statements: Set<StatementID>
    let terms: ApprovalTerms?
    let reasons: [Denial.Reason]

    init(_ decision: Decision) {
        switch decision {
        case .allow(let allowance): self.init("allow", allowance.statements)
        case .ask(let question): self.init("ask", question.statements, terms: question.terms)
        case .deny(let denial): self.init("deny", reasons: denial.items.map(\.reason))
        }
    }

    init(
        _ word: String, _ statements: [StatementID] = [], terms: ApprovalTerms? = nil,
        reasons: [Denial.Reason] = []
    ) {
        (self.word, self.statements, self.terms, self.reasons) = (word, Set(statements), terms, reasons)
    }
}

extension Explanation {
    /// The call's decision, put together from what its pairs' own trials came to.
    fileprivate var said: Said {
        let reasons = pairs.compactMap { if case .deny(let reason) = $0.decision { reason } else { nil } }
        if !reasons.isEmpty { return Said("deny", reasons: reasons) }
        let asking = pairs.compactMap { pair -> ([StatementID], ApprovalTerms)? in
            if case .ask(let statements, let terms) = pair.decision { (statements, terms) } else { nil }
        }
        if let first = asking.first {
            let terms = asking.dropFirst().reduce(first.1) { $0.merged(with: $1.1) }
            return Said("ask", asking.flatMap(\.0), terms: terms)
        }
        return Said(
            "allow",
            pairs.compactMap { if case .allow(let statement) = $0.decision { statement } else { nil } })
    }
}
