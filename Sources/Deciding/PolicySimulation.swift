import Vocabulary

/// What a policy set says of recorded calls, day by day: takes calls in one by one, and counts.
package struct PolicySimulation: Sendable {
    /// One day, in UTC, of one agent.
    package struct Day: Hashable, Sendable {
        package let date: String
        package let agent: AgentName

        /// `2026-11-24` of `at`.
        fileprivate init(_ at: Instant, _ agent: AgentName) {
            date = String(at.description.prefix(10))
            self.agent = agent
        }
    }

    /// How many calls were decided how.
    package struct Count: Hashable, Sendable {
        package fileprivate(set) var allowed = 0
        /// Calls that ask.
        package fileprivate(set) var asking = 0
        /// Questions that humans would get for them: a repeat of a call within its grant is no new one.
        package fileprivate(set) var questions = 0
        package fileprivate(set) var denied = 0
        package fileprivate(set) var untold = 0

        /// All of them.
        package var calls: Int { allowed + asking + denied + untold }

        /// Both together.
        package static func + (left: Count, right: Count) -> Count {
            var sum = left
            sum.allowed += right.allowed
            sum.asking += right.asking
            sum.questions += right.questions
            sum.denied += right.denied
            sum.untold += right.untold
            return sum
        }
    }

    /// Calls alike in agent and operation.
    package struct Subject: Hashable, Sendable {
        package let agent: AgentName
        /// `dynamodb:DeleteItem`, by the service's model.
        package let operation: String
        /// Why, in words.
        package let why: String
    }

    /// The most rows of each kind that are told apart.
    package static let rowCountMax = 10_000
    /// The most questions that are remembered for their repeats.
    private static let openCountMax = 100_000

    private struct Open {
        let until: Instant
        var uses: Int
    }

    private struct Asked: Hashable {
        let agent: AgentName
        let session: SessionID
        let digest: Digest
    }

    private let policy: PolicySet
    private var open: [Asked: Open] = [:]
    package private(set) var days: [Day: Count] = [:]
    /// Questions of each day by who must answer them: `oncall`, `oncall and 2 of secops`.
    package private(set) var approvers: [String: [String: Int]] = [:]
    /// Questions by the statement that asks.
    package private(set) var statements: [StatementID: Int] = [:]
    /// Denied calls that no statement is about.
    package private(set) var denied: [Subject: Int] = [:]
    /// Calls of which nobody can tell, and why.
    package private(set) var untold: [Subject: Int] = [:]

    /// No call yet.
    package init(_ policy: PolicySet) { self.policy = policy }

    /// All calls together.
    package var total: Count { days.values.reduce(Count()) { $0 + $1 } }

    /// Takes in `call`, of which `count` alike were made.
    package mutating func add(_ call: RecordedCall, count: Int) {
        let said = call.replayed(under: policy)
        let agent = call.caller.agent
        var day = days[Day(call.at, agent)] ?? Count()
        switch said.word {
        case .allow: day.allowed += count
        case .deny:
            day.denied += count
            if said.statements.isEmpty { Self.note(call, said, count, in: &denied) }
        case .cannotTell:
            day.untold += count
            Self.note(call, said, count, in: &untold)
        case .ask:
            day.asking += count
            let questions = questions(call, said.terms, count: count)
            day.questions += questions
            ask(questions, said, on: String(call.at.description.prefix(10)))
        }
        days[Day(call.at, agent)] = day
    }

    private static func note(
        _ call: RecordedCall, _ said: Replayed, _ count: Int, in rows: inout [Subject: Int]
    ) {
        let subject = Subject(
            agent: call.caller.agent, operation: "\(call.service):\(call.operation)",
            why: said.why.joined(separator: ", "))
        if rows[subject] != nil || rows.count < rowCountMax { rows[subject, default: 0] += count }
    }

    private mutating func ask(_ questions: Int, _ said: Replayed, on date: String) {
        guard questions > 0 else { return }
        approvers[said.approvers, default: [:]][date, default: 0] += questions
        for statement in said.statements { statements[statement, default: 0] += questions }
    }

    /// How many questions `count` calls make: one for as many calls as its grant has uses and until it ends,
    /// taken as answered at once.
    private mutating func questions(_ call: RecordedCall, _ terms: ApprovalTerms?, count: Int) -> Int {
        guard let terms else { return 0 }
        let asked = Asked(
            agent: call.caller.agent, session: call.caller.session, digest: call.digest)
        var left = count
        if let earlier = open[asked], call.at < earlier.until {
            let covered = min(left, earlier.uses)
            left -= covered
            open[asked]?.uses -= covered
        }
        guard left > 0 else { return 0 }
        let questions = (left + terms.maxUses - 1) / terms.maxUses
        if open.count >= Self.openCountMax {
            open = open.filter { $0.value.until > call.at && $0.value.uses > 0 }
            if open.count >= Self.openCountMax { open = [:] }
        }
        open[asked] = Open(
            until: call.at.advanced(by: terms.grantTTL), uses: questions * terms.maxUses - left)
        return questions
    }
}
