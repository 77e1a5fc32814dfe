import Recognizing
import Vocabulary

/// The most that the gateway may need of AWS under a policy set, as a plain IAM policy: the permission
/// boundary of its role.
///
/// An upper bound: whatever the set allows, or asks and a human then approves, the boundary allows. It has no
/// humans and no agents in it, so what asks is allowed, what some agents alone are denied is not denied, and
/// keys of our own are left out. Every such widening is told in ``notes``.
package struct Boundary: Sendable {
    /// One statement of the policy.
    package struct Rule: Hashable, Sendable {
        package let denies: Bool
        package internal(set) var actions: [String]
        package let exceptsActions: Bool
        package internal(set) var resources: [String]
        package internal(set) var exceptsResources: Bool
        var conditions: [Line]
    }

    /// One line of a `Condition` block.
    struct Line: Hashable {
        let comparator: String
        let key: String
        let values: [String]

        // Two values that Swift holds equal are two to AWS.
        static func == (left: Line, right: Line) -> Bool {
            left.comparator.hasBytes(of: right.comparator) && left.key.hasBytes(of: right.key)
                && left.values.map(ExactText.init) == right.values.map(ExactText.init)
        }

        func hash(into hasher: inout Hasher) {
            for text in [comparator, key] + values { hasher.combine(exactly: text) }
        }
    }

    package private(set) var rules: [Rule] = []
    /// What the boundary says otherwise than the set, one line a statement.
    package private(set) var notes: [String] = []

    /// The boundary for `set`, at most `limit` characters if that can be.
    ///
    /// `isCompact` writes several actions of one verb as one pattern, also where that allows more; what it
    /// adds is told.
    package init(for set: PolicySet, isCompact: Bool = false, limit: Int = .max, catalog: Catalog = .builtIn)
    {
        self.init(for: set, isCompact: isCompact, limit: limit, over: FacetedAction.all(in: catalog), catalog)
    }

    init(
        for set: PolicySet, isCompact: Bool = false, limit: Int = .max, over actions: [FacetedAction],
        _ catalog: Catalog = .builtIn
    ) {
        let writer = RuleWriter(set, actions, catalog)
        for statement in set.statements {
            let (rule, notes) = writer.rule(for: statement)
            if let rule { rules.append(rule) }
            self.notes += notes.map { "\(statement.id) (\(statement.file):\(statement.line)): \($0)" }
        }
        rules = Self.merged(rules)
        if isCompact {
            for index in rules.indices where !rules[index].denies && !rules[index].exceptsActions {
                let (shorter, added) = writer.shortened(rules[index].actions)
                rules[index].actions = shorter
                notes += added
            }
            rules = Self.merged(rules)
        }
        addVending(by: writer, limit: limit)
    }

    /// Denies what the gate denies whatever a set says, operations whose reply holds credentials, service by
    /// service as there is room. Without, the boundary is only wider.
    private mutating func addVending(by writer: RuleWriter, limit: Int) {
        let all = writer.vendingActions
        var denied: Set<Action> = []
        for service in all {
            let more = denied.union(service)
            if Self.size(of: rules + [writer.denial(of: more)]) <= limit { denied = more }
        }
        if !denied.isEmpty { rules.append(writer.denial(of: denied)) }
        let count = all.map(\.count).reduce(0, +)
        guard denied.count < count else { return }
        notes.append(
            "for want of room \(count - denied.count) of \(count) actions whose reply holds credentials, and "
                + "that no statement names, are not denied here: the gate denies them")
    }

    /// The policy as IAM takes it.
    package var document: JSON { Self.document(of: rules) }

    /// How many characters IAM counts: white space does not.
    package var size: Int { Self.size(of: rules) }

    /// Several policies of at most `limit` characters each, that together allow what the boundary does; nil
    /// where one statement alone is larger.
    ///
    /// Together they are permissions that a role has attached, no boundary, which is one policy.
    package func parts(limit: Int) -> [JSON]? {
        var parts: [[Rule]] = []
        var small: [Rule] = []
        for rule in rules {
            guard let cut = Self.cut(rule, limit: limit) else { return nil }
            small += cut
        }
        for rule in small {
            if let place = parts.firstIndex(where: { Self.size(of: $0 + [rule]) <= limit }) {
                parts[place].append(rule)
            } else {
                parts.append([rule])
            }
        }
        return parts.map(Self.document)
    }

    /// `rule` as several, each for some of its resources, or of its actions, that fit `limit`; nil where one
    /// action on one resource does not.
    private static func cut(_ rule: Rule, limit: Int) -> [Rule]? {
        if size(of: [rule]) <= limit { return [rule] }
        var halves = [rule, rule]
        if rule.resources.count > 1, !rule.exceptsResources {
            let middle = rule.resources.count / 2
            (halves[0].resources, halves[1].resources) = (
                Array(rule.resources[..<middle]), Array(rule.resources[middle...])
            )
        } else if rule.actions.count > 1, !rule.exceptsActions {
            let middle = rule.actions.count / 2
            (halves[0].actions, halves[1].actions) = (
                Array(rule.actions[..<middle]), Array(rule.actions[middle...])
            )
        } else {
            return nil
        }
        guard let left = cut(halves[0], limit: limit), let right = cut(halves[1], limit: limit) else {
            return nil
        }
        return left + right
    }

    static func document(of rules: [Rule]) -> JSON {
        ["Version": "2012-10-17", "Statement": .array(rules.map(\.json))]
    }

    private static func size(of rules: [Rule]) -> Int { document(of: rules).text.unicodeScalars.count }
}

