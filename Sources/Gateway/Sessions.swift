import Identifying
import Recording
import Vocabulary

/// Opening, joining and ending sessions. Runs on the loop.
extension Gateway {
    /// Gives the listeners of `agent` their standing session: the one they had, or a new one.
    func stand(_ agent: AgentName) {
        let session = desk.sessions.standing(of: agent) ?? newSessionID()
        if desk.sessions.standing(of: agent) == nil {
            let now = clock.now
            let change = SessionChange.opened(
                Session(
                    id: session, agent: agent, uid: nil, owner: nil, task: nil, reason: nil, opened: now))
            desk.sessions.apply(change)
            note(change.entry(of: agent, at: now))
        }
        bindings[agent] = ListenerBinding(agent: agent, session: session)
    }

    /// An id that no session in the book has.
    func newSessionID() -> SessionID {
        while true {
            let id = SessionID(random: Clock.randomBits())
            if desk.sessions[id] == nil { return id }
        }
    }

    /// Ends `id` at once, whatever the log does: taking power away never waits. `then` hears whether the log
    /// has it.
    func close(
        _ id: SessionID, _ closing: Session.Closing, then: @escaping @Sendable (Bool) -> Void = { _ in }
    ) {
        guard let session = desk.sessions[id], desk.sessions.apply(.closed(id, closing)) else {
            return then(true)
        }
        record(SessionChange.closed(id, closing).entry(of: session.agent, at: closing.at), then: then)
        if closing.cause != .idle { takeBack(id, at: closing.at) }
        // The listener goes on: its callers are in another session from here on.
        if session.isStanding, bindings[session.agent] != nil { stand(session.agent) }
    }

    /// Nobody needs to answer what a closed session asks. Those of its calls that are held are refused when
    /// they are woken; those that wait for the outcome of another attempt when that comes.
    private func takeBack(_ id: SessionID, at now: Instant) {
        for approval in desk.room.waiting where approval.requester.caller.session == id {
            let name = approval.id
            record(.ended(name, .withdrawn, at: now)) { [self] durable in
                if !durable { takeIn(.ended(name, .withdrawn, at: now)) }
                wake(name)
            }
        }
    }

    /// Writes down which sessions ended by themselves, and looks again when the next one does.
    func endIdleSessions() {
        idleTimer?.cancel()
        let now = clock.now
        for id in desk.sessions.idle(at: now) {
            close(id, Session.Closing(cause: .idle, by: nil, reason: nil, at: now))
        }
        guard let next = desk.sessions.nextIdleEnd else { return }
        // A call may move the end meanwhile; whether a session is open never hangs on this timer.
        let wait = max(.seconds(60), next.since(now))
        idleTimer = loop.schedule(after: wait) { [self] in endIdleSessions() }
    }
}
