import Hashing
import Recognizing
import Testing
import Vocabulary

@testable import Deciding

@Suite("Limits") struct LimitTests {
    static let meant = try? meaning([pair("dynamodb:GetItem", Resource(orders))])

    static func usual() throws -> Caller { try caller() }

    static func read(_ limit: String, _ more: String = "") -> String {
        "- {Sid: Read, Effect: Allow, Action: \"dynamodb:GetItem\", Resource: \"*\","
            + " Limit: {\(limit)}\(more)}"
    }

    /// Decides and, if allowed, sends: the decision's word.
    static func send(
        _ book: inout LimitBook, _ set: PolicySet, after wait: Duration = .zero, as caller: Caller? = nil,
        meaning: Meaning? = nil, grants: GrantBook = GrantBook()
    ) throws -> String {
        let now = noon.advanced(by: wait)
        let caller = try caller ?? Self.usual()
        let meaning = try meaning ?? #require(meant)
        let decision = decide(meaning, caller: caller, under: set, grants: grants, limits: book, at: now)
        if case .allow(let allowance) = decision {
            var grants = grants
            _ = try grants.reserve(
                try GrantBookTests.call(meaning), for: allowance, caller: caller,
                request: RequestID(random: 1), policy: set.digest, counting: &book, at: now)
        }
        return decision.word
    }

    // MARK: - What is counted

    @Test func `the call after the last one is denied, until the first has left the window`() throws {
        let set = try PolicySet.of(Self.read("Calls: 2, Per: 1m"))
        var book = LimitBook()
        #expect(try Self.send(&book, set) == "allow test/Read")
        #expect(try Self.send(&book, set, after: .seconds(30)) == "allow test/Read")
        #expect(try Self.send(&book, set, after: .seconds(30)) == "deny limit:test/Read")
        #expect(try Self.send(&book, set, after: .seconds(60) - .nanoseconds(1)) == "deny limit:test/Read")
        // Its slot of a second has to leave with it.
        #expect(try Self.send(&book, set, after: .seconds(61) - .nanoseconds(1)) == "deny limit:test/Read")
        #expect(try Self.send(&book, set, after: .seconds(61)) == "allow test/Read")
        #expect(try Self.send(&book, set, after: .seconds(61)) == "deny limit:test/Read")
        #expect(try Self.send(&book, set, after: .seconds(91)) == "allow test/Read")
    }

