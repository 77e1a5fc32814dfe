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
        var numbers: [[[Pattern]]: UInt32] = [:]
        var lists: [[[Pattern]]] = []
        var facts: [Facts] = []
        let beginnings = statements.map(\.scope.beginnings)
        for (place, statement) in statements.enumerated() {
            let number = numbers[statement.agents] ?? UInt32(lists.count)
            if numbers.updateValue(number, forKey: statement.agents) == nil { lists.append(statement.agents) }
            facts.append(
                Facts(
                    permits: statement.effect.permits, hasConditions: !statement.scope.conditions.isEmpty,
                    isSpelledOut: beginnings[place].allSatisfy { $0.reach == .exact }, agents: number))
        }
        self.facts = facts
        agentLists = lists
        (agents, agentShelf) = Self.filed(lists)

        let texts = SortedTexts(beginnings.flatMap { $0.map(\.text) })
        var shelved = Shelved()
        var next = 0
        for (place, statement) in statements.enumerated() {
            let entries = beginnings[place].enumerated().map { offset, beginning in
                (
                    rank: texts.ranks[next + offset],
                    slot: PrefixTable.Slot(owner: UInt32(place), reach: beginning.reach)
                )
            }
            next += entries.count
            shelved.add(entries, for: statement.scope)
        }
        var table = PrefixTable(texts)
        byAction = shelved.byAction.mapValues { table.shelve($0) }
        byPrefix = shelved.byPrefix.mapValues { table.shelve($0) }
        others = table.shelve(shelved.others)
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

    /// What is to stand on each shelf.
    private struct Shelved {
        typealias Entries = [(rank: Int, slot: PrefixTable.Slot)]
        var byAction: [String: Entries] = [:]
        var byPrefix: [String: Entries] = [:]
        var others: Entries = []

        /// A statement with actions spelled out and patterns stands on several.
        mutating func add(_ entries: Entries, for scope: Statement.Scope) {
            if scope.exceptsActions || scope.actions.contains(where: { $0.prefix == nil }) {
                others += entries
                return
            }
            var seen: Set<String> = []
            for action in scope.actions {
                guard let prefix = action.prefix else { continue }
                if let literal = action.literal {
                    let key = "\(prefix):\(literal)"
                    if seen.insert(key).inserted { byAction[key, default: []] += entries }
                } else if seen.insert(prefix).inserted {
                    byPrefix[prefix, default: []] += entries
                }
            }
        }
    }
}

/// How a pattern begins, up to its first wildcard or variable, and whether that is all of it.
struct Beginning {
    private(set) var text: [UInt8] = []
    private(set) var reach: PrefixTable.Reach

    /// Of no pattern: every text begins so.
    init(reach: PrefixTable.Reach) { self.reach = reach }

    /// The beginning of the pattern that `parts` joined by colons make; letters that fold are in lower case.
    init(of parts: [[Pattern.Token]], endsInVariable: Bool = false) {
        reach = endsInVariable ? .some : .exact
        for (index, tokens) in parts.enumerated() {
            if index > 0 { text.append(0x3A) }
            for (at, token) in tokens.enumerated() {
                switch token {
                case .scalar(let value), .letter(let value):
                    // INVARIANT: tokens are made of the scalars of a text.
                    guard let scalar = Unicode.Scalar(value), let bytes = UTF8.encode(scalar) else { break }
                    text += bytes
                    continue
                case .any where index == parts.count - 1 && at == tokens.count - 1 && !endsInVariable:
                    reach = .all
                case .any, .one, .oneAmidAny: reach = .some
                }
                return
            }
        }
    }
}

extension Statement.Scope {
    /// How its resources begin.
    fileprivate var beginnings: [Beginning] {
        exceptsResources ? [Beginning(reach: .some)] : resources.map(\.beginning)
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
