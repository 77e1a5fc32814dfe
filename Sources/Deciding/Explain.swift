import Recognizing
import Vocabulary

/// Why a call is decided as it is: each statement tried on each pair, and what every part of it came to.
package struct Explanation: Sendable {
    /// What is known of a condition key, and where that is not a value, why not.
    package enum Fact: Hashable, Sendable {
        case filled([String])
        case absent(why: String)
        case unknown(why: String)
    }

    /// One line of a `Condition` block, tried on one pair.
    package struct ConditionTrial: Hashable, Sendable {
        /// `StringEquals`, `ForAllValues:StringLike`, as the file has it.
        package let comparator: String
        package let key: String
        package let values: [String]
        package let truth: Truth
        /// What the key holds.
        package let fact: Fact
        /// The policy variables in the values.
        package let variables: [Variable]
        /// Why it is unknown although the key has a value; else nil.
        package let why: String?
    }

    /// A policy variable and what it stands for here.
    package struct Variable: Hashable, Sendable {
        package let key: String
        package let fact: Fact
    }

    /// The limit of a statement, tried on one call.
    package struct LimitTrial: Hashable, Sendable {
        /// `100 calls a minute per agent, then ask`.
        package let text: String
        /// Whether it binds the pair: it does also where what is not known keeps its statement from applying.
        package let binds: Bool
        /// Why the call would be beyond it; nil where there is room.
        package let reach: LimitReach?
    }

    /// One statement, tried on one pair.
    package struct Trial: Sendable {
        package let statement: Statement
        package let coversAgent: Bool
        package let coversAction: Bool
        package let resource: Truth
        /// `Resource` as the file has it, or `NotResource` where ``exceptsResources``.
        package let resources: [String]
        package let exceptsResources: Bool
        /// The policy variables in ``resources``.
        package let variables: [Variable]
        package let conditions: [ConditionTrial]
        /// Its `Limit`; nil when it has none.
        package let limit: LimitTrial?
        /// Whether it takes effect: what permits needs a yes of all parts, what restricts anything but a no.
        package let applies: Bool
    }

    /// What the statements say of one pair.
    package enum PairDecision: Hashable, Sendable {
        case allow(StatementID)
        case ask([StatementID], ApprovalTerms)
        case deny(Denial.Reason)
        /// `sts:GetCallerIdentity`.
        case alwaysAnswered
    }

    /// One pair, with all statements of the set in its order.
    package struct PairTrial: Sendable {
        package let pair: Pair
        package let trials: [Trial]
        package let decision: PairDecision
    }

    package let meaning: Meaning
    package let caller: Caller
    package let pairs: [PairTrial]
    /// What ``decide(_:caller:under:grants:limits:at:)`` says of the call, with no grant at hand.
    package let decision: Decision
}

/// Why `policy` decides a call as it does, with no grant at hand; `limits` is what was sent before, `host`
/// that of the gate, nil where it is not known.
///
/// Tries every statement, also those that `decide` need not look at, with the same functions.
package func explain(
    _ meaning: Meaning, caller: Caller, under policy: PolicySet, limits: LimitBook = LimitBook(),
    host: String? = nil, at: Instant
) -> Explanation {
    var met = MetLimits(meaning, caller: caller, book: limits, at: at)
    let pairs = meaning.judgedPairs.map { pair in
        let context = ConditionContext(meaning: meaning, caller: caller, at: at, pair: pair, host: host)
        let resource = ResourceText(pair.resource)
        let trials = policy.statements.map {
            Explanation.Trial($0, on: resource, in: context, limits: limits)
        }
        let applying = trials.filter(\.applies).map(\.statement)
        let decision: Explanation.PairDecision =
            if let bar = meaning.bar {
                .deny(.barred(bar))
            } else if meaning.isAlwaysAnswered {
                .alwaysAnswered
            } else {
                Explanation.PairDecision(
                    met.bounded(
                        verdict(
                            on: Subject(pair, of: meaning), vends: meaning.vendsCredentials, by: applying),
                        context, under: policy))
            }
        return Explanation.PairTrial(pair: pair, trials: trials, decision: decision)
    }
    return Explanation(
        meaning: meaning, caller: caller, pairs: pairs,
        decision: decide(
            meaning, caller: caller, under: policy, grants: GrantBook(), limits: limits, host: host, at: at))
}

extension Explanation.PairDecision {
    fileprivate init(_ verdict: Verdict) {
        switch verdict {
        case .allow(let statement): self = .allow(statement.id)
        case .ask(let asked): self = .ask(asked.statements.map(\.id), asked.terms)
        case .deny(let reason): self = .deny(reason)
        }
    }
}

