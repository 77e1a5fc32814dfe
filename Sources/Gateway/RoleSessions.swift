import Deciding
import Recognizing
import Recording
import SigV4
import Vocabulary

/// How far the gateway cuts its own power down to what a call needs, so that AWS enforces it too.
package enum Downscope: String, Sendable, Hashable, CaseIterable {
    /// What cannot be cut down is not sent.
    case require
    /// What cannot be cut down goes as it is, and its entry says so.
    case prefer
    case off
}

/// Credentials that one call is signed with, and what its entry says of them.
///
/// A class, so that a call takes no copy of a secret.
final class Signer: Sendable {
    let credentials: Credentials
    let record: SignedAs

    init(_ credentials: Credentials, _ record: SignedAs) {
        self.credentials = credentials
        self.record = record
    }
}

/// What a session of a role is for; one that is in the book covers nothing else.
struct RoleSessionKey: Hashable, Sendable {
    /// What the session lets through.
    enum Extent: Hashable, Sendable {
        /// What the set's `Allow` statements cover of some services.
        case statements(prefixes: [String])
        /// The pairs of one call under a grant.
        case grant(GrantID, call: Digest)
        /// The pairs of one call that no statement alone lets through.
        case call(Digest)
        /// All that the role may do: only who calls is told AWS.
        case identity
    }

    let agent: AgentName
    let session: SessionID
    let strength: IdentityStrength
    /// Only of a caller whose task is one for the whole session.
    let task: String?
    /// The role that the caller's key stands for; nil for the gateway's own.
    let role: String?
    let extent: Extent

    init(_ caller: Caller, _ extent: Extent) {
        (agent, session, strength) = (caller.agent, caller.session, caller.strength)
        // A claimed task may be another in every call: each would be a session of its own.
        task = caller.strength == .signed ? caller.task?.text : nil
        role = caller.issued?.role
        self.extent = extent
    }
}

/// A session of a role to be begun, with all that it is made from.
struct RoleSessionWant: Sendable {
    let key: RoleSessionKey
    let caller: Caller
    /// The pairs that the session lets through, for extents that are a call's own.
    let pairs: [Pair]
    let approval: ApprovalID?
    let policy: PolicySet
    let host: String?
    /// For how long its grant lives, if it is a grant's.
    let lifetime: Duration?
    /// What is there and would do if it said the same under the set of now.
    let earlier: RoleSessionBook.Ready?
}

/// Why a session of a role was not begun.
enum RoleSessionFailure: Error, Hashable, Sendable {
    /// What it should let through cannot be said in a session policy; `why` in a few words: `too large`.
    case unsayable(why: String)
    /// Nobody gets one: STS refuses or does not answer, or there is no role. `lasts` for a while.
    case unavailable(why: String, lasts: Duration)
}

/// The sessions of roles that calls are signed under, and what stood in the way of others.
///
/// A value on the desk: ``power(for:_:_:under:of:at:)`` says with what a call may be signed now, and leaves
/// in ``due`` what somebody must ask STS for. Bounded in all, and for each agent; each entry covers one
/// extent of one caller, and one of a grant goes when the grant does.
struct RoleSessionBook {
    static let countMax = 2_048
    static let perAgentCountMax = 256
    /// How long before its end a session is renewed; a session of a grant never is.
    static let renewAhead = Duration.seconds(600)
    /// What ends sooner than that signs nothing new.
    static let spare = Duration.seconds(30)

    /// A session that can sign.
    struct Ready: Sendable {
        let signer: Signer
        /// What the session was asked for: the same again needs no other.
        let asked: AssumeRole
        /// For one of statements, what they let through.
        let statements: AgentPolicy?
        /// The policy set it was made under.
        let set: Digest
        /// By the gate's steady clock.
        let end: Instant
    }

    /// What a call is signed with.
    enum Power {
        case signer(Signer)
        /// The gateway's own credentials; why they are not cut down, nil with `--downscope off`.
        case own(why: String?)
        /// It is being asked for.
        case comes(RoleSessionKey)
        /// There is none, and without it the call must not go: nobody's fault but the call's, or the
        /// operator's.
        case refused(why: String)
        case unavailable(why: String)
        /// Nothing: the gate answers the call itself.
        case unneeded
    }

    private enum State {
        case ready(Ready)
        case unsayable(why: String, set: Digest)
    }

