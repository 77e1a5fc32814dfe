import Vocabulary

/// Agents that policies tell apart: every agent is treated as one of them.
struct AgentClasses {
    /// One of them, with how people call all that are like it.
    struct Class {
        let agent: AgentName
        /// `support-7`, `etl-*`, `any other agent`.
        let label: String
    }

    let classes: [Class]
    /// Whether every agent is like one of them.
    let isComplete: Bool

    /// The agents that the statements of `sets` tell apart by name.
    init(_ sets: [PolicySet]) {
        var patterns: [Pattern] = []
        for statement in sets.flatMap(\.statements) {
            patterns += statement.agents.flatMap(\.self)
            patterns += statement.scope.agentTexts
        }
        patterns = Set(patterns).sorted { $0.text.utf8.lexicographicallyPrecedes($1.text.utf8) }
        let classes = TextClasses(patterns.map { .text($0) }, of: .agent)
        isComplete = classes.isComplete
        // Agents that people know stand for their like.
        let named = sets.flatMap(\.agents.agents).map(\.name)
        // `etl-x` rather than `etl-`, where it is the same.
        let found = classes.known.flatMap { [$0 + "x", $0] }
        let agents = named + found.compactMap { try? AgentName(parsing: $0) }
        var (kinds, seen) = ([Class](), Set<[Bool]>())
        for agent in agents {
            let way = patterns.map { $0.matches(agent.text) }
            guard seen.insert(way).inserted else { continue }
            let own = zip(patterns, way).filter { $0.1 && $0.0 != .everything }.map(\.0)
            let literal = own.contains(where: \.isLiteral)
            let label = literal ? agent.text : own.map(\.text).joined(separator: " and ")
            kinds.append(Class(agent: agent, label: label.isEmpty ? "any other agent" : label))
        }
        self.classes = kinds
    }
}

extension Statement.Scope {
    /// What the scope compares the agent's name with.
    fileprivate var agentTexts: [Pattern] {
        conditions.flatMap { condition -> [Pattern] in
            guard condition.key == .own(.agent), case .string(let operands) = condition.comparison else {
                return []
            }
            return operands.compactMap(\.fixed)
        }
    }
}

extension Pattern {
    /// The pattern as a file would write it.
    var text: String {
        var text = String.UnicodeScalarView()
        for token in tokens {
            switch token {
            case .scalar(let value), .letter(let value): Unicode.Scalar(value).map { text.append($0) }
            case .one, .oneAmidAny: text.append("?")
            case .any: text.append("*")
            }
        }
        return String(text)
    }
}
