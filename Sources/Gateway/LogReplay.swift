import Deciding
import Recording
import Vocabulary

/// Which recorded calls are judged again.
package struct LogSelection: Sendable {
    /// The folder of the log's segments.
    package let folder: String
    /// Only what came at or after; nil: from the beginning.
    package let since: Instant?
    /// Only calls of these agents; nil: of all.
    let agents: AgentPattern?

    /// The calls in the log of `folder`; nil when `agents` is no pattern of agents' names.
    package init?(folder: String, since: Instant?, agents: String?) {
        (self.folder, self.since) = (folder, since)
        self.agents = agents.flatMap(AgentPattern.init(parsing:))
        if agents != nil, self.agents == nil { return nil }
    }
}

/// The moment that `text` names: a moment of its own, `2026-11-24T08:30:00Z`, a day, or so long before `now`:
/// `7d`. Nil for anything else.
package func moment(_ text: String, before now: Instant) -> Instant? {
    if let moment = Instant(parsing: text) ?? Instant(parsing: text + "T00:00:00Z") { return moment }
    return duration(text).map { now.advanced(by: .zero - $0) }
}

/// What was read of a log besides the calls that were judged.
struct LogSpan {
    /// Entries of calls that were judged, and when the first and last of them came.
    var callCount = 0
    var first: Instant?
    var last: Instant?
    /// Calls that the log only counts.
    var uncountedCount = 0

    /// `1204 calls, 2026-11-18T09:12Z to 2026-11-24T17:05Z`.
    var told: String {
        guard let first, let last else { return "no calls" }
        let many = callCount == 1 ? "1 call" : "\(callCount) calls"
        return "\(many), \(first.description.prefix(16))Z to \(last.description.prefix(16))Z"
    }

    /// What the judged calls do not tell, in lines.
    var remarks: [String] {
        uncountedCount == 0
            ? []
            : [
                "\(uncountedCount) refused calls were only counted: nothing is known of them to judge"
            ]
    }

    var members: [JSON.Member] {
        [
            .init("calls", .integer(callCount)),
            .init("first", first.map { .string($0.description) } ?? .null),
            .init("last", last.map { .string($0.description) } ?? .null),
            .init("only_counted", .integer(uncountedCount)),
        ]
    }
}

/// Hands each entry of the selected calls of the log to `judge`, in order and in bounded memory; the chain is
/// checked on the way. `pass` gets every other entry that stands.
///
/// - Throws: ``LogReadingError`` at the first entry that is not what was written, or cannot be read: with its
///   file and line, and nothing of what was judged counts.
func replayLog(
    _ selection: LogSelection, judge: (RecordedCall, Int, StoredEntry) -> Void,
    pass: (StoredEntry) -> Void = { _ in }
) throws(LogReadingError) -> LogSpan {
    var span = LogSpan()
    do {
        var entries = try LogEntries(folder: selection.folder)
        // A gate's own calls follow its start.
        var host: String?
        while let entry = try entries.next() {
            if entry.type == .start { host = entry["host"]?.string }
            let replayed: ReplayedEntry
            do { replayed = try ReplayedEntry(entry, host: host) } catch { throw entries.bad("\(error)") }
            switch replayed {
            case .calls(let call, let count):
                guard selection.holds(call.caller.agent, at: entry.at) else { continue }
                span.callCount += count
                span.first = span.first ?? entry.at
                span.last = entry.at
                judge(call, count, entry)
            case .uncounted(let count, let agent):
                if selection.holds(agent, at: entry.at) { span.uncountedCount += count }
            case .none: pass(entry)
            }
        }
    } catch { throw LogReadingError(description: "\(error)") }
    return span
}

extension LogSelection {
    fileprivate func holds(_ agent: AgentName?, at: Instant) -> Bool {
        if let since, at < since { return false }
        guard let agents, let agent else { return true }
        return agents.matches(agent)
    }
}

/// Numbers to the right, each column as wide as it must be.
func table(_ rows: [[String]], leftColumns: Int) -> [String] {
    var widths: [Int] = []
    for row in rows {
        for (index, cell) in row.enumerated() {
            if index == widths.count { widths.append(0) }
            widths[index] = max(widths[index], cell.count)
        }
    }
    return rows.map { row in
        var line = ""
        for (index, cell) in row.enumerated() {
            let blanks = String(repeating: " ", count: widths[index] - cell.count)
            let isLeft = index < leftColumns
            line += (index == 0 ? "" : "  ") + (isLeft ? cell + blanks : blanks + cell)
        }
        while line.hasSuffix(" ") { line.removeLast() }
        return line
    }
}
