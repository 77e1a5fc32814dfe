import Recognizing
import Vocabulary

/// What a comparison found, gathered into changes that a person can read.
struct Findings {
    /// What two findings have in common when they are one change: the same statements made it.
    private struct Key: Hashable {
        let kind: PolicyDiff.Kind
        let (before, after): (String, String)
        let causes: Set<PairComparison.Cause>
        let resources: [String]
        let isForAllOfThem: Bool
        let terms: [String]
        let circumstances: [String]
    }

    private struct Found {
        var agents: Set<Int> = []
        var facets: Set<ActionFacet> = []
        var operations: [String] = []
        var before: Set<PolicyDiff.Verdict> = []
        var after: Set<PolicyDiff.Verdict> = []
        let facetCount: Int
        let witness: PolicyDiff.Witness

        /// Which of the calls that need the action are meant; nil: all.
        var share: String? {
            guard facets.count < facetCount else { return nil }
            let shown = Set(operations).sorted()
            let names = shown.prefix(3).joined(separator: ", ") + (shown.count > 3 ? ", …" : "")
            return shown.isEmpty ? "in some of the calls that need it" : "in calls of \(names)"
        }
    }

    private let agentCount: Int
    private var found: [Key: [Action: Found]] = [:]
    private var gaps: [String: [Action: Set<Int>]] = [:]

    init(agentCount: Int) { self.agentCount = agentCount }

    /// Adds what was found of `action` in one of its facets.
    mutating func add(
        _ outcome: PairComparison.Outcome, of action: Action, _ facet: ActionFacet, among facetCount: Int,
        _ operations: [String], agent: Int
    ) {
        for one in outcome.findings {
            let key = Key(
                kind: one.kind, before: one.before.word, after: one.after.word, causes: one.causes,
                resources: one.resources.sorted(), isForAllOfThem: one.isForAllOfThem, terms: one.terms,
                circumstances: one.witness.circumstances)
            var here =
                found[key]?[action] ?? Found(facetCount: facetCount, witness: one.witness.of(action))
            here.agents.insert(agent)
            here.before.insert(one.before)
            here.after.insert(one.after)
            if here.facets.insert(facet).inserted { here.operations += operations }
            found[key, default: [:]][action] = here
        }
        for reason in outcome.gaps { gaps[reason, default: [:]][action, default: []].insert(agent) }
    }

    /// The changes: actions of the same agents put together.
    func changes(agents: [AgentClasses.Class]) -> [PolicyDiff.Change] {
        var changes: [PolicyDiff.Change] = []
        for (key, byAction) in found {
            for (own, group) in Dictionary(grouping: byAction, by: \.value.agents) {
                let members = group.sorted { $0.key.description < $1.key.description }
                guard let first = members.first else { continue }
                let shares = members.compactMap { action, one in one.share.map { (action, $0) } }
                changes.append(
                    PolicyDiff.Change(
                        kind: key.kind, actions: members.map(\.key),
                        agents: own.sorted().map { agents[$0].label },
                        isForEveryAgent: own.count == agentCount, resources: key.resources,
                        isForAllOfThem: key.isForAllOfThem, shares: Dictionary(uniqueKeysWithValues: shares),
                        before: verdicts(members.map(\.value.before)),
                        after: verdicts(members.map(\.value.after)), terms: key.terms,
                        witness: first.value.witness))
            }
        }
        return changes.sorted { $0.order.lexicographicallyPrecedes($1.order) }
    }

    /// One of each list of statements, sorted.
    private func verdicts(_ found: [Set<PolicyDiff.Verdict>]) -> [PolicyDiff.Verdict] {
        var seen: Set<[StatementID]> = []
        return found.flatMap(\.self).filter { seen.insert($0.statements).inserted }
            .sorted { $0.statements.lexicographicallyPrecedes($1.statements) }
    }

    /// What was not decided, by reason.
    func undecided(agents: [AgentClasses.Class]) -> [PolicyDiff.Undecided] {
        var undecided: [PolicyDiff.Undecided] = []
        for (reason, byAction) in gaps {
            let groups = Dictionary(grouping: byAction.keys) { byAction[$0] ?? [] }
            for (own, actions) in groups {
                undecided.append(
                    PolicyDiff.Undecided(
                        actions: actions.sorted { $0.description < $1.description },
                        agents: own.count == agentCount
                            ? ["every agent"] : own.sorted().map { agents[$0].label },
                        reason: reason))
            }
        }
        return undecided.sorted {
            ($0.reason, $0.actions.first?.description ?? "", $0.agents.joined())
                < ($1.reason, $1.actions.first?.description ?? "", $1.agents.joined())
        }
    }
}

extension PolicyDiff.Witness {
    /// The same with another action that the sets treat alike.
    fileprivate func of(_ action: Action) -> Self {
        PolicyDiff.Witness(
            agent: agent, action: action, resource: resource, circumstances: circumstances, level: level,
            sensitivity: sensitivity, vends: vends, settings: settings)
    }
}

extension PolicyDiff.Change {
    /// By kind, then action, then all else, so that the order is the same each time.
    fileprivate var order: [String] {
        let place = PolicyDiff.Kind.allCases.firstIndex(of: kind) ?? 0
        return ["\(place)"] + [actions.first?.description ?? ""]
            + resources + agents + (before + after).flatMap(\.statements).map(\.description) + terms
            + witness.circumstances
    }
}
