import Accepting
import Approving
import Deciding
import Forwarding
import Identifying
import Recognizing
import Recording
import SigV4
import Vocabulary

/// The version that `--version` prints and the log's start entry names.
package let gateVersion = "0.1.0"

/// The gate: its state, and what touches the world around it.
///
/// Confined to its loop: all mutable state is touched there only, so that a decision, the use it takes and
/// the approval it ends are one step that nothing can come between (docs/decisions/0003-one-loop.md).
final class Gateway: @unchecked Sendable {
    // INVARIANT: @unchecked is sound because listeners, timers, the log and the forwarder all come back by
    // `loop.execute`.
    let configuration: Configuration
    let clock: Clock
    let loop: Loop
    let log: RequestLog
    let forwarder: Forwarder
    let credentials: any CredentialSource
    /// Those of the accounts of `accounts.yaml`.
    let accountCredentials: AccountCredentials
    /// What issued keys are made from.
    let hostKey: HostKey
    let signingKeys: SigningKeys
    /// What the gateway asks of AWS for itself; blocks, so never on the loop.
    let ownCalls: OwnCalls
    let roleSessionMaker: RoleSessionMaker
    let out: @Sendable (String) -> Void

    var desk: Desk
    /// The standing sessions, by agent.
    var bindings: [AgentName: ListenerBinding] = [:]
    /// The passages whose approval is on its way into the log, oldest first.
    var requesting: [WaitingRoom.CallKey: [Passage]] = [:]
    /// The passages that wait for each approval, oldest first.
    var waiting: [ApprovalID: [Passage]] = [:]
    /// The passages that wait for the outcome of another attempt.
    var awaiting: [SendKey: [Passage]] = [:]
    /// The agents' `wait` calls, each under a number of its own.
    var watchers: [ApprovalID: [UInt64: @Sendable () -> Void]] = [:]
    /// Approvals whose expiry is on its way into the log.
    private var ending: Set<ApprovalID> = []
    /// How many denials of each approval are on their way into the log.
    var denying: [ApprovalID: Int] = [:]
    var shownCards: [String: ShownCard] = [:]
    /// Where each agent's listener is, for `env`.
    var addresses: [AgentName: String] = [:]
    /// The passages that wait for a session of a role, oldest first.
    var assuming: [RoleSessionKey: [Passage]] = [:]
    /// Sessions to be asked for, and how many are being asked for.
    var due: [RoleSessionWant] = []
    var askingCount = 0
    private let peers = PeerFinder()
    /// Runs that began lately, by uid.
    var runs = MinuteCounts<UInt32>()
    /// Keys that were fetched lately, by session.
    var handOuts = MinuteCounts<SessionID>()
    /// Whether a story is being read.
    var tellsStory = false
    private var expiryTimer: Timer?
    var credentialTimer: Timer?
    /// Looks for sessions that nobody uses.
    var idleTimer: Timer?
    private(set) var logIsFailing = false

    init(
        configuration: Configuration, clock: Clock, loop: Loop, log: RequestLog, forwarder: Forwarder,
        credentials: any CredentialSource, ownCalls: OwnCalls, hostKey: HostKey, desk: Desk,
        out: @escaping @Sendable (String) -> Void
    ) {
        self.configuration = configuration
        self.clock = clock
        self.loop = loop
        self.log = log
        self.forwarder = forwarder
        self.credentials = credentials
        self.ownCalls = ownCalls
        accountCredentials = AccountCredentials(
            own: credentials, search: CredentialSearch(configuration, ownCalls))
        roleSessionMaker = RoleSessionMaker(
            ownCalls: ownCalls, credentials: credentials, clock: clock, role: configuration.role)
        self.hostKey = hostKey
        self.signingKeys = ownCalls.signingKeys
        self.desk = desk
        self.out = out
    }

    func complain(_ text: String) { out("countersign: \(text)") }

    // MARK: Recording

    /// Writes `change`, synced; then takes it in; then says whether it is true.
    func record(_ change: ApprovalChange, then: @escaping @Sendable (Bool) -> Void) {
        guard let entry = Entry.change(change.entryType, at: clock.now, body: change.body) else {
            return then(false)
        }
        record(entry) { [self] durable in
            if durable { takeIn(change) }
            then(durable)
        }
    }

    /// Writes `entry`, synced, and says whether it is.
    func record(_ entry: Entry, then: @escaping @Sendable (Bool) -> Void) {
        log.append(entry, durability: .synced) { [self] result in
            loop.execute { [self] in
                switch result {
                case .success:
                    logIsFailing = false
                    then(true)
                case .failure(let error):
                    logFailed(error)
                    then(false)
                }
            }
        }
    }

    /// Writes `entry` without waiting for it; a failure is told to the operator.
    func note(_ entry: Entry) {
        log.append(entry, durability: .written) { [self] result in
            guard case .failure(let error) = result else { return }
            loop.execute { [self] in logFailed(error) }
        }
    }

    func logFailed(_ error: LogError) {
        if !logIsFailing {
            complain("the log cannot be written (\(error)): nothing more is signed until it can")
        }
        logIsFailing = true
    }

