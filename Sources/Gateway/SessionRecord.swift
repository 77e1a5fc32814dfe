import Identifying
import Recording
import Vocabulary

extension SessionChange {
    /// The change as the log has it; `agent` is the session's.
    func entry(of agent: AgentName, at now: Instant) -> Entry {
        func said(_ text: String?) -> ClaimedText? { text.map { ClaimedText($0, source: .sessionToken) } }
        switch self {
        case .opened(let session):
            return .sessionOpened(
                at: now, session: session.id, agent: agent, uid: session.uid, owner: session.owner,
                task: said(session.task), reason: said(session.reason))
        case .joined(let id, let reason, _):
            return .sessionJoined(at: now, session: id, agent: agent, reason: said(reason))
        case .reopened(let id, let approval, let reason, _):
            return .sessionJoined(
                at: now, session: id, agent: agent, approval: approval, reason: said(reason))
        case .closed(let id, let closing):
            return .sessionClosed(
                at: now, session: id, agent: agent, why: closing.cause.rawValue, by: closing.by,
                reason: closing.reason)
        }
    }

    /// The change that the log's entry of type `session` holds.
    ///
    /// - Throws: ``ConfigurationError`` when it holds none that is known, ``NameError`` for a bad name in it.
    init(_ entry: StoredEntry) throws {
        func bad(_ member: String) -> ConfigurationError {
            ConfigurationError("`\(member)` is not what was written")
        }
        guard let text = entry["session"]?.string else { throw bad("session") }
        let id = try SessionID(parsing: text)
        let reason = entry["reason"]?["text"]?.string
        switch entry["event"]?.string {
        case "opened":
            guard let agent = entry["agent"]?.string else { throw bad("agent") }
            let uid = entry["uid"]?.integer.flatMap { UInt32(exactly: $0) }
            guard uid != nil || entry["uid"] == nil else { throw bad("uid") }
            let task = entry["task"]?["text"]?.string
            guard uid == nil || task != nil else { throw bad("task") }
            self = .opened(
                Session(
                    id: id, agent: try AgentName(parsing: agent), uid: uid, owner: entry["owner"]?.string,
                    task: task, reason: reason, opened: entry.at))
        case "joined": self = .joined(id, reason: reason, at: entry.at)
        case "reopened":
            guard let approval = entry["approval"]?.string else { throw bad("approval") }
            self = .reopened(id, approval: try ApprovalID(parsing: approval), reason: reason, at: entry.at)
        case "closed":
            guard let cause = entry["why"]?.string.flatMap(Session.Closing.Cause.init(rawValue:)) else {
                throw bad("why")
            }
            self = .closed(
                id,
                Session.Closing(
                    cause: cause, by: entry["by"]?.string, reason: entry["reason"]?.string, at: entry.at))
        default: throw bad("event")
        }
    }
}
