import Vocabulary

/// What was sent lately under the statements with a `Limit`: what `decide` looks at and a reservation counts
/// in.
///
/// A value without clock or storage; the moment comes in with every question. Windows slide: a window is cut
/// into ``slotCount`` slots, and what was sent counts until its whole slot has left, so that no window of the
/// limit's length ever holds more than the limit. A moment before the latest one counted is taken for that
/// one: time that runs backwards frees nothing.
package struct LimitBook: Hashable, Sendable {
    /// Slots of a window.
    static let slotCount: Int64 = 60
    /// Counters kept for each agent; of a new one beyond it nothing is let through.
    package static let counterCountMax = 1_024
    /// Limits that one call may meet; beyond it the call is denied.
    package static let limitsPerCallMax = 16

    /// What is counted together, within one agent. The same as long as a statement keeps its name and the
    /// length of its window: a new text of it does not begin anew.
    struct Key: Hashable, Sendable {
        let statement: StatementID
        let per: Duration
        /// Nil for all of the agent's.
        let session: SessionID?
    }

    private struct Counter: Hashable {
        struct Slot: Hashable {
            let number: Int64
            var amount: Limit.Amount
        }

        /// Those in which something was sent, by number, which rises.
        var slots: [Slot] = []

        /// The slot that stands for `now`: the latest counted, if `now` is before it.
        private func latest(_ now: Int64) -> Int64 { max(now, slots.last?.number ?? now) }

        /// What the window that ends in slot `now` holds.
        func used(at now: Int64) -> Limit.Amount {
            let now = latest(now)
            return slots.reduce(Limit.Amount()) { sum, slot in
                slot.number < now - slotCount ? sum : sum + slot.amount
            }
        }

        func isLive(at now: Int64) -> Bool { slots.last.map { $0.number >= now - slotCount } ?? false }

        /// The first slot in which the window holds no more than `most`, if nothing is added.
        func firstSlot(with most: [(unit: Limit.Unit, amount: Int)]) -> Int64 {
            var rest = slots.reduce(Limit.Amount()) { $0 + $1.amount }
            var free = slots.first?.number ?? 0
            for slot in slots where most.contains(where: { rest[$0.unit] > $0.amount }) {
                rest = rest - slot.amount
                free = slot.number + slotCount + 1
            }
            return free
        }

        mutating func add(_ amount: Limit.Amount, at now: Int64) -> Int64 {
            let now = latest(now)
            slots.removeAll { $0.number < now - slotCount }
            if let last = slots.indices.last, slots[last].number == now {
                slots[last].amount = slots[last].amount + amount
            } else {
                slots.append(Slot(number: now, amount: amount))
            }
            return now
        }

        mutating func subtract(_ amount: Limit.Amount, from number: Int64) {
            guard let at = slots.firstIndex(where: { $0.number == number }) else { return }
            slots[at].amount = slots[at].amount - amount
        }
    }

    private var counters: [AgentName: [Key: Counter]] = [:]

    package init() {}

    // MARK: - Reading

    /// What the window of `limit` in `statement` holds for `caller` at `now`.
    package func used(
        of limit: Limit, in statement: StatementID, by caller: Caller, at now: Instant
    ) -> Limit.Amount {
        let counter = counters[caller.agent]?[Key(limit, statement, caller)]
        return counter?.used(at: slot(now, limit.per)) ?? Limit.Amount()
    }

    /// Why a call of `amount` by `caller` would be beyond `limit` of `statement` at `now`; nil when there is
    /// room.
    func reach(
        _ limit: Limit, in statement: StatementID, by caller: Caller, adding amount: Limit.Amount,
        at now: Instant
    ) -> LimitReach? {
        let bounds = limit.bounds
        if let (unit, most) = bounds.first(where: { amount[$0.unit] > $0.most }) {
            return LimitReach(limit, of: statement, unit, most, .tooLarge(amount[unit]))
        }
        guard let counter = counters[caller.agent]?[Key(limit, statement, caller)] else {
            guard let (unit, most) = bounds.first, isFull(for: caller.agent, at: now) else { return nil }
            return LimitReach(limit, of: statement, unit, most, .uncounted)
        }
        let used = counter.used(at: slot(now, limit.per))
        guard let (unit, most) = bounds.first(where: { (used + amount)[$0.unit] > $0.most }) else {
            return nil
        }
        let free = counter.firstSlot(with: bounds.map { ($0.unit, $0.most - amount[$0.unit]) })
        let wait = Instant(nanosecondsSinceEpoch: free * slotLength(limit.per)).since(now)
        return LimitReach(limit, of: statement, unit, most, .used(used[unit], wait: max(.zero, wait)))
    }

    /// Whether no counter is left for another window of `agent`.
    private func isFull(for agent: AgentName, at now: Instant) -> Bool {
        let own = counters[agent] ?? [:]
        return own.count >= Self.counterCountMax
            && own.allSatisfy { $0.value.isLive(at: slot(now, $0.key.per)) }
    }

    // MARK: - Changing

    /// Counts `claims` of a call by `caller`; all or none. One that a human let go beyond its limit counts
    /// too.
    ///
    /// - Throws: ``GrantError/limitReached(_:)`` for the first that has no room at `now`.
    mutating func count(
        _ claims: [LimitClaim], by caller: Caller, at now: Instant
    ) throws(GrantError) -> [LimitStanding] {
        for claim in claims where !claim.mayExceed {
            let reach = reach(claim.limit, in: claim.statement, by: caller, adding: claim.amount, at: now)
            if let reach { throw .limitReached(reach.statement) }
        }
        return claims.map { claim in
            let key = Key(claim.limit, claim.statement, caller)
            let count = add(claim.amount, to: key, of: caller.agent, at: now)
            return LimitStanding(
                statement: claim.statement, limit: claim.limit,
                used: used(of: claim.limit, in: claim.statement, by: caller, at: now), count: count)
        }
    }

    /// Counts what the log says was sent at `at` by `agent` under a limit of `statement` with a window of
    /// `per`, when the book is rebuilt. `session` is nil where the agent's sessions count together.
    package mutating func restore(
        _ amount: Limit.Amount, of statement: StatementID, per: Duration, agent: AgentName,
        session: SessionID?, at: Instant
    ) -> LimitCount {
        add(amount, to: Key(statement: statement, per: per, session: session), of: agent, at: at)
    }

    /// Gives back what was counted of a call: only where AWS certainly did not act.
    package mutating func giveBack(_ counts: [LimitCount]) {
        for count in counts {
            counters[count.agent]?[count.key]?.subtract(count.amount, from: count.slot)
        }
    }

    private mutating func add(
        _ amount: Limit.Amount, to key: Key, of agent: AgentName, at now: Instant
    ) -> LimitCount {
        if counters[agent]?[key] == nil, counters[agent, default: [:]].count >= Self.counterCountMax {
            forget(of: agent, at: now)
        }
        let slot = counters[agent, default: [:]][key, default: Counter()].add(amount, at: slot(now, key.per))
        return LimitCount(agent: agent, key: key, slot: slot, amount: amount)
    }

    /// Drops the counters of `agent` whose window is empty at `now`.
    private mutating func forget(of agent: AgentName, at now: Instant) {
        counters[agent] = counters[agent]?.filter { $0.value.isLive(at: slot(now, $0.key.per)) }
        if counters[agent]?.isEmpty == true { counters[agent] = nil }
    }

    /// Drops all counters whose window is empty at `now`.
    package mutating func forget(at now: Instant) {
        for agent in Array(counters.keys) { forget(of: agent, at: now) }
    }
}

extension LimitBook.Key {
    init(_ limit: Limit, _ statement: StatementID, _ caller: Caller) {
        self.init(
            statement: statement, per: limit.per, session: limit.by == .session ? caller.session : nil)
    }
}

/// The nanoseconds of one slot, so that all slots together are no less than the window.
private func slotLength(_ per: Duration) -> Int64 {
    max(1, (per.wholeNanoseconds + LimitBook.slotCount - 1) / LimitBook.slotCount)
}

private func slot(_ at: Instant, _ per: Duration) -> Int64 { at.nanosecondsSinceEpoch / slotLength(per) }
