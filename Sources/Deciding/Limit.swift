import Vocabulary

/// How much the calls that a statement matches may send in a window of time: its key `Limit`.
///
/// A ceiling, not a share: it binds whatever else allows a call, as `Deny` and `RequireApproval` do.
package struct Limit: Hashable, Sendable {
    /// What is counted.
    package enum Unit: String, Hashable, Sendable, CaseIterable {
        case calls
        /// Things that the calls touch (`countersign:ItemCount`).
        case items
        /// Bytes of the calls' bodies (`countersign:BodyBytes`).
        case bytes

        /// `1 call`, `100 calls`.
        func counted(_ count: Int) -> String {
            "\(count) " + (count == 1 ? String(rawValue.unicodeScalars.dropLast()) : rawValue)
        }
    }

    /// Whose calls are counted together.
    package enum Counted: String, Hashable, Sendable, CaseIterable {
        case agent
        case session
    }

    /// What a call gets that would go beyond.
    package enum Beyond: Hashable, Sendable {
        case deny
        case ask(ApprovalTerms)
    }

    /// Amounts of each unit. Sums stop at the largest number there is.
    package struct Amount: Hashable, Sendable {
        package var calls = 0
        package var items = 0
        package var bytes = 0

        /// Nothing, unless stated.
        package init(calls: Int = 0, items: Int = 0, bytes: Int = 0) {
            (self.calls, self.items, self.bytes) = (calls, items, bytes)
        }

        /// The amount of `unit`.
        package subscript(unit: Unit) -> Int {
            switch unit {
            case .calls: calls
            case .items: items
            case .bytes: bytes
            }
        }

        static func + (left: Amount, right: Amount) -> Amount {
            Amount(
                calls: sum(left.calls, right.calls), items: sum(left.items, right.items),
                bytes: sum(left.bytes, right.bytes))
        }

        /// `left` without `right`, never below nothing.
        static func - (left: Amount, right: Amount) -> Amount {
            Amount(
                calls: max(0, left.calls - right.calls), items: max(0, left.items - right.items),
                bytes: max(0, left.bytes - right.bytes))
        }

        private static func sum(_ left: Int, _ right: Int) -> Int {
            let (sum, overflow) = left.addingReportingOverflow(right)
            return overflow ? .max : sum
        }
    }

    /// The most of each stated unit that may be sent in any window; at least one is.
    package let most: [Unit: Int]
    /// How long the window is.
    package let per: Duration
    package let by: Counted
    package let beyond: Beyond

    init(most: [Unit: Int], per: Duration, by: Counted, beyond: Beyond) {
        (self.most, self.per, self.by, self.beyond) = (most, per, by, beyond)
    }

    /// The stated units with their most, in order.
    package var bounds: [(unit: Unit, most: Int)] {
        Unit.allCases.compactMap { unit in most[unit].map { (unit, $0) } }
    }

    /// `100 calls and 1000 items a minute per agent, then ask`: what `policy explain` shows.
    package var description: String {
        let amounts = bounds.map { $0.unit.counted($0.most) }.joined(separator: " and ")
        return "\(amounts) \(window(per)) per \(by.rawValue), then \(beyond == .deny ? "deny" : "ask")"
    }
}

/// Why a call is beyond a statement's limit.
package struct LimitReach: Hashable, Sendable {
    /// What keeps it from being sent.
    package enum Cause: Hashable, Sendable {
        /// So much was sent in the window; with this call it would be more than the limit. Room comes by
        /// itself after `wait`.
        case used(Int, wait: Duration)
        /// This call alone is over the limit: by so much that no wait makes room.
        case tooLarge(Int)
        /// It cannot be counted: the agent has as many counters as are kept, or the call meets too many
        /// limits.
        case uncounted
    }

    package let statement: StatementID
    package let unit: Limit.Unit
    package let most: Int
    package let per: Duration
    package let by: Limit.Counted
    package let cause: Cause

    init(_ limit: Limit, of statement: StatementID, _ unit: Limit.Unit, _ most: Int, _ cause: Cause) {
        (self.statement, self.unit, self.most, self.cause) = (statement, unit, most, cause)
        (per, by) = (limit.per, limit.by)
    }

    /// `limit of 100 calls a minute of orders/Read reached for this agent`: the same as long as the statement
    /// is.
    package var description: String {
        let limit = "limit of \(unit.counted(most)) \(window(per)) of \(statement)"
        switch cause {
        case .used: return "\(limit) reached for this \(by.rawValue)"
        case .tooLarge(let amount): return "\(unit.counted(amount)) at once are over the \(limit)"
        case .uncounted: return "\(limit) cannot be counted: more counters are needed than are kept"
        }
    }

    /// ``description``, and when there is room again.
    package var advice: String {
        guard case .used(_, let wait) = cause else { return description }
        // Rounded up: who comes back then finds room.
        let seconds = (max(0, wait.wholeNanoseconds) + 999_999_999) / 1_000_000_000
        return "\(description), room again in \(seconds) s"
    }
}

/// What a call that is sent counts against the limit of one statement.
package struct LimitClaim: Hashable, Sendable {
    package let statement: StatementID
    package let limit: Limit
    let amount: Limit.Amount
    /// It is beyond the limit, and a human let it go there.
    let mayExceed: Bool
}

/// One claim as it was counted: what can be given back.
package struct LimitCount: Hashable, Sendable {
    let agent: AgentName
    let key: LimitBook.Key
    let slot: Int64
    let amount: Limit.Amount
}

/// How a limit stands once a call is counted, for the record.
package struct LimitStanding: Hashable, Sendable {
    package let statement: StatementID
    package let limit: Limit
    /// What the window holds, this call included.
    package let used: Limit.Amount
    package let count: LimitCount
}

/// `a minute`, `in 5 min`, `in 90 s`.
private func window(_ per: Duration) -> String {
    let seconds = per.components.seconds
    return switch seconds {
    case 1: "a second"
    case 60: "a minute"
    case 3_600: "an hour"
    case 86_400: "a day"
    case _ where seconds.isMultiple(of: 3_600): "in \(seconds / 3_600) h"
    case _ where seconds.isMultiple(of: 60): "in \(seconds / 60) min"
    default: "in \(seconds) s"
    }
}
