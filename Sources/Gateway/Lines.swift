import Vocabulary

/// One line of the inbox.
package func inboxLine(_ card: JSON) -> String {
    let pairs = (card["pairs"]?.array ?? []).map { pair in
        "\(brief(pair["action"]?.string ?? "?")) on \(brief(shortText(pair["resource"]?.string ?? "?")))"
    }
    let agent = card["requester"]?["agent"]?.string ?? "?"
    let open = minutes(.seconds(card["open_s"]?.integer ?? 0))
    let reason =
        card["requester"]?["reason"]?["text"]?.string.map { "  \"\(shown(String($0.prefix(60))))\"" } ?? ""
    return
        "\(card["approval"]?.string ?? "?")  \(agent)  \(list(pairs, atMost: 2))  "
        + "\(open) more\(reason)"
}

/// What became of an approval after a review.
package func settledLine(_ card: JSON) -> String {
    let id = card["approval"]?.string ?? "?"
    switch card["state"]?.string {
    case "approved":
        let terms = card["terms"] ?? .null
        return
            "\(id) is approved: grant \(card["grant"]?.string ?? "?"), "
            + "\(terms["max_uses"]?.integer ?? 1) use(s), "
            + "\(minutes(.seconds(terms["grant_ttl_s"]?.integer ?? 0)))."
    case "pending": return "Recorded. \(id) still waits for others."
    case let state: return "\(id) is \(state ?? "?")."
    }
}

/// One line of `grants`.
package func grantLine(_ grant: JSON) -> String {
    let uses = "\(grant["uses"]?.integer ?? 0)/\(grant["max_uses"]?.integer ?? 0)"
    return
        "\(grant["grant"]?.string ?? "?")  \(grant["state"]?.string ?? "?")  "
        + "\(grant["agent"]?.string ?? "?")  "
        + "\(grant["approval"]?.string ?? "?")  used \(uses)  until "
        + "\(String((grant["end"]?.string ?? "?").prefix(19)))Z  "
        + "by \(list((grant["decided_by"]?.array ?? []).compactMap(\.string)))"
}

private func shortText(_ arn: String) -> String {
    let parts = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
    return parts.count == 6 && parts[0] == "arn" ? String(parts[5]) : arn
}
