import Approving
import Deciding
import Identifying
import Recognizing
import Testing
import Vocabulary

@testable import Gateway

/// A gate without loop, sockets or disk: agents, approvers, a clock, a log whose writes may fail and an
/// upstream that may fail, one random step at a time.
final class World {
    /// What may stand in the log.
    enum Fact {
        case change(ApprovalChange)
        case request(Sending, number: Int, by: ListenerBinding, at: Instant)
        /// Of request `number`; `isFree` when AWS certainly did not act.
        case outcome(Sending, isFree: Bool)
        case revoked(GrantID)
    }

    struct Client {
        var walk: Walk
        let agent: ListenerBinding
        var sending: Sending?
        var waitsFor: ApprovalID?
        var awaits: SendKey?
        var isGone = false
        var isSent = false
    }

    var random: SplitMix
    var desk: Desk
    var now = noon
    var clients: [Int: Client] = [:]
    /// On its way to the disk, in order.
    var queue: [Fact] = []
    /// On the disk.
    var log: [Fact] = []
    var requesting: [WaitingRoom.CallKey: [Int]] = [:]
    var ending: Set<ApprovalID> = []
    var sends: [(sending: Sending, at: Instant)] = []
    /// When each call was decided, which is when it was counted, and for whom.
    var decided: [RequestID: (agent: AgentName, at: Instant)] = [:]
    /// Those whose use the log gave back.
    var freed: Set<RequestID> = []
    /// Those that AWS certainly did not act on, whether the log got to know or not.
    var harmless: Set<RequestID> = []
    var counts: [String: Int] = [:]
    private var nextNumber = 1
    private let agents: [ListenerBinding]

    init(seed: UInt64) throws {
        random = SplitMix(state: seed)
        desk = try makeDesk(Self.policy)
        agents = try ["support-7", "etl-2"].enumerated().map { index, name in
            ListenerBinding(agent: try AgentName(parsing: name), session: SessionID(random: UInt64(index)))
        }
        for agent in agents { desk.stand(agent) }
    }

    static let policy = """
        Countersign: 1
        Id: orders
        Agents: ["*"]
        Statement:
          - Sid: Read
            Effect: Allow
            Action: dynamodb:GetItem
            Resource: "*"
            Limit: {Calls: 2, Per: 1m}
          - Sid: DeletesAsk
            Effect: AllowWithApproval
            Action: dynamodb:DeleteItem
            Resource: "*"
            Approval: {Approvers: [oncall], Scope: exact, MaxUses: 2, GrantTTL: 10m, PendingTTL: 5m}
        """

    func number() -> Int {
        defer { nextNumber += 1 }
        return nextNumber
    }

    // MARK: Steps

    func step() throws {
        switch random.below(14) {
        case 0, 1, 2: try newCall()
        case 3, 4, 5, 6: try flush()
        case 7, 8: try review()
        case 9: try advance()
        case 10: if let id = random.pick(clients.keys.sorted()) { try leave(id) }
        case 11, 12:
            if let id = random.pick(clients.filter { $0.value.isSent }.keys.sorted()) { try answer(id) }
        default:
            if random.below(6) == 0 { try kill() }
            if random.below(4) == 0, let grant = random.pick(desk.grants.states(at: now).map(\.grant.id)) {
                try desk.grants.revoke(grant)
                queue.append(.revoked(grant))
            }
            if let id = random.pick(clients.keys.sorted()) { try take(.holdEnded, by: id) }
        }
    }

    private func newCall() throws {
        let id = number()
        let operation = random.below(3) == 0 ? "GetItem" : "DeleteItem"
        let invocation = random.below(3) == 0 ? nil : "inv-\(random.below(6))"
        let walk = Walk(
            operation, key: "o-\(random.below(3))", invocation: invocation, number: UInt64(id))
        clients[id] = Client(walk: walk, agent: agents[random.below(agents.count)])
        try take(.head(walk.head, wall: now), by: id)
        try take(.body(walk.body), by: id)
    }

