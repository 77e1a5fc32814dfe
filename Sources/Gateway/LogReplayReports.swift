import Deciding
import Recording
import Vocabulary

/// What a command that judges recorded calls again prints.
package struct ReplayReport: Sendable {
    /// For people, without the last line break.
    package let text: String
    /// The same as one object.
    package let json: JSON
    /// Whether a call is decided otherwise (of two sets).
    package let isChanged: Bool
    /// Whether a call gets through more easily.
    package let widens: Bool
    /// Whether of some call nobody can tell.
    package let isUntold: Bool
}

// MARK: - diff --replay

/// Which calls of the log the policies of the folder `new` decide otherwise than those of the folder `old`.
///
/// - Throws: ``ConfigurationError`` for policies that cannot be read, ``LogReadingError`` for a log that
///   cannot, or is not what was written.
package func replayPolicies(
    from old: PolicyPlace, to new: PolicyPlace, over selection: LogSelection
) throws -> ReplayReport {
    var changes = ReplayedChanges(from: try loadPolicies(old), to: try loadPolicies(new))
    let span = try replayLog(selection) { call, count, entry in
        changes.add(call, count: count, entry: entry.id)
    }
    let groups = changes.groups
    var blocks = groups.map(block)
    func count(_ isMeant: (PolicyDiff.Kind?) -> Bool) -> Int {
        groups.filter { isMeant($0.kind) }.reduce(0) { $0 + $1.count }
    }
    let untold = count { $0 == nil }
    let changedCount = count { $0 != nil } + changes.ungroupedCount
    let widening = count { $0?.widens ?? false }
    var summary = "\(span.told): "
    summary += changedCount == 0 ? "none is decided otherwise" : "\(changedCount) decided otherwise"
    if widening > 0 { summary += ", \(widening) get through more easily" }
    if untold > 0 { summary += "; of \(untold) nobody can tell" }
    blocks.append(([summary] + span.remarks).joined(separator: "\n"))
    if changes.ungroupedCount > 0 {
        blocks.append("\(changes.ungroupedCount) changed calls are of more kinds than are told apart")
    }
    let json = JSON.object(
        span.members + [
            .init("changed", .integer(changedCount)), .init("widened", .integer(widening)),
            .init("untold", .integer(untold)), .init("ungrouped", .integer(changes.ungroupedCount)),
            .init("groups", .array(groups.map(member))),
        ])
    return ReplayReport(
        text: blocks.joined(separator: "\n\n"), json: json, isChanged: changedCount > 0,
        widens: widening > 0 || changes.ungroupedCount > 0, isUntold: untold > 0)
}

/// As `policy diff` tells a change, but of calls that were made.
private func block(_ group: ReplayedChanges.Group) -> String {
    let name = group.kind?.rawValue ?? "cannot tell"
    let many = group.count == 1 ? "1 call" : "\(group.count) calls"
    let (first, last) = (group.first.description.prefix(19), group.last.description.prefix(19))
    var lines = [
        (group.kind?.widens ?? false ? name.uppercased() : name)
            + "  \(group.before.word.rawValue) -> \(group.after.word.rawValue)",
        "  \(shown(group.operation)) for \(group.agent): \(many), \(first)Z"
            + (first == last ? "" : " to \(last)Z"),
    ]
    lines += group.terms.map { "  \(shown($0))" }
    lines += ["  was by \(ground(group.before))", "  now by \(ground(group.after))"]
    let subject = group.pairs.first.map { "\($0.action) on \(brief($0.resource.description)), " } ?? ""
    return (lines + ["  such as \(subject)entry \(group.example)"]).joined(separator: "\n")
}

private func ground(_ said: Replayed) -> String {
    let words = said.statements.map(\.description) + said.why.filter { $0 != "by default" }
    return words.isEmpty ? "no statement" : list(words.map(shown))
}

private func member(_ group: ReplayedChanges.Group) -> JSON {
    [
        "kind": .string(group.kind?.rawValue ?? "cannot tell"), "widens": .bool(group.kind?.widens ?? false),
        "agent": .string(group.agent.text), "operation": .string(group.operation),
        "before": said(group.before), "after": said(group.after), "terms": .strings(group.terms),
        "count": .integer(group.count),
        "first": .string(group.first.description), "last": .string(group.last.description),
        "entry": .integer(group.example.seq), "pairs": .array(group.pairs.map(\.logged)),
    ]
}

private func said(_ said: Replayed) -> JSON {
    [
        "decision": .string(said.word.rawValue), "statements": .strings(said.statements.map(\.description)),
        "why": .strings(said.why), "approvers": .string(said.approvers),
    ]
}

// MARK: - simulate

