import Approving
import Deciding
import Identifying
import Recognizing
import Vocabulary

/// What a step of the corridor looks at: the state of the whole gate, a value.
///
/// Held by the gateway and touched on its event loop only.
struct Desk {
    var policy: PolicySet
    var mode = Mode.enforce
    /// The name of the host, as `countersign:Host` has it.
    var host: String?
    var grants = GrantBook()
    var limits = LimitBook()
    var retries = RetryBook()
    var room = WaitingRoom()
    var sends = SentBook()
    var sessions = SessionBook()
    /// The keys that this host issued; none until the host key is there.
    var keys = KeyRing()
    var roleSessions = RoleSessionBook(mode: .off)
    var recognition: RecognitionSetting

    init(policy: PolicySet, recognition: RecognitionSetting) {
        self.policy = policy
        self.recognition = recognition
    }

    /// The account, 12 digits, that the calls of `caller` are for; nil for the gateway's own.
    func otherAccount(of caller: Caller) -> String? {
        caller.issued?.account.flatMap { $0 == recognition.account ? nil : $0 }
    }

    /// The setting under which calls of `caller` are recognized: in the account that its key is for. Nil when
    /// that is neither the gateway's own nor in `accounts.yaml`.
    func recognition(of caller: Caller) -> RecognitionSetting? {
        guard let account = otherAccount(of: caller) else { return recognition }
        guard policy.accounts[account] != nil else { return nil }
        return recognition.with(account: account, region: recognition.region)
    }

    func decide(_ meaning: Meaning, caller: Caller, at now: Instant) -> Decision {
        Deciding.decide(
            meaning, caller: caller, under: policy, grants: grants, limits: limits, mode: mode,
            host: host, at: now)
    }

    /// With what a call that `allowance` allows is signed.
    mutating func power(
        for meaning: Meaning, _ allowance: Allowance, _ caller: Caller, at now: Instant
    ) -> RoleSessionBook.Power {
        let account = caller.issued?.account ?? recognition.account
        let named = account.flatMap { policy.accounts[$0] }
        let isElsewhere = account != recognition.account || named.map { $0.source != .own } ?? false
        if isElsewhere, caller.issued?.role == nil {
            // Sessions are made of the gateway's own role: another account's calls go with its credentials.
            switch roleSessions.mode {
            case .off: return .own(why: nil)
            case .prefer: return .own(why: "another account's credentials")
            case .require: return .refused(why: "calls of other accounts are not scoped down")
            }
        }
        return roleSessions.power(
            for: meaning, allowance, caller, under: policy, grants: grants, host: host, at: now)
    }

    mutating func reserve(
        _ call: Call, _ allowance: Allowance, caller: Caller, request: RequestID, at now: Instant
    ) throws(GrantError) -> Reservation {
        try grants.reserve(
            call, for: allowance, caller: caller, request: request, policy: policy.digest,
            counting: &limits, at: now)
    }
}

/// What a reservation claimed, as long as its call is on its way.
struct Sending: Hashable, Sendable {
    let request: RequestID
    let uses: [Use]
    /// What it was counted as, under the limits it meets.
    let counts: [LimitCount]
    /// Under which later attempts of the same invocation find the outcome; nil when the client names no
    /// invocation.
    let key: SendKey?
    let mutates: Bool
    let needsSync: Bool

    init(_ reservation: borrowing Reservation, key: SendKey?, call: Call) {
        request = reservation.request
        uses = reservation.uses
        counts = reservation.limits.map(\.count)
        self.key = key
        mutates = call.meaning.mutates
        needsSync = reservation.needsSync
    }
}

/// One invocation of a call that needs a grant: all attempts that an SDK makes of it share the key.
struct SendKey: Hashable, Sendable {
    let agent: AgentName
    let session: SessionID
    let digest: Digest
    let invocation: String

    init?(caller: Caller, call: Call) {
        guard let invocation = call.sealed["amz-sdk-invocation-id"] else { return nil }
        agent = caller.agent
        session = caller.session
        digest = call.meaning.digest
        self.invocation = invocation
    }

    init(agent: AgentName, session: SessionID, digest: Digest, invocation: String) {
        self.agent = agent
        self.session = session
        self.digest = digest
        self.invocation = invocation
    }
}

/// What AWS answered to a sent use, kept for late attempts of the same invocation.
struct StoredReply: Hashable, Sendable {
    static let byteCountMax = 65_536

    let status: Int
    let fields: [HeaderField]
    let body: [UInt8]
}

/// The uses that were sent, by invocation: a later attempt gets the stored outcome, never a second send.
///
/// What is in flight is never forgotten: it ends with its outcome. Of outcomes it keeps at most ``countMax``
/// for ``keptFor``; the oldest go first.
struct SentBook: Hashable, Sendable {
    enum State: Hashable, Sendable {
        case inFlight
        case stored(StoredReply)
        /// It may have run, and its answer is not known or was too large to keep.
        case unknown
    }

    static let countMax = 1_024
    static let keptFor = Duration.seconds(600)

    private var states: [SendKey: State] = [:]
    /// Those with an outcome, the oldest first. A call may take longer than outcomes are kept, so their age
    /// counts from the outcome.
    private var order: [(key: SendKey, at: Instant)] = []

    static func == (left: SentBook, right: SentBook) -> Bool { left.states == right.states }
    func hash(into hasher: inout Hasher) { hasher.combine(states) }

    subscript(key: SendKey) -> State? { states[key] }

    mutating func begin(_ key: SendKey, at now: Instant) {
        prune(at: now)
        order.removeAll { $0.key == key }
        states[key] = .inFlight
    }

    /// The outcome of `key`; nil when AWS certainly did not act, so that the next attempt may be sent.
    mutating func finish(_ key: SendKey, _ state: State?, at now: Instant) {
        order.removeAll { $0.key == key }
        states[key] = state
        if state != nil { order.append((key, now)) }
        prune(at: now)
    }

    private mutating func prune(at now: Instant) {
        while let first = order.first, order.count > Self.countMax || now.since(first.at) > Self.keptFor {
            states[first.key] = nil
            order.removeFirst()
        }
    }
}

/// The calls that AWS answered with an error of its own (5xx), by invocation, with what they were counted as:
/// an SDK's next attempt takes the place of the one that failed, so that a call and its retries count once.
///
/// Bounded: of those forgotten the next attempt counts for itself. A call of unknown outcome is not among
/// them, since it may have run.
struct RetryBook {
    static let countMax = 1_024

    private var counts: [SendKey: [LimitCount]] = [:]
    /// The oldest first; also those that were retried since.
    private var order: [SendKey] = []

    /// The call of `key` ended with `outcome`.
    mutating func ended(
        _ key: SendKey?, _ outcome: (kind: Outcome.Kind, status: Int?), _ counted: [LimitCount]
    ) {
        guard let key, !counted.isEmpty, outcome.kind == .answered, (outcome.status ?? 0) >= 500 else {
            return
        }
        counts[key] = counted
        order.append(key)
        if order.count > Self.countMax { counts[order.removeFirst()] = nil }
    }

    /// What the attempt before counted, if it failed; from now on it is this one that counts.
    mutating func taken(by key: SendKey?) -> [LimitCount] {
        key.flatMap { counts.removeValue(forKey: $0) } ?? []
    }
}

extension SealedRequest {
    /// The value of the field `name` (lower case).
    subscript(name: String) -> String? { fields.first { $0.name == name }?.value }
}
