import Approving
import Deciding
import Recognizing
import Testing
import Vocabulary

@testable import Gateway

private let first = ApprovalID(random: 1)
private let second = ApprovalID(random: 2)

@Suite("Corridor") struct CorridorTests {
    @Test func `a call that policy allows is recorded, signed and finished`() throws {
        var (walk, desk) = (Walk("GetItem"), try makeDesk())
        #expect(try walk.take(.head(walk.head, wall: noon), &desk) == "read body")
        #expect(try walk.take(.body(walk.body), &desk) == "record, 0 uses")
        #expect(try walk.take(.durable(EntryID(seq: 4)), &desk) == "sign \(EntryID(seq: 4))")
        #expect(try walk.take(.outcome(outcome(.answered), nil), &desk) == "finish answered")
        #expect(try walk.take(.gone, &desk) == "withdraw")
    }

    @Test func `what is not allowed, not understood or not ours is refused`() throws {
        var desk = try makeDesk()
        var walk = Walk("DeleteTable")
        #expect(try walk.arrive(&desk) == "refuse: denied")
        walk = Walk("EmptyTable")
        #expect(try walk.arrive(&desk) == "refuse: denied", "no such operation: named, and denied")
        walk = Walk("deletetable")
        #expect(try walk.arrive(&desk) == "refuse: unrecognized")
        walk = Walk()
        let signed = RequestHead(
            method: "POST", target: "/",
            fields: walk.head.fields + [
                HeaderField(
                    "authorization",
                    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261122/us-east-1/dynamodb/"
                        + "aws4_request, SignedHeaders=host, Signature=\(String(repeating: "0", count: 64))")
            ])
        #expect(try walk.take(.head(signed, wall: noon), &desk) == "refuse: unidentified")
    }

    @Test func `an observing gate sends what policy would deny or hold, and asks nobody`() throws {
        for (operation, would) in [("DeleteItem", "ask"), ("DeleteTable", "deny")] {
            var (walk, desk) = (Walk(operation), try makeDesk())
            desk.mode = .observe
            _ = try walk.take(.head(walk.head, wall: noon), &desk)
            let action = walk.corridor.step(
                .body(walk.body), at: try binding(), of: &desk, now: noon)
            guard case .record(let reservation, _) = consume action else { throw Unexpected() }
            let allowance = reservation.allowance
            switch allowance.would {
            case .ask: #expect(would == "ask")
            case .deny: #expect(would == "deny")
            case nil: Issue.record("no mark")
            }
            #expect(reservation.uses.isEmpty && reservation.needsSync)
            #expect(desk.room.waiting.isEmpty)
        }
        var desk = try makeDesk()
        desk.mode = .observe
        var walk = Walk("EmptyTable")
        #expect(try walk.arrive(&desk) == "refuse: denied", "no such operation")
        walk = Walk("deletetable")
        #expect(try walk.arrive(&desk) == "refuse: unrecognized")
    }

    @Test func `a call that asks is requested, held, and sent under its grant`() throws {
        var (walk, desk) = (Walk(), try makeDesk())
        try walk.waits(1, &desk)
        #expect(try walk.take(.reconsider, &desk) == "-", "nothing has changed")
        try desk.review(1)
        #expect(try walk.take(.reconsider, &desk, at: after(5)) == "record, 1 uses")
        #expect(desk.grants.usesLeft(of: GrantID(random: 1)) == 0)
        #expect(try walk.take(.reconsider, &desk, at: after(6)) == "-", "a second wake takes nothing more")
    }

    @Test func `the hold ends with the approval's name, and the repeat meets the grant`() throws {
        var (walk, desk) = (Walk(), try makeDesk())
        try walk.waits(1, &desk)
        #expect(try walk.take(.holdEnded, &desk, at: after(20)) == "refuse: waiting \(first)")
        try desk.review(1, at: after(30))
        var again = Walk(number: 2)
        #expect(try again.arrive(&desk, at: after(40)) == "record, 1 uses")
        var other = Walk(key: "o-92", number: 3)
        #expect(try other.arrive(&desk, at: after(40)) == "request", "a changed call is a new question")
    }

    @Test func `the same call on another connection joins, while it is requested and while it waits`() throws
    {
        var (walk, desk) = (Walk(), try makeDesk())
        var joining = Walk(number: 2)
        #expect(try walk.arrive(&desk) == "request")
        #expect(try joining.arrive(&desk) == "await request")
        desk.room.apply(.requested(try walk.approval(1, desk)))
        #expect(try walk.take(.requested, &desk) == "hold \(first) 20 s")
        #expect(try joining.take(.requested, &desk) == "hold \(first) 20 s")
        var third = Walk(number: 3)
        #expect(try third.arrive(&desk) == "hold \(first) 20 s")
    }

