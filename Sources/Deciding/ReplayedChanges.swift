import Vocabulary

/// Which recorded calls two policy sets decide differently: takes calls in one by one and keeps no more than
/// a bounded number of groups.
package struct ReplayedChanges: Sendable {
    /// Calls alike in who made them, what they are, and what becomes of them.
    package struct Group: Hashable, Sendable {
        /// Nil: one of the sets hangs on what the log leaves out, so that it may be anything.
        package let kind: PolicyDiff.Kind?
        package let agent: AgentName
        /// `dynamodb:DeleteItem`, by the service's model.
        package let operation: String
        package let before: Replayed
        package let after: Replayed
        /// How the terms differ, where both ask.
        package let terms: [String]
        package fileprivate(set) var count = 0
        package fileprivate(set) var first: Instant
        package fileprivate(set) var last: Instant
        /// The entry of one of them, the first.
        package let example: EntryID
        /// What that one touches; empty for a call without pairs.
        package let pairs: [Pair]
    }

    private struct Key: Hashable {
        let agent: AgentName
        let operation: String
        let before: Replayed
        let after: Replayed
    }

    /// The most groups that are told apart.
    package static let groupCountMax = 10_000

    private let before: PolicySet
    private let after: PolicySet
    private var found: [Key: Group] = [:]
    /// All calls that were taken in.
    package private(set) var callCount = 0
    /// Changed calls beyond the groups that are told apart.
    package private(set) var ungroupedCount = 0

    /// No call yet.
    package init(from before: PolicySet, to after: PolicySet) { (self.before, self.after) = (before, after) }

    /// Takes in `call`, of which `count` alike were made, from `entry` of the log.
    package mutating func add(_ call: RecordedCall, count: Int, entry: EntryID) {
        callCount += count
        let (old, new) = (call.replayed(under: before), call.replayed(under: after))
        guard let (kind, terms) = old.change(to: new) else { return }
        let key = Key(
            agent: call.caller.agent, operation: "\(call.service):\(call.operation)", before: old, after: new)
        if found[key] == nil, found.count >= Self.groupCountMax {
            ungroupedCount += count
            return
        }
        var group =
            found[key]
            ?? Group(
                kind: kind, agent: key.agent, operation: key.operation, before: old, after: new, terms: terms,
                first: call.at, last: call.at, example: entry, pairs: call.pairs.prefix(1).map(\.pair))
        group.count += count
        group.first = min(group.first, call.at)
        group.last = max(group.last, call.at)
        found[key] = group
    }

    /// The groups: those that widen first, then those of which nobody can tell, then the largest.
    package var groups: [Group] {
        let kinds = PolicyDiff.Kind.allCases
        func order(_ group: Group) -> Int {
            guard let kind = group.kind else { return kinds.filter(\.widens).count }
            return (kinds.firstIndex(of: kind) ?? 0) + (kind.widens ? 0 : 1)
        }
        return found.values.sorted { left, right in
            if order(left) != order(right) { return order(left) < order(right) }
            return left.count == right.count ? left.example < right.example : left.count > right.count
        }
    }
}

extension Replayed {
    /// What a call is that was this before and is `after` now, and how the terms of an ask differ; nil when
    /// nothing changes. No kind: nobody can tell.
    fileprivate func change(to after: Replayed) -> (kind: PolicyDiff.Kind?, terms: [String])? {
        switch (word, after.word) {
        case (.cannotTell, _), (_, .cannotTell): return (nil, [])
        case (.allow, .allow), (.deny, .deny): return nil
        case (.ask, .ask):
            guard let terms, let others = after.terms else { return nil }
            let differences = others.differences(from: terms)
            guard !differences.isEmpty else { return nil }
            let kind = differences.contains(where: \.isWeaker) ? PolicyDiff.Kind.weakerGate : .changedGate
            return (kind, differences.map(\.text))
        case (.deny, .allow): return (.newAccess, [])
        case (.deny, .ask): return (.newAsk, [])
        case (.ask, .allow): return (.lostGate, [])
        case (.allow, .ask): return (.newGate, [])
        case (.allow, .deny), (.ask, .deny): return (.lostAccess, [])
        }
    }
}
