import Hashing
import Recognizing
import Vocabulary

/// What `policy` and the live grants of `grants` say of a call.
///
/// Pure and total. Each pair: `Deny`, then `RequireApproval`, then `Allow`, then `AllowWithApproval`, else
/// denied; the strictest pair is the call's answer. An ask that a live grant covers is an allow. Where the
/// call goes beyond the limit of a statement that matches it, by what `limits` holds, what is allowed or
/// asked is denied or asked as that limit says.
package func decide(
    _ meaning: Meaning, caller: Caller, under policy: PolicySet, grants: GrantBook,
    limits: LimitBook = LimitBook(), at: Instant
) -> Decision {
    if let bar = meaning.bar {
        return .deny(Denial(items: meaning.judgedPairs.map { .init(pair: $0, reason: .barred(bar)) }))
    }
    if meaning.isAlwaysAnswered {
        return .allow(
            Allowance(meaning, grounds: meaning.judgedPairs.map { _ in .alwaysAnswered }, fingerprint: nil))
    }
    var met = MetLimits(meaning, caller: caller, book: limits, at: at)
    let verdicts = meaning.judgedPairs.map { pair in
        let context = ConditionContext(meaning: meaning, caller: caller, at: at, pair: pair)
        return met.bounded(judge(context, under: policy), context, under: policy)
    }
    let denied = zip(meaning.judgedPairs, verdicts).compactMap { pair, verdict -> Denial.Item? in
        guard case .deny(let reason) = verdict else { return nil }
        return Denial.Item(pair: pair, reason: reason)
    }
    if !denied.isEmpty { return .deny(Denial(items: denied)) }
    if let reach = met.tooMany {
        return .deny(Denial(items: meaning.judgedPairs.map { .init(pair: $0, reason: .limit(reach)) }))
    }

    let question = Question(meaning.judgedPairs, verdicts, limits: met.asking)
    let grant = question.flatMap { grants.covering($0, of: meaning.digest, for: caller, at: at) }
    var grounds: [Allowance.Ground] = []
    for verdict in verdicts {
        switch (verdict, question, grant) {
        case (.allow(let statement), _, _): grounds.append(.statement(statement.id))
        case (.ask(let asked), _, let grant?):
            grounds.append(.grant(grant, statements: asked.statements.map(\.id)))
        case (.ask, let question?, nil): return .ask(question)
        // INVARIANT: a pair that asks makes a question, and a denied one has returned; were either wrong,
        // nothing is allowed.
        case (.ask, nil, nil), (.deny, _, _): return .deny(Denial(items: []))
        }
    }
    return .allow(
        Allowance(meaning, grounds: grounds, fingerprint: question?.fingerprint, limits: met.claims))
}

extension Meaning {
    /// The pairs; for a call without any, one that nothing allows, so that the refusal names the call.
    var judgedPairs: [Pair] {
        guard pairs.isEmpty else { return pairs }
        let action = Action(prefix: service, name: operation)
        return [Pair(action: action, resource: .unknown, level: .unknown, sensitivity: .unrated)]
    }
}

/// What policy says of one pair.
enum Verdict {
    case allow(Statement)
    case ask(Asked)
    case deny(Denial.Reason)
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

private func judge(_ context: ConditionContext, under policy: PolicySet) -> Verdict {
    let resource = ResourceText(context.pair.resource)
    let matching = policy.candidates(for: context.pair).filter {
        policy.statements[$0].applies(to: resource, in: context)
    }
    .map { policy.statements[$0] }
    return verdict(on: resource, in: context, by: matching)
}

/// What `matching`, which are all statements that apply to the pair of `context`, say of it together.
func verdict(on resource: ResourceText, in context: ConditionContext, by matching: [Statement]) -> Verdict {
    let (meaning, pair) = (context.meaning, context.pair)
    // What has no name is nobody's to allow, also under `*`.
    guard !meaning.pairs.isEmpty, pair.action.isNamed else { return .deny(.byDefault) }
    func those(_ effect: Effect) -> [Statement] { matching.filter { $0.effect == effect } }

    if let denial = those(.deny).first { return .deny(.statement(denial.id)) }
    let floor = those(.requireApproval)
    var (allows, asks) = (those(.allow), those(.allowWithApproval))
    if meaning.vendsCredentials {
        // The reply holds credentials: what permits must name the action, and something must.
        (allows, asks) = (allows.filter { $0.names(pair.action) }, asks.filter { $0.names(pair.action) })
        let isNamed = !allows.isEmpty || !asks.isEmpty || floor.contains { $0.names(pair.action) }
        if !isNamed { return .deny(matching.isEmpty ? .byDefault : .vendsCredentials) }
    }
    if resource.isWhollyUnknown {
        // Nobody can allow what is not named; humans can be asked about it, where policy asks about
        // everything.
        let wide =
            floor.contains(where: \.isForEveryResource) ? floor : floor + asks.filter(\.isForEveryResource)
        guard wide.contains(where: \.isForEveryResource), let asked = Asked(wide) else {
            return .deny(matching.isEmpty ? .byDefault : .unknownResource)
        }
        return .ask(asked)
    }
    if let asked = Asked(floor) { return .ask(asked) }
    if let allow = allows.first { return .allow(allow) }
    return Asked(asks).map(Verdict.ask) ?? .deny(.byDefault)
}

extension Action {
    /// Whether it names an action: no part is empty, none holds a wildcard.
    fileprivate var isNamed: Bool {
        let wildcards: [UInt8] = [0x2A, 0x3F]
        return !prefix.isEmpty && !name.isEmpty
            && !prefix.utf8.contains(where: wildcards.contains)
            && !name.utf8.contains(where: wildcards.contains)
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
