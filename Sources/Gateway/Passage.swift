import Accepting
import Approving
import Deciding
import Identifying
import Recognizing
import Recording
import SigV4
import Signing
import Vocabulary

/// One exchange's walk through the corridor: carries out what the corridor says, and tells it what happened.
///
/// Confined to the loop.
final class Passage: @unchecked Sendable {
    // INVARIANT: @unchecked is sound because exchanges, timers and the gateway call it on the loop only.
    let gateway: Gateway
    let exchange: Exchange
    let binding: ListenerBinding
    private var corridor: Corridor
    private var holdTimer: Timer?
    /// What it waits for, so that it can be told.
    private(set) var waitsFor: ApprovalID?
    private var awaits: SendKey?
    private var awaitsRole: RoleSessionKey?

    init(_ exchange: Exchange, binding: ListenerBinding, gateway: Gateway) {
        self.exchange = exchange
        self.binding = binding
        self.gateway = gateway
        corridor = Corridor(request: RequestID(random: Clock.randomBits()))
    }

    func begin() {
        exchange.whenGone { self.take(.gone) }
        take(.head(exchange.head, wall: gateway.clock.wall))
    }

    func take(_ event: Corridor.Event) {
        carryOut(corridor.step(event, at: binding, of: &gateway.desk, now: gateway.clock.now))
        if !gateway.desk.roleSessions.due.isEmpty { gateway.makeRoleSessions() }
    }

    private func carryOut(_ action: consuming Corridor.Action) {
        switch consume action {
        case .none: break
        case .letRun: break
        case .readBody(let limit): readBody(limit: limit)
        case .request(let question, let call, let caller, let superseded):
            leaveQueues()
            request(question, call, caller, superseding: superseded)
        case .awaitRequest(let key):
            leaveQueues()
            gateway.requesting[key, default: []].append(self)
        case .hold(let id, let wait): hold(id, for: wait)
        case .awaitOutcome(let key): awaitOutcome(key)
        case .replay(let reply):
            leaveQueues()
            exchange.answer(status: reply.status, fields: reply.fields, body: reply.body)
        case .awaitRole(let key):
            leaveQueues()
            awaitsRole = key
            gateway.assuming[key, default: []].append(self)
        case .record(let reservation, let power):
            leaveQueues()
            record(reservation, power)
        case .signAndForward(let entry): signAndForward(entry)
        case .answerRole(let role, let entry): answer(role, entry)
        case .finish(let sending, let outcome, let reply): finish(sending, outcome, reply)
        case .refuse(let rebuff):
            leaveQueues()
            refuse(rebuff)
        case .withdraw(let sending):
            leaveQueues()
            if let sending { gateway.withdraw(sending, entry: entry) }
        }
    }

    // MARK: Body and humans

    private func readBody(limit: Int) {
        exchange.readBody(limit: limit) { result in
            switch result {
            case .success(let body): self.take(.body(body))
            case .failure(let fault): self.refuseFault(fault)
            }
        }
    }

    private func request(
        _ question: Question, _ call: Call, _ caller: Caller, superseding superseded: ApprovalID?
    ) {
        let now = gateway.clock.now
        let requester = Approval.Requester(
            caller: caller, uid: gateway.uid(of: exchange), peer: peerText(exchange.peer))
        let approval = Approval(
            id: ApprovalID(random: Clock.randomBits()), created: now, requester: requester,
            asked: Approval.Asked(
                call, parameters: redacted(call.meaning.parameters),
                judged: keyMembers(call.meaning, pairs: call.meaning.pairs)), question: question,
            policy: gateway.desk.policy.digest)
        let key = WaitingRoom.CallKey(call.meaning, caller: caller)
        gateway.requesting[key, default: []].append(self)
        gateway.request(approval, key: key, superseding: superseded)
    }

    private func hold(_ id: ApprovalID, for wait: Duration) {
        leaveQueues()
        waitsFor = id
        gateway.waiting[id, default: []].append(self)
        holdTimer = exchange.loop.schedule(after: wait) { self.take(.holdEnded) }
    }

    private func awaitOutcome(_ key: SendKey) {
        guard awaits != key else { return }
        leaveQueues()
        awaits = key
        gateway.awaiting[key, default: []].append(self)
        holdTimer = exchange.loop.schedule(after: .seconds(50)) { self.take(.holdEnded) }
    }