    @Test func `what is said of a reached limit names the way out`() throws {
        let set = try PolicySet.of(Self.read("Calls: 1, Per: 1m"))
        var book = LimitBook()
        _ = try Self.send(&book, set)
        let denied = decide(
            try #require(Self.meant), caller: try caller(), under: set, grants: GrantBook(), limits: book,
            at: noon.advanced(by: .milliseconds(20_500)))
        guard case .deny(let denial) = denied, case .limit(let reach)? = denial.items.first?.reason else {
            return #expect(Bool(false), "not denied by a limit")
        }
        #expect(reach.description == "limit of 1 call a minute of test/Read reached for this agent")
        #expect(reach.advice == reach.description + ", room again in 41 s")
        #expect(
            try Self.send(&book, set, after: .milliseconds(20_500) + .seconds(41)) == "allow test/Read",
            "and so there is")
    }

    @Test func `agents and sessions are counted apart, sessions only where the limit says so`() throws {
        for (by, other) in [("agent", "deny limit:test/Read"), ("session", "allow test/Read")] {
            let set = try PolicySet.of(Self.read("Calls: 1, Per: 1h, By: \(by)"))
            var book = LimitBook()
            #expect(try Self.send(&book, set) == "allow test/Read")
            #expect(try Self.send(&book, set, as: caller(session: 8)) == other)
            #expect(try Self.send(&book, set, as: caller("support-8")) == "allow test/Read")
            #expect(try Self.send(&book, set) == "deny limit:test/Read")
        }
    }

    @Test func `items and bytes of the whole call count, and one that is too large never passes`() throws {
        func call(_ items: Int, _ bytes: Int) throws -> Meaning {
            let plain = try meaning([pair("dynamodb:GetItem", Resource(orders))], items: items)
            return Meaning(
                service: plain.service, operation: plain.operation, wireProtocol: plain.wireProtocol,
                account: plain.account, region: plain.region, pairs: plain.pairs,
                parameters: plain.parameters, keys: plain.keys, itemCount: items, bodyByteCount: bytes,
                digest: plain.digest)
        }
        let set = try PolicySet.of(Self.read("Items: 10, Bytes: 1KiB, Per: 1d"))
        var book = LimitBook()
        #expect(try Self.send(&book, set, meaning: call(11, 0)) == "deny limit:test/Read")
        #expect(try Self.send(&book, set, meaning: call(1, 1_025)) == "deny limit:test/Read")
        #expect(try Self.send(&book, set, meaning: call(9, 1_000)) == "allow test/Read")
        #expect(try Self.send(&book, set, meaning: call(2, 0)) == "deny limit:test/Read")
        #expect(try Self.send(&book, set, meaning: call(1, 25)) == "deny limit:test/Read")
        #expect(try Self.send(&book, set, meaning: call(1, 24)) == "allow test/Read")
        #expect(try Self.send(&book, set, meaning: call(0, 0)) == "allow test/Read", "calls are not limited")
    }

    @Test func `a call counts once however many of its pairs a statement matches`() throws {
        let set = try PolicySet.of(Self.read("Calls: 2, Per: 1m"))
        let two = try meaning([
            pair("dynamodb:GetItem", Resource(orders)), pair("dynamodb:GetItem", Resource(orders + "2")),
        ])
        var book = LimitBook()
        #expect(try Self.send(&book, set, meaning: two) == "allow test/Read")
        #expect(try Self.send(&book, set, meaning: two) == "allow test/Read")
        #expect(try Self.send(&book, set, meaning: two) == "deny limit:test/Read limit:test/Read")
    }

    // MARK: - A ceiling

    @Test func `no other statement lifts a limit, and a limit opens nothing`() throws {
        let wide = "- {Sid: All, Effect: Allow, Action: \"dynamodb:*\", Resource: \"*\"}\n"
        let tighter =
            "- {Sid: Tight, Effect: Allow, Action: \"*\", Resource: \"*\", Limit: {Calls: 2, Per: 1m}}\n"
        let set = try PolicySet.of(wide + Self.read("Calls: 3, Per: 1m") + "\n" + tighter)
        var book = LimitBook()
        #expect(try Self.send(&book, set) == "allow test/All")
        #expect(try Self.send(&book, set) == "allow test/All")
        #expect(try Self.send(&book, set) == "deny limit:test/Tight")
        let put = try meaning([pair("dynamodb:PutItem", Resource(orders))])
        #expect(try Self.send(&book, set, after: .seconds(61), meaning: put) == "allow test/All")
        #expect(try Self.send(&book, set, after: .seconds(61)) == "allow test/All")
        #expect(try Self.send(&book, set, after: .seconds(61)) == "deny limit:test/Tight")

        let never = try PolicySet.of(
            Self.read("Calls: 1, Per: 1m, Beyond: ask", ", Approval: {Approvers: [oncall]}")
                + "\n- {Sid: No, Effect: Deny, Action: \"dynamodb:GetItem\", Resource: \"\(orders)\"}")
        var other = LimitBook()
        for _ in 1...3 { #expect(try Self.send(&other, never) == "deny test/No") }
        #expect(other == LimitBook(), "what is not sent is not counted")
        #expect(try Self.send(&other, never, meaning: put) == "deny byDefault")
    }

    /// What the request leaves open counts against the caller: the statement may be meant.
    @Test func `a limit counts what its statement may match, though it allows only what it surely does`()
        throws
    {
        let tagged = Self.read(
            "Calls: 1, Per: 1m", ", Condition: {StringEquals: {\"aws:ResourceTag/team\": red}}")
        let set = try PolicySet.of(
            tagged + "\n- {Sid: All, Effect: Allow, Action: \"dynamodb:*\", Resource: \"*\"}")
        var book = LimitBook()
        #expect(try Self.send(&book, set) == "allow test/All")
        #expect(try Self.send(&book, set) == "deny limit:test/Read")
        var keys = ConditionKeys()
        keys["aws:ResourceTag/team"] = .filled(["blue"])
        let blue = try meaning([pair("dynamodb:GetItem", Resource(orders))], keys: keys)
        #expect(try Self.send(&book, set, meaning: blue) == "allow test/All", "surely another's")
        #expect(try PolicySet.of(tagged).says("dynamodb:GetItem") == "deny byDefault")
    }

    @Test func `who is asked for always answers, whatever was counted`() throws {
        let set = try PolicySet.of(
            "- {Sid: Read, Effect: Allow, Action: \"*\", Resource: \"*\", Limit: {Calls: 1, Per: 1d}}")
        var book = LimitBook()
        let who = try meaning([pair("sts:GetCallerIdentity", .unknown)], always: true)
        for _ in 1...3 { #expect(try Self.send(&book, set, meaning: who) == "allow alwaysAnswered") }
        #expect(try Self.send(&book, set) == "allow test/Read")
    }

    // MARK: - Asking

    @Test func `beyond a limit that asks, a grant lets the call go, and it counts too`() throws {
        let set = try PolicySet.of(
            Self.read("Calls: 1, Per: 1m, Beyond: ask", ", Approval: {Approvers: [oncall], MaxUses: 1}"))
        var book = LimitBook()
        #expect(try Self.send(&book, set) == "allow test/Read")
        let meant = try #require(Self.meant)
        let who = try caller()
        guard
            case .ask(let question) = decide(
                meant, caller: who, under: set, grants: GrantBook(), limits: book, at: noon)
        else { return #expect(Bool(false), "does not ask") }
        #expect(question.statements.map(\.sid) == ["Read"])
        #expect(question.limits == ["limit of 1 call a minute of test/Read reached for this agent"])
        #expect(question.terms.quorums.first?.needs.first?.name == "oncall")
        var grants = GrantBook()
        try grants.add(
            Grant(
                id: GrantID(random: 1), approval: ApprovalID(random: 1), agent: who.agent,
                session: who.session, digest: meant.digest, statements: question.statements,
                fingerprint: question.fingerprint, start: noon, end: noon.advanced(by: .seconds(900)),
                firstUseBy: nil, maxUses: 1, decidedBy: []))
        let limit = try #require(set.statements.first?.limit)
        let read = StatementID(document: "test", sid: "Read")
        #expect(try Self.send(&book, set, grants: grants) == "allow test/Read")
        #expect(book.used(of: limit, in: read, by: who, at: noon).calls == 2)
        #expect(try Self.send(&book, set) == "ask test/Read", "the grant is for one call")
    }

    @Test func `where one limit asks and another denies, the call is denied; two that ask are both met`()
        throws
    {
        let asking = Self.read("Calls: 1, Per: 1m, Beyond: ask", ", Approval: {Approvers: [oncall]}")
        let also =
            "\n- {Sid: Also, Effect: Allow, Action: \"dynamodb:*\", Resource: \"*\","
            + " Limit: {Calls: 1, Per: 1m, Beyond: %}, Approval: {Approvers: [secops]}}"
        let both = try PolicySet.of(asking + also.replacing("%", with: "ask"))
        var book = LimitBook()
        #expect(try Self.send(&book, both) == "allow test/Also")
        #expect(try Self.send(&book, both) == "ask test/Also test/Read")
        let one = try PolicySet.of(
            asking
                + also.replacing("%", with: "deny").replacing(", Approval: {Approvers: [secops]}", with: ""))
        book = LimitBook()
        #expect(try Self.send(&book, one) == "allow test/Also")
        #expect(try Self.send(&book, one) == "deny limit:test/Also")
    }

    @Test func `a reached limit joins a floor that asks anyway, and denies before it`() throws {
        let floor =
            "\n- {Sid: Floor, Effect: RequireApproval, Action: \"dynamodb:*\", Resource: \"*\","
            + " Approval: {Approvers: [secops]}}"
        let set = try PolicySet.of(
            Self.read("Items: 1, Per: 1m, Beyond: ask", ", Approval: {Approvers: [oncall]}") + floor)
        let large = try meaning([pair("dynamodb:GetItem", Resource(orders))], items: 2)
        var book = LimitBook()
        #expect(try Self.send(&book, set) == "ask test/Floor")
        #expect(try Self.send(&book, set, meaning: large) == "ask test/Floor test/Read")
        let denying = try PolicySet.of(Self.read("Items: 1, Per: 1m") + floor)
        #expect(try Self.send(&book, denying, meaning: large) == "deny limit:test/Read")
    }

    // MARK: - The book

    @Test func `time that runs backwards frees nothing`() throws {
        let set = try PolicySet.of(Self.read("Calls: 2, Per: 1s"))
        var book = LimitBook()
        #expect(try Self.send(&book, set, after: .seconds(100)) == "allow test/Read")
        #expect(try Self.send(&book, set, after: .seconds(-100)) == "allow test/Read")
        for wait in [-10_000, -100, 0, 99, 100] {
            #expect(try Self.send(&book, set, after: .seconds(wait)) == "deny limit:test/Read")
        }
        #expect(try Self.send(&book, set, after: .seconds(102)) == "allow test/Read")
    }

    @Test func `what is given back makes room for one more, once`() throws {
        let set = try PolicySet.of(Self.read("Calls: 1, Per: 1m"))
        var (book, grants) = (LimitBook(), GrantBook())
        let (meant, who) = (try #require(Self.meant), try caller())
        guard
            case .allow(let allowance) = decide(
                meant, caller: who, under: set, grants: grants, limits: book, at: noon)
        else { return #expect(Bool(false), "not allowed") }
        let reservation = try grants.reserve(
            try GrantBookTests.call(meant), for: allowance, caller: who, request: RequestID(random: 1),
            policy: set.digest, counting: &book, at: noon)
        let counts = reservation.limits.map(\.count)
        #expect(reservation.limits.map(\.used.calls) == [1])
        #expect(try Self.send(&book, set) == "deny limit:test/Read")
        book.giveBack(counts)
        #expect(try Self.send(&book, set, after: .seconds(1)) == "allow test/Read")
        book.giveBack(counts)
        #expect(try Self.send(&book, set, after: .seconds(1)) == "deny limit:test/Read")
    }

    /// Two calls decided on the same counters: what one takes the other does not get.
    @Test func `the last slot is taken once`() throws {
        let set = try PolicySet.of(Self.read("Calls: 1, Per: 1m"))
        var (book, grants) = (LimitBook(), GrantBook())
        let (meant, who) = (try #require(Self.meant), try caller())
        guard
            case .allow(let allowance) = decide(
                meant, caller: who, under: set, grants: grants, limits: book, at: noon)
        else { return #expect(Bool(false), "not allowed") }
        let call = try GrantBookTests.call(meant)
        func take() -> GrantError? {
            do throws(GrantError) {
                _ = try grants.reserve(
                    call, for: allowance, caller: who,
                    request: RequestID(random: 1), policy: set.digest, counting: &book, at: noon)
                return nil
            } catch { return error }
        }
        #expect(take() == nil)
        let before = book
        #expect(take() == .limitReached(StatementID(document: "test", sid: "Read")))
        #expect(book == before)
    }

    @Test func `an edited statement keeps its counts, one with another window begins anew`() throws {
        var book = LimitBook()
        #expect(try Self.send(&book, PolicySet.of(Self.read("Calls: 1, Per: 1m"))) == "allow test/Read")
        let edited = try PolicySet.of(Self.read("Calls: 2, Items: 9, Per: 60s"))
        #expect(try Self.send(&book, edited) == "allow test/Read")
        #expect(try Self.send(&book, edited) == "deny limit:test/Read")
        #expect(try Self.send(&book, PolicySet.of(Self.read("Calls: 1, Per: 2m"))) == "allow test/Read")
    }

    @Test func `with as many counters as are kept, a new one lets nothing through`() throws {
        let set = try PolicySet.of(Self.read("Calls: 1, Per: 1m, By: session"))
        var book = LimitBook()
        for session in 1...LimitBook.counterCountMax {
            let word = try Self.send(&book, set, as: caller(session: UInt64(session)))
            try #require(word == "allow test/Read")
        }
        let next = try caller(session: 5_000)
        #expect(try Self.send(&book, set, as: next) == "deny limit:test/Read")
        #expect(
            try Self.send(&book, set, as: caller("support-8")) == "allow test/Read", "another's are apart")
        #expect(try Self.send(&book, set, after: .seconds(60), as: next) == "deny limit:test/Read")
        #expect(try Self.send(&book, set, after: .seconds(61), as: next) == "allow test/Read")
        var emptied = book
        emptied.forget(at: noon.advanced(by: .seconds(200)))
        #expect(emptied == LimitBook())
    }

    @Test func `a call that meets more limits than are recorded is denied`() throws {
        func set(_ count: Int) throws -> PolicySet {
            try PolicySet.of(
                (1...count).map {
                    "- {Sid: R\($0), Effect: Allow, Action: '*', Resource: '*', Limit: {Calls: 9, Per: 1m}}"
                }.joined(separator: "\n"))
        }
        var book = LimitBook()
        #expect(try Self.send(&book, set(LimitBook.limitsPerCallMax)) == "allow test/R1")
        #expect(try Self.send(&book, set(LimitBook.limitsPerCallMax + 1)) == "deny limit:test/R1")
    }

    // MARK: - In any window

    /// Seeded: random limits, calls and moments, some of them backwards. No window of the limit's length ever
    /// holds more than the limit, and a call is only denied where a window of that length and one slot would.
    @Test func `no window holds more than its limit, wherever it begins`() throws {
        var random = SeededRandom(seed: 41)
        for _ in 0..<60 {
            let (most, per) = (Int(random.next() % 9) + 1, Int64(random.next() % 180) + 1)
            let set = try PolicySet.of(Self.read("Calls: \(most), Per: \(per)s"))
            var (book, now, sent) = (LimitBook(), Duration.zero, [Duration]())
            let slot = Duration.nanoseconds((per * 1_000_000_000 + 59) / 60)
            for _ in 0..<150 {
                now += .milliseconds(Int64(random.next() % UInt64(per * 400)))
                if random.next() % 8 == 0 { now += .milliseconds(-Int64(random.next() % 500)) }
                let word = try Self.send(&book, set, after: now)
                // Time as the book takes it: never before what it counted last.
                let moment = max(now, sent.last ?? now)
                let inWindow = sent.count { moment - $0 < .seconds(per) }
                let nearby = sent.count { moment - $0 <= .seconds(per) + slot }
                switch word {
                case "allow test/Read":
                    #expect(inWindow < most)
                    sent.append(moment)
                case "deny limit:test/Read": #expect(nearby >= most)
                default: Issue.record("\(word)")
                }
            }
            #expect(sent.count > most, "the test sends more than one window")
        }
    }
}