    private func review() throws {
        guard let approval = random.pick(desk.room.waiting) else { return }
        let who = ["alice", "bob"][random.below(2)]
        let review = Review(
            approver: try ApproverName(parsing: who), verdict: random.below(4) == 0 ? .deny : .approve,
            reason: nil, shown: approval.asked.digest, seen: .seconds(1), at: now, uid: 1001, isSameUID: false
        )
        do {
            try desk.room.check(
                review, of: approval.id, typed: nil, approvers: desk.policy.approvers, allowsSameUID: false)
        } catch { return }
        count(review.verdict == .deny ? "denied" : "approved")
        queue.append(.change(.reviewed(approval.id, review)))
    }

    private func advance() throws {
        now = now.advanced(by: .seconds(random.below(3) == 0 ? random.below(400) : random.below(20)))
        for id in desk.room.expired(at: now) where ending.insert(id).inserted {
            queue.append(.change(.ended(id, .expired, at: now)))
        }
    }

    private func leave(_ id: Int) throws {
        try take(.gone, by: id)
        clients[id]?.isGone = true
        if clients[id]?.isSent != true { clients[id] = nil }
    }

    private func answer(_ id: Int) throws {
        let kind: Outcome.Kind = [.answered, .unknown, .throttled, .notSent][random.below(4)]
        try take(.outcome(outcome(kind), nil), by: id)
        clients[id] = nil
    }

    /// kill -9: of what was on its way some is on the disk; all else is what the log says.
    private func kill() throws {
        count("kills")
        log += queue.prefix(random.below(queue.count + 1))
        (queue, clients, requesting, ending) = ([], [:], [:], [])
        var fresh = Desk(policy: desk.policy, recognition: desk.recognition)
        fresh.sessions = desk.sessions
        for fact in log {
            switch fact {
            case .change(let change):
                if fresh.room.apply(change), case .granted(let grant) = change { try fresh.grants.add(grant) }
            case .request(let sending, _, let binding, let at):
                if !sending.mutates {
                    _ = fresh.limits.restore(
                        Limit.Amount(calls: 1), of: StatementID(document: "orders", sid: "Read"),
                        per: .seconds(60), agent: binding.agent, session: nil, at: at)
                }
                for use in sending.uses { try fresh.grants.restore(use) }
                if let key = sending.key, !sending.uses.isEmpty { fresh.sends.finish(key, .unknown, at: now) }
            case .outcome(let sending, let isFree):
                guard isFree else { continue }
                freed.insert(sending.request)
                for use in sending.uses { fresh.grants.release(use) }
                if let key = sending.key { fresh.sends.finish(key, nil, at: now) }
            case .revoked(let grant): try fresh.grants.revoke(grant)
            }
        }
        desk = fresh
    }

    // MARK: The log

    /// The batch that waits is written, or fails as one.
    private func flush() throws {
        let (batch, isDurable) = (queue, random.below(8) != 0)
        queue = []
        if isDurable { log += batch }
        for fact in batch { try settled(fact, isDurable) }
    }

    private func settled(_ fact: Fact, _ isDurable: Bool) throws {
        switch fact {
        case .change(let change): try settled(change, isDurable)
        case .request(let sending, let id, _, _):
            if isDurable { return try take(.durable(EntryID(seq: UInt64(id))), by: id) }
            guard clients[id] != nil else { return }
            release(sending)
            try take(.logFailed, by: id)
            clients[id] = nil
        case .outcome(let sending, let isFree):
            if isDurable, isFree {
                for use in sending.uses { desk.grants.release(use) }
                freed.insert(sending.request)
            }
            if isFree { try known(sending.key, nil) }
        case .revoked: break
        }
    }

    private func settled(_ change: ApprovalChange, _ isDurable: Bool) throws {
        // An approval past its time is over, whether that could be written or not.
        var takesEffect = isDurable
        if case .ended(let id, .expired, _) = change {
            takesEffect = true
            ending.remove(id)
        }
        if takesEffect, desk.room.apply(change), case .granted(let grant) = change {
            try desk.grants.add(grant)
        }
        switch change {
        case .requested(let approval):
            let caller = approval.requester.caller
            let key = requesting.keys.first { key in
                key == WaitingRoom.CallKey(meaning(of: approval), caller: caller)
            }
            guard let key else { return }
            if !isDurable { desk.room.giveUp(key) }
            for id in requesting.removeValue(forKey: key) ?? [] {
                try take(isDurable ? .requested : .logFailed, by: id)
            }
        case .reviewed(let id, _):
            let earned = desk.room.earnedGrant(
                id, grantID: GrantID(random: UInt64(number())), approvers: desk.policy.approvers, at: now)
            if let earned { queue.append(.change(.granted(earned))) } else { try wake(id) }
        case .granted(let grant): try wake(grant.approval)
        case .ended(let id, _, _): try wake(id)
        }
    }

