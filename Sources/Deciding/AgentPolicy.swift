import Recognizing
import Vocabulary

/// The session policy of one agent for some services: what the `Allow` statements of a set cover for it, less
/// what the set denies it or asks about.
///
/// What AWS cannot be told is left out, never widened: a statement that allows by the hour, by a count or by
/// what only the gate sees is not in it, and one that denies or asks by such a thing denies whatever it says.
/// ``covers(_:of:caller:host:at:)`` tells which calls that keeps out; they need a policy of their own pairs.
package struct AgentPolicy: Sendable {
    package let policy: SessionPolicy
    /// The actions for which each `Allow` statement is in the policy.
    private let permitted: [StatementID: Set<Action>]
    /// Statements whose denial in the policy is wider than their own.
    private let overdone: [Statement]

    /// The policy for `caller`'s calls of actions of the services `prefixes`.
    ///
    /// Who calls is settled by `caller` and `host`; the task only where the caller is `signed`, since any
    /// other changes it with every call.
    ///
    /// - Throws: ``SessionPolicyError/tooLarge(count:)``.
    package init(
        for set: PolicySet, caller: Caller, host: String?, prefixes: Set<String>, isCompact: Bool = false,
        catalog: Catalog = .builtIn
    ) throws(SessionPolicyError) {
        try self.init(
            for: set, caller: caller, host: host, prefixes: prefixes, isCompact: isCompact,
            over: FacetedAction.all(in: catalog, of: prefixes))
    }

    /// `actions` are all of the services `prefixes`.
    init(
        for set: PolicySet, caller: Caller, host: String?, prefixes: Set<String>, isCompact: Bool,
        over actions: [FacetedAction]
    ) throws(SessionPolicyError) {
        var writer = AgentPolicyWriter(caller, host: host, prefixes, actions)
        let agent = caller.agent.text.unicodeScalars.map(\.value)
        let own = set.statements.filter { $0.covers(agent: agent) }
        for statement in own where statement.effect == .allow { writer.permit(statement) }
        for statement in own where !statement.effect.permits { writer.restrict(statement) }
        permitted = writer.permitted
        overdone = writer.overdone
        policy = try SessionPolicy(isCompact ? writer.compacted : Boundary.merged(writer.rules))
    }

    /// Whether AWS lets a session with this policy make the call of `meaning`, which `allowance` allows, as
    /// far as the policy says.
    package func covers(
        _ allowance: Allowance, of meaning: Meaning, caller: Caller, host: String?, at: Instant
    ) -> Bool {
        guard allowance.call == meaning.digest, allowance.grounds.count == meaning.pairs.count,
            let first = meaning.pairs.first
        else { return false }
        for (pair, ground) in zip(meaning.pairs, allowance.grounds) {
            switch ground {
            case .statement(let id): guard permitted[id]?.contains(pair.action) ?? false else { return false }
            case .alwaysAnswered: continue
            case .grant, .observed: return false
            }
        }
        guard !overdone.isEmpty else { return true }
        let context = ConditionContext(meaning: meaning, caller: caller, at: at, pair: first, host: host)
        return meaning.pairs.allSatisfy { pair in
            context.pair = pair
            let resource = ResourceText(pair.resource)
            return !overdone.contains {
                $0.covers(action: pair.action) && $0.covers(resource, in: context) != .no
            }
        }
    }
}

/// Gathers the rules of an ``AgentPolicy``.
struct AgentPolicyWriter {
    private(set) var rules: [Boundary.Rule] = []
    private(set) var permitted: [StatementID: Set<Action>] = [:]
    private(set) var overdone: [Statement] = []
    private let caller: Caller
    private let prefixes: Set<String>
    /// Every action of the services.
    private let actions: [FacetedAction]
    private let context: ConditionContext

    init(_ caller: Caller, host: String?, _ prefixes: Set<String>, _ actions: [FacetedAction]) {
        (self.caller, self.prefixes, self.actions) = (caller, prefixes, actions)
        let pair = Pair(
            action: Action(prefix: "", name: ""), resource: .unknown, level: .unknown, sensitivity: .unrated)
        // What is asked of it depends on the caller and the host alone, or on the pair's action.
        context = ConditionContext(
            meaning: Situation().meaning(of: pair, vends: false), caller: caller,
            at: PolicyCase.usualMoment, pair: pair, host: host)
    }