    let mode: Downscope
    private var states: [RoleSessionKey: State] = [:]
    /// The keys by agent, the oldest first.
    private var order: [AgentName: [RoleSessionKey]] = [:]
    private(set) var count = 0
    private var asking: Set<RoleSessionKey> = []
    /// Roles that no session can be had of for a while, by ARN; the gateway's own is nil.
    private var unavailable: [String?: (why: String, until: Instant)] = [:]
    /// What must be asked of STS. Whoever takes it answers with ``settle(_:_:at:)``.
    private(set) var due: [RoleSessionWant] = []

    init(mode: Downscope) { self.mode = mode }

    mutating func takeDue() -> [RoleSessionWant] {
        defer { due = [] }
        return due
    }

    // MARK: - Asking

    /// What the call of `meaning`, allowed by `allowance`, is signed with at `now`.
    mutating func power(
        for meaning: Meaning, _ allowance: Allowance, _ caller: Caller, under policy: PolicySet,
        grants: GrantBook, host: String?, at now: Instant
    ) -> Power {
        let isOwnRole = caller.issued?.role == nil
        // A key that stands for a role signs as that role, whatever else.
        if mode == .off, isOwnRole { return .own(why: nil) }
        let asker = Asker(meaning, caller, policy, grants, host: host, at: now)
        if mode == .off { return identity(asker, why: nil) }
        if let grant = allowance.grants.first {
            let extent = RoleSessionKey.Extent.grant(grant, call: meaning.digest)
            return ofPairs(asker, extent, grant: grants[grant])
        }
        let prefixes = Set(meaning.pairs.map(\.action.prefix)).sorted()
        let key = RoleSessionKey(caller, .statements(prefixes: prefixes))
        switch look(for: key, asker) {
        case .ready(let ready):
            guard let statements = ready.statements,
                statements.covers(allowance, of: meaning, caller: caller, host: host, at: now)
            else { return beyond(asker, why: "no statement that AWS can be told lets it through") }
            return .signer(ready.signer)
        case .unsayable(let why): return beyond(asker, why: why)
        case .comes: return .comes(key)
        case .unavailable(let why): return without(why, isOwnRole: isOwnRole)
        }
    }

    /// The call is let through by more than the agent's statements say to AWS. What changes something gets a
    /// session for its own pairs; of reads there may be thousands, so they only do where it must be.
    private mutating func beyond(_ asker: Asker, why: String) -> Power {
        guard mode == .require || asker.meaning.mutates else { return identity(asker, why: why) }
        return ofPairs(asker, .call(asker.meaning.digest), grant: nil)
    }

    private mutating func ofPairs(_ asker: Asker, _ extent: RoleSessionKey.Extent, grant: Grant?) -> Power {
        let key = RoleSessionKey(asker.caller, extent)
        switch look(for: key, asker, pairs: asker.meaning.pairs, grant: grant) {
        case .ready(let ready): return .signer(ready.signer)
        case .comes: return .comes(key)
        case .unsayable(let why):
            return mode == .require ? .refused(why: why) : identity(asker, why: why)
        case .unavailable(let why): return without(why, isOwnRole: key.role == nil)
        }
    }

    /// A session that only says who calls.
    private mutating func identity(_ asker: Asker, why: String?) -> Power {
        let key = RoleSessionKey(asker.caller, .identity)
        switch look(for: key, asker) {
        case .ready(let ready):
            guard let why else { return .signer(ready.signer) }
            let record = ready.signer.record.because(why)
            return .signer(Signer(ready.signer.credentials, record))
        case .comes: return .comes(key)
        case .unsayable(let why), .unavailable(let why): return without(why, isOwnRole: key.role == nil)
        }
    }

    private func without(_ why: String, isOwnRole: Bool) -> Power {
        mode == .require || !isOwnRole ? .unavailable(why: why) : .own(why: why)
    }

    /// Who asks, and for which call.
    private struct Asker {
        let meaning: Meaning
        let caller: Caller
        let policy: PolicySet
        let grants: GrantBook
        let host: String?
        let now: Instant

        init(
            _ meaning: Meaning, _ caller: Caller, _ policy: PolicySet, _ grants: GrantBook, host: String?,
            at now: Instant
        ) {
            (self.meaning, self.caller, self.policy, self.grants) = (meaning, caller, policy, grants)
            (self.host, self.now) = (host, now)
        }
    }

    private enum Found {
        case ready(Ready)
        case unsayable(why: String)
        case comes
        case unavailable(why: String)
    }

