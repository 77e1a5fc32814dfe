import Recognizing
import Vocabulary

/// Where to look for statements that may cover another one, so that a large set is not compared pair by pair.
///
/// A statement covers another only if it means that one's first action, and if one of its resource patterns
/// begins, up to its first wildcard, as that one's first does.
struct CoveringIndex: Sendable {
    /// The most statements that are compared with one.
    static let candidateCountMax = 1_000

    private struct Shelf: Sendable {
        var byHead: [[UInt8]: [Int]] = [:]
        var lengths: Set<Int> = []

        mutating func add(_ place: Int, _ heads: [[UInt8]]) {
            for head in heads {
                byHead[head, default: []].append(place)
                lengths.insert(head.count)
            }
        }
    }

    /// Where a statement stands.
    private struct Key: Hashable {
        let effect: Effect
        /// One action, `s3:getobject`; a service for patterns, `s3:`; and `*` for those that any action may
        /// meet.
        let action: String
    }

    private var shelves: [Key: Shelf] = [:]

    init(_ statements: [LintedStatement]) {
        // Those with few conditions first: they cover most.
        let order = statements.indices.sorted {
            (statements[$0].scope.conditions.count, $0) < (statements[$1].scope.conditions.count, $1)
        }
        for place in order {
            let scope = statements[place].scope
            let heads = Array(Set(scope.exceptsResources ? [[]] : scope.resources.map { head(of: $0.text) }))
            for action in Self.keys(of: scope) {
                let key = Key(effect: statements[place].statement.effect, action: action)
                shelves[key, default: Shelf()].add(place, heads)
            }
        }
    }

    /// The places of the statements of `effects` that may cover `statement`, itself among them; of those that
    /// cover it in action `number` and on its pattern `resource` alone where one is given.
    func candidates(
        for statement: LintedStatement, of number: Int? = nil, on resource: ResourcePattern? = nil,
        with effects: [Effect], in catalog: LintCatalog
    ) -> [Int] {
        var actions = ["*"]
        if let number = number ?? (statement.actions.isOpen ? nil : statement.actions.numbers.first) {
            let action = catalog.actions[number].action
            actions += ["\(action.prefix):", "\(action.prefix):\(action.name.asciiLowercased)"]
        }
        let scope = statement.scope
        let pattern = resource ?? (scope.exceptsResources ? nil : scope.resources.first)
        let own = pattern.map { head(of: $0.text) } ?? []
        var found: [Int] = []
        var seen: Set<Int> = []
        let keys = effects.flatMap { effect in actions.map { Key(effect: effect, action: $0) } }
        for shelf in keys.compactMap({ shelves[$0] }) {
            for length in shelf.lengths.sorted() where length <= own.count {
                for place in shelf.byHead[Array(own[..<length])] ?? [] where seen.insert(place).inserted {
                    found.append(place)
                    if found.count == Self.candidateCountMax { return found }
                }
            }
        }
        return found
    }

    private static func keys(of scope: Statement.Scope) -> Set<String> {
        if scope.exceptsActions || scope.actions.contains(where: { $0.prefix == nil }) { return ["*"] }
        return Set(scope.actions.map { "\($0.prefix ?? ""):\($0.literal ?? "")" })
    }
}

/// What a resource pattern says before its first wildcard or variable, in lower case.
private func head(of text: String) -> [UInt8] {
    text.asciiLowercased.utf8.prefix { ![0x2A, 0x3F, 0x24].contains($0) }.map { $0 }
}

extension LintedStatement {
    /// Whether every call that `other` matches is one that this statement matches.
    ///
    /// Sound, not complete: yes is said only where one statement covers the other by itself, pattern by
    /// pattern and condition by condition.
    func covers(_ other: LintedStatement) -> Bool {
        agentsCover(other) && actions.covers(other.actions) && conditionsCover(other) && resourcesCover(other)
    }

    /// Whether every agent of `other` is one of this statement.
    func agentsCover(_ other: LintedStatement) -> Bool {
        agents.allSatisfy { broad in
            other.agents.contains { narrow in
                narrow.allSatisfy { one in broad.contains { $0.covers(one) } }
            }
        }
    }

    /// Whether some agent may be one of both, and of all that a document and its statement say.
    func agentsMeet(_ other: LintedStatement) -> Bool {
        let all = agents + other.agents
        return all.indices.allSatisfy { place in
            all[..<place].allSatisfy { some in
                some.contains { one in all[place].contains { one.meets($0) } }
            }
        }
    }

    /// Whether it has no condition that `other` does not have.
    func conditionsCover(_ other: LintedStatement) -> Bool {
        scope.conditions.count <= other.scope.conditions.count
            && scope.conditions.allSatisfy { one in other.scope.conditions.contains(where: one.isSame) }
    }

