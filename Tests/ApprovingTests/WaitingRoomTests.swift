@testable import Approving
import Deciding
import Recognizing
import Testing
import Vocabulary

@Suite("Waiting room") struct WaitingRoomTests {
    // MARK: Asking

    @Test func `the same call joins the approval that waits`() throws {
        let room = WaitingRoom([try approval()])
        let id = ApprovalID(random: 1)
        #expect(try room.answer() == "waits \(id)")
        #expect(try room.answer(by: caller(reason: "another reason")) == "waits \(id)")
    }

    @Test func `another call, agent or session does not join it`() throws {
        let room = WaitingRoom([try approval()])
        #expect(try room.answer(2) == "new")
        #expect(try room.answer(by: caller("etl-2")) == "new")
        #expect(try room.answer(by: caller(session: 8)) == "new")
    }

    @Test func `a call under changed statements takes the old one's place`() throws {
        let room = WaitingRoom([try approval()])
        #expect(try room.answer(text: 10) == "new instead of \(ApprovalID(random: 1))")
    }

    @Test func `a call on its way into the log is joined, and counts`() throws {
        var room = WaitingRoom()
        let key = WaitingRoom.CallKey(try meaning(), caller: try caller())
        room.expect(key)
        #expect(try room.answer() == "comes")
        #expect(try room.answer(2) == "new")
        room.giveUp(key)
        #expect(try room.answer() == "new")
        room.expect(key)
        room.apply(.requested(try approval()))
        #expect(try room.answer() == "waits \(ApprovalID(random: 1))")
        #expect(room == WaitingRoom([try approval()]), "nothing of it stays in the fold")
    }

    @Test func `64 calls of an agent may wait, a 65th and those on their way may not`() throws {
        var room = WaitingRoom(try (1...63).map { try approval(UInt64($0), of: $0) })
        #expect(try room.answer(64) == "new")
        room.expect(WaitingRoom.CallKey(try meaning(64), caller: try caller()))
        #expect(try room.answer(65) == "tooManyPending(limit: 64)")
        room.apply(.requested(try approval(64, of: 64)))
        #expect(try room.answer(65) == "tooManyPending(limit: 64)")
        #expect(try room.answer(64) == "waits \(ApprovalID(random: 64))", "what waits is joined all the same")
        #expect(try room.answer(65, by: caller("etl-2")) == "new", "another agent is not stopped")
        room.apply(.reviewed(ApprovalID(random: 5), try review("alice", .deny)))
        #expect(try room.answer(65) == "new", "an answer makes room")
    }

    @Test func `what an agent withdrew counts until it would have expired`() throws {
        var room = WaitingRoom(try (1...64).map { try approval(UInt64($0), of: $0) })
        for number in 1...64 {
            room.apply(.ended(ApprovalID(random: UInt64(number)), .withdrawn, at: after(5)))
        }
        #expect(room.waiting.isEmpty)
        #expect(try room.answer(65, at: after(1_799)) == "tooManyPending(limit: 64)")
        #expect(try room.answer(65, at: after(1_800)) == "new")
        #expect(try room.answer(1, at: after(1_799)) == "tooManyPending(limit: 64)")
    }

    @Test func `a statement that demands the agent's reason does not ask without one`() throws {
        let terms = ApprovalTerms(quorums: [onCall], needsAgentReason: true)
        let room = WaitingRoom()
        #expect(try room.answer(terms: terms).hasPrefix("reasonMissing"))
        #expect(try room.answer(by: caller(reason: "because"), terms: terms) == "new")
    }

    // MARK: Denials

    @Test func `a denial stands as long as its approval would have been open`() throws {
        var room = WaitingRoom([try approval()])
        room.apply(.reviewed(ApprovalID(random: 1), try review("bob", .deny)))
        let id = ApprovalID(random: 1)
        #expect(room[id]?.state == .denied && room[id]?.ended == after(60))
        #expect(try room.answer(at: after(1_799)) == "denied \(id)")
        #expect(try room.answer(at: after(1_800)) == "new")
        #expect(try room.answer(2) == "new", "of exactly this call")
    }

