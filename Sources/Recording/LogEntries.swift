import Deciding
import Vocabulary

/// The entries of a log in order, each link checked on the way: what state is folded from at start.
package struct LogEntries: ~Copyable {
    private var walker: LogWalker
    private let first: EntryID
    /// Entries so far, those before the first wanted one included.
    package private(set) var count = 0
    private var place = LogWalker.Place(file: segmentName(1), line: 0)
    private var last: EntryID

    /// The entries of the log in `folder` from `first` on. Earlier ones are checked and passed over.
    ///
    /// - Throws: ``LogError/system(step:path:code:)``; ``LogError/damaged(_:)`` when a segment is missing.
    package init(folder: String, from first: EntryID = EntryID(seq: 1)) throws(LogError) {
        walker = try LogWalker(folder: folder)
        self.first = first
        last = first
    }

    /// The next entry that stands; nil at the end. Unsure ones are passed over.
    ///
    /// - Throws: ``LogError/damaged(_:)`` at the first bad entry: nothing after it may be believed.
    package mutating func next() throws(LogError) -> StoredEntry? {
        while let step = try walker.next() {
            switch step {
            case .entry(let entry, let place), .gap(let entry, _, let place):
                count += 1
                (self.place, last) = (place, entry.id)
                if entry.id >= first { return entry }
            case .unsure, .tornTail: continue
            }
        }
        return nil
    }
}

extension LogEntries {
    /// The entry that ``next()`` gave last is not what its type must be, and why: with its file and line.
    package func bad(_ why: String) -> LogError {
        .damaged(BadEntry(file: place.file, line: place.line, seq: last.seq, why: .unreadable(why)))
    }
}

/// A request without an outcome: it was written down, and then nothing.
package struct UnfinishedRequest: Hashable, Sendable {
    package let entry: EntryID
    package let request: RequestID
    package let agent: AgentName
    package let uses: [Use]
}

/// Finds the requests without outcome while entries pass by in order.
package struct UnfinishedRequests: Sendable {
    private var open: [EntryID: UnfinishedRequest] = [:]

    package init() {}

    /// Takes the next entry into account.
    package mutating func apply(_ entry: StoredEntry) {
        if entry.type == .request, let request = UnfinishedRequest(entry) { open[entry.id] = request }
        if entry.type == .outcome, let seq = entry["entry"]?.integer, seq > 0 {
            open[EntryID(seq: UInt64(seq))] = nil
        }
    }

    /// Those without outcome so far, oldest first.
    package var list: [UnfinishedRequest] { open.values.sorted { $0.entry < $1.entry } }
}

extension UnfinishedRequest {
    fileprivate init?(_ entry: StoredEntry) {
        guard let request = entry["req"]?.string.flatMap({ try? RequestID(parsing: $0) }),
            let agent = entry["agent"]?.string.flatMap({ try? AgentName(parsing: $0) })
        else { return nil }
        self.entry = entry.id
        self.request = request
        self.agent = agent
        uses = (entry["uses"]?.array ?? []).compactMap(Use.init(logged:))
    }
}

/// The requests in the log of `folder` that have no outcome: to be closed as unknown at start, and never sent
/// again.
///
/// - Throws: ``LogError/damaged(_:)``, ``LogError/system(step:path:code:)``.
package func unfinishedRequests(folder: String) throws(LogError) -> [UnfinishedRequest] {
    var entries = try LogEntries(folder: folder)
    var unfinished = UnfinishedRequests()
    while let entry = try entries.next() { unfinished.apply(entry) }
    return unfinished.list
}