    /// The rules in fewer characters: actions that begin alike as one pattern, where it matches no other.
    var compacted: [Boundary.Rule] {
        let sharing = ActionSharing(actions.map(\.action))
        var rules = Boundary.merged(rules)
        for index in rules.indices {
            let patterns = rules[index].actions.map { text in
                // INVARIANT: each text is `prefix:name`, as `texts` wrote it.
                let halves = text.utf8.split(separator: 0x3A, maxSplits: 1)
                return (
                    prefix: halves.first.flatMap { String($0) } ?? "",
                    name: Pattern(halves.dropFirst().first.flatMap { Substring($0) } ?? "", foldsCase: true)
                )
            }
            let matched = actions.map(\.action).filter { action in
                patterns.contains {
                    $0.prefix.utf8.elementsEqual(action.prefix.utf8) && $0.name.matches(action.name)
                }
            }
            rules[index].actions = sharing.patterns(for: Set(matched))
        }
        return Boundary.merged(rules)
    }

    // MARK: - Statements

    /// Adds what `statement` allows and AWS can be told.
    mutating func permit(_ statement: Statement) {
        var (lines, byAction) = ([Boundary.Line](), [Condition]())
        for condition in statement.scope.conditions {
            switch reach(of: condition) {
            case .settled(let truth): guard truth == .yes else { return }
            case .byAction: byAction.append(condition)
            case .kept(let line):
                guard lines.allSatisfy({ !$0.isBeside(line) }) else { return }
                lines.append(line)
            case .gateOnly: return
            }
        }
        let written = statement.scope.resources.map(written)
        // An exception that is void is no leave to touch everything.
        if written.contains(.gateOnly) || statement.scope.exceptsResources && written.contains(.nothing) {
            return
        }
        let resources = written.compactMap(\.text)
        let covered = actions.filter { statement.covers(action: $0.action) }
        let wanted = covered.filter { faceted in
            faceted.facets.allSatisfy { facet, _ in
                truth(of: byAction, for: faceted.action, facet) == .yes
                    && (!facet.vends || statement.names(faceted.action))
            }
        }
        guard !resources.isEmpty, !wanted.isEmpty else { return }
        let isWhole = wanted.count == covered.count && !statement.scope.exceptsActions
        let texts = isWhole ? texts(of: statement) : wanted.map(\.action.description)
        permitted[statement.id] = Set(wanted.map(\.action))
        rules.append(
            Boundary.Rule(
                denies: false, actions: texts, exceptsActions: false, resources: resources,
                exceptsResources: statement.scope.exceptsResources, conditions: lines))
    }

    /// Adds the denial of what `statement`, which denies or asks, says of anything allowed so far.
    mutating func restrict(_ statement: Statement) {
        var (lines, byAction, isOverdone) = ([Boundary.Line](), [Condition](), false)
        for condition in statement.scope.conditions {
            switch reach(of: condition) {
            case .settled(let truth): if truth == .no { return }
            case .byAction: byAction.append(condition)
            case .kept(let line) where lines.allSatisfy { !$0.isBeside(line) }: lines.append(line)
            case .kept, .gateOnly: isOverdone = true
            }
        }
        let texts = statement.scope.resources.map(written)
        var (resources, exceptsResources) = (texts.compactMap(\.text), statement.scope.exceptsResources)
        if texts.contains(.gateOnly) {
            (resources, exceptsResources, isOverdone) = (["*"], false, true)
        } else if resources.isEmpty {
            // Nothing is excepted, so it is everything; or nothing is meant.
            guard exceptsResources else { return }
            (resources, exceptsResources) = (["*"], false)
        }
        let allowed = permitted.values.reduce(into: Set<Action>()) { $0.formUnion($1) }
        let wanted = actions.filter { faceted in
            guard allowed.contains(faceted.action), statement.covers(action: faceted.action) else {
                return false
            }
            let truths = faceted.facets.map { truth(of: byAction, for: faceted.action, $0.facet) }
            guard truths.contains(where: { $0 != .no }) else { return false }
            // AWS does not tell a look at an object from a read of it.
            if truths.contains(.no) { isOverdone = true }
            return true
        }
        guard !wanted.isEmpty else { return }
        let isWhole = byAction.isEmpty && !statement.scope.exceptsActions
        rules.append(
            Boundary.Rule(
                denies: true, actions: isWhole ? self.texts(of: statement) : wanted.map(\.action.description),
                exceptsActions: false, resources: resources, exceptsResources: exceptsResources,
                conditions: lines))
        if isOverdone { overdone.append(statement) }
    }

