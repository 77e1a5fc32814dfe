import Hashing
import Recognizing
import Vocabulary

/// What of a call is not its action, resource or agent: the values of its condition keys, and what those of
/// our own are worked out from.
struct Situation {
    /// One thing of it that can be this or that.
    enum Aspect: Hashable {
        case request(String)
        case strength
        case session
        case task
        case host
        case wireProtocol
        case itemCount
        case bodyBytes
        /// The moment: hour, date and epoch time are all of it.
        case time

        /// Where `key` takes its value from; nil where action, resource and agent say it.
        init?(of key: Condition.Key) {
            switch key {
            case .own(.agent), .own(.accessLevel), .own(.mutates), .own(.sensitivity): return nil
            case .own(.session): self = .session
            case .own(.strength): self = .strength
            case .own(.task): self = .task
            case .own(.host): self = .host
            case .own(.wireProtocol): self = .wireProtocol
            case .own(.itemCount): self = .itemCount
            case .own(.bodyBytes): self = .bodyBytes
            case .own(.hourUTC): self = .time
            case .request("aws:currenttime"), .request("aws:epochtime"): self = .time
            case .request(let name): self = .request(name)
            }
        }
    }

    /// What an aspect is set to.
    enum Setting: Hashable {
        case keys(String, ConditionKeys.Value)
        case strength(IdentityStrength)
        case session(SessionID)
        case task(String?)
        case host(String)
        case wireProtocol(WireProtocol)
        case itemCount(Int)
        case bodyBytes(Int)
        case at(Instant)

        /// `aws:RequestedRegion` is `eu-west-1`, in a reader's words.
        func told(as name: String) -> String {
            switch self {
            case .keys(_, .unknown): "\(name) is not known"
            case .keys(_, .absent), .task(nil): "\(name) is absent"
            case .keys(_, .filled(let values)):
                "\(name) is \(values.map { "`\($0)`" }.joined(separator: ", "))"
            case .strength(let strength): "\(name) is `\(strength.rawValue)`"
            case .session(let session): "\(name) is `\(session)`"
            case .task(let text?), .host(let text): "\(name) is `\(text)`"
            case .wireProtocol(let wire): "\(name) is `\(wire)`"
            case .itemCount(let count), .bodyBytes(let count): "\(name) is \(count)"
            case .at(let moment): "it is \(moment)"
            }
        }
    }

    private(set) var keys = ConditionKeys()
    private var strength = IdentityStrength.signed
    // One of the ids there can be; which, no policy can know beforehand.
    private var session = SessionID(random: 7)
    private var task: String?
    private(set) var host: String?
    private var wireProtocol = WireProtocol.awsJSON10
    private var itemCount = 1
    private var bodyBytes = 0
    private(set) var at = PolicyCase.usualMoment

    /// Sets one aspect.
    mutating func set(_ setting: Setting) {
        switch setting {
        case .keys(let name, let value): keys[name] = value
        case .strength(let value): strength = value
        case .session(let value): session = value
        case .task(let value): task = value
        case .host(let value): host = value
        case .wireProtocol(let value): wireProtocol = value
        case .itemCount(let value): itemCount = value
        case .bodyBytes(let value): bodyBytes = value
        case .at(let value): at = value
        }
    }

    /// A call of `pair` alone in this situation.
    func meaning(of pair: Pair, vends: Bool) -> Meaning {
        // No region: that a call goes somewhere is said by its condition key.
        Meaning(
            service: pair.action.prefix, operation: pair.action.name, wireProtocol: wireProtocol,
            account: "", region: "", pairs: [pair], parameters: .null, keys: keys,
            vendsCredentials: vends, itemCount: itemCount, bodyByteCount: bodyBytes, digest: sha256([]))
    }

    /// `agent` in this situation.
    func caller(_ agent: AgentName) -> Caller {
        Caller(
            agent: agent, session: session, strength: strength,
            task: task.map { ClaimedText($0, source: .sessionToken) }, reason: nil, scope: nil)
    }

    /// What condition keys are worth for `pair` of `agent`.
    func context(of pair: Pair, agent: AgentName) -> ConditionContext {
        ConditionContext(
            meaning: meaning(of: pair, vends: false), caller: caller(agent), at: at, pair: pair, host: host)
    }
}

/// One aspect of the situation, with settings that tell the conditions about it apart.
struct SituationAspect {
    let aspect: Situation.Aspect
    let conditions: [Condition]
    /// The first is the usual one.
    let settings: [Situation.Setting]
    /// What each condition is worth under each setting: `truths[setting][condition]`.
    let truths: [[Truth]]
    /// Whether every combination of truths that the conditions can have is there.
    let isComplete: Bool

    /// What people call it: the key as the first file spells it.
    var name: String { aspect == .time ? "the time" : conditions.first?.written.key ?? "" }

    /// The settings of `aspect` that tell `conditions` apart, tried in a call of `pair` by `agent`.
    init(_ aspect: Situation.Aspect, _ conditions: [Condition], pair: Pair, agent: AgentName) {
        self.aspect = aspect
        self.conditions = conditions
        var candidates = SettingCandidates(aspect, conditions, Situation().context(of: pair, agent: agent))
        candidates.collect()
        var (settings, truths, seen) = ([Situation.Setting](), [[Truth]](), Set<[Truth]>())
        for setting in candidates.settings {
            var situation = Situation()
            situation.set(setting)
            let context = situation.context(of: pair, agent: agent)
            let row = conditions.map { $0.holds(in: context) }
            guard seen.insert(row).inserted else { continue }
            settings.append(setting)
            truths.append(row)
        }
        (self.settings, self.truths, isComplete) = (settings, truths, candidates.isComplete)
    }
}