    @Test func `any denial is final, whoever approved before or after`() throws {
        let two = ApprovalTerms(quorums: [.init(needs: [.init(name: "oncall", count: 2)], anyOne: false)])
        var room = WaitingRoom([try approval(terms: two)])
        let id = ApprovalID(random: 1)
        room.apply(.reviewed(id, try review("alice")))
        room.apply(.reviewed(id, try review("bob", .deny)))
        #expect(room[id]?.state == .denied)
        #expect(room.refusal(try review("carol"), of: id) == .alreadyEnded(id, .denied))
        #expect(room.apply(.reviewed(id, try review("carol"))) == false)
        #expect(room.earnedGrant(id, grantID: GrantID(random: 1), approvers: approvers, at: after(61)) == nil)
        var other = WaitingRoom([try approval()])
        other.apply(.reviewed(id, try review("carol")))
        let grant = try #require(other.granted())
        #expect(room.apply(.granted(grant)) == false && room[id]?.grant == nil)
    }

    // MARK: Reviewing

    @Test func `who is no approver, or has answered, may not answer`() throws {
        var room = WaitingRoom([try approval()])
        let id = ApprovalID(random: 1)
        let dan = try ApproverName(parsing: "dan")
        #expect(room.refusal(try review("alice"), of: id) == nil)
        #expect(room.refusal(try review("dan"), of: id) == .notAnApprover(dan))
        #expect(
            room.refusal(try review("eve"), of: id) == .notAnApprover(try ApproverName(parsing: "eve")))
        let unknown = ApprovalID(random: 99)
        #expect(room.refusal(try review(), of: unknown) == .unknownApproval(unknown))
        room.apply(.reviewed(id, try review("alice")))
        #expect(
            room.refusal(try review("alice", .deny), of: id)
                == .alreadyReviewed(try ApproverName(parsing: "alice")))
        #expect(
            room.apply(.reviewed(id, try review("alice", .deny))) == false, "nor does it count in the fold")
    }

    @Test func `the last moment before the expiry is in time, the expiry is not`() throws {
        let room = WaitingRoom([try approval()])
        let id = ApprovalID(random: 1)
        let end = after(1_800)
        let last = end.advanced(by: .nanoseconds(-1))
        #expect(room[id]?.expires == end)
        #expect(room.refusal(try review(at: last), of: id) == nil)
        #expect(room.refusal(try review(at: end), of: id) == .alreadyEnded(id, .expired))
        #expect(room.expired(at: last).isEmpty && room.expired(at: end) == [id])
        #expect(try room.answer(at: last) == "waits \(id)")
        #expect(try room.answer(at: end) == "new")
        #expect(room.nextExpiry(except: []) == end && room.nextExpiry(except: [id]) == nil)
    }

    @Test func `an approval in time earns no grant once the time is over`() throws {
        var room = WaitingRoom([try approval()])
        let id = ApprovalID(random: 1)
        room.apply(.reviewed(id, try review(at: after(1_799))))
        #expect(room.granted(at: after(1_799)) != nil)
        #expect(room.granted(at: after(1_800)) == nil)
    }

    @Test func `the agent's own uid answers only where the operator allows it`() throws {
        let room = WaitingRoom([try approval()])
        let id = ApprovalID(random: 1)
        let own = try review(isSameUID: true)
        #expect(room.refusal(own, of: id) == .sameUID(1001))
        #expect(room.refusal(try review("alice", .deny, isSameUID: true), of: id) == .sameUID(1001))
        #expect(room.refusal(own, of: id, allowsSameUID: true) == nil)
    }

    @Test func `what must be typed is the end of the id, and only to approve`() throws {
        let terms = ApprovalTerms(quorums: [onCall], confirmsTyped: true)
        let room = WaitingRoom([try approval(terms: terms)])
        let id = ApprovalID(random: 1)
        let expected = String(id.text.suffix(4))
        for typed in [nil, "", "yes", String(expected.dropLast()), expected + " "] {
            #expect(room.refusal(try review(), of: id, typed: typed) == .notConfirmed(expected: expected))
        }
        #expect(room.refusal(try review(), of: id, typed: expected.lowercased()) == nil)
        #expect(room.refusal(try review("alice", .deny), of: id) == nil)
    }

    @Test func `a reason that the statement demands must be there`() throws {
        let room = WaitingRoom([
            try approval(terms: ApprovalTerms(quorums: [onCall], needsReviewReason: true))
        ])
        let id = ApprovalID(random: 1)
        #expect(room.refusal(try review(), of: id) == .reasonMissing)
        #expect(room.refusal(try review(reason: ""), of: id) == .reasonMissing)
        #expect(room.refusal(try review(reason: "checked"), of: id) == nil)
    }

    // MARK: Granting

    @Test func `one of a group is enough, and the grant is what the terms say`() throws {
        let terms = ApprovalTerms(
            quorums: [onCall], grantTTL: .seconds(300), maxUses: 3, firstUseWithin: .seconds(60))
        var room = WaitingRoom([try approval(terms: terms)])
        #expect(room.granted() == nil, "nobody has answered")
        room.apply(.reviewed(ApprovalID(random: 1), try review("bob")))
        let grant = try #require(room.granted(at: after(70)))
        #expect(grant.start == after(70) && grant.end == after(370) && grant.firstUseBy == after(130))
        #expect(grant.maxUses == 3 && grant.decidedBy.map(\.text) == ["bob"])
        let (asked, caller) = (try meaning(), try caller())
        #expect(
            grant.digest == asked.digest && grant.session == caller.session && grant.agent == caller.agent)
        #expect(room.apply(.granted(grant)) && room[ApprovalID(random: 1)]?.state == .approved)
        #expect(room.granted(at: after(71)) == nil, "one approval, one grant")
    }

    @Test func `a person in two groups counts for one of them`() throws {
        let both = ApprovalTerms.Quorum(
            needs: [.init(name: "oncall", count: 1), .init(name: "secops", count: 1)], anyOne: false)
        var room = WaitingRoom([try approval(terms: ApprovalTerms(quorums: [both]))])
        let id = ApprovalID(random: 1)
        room.apply(.reviewed(id, try review("carol")))
        #expect(room.granted() == nil)
        room.apply(.reviewed(id, try review("dan")))
        #expect(room.granted() != nil)
    }

    // MARK: Folding

    @Test func `every change taken in twice changes nothing the second time`() throws {
        let approval = try approval()
        var room = WaitingRoom([approval])
        room.apply(.reviewed(approval.id, try review()))
        let grant = try #require(room.granted())
        let changes: [ApprovalChange] = [
            .requested(approval), .reviewed(approval.id, try review()), .granted(grant),
            .ended(approval.id, .expired, at: after(1_800)),
        ]
        room.apply(.granted(grant))
        let once = room
        for change in changes { #expect(room.apply(change) == false) }
        #expect(room == once)
    }

    @Test func `the fold of the recorded changes is the room itself`() throws {
        let typed = ApprovalTerms(quorums: [onCall], firstUseWithin: .seconds(5), confirmsTyped: true)
        var room = WaitingRoom([try approval(), try approval(2, of: 2, terms: typed), try approval(3, of: 3)])
        var changes: [ApprovalChange] = room.waiting.map { .requested($0) }
        changes.append(.reviewed(ApprovalID(random: 1), try review(reason: "bell \u{7} and \u{202E}")))
        changes.append(.reviewed(ApprovalID(random: 2), try review("bob", .deny)))
        changes.append(.ended(ApprovalID(random: 3), .withdrawn, at: after(90)))
        for change in changes { room.apply(change) }
        let grant = try #require(room.granted())
        changes.append(.granted(grant))
        room.apply(.granted(grant))
        var fold = WaitingRoom()
        for change in changes {
            let line = JSON.object(change.body).line
            let read = try ApprovalChange(entryType: change.entryType, body: JSON(parsing: line))
            #expect(read == change)
            fold.apply(try #require(read))
        }
        #expect(fold == room)
    }

    @Test func `a record without a member it must have is no change`() throws {
        for change in [
            ApprovalChange.requested(try approval()), .reviewed(ApprovalID(random: 1), try review()),
        ] {
            for member in change.body where !["reason", "same_uid", "expires"].contains(member.name) {
                let cut = JSON.object(change.body.filter { $0.name != member.name })
                #expect(throws: ChangeRecordError.self, "without \(member.name)") {
                    try ApprovalChange(entryType: change.entryType, body: cut)
                }
            }
        }
        #expect(try ApprovalChange(entryType: "request", body: .object([])) == nil)
    }

    @Test func `ended approvals are forgotten beyond the limit, the oldest first`() throws {
        var room = WaitingRoom()
        for number in 1...WaitingRoom.endedMax + 1 {
            room.apply(.requested(try approval(UInt64(number), of: number)))
            room.apply(.ended(ApprovalID(random: UInt64(number)), .expired, at: after(2)))
        }
        #expect(room.approvals.count == WaitingRoom.endedMax)
        #expect(room[ApprovalID(random: 1)] == nil && room[ApprovalID(random: 2)] != nil)
    }
}

extension WaitingRoom {
    /// The grant that approval 1 has earned at `now`.
    fileprivate func granted(at now: Instant = after(61)) -> Grant? {
        earnedGrant(ApprovalID(random: 1), grantID: GrantID(random: 1), approvers: approvers, at: now)
    }
}
