import Identifying
import Testing
import Vocabulary

private let noon = Instant(secondsSinceEpoch: 1_795_336_260)

private func after(_ seconds: Int64) -> Instant { noon.advanced(by: .seconds(seconds)) }

private let idle: Int64 = 8 * 3_600

@Suite("Session book") struct SessionBookTests {
    let agent: AgentName
    var book = SessionBook()

    init() throws {
        agent = try AgentName(parsing: "support-7")
        open(1, uid: 1_001, task: "JIRA-1")
    }

    mutating func open(_ number: UInt64, uid: UInt32?, task: String?, at: Instant = noon) {
        book.apply(
            .opened(
                Session(
                    id: SessionID(random: number), agent: agent, uid: uid, owner: nil, task: task,
                    reason: "first", opened: at)))
    }

    mutating func close(
        _ number: UInt64, _ cause: Session.Closing.Cause, at: Instant = noon, by: String? = nil
    ) {
        let took = book.apply(
            .closed(SessionID(random: number), .init(cause: cause, by: by, reason: nil, at: at)))
        #expect(took)
    }

    let one = SessionID(random: 1)

    @Test func `a later run of the same agent, task and uid joins, and no other does`() throws {
        #expect(try book.joined(by: agent, on: "JIRA-1", uid: 1_001, at: after(60)) == one)
        #expect(try book.joined(by: agent, on: "JIRA-2", uid: 1_001, at: after(60)) == nil)
        #expect(try book.joined(by: agent, on: "JIRA-1", uid: 1_002, at: after(60)) == nil)
        let other = try AgentName(parsing: "support-8")
        #expect(try book.joined(by: other, on: "JIRA-1", uid: 1_001, at: after(60)) == nil)
    }

    @Test mutating func `tasks that only look the same are two`() throws {
        open(2, uid: 1_001, task: "caf\u{E9}")
        #expect(try book.joined(by: agent, on: "caf\u{E9}", uid: 1_001, at: noon) == SessionID(random: 2))
        #expect(try book.joined(by: agent, on: "cafe\u{301}", uid: 1_001, at: noon) == nil)
    }

    @Test mutating func `a session ends with its eighth idle hour, not before, and a call moves that`() throws
    {
        #expect(book.isOpen(one, at: after(idle - 1)) && !book.isOpen(one, at: after(idle)))
        #expect(try book.joined(by: agent, on: "JIRA-1", uid: 1_001, at: after(idle)) == nil)
        #expect(book.closing(of: one, at: after(idle))?.cause == .idle)
        #expect(book.idle(at: after(idle - 1)).isEmpty && book.idle(at: after(idle)) == [one])
        book.used(one, at: after(100))
        #expect(book.isOpen(one, at: after(idle + 99)) && !book.isOpen(one, at: after(idle + 100)))
        #expect(book.nextIdleEnd == after(idle + 100))
        book.used(one, at: after(idle + 100))
        #expect(!book.isOpen(one, at: after(idle + 100)), "a call cannot revive what is over")
    }

    @Test mutating func `a standing session does not end by itself`() {
        open(9, uid: nil, task: nil)
        let standing = SessionID(random: 9)
        #expect(book.standing(of: agent) == standing)
        #expect(book.isOpen(standing, at: after(100 * idle)) && book.idle(at: after(100 * idle)) == [one])
        close(9, .approver)
        #expect(book.standing(of: agent) == nil && !book.isOpen(standing, at: noon))
    }

    @Test func `an unknown session is not open`() {
        #expect(!book.isOpen(SessionID(random: 5), at: noon))
        #expect(book.closing(of: SessionID(random: 5), at: noon) == nil)
    }

    @Test mutating func `closed is closed at once and is not joined`() throws {
        close(1, .agent, at: after(5))
        #expect(!book.isOpen(one, at: after(5)))
        #expect(try book.joined(by: agent, on: "JIRA-1", uid: 1_001, at: after(6)) == nil)
        let took1 = book.apply(.joined(one, reason: nil, at: after(6)))
        #expect(!took1)
        #expect(book.closing(of: one, at: after(6))?.cause == .agent)
    }

