import Vocabulary

/// Every session that is open, and those that ended lately.
///
/// A value: commands look at it and give what should become an entry; ``apply(_:)`` changes it, and the same
/// way again when the log is folded at start. A session is of one agent, one task and one uid; a later run of
/// the same three joins it while it is open, so that a repeated command meets its approval.
package struct SessionBook: Hashable, Sendable {
    /// A session without a call for so long is over.
    package static let idleMax = Duration.seconds(8 * 3_600)
    /// Sessions of one uid that are open, or that it closed within the last hour: opening and closing in turn
    /// must not flood the log.
    package static let openMax = 256
    /// Ended sessions that are kept in memory; the log keeps all.
    package static let closedMax = 4_096

    private var sessions: [SessionID: Session] = [:]
    private var standing: [AgentName: SessionID] = [:]
    private var latest: [Key: SessionID] = [:]
    private var closedInOrder: [SessionID] = []

    private struct Key: Hashable {
        let agent: AgentName
        let uid: UInt32
        let task: ExactText
    }

    package init() {}

    /// The session `id`; nil when the book does not know it (any more).
    package subscript(id: SessionID) -> Session? { sessions[id] }

    /// Whether calls of `id` are taken at `now`.
    package func isOpen(_ id: SessionID, at now: Instant) -> Bool {
        guard let session = sessions[id], session.closing == nil else { return false }
        return session.idleEnd.map { now < $0 } ?? true
    }

    /// How `id` ended; nil when it is open at `now`, or not known.
    package func closing(of id: SessionID, at now: Instant) -> Session.Closing? {
        guard let session = sessions[id] else { return nil }
        if let closing = session.closing { return closing }
        guard let end = session.idleEnd, end <= now else { return nil }
        return Session.Closing(cause: .idle, by: nil, reason: nil, at: end)
    }

    /// The standing session of the listeners of `agent`, if it has one.
    package func standing(of agent: AgentName) -> SessionID? { standing[agent] }

    /// The sessions that are open at `now`, the oldest first.
    package func open(at now: Instant) -> [Session] {
        sessions.values.filter { isOpen($0.id, at: now) }.sorted {
            ($0.opened, $0.id.text) < ($1.opened, $1.id.text)
        }
    }

    /// The session that a run of `agent` on `task` by `uid` joins; nil when it opens one.
    ///
    /// - Throws: ``SessionError/tooManyOpen(limit:)`` when it would open one too many.
    package func joined(
        by agent: AgentName, on task: String, uid: UInt32, at now: Instant
    ) throws(SessionError) -> SessionID? {
        if let id = latest[Key(agent: agent, uid: uid, task: ExactText(task))], isOpen(id, at: now) {
            return id
        }
        let hour = Duration.seconds(3_600)
        let count = sessions.values.count { session in
            guard session.uid == uid else { return false }
            guard let closing = closing(of: session.id, at: now) else { return true }
            return closing.cause == .agent && now.since(closing.at) < hour
        }
        guard count < Self.openMax else { throw .tooManyOpen(limit: Self.openMax) }
        return nil
    }

    /// Checks that a run of `uid` may go on with the session `id`, open or ended.
    ///
    /// - Throws: ``SessionError``: another's, a listener's, or one that an approver ended.
    package func checkResume(_ id: SessionID, uid: UInt32) throws(SessionError) {
        guard let session = sessions[id] else { throw .notYours(id) }
        guard !session.isStanding else { throw .standing(id) }
        guard session.uid == uid else { throw .notYours(id) }
        if let closing = session.closing, closing.cause == .approver { throw .closed(id, closing) }
    }

    /// Checks that `uid`, or an approver where that is nil, may close `id` at `now`.
    ///
    /// - Throws: ``SessionError``.
    package func checkClose(_ id: SessionID, by uid: UInt32?, at now: Instant) throws(SessionError) {
        guard let session = sessions[id], uid == nil || session.uid == uid else { throw .notYours(id) }
        // One that ended by itself may still be ended for good.
        if let closing = closing(of: id, at: now), uid != nil || closing.cause == .approver {
            throw .closed(id, closing)
        }
    }

    /// The open sessions that nobody used for too long.
    package func idle(at now: Instant) -> [SessionID] {
        sessions.values.filter { session in
            session.closing == nil && session.idleEnd.map { $0 <= now } ?? false
        }.map(\.id)
    }

    /// The next moment at which one has been idle for too long.
    package var nextIdleEnd: Instant? {
        sessions.values.filter { $0.closing == nil }.compactMap(\.idleEnd).min()
    }

    // MARK: Folding

    /// A call of `id` came at `now`. One of a session that is over changes nothing.
    package mutating func used(_ id: SessionID, at now: Instant) {
        guard isOpen(id, at: now) else { return }
        sessions[id]?.latest = now
    }

    /// Takes `change` in; whether it took effect.
    @discardableResult
    package mutating func apply(_ change: SessionChange) -> Bool {
        switch change {
        case .opened(let session):
            guard sessions[session.id] == nil else { return false }
            sessions[session.id] = session
            if let key = key(of: session) {
                latest[key] = session.id
            } else {
                standing[session.agent] = session.id
            }
            return true
        case .joined(let id, let reason, let at):
            // That the log has it says that it was open: not every call before has an entry of its own.
            guard let session = sessions[id], session.closing == nil else { return false }
            run(id, reason, at)
            return true
        case .reopened(let id, _, let reason, let at):
            guard let session = sessions[id], session.closing?.cause != .approver, !session.isStanding else {
                return false
            }
            sessions[id]?.closing = nil
            closedInOrder.removeAll { $0 == id }
            run(id, reason, at)
            if let key = key(of: session) { latest[key] = id }
            return true
        case .closed(let id, let closing):
            guard let session = sessions[id], session.closing?.cause != .approver else { return false }
            if session.closing == nil { closedInOrder.append(id) }
            sessions[id]?.closing = closing
            if standing[session.agent] == id { standing[session.agent] = nil }
            if let key = key(of: session), latest[key] == id { latest[key] = nil }
            if closedInOrder.count > Self.closedMax { sessions[closedInOrder.removeFirst()] = nil }
            return true
        }
    }

    private mutating func run(_ id: SessionID, _ reason: String?, _ at: Instant) {
        sessions[id]?.reason = reason
        sessions[id]?.latest = at
        sessions[id]?.runCount += 1
    }

    private func key(of session: Session) -> Key? {
        guard let uid = session.uid, let task = session.task else { return nil }
        return Key(agent: session.agent, uid: uid, task: ExactText(task))
    }
}
