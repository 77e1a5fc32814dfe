import Recognizing
import Vocabulary

/// Writes statements of a set as rules of its ``Boundary``.
struct RuleWriter {
    private let actions: [FacetedAction]
    private let byPrefix: [String: [Action]]
    private let agents: AgentClasses
    private let catalog: Catalog
    private let set: PolicySet

    /// The most actions that a condition of ours is turned into: beyond it the condition is left out.
    private static let actionCountMax = 150

    init(_ set: PolicySet, _ actions: [FacetedAction], _ catalog: Catalog) {
        (self.set, self.catalog) = (set, catalog)
        self.actions = actions
        byPrefix = Dictionary(grouping: actions.map(\.action), by: \.prefix)
        agents = AgentClasses([set])
    }

    /// The rule for `statement`, and what it says otherwise; no rule where it opens nothing, or denies what
    /// cannot be told AWS.
    func rule(for statement: Statement) -> (Boundary.Rule?, [String]) {
        let isFor = agents.classes.map { statement.covers(agent: $0.scalars) }
        if agents.isComplete, !isFor.contains(true) { return (nil, ["left out: it is for no agent"]) }
        guard statement.effect == .deny else { return permission(statement) }
        let others = zip(agents.classes, isFor).filter { !$0.1 }.map(\.0)
        let bindsOthers = !agents.isComplete || others.contains { opens(something: statement, to: $0) }
        guard !bindsOthers else {
            return (
                nil, ["left out: it denies what others than its agents may do, and the role is all of them"]
            )
        }
        return denial(statement)
    }

    /// Whether some statement that permits is for `agent` and for an action that `denial` denies.
    private func opens(something denial: Statement, to agent: AgentClasses.Class) -> Bool {
        set.statements.contains { statement in
            guard statement.effect != .deny, statement.covers(agent: agent.scalars) else { return false }
            guard let own = statement.prefixes, let denied = denial.prefixes else { return true }
            return own.intersection(denied).contains { prefix in
                byPrefix[prefix]?.contains { statement.covers(action: $0) && denial.covers(action: $0) }
                    ?? false
            }
        }
    }

    // MARK: - What permits

    private func permission(_ statement: Statement) -> (Boundary.Rule?, [String]) {
        var notes: [String] = []
        var rule = plain(statement)
        let byLevel = statement.scope.conditions.filter(\.isByAction)
        var left = byLevel
        if !byLevel.isEmpty, !statement.scope.exceptsActions,
            let narrowed = matching(
                statement, byLevel, { $0 == .yes || !statement.effect.permits && $0 != .no })
        {
            if narrowed.isEmpty { return (nil, ["left out: no action is such as it says"]) }
            (rule.actions, left) = (narrowed, [])
        }
        for condition in statement.scope.conditions where !condition.isByAction {
            let isKept =
                statement.effect.permits
                ? condition.isSameForAWS : condition.isAlwaysKnown && condition.isSameForAWS
            let line = condition.line
            if isKept,
                !rule.conditions.contains(where: { $0.comparator == line.comparator && $0.key == line.key })
            {
                rule.conditions.append(line)
            } else {
                left.append(condition)
            }
        }
        if !left.isEmpty {
            let keys = Set(left.map(\.written.key)).sorted().map { "`\($0)`" }.joined(separator: ", ")
            notes.append("wider: without its conditions on \(keys)")
        }
        let (resources, isWider) = resources(of: statement)
        rule.resources = resources
        if resources.isEmpty { (rule.resources, rule.exceptsResources) = (["*"], false) }
        if isWider { notes.append("wider: the gateway's own variables in its resources are any text") }
        return (rule, notes)
    }

    /// Its resources without variables of our own: `*` where any text may stand, or no exception at all.
    private func resources(of statement: Statement) -> ([String], isWider: Bool) {
        var isWider = false
        let texts = statement.scope.resources.compactMap { pattern -> String? in
            guard pattern.variables.contains(where: { !$0.isSameForAWS }) else { return pattern.forAWS }
            isWider = true
            return statement.scope.exceptsResources ? nil : pattern.forAWS.withoutVariables
        }
        return (texts, isWider)
    }