    private func meaning(of approval: Approval) -> Meaning {
        let asked = approval.asked
        return Meaning(
            service: asked.service, operation: asked.operation, wireProtocol: .awsJSON10,
            account: asked.account,
            region: asked.region, pairs: asked.pairs, parameters: .null, digest: asked.digest)
    }

    // MARK: What the passage does

    private func wake(_ id: ApprovalID) throws {
        for client in clients.filter({ $0.value.waitsFor == id }).keys.sorted() {
            try take(.reconsider, by: client)
        }
    }

    private func known(_ key: SendKey?, _ state: SentBook.State?) throws {
        guard let key, desk.sends[key] != nil else { return }
        desk.sends.finish(key, state, at: now)
        for client in clients.filter({ $0.value.awaits == key }).keys.sorted() {
            try take(.reconsider, by: client)
        }
    }

    private func release(_ sending: Sending) {
        for use in sending.uses { desk.grants.release(use) }
        desk.limits.giveBack(sending.counts)
        if let key = sending.key, desk.sends[key] != nil { desk.sends.finish(key, nil, at: now) }
    }

    private func finish(_ sending: Sending, _ outcome: Outcome) throws {
        let isFree = outcome.kind == .notSent || outcome.kind == .throttled
        queue.append(.outcome(sending, isFree: isFree))
        if isFree {
            harmless.insert(sending.request)
            desk.limits.giveBack(sending.counts)
        } else {
            try known(sending.key, .unknown)
        }
    }

    private func take(_ event: Corridor.Event, by id: Int) throws {
        guard var client = clients[id] else { return }
        let action = client.walk.corridor.step(event, at: client.agent, of: &desk, now: now)
        clients[id] = client
        switch consume action {
        case .none: return
        case .readBody: return
        case .letRun: return
        case .request(_, let call, let caller, let superseded):
            #expect(superseded == nil)
            clients[id]?.waitsFor = nil
            requesting[WaitingRoom.CallKey(call.meaning, caller: caller), default: []].append(id)
            queue.append(.change(.requested(try client.walk.approval(UInt64(number()), desk, at: now))))
            count("asked")
        case .awaitRequest(let key):
            clients[id]?.waitsFor = nil
            requesting[key, default: []].append(id)
            count("joined")
        case .hold(let approval, _): clients[id]?.waitsFor = approval
        case .awaitOutcome(let key): clients[id]?.awaits = key
        case .awaitRole: return
        case .record(let reservation, _):
            client.sending = Sending(
                reservation, key: SendKey(caller: reservation.caller, call: reservation.call),
                call: reservation.call)
            client.waitsFor = nil
            client.awaits = nil
            clients[id] = client
            if let sending = client.sending {
                queue.append(.request(sending, number: id, by: client.agent, at: now))
                decided[sending.request] = (client.agent.agent, now)
            }
        case .signAndForward: send(id)
        case .answerRole: throw Unexpected()
        case .finish(let sending, let outcome, _): try finish(sending, outcome)
        case .withdraw(let sending):
            if let sending { try finish(sending, outcome(.notSent)) } else { clients[id] = nil }
        case .refuse(let rebuff):
            clients[id] = nil
            if case .denied(let denial, _) = rebuff, case .limit = denial.items.first?.reason {
                count("beyond a limit")
            }
        case .replay: clients[id] = nil
        }
    }

    private func send(_ id: Int) {
        guard let client = clients[id], let sending = client.sending else { return }
        #expect(!client.isGone && !client.isSent, "sent for a client that left, or twice")
        clients[id]?.isSent = true
        sends.append((sending, now))
        count(sending.uses.isEmpty ? "sent freely" : "sent under a grant")
    }

    func count(_ what: String) { counts[what, default: 0] += 1 }
}

/// Random numbers that a seed repeats.
struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }

    mutating func pick<Element>(_ elements: [Element]) -> Element? {
        elements.isEmpty ? nil : elements[below(elements.count)]
    }
}
