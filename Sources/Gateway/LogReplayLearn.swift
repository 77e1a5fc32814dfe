import Deciding
import Recognizing
import Recording
import Vocabulary

/// A policy drafted from what agents did.
package struct LearnedPolicy: Sendable {
    /// YAML, without the last line break.
    package let text: String
    package let json: JSON
}

/// Drafts a policy from the calls that `selection` names: what was let through is drafted, what policy or a
/// human refused is only told.
///
/// - Throws: ``ConfigurationError`` when the log has no such call; ``LogReadingError`` for a log that cannot
///   be read, or is not what was written.
package func learnPolicy(
    from selection: LogSelection, approvers: [String]?
) throws -> LearnedPolicy {
    var draft = PolicyDraft(agents: selection.agents?.text ?? "*", actions: ActionNames(.builtIn))
    // A call that asked is let through once a human has answered.
    var open: [String: RecordedCall] = [:]
    let span = try replayLog(selection) { call, count, entry in
        switch entry.type {
        case .approval: open[entry["approval"]?.string ?? ""] = call
        case .denied: draft.refuse(call, count: count, why: "refused by policy")
        default: draft.learn(call, count: count, asked: entry["uses"] != nil)
        }
    } pass: { entry in
        guard let id = entry["approval"]?.string, let call = open[id] else { return }
        switch entry.type {
        case .grant: draft.learn(call, count: 1, asked: true)
        case .approvalEnd: draft.refuse(call, count: 1, why: "asked, and nobody answered")
        case .review where entry["verdict"] == "deny": draft.refuse(call, count: 1, why: "refused by a human")
        default: return
        }
        open[id] = nil
    }
    for call in open.values.sorted(by: { $0.at < $1.at }) {
        draft.refuse(call, count: 1, why: "asked, and nobody has answered yet")
    }
    if draft.isEmpty {
        let who = selection.agents.map { " of `\($0.text)`" } ?? ""
        throw ConfigurationError("the log has no call\(who) in that time: nothing is drafted")
    }
    let remarks = span.remarks.map { "\n# \($0)" }.joined()
    return LearnedPolicy(
        text: draft.text(approvers: approvers) + remarks, json: draft.json(approvers: approvers))
}
