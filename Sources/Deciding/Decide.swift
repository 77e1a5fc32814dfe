import Hashing
import Recognizing
import Vocabulary

/// What `policy` and the live grants of `grants` say of a call.
///
/// Pure and total. Each pair: `Deny`, then `RequireApproval`, then `Allow`, then `AllowWithApproval`, else
/// denied; the strictest pair is the call's answer. An ask that a live grant covers is an allow. Where the
/// call goes beyond the limit of a statement that matches it, by what `limits` holds, what is allowed or
/// asked is denied or asked as that limit says. In mode `observe` almost all is allowed, and marked. `host`
/// is the gate's, for `countersign:Host`; nil leaves it unknown.
package func decide(
    _ meaning: Meaning, caller: Caller, under policy: PolicySet, grants: GrantBook,
    limits: LimitBook = LimitBook(), mode: Mode = .enforce, host: String? = nil, at: Instant
) -> Decision {
    let decision = enforced(
        meaning, caller: caller, under: policy, grants: grants, limits: limits, host: host, at: at)
    return switch mode {
    case .enforce: decision
    case .observe: decision.observed(meaning)
    }
}

/// What holds where the gate does not just observe.
private func enforced(
    _ meaning: Meaning, caller: Caller, under policy: PolicySet, grants: GrantBook, limits: LimitBook,
    host: String?, at: Instant
) -> Decision {
    if let bar = meaning.bar {
        return .deny(Denial(items: meaning.judgedPairs.map { .init(pair: $0, reason: .barred(bar)) }))
    }
    if meaning.isAlwaysAnswered {
        return .allow(
            Allowance(meaning, grounds: meaning.judgedPairs.map { _ in .alwaysAnswered }, fingerprint: nil))
    }
    let pairs = meaning.judgedPairs
    var met = MetLimits(meaning, caller: caller, book: limits, at: at)
    var search = StatementSearch(policy, meaning, caller: caller, at: at, pairs: pairs, host: host)
    var verdicts: [Verdict] = []
    verdicts.reserveCapacity(pairs.count)
    var (denied, asksAny) = ([Denial.Item](), false)
    // What policy says of the pair without its limits.
    var unlimited = Verdict.deny(.byDefault)
    for place in pairs.indices {
        search.look(at: place)
        if !search.isUnchanged {
            unlimited = verdict(on: search.subject, vends: meaning.vendsCredentials, by: search.found)
        }
        let verdict =
            policy.hasLimits
            ? met.bounded(unlimited, search.context(at: place), under: policy) : unlimited
        switch verdict {
        case .allow: break
        case .ask: asksAny = true
        case .deny(let reason): denied.append(.init(pair: pairs[place], reason: reason))
        }
        verdicts.append(verdict)
    }
    if !denied.isEmpty { return .deny(Denial(items: denied)) }
    if let reach = met.tooMany {
        return .deny(Denial(items: meaning.judgedPairs.map { .init(pair: $0, reason: .limit(reach)) }))
    }

    let question = asksAny ? Question(pairs, verdicts, limits: met.asking) : nil
    let grant = question.flatMap { grants.covering($0, of: meaning.digest, for: caller, at: at) }
    var grounds: [Allowance.Ground] = []
    grounds.reserveCapacity(pairs.count)
    for verdict in verdicts {
        switch verdict {
        case .allow(let statement): grounds.append(.statement(statement.id))
        case .ask(let asked):
            guard let grant else {
                // INVARIANT: a pair that asks makes a question; were that wrong, nothing is allowed.
                return question.map(Decision.ask) ?? .deny(Denial(items: []))
            }
            grounds.append(.grant(grant, statements: asked.statements.map(\.id)))
        // INVARIANT: a denied pair has returned; were that wrong, nothing is allowed.
        case .deny: return .deny(Denial(items: []))
        }
    }
    return .allow(
        Allowance(meaning, grounds: grounds, fingerprint: question?.fingerprint, limits: met.claims))
}

extension Meaning {
    /// The pairs, at least one: for a call without any, one that nothing allows, so that the refusal names
    /// the call.
    var judgedPairs: [Pair] {
        guard pairs.isEmpty else { return pairs }
        let action = Action(prefix: service, name: operation)
        return [Pair(action: action, resource: .unknown, level: .unknown, sensitivity: .unrated)]
    }
}

