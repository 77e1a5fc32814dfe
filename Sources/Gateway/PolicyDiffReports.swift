import Deciding
import Recognizing
import Vocabulary

/// What `countersign policy diff` prints, and whether it is a yes.
package struct PolicyDiffReport: Sendable {
    /// What the sets have in common.
    package enum Answer: Sendable {
        /// Every call is decided alike.
        case same
        case different
        /// No difference was found, and not everything was tried.
        case undecided
    }

    /// For people, without the last line break.
    package let text: String
    /// The same as one object.
    package let json: JSON
    package let answer: Answer
    /// Whether something gets through more easily than before, or may.
    package let widens: Bool
}

/// What the policies at `new` decide otherwise than those at `old`.
///
/// - Throws: ``ConfigurationError`` for policies that cannot be read, with every fault found.
package func diffPolicies(
    from old: PolicyPlace, to new: PolicyPlace
) throws(ConfigurationError) -> PolicyDiffReport {
    let (before, after) = (try loadPolicies(old), try loadPolicies(new))
    let diff = PolicyDiff(from: before, to: after)
    let page = PolicyDiffPage(diff: diff, before: before, after: after)
    let isSame = diff.changes.isEmpty && diff.approvers.isEmpty
    return PolicyDiffReport(
        text: page.text, json: page.json, answer: diff.isNone ? .same : isSame ? .undecided : .different,
        widens: diff.widens)
}

/// A diff in words.
private struct PolicyDiffPage {
    let diff: PolicyDiff
    let before: PolicySet
    let after: PolicySet

    // MARK: - For people

    var text: String {
        var blocks = diff.changes.map(block)
        blocks += diff.approvers.map { one in
            let word = one.widens ? "WEAKER GATE" : "changed gate"
            return "\(word)  approvers\n  `\(shown(one.name))` \(one.change)"
        }
        blocks += diff.undecided.map { one in
            let who = one.agents.joined(separator: ", ")
            let what = one.actions.isEmpty ? "" : "\n  \(list(one.actions, [:])) for \(who)"
            return "NOT DECIDED  whether more changes: \(one.reason)" + what
        }
        return (blocks + [summary]).joined(separator: "\n\n")
    }

    private func block(_ change: PolicyDiff.Change) -> String {
        let heading = change.kind.widens ? change.kind.rawValue.uppercased() : change.kind.rawValue
        let (was, now) = (change.before.first?.word ?? "", change.after.first?.word ?? "")
        var lines = ["\(heading)  \(was) -> \(now)"]
        let who = change.isForEveryAgent ? "every agent" : change.agents.joined(separator: ", ")
        lines.append("  \(list(change.actions, change.shares)) for \(who)")
        lines.append("  \(resources(change))")
        lines += change.terms.map { "  \($0)" }
        lines.append("  was by \(named(change.before, in: before))")
        lines.append("  now by \(named(change.after, in: after))")
        // No call shows a limit: it depends on those before.
        if change.kind == .lostLimit || change.kind == .newLimit { return lines.joined(separator: "\n") }
        let call = change.witness
        let when = call.circumstances.isEmpty ? "" : ", when " + call.circumstances.joined(separator: " and ")
        let example = "\(call.action) on \(call.resource) by \(call.agent)\(when)"
        lines.append("  such as \(shown(example))")
        return lines.joined(separator: "\n")
    }

    private func resources(_ change: PolicyDiff.Change) -> String {
        let texts = change.resources
        if texts == ["*"] { return change.isForAllOfThem ? "on every resource" : "on some resources" }
        let first = texts.prefix(4).map { shown($0) }.joined(separator: ", ")
        let few = texts.count > 4 ? "\(first) and \(texts.count - 4) more" : first
        return change.isForAllOfThem ? "on \(few)" : "on some of \(few)"
    }

    private var summary: String {
        let compared =
            "\(diff.actionCount) actions and \(diff.agentCount) "
            + "\(diff.agentCount == 1 ? "kind" : "kinds") of agents compared"
        if diff.isNone { return "no change: both decide every call alike; \(compared)" }
        var counts: [String] = []
        for kind in PolicyDiff.Kind.allCases {
            let count = diff.changes.count { $0.kind == kind }
            if count > 0 { counts.append("\(count) \(kind.rawValue)") }
        }
        if !diff.approvers.isEmpty { counts.append("\(diff.approvers.count) of approvers") }
        if !diff.undecided.isEmpty { counts.append("\(diff.undecided.count) not decided") }
        return "\(counts.joined(separator: ", ")); \(compared)"
    }

