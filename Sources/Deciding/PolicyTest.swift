import Vocabulary

/// What a policy set says of the cases beside it, and which of its statements they reach.
package struct PolicyTest: Sendable {
    /// One case and what became of it.
    package struct Result: Sendable {
        package let tried: PolicyCase
        /// What the policies say, in the words of ``PolicyCase/says``.
        package let found: String

        /// Whether the policies say what the case says.
        package var isAsStated: Bool { found.utf8.elementsEqual(tried.says.utf8) }
    }

    package let results: [Result]
    /// The statements that decide no case, by id.
    package let unreached: [Statement]
    package let statementCount: Int

    /// Tries `cases` on `policy`.
    package init(_ cases: [PolicyCase], on policy: PolicySet) {
        var reached: Set<StatementID> = []
        results = cases.map { one in
            let decision = one.decided(by: policy)
            reached.formUnion(decision.statements)
            return Result(tried: one, found: decision.word)
        }
        unreached = policy.statements.filter { !reached.contains($0.id) }
        statementCount = policy.statements.count
    }

    /// The cases of which the policies say something else.
    package var failures: [Result] { results.filter { !$0.isAsStated } }

    /// How many of 100 statements decide a case, rounded down; 100 for a set without any.
    package var coverage: Int {
        statementCount == 0 ? 100 : (statementCount - unreached.count) * 100 / statementCount
    }
}

extension Decision {
    /// In a line: `allow orders/Read`, `ask orders/A orders/B`, `deny orders/No`, `deny byDefault`.
    package var word: String {
        switch self {
        case .allow(let allowance):
            (["allow"]
                + (allowance.statements.isEmpty
                    ? ["alwaysAnswered"] : allowance.statements.map(\.description)))
                .joined(separator: " ")
        case .ask(let question):
            (["ask"] + question.statements.map(\.description)).joined(separator: " ")
        case .deny(let denial): (["deny"] + denial.items.map { $0.reason.word }).joined(separator: " ")
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
