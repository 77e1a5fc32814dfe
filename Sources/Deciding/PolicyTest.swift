import Vocabulary

/// What a policy set says of the cases beside it, and which of its statements they reach.
package struct PolicyTest: Sendable {
    /// What became of a case whose call had to be made.
    package enum Made: Sendable {
        /// The decisions on every call that came, at least one.
        case decided([Decision])
        /// It could not be tried, and why.
        case failed(String)
    }

    /// One case and what became of it.
    package struct Result: Sendable {
        package let tried: PolicyCase
        /// What the policies say, in the words of ``PolicyCase/says``; nil where it could not be tried.
        package let found: String?
        /// Why it could not be tried.
        package let fault: String?

        /// Whether the policies say what the case says.
        package var isAsStated: Bool { found?.utf8.elementsEqual(tried.says.utf8) ?? false }
    }

    package let results: [Result]
    /// The statements that decide no case, by id.
    package let unreached: [Statement]
    package let statementCount: Int

    /// Tries `cases` on `policy`. `made` says what became of those whose call must be made, by their places.
    package init(_ cases: [PolicyCase], on policy: PolicySet, made: [Int: Made] = [:]) {
        var reached: Set<StatementID> = []
        results = cases.enumerated().map { place, one in
            let decisions: [Decision]
            if let decision = one.decided(by: policy) {
                decisions = [decision]
            } else {
                switch made[place] {
                case .decided(let found) where !found.isEmpty: decisions = strictest(found)
                case .failed(let why): return Result(tried: one, found: nil, fault: why)
                case .decided, nil: return Result(tried: one, found: nil, fault: "its call was not made")
                }
            }
            for decision in decisions { reached.formUnion(decision.statements) }
            return Result(tried: one, found: word(for: decisions), fault: nil)
        }
        unreached = policy.statements.filter { !reached.contains($0.id) }
        statementCount = policy.statements.count
    }

    /// The cases that could not be tried.
    package var faults: [Result] { results.filter { $0.fault != nil } }

    /// The cases of which the policies say something else.
    package var failures: [Result] { results.filter { $0.found != nil && !$0.isAsStated } }

    /// How many of 100 statements decide a case, rounded down; 100 for a set without any.
    package var coverage: Int {
        statementCount == 0 ? 100 : (statementCount - unreached.count) * 100 / statementCount
    }
}

/// Of the decisions on several calls those that decide: the strictest, as of the pairs of one call.
private func strictest(_ decisions: [Decision]) -> [Decision] {
    let most = decisions.map(\.strictness).max()
    return decisions.filter { $0.strictness == most }
}

/// All in a line: `ask orders/A orders/B`. They are alike but for their statements and reasons.
private func word(for decisions: [Decision]) -> String {
    var words: [Substring] = []
    for decision in decisions {
        for word in decision.word.split(separator: " ") where !words.contains(word) { words.append(word) }
    }
    return words.joined(separator: " ")
}

extension Decision {
    /// In a line: `allow orders/Read`, `ask orders/A orders/B`, `deny orders/No`, `deny byDefault`.
    package var word: String {
        switch self {
        case .allow(let allowance):
            switch allowance.would {
            case .ask(let question)?: "observed: \(Decision.ask(question).word)"
            case .deny(let denial)?: "observed: \(Decision.deny(denial).word)"
            case nil:
                (["allow"]
                    + (allowance.statements.isEmpty
                        ? ["alwaysAnswered"] : allowance.statements.map(\.description)))
                    .joined(separator: " ")
            }
        case .ask(let question):
            (["ask"] + question.statements.map(\.description)).joined(separator: " ")
        case .deny(let denial): (["deny"] + denial.items.map { $0.reason.word }).joined(separator: " ")
        }
    }

    /// The stricter, the higher.
    fileprivate var strictness: Int {
        switch self {
        case .allow: 0
        case .ask: 1
        case .deny: 2
        }
    }

    /// The statements that led to it.
    package var statements: [StatementID] {
        switch self {
        case .allow(let allowance): allowance.statements
        case .ask(let question): question.statements
        case .deny(let denial):
            denial.items.compactMap { item in
                switch item.reason {
                case .statement(let id): id
                case .limit(let reach): reach.statement
                case .byDefault, .unknownResource, .vendsCredentials, .barred: nil
                }
            }
        }
    }
}

extension Denial.Reason {
    fileprivate var word: String {
        switch self {
        case .statement(let id): id.description
        case .byDefault: "byDefault"
        case .unknownResource: "unknownResource"
        case .vendsCredentials: "vendsCredentials"
        case .limit(let reach): "limit:\(reach.statement)"
        case .barred(let bar): "barred: \(bar.rawValue)"
        }
    }
}
