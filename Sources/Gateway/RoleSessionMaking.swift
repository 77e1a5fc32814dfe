import Accepting
import Deciding
import Recognizing
import Recording
import SigV4
import Synchronization
import Vocabulary

/// Begins sessions of roles: works out what they let through and asks STS. Blocks, and never on the loop.
final class RoleSessionMaker: Sendable {
    /// AWS gives a role that was assumed from a role an hour at most, and no session less than a quarter.
    private static let lifetimes = (least: Duration.seconds(900), most: Duration.seconds(3_600))
    /// What will not mend itself is tried again after so long; anything else after the shorter time.
    private static let (longPause, shortPause) = (Duration.seconds(300), Duration.seconds(20))

    private let ownCalls: OwnCalls
    private let credentials: any CredentialSource
    private let clock: Clock
    /// `--role`.
    private let stated: String?
    /// The gateway's role, once STS has said it.
    private let learned = Mutex<String?>(nil)

    init(ownCalls: OwnCalls, credentials: any CredentialSource, clock: Clock, role: String?) {
        (self.ownCalls, self.credentials, self.clock, stated) = (ownCalls, credentials, clock, role)
    }

    /// The session that `want` asks for.
    ///
    /// A policy that STS finds too large when packed is made smaller, then what is nice to have is left out
    /// of the tags; what it lets through never grows.
    func make(_ want: RoleSessionWant) -> Result<RoleSessionBook.Ready, RoleSessionFailure> {
        do throws(RoleSessionFailure) {
            let own = try ownCredentials()
            let role = try role(for: want.key, own)
            let duration = min(
                max(want.lifetime ?? Self.lifetimes.most, Self.lifetimes.least), Self.lifetimes.most)
            var packed = "too large when packed"
            for (isCompact, isWhole) in [(false, true), (true, true), (true, false)] {
                let (policy, statements) = try policy(want, isCompact: isCompact)
                let asked = AssumeRole(
                    role, for: want.key, approval: want.approval, host: want.host, policy: policy,
                    duration: duration, isWhole: isWhole)
                if let earlier = want.earlier, earlier.asked == asked {
                    return .success(earlier.under(want.policy.digest, statements: statements))
                }
                switch ask(asked, with: own, for: want.key) {
                case .success(let assumed):
                    return .success(try ready(assumed, asked, policy, statements, want))
                case .failure(.refused(let code, let text, _)) where isTooLarge(code):
                    packed = text.map { "too large when packed: \($0)" } ?? packed
                case .failure(let error): throw failure(of: error)
                }
            }
            throw RoleSessionFailure.unsayable(why: packed)
        } catch { return .failure(error) }
    }

    private func ask(
        _ asked: AssumeRole, with own: Credentials, for key: RoleSessionKey
    ) -> Result<AssumedRole, OwnCallError> {
        let purpose = "a session for \(key.agent) (\(key.session))"
        do throws(OwnCallError) {
            return .success(try ownCalls.assumeRole(asked, with: own, purpose: purpose))
        } catch { return .failure(error) }
    }

    private func isTooLarge(_ code: String) -> Bool {
        code.hasBytes(of: "PackedPolicyTooLarge") || code.hasBytes(of: "PackedPolicyTooLargeException")
    }

    private func ready(
        _ assumed: AssumedRole, _ asked: AssumeRole, _ policy: SessionPolicy?, _ statements: AgentPolicy?,
        _ want: RoleSessionWant
    ) throws(RoleSessionFailure) -> RoleSessionBook.Ready {
        let left = assumed.credentials.expiration.map { $0.since(clock.wall) } ?? Self.lifetimes.least
        guard left > RoleSessionBook.spare * 2 else {
            throw .unavailable(
                why: "STS gives keys that end at once: is the clock right?", lasts: Self.shortPause)
        }
        let extent: SignedAs.Extent =
            switch want.key.extent {
            case .statements: .statements
            case .grant: .grant
            case .call: .call
            case .identity: .none
            }
        let record = SignedAs(
            extent: extent, role: asked.role, sessionName: asked.sessionName,
            sourceIdentity: asked.sourceIdentity, sessionPolicy: policy?.digest)
        return RoleSessionBook.Ready(
            signer: Signer(assumed.credentials, record), asked: asked, statements: statements,
            set: want.policy.digest, end: clock.now.advanced(by: left))
    }

    // MARK: - Parts

    private func ownCredentials() throws(RoleSessionFailure) -> Credentials {
        do throws(CredentialError) { return try credentials.current(at: clock.wall) } catch {
            throw .unavailable(why: error.message, lasts: Self.shortPause)
        }
    }

