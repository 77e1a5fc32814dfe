import Glibc
import Identifying
import Recording
import Vocabulary

/// The agents' side of sessions: open or join one, look at one's own, close one (docs/control.md). Runs on
/// the loop.
extension Gateway {
    /// Opens the session that `request` asks for, or joins it, and hands out keys for it.
    ///
    /// The keys go into the answer and nowhere else: no entry, message or file of ours has them.
    func openSession(_ request: ControlRequest, reply: @escaping @Sendable (ControlReply) -> Void) {
        let asked: SessionRequest
        do { asked = try SessionRequest(request.body, lifetimeMax: configuration.keyLifetime) } catch {
            return reply(.error(400, "BadRequest", error.description))
        }
        if let account = asked.account, account != desk.recognition.account,
            desk.policy.accounts[account] == nil
        {
            return reply(
                .error(
                    404, "NotFound",
                    "account \(account) is not the gateway's own, and accounts.yaml does not name it"))
        }
        if let approval = asked.approval { return resume(approval, asked, request, reply: reply) }
        guard let agent = asked.agent, let task = asked.task else {
            return reply(.error(400, "BadRequest", "`agent` and `task` are needed"))
        }
        admit(request, as: agent, reply: reply) { [self] in
            let now = clock.now
            let joined: SessionID?
            do throws(SessionError) {
                joined = try desk.sessions.joined(by: agent, on: task, uid: request.uid, at: now)
            } catch {
                return reply(ControlReply(error))
            }
            if let joined {
                return enter(.joined(joined, reason: asked.reason, at: now), asked, request, reply: reply)
            }
            let session = Session(
                id: newSessionID(), agent: agent, uid: request.uid, owner: desk.policy.agents[agent]?.owner,
                task: task, reason: asked.reason, opened: now)
            enter(.opened(session), asked, request, reply: reply)
        }
    }

    /// Goes on with the session of an approval: joins it, or reopens one that ended by itself.
    private func resume(
        _ name: ApprovalID, _ asked: SessionRequest, _ request: ControlRequest,
        reply: @escaping @Sendable (ControlReply) -> Void
    ) {
        // Another's looks like none.
        let none = ControlReply.error(404, "NotFound", "no session of this user has an approval \(name)")
        guard let approval = desk.room[name],
            let session = desk.sessions[approval.requester.caller.session], session.uid == request.uid
        else { return reply(none) }
        guard asked.agent == nil || asked.agent == session.agent,
            asked.task == nil || session.task.map({ asked.task?.hasBytes(of: $0) ?? false }) ?? false
        else {
            return reply(
                .error(
                    400, "BadRequest",
                    "\(name) belongs to agent \(session.agent) on task "
                        + "\(quoted(session.task ?? "")): leave `agent` and `task` out"))
        }
        admit(request, as: session.agent, reply: reply) { [self] in
            let now = clock.now
            do throws(SessionError) { try desk.sessions.checkResume(session.id, uid: request.uid) } catch {
                return reply(ControlReply(error))
            }
            let reason = asked.reason ?? session.reason
            enter(
                desk.sessions.isOpen(session.id, at: now)
                    ? .joined(session.id, reason: reason, at: now)
                    : .reopened(session.id, approval: name, reason: reason, at: now), asked, request,
                reply: reply)
        }
    }

    /// Runs of one uid that may begin in a minute: each is an entry in the log.
    static let runsAMinuteMax = 120

    /// Takes `change` in, and hands out keys once it is in the log.
    private func enter(
        _ change: SessionChange, _ asked: SessionRequest, _ request: ControlRequest,
        reply: @escaping @Sendable (ControlReply) -> Void
    ) {
        let now = clock.now
        guard runs.admits(request.uid, most: Self.runsAMinuteMax, at: now) else {
            return reply(.error(503, "Busy", "\(Self.runsAMinuteMax) runs of this user began in this minute"))
        }
        guard desk.sessions.apply(change), let session = desk.sessions[change.session] else {
            return reply(.error(409, "SessionClosed", "\(change.session) has just ended"))
        }
        if idleTimer == nil { endIdleSessions() }
        log.append(change.entry(of: session.agent, at: now), durability: .written) { [self] result in
            loop.execute { [self] in
                guard case .success = result else {
                    if case .failure(let error) = result { logFailed(error) }
                    // What the log does not know must not go on: a start would not know it either.
                    let closing = Session.Closing(cause: .agent, by: nil, reason: "not recorded", at: now)
                    desk.sessions.apply(.closed(session.id, closing))
                    return reply(
                        .error(503, "LogUnwritable", "the log cannot be written; no session was opened"))
                }
                let isOpened = if case .opened = change { true } else { false }
                do {
                    let keys = try issue(session, seconds: asked.seconds, account: asked.account)
                    reply(.ok(handedOut(keys, of: session, asked, isJoined: !isOpened)))
                } catch {
                    reply(.error(400, "BadRequest", "no keys can carry this: \(error)"))
                }
            }
        }
    }