extension Boundary.Rule {
    fileprivate var json: JSON {
        func one(_ texts: [String]) -> JSON { texts.count == 1 ? .string(texts[0]) : .strings(texts) }
        var members: [JSON.Member] = [
            .init("Effect", denies ? "Deny" : "Allow"),
            .init(exceptsActions ? "NotAction" : "Action", one(actions)),
            .init(exceptsResources ? "NotResource" : "Resource", one(resources)),
        ]
        if !conditions.isEmpty {
            let operators = Dictionary(grouping: conditions, by: \.comparator).sorted { $0.key < $1.key }
            let block = operators.map { comparator, lines in
                JSON.Member(comparator, .object(lines.map { .init($0.key, one($0.values)) }))
            }
            members.append(.init("Condition", .object(block)))
        }
        return .object(members)
    }

    /// Whether everything that `other` matches, this matches.
    fileprivate func covers(_ other: Self) -> Bool {
        guard denies == other.denies, conditions.allSatisfy(other.conditions.contains) else { return false }
        let coversResources =
            resources == ["*"] && !exceptsResources
            || exceptsResources == other.exceptsResources
                && (exceptsResources
                    ? exact(resources) == exact(other.resources)
                    : other.resources.allSatisfy { one in resources.contains { covered(one, by: $0) } })
        let coversActions =
            actions.contains("*") && !exceptsActions
            || exceptsActions == other.exceptsActions
                && (exceptsActions
                    ? Set(actions) == Set(other.actions)
                    : other.actions.allSatisfy { one in actions.contains { covered(one, by: $0) } })
        return coversResources && coversActions
    }
}

private func exact(_ texts: [String]) -> Set<ExactText> { Set(texts.map(ExactText.init)) }

/// The most patterns, or rules, that are compared with each other.
private let comparedCountMax = 1_000

/// Whether whatever `pattern` matches, `other` matches, as far as the texts tell.
private func covered(_ pattern: String, by other: String) -> Bool {
    if pattern.utf8.elementsEqual(other.utf8) { return true }
    guard other.utf8.contains(0x2A) else { return false }
    // A `?` of the other would take a `*` of the pattern for one character; a variable is any text.
    guard !other.utf8.contains(0x3F), !other.utf8.contains(0x24), !pattern.utf8.contains(0x24) else {
        return false
    }
    func parts(_ text: String) -> [Substring] {
        text.unicodeScalars.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false).map {
            Substring($0)
        }
    }
    let (own, wider) = (parts(pattern), parts(other))
    // Part by part: whether a `*` crosses a colon, IAM and we do not always agree.
    guard own.count == wider.count else { return other.utf8.elementsEqual("*".utf8) }
    return zip(own, wider).allSatisfy { Pattern($1).matches(String($0)) }
}

extension Boundary {
    /// The same rules in fewer: actions of equal resources and conditions put together, then resources of
    /// equal actions and conditions; what another rule, action or resource covers left out.
    static func merged(_ rules: [Boundary.Rule]) -> [Boundary.Rule] {
        struct Group: Hashable {
            let denies: Bool
            let resources: Set<ExactText>
            let exceptsResources: Bool
            let conditions: Set<Boundary.Line>
        }
        var merged: [Boundary.Rule] = []
        var places: [Group: Int] = [:]
        for rule in rules {
            let group = Group(
                denies: rule.denies, resources: exact(rule.resources),
                exceptsResources: rule.exceptsResources,
                conditions: Set(rule.conditions))
            if !rule.exceptsActions, let place = places[group] {
                merged[place].actions += rule.actions
            } else {
                if !rule.exceptsActions { places[group] = merged.count }
                merged.append(rule)
            }
        }
        for index in merged.indices {
            merged[index].actions =
                merged[index].exceptsActions ? merged[index].actions : least(merged[index].actions)
            if !merged[index].exceptsResources { merged[index].resources = least(merged[index].resources) }
        }
        merged = joined(merged)
        if merged.count > comparedCountMax { return merged }
        return merged.enumerated().filter { index, rule in
            !merged.enumerated().contains { other, wider in
                other != index && wider.covers(rule) && !(rule.covers(wider) && other > index)
            }
        }.map(\.element)
    }
}

/// The same rules with the resources of equal actions and conditions put together.
private func joined(_ rules: [Boundary.Rule]) -> [Boundary.Rule] {
    struct Group: Hashable {
        let denies: Bool
        let actions: [String]
        let exceptsActions: Bool
        let conditions: Set<Boundary.Line>
    }
    var joined: [Boundary.Rule] = []
    var places: [Group: Int] = [:]
    for rule in rules {
        let group = Group(
            denies: rule.denies, actions: rule.actions, exceptsActions: rule.exceptsActions,
            conditions: Set(rule.conditions))
        if !rule.exceptsResources, let place = places[group] {
            joined[place].resources += rule.resources
        } else {
            if !rule.exceptsResources { places[group] = joined.count }
            joined.append(rule)
        }
    }
    for index in joined.indices where !joined[index].exceptsResources {
        joined[index].resources = least(joined[index].resources)
    }
    return joined
}

/// `patterns` without those that another covers, sorted.
private func least(_ patterns: [String]) -> [String] {
    let all = exact(patterns).map(\.text).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    // Every pattern is compared with every other: of very many only doubles are left out.
    if all.count > comparedCountMax { return all }
    return all.enumerated().filter { place, one in
        !all.enumerated().contains { other, wider in
            // Of two that cover each other the first stays.
            other != place && covered(one, by: wider) && !(covered(wider, by: one) && other > place)
        }
    }.map(\.element)
}
