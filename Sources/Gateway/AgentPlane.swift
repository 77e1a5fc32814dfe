import Accepting
import Approving
import Vocabulary

/// The agents' side: routes of the agents' socket (docs/control.md). It knows only the state of one's own
/// approvals, waits, withdraws, says where one's listener is, and opens sessions (AgentSessions.swift).
/// Nothing here decides. Runs on the loop.
extension Gateway {
    /// The longest that `wait` waits, so that no client's own time-out ends it.
    static let agentWaitMax = Duration.seconds(100)

    func agents(_ request: ControlRequest, reply: @escaping @Sendable (ControlReply) -> Void) {
        guard request.path.first == "v1", request.path.count >= 2 else { return reply(.notFound) }
        let rest = Array(request.path.dropFirst(2))
        switch (request.method, request.path[1], rest.count) {
        case ("GET", "listeners", 0): reply(.ok(listeners()))
        case ("GET", "approvals", 1):
            guard let approval = own(rest[0], uid: request.uid) else { return reply(noneOfYours(rest[0])) }
            reply(.ok(stateOf(approval)))
        case ("GET", "approvals", 2) where rest[1] == "wait": wait(rest[0], request, reply: reply)
        case ("POST", "approvals", 2) where rest[1] == "withdraw": withdraw(rest[0], request, reply: reply)
        case ("GET", "sessions", 0): reply(.ok(ownSessions(request.uid)))
        case ("POST", "sessions", 0): openSession(request, reply: reply)
        case ("GET", "sessions", 1): reply(ownSession(rest[0], uid: request.uid))
        case ("POST", "sessions", 2) where rest[1] == "close":
            closeSession(rest[0], request, approver: nil, reply: reply)
        default: reply(.notFound)
        }
    }

    private func listeners() -> JSON {
        let items = addresses.sorted { $0.key.text < $1.key.text }.map { agent, address in
            JSON.object([
                .init("agent", .string(agent.text)), .init("address", .string(address)),
                .init("region", configuration.region.map { .string($0) } ?? .null),
            ])
        }
        return .object([.init("listeners", .array(items))])
    }

    /// The approval `text`, if the process that asks runs under the uid that made the call. Another's looks
    /// like none.
    private func own(_ text: String, uid: UInt32) -> Approval? {
        guard let id = try? ApprovalID(parsing: text), let approval = desk.room[id],
            approval.requester.uid == uid
        else { return nil }
        return approval
    }

    private func noneOfYours(_ text: String) -> ControlReply {
        .error(404, "NotFound", "no call of this user has an approval \(quoted(text))")
    }

    func stateOf(_ approval: Approval) -> JSON {
        let open = approval.state == .pending ? max(.zero, approval.expires.since(clock.now)) : .zero
        let denial = approval.reviews.last { $0.verdict == .deny }
        return .object([
            .init("approval", .string(approval.id.text)), .init("state", .string(approval.state.rawValue)),
            .init("call", .string(summary(approval))), .init("open_s", .integer(open.components.seconds)),
            .init("grant", approval.grant.map { .string($0.text) } ?? .null),
            .init("reason", denial?.reason.map { .string($0) } ?? .null),
        ])
    }

    private func wait(
        _ text: String, _ request: ControlRequest, reply: @escaping @Sendable (ControlReply) -> Void
    ) {
        guard let approval = own(text, uid: request.uid) else { return reply(noneOfYours(text)) }
        let seconds = request.query["seconds"].flatMap { Int($0) } ?? 100
        let patience = min(Self.agentWaitMax, .seconds(max(0, seconds)))
        guard approval.state == .pending, patience > .zero else { return reply(.ok(stateOf(approval))) }
        let once = Once(reply)
        let id = approval.id
        let answer: @Sendable () -> Void = { [self] in
            once.fire(desk.room[id].map { .ok(stateOf($0)) } ?? .notFound)
        }
        guard watchers[id, default: [:]].count < WaitingRoom.pendingMax else {
            return reply(
                .error(403, "TooManyWaits", "\(WaitingRoom.pendingMax) waits for \(id) are open already"))
        }
        let number = Clock.randomBits()
        watchers[id, default: [:]][number] = answer
        loop.schedule(after: patience) { [self] in
            watchers[id]?[number] = nil
            if watchers[id]?.isEmpty == true { watchers[id] = nil }
            answer()
        }
    }

    private func withdraw(
        _ text: String, _ request: ControlRequest, reply: @escaping @Sendable (ControlReply) -> Void
    ) {
        guard let approval = own(text, uid: request.uid) else { return reply(noneOfYours(text)) }
        guard approval.state == .pending else {
            return reply(.error(409, "AlreadyEnded", "\(approval.id) is \(approval.state.rawValue) already"))
        }
        let id = approval.id
        record(.ended(id, .withdrawn, at: clock.now)) { [self] durable in
            guard durable else {
                return reply(.error(503, "LogUnwritable", "the log cannot be written; nothing was withdrawn"))
            }
            wake(id)
            reply(desk.room[id].map { .ok(stateOf($0)) } ?? .notFound)
        }
    }
}

/// Lets one answer through. Confined to the loop.
private final class Once: @unchecked Sendable {
    // INVARIANT: @unchecked is sound because timers and watchers fire on the loop only.
    private var reply: (@Sendable (ControlReply) -> Void)?

    init(_ reply: @escaping @Sendable (ControlReply) -> Void) { self.reply = reply }

    func fire(_ answer: ControlReply) {
        reply?(answer)
        reply = nil
    }
}
