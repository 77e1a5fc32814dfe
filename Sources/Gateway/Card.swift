import Vocabulary

/// The card of an approval as a terminal shows it: the facts first, the agent's own words after them and
/// marked, every text escaped.
///
/// `card` is what the control socket's `GET /v1/approvals/ID` answers (docs/control.md).
package func cardText(_ card: JSON) -> String {
    let requester = card["requester"] ?? .null
    let what = card["what"] ?? .null
    let uid = requester["uid"]?.integer.map { "uid \($0)" } ?? "uid not known"
    var lines = [
        "Approval \(word(card["approval"]))  \(word(card["state"]))" + (openFor(card)),
        row(
            "who",
            "\(word(requester["agent"])) (identity by \(word(requester["strength"])); session "
                + "\(word(requester["session"])); \(uid); from \(word(requester["peer"])))"),
        row(
            "what",
            "\(word(what["service"])) \(word(what["operation"])) in \(word(what["region"])), account "
                + "\(word(what["account"]))\(card["account_name"]?.string.map { " \(shown($0))" } ?? "")"
                + (items(what))),
    ]
    let pairs = card["pairs"]?.array ?? []
    for pair in pairs.prefix(20) {
        lines.append(
            row(
                "",
                "\(word(pair["action"]))  [\(word(pair["level"])), \(word(pair["sensitivity"]))]  "
                    + named(pair["resource"]?.string)))
    }
    if pairs.count > 20 {
        lines.append(row("", "… and \(pairs.count - 20) more; `show --json` lists all \(pairs.count)"))
    }
    let parameters = what["parameters"]?.text ?? "{}"
    lines.append(row("with", bounded(shown(parameters)) + mixture(parameters)))
    for (name, title) in [("task", "task"), ("reason", "reason")] {
        guard let claim = requester[name], let text = claim["text"]?.string else {
            lines.append(row(name == "task" ? "why" : "", "no \(title) given"))
            continue
        }
        lines.append(
            row(
                name == "task" ? "why" : "",
                "the agent's own words, \(title) (by \(word(claim["source"]))): "
                    + "\"\(shown(text))\"" + mixture(text)))
    }
    lines.append(row("asked", "by \(words(card["statements"])), decided by \(quorums(card["terms"]))"))
    for limit in card["limits"]?.array ?? [] { lines.append(row("", "since \(word(limit))")) }
    lines.append(row("allows", allows(card["terms"] ?? .null)))
    lines.append(row("digest", word(what["digest"])))
    for review in card["reviews"]?.array ?? [] {
        let reason = review["reason"]?.string.map { ": \"\(shown($0))\"" } ?? ""
        let same = review["same_uid"]?.bool == true ? " (from the agent's own uid or an unknown one)" : ""
        lines.append(
            row(
                "review",
                "\(word(review["verdict"])) by \(word(review["by"])) at \(word(review["at"]))\(same)\(reason)"
            ))
    }
    return lines.joined(separator: "\n")
}

private func row(_ title: String, _ text: String) -> String {
    "  " + title + String(repeating: " ", count: max(1, 8 - title.count)) + text
}

private func word(_ json: JSON?) -> String { shown(json?.string ?? "?") }

private func words(_ json: JSON?) -> String {
    (json?.array ?? []).compactMap(\.string).map(shown).joined(separator: ", ")
}

private func named(_ resource: String?) -> String {
    guard let resource else { return "?" }
    return resource == "<unknown>"
        ? "<unknown> (not named in the request)" : bounded(shown(resource)) + mixture(resource)
}

private func bounded(_ text: String) -> String {
    text.count <= 2_000
        ? text : "\(text.prefix(2_000))… (\(text.utf8.count) bytes in all; `show --json` has the rest)"
}

/// A remark where a word holds letters of several alphabets that look alike, as `аdmin` with a Cyrillic `а`.
func mixture(_ text: String) -> String {
    let isLetter: (Unicode.Scalar) -> Bool = { $0.properties.isAlphabetic }
    for word in text.unicodeScalars.split(whereSeparator: { !isLetter($0) }) {
        let found = lookalikes.filter { alphabet in
            word.contains { scalar in alphabet.ranges.contains { $0.contains(scalar.value) } }
        }
        guard found.count > 1 else { continue }
        let mixed = shown(String(String.UnicodeScalarView(word)))
        return " (NOTE: `\(brief(mixed))` mixes \(list(found.map(\.name), last: "and")) letters)"
    }
    return ""
}

/// Alphabets with letters that look alike (Unicode blocks).
private let lookalikes: [(name: String, ranges: [ClosedRange<UInt32>])] = [
    ("Latin", [0x41...0x5A, 0x61...0x7A, 0xC0...0x24F, 0x1E00...0x1EFF]),
    ("Greek", [0x370...0x3FF, 0x1F00...0x1FFF]), ("Cyrillic", [0x400...0x52F, 0x1C80...0x1C8F]),
    ("Armenian", [0x530...0x58F]), ("Cherokee", [0x13A0...0x13FF, 0xAB70...0xABBF]),
    ("fullwidth", [0xFF21...0xFF3A, 0xFF41...0xFF5A]), ("mathematical", [0x1D400...0x1D7FF]),
]

private func items(_ what: JSON) -> String {
    guard let count = what["items"]?.integer, count != 1 else { return "" }
    return ", \(count) items"
}

private func openFor(_ card: JSON) -> String {
    guard card["state"]?.string == "pending", let seconds = card["open_s"]?.integer else { return "" }
    return ", open \(minutes(.seconds(seconds))) more"
}

/// Who decides, from the terms of a card.
func quorums(_ terms: JSON?) -> String {
    (terms?["quorums"]?.array ?? []).map { quorum in
        if let any = quorum["any_of"] { return list((any.array ?? []).compactMap(\.string), last: "or") }
        let needs = quorum["all_of"]?.members ?? []
        return list(needs.map { "\($0.value.integer ?? 1) of \(shown($0.name))" }, last: "and")
    }.joined(separator: "; and ")
}

/// What an approval allows, from the terms of a card.
func allows(_ terms: JSON) -> String {
    let uses = terms["max_uses"]?.integer ?? 1
    let count = uses == 1 ? "once" : "\(uses) times"
    let life = minutes(.seconds(terms["grant_ttl_s"]?.integer ?? 0))
    let first = terms["first_use_within_s"]?.integer.map { ", first within \(minutes(.seconds($0)))" } ?? ""
    return "exactly this call, \(count), within \(life) of the last review\(first), in this session only"
}