    // MARK: - What denies

    private func denial(_ statement: Statement) -> (Boundary.Rule?, [String]) {
        var rule = plain(statement)
        let byLevel = statement.scope.conditions.filter(\.isByAction)
        if !byLevel.isEmpty {
            // Denied is what is denied however it is called.
            guard !statement.scope.exceptsActions,
                let narrowed = matching(statement, byLevel, { $0 != .no }, inEvery: true)
            else { return (nil, ["left out: AWS does not know \(names(byLevel))"]) }
            guard !narrowed.isEmpty else {
                return (nil, ["left out: it denies no action however it is called"])
            }
            rule.actions = narrowed
        }
        let others = statement.scope.conditions.filter { !$0.isByAction }
        let unknown = others.filter { !$0.isSameForAWS }
        guard unknown.isEmpty else {
            return (nil, ["left out: AWS does not know, or not alike, \(names(unknown))"])
        }
        rule.conditions = others.map(\.line)
        let isTied = statement.scope.resources.flatMap(\.variables).contains { !$0.isSameForAWS }
        let places = rule.conditions.map { [$0.comparator, $0.key.asciiLowercased] }
        guard !isTied, Set(places).count == places.count else {
            return (nil, ["left out: its resources or conditions cannot be written for AWS"])
        }
        return (rule, [])
    }

    /// The actions whose reply holds credentials and that no statement names, though some are for them: the
    /// gate denies them. By service: those first that hand out what opens most.
    var vendingActions: [Set<Action>] {
        let permitting = set.statements.filter { $0.effect != .deny }
        let found = actions.filter { faceted in
            // An action that other operations need too is not denied to them.
            faceted.facets.allSatisfy(\.facet.vends) && !permitting.contains { $0.names(faceted.action) }
                && permitting.contains { $0.covers(action: faceted.action) }
                && catalog.isKnownAction(prefix: faceted.action.prefix, name: faceted.action.name)
        }
        // Keys and sessions of AWS itself, passwords of machines, tokens for its stores.
        let first = [
            "sts", "iam", "sso", "ec2", "ssm", "ecr", "eks-auth", "cognito-identity", "lakeformation", "s3",
        ]
        func rank(_ prefix: String) -> Int {
            first.firstIndex { $0.utf8.elementsEqual(prefix.utf8) } ?? first.count
        }
        return Dictionary(grouping: found.map(\.action), by: \.prefix)
            .sorted { (rank($0.key), $0.key) < (rank($1.key), $1.key) }.map { Set($0.value) }
    }

    /// The rule that denies `actions` whatever they touch.
    func denial(of actions: Set<Action>) -> Boundary.Rule {
        Boundary.Rule(
            denies: true, actions: patterns(for: actions), exceptsActions: false, resources: ["*"],
            exceptsResources: false, conditions: [])
    }

    // MARK: - Parts

    private func plain(_ statement: Statement) -> Boundary.Rule {
        Boundary.Rule(
            denies: statement.effect == .deny, actions: statement.scope.actions.map { spelled($0) },
            exceptsActions: statement.scope.exceptsActions,
            resources: statement.scope.resources.map(\.forAWS),
            exceptsResources: statement.scope.exceptsResources, conditions: [])
    }

    private func names(_ conditions: [Condition]) -> String {
        Set(conditions.map(\.written.key)).sorted().map { "`\($0)`" }.joined(separator: ", ")
    }

    /// An action as AWS spells it, a pattern as it stands.
    private func spelled(_ pattern: ActionPattern) -> String {
        guard let name = pattern.literal, let prefix = pattern.prefix else {
            return pattern.prefix == nil ? "*" : pattern.text
        }
        return catalog.listedAction(prefix: prefix, name: name)?.action.description ?? pattern.text
    }

