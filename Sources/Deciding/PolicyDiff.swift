import Recognizing
import Vocabulary

/// What two policy sets decide differently.
///
/// Found by deciding calls under both: for every action, one agent of each kind that the sets tell apart, one
/// resource for each way to match their patterns, and every combination of what their conditions can be
/// worth. Where these are more than are tried, or a policy variable ties them together, that is said.
package struct PolicyDiff: Sendable {
    /// What becomes of calls.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        /// Denied before, allowed now.
        case newAccess = "new access"
        /// Denied before, asks now.
        case newAsk = "new access by approval"
        /// Asked before, allowed now.
        case lostGate = "lost gate"
        /// Asks as before, but on terms that are easier to meet, or cannot be compared.
        case weakerGate = "weaker gate"
        /// A limit is gone, or lets more through, or cannot be compared.
        case lostLimit = "lost or wider limit"
        /// Asks as before, on other terms that make it no easier.
        case changedGate = "changed gate"
        /// A limit that was not there, or lets less through.
        case newLimit = "new or narrower limit"
        /// Allowed before, asks now.
        case newGate = "new gate"
        /// Allowed or asked before, denied now.
        case lostAccess = "lost access"

        /// Whether more gets through, or more easily.
        package var widens: Bool {
            switch self {
            case .newAccess, .newAsk, .lostGate, .weakerGate, .lostLimit: true
            case .changedGate, .newLimit, .newGate, .lostAccess: false
            }
        }
    }

    /// A call that the sets decide differently.
    package struct Witness: Hashable, Sendable {
        package let agent: AgentName
        package let action: Action
        package let resource: Resource
        /// What of its circumstances matters, in a reader's words; empty when nothing does.
        package let circumstances: [String]
        let level: AccessLevel
        let sensitivity: Sensitivity
        let vends: Bool
        let settings: [Situation.Setting]
    }

    /// One change, for one action or several and one kind of agent or several.
    package struct Change: Hashable, Sendable {
        package let kind: Kind
        package let actions: [Action]
        /// `support-7`, `etl-*`, `any other agent`.
        package let agents: [String]
        /// Whether all kinds of agents are among ``agents``.
        package let isForEveryAgent: Bool
        /// Patterns of the statements that changed, which cover the resources.
        package let resources: [String]
        /// Whether all that the patterns cover is meant, and not only some of it.
        package let isForAllOfThem: Bool
        /// Of actions of which not every call is meant: `in calls of HeadObject`.
        package let shares: [Action: String]
        /// The same word, with every list of statements that says it of some action.
        package let before: [Verdict]
        package let after: [Verdict]
        /// How the terms differ, where both ask.
        package let terms: [String]
        /// One call of it.
        package let witness: Witness
    }

    /// What a set says of a call, and by which statements.
    package struct Verdict: Hashable, Sendable {
        /// `allow`, `ask`, `deny`.
        package let word: String
        /// Sorted; none where the default denies.
        package let statements: [StatementID]
        let terms: ApprovalTerms?

        init(_ decision: Decision) {
            statements = decision.statements.sorted()
            switch decision {
            case .allow: (word, terms) = ("allow", nil)
            case .ask(let question): (word, terms) = ("ask", question.terms)
            case .deny: (word, terms) = ("deny", nil)
            }
        }

        /// No decision: the statements of which a limit is told.
        init(limitsOf statements: [Statement]) {
            self.statements = Set(statements.map(\.id)).sorted()
            (word, terms) = (statements.isEmpty ? "no limit" : "limit", nil)
        }
    }

    /// Calls of which it is not known whether the sets decide them alike.
    package struct Undecided: Hashable, Sendable {
        package let actions: [Action]
        package let agents: [String]
        /// Why, in a reader's words.
        package let reason: String
    }

    /// A group or person whose answer counts in a gate and who is not the same people any more.
    package struct BookChange: Hashable, Sendable {
        package let name: String
        /// In a reader's words: `gained dave`.
        package let change: String
        /// Whether someone can answer who could not before.
        package let widens: Bool
    }

    /// By kind, then action: what widens comes first.
    package let changes: [Change]
    package let undecided: [Undecided]
    package let approvers: [BookChange]
    /// How many actions and kinds of agents were compared.
    package let (actionCount, agentCount): (Int, Int)

    /// Whether the sets decide every call alike, and that is known.
    package var isNone: Bool { changes.isEmpty && undecided.isEmpty && approvers.isEmpty }

    /// Whether something gets through more easily than before, or may.
    package var widens: Bool {
        !undecided.isEmpty || changes.contains(where: \.kind.widens) || approvers.contains(where: \.widens)
    }

    /// What `after` decides otherwise than `before`, over the actions of `catalog`.
    package init(from before: PolicySet, to after: PolicySet, catalog: Catalog = .builtIn) {
        self.init(from: before, to: after, over: FacetedAction.all(in: catalog))
    }

    init(from before: PolicySet, to after: PolicySet, over actions: [FacetedAction]) {
        let agents = AgentClasses([before, after])
        var comparison = SetComparison(before, after, agents: agents.classes)
        var findings = Findings(agentCount: agents.classes.count)
        for action in actions { comparison.compare(action, into: &findings) }
        changes = findings.changes(agents: agents.classes)
        var undecided = findings.undecided(agents: agents.classes)
        if !agents.isComplete {
            undecided.append(
                Undecided(actions: [], agents: [], reason: "more kinds of agents than are told apart"))
        }
        self.undecided = undecided
        approvers = BookChange.all(from: before, to: after)
        (actionCount, agentCount) = (actions.count, agents.classes.count)
    }
}

extension PolicyDiff.Witness {
    /// What `set` says of the call, with the words of ``Decision/word``.
    func decided(by set: PolicySet) -> Decision {
        var situation = Situation()
        for setting in settings { situation.set(setting) }
        let pair = Pair(action: action, resource: resource, level: level, sensitivity: sensitivity)
        return decide(
            situation.meaning(of: pair, vends: vends), caller: situation.caller(agent), under: set,
            grants: GrantBook(), host: situation.host, at: situation.at)
    }
}

extension PolicyDiff.Kind {
    /// What became of calls of which one set says `before` and the other `after`; nil: nothing.
    init?(from before: PolicyDiff.Verdict, to after: PolicyDiff.Verdict) {
        switch (before.word, after.word) {
        case ("deny", "allow"): self = .newAccess
        case ("deny", "ask"): self = .newAsk
        case ("ask", "allow"): self = .lostGate
        case ("allow", "ask"): self = .newGate
        case ("allow", "deny"), ("ask", "deny"): self = .lostAccess
        case ("ask", "ask"):
            guard let old = before.terms, let new = after.terms else { return nil }
            let differences = new.differences(from: old)
            if differences.isEmpty { return nil }
            self = differences.contains(where: \.isWeaker) ? .weakerGate : .changedGate
        default: return nil
        }
    }
}
