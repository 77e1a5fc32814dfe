import Recognizing
import Testing
import Vocabulary

@testable import Deciding
@testable import Recognizing

@Suite("Grants and their uses") struct GrantBookTests {
    static let ask = """
        - Sid: Ask
          Effect: AllowWithApproval
          Action: dynamodb:DeleteItem
          Resource: "*"
          Approval: {Approvers: [oncall], GrantTTL: 15m}
        """

    let policy: PolicySet
    let meant: Meaning
    let agent: Caller
    let question: Question

    init() throws {
        policy = try PolicySet.of(Self.ask)
        meant = try meaning([pair("dynamodb:DeleteItem", Resource(orders))])
        agent = try caller()
        question = try #require(
            decide(meant, caller: agent, under: policy, grants: GrantBook(), at: noon).question)
    }

    func grant(
        _ number: UInt64 = 1, digest byte: UInt8 = 1, minutes: Int = 15, uses: Int = 1, firstUse: Int? = nil,
        session: UInt64 = 7, agent name: String = "support-7", fingerprint: Digest? = nil
    ) throws -> Grant {
        Grant(
            id: GrantID(random: number), approval: ApprovalID(random: number),
            agent: try AgentName(parsing: name),
            session: SessionID(random: session), digest: try digest(byte), statements: question.statements,
            fingerprint: fingerprint ?? question.fingerprint, start: noon,
            end: noon.advanced(by: .seconds(minutes * 60)),
            firstUseBy: firstUse.map { noon.advanced(by: .seconds($0 * 60)) }, maxUses: uses,
            decidedBy: [try ApproverName(parsing: "alice")])
    }

    func book(_ grants: Grant...) throws -> GrantBook {
        var book = GrantBook()
        for grant in grants { try book.add(grant) }
        return book
    }

    func says(
        _ book: GrantBook, after wait: Duration = .zero, as caller: Caller? = nil, meaning: Meaning? = nil
    ) -> String {
        decide(
            meaning ?? meant, caller: caller ?? agent, under: policy, grants: book,
            at: noon.advanced(by: wait)
        ).word
    }

    static func call(_ meaning: Meaning) throws -> Call {
        let sealed = SealedRequest(
            method: "POST", usesTLS: true, authority: "h", awsHost: "h", path: "/", query: "", fields: [],
            body: .bytes([]), signingName: "dynamodb", signingRegion: "us-east-1", pathStyle: .normalized,
            mayRepeat: false, wireDigest: meaning.digest)
        return Call(meaning: meaning, sealed: sealed)
    }

    /// Decides and, if allowed, reserves: the uses taken, or the error.
    func reserve(_ book: inout GrantBook, after wait: Duration = .zero) throws -> [Use] {
        let now = noon.advanced(by: wait)
        var limits = LimitBook()
        guard case .allow(let allowance) = decide(meant, caller: agent, under: policy, grants: book, at: now)
        else {
            return []
        }
        let reservation = try book.reserve(
            try Self.call(meant), for: allowance, caller: agent, request: RequestID(random: 1),
            policy: policy.digest,
            counting: &limits, at: now)
        return reservation.uses
    }

    // MARK: - What a grant covers

    @Test func `a grant covers its call for its agent and session, and no neighbor`() throws {
        let book = try book(grant())
        #expect(says(book) == "allow test/Ask")
        #expect(says(GrantBook()) == "ask test/Ask")
        #expect(try says(book, as: caller("support-8")) == "ask test/Ask")
        #expect(try says(book, as: caller(session: 8)) == "ask test/Ask")
        #expect(
            try says(book, meaning: meaning([pair("dynamodb:DeleteItem", Resource(orders))], digest: 2))
                == "ask test/Ask")
    }

    @Test func `a grant covers from its first moment until just before its end`() throws {
        let book = try book(grant())
        #expect(says(book, after: .nanoseconds(-1)) == "ask test/Ask")
        #expect(says(book, after: .zero) == "allow test/Ask")
        #expect(says(book, after: .seconds(900) - .nanoseconds(1)) == "allow test/Ask")
        #expect(says(book, after: .seconds(900)) == "ask test/Ask")
        #expect(book.state(of: GrantID(random: 1), at: noon.advanced(by: .seconds(900))) == .expired)
    }

    @Test func `a grant whose statement changed asks anew`() throws {
        let book = try book(grant())
        for changed in [Self.ask.replacing("15m", with: "14m"), Self.ask.replacing("oncall", with: "secops")]
        {
            let set = try PolicySet.of(changed)
            #expect(decide(meant, caller: agent, under: set, grants: book, at: noon).word == "ask test/Ask")
        }
        let added = try PolicySet.of(Self.ask + "\n" + Self.ask.replacing("Sid: Ask", with: "Sid: More"))
        #expect(
            decide(meant, caller: agent, under: added, grants: book, at: noon).word
                == "ask test/Ask test/More")
        let beside = try PolicySet.of(
            Self.ask + "\n- {Sid: Other, Effect: Allow, Action: s3:GetObject, Resource: '*'}")
        #expect(decide(meant, caller: agent, under: beside, grants: book, at: noon).word == "allow test/Ask")
    }

    @Test func `a denial beats a live grant`() throws {
        let set = try PolicySet.of(
            Self.ask + "\n- {Sid: No, Effect: Deny, Action: \"dynamodb:*\", Resource: '*'}")
        #expect(
            decide(meant, caller: agent, under: set, grants: try book(grant()), at: noon).word
                == "deny test/No")
    }

    @Test func `the ground names the grant and what it answers`() throws {
        let id = GrantID(random: 1)
        guard
            case .allow(let allowance) = decide(
                meant, caller: agent, under: policy, grants: try book(grant()), at: noon)
        else { return #expect(Bool(false), "not allowed") }
        #expect(allowance.grounds == [.grant(id, statements: question.statements)])
        #expect(allowance.grants == [id])
    }

    @Test func `of two grants the one that ends first is used`() throws {
        var book = try book(grant(1, minutes: 15), grant(2, minutes: 10))
        #expect(try reserve(&book).map(\.grant) == [GrantID(random: 2)])
        #expect(try reserve(&book).map(\.grant) == [GrantID(random: 1)])
        #expect(try reserve(&book).isEmpty)
    }

    // MARK: - Uses

    @Test func `a grant of one use is spent by one call`() throws {
        var book = try book(grant())
        let uses = try reserve(&book)
        #expect(
            uses == [Use(grant: GrantID(random: 1), approval: ApprovalID(random: 1), number: 1, maxUses: 1)])
        #expect(says(book) == "ask test/Ask")
        #expect(book.state(of: GrantID(random: 1), at: noon) == .exhausted)
        #expect(book.usesLeft(of: GrantID(random: 1)) == 0)
    }

    @Test func `uses are numbered, and one given back is free again`() throws {
        var book = try book(grant(uses: 3))
        let first = try reserve(&book)
        #expect(try reserve(&book).map(\.number) == [2])
        #expect(try reserve(&book).map(\.number) == [3])
        #expect(try reserve(&book).isEmpty)
        for use in first { book.release(use) }
        #expect(book.usesLeft(of: GrantID(random: 1)) == 1)
        #expect(try reserve(&book).map(\.number) == [1])
        #expect(try reserve(&book).isEmpty)
    }

    @Test func `a use that was never taken gives nothing back`() throws {
        var book = try book(grant(uses: 2))
        book.release(Use(grant: GrantID(random: 1), approval: ApprovalID(random: 1), number: 2, maxUses: 2))
        book.release(Use(grant: GrantID(random: 9), approval: ApprovalID(random: 9), number: 1, maxUses: 1))
        #expect(book.usesLeft(of: GrantID(random: 1)) == 2)
    }

    @Test func `unused when its first use was due, a grant lapses`() throws {
        let id = GrantID(random: 1)
        var book = try book(grant(uses: 2, firstUse: 5))
        #expect(says(book, after: .seconds(300) - .nanoseconds(1)) == "allow test/Ask")
        #expect(says(book, after: .seconds(300)) == "ask test/Ask")
        #expect(book.state(of: id, at: noon.advanced(by: .seconds(300))) == .lapsed)
        let use = try reserve(&book)
        #expect(says(book, after: .seconds(300)) == "allow test/Ask")
        for use in use { book.release(use) }
        #expect(book.state(of: id, at: noon.advanced(by: .seconds(300))) == .lapsed)
    }

    @Test func `a revoked grant covers nothing, whatever is left`() throws {
        var book = try book(grant(uses: 5))
        try book.revoke(GrantID(random: 1))
        #expect(says(book) == "ask test/Ask")
        #expect(book.state(of: GrantID(random: 1), at: noon) == .revoked)
        #expect(throws: GrantError.unknown(GrantID(random: 2))) { try book.revoke(GrantID(random: 2)) }
    }

    @Test func `a session's live grants are revoked together`() throws {
        var book = try book(grant(1), grant(2, session: 8), grant(3, minutes: 0))
        #expect(book.revokeAll(of: SessionID(random: 7), at: noon) == [GrantID(random: 1)])
        #expect(book.state(of: GrantID(random: 2), at: noon) == .active)
    }

    // MARK: - Reserving checks again

    @Test func `between decision and reservation everything is checked again`() throws {
        let id = GrantID(random: 1)
        let fresh = try book(grant(uses: 1, firstUse: 5))
        guard
            case .allow(let allowance) = decide(meant, caller: agent, under: policy, grants: fresh, at: noon)
        else {
            return #expect(Bool(false), "not allowed")
        }
        func error(
            _ change: (inout GrantBook) throws -> Void = { _ in }, after wait: Duration = .zero,
            as caller: Caller? = nil,
            meaning: Meaning? = nil
        ) throws -> GrantError? {
            var (book, limits) = (fresh, LimitBook())
            try change(&book)
            let before = book
            do throws(GrantError) {
                let call = try? Self.call(meaning ?? meant)
                guard let call else { return nil }
                _ = try book.reserve(
                    call, for: allowance, caller: caller ?? agent, request: RequestID(random: 1),
                    policy: policy.digest,
                    counting: &limits, at: noon.advanced(by: wait))
                return nil
            } catch {
                #expect(book == before, "a refused reservation takes nothing")
                return error
            }
        }
        #expect(try error() == nil)
        #expect(try error({ try $0.revoke(id) }) == .over(id, state: .revoked))
        #expect(try error({ _ = try reserve(&$0) }) == .over(id, state: .exhausted))
        #expect(try error(after: .seconds(300)) == .over(id, state: .lapsed))
        #expect(try error(after: .seconds(900)) == .over(id, state: .expired))
        #expect(try error(after: .seconds(-1)) == .early(id))
        #expect(try error(as: caller("support-8")) == .mismatch(id))
        #expect(try error(as: caller(session: 8)) == .mismatch(id))
        #expect(try error(meaning: meaning(meant.pairs, digest: 2)) == .otherCall)
        #expect(try error({ $0 = GrantBook() }) == .unknown(id))
        let changed = try book(grant(fingerprint: try digest(9)))
        #expect(try error({ $0 = changed }) == .statementChanged(id))
    }

    @Test func `a call that needs no grant takes no use`() throws {
        let set = try PolicySet.of("- {Sid: A, Effect: Allow, Action: dynamodb:DeleteItem, Resource: '*'}")
        var (book, limits) = (try book(grant()), LimitBook())
        guard case .allow(let allowance) = decide(meant, caller: agent, under: set, grants: book, at: noon)
        else {
            return #expect(Bool(false), "not allowed")
        }
        let reservation = try book.reserve(
            try Self.call(meant), for: allowance, caller: agent, request: RequestID(random: 1),
            policy: set.digest,
            counting: &limits, at: noon)
        #expect(reservation.uses.isEmpty)
        #expect(book.usesLeft(of: GrantID(random: 1)) == 1)
    }

    // MARK: - Rebuilding

    @Test func `a book rebuilt from the log is the book that was`() throws {
        var book = try book(grant(1, uses: 2), grant(2, digest: 3))
        let uses = try reserve(&book)
        try book.revoke(GrantID(random: 2))
        var rebuilt = GrantBook()
        try rebuilt.add(grant(1, uses: 2))
        try rebuilt.add(grant(1, uses: 2))
        try rebuilt.add(grant(2, digest: 3))
        for use in uses { try rebuilt.restore(use) }
        try rebuilt.revoke(GrantID(random: 2))
        #expect(rebuilt == book)
        #expect(throws: GrantError.duplicate(GrantID(random: 1))) { try rebuilt.add(grant(1, uses: 3)) }
        for use in uses { #expect(throws: GrantError.mismatch(use.grant)) { try rebuilt.restore(use) } }
        let beyond = Use(grant: GrantID(random: 1), approval: ApprovalID(random: 1), number: 3, maxUses: 2)
        #expect(throws: GrantError.mismatch(beyond.grant)) { try rebuilt.restore(beyond) }
        let foreign = Use(grant: GrantID(random: 1), approval: ApprovalID(random: 9), number: 2, maxUses: 2)
        #expect(throws: GrantError.mismatch(foreign.grant)) { try rebuilt.restore(foreign) }
    }

    @Test func `the list shows every grant with its state, the latest first`() throws {
        let book = try book(grant(1), grant(2, minutes: 0))
        #expect(book.states(at: noon).map(\.state) == [.expired, .active])
        var later = book
        later.forget(olderThan: .seconds(60), at: noon.advanced(by: .seconds(60)))
        #expect(later.states(at: noon).map(\.grant.id) == [GrantID(random: 1)])
        #expect(later[GrantID(random: 2)] == nil)
    }
}