extension Explanation.Trial {
    fileprivate init(
        _ statement: Statement, on resource: ResourceText, in context: ConditionContext, limits: LimitBook
    ) {
        self.statement = statement
        coversAgent = statement.covers(agent: context.agent)
        coversAction = statement.covers(action: context.pair.action)
        self.resource = statement.covers(resource, in: context)
        let patterns = statement.scope.resources
        resources = patterns.map(\.text)
        exceptsResources = statement.scope.exceptsResources
        variables = context.variables(patterns.flatMap(\.variables))
        conditions = statement.scope.conditions.map { Explanation.ConditionTrial($0, in: context) }
        limit = statement.limit.map {
            .init($0, of: statement, on: resource, in: context, limits: limits)
        }
        applies =
            coversAgent && coversAction
            && statement.takesEffect(conditions.reduce(self.resource) { $0 && $1.truth })
    }
}

extension Explanation.LimitTrial {
    fileprivate init(
        _ limit: Limit, of statement: Statement, on resource: ResourceText, in context: ConditionContext,
        limits: LimitBook
    ) {
        text = limit.description
        binds = statement.limits(resource, in: context)
        let meaning = context.meaning
        let amount = Limit.Amount(calls: 1, items: meaning.itemCount, bytes: meaning.bodyByteCount)
        reach =
            binds
            ? limits.reach(limit, in: statement.id, by: context.caller, adding: amount, at: context.at) : nil
    }
}

extension Explanation.ConditionTrial {
    fileprivate init(_ condition: Condition, in context: ConditionContext) {
        comparator = condition.written.comparator
        key = condition.written.key
        values = condition.written.values
        truth = condition.holds(in: context)
        fact = context.fact(of: condition.key)
        variables = context.variables(condition.variables)
        why = Self.why(condition, truth, fact, variables)
    }

    private static func why(
        _ condition: Condition, _ truth: Truth, _ fact: Explanation.Fact, _ variables: [Explanation.Variable]
    ) -> String? {
        guard truth == .unknown, case .filled(let values) = fact else { return nil }
        if condition.quantifier == .single, values.count > 1 {
            return "several values are compared under `ForAllValues:` or `ForAnyValue:` alone"
        }
        let lacksValue = variables.contains {
            if case .filled(let values) = $0.fact { values.count != 1 } else { true }
        }
        if lacksValue { return "a variable of it has not one value" }
        if values.allSatisfy(\.isEmpty) { return "AWS may take an empty text for no value" }
        return "the value is not of the operator's type"
    }
}

extension Condition {
    /// The keys that its values take in as policy variables.
    fileprivate var variables: [Key] {
        switch comparison {
        case .string(let texts), .arn(let texts): texts.flatMap(\.variables)
        case .bool, .ordered, .binary, .address, .null: []
        }
    }
}

extension Condition.Key {
    /// The key as people write it: ours by its own name, a request's in lower case.
    fileprivate var text: String {
        switch self {
        case .own(let key): key.rawValue
        case .request(let name): name
        }
    }
}

extension ConditionContext {
    /// Each of `keys` once, with its value.
    fileprivate func variables(_ keys: [Condition.Key]) -> [Explanation.Variable] {
        var seen: Set<Condition.Key> = []
        return keys.filter { seen.insert($0).inserted }
            .map { Explanation.Variable(key: $0.text, fact: fact(of: $0)) }
    }

    /// What `key` holds, and where it has no value, why.
    fileprivate func fact(of key: Condition.Key) -> Explanation.Fact {
        switch value(of: key) {
        case .filled(let values): return .filled(values)
        case .absent:
            guard case .own(let own) = key else { return .absent(why: "the call does not have it") }
            return .absent(why: own == .task ? "the agent states no task" : "the call does not have it")
        case .unknown:
            let name: String
            switch key {
            case .own(.host):
                return .unknown(why: "which host the gate runs on is not known here: --host says it")
            case .own: return .unknown(why: "AWS does not say which level \(pair.action) has")
            case .request(let request): name = request
            }
            if isOfItsActions(name) { return .unknown(why: "AWS does not list it for \(pair.action)") }
            return .unknown(why: "the request does not tell, so the gate cannot know")
        }
    }

    /// Whether `name`, in lower case, is a key that actions have or have not, and this pair's is known to
    /// have not.
    private func isOfItsActions(_ name: String) -> Bool {
        let known = Catalog.builtIn.service(named: meaning.service)?.operation(named: meaning.operation)
        let own = known?.actions.filter { $0.action == pair.action && $0.isKnown } ?? []
        guard !own.isEmpty, Catalog.builtIn.isKnownConditionKey(name) else { return false }
        return !own.contains { $0.conditionKeys.contains { isInstance(name, of: $0) } }
    }

    /// Whether `name` is the key `template`, which may end in a part of the caller's choice: `${TagKey}`.
    private func isInstance(_ name: String, of template: String) -> Bool {
        let fixed = template.asciiLowercased.utf8.prefix { $0 != 0x24 }
        return fixed.count == template.utf8.count
            ? fixed.elementsEqual(name.utf8) : name.utf8.starts(with: fixed)
    }
}