    private func role(for key: RoleSessionKey, _ own: Credentials) throws(RoleSessionFailure) -> String {
        if let role = key.role {
            guard let arn = roleARN(of: role) else { throw .unsayable(why: "`\(shown(role))` is no role") }
            return arn
        }
        if let known = stated ?? learned.withLock({ $0 }) { return known }
        // Only a session of a role, or of a user, has a token.
        guard own.sessionToken != nil else {
            throw .unavailable(
                why: "no role: the gateway's keys are a user's; --role ARN names one", lasts: Self.longPause)
        }
        let identity: CallerIdentity
        do throws(OwnCallError) {
            identity = try ownCalls.callerIdentity(of: own, purpose: "the gateway's role")
        } catch { throw failure(of: error) }
        guard let role = roleARN(of: identity.arn) else {
            throw .unavailable(
                why: "no role: the gateway is \(shown(identity.arn)); --role ARN names one",
                lasts: Self.longPause)
        }
        learned.withLock { $0 = role }
        return role
    }

    private func policy(
        _ want: RoleSessionWant, isCompact: Bool
    ) throws(RoleSessionFailure) -> (SessionPolicy?, AgentPolicy?) {
        do throws(SessionPolicyError) {
            switch want.key.extent {
            case .identity: return (nil, nil)
            case .grant, .call: return (try pairs(want.pairs, isCompact), nil)
            case .statements(let prefixes):
                let found = try statements(want, Set(prefixes), isCompact)
                return (found.policy, found)
            }
        } catch {
            switch error {
            case .tooLarge(let count):
                throw .unsayable(why: "too large: \(count) of \(SessionPolicy.characterCountMax) characters")
            case .unwritable(let resource):
                throw .unsayable(why: "`\(shown(resource))` cannot be written in a policy")
            case .noPairs: throw .unsayable(why: "the call names nothing that could be allowed")
            }
        }
    }

    /// Compact where it must be: as written, it says no more than it does tomorrow, when AWS has new actions.
    private func pairs(_ pairs: [Pair], _ isCompact: Bool) throws(SessionPolicyError) -> SessionPolicy {
        do throws(SessionPolicyError) { return try SessionPolicy(for: pairs, isCompact: isCompact) } catch {
            guard case .tooLarge = error, !isCompact else { throw error }
            return try SessionPolicy(for: pairs, isCompact: true)
        }
    }

    private func statements(
        _ want: RoleSessionWant, _ prefixes: Set<String>, _ isCompact: Bool
    ) throws(SessionPolicyError) -> AgentPolicy {
        do throws(SessionPolicyError) {
            return try AgentPolicy(
                for: want.policy, caller: want.caller, host: want.host, prefixes: prefixes,
                isCompact: isCompact)
        } catch {
            guard case .tooLarge = error, !isCompact else { throw error }
            return try AgentPolicy(
                for: want.policy, caller: want.caller, host: want.host, prefixes: prefixes, isCompact: true)
        }
    }

    private func failure(of error: OwnCallError) -> RoleSessionFailure {
        switch error {
        case .refused(let code, _, let status) where status < 500 && !throttlingCodes.contains(code):
            .unavailable(why: "sts: \(error.message)", lasts: Self.longPause)
        case .refused, .unmade, .unrecorded, .unsigned, .unanswered, .unreadable:
            .unavailable(why: "sts: \(error.message)", lasts: Self.shortPause)
        }
    }
}

extension RoleSessionBook.Ready {
    /// The same session, which says the same under another set.
    fileprivate func under(_ set: Digest, statements: AgentPolicy?) -> Self {
        Self(signer: signer, asked: asked, statements: statements, set: set, end: end)
    }
}

extension Gateway {
    /// The most sessions that are asked for at once.
    private static let askingCountMax = 8

    /// Has STS asked for what the desk found due, and tells who waits for it. From the loop.
    func makeRoleSessions() {
        due += desk.roleSessions.takeDue()
        while askingCount < Self.askingCountMax, !due.isEmpty {
            let want = due.removeFirst()
            askingCount += 1
            let isBegun = runDetached { [self] in
                let result = roleSessionMaker.make(want)
                loop.execute { [self] in took(want, result) }
            }
            if !isBegun {
                let why = RoleSessionFailure.unavailable(why: "no thread to be had", lasts: .seconds(5))
                loop.execute { [self] in took(want, .failure(why)) }
            }
        }
    }

    private func took(_ want: RoleSessionWant, _ result: Result<RoleSessionBook.Ready, RoleSessionFailure>) {
        askingCount -= 1
        let now = clock.now
        desk.roleSessions.prune(desk.grants, at: now)
        if let news = desk.roleSessions.settle(want, result, at: now) { complain(news) }
        for passage in assuming.removeValue(forKey: want.key) ?? [] { passage.take(.assumed) }
        makeRoleSessions()
    }
}