    /// The actions of `statement` for which `conditions`, all of them settled by the action's facet, come to
    /// what `isMeant` wants, in some facet or in every one; nil where they are too many to list.
    private func matching(
        _ statement: Statement, _ conditions: [Condition], _ isMeant: (Truth) -> Bool, inEvery: Bool = false
    ) -> [String]? {
        var found: Set<Action> = []
        guard let agent = agents.classes.first?.agent else { return nil }
        for faceted in actions where statement.covers(action: faceted.action) {
            let truths = faceted.facets.map { facet, _ in
                let pair = Pair(
                    action: faceted.action, resource: .unknown, level: facet.level,
                    sensitivity: facet.sensitivity)
                let context = Situation().context(of: pair, agent: agent)
                return conditions.reduce(Truth.yes) { $0 && $1.holds(in: context) }
            }
            let isOne = inEvery ? truths.allSatisfy(isMeant) : truths.contains(where: isMeant)
            guard isOne else { continue }
            // What IAM does not list, no policy can name.
            guard catalog.isKnownAction(prefix: faceted.action.prefix, name: faceted.action.name) else {
                if inEvery { continue }
                return nil
            }
            found.insert(faceted.action)
        }
        let texts = patterns(for: found)
        return texts.count <= Self.actionCountMax ? texts : nil
    }

    /// Patterns that match `wanted` and no other action that IAM lists.
    func patterns(for wanted: Set<Action>) -> [String] {
        var texts: [String] = []
        for (prefix, own) in Dictionary(grouping: wanted, by: \.prefix).sorted(by: { $0.key < $1.key }) {
            let listed = catalog.listedActions(prefix: prefix).map(\.action)
            if own.count > 1, listed.allSatisfy(wanted.contains) {
                texts.append("\(prefix):*")
                continue
            }
            for (verb, actions) in Dictionary(grouping: own, by: \.verb).sorted(by: { $0.key < $1.key }) {
                let isWhole = listed.allSatisfy { !$0.begins(with: verb) || wanted.contains($0) }
                texts +=
                    isWhole && actions.count > 1
                    ? ["\(prefix):\(verb)*"] : actions.map(\.description).sorted()
            }
        }
        return texts
    }

    /// `patterns` with one pattern for every verb that several of them begin with, and what that adds, in a
    /// reader's words.
    func shortened(_ patterns: [String]) -> ([String], added: [String]) {
        var (shorter, added) = ([String](), [String]())
        let actions = patterns.map { text -> Action in
            let halves = text.utf8.split(separator: 0x3A, maxSplits: 1)
            return Action(
                prefix: halves.first.flatMap { String($0) } ?? "",
                name: halves.dropFirst().first.flatMap { String($0) } ?? "")
        }
        for group in Dictionary(grouping: actions, by: { [$0.prefix, $0.verb] }).values {
            guard group.count > 1, let first = group.first, !first.verb.isEmpty,
                !first.verb.utf8.contains(0x2A)
            else {
                shorter += group.map { $0.name.isEmpty ? $0.prefix : $0.description }
                continue
            }
            shorter.append("\(first.prefix):\(first.verb)*")
            let matched = group.map { Pattern($0.name[...], foldsCase: true) }
            let more = catalog.listedActions(prefix: first.prefix).map(\.action).filter { listed in
                listed.begins(with: first.verb) && !matched.contains { $0.matches(listed.name) }
            }
            if !more.isEmpty {
                added.append(
                    "\(first.prefix):\(first.verb)* adds \(more.map(\.name).sorted().joined(separator: ", "))"
                )
            }
        }
        return (shorter.sorted(), added.sorted())
    }
}

extension Action {
    /// The first word of its name: `Delete`.
    package var verb: String {
        let rest = name.unicodeScalars.dropFirst().prefix { !("A"..."Z").contains($0) }
        return String(name.unicodeScalars.prefix(1)) + String(rest)
    }