    @Test func `of many that wait the first takes the grant, and the others ask one new question`() throws {
        var (walk, desk) = (Walk(), try makeDesk())
        try walk.waits(1, &desk)
        var others = (2...5).map { Walk(number: $0) }
        for index in others.indices { #expect(try others[index].arrive(&desk) == "hold \(first) 20 s") }
        try desk.review(1)
        #expect(try walk.take(.reconsider, &desk, at: after(5)) == "record, 1 uses")
        let words = try others.indices.map { try others[$0].take(.reconsider, &desk, at: after(5)) }
        #expect(words == ["request", "await request", "await request", "await request"])
    }

    @Test func `a denial refuses those that wait, and those that come after`() throws {
        var (walk, desk) = (Walk(), try makeDesk())
        try walk.waits(1, &desk)
        try desk.review(1, .deny)
        #expect(try walk.take(.reconsider, &desk, at: after(5)) == "refuse: already denied \(first)")
        var again = Walk(number: 2)
        #expect(try again.arrive(&desk, at: after(6)) == "refuse: already denied \(first)")
        #expect(try again.take(.reconsider, &desk, at: after(7)) == "-")
    }

    @Test func `what nobody answered, or was taken back, is over`() throws {
        for state in [Approval.State.expired, .withdrawn] {
            var (walk, desk) = (Walk(), try makeDesk())
            try walk.waits(1, &desk)
            desk.room.apply(.ended(first, state, at: after(10)))
            #expect(try walk.take(.reconsider, &desk, at: after(10)) == "refuse: ended \(first)")
        }
    }

    @Test func `a grant past its end is asked about anew`() throws {
        var (walk, desk) = (Walk(), try makeDesk())
        try walk.waits(1, &desk)
        try desk.review(1, at: after(5))
        var late = walk
        #expect(try walk.take(.reconsider, &desk, at: after(5 + 899)) == "record, 1 uses")
        desk.grants.release(Use(grant: GrantID(random: 1), approval: first, number: 1, maxUses: 1))
        #expect(try late.take(.reconsider, &desk, at: after(5 + 900)) == "request")
    }

    @Test func `a new policy set judges what waits: it may deny, allow or ask anew`() throws {
        let open = standing.replacing("DeletesAsk", with: "Deletes").replacing(
            "AllowWithApproval", with: "Allow"
        )
        .replacing("Approval: {Approvers: [oncall], Scope: exact, MaxUses: 1, Hold: 20s}", with: "")
        for (text, expected) in [
            (standing.replacing("\"dynamodb:DeleteTable\"", with: "\"dynamodb:Delete*\""), "refuse: denied"),
            (open, "record, 0 uses"),
            (standing.replacing("MaxUses: 1", with: "MaxUses: 2"), "request instead of \(first)"),
        ] {
            var (walk, desk) = (Walk(), try makeDesk())
            try walk.waits(1, &desk)
            desk.policy = try policySet(text)
            #expect(try walk.take(.reconsider, &desk, at: after(5)) == expected)
        }
    }

    @Test func `a grant whose statement has changed since covers nothing`() throws {
        var (walk, desk) = (Walk(), try makeDesk())
        try walk.waits(1, &desk)
        try desk.review(1)
        desk.policy = try policySet(standing.replacing("MaxUses: 1", with: "MaxUses: 2"))
        #expect(try walk.take(.reconsider, &desk, at: after(6)) == "request")
    }

    // MARK: Attempts of one invocation

    @Test func `a later attempt waits for the first one's outcome and gets it`() throws {
        var desk = try makeDesk()
        var walk = Walk(invocation: "inv-1")
        try walk.waits(1, &desk)
        try desk.review(1)
        #expect(try walk.take(.reconsider, &desk, at: after(5)) == "record, 1 uses")
        var retry = Walk(invocation: "inv-1", number: 2)
        #expect(try retry.arrive(&desk, at: after(6)) == "await outcome")
        let reply = StoredReply(status: 200, fields: [], body: [])
        desk.sends.finish(try key(walk), .stored(reply), at: after(6))
        #expect(try retry.take(.reconsider, &desk, at: after(7)) == "replay 200")
        var late = Walk(invocation: "inv-1", number: 3)
        #expect(try late.arrive(&desk, at: after(100)) == "replay 200")
        var next = Walk(invocation: "inv-2", number: 4)
        #expect(try next.arrive(&desk, at: after(100)) == "request", "another invocation is another call")
    }

    @Test func `an attempt after an unknown outcome is not sent`() throws {
        var desk = try makeDesk()
        var walk = Walk(invocation: "inv-1")
        try walk.waits(1, &desk)
        try desk.review(1)
        _ = try walk.take(.reconsider, &desk, at: after(5))
        var retry = Walk(invocation: "inv-1", number: 2)
        _ = try retry.arrive(&desk, at: after(6))
        var patient = retry
        #expect(try patient.take(.holdEnded, &desk, at: after(56)) == "refuse: outcome unknown")
        desk.sends.finish(try key(walk), .unknown, at: after(6))
        #expect(try retry.take(.reconsider, &desk, at: after(7)) == "refuse: outcome unknown")
    }

    @Test func `an attempt after one that AWS certainly did not act on is sent`() throws {
        var desk = try makeDesk()
        var walk = Walk(invocation: "inv-1")
        try walk.waits(1, &desk)
        try desk.review(1)
        _ = try walk.take(.reconsider, &desk, at: after(5))
        var retry = Walk(invocation: "inv-1", number: 2)
        _ = try retry.arrive(&desk, at: after(6))
        desk.grants.release(Use(grant: GrantID(random: 1), approval: first, number: 1, maxUses: 1))
        desk.sends.finish(try key(walk), nil, at: after(6))
        #expect(try retry.take(.reconsider, &desk, at: after(7)) == "record, 1 uses")
    }

    private func key(_ walk: Walk) throws -> SendKey {
        let (call, caller) = (try #require(walk.corridor.call), try #require(walk.corridor.caller))
        return try #require(SendKey(caller: caller, call: call))
    }

    // MARK: Every state, every event

    @Test(arguments: Stage.allCases) func `each state takes its events and no others`(_ stage: Stage) throws {
        for (index, event) in Stage.events.enumerated() {
            var (walk, desk) = try stage.reached()
            let done = try walk.take(event.event, &desk, at: after(1))
            #expect(done == stage.row[index], "\(stage) on \(event.name)")
        }
    }
}

/// A state of the corridor, how a call gets there, and what it does on each event.
enum Stage: CaseIterable {
    case arriving, readingBody, requesting, waitingForHumans, waitingForOutcome, recording, sent, left

    static let events: [(name: String, event: Corridor.Event)] = [
        ("head", .head(dynamoHead("DeleteItem"), wall: noon)), ("body", .body(itemBody())),
        ("requested", .requested),
        ("reconsider", .reconsider), ("hold ended", .holdEnded), ("durable", .durable(EntryID(seq: 4))),
        ("log failed", .logFailed), ("outcome", .outcome(outcome(.unknown), nil)), ("gone", .gone),
    ]

    /// In the order of ``events``.
    var row: [String] {
        switch self {
        case .arriving: ["read body", "-", "-", "-", "-", "-", "-", "-", "withdraw"]
        case .readingBody: ["-", "request", "-", "-", "-", "-", "-", "-", "withdraw"]
        case .requesting:
            ["-", "-", "hold \(first) 20 s", "-", "-", "-", "refuse: fault logUnwritable", "-", "withdraw"]
        case .waitingForHumans:
            ["-", "-", "-", "-", "refuse: waiting \(first)", "-", "-", "-", "withdraw"]
        case .waitingForOutcome:
            ["-", "-", "-", "await outcome", "refuse: outcome unknown", "-", "-", "-", "withdraw"]
        case .recording:
            [
                "-", "-", "-", "-", "-", "sign \(EntryID(seq: 4))", "refuse: fault logUnwritable", "-",
                "withdraw what was claimed",
            ]
        case .sent: ["-", "-", "-", "-", "-", "-", "-", "finish unknown", "let run"]
        case .left: ["-", "-", "-", "-", "-", "-", "-", "-", "withdraw"]
        }
    }

    func reached() throws -> (Walk, Desk) {
        var desk = try makeDesk()
        var walk = Walk(invocation: "inv-1")
        switch self {
        case .arriving: break
        case .readingBody: _ = try walk.take(.head(walk.head, wall: noon), &desk)
        case .requesting:
            _ = try walk.arrive(&desk)
            desk.room.apply(.requested(try walk.approval(1, desk)))
        case .waitingForHumans: try walk.waits(1, &desk)
        case .waitingForOutcome:
            var earlier = Walk(invocation: "inv-1", number: 2)
            try earlier.waits(1, &desk)
            try desk.review(1, at: noon)
            _ = try earlier.take(.reconsider, &desk)
            _ = try walk.arrive(&desk)
        case .recording, .sent:
            try walk.waits(1, &desk)
            try desk.review(1, at: noon)
            _ = try walk.take(.reconsider, &desk)
            if self == .sent { _ = try walk.take(.durable(EntryID(seq: 3)), &desk) }
        case .left:
            try walk.waits(1, &desk)
            _ = try walk.take(.holdEnded, &desk)
        }
        return (walk, desk)
    }
}

extension String {
    /// Every `old` in it made `new`.
    fileprivate func replacing(_ old: String, with new: String) -> String {
        var (out, rest) = ("", Substring(self))
        while let range = rest.firstRange(of: old) {
            out += rest[..<range.lowerBound] + new
            rest = rest[range.upperBound...]
        }
        return out + rest
    }
}
