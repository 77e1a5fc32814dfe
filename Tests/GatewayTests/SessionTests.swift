import Deciding
import Glibc
import Identifying
import Recognizing
import Recording
import Testing
import Vocabulary

@testable import Gateway

@Suite("Sessions") struct SessionTests {
    @Test func `a call is refused when its session ends while its body comes`() throws {
        var (walk, desk) = (Walk("GetItem"), try makeDesk())
        #expect(try walk.take(.head(walk.head, wall: noon), &desk) == "read body")
        try desk.close()
        #expect(try walk.take(.body(walk.body), &desk) == "refuse: session over")
    }

    @Test func `a held call is refused when its session ended, although a human approved it`() throws {
        var (walk, desk) = (Walk(), try makeDesk())
        try walk.waits(1, &desk)
        try desk.review(1)
        try desk.close()
        #expect(try walk.take(.reconsider, &desk, at: after(5)) == "refuse: session over")
        #expect(desk.grants.usesLeft(of: GrantID(random: 1)) == 1, "nothing was taken of the grant")
    }

    @Test func `the agent is told how its session ended`() throws {
        var desk = try makeDesk()
        try desk.close(by: "alice", reason: "no more of this")
        var walk = Walk("GetItem")
        #expect(try walk.arrive(&desk) == "refuse: session over")
        let closing = try #require(desk.sessions.closing(of: try binding().session, at: noon))
        let answer = words(
            for: .sessionOver(try binding().session, closing), desk: desk, now: noon,
            shape: answerShape(walk.head))
        #expect(answer.status == 403 && answer.code == "SessionClosed")
        #expect(answer.message.contains("was closed by alice, reason: `no more of this`"))
    }

    @Test func `each change is read back from its entry as it was`() throws {
        var template = Array("/tmp/countersign-sessions-XXXXXX".utf8CString)
        let folder = try #require(mkdtemp(&template).map { String(cString: $0) })
        defer {
            for name in ["000001.jsonl", "lock"] { unlink("\(folder)/\(name)") }
            rmdir(folder)
        }
        let log = try RequestLog(folder: folder, setting: LogSetting()) { noon }
        let agent = try AgentName(parsing: "support-7")
        let session = Session(
            id: SessionID(random: 1), agent: agent, uid: 1_001, owner: "mia@example.com", task: "JIRA-1",
            reason: "why", opened: noon)
        let standing = Session(
            id: SessionID(random: 2), agent: agent, uid: nil, owner: nil, task: nil, reason: nil, opened: noon
        )
        let changes: [SessionChange] = [
            .opened(session), .opened(standing), .joined(session.id, reason: nil, at: noon),
            .closed(session.id, .init(cause: .idle, by: nil, reason: nil, at: noon)),
            .reopened(session.id, approval: ApprovalID(random: 3), reason: "again", at: noon),
            .closed(session.id, .init(cause: .approver, by: "alice", reason: "enough", at: noon)),
        ]
        for change in changes { log.append(change.entry(of: agent, at: noon), durability: .written) { _ in } }
        log.stop()
        var entries = try LogEntries(folder: folder)
        var found: [SessionChange] = []
        while let entry = try entries.next() { found.append(try SessionChange(entry)) }
        #expect(found == changes)
        var told = SessionBook()
        for change in changes { told.apply(change) }
        let book = try Fold(folder: folder).sessions
        #expect(book == told && !book.isOpen(session.id, at: noon) && book.isOpen(standing.id, at: noon))
    }
}

extension Desk {
    /// Ends the session of `binding()`.
    fileprivate mutating func close(by: String? = nil, reason: String? = nil) throws {
        sessions.apply(
            .closed(try binding().session, .init(cause: .approver, by: by, reason: reason, at: noon)))
    }
}