    fileprivate func begins(with verb: String) -> Bool {
        name.asciiLowercased.utf8.starts(with: verb.asciiLowercased.utf8)
    }
}

extension AgentClasses.Class {
    fileprivate var scalars: [UInt32] { agent.text.unicodeScalars.map(\.value) }
}

extension Statement {
    /// The services whose actions it names; nil where it may be for any.
    fileprivate var prefixes: Set<String>? {
        let named = scope.actions.compactMap(\.prefix)
        return scope.exceptsActions || named.count < scope.actions.count ? nil : Set(named)
    }
}

extension Condition {
    /// Whether the action, as its operation needs it, settles it.
    var isByAction: Bool {
        guard case .own(let own) = key, !hasVariables else { return false }
        return own == .accessLevel || own == .mutates || own == .sensitivity
    }

    /// Whether AWS sees the same value wherever the gateway sees one.
    fileprivate var isSameForAWS: Bool { keys.allSatisfy(\.isSameForAWS) }

    /// Whether the gateway always sees a value, and one that the operator reads.
    fileprivate var isAlwaysKnown: Bool {
        guard case .request(let name) = key, !hasVariables, quantifier == .single else { return false }
        switch comparison {
        case .string: return name.utf8.elementsEqual("aws:requestedregion".utf8)
        case .bool:
            return ["aws:securetransport", "aws:viaawsservice", "aws:principalisawsservice"].contains {
                $0.utf8.elementsEqual(name.utf8)
            }
        case .arn, .ordered, .binary, .address, .null: return false
        }
    }

    /// The line with the operator's name as AWS spells it.
    var line: Boundary.Line {
        var comparator = written.comparator.asciiLowercased
        var (before, after) = ("", "")
        for prefix in ["ForAllValues:", "ForAnyValue:"]
        where comparator.utf8.starts(with: prefix.asciiLowercased.utf8) {
            before = prefix
            comparator = String(decoding: comparator.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
        }
        if ifExists {
            after = "IfExists"
            comparator = String(decoding: comparator.utf8.dropLast(after.utf8.count), as: UTF8.self)
        }
        let name = ConditionReader.operators.first { $0.asciiLowercased.utf8.elementsEqual(comparator.utf8) }
        return Boundary.Line(
            comparator: before + (name ?? comparator) + after, key: written.key, values: written.values)
    }
}

extension Condition.Key {
    /// Whether AWS sees the same value wherever the gateway sees one: it has no keys of ours, and its own
    /// clock.
    fileprivate var isSameForAWS: Bool {
        switch self {
        case .own: false
        case .request("aws:currenttime"), .request("aws:epochtime"): false
        case .request: true
        }
    }
}

extension ResourcePattern {
    /// The text with what compares in any case, all before the fifth colon, in small letters.
    var forAWS: String {
        let parts = text.utf8.split(separator: 0x3A, maxSplits: 5, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard parts.count == 6 else { return text }
        return (parts.dropLast().map(\.asciiLowercased) + [parts[5]]).joined(separator: ":")
    }
}

extension String {
    /// With a `*` for every `${…}` but those that are `*`, `?` or `$` themselves.
    fileprivate var withoutVariables: String {
        var text = String.UnicodeScalarView()
        var rest = unicodeScalars[...]
        while let scalar = rest.first {
            guard scalar == "$", rest.dropFirst().first == "{", let end = rest.firstIndex(of: "}") else {
                text.append(scalar)
                rest = rest.dropFirst()
                continue
            }
            let whole = rest[...end]
            let isCharacter = ["${*}", "${?}", "${$}"].contains { $0.unicodeScalars.elementsEqual(whole) }
            text.append(contentsOf: isCharacter ? Array(whole) : ["*"])
            rest = rest[rest.index(after: end)...]
        }
        return String(text)
    }
}