/// What policy says of one pair.
enum Verdict {
    case allow(Statement)
    indirect case ask(Asked)
    indirect case deny(Denial.Reason)
}

/// The statements that ask about one pair, at least one, with their terms merged.
struct Asked {
    let statements: [Statement]
    let terms: ApprovalTerms

    /// Nil when none of `statements` asks.
    init?(_ statements: [Statement]) {
        let terms = statements.compactMap(\.terms)
        guard let first = terms.first else { return nil }
        self.statements = statements
        self.terms = terms.dropFirst().reduce(first) { $0.merged(with: $1) }
    }
}

/// What of a pair decides beside the statements that apply to it.
struct Subject {
    let action: Action
    /// Whether a call is known to need it, and the action has a name.
    let isNamed: Bool
    /// Whether nothing of its resource is known.
    var isWhollyUnknown: Bool

    init(_ pair: Pair, of meaning: Meaning) {
        action = pair.action
        isNamed = !meaning.pairs.isEmpty && pair.action.isNamed
        isWhollyUnknown = pair.resource.isWhollyUnknown
    }
}

/// What `matching`, which are all statements that apply to a pair, in the order of the set, say of it
/// together; `vends` if the reply may hold credentials.
func verdict(on subject: Subject, vends: Bool, by matching: [Statement]) -> Verdict {
    // What has no name is nobody's to allow, also under `*`.
    guard subject.isNamed else { return .deny(.byDefault) }
    // Of a reply with credentials what permits must name the action, and something must.
    var (floor, allow, asks, isNamed) = ([Statement](), Statement?.none, [Statement](), !vends)
    for statement in matching {
        let names = !vends || statement.names(subject.action)
        switch statement.effect {
        case .deny: return .deny(.statement(statement.id))
        case .requireApproval: floor.append(statement)
        case .allow: allow = allow ?? (names ? statement : nil)
        case .allowWithApproval: if names { asks.append(statement) }
        }
        isNamed = isNamed || names
    }
    if !isNamed { return .deny(matching.isEmpty ? .byDefault : .vendsCredentials) }
    if subject.isWhollyUnknown {
        // Nobody can allow what is not named; humans can be asked about it, where policy asks about
        // everything.
        let wide =
            floor.contains(where: \.isForEveryResource) ? floor : floor + asks.filter(\.isForEveryResource)
        guard wide.contains(where: \.isForEveryResource), let asked = Asked(wide) else {
            return .deny(matching.isEmpty ? .byDefault : .unknownResource)
        }
        return .ask(asked)
    }
    if !floor.isEmpty, let asked = Asked(floor) { return .ask(asked) }
    if let allow { return .allow(allow) }
    return Asked(asks).map(Verdict.ask) ?? .deny(.byDefault)
}

extension Resource {
    /// Nothing is known of it, not even its type.
    var isWhollyUnknown: Bool { parts.count == 1 && parts[0] == .unknown }
}

extension Action {
    /// Whether it names an action: no part is empty, none holds a wildcard.
    var isNamed: Bool {
        !prefix.isEmpty && !name.isEmpty
            && !prefix.utf8.contains { $0 == 0x2A || $0 == 0x3F }
            && !name.utf8.contains { $0 == 0x2A || $0 == 0x3F }
    }
}

extension Question {
    /// What humans must be asked before a call of `pairs` may be sent; nil when no pair asks.
    fileprivate init?(_ pairs: [Pair], _ verdicts: [Verdict], limits: [String]) {
        var (asking, terms) = ([Pair](), ApprovalTerms?.none)
        var statements: [StatementID: Statement] = [:]
        for (pair, verdict) in zip(pairs, verdicts) {
            guard case .ask(let asked) = verdict else { continue }
            asking.append(pair)
            terms = terms?.merged(with: asked.terms) ?? asked.terms
            for statement in asked.statements { statements[statement.id] = statement }
        }
        guard let terms else { return nil }
        let sorted = statements.values.sorted { $0.id < $1.id }
        let text = sorted.map { "\($0.id) \($0.digest)\n" }.joined()
        self.init(
            pairs: asking, statements: sorted.map(\.id), terms: terms, fingerprint: sha256(text),
            limits: limits)
    }
}
