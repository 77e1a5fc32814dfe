import Approving
import Deciding
import Identifying
import Recording
import Vocabulary

/// What the log holds of approvals, grants, uses and sessions: the one durable truth, read at start.
struct Fold {
    var room = WaitingRoom()
    var grants = GrantBook()
    /// What was sent lately under the limits of statements.
    var limits = LimitBook()
    /// The sessions, and when each was last used.
    var sessions = SessionBook()
    /// The uses that were sent lately, so that no late attempt of theirs is sent again.
    var sends = SentBook()
    /// The latest moment that the log knows.
    var latest: Instant?
    /// What failed lately and may be tried again.
    private(set) var retries = RetryBook()
    private var unfinished = UnfinishedRequests()
    private var uses: [EntryID: (taken: [Use], key: SendKey?)] = [:]
    private var counts: [EntryID: (counted: [LimitCount], key: SendKey?)] = [:]

    /// Requests without outcome: to be closed as unknown, never sent again.
    var open: [UnfinishedRequest] { unfinished.list }

    /// The fold of the log in `folder`.
    ///
    /// - Throws: ``LogError`` when the log cannot be read or is not what was written; ``ConfigurationError``
    ///   when an entry does not hold what its type must.
    init(folder: String) throws {
        var entries = try LogEntries(folder: folder)
        while let entry = try entries.next() {
            unfinished.apply(entry)
            latest = max(latest ?? entry.at, entry.at)
            do {
                try apply(entry)
                try use(entry)
            } catch {
                throw ConfigurationError(
                    "the log's entry \(entry.id) (\(entry.type.rawValue)) cannot be taken in: \(error)")
            }
        }
        // Those on their way when the log ends are about to be closed as unknown.
        for (_, key) in uses.values { if let key, let latest { sends.finish(key, .unknown, at: latest) } }
        if let latest { limits.forget(at: latest) }
    }

    private mutating func apply(_ entry: StoredEntry) throws {
        switch entry.type {
        case .approval, .approvalEnd, .review, .grant:
            guard let change = try ApprovalChange(entryType: entry.type.rawValue, body: entry.json) else {
                return
            }
            let tookEffect = room.apply(change)
            if case .granted(let grant) = change, tookEffect { try grants.add(grant) }
        case .grantEnd:
            if let id = entry["grant"]?.string { try grants.revoke(GrantID(parsing: id)) }
        case .request:
            let key = try sendKey(entry)
            guard let counted = limits.restore(entry) else {
                throw ConfigurationError("`limits` is not what was written")
            }
            limits.giveBack(retries.taken(by: key))
            if !counted.isEmpty { counts[entry.id] = (counted, key) }
            let taken = (entry["uses"]?.array ?? []).compactMap(Use.init(logged:))
            guard !taken.isEmpty else { return }
            uses[entry.id] = (taken, key)
            for use in taken { try grants.restore(use) }
            if let key { sends.begin(key, at: entry.at) }
        case .outcome:
            guard let seq = entry["entry"]?.integer.flatMap({ UInt64(exactly: $0) }) else { return }
            // Only where AWS certainly did not act is a use free again, and what was counted given back.
            let kind = entry["kind"]?.string.flatMap(Outcome.Kind.init(rawValue:)) ?? .unknown
            if let (counted, key) = counts.removeValue(forKey: EntryID(seq: seq)) {
                if kind == .notSent || kind == .throttled { limits.giveBack(counted) }
                retries.ended(key, (kind, entry["status"]?.integer.flatMap { Int(exactly: $0) }), counted)
            }
            guard let (taken, key) = uses.removeValue(forKey: EntryID(seq: seq)) else { return }
            guard kind == .notSent || kind == .throttled else {
                // What AWS answered is gone with the process that got it.
                if let key { sends.finish(key, .unknown, at: entry.at) }
                return
            }
            for use in taken { grants.release(use) }
            if let key { sends.finish(key, nil, at: entry.at) }
        case .session:
            sessions.apply(try SessionChange(entry))
        case .start, .policy, .ownCall, .denied, .rejected, .fault, .gap, .stop: return
        }
    }

    /// Counts a call as a sign of life of its session.
    private mutating func use(_ entry: StoredEntry) throws {
        let session: JSON?
        switch entry.type {
        case .request, .denied: session = entry["session"]
        case .approval: session = entry["requester"]?["session"]
        case .start, .policy, .session, .approvalEnd, .review, .grant, .grantEnd, .ownCall, .outcome,
            .rejected, .fault, .gap, .stop:
            return
        }
        if let text = session?.string { sessions.used(try SessionID(parsing: text), at: entry.at) }
    }

    /// Under which later attempts of the request `entry` are found; nil when its client named no invocation.
    private func sendKey(_ entry: StoredEntry) throws -> SendKey? {
        guard let invocation = entry["invocation"]?.string, let agent = entry["agent"]?.string,
            let session = entry["session"]?.string, let text = entry["digest"]?.string,
            let digest = Digest(parsing: text)
        else { return nil }
        return SendKey(
            agent: try AgentName(parsing: agent), session: try SessionID(parsing: session), digest: digest,
            invocation: invocation)
    }
}