    /// The action patterns of `statement` as far as they are about the services.
    private func texts(of statement: Statement) -> [String] {
        statement.scope.actions.flatMap { pattern -> [String] in
            guard let prefix = pattern.prefix else { return prefixes.sorted().map { $0 + ":*" } }
            guard prefixes.contains(prefix) else { return [] }
            guard pattern.literal != nil else {
                // The service in lower case, the name as it stands.
                return [prefix + ":" + String(Substring(pattern.text.utf8.dropFirst(prefix.utf8.count + 1)))]
            }
            return actions.filter { pattern.matches($0.action) }.map(\.action.description)
        }
    }

    // MARK: - Conditions

    /// What a condition is to AWS.
    private enum Reach {
        /// It is worth this for every call of the caller.
        case settled(Truth)
        /// The action, as its operation needs it, settles it.
        case byAction
        /// AWS judges it.
        case kept(Boundary.Line)
        /// It hangs on what only the gate sees of a call.
        case gateOnly
    }

    private func reach(of condition: Condition) -> Reach {
        if condition.isByAction { return .byAction }
        let isOwn = condition.keys.map { key in
            if case .own = key { return true }
            return false
        }
        if !isOwn.contains(true) { return .kept(condition.line) }
        guard condition.keys.allSatisfy(isSettled) else { return .gateOnly }
        return .settled(condition.holds(in: context))
    }

    /// Whether `key` is worth the same in every call of the caller.
    private func isSettled(_ key: Condition.Key) -> Bool {
        switch key {
        case .own(.agent), .own(.session), .own(.strength), .own(.host): true
        case .own(.task): caller.strength == .signed
        case .own(.accessLevel), .own(.mutates), .own(.sensitivity), .own(.wireProtocol), .own(.itemCount),
            .own(.bodyBytes), .own(.hourUTC), .request:
            false
        }
    }

    private func truth(of conditions: [Condition], for action: Action, _ facet: ActionFacet) -> Truth {
        guard !conditions.isEmpty else { return .yes }
        context.pair = Pair(
            action: action, resource: .unknown, level: facet.level, sensitivity: facet.sensitivity)
        return conditions.reduce(.yes) { $0 && $1.holds(in: context) }
    }

    // MARK: - Resources

    private enum Written: Equatable {
        case text(String)
        /// A variable of it has no value, so it covers nothing.
        case nothing
        case gateOnly

        var text: String? { if case .text(let text) = self { text } else { nil } }
    }

    /// `pattern` with the caller's values in place of our own variables.
    private func written(_ pattern: ResourcePattern) -> Written {
        let own = pattern.variables.filter { key in
            if case .own = key { return true }
            return false
        }
        guard !own.isEmpty else { return .text(pattern.forAWS) }
        guard own.allSatisfy(isSettled) else { return .gateOnly }
        var (text, rest) = (String.UnicodeScalarView(), Array(pattern.forAWS.unicodeScalars)[...])
        while let scalar = rest.first {
            guard scalar == "$", rest.dropFirst().first == "{", let end = rest.firstIndex(of: "}") else {
                text.append(scalar)
                rest = rest.dropFirst()
                continue
            }
            let whole = String(String.UnicodeScalarView(rest[...end]))
            rest = rest[(end + 1)...]
            do throws(PatternFault) {
                let variable = try PolicyText(parsing: whole, hasWildcards: true)
                guard case .own? = variable.variables.first else {
                    text += whole.unicodeScalars
                    continue
                }
                guard case .pattern(let value) = variable.resolved(in: context),
                    let literal = value.literalText
                else {
                    // Unknown is the host alone, to the gate itself: then nobody knows what it is about.
                    return context.value(of: .own(.host)) == .unknown ? .gateOnly : .nothing
                }
                for scalar in literal.unicodeScalars {
                    let isSpecial = scalar == "*" || scalar == "?" || scalar == "$"
                    text += (isSpecial ? "${\(scalar)}" : String(scalar)).unicodeScalars
                }
            } catch {
                // INVARIANT: the pattern was read whole, and so this part of it; were it not, nothing is
                // said.
                return .gateOnly
            }
        }
        return .text(String(text))
    }
}

extension Boundary.Line {
    /// Whether both would be one member of a `Condition` block.
    fileprivate func isBeside(_ other: Self) -> Bool {
        comparator.utf8.elementsEqual(other.comparator.utf8)
            && key.asciiLowercased.utf8.elementsEqual(other.key.asciiLowercased.utf8)
    }
}