    private mutating func look(
        for key: RoleSessionKey, _ asker: Asker, pairs: [Pair] = [], grant: Grant? = nil
    ) -> Found {
        let set = asker.policy.digest
        func want(_ earlier: Ready? = nil) -> RoleSessionWant {
            RoleSessionWant(
                key: key, caller: asker.caller, pairs: pairs, approval: grant?.approval,
                policy: asker.policy, host: asker.host, lifetime: grant?.end.since(asker.now),
                earlier: earlier)
        }
        switch states[key] {
        case .ready(let ready)? where ready.end.since(asker.now) > Self.spare:
            guard key.extent.isOfSet, ready.set != set else {
                let isDue = grant == nil && ready.end.since(asker.now) < Self.renewAhead
                if isDue, retries(key.role, at: asker.now) { ask(want()) }
                return .ready(ready)
            }
            ask(want(ready))
        case .unsayable(let why, let under)? where !key.extent.isOfSet || under == set:
            return .unsayable(why: why)
        case .ready?, .unsayable?, nil:
            if let (why, _) = unavailable[key.role] {
                // Nobody waits for what did not come the last time: it is tried beside the calls.
                if retries(key.role, at: asker.now) {
                    // One asks for all.
                    unavailable[key.role] = (why, asker.now.advanced(by: .seconds(30)))
                    ask(want())
                }
                return .unavailable(why: why)
            }
            ask(want())
        }
        return .comes
    }

    private func retries(_ role: String?, at now: Instant) -> Bool {
        unavailable[role].map { now >= $0.until } ?? true
    }

    private mutating func ask(_ want: RoleSessionWant) {
        guard asking.insert(want.key).inserted else { return }
        due.append(want)
    }

    // MARK: - Answering

    /// What became of `want`: a reason to tell the operator if it changes what is known of the role.
    mutating func settle(
        _ want: RoleSessionWant, _ result: Result<Ready, RoleSessionFailure>, at now: Instant
    ) -> String? {
        asking.remove(want.key)
        let role = want.key.role
        let told = role ?? "the gateway's role"
        switch result {
        case .success(let ready):
            put(.ready(ready), for: want.key)
            guard unavailable.removeValue(forKey: role) != nil else { return nil }
            return "sessions of \(told) can be had again: calls are scoped down from now on"
        case .failure(.unsayable(let why)):
            put(.unsayable(why: why, set: want.policy.digest), for: want.key)
            return nil
        case .failure(.unavailable(let why, let lasts)):
            let isNews = unavailable[role].map { !$0.why.hasBytes(of: why) } ?? true
            unavailable[role] = (why, now.advanced(by: lasts))
            guard isNews else { return nil }
            let isFatal = mode == .require || role != nil
            return "calls cannot be scoped down (\(why)); "
                + (isFatal
                    ? "they are refused until it is mended"
                    : "they go on with the gateway's own credentials, as --downscope prefer says")
        }
    }

    private mutating func put(_ state: State, for key: RoleSessionKey) {
        if states.updateValue(state, forKey: key) != nil { return }
        count += 1
        var own = order.removeValue(forKey: key.agent) ?? []
        own.append(key)
        order[key.agent] = own
        if own.count > Self.perAgentCountMax { remove(own[0]) }
        if count > Self.countMax, let largest = order.max(by: { $0.value.count < $1.value.count }) {
            remove(largest.value[0])
        }
    }

    private mutating func remove(_ key: RoleSessionKey) {
        guard states.removeValue(forKey: key) != nil else { return }
        count -= 1
        order[key.agent]?.removeAll { $0 == key }
        if order[key.agent]?.isEmpty == true { order[key.agent] = nil }
    }

    /// Drops what is over: grants that cover nothing any more, and sessions past their end.
    mutating func prune(_ grants: GrantBook, at now: Instant) {
        for (key, state) in states {
            if case .grant(let id, _) = key.extent, grants.state(of: id, at: now) != .active { remove(key) }
            if case .ready(let ready) = state, ready.end <= now { remove(key) }
        }
    }

    /// Drops the session of `signer`, whose key AWS does not take.
    mutating func drop(_ signer: Signer) {
        let id = signer.credentials.accessKeyID
        for (key, state) in states {
            guard case .ready(let ready) = state else { continue }
            if ready.signer.credentials.accessKeyID.utf8.elementsEqual(id.utf8) { remove(key) }
        }
    }

    /// Whether a session is there for `key`.
    subscript(key: RoleSessionKey) -> Ready? {
        guard case .ready(let ready)? = states[key] else { return nil }
        return ready
    }
}

extension RoleSessionKey.Extent {
    /// Whether it is another one under another policy set.
    fileprivate var isOfSet: Bool {
        switch self {
        case .statements: true
        case .grant, .call, .identity: false
        }
    }
}
