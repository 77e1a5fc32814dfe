import Recognizing
import Vocabulary

/// A policy set made ready for the rules of `policy check`: each statement with the places of its pieces and
/// the actions that it means.
struct Lint: Sendable {
    let policy: PolicySet
    /// In the order of their ids.
    let statements: [LintedStatement]
    let catalog: LintCatalog
    let formats: ResourceFormats
    /// The moment that dates are compared with.
    let at: Instant
    let covering: CoveringIndex
    let standingsMemo = StandingsMemo()

    init(files: [PolicyFile], policy: PolicySet, catalog: LintCatalog, at: Instant) {
        let sources = StatementSource.all(in: files)
        var sets: [[String]: ActionSet] = [:]
        statements = policy.statements.compactMap { statement in
            // INVARIANT: the set was loaded from these files, so each statement stands in one.
            guard let source = sources[statement.id] else { return nil }
            let scope = statement.scope
            let key = [scope.exceptsActions ? "!" : ""] + scope.actions.map(\.text)
            let actions = sets[key] ?? ActionSet(scope, in: catalog)
            sets[key] = actions
            return LintedStatement(
                statement: statement, source: source, actions: actions,
                grades: Grades(scope.conditions, at: at))
        }
        (self.policy, self.catalog, self.at) = (policy, catalog, at)
        formats = ResourceFormats(catalog.formats, patterns: statements.flatMap(\.statement.scope.resources))
        covering = CoveringIndex(statements)
    }

    /// What `look` says of each statement.
    func each(_ look: (LintedStatement) -> [Remark]) -> [Remark] { statements.flatMap(look) }

    /// The same, of the statements that permit: `Allow` and `AllowWithApproval`.
    func eachPermitting(_ look: (LintedStatement) -> [Remark]) -> [Remark] {
        statements.filter(\.permits).flatMap(look)
    }

    /// The same, of the plain `Allow`.
    func eachAllow(_ look: (LintedStatement) -> [Remark]) -> [Remark] {
        statements.filter { $0.statement.effect == .allow }.flatMap(look)
    }
}

/// The actions that the patterns of a statement mean, by their numbers in the catalog.
final class ActionSet: Sendable {
    /// Ascending.
    let numbers: [Int]
    /// `*`, or `NotAction`: it also means actions that nobody lists.
    let isOpen: Bool

    init(_ scope: Statement.Scope, in catalog: LintCatalog) {
        let isAll = scope.actions.contains { $0.prefix == nil }
        isOpen = isAll || scope.exceptsActions
        let named = isAll ? Array(catalog.actions.indices) : scope.actions.flatMap(catalog.numbers)
        guard scope.exceptsActions else {
            numbers = Set(named).sorted()
            return
        }
        let excepted = Set(named)
        numbers = catalog.actions.indices.filter { !excepted.contains($0) }
    }

    func contains(_ number: Int) -> Bool {
        var (low, high) = (0, numbers.count)
        while low < high {
            let middle = (low + high) / 2
            if numbers[middle] == number { return true }
            if numbers[middle] < number { low = middle + 1 } else { high = middle }
        }
        return false
    }

    /// Whether it means every action that `other` means.
    func covers(_ other: ActionSet) -> Bool {
        if other === self { return true }
        if other.isOpen, !isOpen { return false }
        return other.numbers.count <= numbers.count && other.numbers.allSatisfy(contains)
    }
}

/// A statement, with the places of its pieces and the actions it means.
struct LintedStatement: Sendable {
    let statement: Statement
    let source: StatementSource
    let actions: ActionSet
    /// What a call of some access level and sensitivity makes of the statement's conditions on these two.
    let grades: Grades
    /// Its agents, ready to be compared with others.
    let agents: [[AgentText]]

    init(statement: Statement, source: StatementSource, actions: ActionSet, grades: Grades) {
        self.statement = statement
        self.source = source
        self.actions = actions
        self.grades = grades
        agents = statement.agents.map { $0.map(AgentText.init) }
    }

    var scope: Statement.Scope { statement.scope }
    var permits: Bool { statement.effect.permits }
    var effect: String { statement.effect.rawValue }

    /// Where it stands, for another statement's message: `floor/SecretsAsk (20-floor.yaml:8)`.
    var reference: String { "`\(statement.id)` (\(statement.file):\(source.place.line))" }

