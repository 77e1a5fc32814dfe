import Accepting
import Deciding
import Identifying
import Recognizing
import Synchronization
import Vocabulary

/// One call that reached a dry run.
enum DryCall: Sendable {
    /// `isAnswered`: the client got what it asked for and not an error.
    case recognized(Meaning, Caller, isAnswered: Bool)
    /// The gate would not take it: whose key it carries, or what it is.
    case refused(DryRefusal)
}

/// A request that the gate answers itself, whatever policy says.
struct DryRefusal: Hashable, Sendable {
    /// `POST /path`.
    let request: String
    let status: Int
    let code: String
    let message: String
    /// The gate knows what to do with it: its key or origin is refused. Else it could not be read.
    let isIdentity: Bool
}

/// A listener that takes calls as the gate does, and sends none of them anywhere.
///
/// Every call walks the corridor until it is decided; then its client gets an error that no SDK repeats.
/// Nothing is signed, forwarded or written down, and there are no credentials to do it with.
final class DryRun: ExchangeHandler {
    /// Of more calls that differ nothing is kept: a client that never ends must not fill the memory.
    static let callCountMax = 500

    /// What to tell the client.
    static let message = "this was a dry run by Countersign; nothing was sent to AWS"
    static let code = "CountersignDryRun"

    private struct Seen {
        var calls: [(call: DryCall, count: Int)] = []
        var places: [Digest: Int] = [:]
        var isFull = false
    }

    let binding: ListenerBinding
    let desk: Desk
    let now: Instant
    private let strength: IdentityStrength
    private let task: String?
    private let seen = Mutex(Seen())

    /// A run for calls of `agent`, known by `strength`, on `task`; where that is nil, on the one they state.
    init(agent: AgentName, strength: IdentityStrength, task: String?, desk: Desk, now: Instant) {
        binding = ListenerBinding(agent: agent, session: SessionID(random: 0))
        var desk = desk
        desk.sessions.apply(
            .opened(
                Session(
                    id: binding.session, agent: agent, uid: nil, owner: nil, task: nil, reason: nil,
                    opened: now)))
        (self.strength, self.task, self.desk, self.now) = (strength, task, desk, now)
    }

    /// `caller` with what this run supposes of it.
    fileprivate func supposed(_ caller: Caller) -> Caller {
        Caller(
            agent: caller.agent, session: caller.session, strength: strength,
            task: task.map { ClaimedText($0, source: .sessionToken) } ?? caller.task, reason: caller.reason,
            scope: caller.scope)
    }

    /// The calls that came, in their order, each with how often it came.
    var calls: [(call: DryCall, count: Int)] { seen.withLock { $0.calls } }

    /// Whether more calls came than are kept.
    var isFull: Bool { seen.withLock { $0.isFull } }

    func serve(_ exchange: Exchange) { DryPassage(exchange, of: self).begin() }

    func refused(_ fault: RequestFault, at tag: ListenerTag, from peer: Peer) -> Reply {
        note(
            .refused(
                DryRefusal(
                    request: "a request", status: fault.status, code: fault.code, message: fault.message,
                    isIdentity: false)), key: nil)
        return Reply(plain: fault)
    }

    /// Keeps `call`, unless one of its digest is there: attempts of one call, or a call made twice.
    fileprivate func note(_ call: DryCall, key: Digest?) {
        seen.withLock { seen in
            if let key, let place = seen.places[key] {
                seen.calls[place].count += 1
                return
            }
            guard seen.calls.count < Self.callCountMax else {
                seen.isFull = true
                return
            }
            if let key { seen.places[key] = seen.calls.count }
            seen.calls.append((call, 1))
        }
    }
}

/// One exchange of a dry run. Confined to the loop.
private final class DryPassage: @unchecked Sendable {
    // INVARIANT: @unchecked is sound because exchanges call it on their loop only.
    private let exchange: Exchange
    private let run: DryRun
    private var corridor = Corridor(request: RequestID(random: Clock.randomBits()))
    /// A copy: what one call changes at the desk, such as an approval that it waits for, no other call finds.
    private var desk: Desk
    private var isOver = false

    init(_ exchange: Exchange, of run: DryRun) {
        self.exchange = exchange
        self.run = run
        desk = run.desk
    }

