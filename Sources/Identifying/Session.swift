import Vocabulary

/// One run of an agent on one task, by one uid; or what a listener has for all who come in by it unsigned.
package struct Session: Hashable, Sendable {
    package let id: SessionID
    package let agent: AgentName
    /// The uid that opened it; nil for a listener's standing session.
    package let uid: UInt32?
    /// Who answers for the agent, as `agents.yaml` said when the session was opened.
    package let owner: String?
    /// What the agent works on, in its own words; nil for a standing session.
    package let task: String?
    /// Why, in the words of the run that opened or joined it last.
    package internal(set) var reason: String?
    package let opened: Instant
    /// The latest sign of life: a call, or a run that opened or joined it.
    package internal(set) var latest: Instant
    /// How many runs opened or joined it.
    package internal(set) var runCount: Int
    /// How it ended; nil while nobody has ended it. One that is idle for too long is over before it says so.
    package internal(set) var closing: Closing?

    /// A session that `uid` opens at `opened`.
    package init(
        id: SessionID, agent: AgentName, uid: UInt32?, owner: String?, task: String?, reason: String?,
        opened: Instant
    ) {
        self.id = id
        self.agent = agent
        self.uid = uid
        self.owner = owner
        self.task = task
        self.reason = reason
        self.opened = opened
        latest = opened
        runCount = 1
        closing = nil
    }

    /// Whether it is a listener's: it does not end by itself.
    package var isStanding: Bool { uid == nil }

    /// The first moment at which it has been idle for too long; nil for a standing session.
    package var idleEnd: Instant? { isStanding ? nil : latest.advanced(by: SessionBook.idleMax) }

    /// How a session ended.
    package struct Closing: Hashable, Sendable {
        /// Who or what ended it.
        package enum Cause: String, Hashable, Sendable {
            /// No call came for ``SessionBook/idleMax``.
            case idle
            /// The uid that opened it.
            case agent
            /// An approver or the operator, over the control socket: for good.
            case approver
        }

        package let cause: Cause
        /// The approver's name.
        package let by: String?
        package let reason: String?
        package let at: Instant

        package init(cause: Cause, by: String?, reason: String?, at: Instant) {
            self.cause = cause
            self.by = by
            self.reason = reason
            self.at = at
        }
    }
}

/// One fact about sessions, as the log has it. The book is the fold of these and of the calls.
package enum SessionChange: Hashable, Sendable {
    case opened(Session)
    /// Another run of the same uid on the same task.
    case joined(SessionID, reason: String?, at: Instant)
    /// A run goes on with what an approval of the session allowed, after the session had ended.
    case reopened(SessionID, approval: ApprovalID, reason: String?, at: Instant)
    case closed(SessionID, Session.Closing)

    /// Whose change it is.
    package var session: SessionID {
        switch self {
        case .opened(let session): session.id
        case .joined(let id, _, _), .reopened(let id, _, _, _), .closed(let id, _): id
        }
    }
}

/// Why a session is not opened, joined or closed.
package enum SessionError: Error, Sendable, Hashable {
    /// ``SessionBook/openMax`` sessions of the uid are open, or were until lately.
    case tooManyOpen(limit: Int)
    /// There is none of this id that the uid has opened.
    case notYours(SessionID)
    /// It is over already.
    case closed(SessionID, Session.Closing)
    /// A listener's session is opened by nobody.
    case standing(SessionID)
}