    func resourcesCover(_ other: LintedStatement) -> Bool {
        if scope.exceptsResources || other.scope.exceptsResources {
            return isForAll
                || scope.exceptsResources == other.scope.exceptsResources
                    && Set(scope.resources.map(\.text)) == Set(other.scope.resources.map(\.text))
        }
        return other.scope.resources.allSatisfy { narrow in
            scope.resources.contains { $0.covers(narrow, thatPermits: other.permits) }
        }
    }

    /// Whether every call of `other` that needs action `number` on `resource`, a pattern of its own, is one
    /// that this statement matches.
    func covers(_ other: LintedStatement, action number: Int, on resource: ResourcePattern) -> Bool {
        guard agentsCover(other), actions.contains(number), conditionsCover(other) else { return false }
        if scope.exceptsResources { return isForAll }
        return scope.resources.contains { $0.covers(resource, thatPermits: other.permits) }
    }

    /// Whether `Resource` says `*`.
    var isForAll: Bool { statement.isForEveryResource }
}

extension ResourcePattern {
    /// Whether every resource that `other` matches is one of this pattern.
    func covers(_ other: ResourcePattern, thatPermits permits: Bool) -> Bool {
        if isEverything || text.utf8.elementsEqual(other.text.utf8) { return true }
        guard !other.isEverything, !text.utf8.contains(0x24) else { return false }
        let head = other.text.utf8.split(separator: 0x3A, maxSplits: 5, omittingEmptySubsequences: false)
            .dropLast()
        // What restricts also matches as one text, so that a `*` there crosses colons.
        let isOpen = head.contains { $0.contains(0x2A) || $0.contains(0x3F) }
        guard permits || !isOpen else { return false }
        return covers(ResourceText(other.supposed), presumes: false, in: nowhere) == .yes
    }

    /// Whether some resource may be one of both.
    func meets(_ other: ResourcePattern) -> Bool {
        if isEverything || other.isEverything { return true }
        return covers(ResourceText(other.supposed), presumes: false, in: nowhere) != .no
    }

    /// What it matches, as a resource of which parts are unknown.
    private var supposed: Resource {
        var parts: [Resource.Part] = []
        var rest = text.unicodeScalars[...]
        var known = String.UnicodeScalarView()
        func closed(_ part: Resource.Part) {
            if !known.isEmpty { parts.append(.known(String(known))) }
            known = String.UnicodeScalarView()
            parts.append(part)
        }
        while let scalar = rest.first {
            if rest.starts(with: "${".unicodeScalars), let end = rest.firstIndex(of: "}") {
                let name = rest[..<end].dropFirst(2)
                rest = rest[rest.index(after: end)...]
                if name.count == 1, let only = name.first { known.append(only) } else { closed(.unknown) }
                continue
            }
            rest = rest.dropFirst()
            switch scalar {
            case "*": closed(.unknown)
            case "?": closed(.unknownCharacters(count: 1))
            default: known.append(scalar)
            }
        }
        if !known.isEmpty { parts.append(.known(String(known))) }
        return Resource(parts)
    }
}

extension Condition {
    /// Whether both hold for the same calls, however they are written.
    fileprivate func isSame(as other: Condition) -> Bool {
        key == other.key && comparison == other.comparison && isNegated == other.isNegated
            && ifExists == other.ifExists && quantifier == other.quantifier
    }
}

/// A pattern of agents, and what it is as a text that others are tried on.
struct AgentText: Sendable {
    private let pattern: Pattern
    /// The name, where it is one.
    private let name: [UInt32]?
    private let symbols: [Symbol]

    init(_ pattern: Pattern) {
        self.pattern = pattern
        name = pattern.literalText?.unicodeScalars.map(\.value)
        symbols = pattern.tokens.map { token in
            switch token {
            case .scalar(let value), .letter(let value): .scalar(value)
            case .one, .oneAmidAny: .someAlphanumeric
            case .any: .unknown
            }
        }
    }

    func covers(_ other: AgentText) -> Bool {
        guard let name = other.name else { return pattern.matchesEvery(other.symbols[...]) }
        return self.name.map { $0 == name } ?? pattern.matches(name[...])
    }

    func meets(_ other: AgentText) -> Bool {
        switch (name, other.name) {
        case (let name?, let other?): name == other
        case (_, let name?): pattern.matches(name[...])
        case (let name?, nil): other.pattern.matches(name[...])
        case (nil, nil): pattern.matchesSome(other.symbols[...])
        }
    }
}

/// Where texts without variables are compared: nothing of it is looked at.
private var nowhere: ConditionContext { .supposed(at: Instant(secondsSinceEpoch: 0)) }