    @Test mutating func `only who opened it closes it, or an approver`() {
        #expect(throws: SessionError.notYours(one)) { try book.checkClose(one, by: 1_002, at: noon) }
        #expect(throws: SessionError.notYours(SessionID(random: 3))) {
            try book.checkClose(SessionID(random: 3), by: nil, at: noon)
        }
        #expect(throws: Never.self) { try book.checkClose(one, by: 1_001, at: noon) }
        #expect(throws: Never.self) { try book.checkClose(one, by: nil, at: noon) }
        open(9, uid: nil, task: nil)
        #expect(throws: SessionError.notYours(SessionID(random: 9))) {
            try book.checkClose(SessionID(random: 9), by: 1_001, at: noon)
        }
    }

    @Test mutating func `what ended by itself goes on with an approval; what an approver ended does not`()
        throws
    {
        let approval = ApprovalID(random: 1)
        #expect(throws: Never.self) { try book.checkResume(one, uid: 1_001) }
        #expect(throws: SessionError.notYours(one)) { try book.checkResume(one, uid: 1_002) }
        let late = after(3 * idle)
        close(1, .idle, at: late)
        let took2 = book.apply(.reopened(one, approval: approval, reason: "again", at: late))
        #expect(took2)
        #expect(book.isOpen(one, at: late) && book[one]?.runCount == 2 && book[one]?.reason == "again")
        #expect(try book.joined(by: agent, on: "JIRA-1", uid: 1_001, at: late) == one)
        close(1, .agent, at: late)
        close(1, .approver, at: late, by: "alice")
        let took3 = book.apply(.reopened(one, approval: approval, reason: nil, at: late))
        #expect(!took3)
        let closing = Session.Closing(cause: .approver, by: "alice", reason: nil, at: late)
        #expect(throws: SessionError.closed(one, closing)) { try book.checkResume(one, uid: 1_001) }
        #expect(throws: SessionError.closed(one, closing)) { try book.checkClose(one, by: nil, at: late) }
        open(9, uid: nil, task: nil)
        #expect(throws: SessionError.standing(SessionID(random: 9))) {
            try book.checkResume(SessionID(random: 9), uid: 1_001)
        }
    }

    @Test mutating func `one uid has so many open, and opening and closing in turn does not get round that`()
        throws
    {
        for number in 2...UInt64(SessionBook.openMax) {
            #expect(try book.joined(by: agent, on: "T-\(number)", uid: 1_001, at: noon) == nil)
            open(number, uid: 1_001, task: "T-\(number)")
        }
        let full = SessionError.tooManyOpen(limit: SessionBook.openMax)
        #expect(throws: full) { try book.joined(by: agent, on: "more", uid: 1_001, at: noon) }
        #expect(
            try book.joined(by: agent, on: "JIRA-1", uid: 1_001, at: noon) == one, "joining is no opening")
        #expect(try book.joined(by: agent, on: "more", uid: 1_002, at: noon) == nil)
        close(1, .agent, at: noon)
        #expect(throws: full) { try book.joined(by: agent, on: "more", uid: 1_001, at: after(3_599)) }
        #expect(try book.joined(by: agent, on: "more", uid: 1_001, at: after(3_600)) == nil)
    }

    @Test mutating func `of those that ended the latest are kept`() {
        for number in 2...UInt64(SessionBook.closedMax + 2) {
            open(number, uid: 1_002, task: "T-\(number)")
            close(number, .agent)
        }
        #expect(book[SessionID(random: 2)] == nil && book[SessionID(random: 3)] != nil)
        #expect(book.isOpen(one, at: noon))
    }

    @Test mutating func `an id is opened once`() {
        open(1, uid: 1_002, task: "other")
        #expect(book[one]?.uid == 1_001)
        close(1, .agent)
        open(1, uid: 1_001, task: "JIRA-1")
        #expect(!book.isOpen(one, at: noon))
    }
}
