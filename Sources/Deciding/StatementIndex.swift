import Vocabulary

/// Where to look for the statements that may apply, so that a call does not meet every rule of a large set:
/// by agent, by action, and by how resources begin.
///
/// It leaves out only what cannot apply. A pattern without wildcards, or with one `*` at its end, it also
/// proves to cover a resource that begins as it does.
final class StatementIndex: Sendable {
    /// What of a statement is looked at before the statement itself.
    struct Facts: Sendable {
        let permits: Bool
        let hasConditions: Bool
        /// Whether each of its resources is spelled out: then it covers nothing that is not wholly known.
        let isSpelledOut: Bool
        /// Which list of agents it has: equal ones share a number.
        let agents: UInt32
    }

    /// The shelves on which the statements for an action stand.
    struct Shelves: Sendable {
        /// Those that spell the action out.
        var literal = 0..<0
        /// Those that have a wildcard in the action's service.
        var prefixed = 0..<0
        /// Those for any service's actions.
        let others: PrefixTable.Shelf
    }

    let facts: [Facts]
    /// The statements, each owner its place.
    let resources: PrefixTable
    private let byAction: [String: PrefixTable.Shelf]
    private let byPrefix: [String: PrefixTable.Shelf]
    private let others: PrefixTable.Shelf
    /// The lists of agents, each owner its number.
    private let agents: PrefixTable
    private let agentShelf: PrefixTable.Shelf
    private let agentLists: [[[Pattern]]]

    init(_ statements: [Statement]) {
        var lists = AgentNumbers()
        var facts: [Facts] = []
        facts.reserveCapacity(statements.count)
        var beginnings: [Beginning] = []
        // Where those of each statement begin.
        var starts = [0]
        for statement in statements {
            let first = beginnings.count
            statement.scope.addBeginnings(to: &beginnings)
            starts.append(beginnings.count)
            facts.append(
                Facts(
                    permits: statement.effect.permits, hasConditions: !statement.scope.conditions.isEmpty,
                    isSpelledOut: beginnings[first...].allSatisfy { $0.reach == .exact },
                    agents: lists.number(of: statement.callers)))
        }
        self.facts = facts
        agentLists = lists.lists
        (agents, agentShelf) = Self.filed(lists.lists)

        let texts = SortedTexts(beginnings.map(\.text))
        var shelves = ShelfPlan()
        for (place, statement) in statements.enumerated() {
            for shelf in shelves.shelves(for: statement.scope) {
                for at in starts[place]..<starts[place + 1] {
                    shelves.entries[shelf].append(
                        (texts.ranks[at], .init(owner: UInt32(place), reach: beginnings[at].reach)))
                }
            }
        }
        var table = PrefixTable(texts)
        let ranges = shelves.entries.map { table.shelve($0) }
        byAction = shelves.byAction.mapValues { ranges[$0] }
        byPrefix = shelves.byPrefix.mapValues { ranges[$0] }
        others = ranges[ShelfPlan.others]
        resources = table
    }

    /// The shelves of `action`.
    func shelves(for action: Action) -> Shelves {
        Shelves(
            literal: byAction["\(action.prefix):\(action.name.asciiLowercased)"] ?? 0..<0,
            prefixed: byPrefix[action.prefix] ?? 0..<0, others: others)
    }

    /// The places of the statements that may be about `pair`, whoever calls, in their order.
    func places(for pair: Pair) -> [Int] {
        let shelves = shelves(for: pair.action)
        var places: Set<Int> = []
        for shelf in [shelves.literal, shelves.prefixed, shelves.others] {
            for node in nodes(on: shelf, for: pair.resource) {
                places.formUnion(resources.nodes[node].slots.map { Int(resources.slots[$0].owner) })
            }
        }
        return places.sorted()
    }

    /// The nodes of `shelf` at which patterns stand that may match `resource`, however much of it is known.
    func nodes(on shelf: PrefixTable.Shelf, for resource: Resource) -> [Int] {
        var known = ""
        if case .known(let text)? = resource.parts.first { known = text.lowercaseHead }
        // What the resource is presumed to be may begin otherwise, as far as its type says.
        if let presumed = resource.presumed?.lowercaseHead, !presumed.utf8.starts(with: known.utf8) {
            known = ""
        }
        return known.withUTF8 { text in
            var nodes: [Int] = []
            var node = resources.spot(of: text, on: shelf, near: nil).node
            while node >= 0 {
                nodes.append(node)
                node = Int(resources.nodes[node].parent)
            }
            guard !resource.isKnown else { return nodes }
            return nodes
                + resources.nodes(on: shelf, from: text).filter { resources.nodes[$0].count > text.count }
        }
    }

    /// Which lists of agents have `agent`, one bit each, by their numbers.
    func lists(for agent: AgentName) -> [UInt64] {
        var bits = [UInt64](repeating: 0, count: agentLists.count / 64 + 1)
        let scalars = agent.text.unicodeScalars.map(\.value)
        var text = agent.text
        text.withUTF8 { text in
            var node = agents.spot(of: text, on: agentShelf, near: nil).node
            while node >= 0 {
                for slot in agents.nodes[node].slots {
                    let number = Int(agents.slots[slot].owner)
                    let fits = agentLists[number].allSatisfy { $0.contains { $0.matches(scalars[...]) } }
                    if fits { bits[number / 64] |= 1 << UInt64(number % 64) }
                }
                node = Int(agents.nodes[node].parent)
            }
        }
        return bits
    }

