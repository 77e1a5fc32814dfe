import Testing
import Vocabulary

@testable import Deciding
@testable import Recognizing

/// A recorded read of the table `orders` with these keys.
func recorded(
    _ pairs: [Pair] = [pair("dynamodb:GetItem", Resource(orders), .read, .data)],
    keys: [String: [String]] = [:], unrecorded: Set<String> = [], agent: String = "support-7",
    at: Instant = noon, vends: Bool = false, digest byte: UInt8 = 1, protocol: WireProtocol? = .awsJSON10,
    gaps: RecordedCall.Gaps = RecordedCall.Gaps()
) throws -> RecordedCall {
    let named = RecordedKeys(
        keys: keys.sorted { $0.key < $1.key }.map { .init(name: $0.key, values: $0.value) }
            + unrecorded.map { .init(name: $0, values: nil) })
    return RecordedCall(
        caller: try caller(agent), at: at, service: "dynamodb", operation: "GetItem",
        account: "111122223333", region: "us-east-1", wireProtocol: `protocol`,
        pairs: pairs.map { .init(pair: $0, keys: named, unrecorded: unrecorded) }, itemCount: 1,
        bodyByteCount: 0, vendsCredentials: vends, bar: nil, digest: try digest(byte), gaps: gaps)
}

private func statement(_ sid: String, _ effect: String, condition: String = "", action: String = "dynamodb:*")
    -> String
{
    let approval = effect.contains("Approval") ? "\n  Approval: {Approvers: [oncall]}" : ""
    return """
        - Sid: \(sid)
          Effect: \(effect)
          Action: "\(action)"
          Resource: "*"\(condition.isEmpty ? "" : "\n  Condition: \(condition)")\(approval)
        """
}

@Suite("Deciding: recorded calls") struct ReplayedTests {
    @Test func `a recorded call is decided as the call was, at its own time`() throws {
        let set = try PolicySet.of(
            statement(
                "Read", "Allow", condition: "{DateLessThan: {aws:CurrentTime: \"2026-11-22T08:31:01Z\"}}"))
        #expect(try recorded().replayed(under: set).description == "allow test/Read")
        let late = try recorded(at: noon.advanced(by: .seconds(1)))
        #expect(late.replayed(under: set).description == "deny by default")
        #expect(try recorded(agent: "etl-1").replayed(under: set).word == .allow)
    }

    @Test func `a recorded key is judged, one that could not be known is unknown as it was`() throws {
        let set = try PolicySet.of(
            statement("Mine", "Allow", condition: "{StringEquals: {dynamodb:LeadingKeys: o-91}}"))
        #expect(try recorded(keys: ["dynamodb:leadingkeys": ["o-91"]]).replayed(under: set).word == .allow)
        #expect(try recorded(keys: ["dynamodb:leadingkeys": ["o-92"]]).replayed(under: set).word == .deny)
        #expect(try recorded().replayed(under: set).word == .deny, "no claim that it cannot be told")
    }

    @Test func `where a key that was not recorded would decide nobody can tell`() throws {
        let key = "dynamodb:leadingkeys"
        let condition = "{StringEquals: {dynamodb:LeadingKeys: o-91}}"
        let call = try recorded(unrecorded: [key])
        for effect in ["Allow", "AllowWithApproval", "RequireApproval"] {
            let said = call.replayed(under: try PolicySet.of(statement("A", effect, condition: condition)))
            #expect(said.description == "cannot tell dynamodb:leadingkeys is not recorded", "\(effect)")
        }
        let deny = try PolicySet.of(
            statement("A", "Allow") + "\n" + statement("D", "Deny", condition: condition))
        #expect(call.replayed(under: deny).word == .cannotTell)
    }