    private func leaveQueues() {
        holdTimer?.cancel()
        holdTimer = nil
        if let id = waitsFor {
            gateway.waiting[id]?.removeAll { $0 === self }
            if gateway.waiting[id]?.isEmpty == true { gateway.waiting[id] = nil }
        }
        if let key = awaits {
            gateway.awaiting[key]?.removeAll { $0 === self }
            if gateway.awaiting[key]?.isEmpty == true { gateway.awaiting[key] = nil }
        }
        if let key = awaitsRole {
            gateway.assuming[key]?.removeAll { $0 === self }
            if gateway.assuming[key]?.isEmpty == true { gateway.assuming[key] = nil }
        }
        waitsFor = nil
        awaits = nil
        awaitsRole = nil
    }

    // MARK: The log and AWS

    /// The request's entry in the log, once it has one.
    private(set) var entry: EntryID?
    /// What signs it, from before its entry is written: the entry names it.
    private var signer: Signer?
    private var own: Result<Credentials, CredentialError>?

    private func record(_ reservation: consuming Reservation, _ power: RoleSessionBook.Power) {
        var signedAs: SignedAs?
        switch power {
        case .signer(let found): (signer, signedAs) = (found, found.record)
        case .own(let why):
            signedAs = why.map { SignedAs(extent: .none, why: $0) }
            own = Result { () throws(CredentialError) in
                try gateway.credentials(of: corridor.caller).current(at: gateway.clock.wall)
            }
        case .unneeded: signedAs = SignedAs(extent: .none, why: "answered by Countersign, not sent")
        // INVARIANT: the corridor records nothing with these; were it to, there is nothing to sign with.
        case .comes, .refused, .unavailable: break
        }
        let head = exchange.head
        let attempt = head["amz-sdk-request"].flatMap { text in
            text.split(separator: ";").first.flatMap { $0.split(separator: "=").last }.flatMap { Int($0) }
        }
        let facts = RequestFacts(
            invocation: head["amz-sdk-invocation-id"], attempt: attempt, peer: peerText(exchange.peer),
            userAgent: head["user-agent"],
            accessKeyID: (signer?.credentials ?? (try? own?.get()))?.accessKeyID,
            accountName: corridor.call.flatMap { gateway.desk.policy.accounts[$0.meaning.account]?.title },
            signedAs: signedAs)
        let loop = exchange.loop
        entry = gateway.log.append(reservation, facts: facts) { result in
            loop.execute {
                switch result {
                case .success(let id): self.take(.durable(id))
                case .failure(let error): self.abandon(error)
                }
            }
        }
    }

    /// The entry never became durable: what was claimed is free again, nothing was sent.
    private func abandon(_ error: LogError) {
        gateway.logFailed(error)
        if case .recording(let sending) = corridor.state {
            gateway.finish(sending, .notSent("\(error)"), entry: nil)
        }
        take(.logFailed)
    }

    private var relay: Relay?
    /// Why nothing was sent, when it is for the operator to mend.
    private var fault: Rebuff.Fault?

    /// Clearance and signed request exist only here, between the log's word and the hand-off.
    private func signAndForward(_ id: EntryID) {
        guard case .sent(let sending) = corridor.state else { return }
        do {
            guard let credentials = try signer?.credentials ?? own?.get() else {
                throw CredentialError.none(profile: "default")
            }
            let clearance = try gateway.log.clear(id)
            let signed = try sign(
                clearance, with: credentials, at: gateway.clock.wall, keys: gateway.signingKeys)
            let relay = Relay(
                self, sending: sending,
                staysAt: stayingAddress(of: corridor.call?.meaning, head: exchange.head))
            self.relay = relay
            relay.begin(signed, by: gateway.forwarder, isGated: !sending.uses.isEmpty)
        } catch {
            gateway.complain("entry \(id) is not sent: \(error)")
            gateway.log.drop(id)
            fault = error is LogError ? .defect : .credentials("\(error)")
            take(.outcome(.notSent("\(error)"), nil))
        }
    }

    /// The role that the call asks for, in keys of this host; the call itself goes nowhere.
    private func answer(_ role: RoleRequest, _ id: EntryID) {
        gateway.log.drop(id)
        guard let caller = corridor.caller else { return }
        do {
            let reply = try gateway.assumed(role, by: caller, request: corridor.request)
            take(.outcome(.answeredHere(byteCount: reply.body.count), reply))
        } catch {
            fault = .defect
            take(.outcome(.notSent("no keys can stand for the role: \(error)"), nil))
        }
    }