    /// Keys of `session` that are good for `seconds`, for the account `account` where it is given.
    func issue(_ session: Session, seconds: Int, account: String? = nil) throws(NameError) -> IssuedKeys {
        let now = clock.now
        let identity = try IssuedIdentity(
            agent: session.agent, session: session.id, task: session.task, reason: session.reason,
            owner: session.owner, account: account, role: nil, issued: now,
            expires: now.advanced(by: .seconds(seconds)))
        let id = IssuedKeyID(random: (Clock.randomBits(), Clock.randomBits()))
        return hostKey.issue(identity, id: id)
    }

    private func handedOut(
        _ keys: IssuedKeys, of session: Session, _ asked: SessionRequest, isJoined: Bool
    ) -> JSON {
        let endpoint = endpoint(for: session.agent).map { "http://\($0)" }
        return .object([
            .init("session", .string(session.id.text)), .init("joined", .bool(isJoined)),
            .init("agent", .string(session.agent.text)),
            .init("task", session.task.map { .string($0) } ?? .null),
            .init("at", .string(clock.now.precise)),
            .init("endpoint", endpoint.map { .string($0) } ?? .null),
            .init("region", configuration.region.map { .string($0) } ?? .null),
            .init("access_key_id", .string(keys.accessKeyID)),
            .init("secret_access_key", .string(spelled(keys.secretKey))),
            .init("session_token", .string(spelled(keys.sessionToken))),
            .init("expires", .string(keys.expires.description)),
            .init("credentials_url", endpoint.map { .string($0 + CredentialDoor.path) } ?? .null),
            .init(
                "credentials_token",
                .string(spelled(hostKey.credentialsToken(of: session.id, account: asked.account)))),
        ])
    }

    /// Where a client of `agent` reaches the gate over TCP: at the agent's own listener, else at the first.
    private func endpoint(for agent: AgentName) -> String? {
        ([agent] + configuration.doors.map(\.agent)).compactMap { addresses[$0] }.first {
            !$0.hasPrefix("unix:")
        }
    }

    // MARK: Who may

    /// Calls `then` if whoever asks may open sessions of `agent`, else says why not.
    private func admit(
        _ request: ControlRequest, as agent: AgentName, reply: @escaping @Sendable (ControlReply) -> Void,
        then: @escaping @Sendable () -> Void
    ) {
        let known = desk.policy.agents[agent]
        let (uids, names) = (known?.uids ?? [], known?.groups ?? [])
        guard known != nil || configuration.doors.contains(where: { $0.agent == agent }) else {
            return reply(
                .error(
                    403, "NotThisAgent",
                    "there is no agent \(agent): agents.yaml names none, and no listener is its own"))
        }
        if uids.contains(request.uid) { return then() }
        if uids.isEmpty, names.isEmpty {
            if request.uid == geteuid() { return then() }
            return refuse(request, as: agent, "the gate's own user, since agents.yaml names nobody", reply)
        }
        let who = uids.map { "uid \($0)" } + names.map { "group \($0)" }
        guard !names.isEmpty else { return refuse(request, as: agent, list(who, last: "or"), reply) }
        let groups = request.groups
        let loop = self.loop
        // Whoever looks a name up may have to ask a directory on the network.
        let isStarted = runDetached { [self] in
            let isMember = names.contains { name in groupID(named: name).map(groups.contains) ?? false }
            loop.execute { [self] in
                if isMember { return then() }
                refuse(request, as: agent, list(who, last: "or"), reply)
            }
        }
        if !isStarted { reply(.error(503, "Busy", "no thread could be started")) }
    }

    private func refuse(
        _ request: ControlRequest, as agent: AgentName, _ who: String,
        _ reply: @escaping @Sendable (ControlReply) -> Void
    ) {
        let message = "uid \(request.uid) may not open sessions of agent \(agent); who may: \(who)"
        log.record(
            .rejected(
                at: clock.now, request: RequestID(random: Clock.randomBits()), agent: agent, status: 403,
                code: "NotThisAgent", message: message, peer: "uid \(request.uid)"))
        reply(.error(403, "NotThisAgent", message))
    }

    // MARK: One's own

    /// The sessions of `uid` that are open.
    func ownSessions(_ uid: UInt32) -> JSON {
        sessionList(desk.sessions.open(at: clock.now).filter { $0.uid == uid })
    }