    @Test func `where the key that was not recorded makes no difference the answer stands`() throws {
        let call = try recorded(unrecorded: ["dynamodb:leadingkeys"])
        let condition = "{StringEquals: {dynamodb:LeadingKeys: o-91}}"
        func says(_ statements: String...) throws -> String {
            call.replayed(under: try PolicySet.of(statements.joined(separator: "\n"))).description
        }
        #expect(
            try says(statement("A", "Allow"), statement("B", "Allow", condition: condition)) == "allow test/A"
        )
        #expect(
            try says(statement("N", "Deny"), statement("B", "Allow", condition: condition)) == "deny test/N")
        // Of another action, or failing for another reason: it never was about this call.
        #expect(
            try says(
                statement("A", "Allow"), statement("D", "Deny", condition: condition, action: "s3:*")
            ) == "allow test/A")
        let never = "{StringEquals: {dynamodb:LeadingKeys: o-91, aws:RequestedRegion: eu-west-1}}"
        #expect(try says(statement("A", "Allow"), statement("D", "Deny", condition: never)) == "allow test/A")
        // Asked either way, whoever else might have been asked too.
        #expect(
            try says(
                statement("R", "RequireApproval"), statement("S", "RequireApproval", condition: condition)
            ).hasPrefix("ask"))
    }

    @Test func `two doubtful statements that open it only together are found`() throws {
        let pairs = [
            pair("dynamodb:GetItem", Resource(orders), .read),
            pair("dynamodb:Query", Resource(orders), .read),
        ]
        let condition = "{StringEquals: {dynamodb:LeadingKeys: o-91}}"
        let set = try PolicySet.of(
            statement("A", "Allow", condition: condition, action: "dynamodb:GetItem") + "\n"
                + statement("K", "AllowWithApproval", condition: condition, action: "dynamodb:Query"))
        #expect(
            try recorded(pairs, unrecorded: ["dynamodb:leadingkeys"]).replayed(under: set).word == .cannotTell
        )
        #expect(
            try recorded(pairs, keys: ["dynamodb:leadingkeys": ["o-91"]]).replayed(under: set).word == .ask)
    }

    @Test func `with pairs missing only a denial is certain`() throws {
        var gaps = RecordedCall.Gaps()
        gaps.missingPairCount = 3
        let open = try PolicySet.of(statement("A", "Allow"))
        #expect(
            try recorded(gaps: gaps).replayed(under: open).description
                == "cannot tell 3 of its pairs are not recorded")
        #expect(
            try recorded(gaps: gaps).replayed(under: try PolicySet.of(statement("N", "Deny"))).word == .deny)
        #expect(try recorded([], gaps: gaps).replayed(under: open).word == .cannotTell, "no pair is left")
        #expect(try recorded([]).replayed(under: open).word == .deny, "there never was one")
    }

    @Test func `of an entry from before keys were recorded no key of the request is known`() throws {
        var gaps = RecordedCall.Gaps()
        gaps.areKeysCut = true
        let call = try recorded(protocol: nil, gaps: gaps)
        func says(_ condition: String) throws -> Replayed.Word {
            call.replayed(under: try PolicySet.of(statement("A", "Allow", condition: condition))).word
        }
        #expect(try says("") == .allow)
        #expect(try says("{StringEquals: {countersign:Agent: support-7}}") == .allow)
        #expect(try says("{DateLessThan: {aws:CurrentTime: \"2027-01-01T00:00:00Z\"}}") == .allow)
        #expect(try says("{StringEquals: {s3:prefix: tmp/}}") == .cannotTell)
        #expect(try says("{StringEquals: {countersign:Protocol: restXml}}") == .cannotTell)
    }

    @Test func `a pair is judged with its own keys`() throws {
        let pairs = [
            pair("dynamodb:GetItem", Resource(orders), .read),
            pair("dynamodb:GetItem", Resource(orders + "2"), .read),
        ]
        let calls = ["o-91", "o-92"].map { value in
            RecordedCall.JudgedPair(
                pair: pairs[value == "o-91" ? 0 : 1],
                keys: RecordedKeys(keys: [.init(name: "dynamodb:leadingkeys", values: [value])]),
                unrecorded: [])
        }
        let one = try recorded()
        let call = RecordedCall(
            caller: one.caller, at: one.at, service: one.service, operation: one.operation,
            account: one.account, region: one.region, wireProtocol: one.wireProtocol, pairs: calls,
            itemCount: 2, bodyByteCount: 0, vendsCredentials: false, bar: nil, digest: one.digest,
            gaps: one.gaps)
        func says(_ values: String) throws -> Replayed.Word {
            let condition = "{StringEquals: {dynamodb:LeadingKeys: \(values)}}"
            return call.replayed(under: try PolicySet.of(statement("A", "Allow", condition: condition))).word
        }
        #expect(try says("[o-91, o-92]") == .allow)
        #expect(try says("[o-91]") == .deny)
    }

    // MARK: - Changes

    @Test(
        "a call that changes is of its kind",
        arguments: [
            ("Deny", "Allow", "new access"), ("Deny", "AllowWithApproval", "new access by approval"),
            ("AllowWithApproval", "Allow", "lost gate"), ("Allow", "RequireApproval", "new gate"),
            ("Allow", "Deny", "lost access"), ("RequireApproval", "Deny", "lost access"),
            ("Allow", "Allow", ""),
            ("RequireApproval", "AllowWithApproval", ""),
        ])
    func kinds(_ before: String, _ after: String, _ kind: String) throws {
        let sets = try [before, after].map { try PolicySet.of(statement("S", $0)) }
        var changes = ReplayedChanges(from: sets[0], to: sets[1])
        changes.add(try recorded(), count: 2, entry: EntryID(seq: 5))
        changes.add(try recorded(at: noon.advanced(by: .seconds(9))), count: 1, entry: EntryID(seq: 6))
        #expect(changes.callCount == 3)
        #expect(changes.groups.map { $0.kind?.rawValue } == (kind.isEmpty ? [] : [kind]))
        for group in changes.groups {
            #expect(group.count == 3)
            #expect(group.example == EntryID(seq: 5))
            #expect(group.last.since(group.first) == .seconds(9))
            #expect(
                group.kind?.widens == ["new access", "new access by approval", "lost gate"].contains(kind))
        }
    }

    @Test func `what widens comes first, then what is most`() throws {
        let before = try PolicySet.of(
            statement("A", "Allow", action: "dynamodb:PutItem") + "\n"
                + statement("B", "Allow", action: "dynamodb:Query"))
        let after = try PolicySet.of(statement("C", "Allow", action: "dynamodb:GetItem"))
        var changes = ReplayedChanges(from: before, to: after)
        for (action, count) in [("PutItem", 4), ("Query", 9), ("GetItem", 1)] {
            let call = try recorded(
                [pair("dynamodb:\(action)", Resource(orders))], agent: action.asciiLowercased)
            changes.add(call, count: count, entry: EntryID(seq: 1))
        }
        #expect(changes.groups.map(\.agent.text) == ["getitem", "query", "putitem"])
    }

    // MARK: - Simulating

    @Test func `a repeat within the life and the uses of its grant makes no new question`() throws {
        let set = try PolicySet.of(
            """
            - Sid: Asks
              Effect: AllowWithApproval
              Action: "dynamodb:*"
              Resource: "*"
              Approval: {Approvers: {oncall: 1, secops: 1}, GrantTTL: 10m, MaxUses: 2}
            """)
        var simulation = PolicySimulation(set)
        for second in [0, 1, 2, 599, 600, 1_300] {
            simulation.add(try recorded(at: noon.advanced(by: .seconds(second))), count: 1)
        }
        // At 0 and 1 one question, at 2 and 599 the second, at 600 the third, at 1300 the fourth.
        #expect(simulation.total.asking == 6)
        #expect(simulation.total.questions == 4)
        #expect(simulation.approvers == ["oncall and secops": ["2026-11-22": 4]])
        simulation.add(try recorded(digest: 2), count: 5)
        #expect(simulation.total.questions == 7, "another call: five of it need three grants of two uses")
        #expect(simulation.statements.values.first == 7)
    }

    @Test func `calls are counted by the day in UTC and by agent`() throws {
        let set = try PolicySet.of(statement("A", "Allow", action: "dynamodb:GetItem"))
        var simulation = PolicySimulation(set)
        simulation.add(try recorded(), count: 3)
        simulation.add(try recorded([pair("s3:GetObject", Resource("arn:aws:s3:::b/k"))]), count: 2)
        simulation.add(try recorded(at: noon.advanced(by: .seconds(86_400))), count: 1)
        let days = simulation.days.sorted { $0.key.date < $1.key.date }
        #expect(days.map(\.key.date) == ["2026-11-22", "2026-11-23"])
        #expect(days.map(\.value.allowed) == [3, 1])
        #expect(days.map(\.value.denied) == [2, 0])
        #expect(simulation.denied.values.first == 2)
        #expect(simulation.total.calls == 6)
    }
}