    /// Each list under how the patterns of its narrowest part begin: one of them must match.
    private static func filed(_ lists: [[[Pattern]]]) -> (PrefixTable, PrefixTable.Shelf) {
        let beginnings = lists.enumerated().flatMap { number, list in
            (list.last ?? []).map { (number, Beginning(of: [$0.tokens]).text) }
        }
        let texts = SortedTexts(beginnings.map(\.1))
        var table = PrefixTable(texts)
        let shelf = table.shelve(
            beginnings.enumerated().map { index, one in
                (texts.ranks[index], PrefixTable.Slot(owner: UInt32(one.0), reach: .some))
            })
        return (table, shelf)
    }

    /// The lists of agents, equal ones under one number.
    private struct AgentNumbers {
        private(set) var lists: [[[Pattern]]] = []
        private var known: [ObjectIdentifier: UInt32] = [:]
        private var numbers: [[[Pattern]]: UInt32] = [:]

        mutating func number(of callers: Callers) -> UInt32 {
            // The statements of a document mostly share one.
            if let number = known[ObjectIdentifier(callers)] { return number }
            let number = numbers[callers.lists] ?? UInt32(lists.count)
            if numbers.updateValue(number, forKey: callers.lists) == nil { lists.append(callers.lists) }
            known[ObjectIdentifier(callers)] = number
            return number
        }
    }

    /// What is to stand on each shelf, by its number.
    private struct ShelfPlan {
        static let others = 0

        var entries: [[(rank: Int, slot: PrefixTable.Slot)]] = [[]]
        private(set) var byAction: [String: Int] = [:]
        private(set) var byPrefix: [String: Int] = [:]
        private var known: [ObjectIdentifier: Int] = [:]

        /// The shelves of a statement: several for one with actions spelled out, or of several services.
        mutating func shelves(for scope: Statement.Scope) -> [Int] {
            if scope.exceptsActions || scope.actions.contains(where: { $0.prefix == nil }) {
                return [Self.others]
            }
            var shelves: [Int] = []
            for action in scope.actions {
                let shelf = shelf(of: action)
                if !shelves.contains(shelf) { shelves.append(shelf) }
            }
            return shelves
        }

        private mutating func shelf(of action: ActionPattern) -> Int {
            // Many statements have the same pattern.
            if let shelf = known[ObjectIdentifier(action)] { return shelf }
            let (prefix, next) = (action.prefix ?? "", entries.count)
            let shelf: Int
            if let literal = action.literal {
                let key = "\(prefix):\(literal)"
                shelf = byAction[key] ?? next
                byAction[key] = shelf
            } else {
                shelf = byPrefix[prefix] ?? next
                byPrefix[prefix] = shelf
            }
            if shelf == next { entries.append([]) }
            known[ObjectIdentifier(action)] = shelf
            return shelf
        }
    }
}

/// How a pattern begins, up to its first wildcard or variable, and whether that is all of it.
struct Beginning {
    private(set) var text: [UInt8] = []
    private(set) var reach: PrefixTable.Reach

    /// That of a pattern that begins with `text`; without one, every text begins so.
    init(_ text: [UInt8] = [], reach: PrefixTable.Reach) { (self.text, self.reach) = (text, reach) }

    /// The beginning of the pattern that `parts` joined by colons make; letters that fold are in lower case.
    init(of parts: [[Pattern.Token]]) {
        reach = .exact
        for (index, tokens) in parts.enumerated() {
            if index > 0 { text.append(0x3A) }
            guard go(on: tokens, isLast: index == parts.count - 1) else { return }
        }
    }

    /// Goes on with `tokens` up to the first wildcard; `isLast` if the pattern ends with them. False where
    /// there was one.
    @discardableResult
    mutating func go(on tokens: [Pattern.Token], isLast: Bool) -> Bool {
        text.reserveCapacity(text.count + tokens.count)
        for (at, token) in tokens.enumerated() {
            switch token {
            case .scalar(let value) where value < 0x80, .letter(let value) where value < 0x80:
                text.append(UInt8(truncatingIfNeeded: value))
                continue
            case .scalar(let value), .letter(let value):
                // INVARIANT: tokens are made of the scalars of a text.
                guard let scalar = Unicode.Scalar(value), let bytes = UTF8.encode(scalar) else { break }
                text += bytes
                continue
            case .any where isLast && at == tokens.count - 1: reach = .all
            case .any, .one, .oneAmidAny: reach = .some
            }
            return false
        }
        return true
    }
}

extension Statement.Scope {
    /// Appends how its resources begin.
    fileprivate func addBeginnings(to beginnings: inout [Beginning]) {
        guard !exceptsResources else { return beginnings.append(Beginning(reach: .some)) }
        for resource in resources { beginnings.append(resource.beginning) }
    }
}

extension String {
    /// The text with capitals before the fifth colon in lower case: IAM compares the parts there in any case.
    fileprivate var lowercaseHead: String {
        let parts = utf8.split(separator: 0x3A, maxSplits: 5, omittingEmptySubsequences: false)
        guard parts.count == 6, let last = parts.last else { return asciiLowercased }
        return String(self[..<last.startIndex]).asciiLowercased + String(self[last.startIndex...])
    }
}
