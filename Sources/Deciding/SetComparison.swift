import Recognizing
import Vocabulary

/// Compares what two sets say, action by action.
struct SetComparison {
    /// A statement cut down to one of its resource patterns: what it says of them all, its clauses say
    /// together.
    struct Clause {
        let statement: Statement
        /// Equal for clauses that say the same, whichever set and statement they are of.
        let meaning: Int
    }

    /// What the outcome of a comparison depends on.
    private struct Signature: Hashable {
        let places: [[Int]]
        /// Which of the statements name the action; only where that matters.
        let naming: [[Bool]]
        let facet: ActionFacet
        let agent: Int
    }

    private let sets: [PolicySet]
    private let agents: [AgentClasses.Class]
    /// Of each set, by the place of the statement.
    private let clauses: [[[Clause]]]
    /// Whether a statement is for an agent: `isFor[set][place][agent]`.
    private let isFor: [[[Bool]]]
    private var outcomes: [Signature: PairComparison.Outcome] = [:]
    private var classes = ResourceClasses()

    init(_ before: PolicySet, _ after: PolicySet, agents: [AgentClasses.Class]) {
        sets = [before, after]
        self.agents = agents
        var sayings: [Saying: Int] = [:]
        clauses = sets.map { set in
            set.statements.map { statement in
                statement.clauses.map { clause in
                    let saying = Saying(clause, agents: Set(clause.agents.map(Set.init)))
                    let meaning = sayings[saying] ?? sayings.count
                    sayings[saying] = meaning
                    return Clause(statement: clause, meaning: meaning)
                }
            }
        }
        let names = agents.map { $0.agent.text.unicodeScalars.map(\.value) }
        isFor = sets.map { set in
            set.statements.map { statement in names.map { statement.covers(agent: $0) } }
        }
    }

    /// Adds what changed about `faceted` to `findings`.
    mutating func compare(_ faceted: FacetedAction, into findings: inout Findings) {
        let action = faceted.action
        let pair = Pair(action: action, resource: .unknown, level: .unknown, sensitivity: .unrated)
        let places = sets.map { set in
            set.candidates(for: pair).filter { set.statements[$0].covers(action: action) }
        }
        let vends = faceted.facets.contains(where: \.facet.vends)
        if !vends, sayings(places, side: 0) == sayings(places, side: 1) { return }
        for (facet, operations) in faceted.facets {
            for agent in agents.indices {
                let own = [0, 1].map { side in places[side].filter { isFor[side][$0][agent] } }
                let naming = [0, 1].map { side in
                    facet.vends ? own[side].map { sets[side].statements[$0].names(action) } : []
                }
                let signature = Signature(places: own, naming: naming, facet: facet, agent: agent)
                let outcome: PairComparison.Outcome
                if let known = outcomes[signature] {
                    outcome = known
                } else {
                    var comparison = PairComparison(
                        sets: sets, clauses: [0, 1].map { side in own[side].flatMap { clauses[side][$0] } },
                        pair: Pair(
                            action: action, resource: .unknown, level: facet.level,
                            sensitivity: facet.sensitivity),
                        vends: facet.vends, agent: agents[agent].agent)
                    outcome = comparison.run(&classes)
                    outcomes[signature] = outcome
                }
                findings.add(
                    outcome, of: action, facet, among: faceted.facets.count, operations, agent: agent)
            }
        }
    }

    private func sayings(_ places: [[Int]], side: Int) -> Set<Int> {
        Set(places[side].flatMap { clauses[side][$0].map(\.meaning) })
    }
}

/// Resources for sets of patterns, found once.
struct ResourceClasses {
    private struct Asked: Hashable {
        let shapes: [TextClasses.Shape]
        let letters: TextClasses.Letters
        let about: Set<Int>?
    }

    private var found: [Asked: TextClasses] = [:]

    /// The texts that tell `shapes` apart.
    mutating func texts(
        of shapes: [TextClasses.Shape], _ letters: TextClasses.Letters, about: Set<Int>?
    ) -> TextClasses {
        let asked = Asked(shapes: shapes, letters: letters, about: about)
        if let known = found[asked] { return known }
        let classes = TextClasses(shapes, of: letters, about: about)
        found[asked] = classes
        return classes
    }
}

extension Statement {
    /// The statement as several, each for one resource pattern. Together they say the same: a statement
    /// covers what one of its patterns covers, and terms that are merged with themselves are what they were.
    fileprivate var clauses: [Statement] {
        guard !scope.exceptsResources, scope.resources.count > 1 else { return [self] }
        var seen: Set<ResourcePattern> = []
        return scope.resources.filter { seen.insert($0).inserted }.map { pattern in
            var own = scope
            own.resources = [pattern]
            return with(own)
        }
    }

    /// The statement with another scope.
    func with(_ scope: Scope) -> Statement {
        Statement(
            id: id, rule: rule, file: file, line: line, digest: digest, callers: callers, scope: scope,
            limit: limit)
    }
}

/// What a clause says, whichever statement it is of, but for the actions it is for.
struct Saying: Hashable {
    private let rule: Statement.Rule
    private let limit: Limit?
    private let agents: Set<Set<Pattern>>
    private let resources: Set<ResourcePattern>
    private let exceptsResources: Bool
    private let conditions: Set<Condition.Saying>
    /// Whether it names an action whose reply holds credentials.
    private let names: Bool

    /// What `clause` says to `agents`.
    init(_ clause: Statement, agents: Set<Set<Pattern>> = [], names: Bool = false) {
        (rule, limit, self.agents) = (clause.rule, clause.limit, agents)
        resources = Set(clause.scope.resources)
        (exceptsResources, self.names) = (clause.scope.exceptsResources, names)
        conditions = Set(clause.scope.conditions.map(\.saying))
    }
}
