import Vocabulary

/// The story of one session: who, why now, its runs, its calls, what it asked for, how it ended.
///
/// Entries go in in the order of the log; only counts and at most ``askedCountMax`` approvals are kept.
struct SessionStory: Sendable {
    /// Approvals that are told one by one.
    static let askedCountMax = 1_000

    private let id: String
    private var opened: StoredEntry?
    private var latestRun: StoredEntry?
    private var reason: String?
    private var runCount = 0
    private var closed: StoredEntry?
    private var sentCount = 0
    private var refusedCount = 0
    private var first: Instant?
    private var last: Instant?
    private var asked: [(approval: StoredEntry, end: String)] = []
    private var places: [String: Int] = [:]
    private var untoldCount = 0

    /// The story of `id`, `ses-…`, before any entry was read.
    init(of id: String) { self.id = id }

    /// Takes `entry` in if it belongs to the story.
    mutating func apply(_ entry: StoredEntry) {
        switch entry.type {
        case .session: if entry["session"]?.string == id { event(entry) }
        case .request: if entry["session"]?.string == id { called(entry, sent: 1) }
        case .denied:
            guard entry["session"]?.string == id else { return }
            called(entry, refused: Int(entry["count"]?.integer ?? 1))
        case .approval:
            guard entry["requester"]?["session"]?.string == id, let name = entry["approval"]?.string else {
                return
            }
            guard asked.count < Self.askedCountMax else {
                untoldCount += 1
                return
            }
            places[name] = asked.count
            asked.append((entry, "not answered yet"))
        case .review: if entry["verdict"] == "deny" { end(entry, "denied by \(word(entry["by"]))") }
        case .grant: end(entry, "approved, \(word(entry["grant"]))")
        case .approvalEnd: end(entry, word(entry["state"]))
        case .grantEnd: end(entry, "approved, \(word(entry["grant"])) \(word(entry["state"]))")
        case .start, .policy, .ownCall, .outcome, .rejected, .fault, .gap, .stop: return
        }
    }

    private mutating func event(_ entry: StoredEntry) {
        switch entry["event"] {
        case "closed": closed = entry
        case "opened":
            opened = entry
            fallthrough
        default:
            runCount += 1
            latestRun = entry
            reason = entry["reason"]?["text"]?.string ?? reason
            closed = nil
        }
    }

    private mutating func called(_ entry: StoredEntry, sent: Int = 0, refused: Int = 0) {
        sentCount += sent
        refusedCount += refused
        if first == nil { first = entry.at }
        last = entry.at
    }

    private mutating func end(_ entry: StoredEntry, _ text: String) {
        if let place = entry["approval"]?.string.flatMap({ places[$0] }) { asked[place].end = text }
    }

    /// The lines; none when the log knows nothing of it.
    var lines: [String] {
        guard opened != nil || first != nil else { return [] }
        return [row("who", who), row("why now", why), row("runs", runs), row("calls", calls)]
            + asked.map { asked in
                let subject = subject(asked.approval["pairs"], asked.approval["pair_count"])
                return row("asked", "\(word(asked.approval["approval"])) \(subject): \(asked.end)")
            } + (untoldCount > 0 ? [row("asked", "\(untoldCount) more")] : []) + [row("ended", ended)]
    }

    private var who: String {
        guard let opened else { return "its opening is not in this log" }
        guard let uid = opened["uid"] else {
            return "\(word(opened["agent"])): the standing session of its listeners, for unsigned calls"
        }
        let owner = opened["owner"].map { ", whose owner is \(word($0))" } ?? ""
        return "\(word(opened["agent"]))\(owner), opened by uid \(word(uid)) \(opened.at)"
    }

    private var why: String {
        let task = opened?["task"]?["text"]?.string.map { "task \"\(shown($0))\"" }
        let reason = reason.map { "reason \"\(shown($0))\"" }
        let parts = [task, reason].compactMap { $0 }
        return parts.isEmpty ? "nothing was said" : "\(parts.joined(separator: ", ")) (the agent's own words)"
    }

    private var runs: String {
        guard let latestRun, opened?["uid"] != nil else { return "none of its own" }
        return runCount == 1 ? "1" : "\(runCount), the last \(latestRun.at)"
    }

    private var calls: String {
        guard let first, let last else { return "none" }
        return "\(sentCount) sent, \(refusedCount) refused or held, from \(first) to \(last)"
    }

    private var ended: String {
        guard let closed else { return "not by this log; without a call it ends after 8 hours" }
        return "\(closed.at) \(closedWords(closed))"
    }

    private func row(_ name: String, _ text: String) -> String { "\(pad(name, 8)) \(text)" }
}

/// `by alice: "no more of this"`, of an entry that closes a session.
func closedWords(_ entry: StoredEntry) -> String {
    let reason = entry["reason"].map { ": \"\(bounded(word($0)))\"" } ?? ""
    switch entry["why"] {
    case "idle": return "closed, idle for 8 hours"
    case "agent": return "closed by its agent\(reason)"
    default: return "closed by \(entry["by"].map { word($0) } ?? "the operator")\(reason)"
    }
}
