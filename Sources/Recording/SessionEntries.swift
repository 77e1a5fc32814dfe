import Deciding
import Vocabulary

extension Entry {
    /// A session of `agent` was opened, by `uid`; nil for the standing session of a listener.
    package static func sessionOpened(
        at: Instant, session: SessionID, agent: AgentName, uid: UInt32? = nil, owner: String? = nil,
        task: ClaimedText?, reason: ClaimedText?
    ) -> Entry {
        Entry(
            .session, at: at,
            start(session, agent, "opened") + [
                uid.map { .count("uid", $0) }, .text("owner", owner), .claimed("task", task),
                .claimed("reason", reason),
            ])
    }

    /// A later run joined the session, for `reason`; with `approval` it was over and goes on for what that
    /// approval allowed.
    package static func sessionJoined(
        at: Instant, session: SessionID, agent: AgentName, approval: ApprovalID? = nil, reason: ClaimedText?
    ) -> Entry {
        Entry(
            .session, at: at,
            start(session, agent, approval == nil ? "joined" : "reopened") + [
                .text("approval", approval?.text), .claimed("reason", reason),
            ])
    }

    /// The session ended: `why` is `idle`, `agent` or `approver`, then also `by` whom. May use the space kept
    /// in reserve, since it takes leave away.
    package static func sessionClosed(
        at: Instant, session: SessionID, agent: AgentName, why: String, by: String?, reason: String?
    ) -> Entry {
        Entry(
            .session, at: at,
            start(session, agent, closed) + [
                .text("why", why), .text("by", by), .text("reason", reason),
            ])
    }

    private static let closed = "closed"

    private static func start(_ session: SessionID, _ agent: AgentName, _ event: String) -> [JSON.Member?] {
        [.text("session", session.text), .text("agent", agent.text), .text("event", event)]
    }

    /// Whether it may use the space that the log keeps in reserve.
    var mayUseReserve: Bool {
        type.mayUseReserve
            || type == .session && members.contains { $0.name == "event" && $0.value == .string(Self.closed) }
    }
}
