import Vocabulary

/// The story of one approval, grant or request in six lines: who, what, why now, decided, grant, then.
///
/// Entries go in in the order of the log; only those that belong are kept, at most ``callCountMax`` calls.
package struct Story: Sendable {
    /// Calls that are told one by one.
    package static let callCountMax = 1_000

    private let approval: String?
    private let grant: String?
    private let request: String?
    private var asked: StoredEntry?
    private var ended: StoredEntry?
    private var reviews: [StoredEntry] = []
    private var granted: StoredEntry?
    private var revoked: StoredEntry?
    private var calls: [(request: StoredEntry, outcome: StoredEntry?)] = []
    private var refusals: [StoredEntry] = []
    private var uncounted = 0

    /// The ids that belong to `id` (`apr-…`, `grt-…` or `req-…`), found in `entries` while they pass by.
    package struct Subject: Hashable, Sendable {
        fileprivate let id: String
        fileprivate var approval: String?
        fileprivate var grant: String?

        /// What `id` names, before any entry was read.
        package init(_ id: String) {
            self.id = id
            if id.hasPrefix("apr-") { approval = id }
            if id.hasPrefix("grt-") { grant = id }
        }

        /// Learns from `entry` which approval a grant or request belongs to.
        package mutating func apply(_ entry: StoredEntry) {
            if entry.type == .grant, let made = entry["grant"]?.string,
                let approval = entry["approval"]?.string
            {
                if made == grant { self.approval = approval }
                if approval == self.approval { grant = made }
            }
            if entry.type == .request, entry["req"]?.string == id, let use = entry["uses"]?.array?.first {
                approval = use["approval"]?.string
                grant = use["grant"]?.string
            }
        }
    }

    /// The story of `subject`, before any entry was read.
    package init(of subject: Subject) {
        approval = subject.approval
        grant = subject.grant
        request = subject.id.hasPrefix("req-") ? subject.id : nil
    }

    /// Takes `entry` in if it belongs to the story.
    package mutating func apply(_ entry: StoredEntry) {
        let isOurs = approval != nil && entry["approval"]?.string == approval
        switch entry.type {
        case .approval: if isOurs { asked = entry }
        case .approvalEnd: if isOurs { ended = entry }
        case .review: if isOurs { reviews.append(entry) }
        case .grant: if isOurs { granted = entry }
        case .grantEnd: if isOurs { revoked = entry }
        case .request:
            let uses = entry["uses"]?.array ?? []
            let isUse = approval != nil && uses.contains { $0["approval"]?.string == approval }
            guard isUse || (request != nil && entry["req"]?.string == request) else { return }
            if calls.count < Self.callCountMax { calls.append((entry, nil)) } else { uncounted += 1 }
        case .outcome:
            let seq = entry["entry"]?.integer.flatMap { UInt64(exactly: $0) }
            if let at = calls.lastIndex(where: { $0.request.id.seq == seq }) { calls[at].outcome = entry }
        case .denied, .rejected:
            guard isOurs || (request != nil && entry["req"]?.string == request) else { return }
            if refusals.count < Self.callCountMax { refusals.append(entry) }
        case .start, .policy, .session, .ownCall, .fault, .gap, .stop: return
        }
    }

    /// Whether anything was found.
    package var isEmpty: Bool { asked == nil && granted == nil && calls.isEmpty && refusals.isEmpty }

    /// The lines; the last repeats for each call.
    package var lines: [String] {
        guard !isEmpty else { return [] }
        return [
            row("who", who), row("what", what), row("why now", why), row("decided", decided),
            row("grant", grantText),
        ] + then
    }

    // MARK: - Lines

    private var caller: JSON? {
        asked?["requester"] ?? calls.first?.request.json ?? refusals.first?.json ?? granted?.json
    }

    private var who: String {
        guard let caller else { return "not in this log" }
        let strength = caller["strength"].map { " (\(word($0)))" } ?? ""
        let peer = caller["peer"].map { ", from \(bounded(word($0)))" } ?? ""
        let at = asked.map { ", asked \($0.at)" } ?? ""
        return "\(word(caller["agent"]))\(strength), session \(word(caller["session"]))\(peer)\(at)"
    }

    private var what: String {
        let body = asked?["what"] ?? calls.first?.request.json ?? refusals.first?.json
        guard let body, body["pairs"] != nil else { return "not in this log" }
        let account = body["account"].map { " in account \(word($0)), \(word(body["region"]))" } ?? ""
        return "\(subject(body["pairs"], body["pair_count"]))\(account), \(word(body["digest"]))"
    }

    private var why: String {
        let parts = ["task", "reason"].compactMap { name in
            caller?[name]?["text"]?.string.map { "\(name) \"\(shown($0))\"" }
        }
        guard !parts.isEmpty else { return "nothing was said" }
        let source = caller?["reason"]?["source"] ?? caller?["task"]?["source"]
        return "\(parts.joined(separator: ", ")) (the agent's own words, by \(word(source)))"
    }

    private var decided: String {
        if asked == nil, let request = calls.first?.request, let would = request["would"] {
            let why = (request["reasons"] ?? request["statements"])?.array?.map { word($0) } ?? []
            return
                "nobody: the gate only observed. Policy would \(word(would)): \(why.joined(separator: ", "))"
        }
        if asked == nil, let statements = calls.first?.request["statements"]?.array {
            return "allowed by \(statements.map { word($0) }.joined(separator: ", ")), nobody was asked"
        }
        if asked == nil, let refusal = refusals.first {
            return
                "\(word(refusal["code"])) "
                + "\((refusal["reasons"]?.array ?? []).map { word($0) }.joined(separator: ", "))"
        }
        var parts = reviews.map(review)
        if let ended { parts.append("\(word(ended["state"])) \(ended.at)") }
        if parts.isEmpty { parts = ["nobody yet: \(approvers(asked?["terms"]).joined(separator: ", "))"] }
        return parts.joined(separator: "; ")
    }

    private func review(_ entry: StoredEntry) -> String {
        let verdict = entry["verdict"] == "approve" ? "approved" : "denied"
        var text = "\(verdict) by \(word(entry["by"])) \(entry.at)"
        if let seen = entry["seen_ms"]?.integer { text += " after \(seconds(seen))" }
        if let reason = entry["reason"]?.string { text += ": \"\(shown(reason))\"" }
        if entry["same_uid"] == true { text += " (by the agent's own uid)" }
        return text
    }

    private var grantText: String {
        guard let granted else { return "none" }
        let used = calls.count + uncounted
        var text =
            "\(word(granted["grant"])), scope \(word(granted["scope"])), "
            + "\(word(granted["max_uses"])) use(s) until "
        text += "\(word(granted["end"])), \(used) sent under it"
        if let revoked { text += ", revoked \(revoked.at)" }
        return text
    }

    private var then: [String] {
        var lines = calls.map { call in row("then", self.call(call.request, call.outcome)) }
        if uncounted > 0 { lines.append(row("then", "\(uncounted) more calls")) }
        if lines.isEmpty { lines = [row("then", "nothing was sent to AWS")] }
        return lines
    }

    private func call(_ request: StoredEntry, _ outcome: StoredEntry?) -> String {
        let start =
            "\(request.at) entry \(request.id), \(word(request["req"]))\(power(request["downscope"])):"
        guard let outcome else { return "\(start) no outcome yet; it may have run" }
        guard outcome["kind"] == "answered" else {
            return
                "\(start) \(word(outcome["kind"]))\(outcome["error"].map { ", \(bounded(word($0)))" } ?? "")"
        }
        return "\(start) AWS answered \(word(outcome["status"])) in \(word(outcome["ms"])) ms, "
            + "AWS request \(word(outcome["aws_request_id"]))"
    }

    /// With whose power it was signed: ` as support-7@ses-9F31AAAA, scoped down to its grant`.
    private func power(_ downscope: JSON?) -> String {
        guard let downscope else { return "" }
        let name = downscope["role_session"].map { " as \(word($0))" } ?? ""
        let why = downscope["why"].map { " (\(bounded(word($0))))" } ?? ""
        switch downscope["to"]?.string {
        case SignedAs.Extent.statements.rawValue: return "\(name), scoped down to the agent's statements"
        case SignedAs.Extent.grant.rawValue: return "\(name), scoped down to its grant"
        case SignedAs.Extent.call.rawValue: return "\(name), scoped down to the call"
        default: return "\(name), not scoped down\(why)"
        }
    }

    private func row(_ name: String, _ text: String) -> String { "\(pad(name, 8)) \(text)" }
}

/// The story of `id` from the log in `folder`, read twice: once for what belongs together, once to tell it; a
/// session's once.
/// Empty when nothing is known.
///
/// - Throws: ``LogError/damaged(_:)``, ``LogError/system(step:path:code:)``.
package func story(of id: String, folder: String) throws(LogError) -> [String] {
    if id.hasPrefix("ses-") {
        var story = SessionStory(of: id)
        var entries = try LogEntries(folder: folder)
        while let entry = try entries.next() { story.apply(entry) }
        return story.lines
    }
    var subject = Story.Subject(id)
    var first = try LogEntries(folder: folder)
    while let entry = try first.next() { subject.apply(entry) }
    var story = Story(of: subject)
    var second = try LogEntries(folder: folder)
    while let entry = try second.next() { story.apply(entry) }
    return story.lines
}