    func takeIn(_ change: ApprovalChange) {
        let tookEffect = desk.room.apply(change)
        if case .granted(let grant) = change, tookEffect {
            do { try desk.grants.add(grant) } catch { complain("grant \(grant.id): \(error)") }
        }
        scheduleExpiry()
    }

    // MARK: Approvals

    /// Writes down that `approval` is asked for, and that it takes the place of `superseded`; then tells all
    /// passages whose call it is.
    func request(_ approval: Approval, key: WaitingRoom.CallKey, superseding superseded: ApprovalID?) {
        if let superseded {
            record(.ended(superseded, .withdrawn, at: clock.now)) { [self] durable in
                if durable { wake(superseded) }
            }
        }
        record(.requested(approval)) { [self] durable in
            if durable { announce(approval) } else { desk.room.giveUp(key) }
            for passage in requesting.removeValue(forKey: key) ?? [] {
                passage.take(durable ? .requested : .logFailed)
            }
        }
    }

    /// After a review: makes the grant if it is earned, and wakes who waits if the approval is over.
    func settle(_ id: ApprovalID, then: @escaping @Sendable () -> Void) {
        let now = clock.now
        let grantID = GrantID(random: Clock.randomBits())
        let approvers = desk.policy.approvers
        // A denial that is being written wins over a grant that is not.
        if denying[id] == nil,
            let grant = desk.room.earnedGrant(id, grantID: grantID, approvers: approvers, at: now)
        {
            return record(.granted(grant)) { [self] _ in
                wake(id)
                then()
            }
        }
        if desk.room[id]?.state != .pending { wake(id) }
        then()
    }

    /// Tells everyone who waits for `id` to look again, the oldest first: the first takes the grant, the
    /// others see what is left.
    func wake(_ id: ApprovalID) {
        for passage in waiting[id] ?? [] { passage.take(.reconsider) }
        for watcher in (watchers.removeValue(forKey: id) ?? [:]).values { watcher() }
    }

    /// Prints the card and how to answer it.
    func announce(_ approval: Approval) {
        let card = card(approval, now: clock.now)
        out(
            "\n\(cardText(card))\n  answer  countersign approve \(approval.id)   or   countersign "
                + "deny \(approval.id) --reason \"…\"\n"
        )
    }

    func scheduleExpiry() {
        expiryTimer?.cancel()
        guard let next = desk.room.nextExpiry(except: ending) else { return }
        let wait = max(.milliseconds(1), next.since(clock.now))
        expiryTimer = loop.schedule(after: wait) { [self] in
            let now = clock.now
            for id in desk.room.expired(at: now) where ending.insert(id).inserted {
                record(.ended(id, .expired, at: now)) { [self] durable in
                    ending.remove(id)
                    // Also when the log fails: an approval past its time is over, whoever can or cannot write
                    // so.
                    if !durable { takeIn(.ended(id, .expired, at: now)) }
                    wake(id)
                }
            }
            scheduleExpiry()
        }
    }

    // MARK: Sending

    /// The call of `sending` has its outcome: records it, keeps it for late attempts, frees what was
    /// certainly not used. `entry` is nil when its request never got into the log.
    func finish(_ sending: Sending, _ outcome: Outcome, entry: EntryID?, reply: StoredReply? = nil) {
        let isFree = outcome.kind == .notSent || outcome.kind == .throttled
        // What was made for a grant goes with it.
        if !sending.uses.isEmpty, !isFree { desk.roleSessions.prune(desk.grants, at: clock.now) }
        desk.retries.ended(sending.key, (outcome.kind, outcome.status), sending.counts)
        let record = entry.map { Entry.outcome(outcome, of: $0, request: sending.request, at: clock.now) }
        guard isFree else {
            if let record { note(record) }
            let isKnown = outcome.kind == .answered
            return settle(sending.key, reply.flatMap { isKnown ? .stored($0) : nil } ?? .unknown)
        }
        guard let record, !sending.uses.isEmpty else {
            if let record { note(record) }
            release(sending)
            return settle(sending.key, nil)
        }
        // A use is free only once the log says so for good: were it taken again before, a log that lost this
        // entry would hold the same use twice, and no start could make sense of it.
        self.record(record) { [self] durable in
            if durable { release(sending) }
            settle(sending.key, nil)
        }
    }

    /// What late attempts of `key` find from now on; nil when the next one may be sent.
    private func settle(_ key: SendKey?, _ state: SentBook.State?) {
        guard let key, desk.sends[key] != nil else { return }
        desk.sends.finish(key, state, at: clock.now)
        for passage in awaiting[key] ?? [] { passage.take(.reconsider) }
    }

    /// The client left before anything was sent.
    func withdraw(_ sending: Sending, entry: EntryID?) {
        if let entry { log.drop(entry) }
        finish(sending, .notSent("the client left"), entry: entry)
    }

    func release(_ sending: Sending) {
        for use in sending.uses { desk.grants.release(use) }
        desk.limits.giveBack(sending.counts)
    }

    // MARK: The kernel's word

    /// The uid of the process at the other end of `exchange`; nil when the kernel does not say.
    func uid(of exchange: Exchange) -> UInt32? { exchange.peerUID { peers.uid(of: $0) } }
}