    func begin() {
        exchange.whenGone { self.left() }
        take(.head(exchange.head, wall: run.now))
    }

    private func take(_ event: Corridor.Event) {
        switch corridor.step(event, at: run.binding, of: &desk, now: run.now) {
        case .readBody(let limit):
            exchange.readBody(limit: limit) { result in
                switch result {
                case .success(let body): self.take(.body(body))
                case .failure(let fault) where fault.status == 413:
                    self.refuse(.unrecognized(.bodyTooLarge(limit: bodyByteCountMax)))
                case .failure(let fault): self.refuse(.unread(fault))
                }
            }
        case .refuse(let rebuff) where corridor.call == nil: refuse(rebuff)
        // Decided, one way or another: here the walk ends.
        case .none: decided()
        case .letRun: decided()
        case .request: decided()
        case .awaitRequest: decided()
        case .hold: decided()
        case .awaitOutcome: decided()
        case .replay: decided()
        case .awaitRole: decided()
        case .record: decided()
        case .signAndForward: decided()
        case .answerRole: decided()
        case .finish: decided()
        case .refuse: decided()
        case .withdraw: decided()
        }
    }

    private func decided() {
        guard let call = corridor.call, let caller = corridor.caller.map(run.supposed) else {
            return refuse(.fault(.defect))
        }
        isOver = true
        let reply = ownReply(to: call.meaning, caller: caller)
        run.note(
            .recognized(call.meaning, caller, isAnswered: reply != nil), key: call.meaning.digest)
        if let reply {
            return exchange.answer(status: reply.status, fields: reply.fields, body: reply.body)
        }
        let shape = answerShape(exchange.head, of: call.meaning)
        answer(Answer(status: 403, code: DryRun.code, message: DryRun.message), as: shape)
    }

    private func refuse(_ rebuff: Rebuff) {
        isOver = true
        let shape = answerShape(exchange.head)
        let answer = words(for: rebuff, desk: desk, now: run.now, shape: shape)
        let isIdentity = if case .unidentified = rebuff { true } else { false }
        note(answer, isIdentity: isIdentity)
        self.answer(answer, as: shape)
    }

    private func left() {
        guard !isOver else { return }
        isOver = true
        note(
            Answer(status: 400, code: "BadRequest", message: "the request ends before it is whole"),
            isIdentity: false)
    }

    private func note(_ answer: Answer, isIdentity: Bool) {
        run.note(
            .refused(
                DryRefusal(
                    request: "\(exchange.head.method) \(brief(exchange.head.target))", status: answer.status,
                    code: answer.code, message: answer.message, isIdentity: isIdentity)), key: nil)
    }

    private func answer(_ answer: Answer, as shape: AnswerShape) {
        let reply = rendered(answer, as: shape, request: corridor.request)
        exchange.answer(status: reply.status, fields: reply.fields, body: reply.body)
    }

    /// What the gate knows the answer to without AWS: who the caller is, and that the endpoint to discover is
    /// this one. Without them a client goes no further.
    private func ownReply(to meaning: Meaning, caller: Caller) -> StoredReply? {
        if meaning.isAlwaysAnswered, meaning.wireProtocol == .query, let account = desk.recognition.account {
            return StoredReply(
                status: 200, fields: [HeaderField("content-type", "text/xml")],
                body: Array(callerIdentity(account: account, request: corridor.request).utf8))
        }
        guard let address = stayingAddress(of: meaning, head: exchange.head),
            case .allow = desk.decide(meaning, caller: caller, at: run.now)
        else { return nil }
        let fields = [HeaderField("content-type", "application/x-amz-json-1.0")]
        return StoredReply(status: 200, fields: fields, body: []).naming(address)
    }
}

/// The answer of `sts:GetCallerIdentity` to a dry run: the account is the one that was given, the role none.
private func callerIdentity(account: String, request: RequestID) -> String {
    "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>"
        + "<Arn>arn:aws:sts::\(account):assumed-role/countersign/dry-run</Arn>"
        + "<UserId>AROACOUNTERSIGNDRYRUN:dry-run</UserId><Account>\(account)</Account>"
        + "</GetCallerIdentityResult><ResponseMetadata><RequestId>\(request)</RequestId></ResponseMetadata>"
        + "</GetCallerIdentityResponse>\n"
}
