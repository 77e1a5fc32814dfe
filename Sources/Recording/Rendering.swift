import Vocabulary

/// Turns entries into lines for people: one for each call, when its outcome is known, and one for whatever
/// else happened.
///
/// Pure: time and entries come in, text goes out. All text of others is escaped and bounded.
package struct Rendering: Sendable {
    private let hasColor: Bool
    /// Requests whose outcome has not come yet, the oldest first.
    private var open: [UInt64: StoredEntry] = [:]
    private var order: [UInt64] = []
    private static let openCountMax = 4_096

    /// `color` for terminals that show it.
    package init(color: Bool = false) { hasColor = color }

    /// The line for `entry`; nil for a request, which is told with its outcome.
    package mutating func line(for entry: StoredEntry) -> String? {
        switch entry.type {
        case .request, .ownCall:
            open[entry.id.seq] = entry
            order.append(entry.id.seq)
            if order.count > Self.openCountMax { open[order.removeFirst()] = nil }
            return nil
        case .outcome: return outcomeLine(entry)
        case .approval:
            return row(
                entry, "ask", .yellow, agent: entry["requester"]?["agent"],
                subject(entry["pairs"], entry["pair_count"]), approvalRest(entry))
        case .approvalEnd:
            return row(entry, word(entry["state"]), .plain, agent: nil, "", word(entry["approval"]))
        case .review: return reviewLine(entry)
        case .grant: return row(entry, "grant", .green, agent: entry["agent"], "", grantRest(entry))
        case .grantEnd:
            let by = entry["by"].map { " by \(word($0))" } ?? ""
            return row(
                entry, "revoke", .red, agent: nil, "",
                "\(word(entry["grant"])) of \(word(entry["approval"]))\(by)")
        case .denied:
            return row(
                entry, "deny", .red, agent: entry["agent"], subject(entry["pairs"], entry["pair_count"]),
                deniedRest(entry))
        case .rejected:
            return row(
                entry, "bad", .red, agent: entry["agent"], "",
                "\(word(entry["status"])) \(word(entry["code"])) \(bounded(word(entry["message"])))"
                    + count(entry))
        case .session:
            return row(
                entry, "session", .plain, agent: entry["agent"], "",
                "\(word(entry["session"])) \(sessionWords(entry))")
        case .policy:
            return row(
                entry, "policy", entry["event"] == "failed" ? .red : .plain, agent: nil, "",
                "\(word(entry["event"])) \(short(entry["policy"]))\(error(entry))")
        case .start:
            return row(
                entry, "start", .plain, agent: nil, "",
                "countersign \(word(entry["version"])), policy \(short(entry["policy"]))"
                    + (entry["mode"].map { ", MODE \(word($0).uppercased()): nothing is held or denied" }
                        ?? ""))
        case .stop: return row(entry, "stop", .plain, agent: nil, "", bounded(word(entry["reason"])))
        case .fault:
            return row(
                entry, "fault", .red, agent: entry["agent"], "", "\(word(entry["step"]))\(error(entry))")
        case .gap:
            return row(
                entry, "gap", .red, agent: nil, "",
                "after entry \(word(entry["after"])): \(word(entry["cause"]))\(error(entry))")
        }
    }

    // MARK: - Lines

    private mutating func outcomeLine(_ entry: StoredEntry) -> String {
        let seq = entry["entry"]?.integer.flatMap { UInt64(exactly: $0) } ?? 0
        let request = open.removeValue(forKey: seq)
        if let at = order.firstIndex(of: seq) { order.remove(at: at) }
        let isAnswered = entry["kind"] == "answered"
        var rest = isAnswered ? word(entry["status"]) : word(entry["kind"])
        if !isAnswered, let status = entry["status"] { rest += " \(word(status))" }
        rest += " \(word(entry["ms"])) ms"
        if let id = entry["aws_request_id"] { rest += " aws:\(word(id))" }
        for use in request?["uses"]?.array ?? [] { rest += " \(word(use["grant"]))" }
        if entry["holds_credentials"] == true { rest += ", the reply holds credentials" }
        rest += request.map(observed) ?? ""
        if !isAnswered { rest += error(entry) }
        if request == nil { rest += " entry \(seq)" }
        let isGood =
            isAnswered && (entry["status"]?.integer ?? 500) < 400 && entry["holds_credentials"] != true
            && request?["would"] == nil
        let subject = request.map { self.subject($0["pairs"], $0["pair_count"]) } ?? ""
        let isOwn = request?.type == .ownCall
        if isOwn { rest += ", \(bounded(word(request?["purpose"])))" }
        return row(
            entry, isOwn ? "own" : "sent", isGood ? .green : .red, agent: request?["agent"], subject, rest)
    }

    private func reviewLine(_ entry: StoredEntry) -> String {
        let isApproval = entry["verdict"] == "approve"
        var rest = "\(word(entry["approval"])) by \(word(entry["by"]))"
        if let seen = entry["seen_ms"]?.integer { rest += " after \(seconds(seen))" }
        if let reason = entry["reason"]?.string { rest += ": \"\(bounded(shown(reason)))\"" }
        if entry["same_uid"] == true { rest += " (the agent's own uid)" }
        return row(entry, isApproval ? "approve" : "refuse", isApproval ? .green : .red, agent: nil, "", rest)
    }

    private func approvalRest(_ entry: StoredEntry) -> String {
        "\(word(entry["approval"])) pending \(approvers(entry["terms"]).joined(separator: ", "))"
    }

    private func grantRest(_ entry: StoredEntry) -> String {
        "\(word(entry["grant"])) of \(word(entry["approval"])), \(word(entry["max_uses"])) use(s) "
            + "until \(clockText(entry["end"]))"
    }

    private func deniedRest(_ entry: StoredEntry) -> String {
        let reasons = (entry["reasons"]?.array ?? []).map { word($0) }
        let approval = entry["approval"].map { " \(word($0))" } ?? ""
        return "\(word(entry["code"]))\(approval) \(reasons.first.map(bounded) ?? "")"
            + (reasons.count > 1 ? " +\(reasons.count - 1) more" : "") + count(entry)
    }

    /// The mark of a gate that only observed, and what policy would have done.
    private func observed(_ request: StoredEntry) -> String {
        guard let mode = request["mode"] else { return "" }
        guard let would = request["would"] else { return " [\(word(mode))]" }
        let why = (request["reasons"] ?? request["statements"])?.array?.map { bounded(word($0)) } ?? []
        return " [\(word(mode)): WOULD \(word(would).uppercased()): \(why.joined(separator: ", "))]"
    }

    private func sessionWords(_ entry: StoredEntry) -> String {
        if entry["event"] == "closed" { return closedWords(entry) }
        var text = word(entry["event"])
        if let approval = entry["approval"] { text += " for \(word(approval))" }
        if let uid = entry["uid"] { text += " by uid \(word(uid))" }
        guard entry["uid"] != nil || entry["event"] != "opened" else { return text }
        let said = [entry["task"], entry["reason"]].compactMap { $0?["text"]?.string }
        return text
            + (said.isEmpty ? "" : ": " + said.map { "\"\(bounded(shown($0)))\"" }.joined(separator: ", "))
    }

    // MARK: - Parts

    private enum Color: String {
        case plain = "0"
        case red = "31"
        case green = "32"
        case yellow = "33"
    }

    private func row(
        _ entry: StoredEntry, _ kind: String, _ color: Color, agent: JSON?, _ subject: String, _ rest: String
    ) -> String {
        let padded = pad(kind, 7)
        let word = hasColor && color != .plain ? "\u{1B}[\(color.rawValue)m\(padded)\u{1B}[0m" : padded
        var line = "\(entry.at.clock) \(word) \(pad(agent.map { Recording.word($0) } ?? "-", 10))"
        if !subject.isEmpty { line += " \(subject) " }
        line += " \(rest)"
        while line.hasSuffix(" ") { line.removeLast() }
        return line
    }

    private func subject(_ pairs: JSON?, _ pairCount: JSON?) -> String {
        Recording.subject(pairs, pairCount)
    }

    private func count(_ entry: StoredEntry) -> String {
        entry["count"]?.integer.map { " (\($0) more of these)" } ?? ""
    }

    private func error(_ entry: StoredEntry) -> String {
        entry["error"].map { ": \(bounded(word($0)))" } ?? ""
    }
    private func short(_ digest: JSON?) -> String { String(word(digest).prefix(19)) }
}

