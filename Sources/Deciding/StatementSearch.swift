import Recognizing
import Vocabulary

/// Finds, pair after pair of one call, the statements that apply.
///
/// The pairs of a batch mostly share their action and the beginning of their resource: what depends on the
/// action alone is worked out once for all of them, and so is what stands at one place of the index.
struct StatementSearch {
    private let statements: [Statement]
    /// Nil: every statement is tried.
    private let index: StatementIndex?
    private let pairs: [Pair]
    /// The call, with the pair that is looked at if more of it matters than its action, else with one before.
    private let context: ConditionContext
    /// The pair's resource, where the index could not tell.
    private var resource: ResourceText?
    /// The places of the statements that apply to the pair, as they were come by.
    private var places: [Int] = []
    /// Those of the pair before.
    private var placesBefore: [Int] = []
    /// The statements that apply to the pair, in their order.
    private(set) var found: [Statement] = []
    /// Whether ``found`` and all that is said of the pair but its resource, which is known whole, are as for
    /// the pair looked at before: then policy says the same of both.
    private(set) var isUnchanged = false
    /// What of the pair decides beside ``found``.
    private(set) var subject: Subject
    /// Whether the resource of the pair before was known whole.
    private var wasKnown = false

    /// Which lists of agents have the caller.
    private let agents: [UInt64]
    private var shelves = StatementIndex.Shelves(others: 0..<0)
    /// Those for every resource, or all but some.
    private var everywhere: [Candidate] = []
    /// Those that stand where the last resource belongs.
    private var here: [Candidate] = []
    private var spots: Spots?
    /// Whether one of the candidates must be tried.
    private var triesAny = false

    /// A statement that applies if it covers the resource, and if its conditions hold unless they are known
    /// to.
    private struct Candidate {
        let place: Int
        /// What the index knows of the resource: it is covered, it is if it has so many bytes, or nothing.
        let reach: PrefixTable.Reach
        let byteCount: UInt32
        let conditionsHold: Bool

        var mustBeTried: Bool { reach == .some || !conditionsHold }
    }

    /// Where the last resource belongs on each shelf.
    private struct Spots: Equatable {
        let literal: PrefixTable.Spot
        let prefixed: PrefixTable.Spot
        let others: PrefixTable.Spot
    }

    /// `pairs`, at least one, are those that will be looked at; `host` is the gate's, if it is known.
    init(
        _ policy: PolicySet, _ meaning: Meaning, caller: Caller, at: Instant, pairs: [Pair],
        host: String? = nil
    ) {
        (statements, index, self.pairs) = (policy.statements, policy.index, pairs)
        context = ConditionContext(meaning: meaning, caller: caller, at: at, pair: pairs[0], host: host)
        agents = policy.index?.lists(for: caller.agent) ?? []
        subject = Subject(pairs[0], of: meaning)
        start()
    }

    /// Looks at the pair at `place`: ``found`` is what applies to it.
    ///
    /// Takes the place, and only what it needs of the pair: to copy one is to retain all its texts.
    mutating func look(at place: Int) {
        swap(&places, &placesBefore)
        places.removeAll(keepingCapacity: true)
        resource = nil
        let isSimilar = place > 0 && isSimilar(place)
        if place > 0, !isSimilar {
            context.pair = pairs[place]
            subject = Subject(pairs[place], of: context.meaning)
            start()
        }
        let isKnown = lookOnce(at: place)
        subject.isWhollyUnknown = !isKnown && pairs[place].resource.isWhollyUnknown
        isUnchanged = isSimilar && isKnown && wasKnown && places == placesBefore
        wasKnown = isKnown
        if !isUnchanged { putInOrder() }
    }

    /// Finds the places; false where the resource is not known whole, or there is no index.
    private mutating func lookOnce(at place: Int) -> Bool {
        guard let index else {
            scan(pairs[place])
            return false
        }
        guard pairs[place].resource.parts.count == 1, case .known(var text) = pairs[place].resource.parts[0]
        else {
            lookAround(pairs[place], index)
            return false
        }
        let isFolded = text.withUTF8 { text in
            guard text.hasLowercaseHead else { return false }
            settle(at: text, index)
            if triesAny { context.pair = pairs[place] }
            let count = UInt32(truncatingIfNeeded: text.count)
            for at in everywhere.indices { consider(everywhere[at], byteCount: count) }
            for at in here.indices { consider(here[at], byteCount: count) }
            return true
        }
        if !isFolded { lookAround(pairs[place], index) }
        return isFolded
    }

    /// Whether all that is said of actions holds for the pair at `place` and the one before.
    private func isSimilar(_ place: Int) -> Bool {
        pairs[place].level == pairs[place - 1].level
            && pairs[place].sensitivity == pairs[place - 1].sensitivity
            && pairs[place].action == pairs[place - 1].action
    }

    /// The call, with the pair at `place`.
    func context(at place: Int) -> ConditionContext {
        context.pair = pairs[place]
        return context
    }

    /// Every statement is tried: what the index saves.
    private mutating func scan(_ pair: Pair) {
        context.pair = pair
        let resource = ResourceText(pair.resource)
        places = statements.indices.filter { statements[$0].applies(to: resource, in: context) }
    }

    // MARK: - By the index