    /// The call has its outcome: into the log with it, then the answer.
    private func finish(_ sending: Sending, _ outcome: Outcome, _ reply: StoredReply?) {
        // Passage and relay hold each other while AWS answers; from here on nobody needs the relay.
        defer { relay = nil }
        let outcome = flagged(outcome, sending)
        let ours = reply.flatMap(credentialFault)
        gateway.finish(sending, outcome, entry: entry, reply: ours == nil ? reply : nil)
        if let ours {
            if let signer { gateway.desk.roleSessions.drop(signer) }
            gateway.complain("AWS refused the gateway's own credentials: \(ours)")
            return refuse(.fault(.upstreamRefusesCredentials(ours)))
        }
        switch outcome.kind {
        case .answered, .throttled:
            guard let reply else { return exchange.end() }
            exchange.answer(status: reply.status, fields: reply.fields, body: reply.body)
        case .notSent: refuse(.fault(fault ?? .upstream(outcome.error ?? "no connection")))
        case .unknown:
            // Half an answer has gone out already: only a cut connection tells the client that it is not
            // whole.
            if relay?.isStreaming ?? false { return exchange.abort() }
            // A call under a grant may not be repeated either: its use is gone.
            let isFinal = sending.mutates || !sending.uses.isEmpty
            refuse(isFinal ? .outcomeUnknown(wasSent: true) : .fault(.noAnswer(outcome.error ?? "no answer")))
        }
    }

    /// `outcome` with its flag only where it tells an operator something: of an operation that vends keys,
    /// policy has let this agent have them.
    private func flagged(_ outcome: Outcome, _ sending: Sending) -> Outcome {
        guard outcome.holdsCredentials, let meaning = corridor.call?.meaning else { return outcome }
        if meaning.vendsCredentials { return outcome.with(holdsCredentials: false) }
        gateway.complain(
            "the reply to \(meaning.service):\(meaning.operation) (\(sending.request)) holds what AWS calls "
                + "credentials: no operation known to vend any")
        return outcome
    }

    // MARK: Answering

    private func refuse(_ rebuff: Rebuff) {
        let shape =
            corridor.call.map { answerShape(exchange.head, of: $0.meaning) } ?? answerShape(exchange.head)
        let answer = words(for: rebuff, desk: gateway.desk, now: gateway.clock.now, shape: shape)
        record(rebuff, answer)
        let reply = rendered(answer, as: shape, request: corridor.request)
        exchange.answer(status: reply.status, fields: reply.fields, body: reply.body)
    }

    /// Writes down what was refused and why; repeats of it are counted (docs/log.md).
    private func record(_ rebuff: Rebuff, _ answer: Answer) {
        let now = gateway.clock.now
        let agent = corridor.caller?.agent ?? binding.agent
        let peer = peerText(exchange.peer)
        if case .fault(let fault) = rebuff {
            gateway.note(
                .fault(
                    at: now, step: "\(fault.step)",
                    error: answer.message + (fault.detail.map { " (\($0))" } ?? ""),
                    request: corridor.request, agent: agent))
            return
        }
        guard let caller = corridor.caller, let call = corridor.call else {
            gateway.log.record(
                .rejected(
                    at: now, request: corridor.request, agent: agent, status: answer.status,
                    code: answer.code,
                    message: answer.message, peer: peer))
            return
        }
        var denial: Denial?
        if case .denied(let found, _) = rebuff { denial = found }
        gateway.log.record(
            .denied(
                at: now, request: corridor.request, caller: caller, meaning: call.meaning, denial: denial,
                policy: gateway.desk.policy.digest, mode: gateway.desk.mode, approval: answer.approval?.id,
                code: answer.code,
                peer: peer))
    }

    private func refuseFault(_ fault: RequestFault) {
        guard fault.status != 413 else {
            return refuse(.unrecognized(.bodyTooLarge(limit: bodyByteCountMax)))
        }
        refuse(.unread(fault))
    }
}

/// Who is at the other end, for records.
func peerText(_ peer: Peer) -> String {
    switch peer {
    case .tcp(_, let remote): remote.description
    case .unix(let uid, _, let pid): "uid \(uid), pid \(pid)"
    }
}

extension Outcome {
    /// The gate answered, and AWS was not asked.
    static func answeredHere(byteCount: Int) -> Outcome {
        Outcome(
            kind: .answered, status: 200, awsRequestID: nil, awsExtendedRequestID: nil, error: nil,
            bytesSent: 0, bytesReceived: byteCount, elapsed: .zero)
    }

    /// Nothing was sent, and why.
    static func notSent(_ why: String) -> Outcome {
        Outcome(
            kind: .notSent, status: nil, awsRequestID: nil, awsExtendedRequestID: nil, error: why,
            bytesSent: 0,
            bytesReceived: 0, elapsed: .zero)
    }
}

extension Rebuff.Fault {
    /// What only the operator is told: whose credentials they are, and what STS said.
    fileprivate var detail: String? {
        switch self {
        case .credentials(let why), .unscoped(let why): why
        case .logUnwritable, .upstream, .noAnswer, .upstreamRefusesCredentials, .grantGone, .defect: nil
        }
    }
}