    /// Its patterns of actions with their text and place; nothing under `NotAction`.
    var actionPatterns: [(pattern: ActionPattern, source: Fields.Text)] {
        scope.exceptsActions ? [] : Array(zip(scope.actions, source.actions))
    }

    /// Its patterns of resources with their text and place; nothing under `NotResource`.
    var resourcePatterns: [(pattern: ResourcePattern, source: Fields.Text)] {
        scope.exceptsResources ? [] : Array(zip(scope.resources, source.resources))
    }

    /// Its conditions with the line that wrote each.
    var lines: [(condition: Condition, source: StatementSource.Line)] {
        Array(zip(scope.conditions, source.lines))
    }

    /// A remark on `text` of it.
    func remark(
        at text: Fields.Text, _ message: String, mend suggestion: String = "", level: FindingLevel? = nil
    ) -> Remark {
        Remark(
            file: statement.file, place: text.place, statement: statement.id, text: text.text,
            message: message, suggestion: suggestion, level: level)
    }
}

extension Condition {
    /// Keys of the circumstances of a call, that AWS has for calls of every kind.
    private static let circumstances: Set<String> = [
        "aws:currenttime", "aws:epochtime", "aws:requestedregion", "aws:securetransport", "aws:useragent",
        "aws:viaawsservice", "aws:principalisawsservice", "aws:principalaccount", "aws:calledvia",
        "aws:calledviafirst", "aws:calledvialast", "aws:sourceaccount", "aws:sourcearn",
    ]

    /// Whether it is about the circumstances of a call alone.
    fileprivate var isOfCircumstances: Bool {
        switch key {
        case .request(let name): Self.circumstances.contains(name)
        case .own(.agent), .own(.session), .own(.strength), .own(.task), .own(.host), .own(.wireProtocol),
            .own(.hourUTC):
            true
        case .own: false
        }
    }
}

// MARK: - What own keys let through

extension LintedStatement {
    /// Whether a condition narrows what it is about: not who calls, when, from where and how.
    var isNarrowed: Bool { scope.conditions.contains { !Grades.judges($0) && !$0.isOfCircumstances } }

    /// Whether it has conditions that ``Grades`` leaves aside.
    var hasFurtherConditions: Bool { scope.conditions.contains { !Grades.judges($0) } }
}

/// The answer of a statement's conditions on access level, mutation and sensitivity to each of their values.
struct Grades {
    private let truths: [Truth]
    private static let open = Array(
        repeating: Truth.yes, count: AccessLevel.allCases.count * Sensitivity.allCases.count)

    static func judges(_ condition: Condition) -> Bool {
        switch condition.key {
        case .own(.accessLevel), .own(.mutates), .own(.sensitivity): true
        case .own, .request: false
        }
    }

    init(_ conditions: [Condition], at: Instant) {
        let judged = conditions.filter(Self.judges)
        guard !judged.isEmpty else {
            truths = Self.open
            return
        }
        truths = AccessLevel.allCases.flatMap { level in
            Sensitivity.allCases.map { sensitivity in
                let context = ConditionContext.supposed(level: level, sensitivity: sensitivity, at: at)
                return judged.reduce(.yes) { $0 && $1.holds(in: context) }
            }
        }
    }

    subscript(level: AccessLevel, sensitivity: Sensitivity) -> Truth {
        truths[Int(level.rawValue) * Sensitivity.allCases.count + Int(sensitivity.rawValue)]
    }
}

extension ConditionContext {
    /// A call of that level and sensitivity whose resource, region and keys nobody knows.
    static func supposed(
        level: AccessLevel = .write, sensitivity: Sensitivity = .data, keys: ConditionKeys = ConditionKeys(),
        at: Instant
    ) -> ConditionContext {
        let pair = Pair(
            action: Action(prefix: "supposed", name: "Supposed"), resource: .unknown, level: level,
            sensitivity: sensitivity)
        let caller = Caller(
            agent: supposedAgent, session: SessionID(random: 1), strength: .listener, task: nil,
            reason: nil, scope: nil)
        return ConditionContext(
            meaning: .supposed([pair], keys: keys, vends: false), caller: caller, at: at, pair: pair)
    }
}

private let supposedAgent: AgentName = {
    // INVARIANT: the name is one.
    guard let name = try? AgentName(parsing: "local") else { preconditionFailure("`local` names an agent") }
    return name
}()