    /// `sessions` as JSON.
    func sessionList(_ sessions: [Session]) -> JSON {
        .object([.init("sessions", .array(sessions.map { .object(summary($0)) }))])
    }

    private func summary(_ session: Session) -> [JSON.Member] {
        let closing = desk.sessions.closing(of: session.id, at: clock.now)
        return [
            .init("session", .string(session.id.text)), .init("agent", .string(session.agent.text)),
            .init("uid", session.uid.map { .integer($0) } ?? .null),
            .init("owner", session.owner.map { .string($0) } ?? .null),
            .init("task", session.task.map { .string($0) } ?? .null),
            .init("reason", session.reason.map { .string($0) } ?? .null),
            .init("opened", .string(session.opened.description)),
            .init("latest", .string(session.latest.description)),
            .init("idle_end", session.idleEnd.map { .string($0.description) } ?? .null),
            .init("runs", .integer(session.runCount)),
            .init("closed", closing.map { .string($0.words) } ?? .null),
        ]
    }

    /// The session `text` of `uid`, with the approvals that its calls asked for; nil: none of theirs.
    func ownSession(_ text: String, uid: UInt32) -> ControlReply {
        guard let id = try? SessionID(parsing: text), let session = desk.sessions[id], session.uid == uid
        else {
            return .error(404, "NotFound", "no session of this user is \(quoted(text))")
        }
        let approvals = desk.room.approvals.values.filter { $0.requester.caller.session == id }
            .sorted { ($0.created, $0.id.text) < ($1.created, $1.id.text) }
        let items = approvals.map { approval in
            JSON.object(
                (stateOf(approval).members ?? []) + [
                    .init("deciders", .string(deciders(approval.question.terms))),
                    .init(
                        "uses_left", .integer(approval.grant.flatMap { desk.grants.usesLeft(of: $0) } ?? 0)),
                    .init("ended", approval.ended.map { .string($0.precise) } ?? .null),
                ])
        }
        return .ok(.object(summary(session) + [.init("approvals", .array(items))]))
    }

    /// Closes the session `text`: for its own uid, or for the approver `approver`.
    func closeSession(
        _ text: String, _ request: ControlRequest, approver: ApproverName?,
        reply: @escaping @Sendable (ControlReply) -> Void
    ) {
        let now = clock.now
        let uid = approver == nil ? request.uid : nil
        guard let id = try? SessionID(parsing: text) else {
            return reply(.error(404, "NotFound", "there is no session \(quoted(text))"))
        }
        do { try desk.sessions.checkClose(id, by: uid, at: now) } catch { return reply(ControlReply(error)) }
        let closing = Session.Closing(
            cause: approver == nil ? .agent : .approver, by: approver?.text,
            reason: request.body["reason"]?.string.map { String($0.prefix(500)) }, at: now)
        close(id, closing) { durable in
            reply(
                durable
                    ? .ok(.object([.init("session", .string(id.text)), .init("state", "closed")]))
                    : .error(
                        503, "LogUnwritable",
                        "closed, but the log cannot be written: a restart would open it again"))
        }
    }
}

/// The text of a secret, for the one answer that hands it out.
func spelled(_ secret: Secret) -> String { secret.withBytes { String(decoding: $0, as: UTF8.self) } }

extension Session.Closing {
    /// `closed by alice: no more of this`.
    var words: String {
        let reason = reason.map { ": \($0)" } ?? ""
        return switch cause {
        case .idle: "ended after 8 hours without a call"
        case .agent: "closed by its agent\(reason)"
        case .approver: "closed by \(by ?? "the operator")\(reason)"
        }
    }
}

extension ControlReply {
    /// What is answered to who opens, joins or closes.
    init(_ error: SessionError) {
        switch error {
        case .tooManyOpen(let limit):
            self = .error(
                403, "TooManySessions",
                "\(limit) sessions of this user are open, or were within the hour; `countersign session "
                    + "close` ends one")
        case .notYours(let id): self = .error(404, "NotFound", "there is no session \(id)")
        case .closed(let id, let closing): self = .error(409, "SessionClosed", "\(id) was \(closing.words)")
        case .standing(let id):
            self = .error(
                409, "SessionClosed",
                "\(id) is the session of a listener, for unsigned calls; there is nothing to open")
        }
    }
}

/// The id of the host's group `name`, a name or digits; nil when there is none.
func groupID(named name: String) -> UInt32? {
    if let number = UInt32(name) { return number }
    var entry = group()
    var found: UnsafeMutablePointer<group>?
    var buffer = [CChar](repeating: 0, count: 1 << 16)
    guard getgrnam_r(name, &entry, &buffer, buffer.count, &found) == 0, found != nil else { return nil }
    return entry.gr_gid
}