/// What the policies of the folder `policies` would have said of the calls of a log, day by day.
///
/// - Throws: ``ConfigurationError`` for policies that cannot be read, ``LogReadingError`` for a log that
///   cannot, or is not what was written.
package func simulatePolicies(in policies: String, over selection: LogSelection) throws -> ReplayReport {
    var simulation = PolicySimulation(try loadPolicies(policies))
    let span = try replayLog(selection) { call, count, _ in simulation.add(call, count: count) }
    var blocks = [table(dayRows(simulation), leftColumns: 2).joined(separator: "\n")]
    if !simulation.approvers.isEmpty {
        blocks.append(table(approverRows(simulation), leftColumns: 1).joined(separator: "\n"))
        let rows = simulation.statements.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        blocks.append(
            (["statements that ask"]
                + table(rows.prefix(20).map { ["  \($0.key)", "\($0.value)"] }, leftColumns: 1))
                .joined(separator: "\n"))
    }
    for (title, rows) in [
        ("denied, with no statement about it", simulation.denied), ("nobody can tell", simulation.untold),
    ] where !rows.isEmpty {
        let sorted = sortedRows(rows)
        let told = sorted.prefix(20).map { row, count in
            ["  \(row.agent)", shown(row.operation), "\(count)", shown(row.why)]
        }
        let more = sorted.count > 20 ? ["  and \(sorted.count - 20) more kinds"] : []
        blocks.append(([title] + table(told, leftColumns: 2) + more).joined(separator: "\n"))
    }
    blocks.append(([span.told] + span.remarks).joined(separator: "\n"))
    let total = simulation.total
    return ReplayReport(
        text: blocks.filter { !$0.isEmpty }.joined(separator: "\n\n"), json: member(simulation, span),
        isChanged: false, widens: false, isUntold: total.untold > 0)
}

private func sortedRows(_ rows: [PolicySimulation.Subject: Int]) -> [(PolicySimulation.Subject, Int)] {
    rows.map { ($0.key, $0.value) }.sorted { left, right in
        if left.1 != right.1 { return left.1 > right.1 }
        return (left.0.operation, left.0.agent.text, left.0.why)
            < (right.0.operation, right.0.agent.text, right.0.why)
    }
}

private func sortedDays(_ simulation: PolicySimulation) -> [(PolicySimulation.Day, PolicySimulation.Count)] {
    simulation.days.map { ($0.key, $0.value) }.sorted {
        ($0.0.date, $0.0.agent.text) < ($1.0.date, $1.0.agent.text)
    }
}

private func dayRows(_ simulation: PolicySimulation) -> [[String]] {
    func row(_ day: String, _ agent: String, _ count: PolicySimulation.Count) -> [String] {
        [day, agent]
            + [count.allowed, count.asking, count.questions, count.denied, count.untold].map(String.init)
    }
    let days = sortedDays(simulation)
    return [["day", "agent", "allow", "ask", "questions", "deny", "cannot tell"]]
        + days.map { row($0.0.date, $0.0.agent.text, $0.1) }
        + (days.count > 1 ? [row("all", "", simulation.total)] : [])
}

/// Questions a day for each group that must answer them: all, of the days with calls the mean, and the most.
private func approverRows(_ simulation: PolicySimulation) -> [[String]] {
    let dayCount = max(1, Set(simulation.days.keys.map(\.date)).count)
    let rows = simulation.approvers.map { who, days -> (Int, [String]) in
        let all = days.values.reduce(0, +)
        let most = days.max { ($0.value, $1.key) < ($1.value, $0.key) }
        return (
            all,
            [
                "  \(shown(who))", "\(all)", "\(all * 10 / dayCount / 10).\(all * 10 / dayCount % 10) a day",
                "at most \(most?.value ?? 0), on \(most?.key ?? "?")",
            ]
        )
    }
    return [["questions for"]] + rows.sorted { ($1.0, $0.1[0]) < ($0.0, $1.1[0]) }.map(\.1)
}

private func member(_ simulation: PolicySimulation, _ span: LogSpan) -> JSON {
    func counts(_ count: PolicySimulation.Count) -> [JSON.Member] {
        [
            .init("allow", .integer(count.allowed)), .init("ask", .integer(count.asking)),
            .init("questions", .integer(count.questions)), .init("deny", .integer(count.denied)),
            .init("cannot_tell", .integer(count.untold)),
        ]
    }
    func rows(_ rows: [PolicySimulation.Subject: Int]) -> JSON {
        .array(
            sortedRows(rows).map { row, count in
                [
                    "agent": .string(row.agent.text), "operation": .string(row.operation),
                    "why": .string(row.why), "count": .integer(count),
                ]
            })
    }
    let days = sortedDays(simulation).map { day, count in
        JSON.object(
            [.init("day", .string(day.date)), .init("agent", .string(day.agent.text))] + counts(count))
    }
    let approvers = simulation.approvers.sorted { $0.key < $1.key }.map { who, days -> JSON in
        [
            "approvers": .string(who),
            "days": .object(days.sorted { $0.key < $1.key }.map { .init($0.key, .integer($0.value)) }),
        ]
    }
    return .object(
        span.members + counts(simulation.total) + [
            .init("days", .array(days)), .init("approvers", .array(approvers)),
            .init(
                "statements",
                .object(
                    simulation.statements.sorted { $0.key < $1.key }.map {
                        .init($0.key.description, .integer($0.value))
                    })),
            .init("denied_by_default", rows(simulation.denied)), .init("untold", rows(simulation.untold)),
        ])
}