    /// Takes up an action.
    private mutating func start() {
        guard let index else { return }
        (shelves, spots) = (index.shelves(for: context.pair.action), nil)
        everywhere.removeAll(keepingCapacity: true)
        for shelf in [shelves.literal, shelves.prefixed, shelves.others] {
            guard let first = shelf.first, index.resources.nodes[first].count == 0 else { continue }
            for slot in index.resources.nodes[first].slots {
                if let one = candidate(slot, at: first, on: shelf, index) { everywhere.append(one) }
            }
        }
        triesAny = everywhere.contains(where: \.mustBeTried)
    }

    /// Makes ``here`` the candidates that stand where `text` belongs.
    private mutating func settle(at text: UnsafeBufferPointer<UInt8>, _ index: StatementIndex) {
        let new = Spots(
            literal: index.resources.spot(of: text, on: shelves.literal, near: spots?.literal),
            prefixed: index.resources.spot(of: text, on: shelves.prefixed, near: spots?.prefixed),
            others: index.resources.spot(of: text, on: shelves.others, near: spots?.others))
        defer { spots = new }
        if let spots, spots.literal.node == new.literal.node, spots.prefixed.node == new.prefixed.node,
            spots.others.node == new.others.node
        {
            return
        }
        here.removeAll(keepingCapacity: true)
        climb(from: new.literal.node, on: shelves.literal, index)
        climb(from: new.prefixed.node, on: shelves.prefixed, index)
        climb(from: new.others.node, on: shelves.others, index)
        triesAny = everywhere.contains(where: \.mustBeTried) || here.contains(where: \.mustBeTried)
    }

    private mutating func climb(from node: Int, on shelf: PrefixTable.Shelf, _ index: StatementIndex) {
        var node = node
        while node >= 0, index.resources.nodes[node].count > 0 {
            for slot in index.resources.nodes[node].slots {
                if let one = candidate(slot, at: node, on: shelf, index) { here.append(one) }
            }
            node = Int(index.resources.nodes[node].parent)
        }
    }

    /// What stands in a slot of a node; nil where it applies to no pair of this action.
    private func candidate(
        _ slot: Int, at node: Int, on shelf: PrefixTable.Shelf, _ index: StatementIndex
    ) -> Candidate? {
        let slot = index.resources.slots[slot]
        guard let conditionsHold = admitted(Int(slot.owner), on: shelf, index) else { return nil }
        return Candidate(
            place: Int(slot.owner), reach: slot.reach, byteCount: index.resources.nodes[node].count,
            conditionsHold: conditionsHold)
    }

    /// Nil where the statement at `place` applies to no pair of this action; else whether its conditions are
    /// known to hold for all of them.
    private func admitted(_ place: Int, on shelf: PrefixTable.Shelf, _ index: StatementIndex) -> Bool? {
        let facts = index.facts[place]
        guard agents[Int(facts.agents / 64)] & 1 << UInt64(facts.agents % 64) != 0,
            shelf == shelves.literal || statements[place].covers(action: context.pair.action)
        else { return nil }
        if !facts.hasConditions { return true }
        if statements[place].hasConditionsOfResource(in: context) { return false }
        return statements[place].conditionsHold(in: context) ? true : nil
    }

    private mutating func consider(_ candidate: Candidate, byteCount: UInt32) {
        switch candidate.reach {
        case .all: break
        case .exact: guard candidate.byteCount == byteCount else { return }
        case .some: guard covers(candidate.place) else { return }
        }
        if candidate.conditionsHold || statements[candidate.place].conditionsHold(in: context) {
            places.append(candidate.place)
        }
    }

    private mutating func covers(_ place: Int) -> Bool {
        let resource = self.resource ?? ResourceText(context.pair.resource)
        self.resource = resource
        return statements[place].takesEffect(statements[place].covers(resource, in: context))
    }

    /// Tries all that stand where a resource may belong that is not wholly known, or is written in capitals.
    private mutating func lookAround(_ pair: Pair, _ index: StatementIndex) {
        context.pair = pair
        for shelf in [shelves.literal, shelves.prefixed, shelves.others] {
            for node in index.nodes(on: shelf, for: pair.resource) { tryAll(at: node, on: shelf, index) }
        }
    }

    private mutating func tryAll(at node: Int, on shelf: PrefixTable.Shelf, _ index: StatementIndex) {
        let resource = context.pair.resource
        for slot in index.resources.nodes[node].slots {
            let place = Int(index.resources.slots[slot].owner)
            // To permit, a statement must cover whatever the unknown parts are: one text does not, but that
            // of what the resource is presumed to be.
            let facts = index.facts[place]
            if facts.permits, facts.isSpelledOut, resource.presumed == nil, !resource.isKnown { continue }
            guard let conditionsHold = admitted(place, on: shelf, index), covers(place) else { continue }
            if conditionsHold || statements[place].conditionsHold(in: context) { places.append(place) }
        }
    }

    /// Each once: a statement with several resources or actions stands in several places of the index.
    private mutating func putInOrder() {
        if places.count == 1, found.count == 1 {
            found[0] = statements[places[0]]
            return
        }
        found.removeAll(keepingCapacity: true)
        if places.count == 1 { return found.append(statements[places[0]]) }
        places.sort()
        for (index, place) in places.enumerated() where index == 0 || place != places[index - 1] {
            found.append(statements[place])
        }
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// Whether no capital stands before the fifth colon.
    fileprivate var hasLowercaseHead: Bool {
        var colonCount = 0
        for byte in self {
            if byte == 0x3A {
                colonCount += 1
                if colonCount == 5 { return true }
            }
            if byte >= 0x41 && byte <= 0x5A { return false }
        }
        return true
    }
}
