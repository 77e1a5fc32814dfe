import Vocabulary

/// Reads the `Limit` of a statement.
struct LimitReader {
    /// What a `Limit` may state at most.
    enum Bound {
        static let calls = 1_000_000_000
        static let items = 1_000_000_000
        static let bytes = 1 << 40
        static let per = Duration.seconds(86_400)
    }

    let file: String
    let effect: Effect
    /// What `Approval` states, and whether it is there at all.
    let approval: (terms: ApprovalTerms?, isStated: Bool)

    /// The limit that `entry` states; nil with a fault when it is none or has no sense under `effect`.
    func read(_ entry: Node.Entry, issues: inout IssueList) -> Limit? {
        switch effect {
        case .allow, .allowWithApproval: break
        case .deny, .requireApproval:
            let why = effect == .deny ? "lets nothing through" : "lets nothing through that nobody saw"
            issues.add(
                file, entry.place,
                "`Limit` belongs to `Allow` and `AllowWithApproval`: `\(effect.rawValue)` \(why)")
            return nil
        }
        let keys = ["Calls", "Items", "Bytes", "Per", "By", "Beyond"]
        guard let fields = Fields(entry.value, of: "`Limit`", in: file, keys: keys, issues: &issues) else {
            return nil
        }
        let stated = ["Calls", "Items", "Bytes"].contains { fields[$0] != nil }
        if !stated {
            issues.add(
                file, fields.place, "`Limit` needs `Calls`, `Items` or `Bytes`: how much the window holds")
        }
        var most: [Limit.Unit: Int] = [:]
        most[.calls] = count("Calls", upTo: Bound.calls, fields, issues: &issues)
        most[.items] = count("Items", upTo: Bound.items, fields, issues: &issues)
        most[.bytes] = byteCount(fields, issues: &issues)
        let per = window(fields, issues: &issues)
        let by = word(
            "By", of: Limit.Counted.allCases.map { ($0.rawValue, $0) }, usually: .agent, fields,
            issues: &issues)
        let asks = word(
            "Beyond", of: [("deny", false), ("ask", true)], usually: false, fields, issues: &issues)
        guard let per, let by, let asks, let beyond = beyond(asks, fields, issues: &issues), !most.isEmpty
        else { return nil }
        return Limit(most: most, per: per, by: by, beyond: beyond)
    }

    private func beyond(_ asks: Bool, _ fields: Fields, issues: inout IssueList) -> Limit.Beyond? {
        guard asks else { return .deny }
        let place = fields["Beyond"]?.place ?? fields.place
        guard effect == .allow else {
            issues.add(
                file, place,
                "`\(effect.rawValue)` asks for every call: beyond its `Limit` it can only `deny`")
            return nil
        }
        guard approval.isStated else {
            issues.add(
                file, place, "`Beyond: ask` needs an `Approval` that says who may approve", .missingField)
            return nil
        }
        return approval.terms.map { .ask($0) }
    }

    // MARK: - Values

    private func count(
        _ key: String, upTo most: Int, _ fields: Fields, issues: inout IssueList
    ) -> Int? {
        guard let text = fields.text(key, issues: &issues) else { return nil }
        if let count = wholeNumber(text.text, in: 1...most) { return count }
        issues.add(file, text.place, "`\(key)`: `\(shown(text.text))` is no count: 1 to \(most)")
        return nil
    }

    /// A count of bytes, or of so many KiB, MiB or GiB.
    private func byteCount(_ fields: Fields, issues: inout IssueList) -> Int? {
        guard let text = fields.text("Bytes", issues: &issues) else { return nil }
        let units: [(String, Int)] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)]
        let unit = units.first { text.text.utf8.reversed().starts(with: $0.0.utf8.reversed()) } ?? ("", 1)
        let digits = String(text.text.utf8.dropLast(unit.0.utf8.count)) ?? ""
        if let count = wholeNumber(digits, in: 1...(Bound.bytes / unit.1)) { return count * unit.1 }
        issues.add(
            file, text.place,
            "`Bytes`: `\(shown(text.text))` is no size: `65536`, `64KiB`, `10MiB`, up to `1024GiB`")
        return nil
    }

    private func window(_ fields: Fields, issues: inout IssueList) -> Duration? {
        guard let text = fields.text("Per", issues: &issues) else {
            if fields["Per"] == nil {
                issues.add(
                    file, fields.place, "`Per` must be stated: the window, as `1m` or `1h`", .missingField)
            }
            return nil
        }
        if let per = duration(text.text), per > .zero, per <= Bound.per { return per }
        issues.add(file, text.place, "`Per`: `\(shown(text.text))` is no window: `1s` to `24h`, as `10m`")
        return nil
    }

    private func word<Value>(
        _ key: String, of words: [(String, Value)], usually: Value, _ fields: Fields,
        issues: inout IssueList
    ) -> Value? {
        guard let node = fields[key] else { return usually }
        guard let text = Fields.text(node, of: "`\(key)`", in: file, issues: &issues) else { return nil }
        if let found = words.first(where: { $0.0.utf8.elementsEqual(text.text.utf8) }) { return found.1 }
        let known = words.map { "`\($0.0)`" }.joined(separator: " or ")
        issues.add(file, text.place, "`\(key)` is \(known), not `\(shown(text.text))`")
        return nil
    }
}