// MARK: - Words

/// `dynamodb:DeleteItem table/orders`, and how many more.
func subject(_ pairs: JSON?, _ pairCount: JSON?) -> String {
    let list = pairs?.array ?? []
    guard let first = list.first else { return "" }
    let total = pairCount?.integer ?? Int64(list.count)
    let more = total > 1 ? " +\(total - 1) more" : ""
    return "\(word(first["action"])) \(bounded(resourcePart(word(first["resource"]))))\(more)"
}

/// The names that may answer, of an approval's terms.
func approvers(_ terms: JSON?) -> [String] {
    (terms?["quorums"]?.array ?? []).map { quorum in
        if let names = quorum["any_of"]?.array { return names.map { word($0) }.joined(separator: " or ") }
        return (quorum["all_of"]?.members ?? []).map { member in
            let name = bounded(shown(member.name))
            return member.value == 1 ? name : "\(name) ×\(word(member.value))"
        }.joined(separator: " and ")
    }
}

/// The value as text for people: strings escaped, numbers as they are, nothing for what is missing.
func word(_ value: JSON?) -> String {
    switch value {
    case nil, .null: "?"
    case .string(let text): shown(text)
    case .number(let text): shown(text)
    case .bool(let value): value ? "true" : "false"
    case .array, .object: shown(value?.text ?? "")
    }
}

/// An ARN's last part; any other text as it is.
func resourcePart(_ text: String) -> String {
    let parts = text.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
    return parts.count == 6 && parts[0] == "arn" ? String(parts[5]) : text
}

/// At most 80 characters, the middle of a longer text left out, so that its end (a key's name) still shows.
func bounded(_ text: String) -> String {
    guard text.count > 80 else { return text }
    return "\(text.prefix(50))…\(text.suffix(29))"
}

func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}

/// `41 s`, or `0.4 s` below ten.
func seconds(_ milliseconds: Int64) -> String {
    milliseconds < 10_000
        ? "\(milliseconds / 1_000).\(milliseconds / 100 % 10) s" : "\(milliseconds / 1_000) s"
}

/// `08:48:40` of a moment's text.
func clockText(_ moment: JSON?) -> String {
    moment?.string.flatMap(Instant.init(parsing:)).map(\.clock) ?? "?"
}

extension Instant {
    /// `09:12:03`, UTC.
    var clock: String { String(description.dropFirst(11).prefix(8)) }
}