    private func named(_ verdicts: [PolicyDiff.Verdict], in set: PolicySet) -> String {
        let all = verdicts.map { verdict in
            if verdict.statements.isEmpty { return "no statement" }
            return verdict.statements.map { id in
                set[id].map { "\(id) (\($0.file):\($0.line))" } ?? "\(id)"
            }.joined(separator: " with ")
        }
        return all.count > 4
            ? all.prefix(3).joined(separator: ", ") + " and \(all.count - 3) more"
            : all.joined(separator: ", ")
    }

    /// Few actions by name; of many of one service what their names begin with, `s3:Delete* (14)`.
    private func list(_ actions: [Action], _ shares: [Action: String]) -> String {
        let groups = Dictionary(grouping: actions, by: \.prefix).sorted { $0.key < $1.key }
        if groups.count > 4 {
            let names = groups.prefix(3).map { "\($0.key):\($0.value[0].name)" }.joined(separator: ", ")
            return "\(actions.count) actions of \(groups.count) services (\(names), …)"
        }
        let texts = groups.map { prefix, own in
            own.count <= 4
                ? own.map { named($0, shares[$0]) }.joined(separator: ", ") : summed(own, of: prefix)
        }
        let isPartial = groups.contains { $0.value.count > 4 && $0.value.contains { shares[$0] != nil } }
        return texts.joined(separator: ", ") + (isPartial ? ", of some only some calls," : "")
    }

    private func named(_ action: Action, _ share: String?) -> String {
        share.map { "\(action) (\($0))" } ?? "\(action)"
    }

    private func summed(_ own: [Action], of prefix: String) -> String {
        let all = Catalog.builtIn.listedActions(prefix: prefix).map(\.action)
        if own.count >= all.count { return "\(prefix):* (\(own.count) actions)" }
        let counts = Dictionary(grouping: all, by: \.verb).mapValues(\.count)
        let verbs = Dictionary(grouping: own, by: \.verb)
            .sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }
        let shown = verbs.prefix(5).map { verb, actions -> String in
            if actions.count == 1 { return actions[0].name }
            let total = counts[verb] ?? 0
            return "\(verb)* (\(actions.count < total ? "\(actions.count) of \(total)" : "\(total)"))"
        }
        let rest = verbs.dropFirst(5).map(\.value.count).reduce(0, +)
        return "\(own.count) actions of \(prefix): " + shown.joined(separator: ", ")
            + (rest > 0 ? " and \(rest) more" : "")
    }

    // MARK: - For programs

    var json: JSON {
        [
            "before": .string(before.digest.hex), "after": .string(after.digest.hex),
            "same": .bool(diff.isNone), "widens": .bool(diff.widens),
            "changes": .array(diff.changes.map(entry)),
            "approvers": .array(
                diff.approvers.map {
                    ["name": .string($0.name), "change": .string($0.change), "widens": .bool($0.widens)]
                }),
            "undecided": .array(
                diff.undecided.map {
                    [
                        "reason": .string($0.reason), "actions": .strings($0.actions.map(\.description)),
                        "agents": .strings($0.agents),
                    ]
                }),
        ]
    }

    private func entry(_ change: PolicyDiff.Change) -> JSON {
        [
            "kind": .string(change.kind.rawValue), "widens": .bool(change.kind.widens),
            "actions": .strings(change.actions.map(\.description)), "agents": .strings(change.agents),
            "every_agent": .bool(change.isForEveryAgent), "resources": .strings(change.resources),
            "all_of_them": .bool(change.isForAllOfThem),
            "shares": .object(
                change.shares.sorted { $0.key.description < $1.key.description }
                    .map { .init($0.key.description, .string($0.value)) }),
            "before": verdicts(change.before), "after": verdicts(change.after),
            "terms": .strings(change.terms),
            "example": [
                "agent": .string(change.witness.agent.text),
                "action": .string(change.witness.action.description),
                "resource": .string(change.witness.resource.description),
                "when": .strings(change.witness.circumstances),
            ],
        ]
    }

    private func verdicts(_ verdicts: [PolicyDiff.Verdict]) -> JSON {
        [
            "says": .string(verdicts.first?.word ?? ""),
            "statements": .array(verdicts.map { .strings($0.statements.map(\.description)) }),
        ]
    }
}
