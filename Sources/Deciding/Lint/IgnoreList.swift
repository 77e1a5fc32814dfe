import Vocabulary

/// The findings that a team has looked at and means to live with, each with the reason: `check/ignore.yaml`
/// beside the policies. It is no part of the set: nothing in it changes a decision.
struct IgnoreList: Sendable {
    /// One line of it.
    struct Entry: Sendable {
        let rule: Fields.Text
        /// Nil: every finding of the rule.
        let statement: String?
        let reason: String
        /// The moment from which it no longer holds.
        let until: Measure?

        func covers(_ finding: Finding) -> Bool {
            rule.text == finding.rule && (statement.map { $0 == finding.statement?.description } ?? true)
        }
    }

    /// Finds the entries that ignore nothing.
    static let unusedRule = LintRule(
        "ignore-unused", .warning, "a line of check/ignore.yaml that ignores nothing, or whose time is over"
    ) { _ in [] }

    let file: String
    let entries: [Entry]

    /// Reads `Ignore: [{Rule, Statement, Reason, Until}, …]`.
    ///
    /// - Throws: ``PolicyError`` with every fault found.
    init(reading source: PolicyFile) throws(PolicyError) {
        file = source.name
        var issues = IssueList()
        let root: Node
        do throws(ReadFault) { root = try readDocument(named: source.name, source.bytes) } catch {
            issues.add(file, error.place, error.message)
            throw PolicyError(issues: issues.issues)
        }
        let top = Fields(root, of: "the file", in: file, keys: ["Ignore"], issues: &issues)
        if let top, top["Ignore"] == nil { issues.add(file, top.place, "`Ignore` must be stated: a list") }
        var entries: [Entry] = []
        for node in elements(top?["Ignore"], of: "`Ignore`", in: file, issues: &issues) {
            if let entry = Self.entry(node, in: file, issues: &issues) { entries.append(entry) }
        }
        self.entries = entries
        if !issues.issues.isEmpty { throw PolicyError(issues: issues.issues) }
    }

    private static func entry(_ node: Node, in file: String, issues: inout IssueList) -> Entry? {
        let keys = ["Rule", "Statement", "Reason", "Until"]
        guard let fields = Fields(node, of: "an entry", in: file, keys: keys, issues: &issues) else {
            return nil
        }
        let (rule, reason) = (fields.text("Rule", issues: &issues), fields.text("Reason", issues: &issues))
        for key in ["Rule", "Reason"] where fields[key] == nil {
            issues.add(file, fields.place, "`\(key)` must be stated")
        }
        let known = LintRule.all.map(\.id)
        if let rule, !known.contains(rule.text) {
            issues.add(
                file, rule.place,
                "`\(shown(rule.text))` is no rule that can be ignored" + hint(rule.text, known))
        }
        var until: Measure?
        if let text = fields.text("Until", issues: &issues) {
            until = Measure(date: text.text)
            if until == nil {
                issues.add(file, text.place, "`\(shown(text.text))` is no moment: write `2026-11-24`")
            }
        }
        guard let rule, let reason else { return nil }
        return Entry(
            rule: rule, statement: fields.text("Statement", issues: &issues)?.text, reason: reason.text,
            until: until)
    }

    /// `findings`, those it covers at the moment `at` marked with their reason, and what is to be said of the
    /// list itself.
    func applied(to findings: [Finding], at: Instant) -> [Finding] {
        var (marked, used) = (findings, Set<Int>())
        for (number, entry) in entries.enumerated() {
            let isOver = entry.until.map { $0.billionths <= Int128(at.nanosecondsSinceEpoch) } ?? false
            for index in marked.indices where !isOver && entry.covers(marked[index]) {
                marked[index].ignored = entry.reason
                used.insert(number)
            }
        }
        for (number, entry) in entries.enumerated() where !used.contains(number) {
            let isNeeded = findings.contains(where: entry.covers)
            marked.append(
                Finding(
                    rule: Self.unusedRule.id, level: Self.unusedRule.level, file: file,
                    line: entry.rule.place.line, column: entry.rule.place.column, statement: nil,
                    text: entry.rule.text,
                    message: isNeeded
                        ? "the time of this entry is over, and what it ignores is still there"
                        : "there is nothing that this entry ignores",
                    suggestion: isNeeded
                        ? "mend the finding, or give the entry another `Until`" : "take it out"))
        }
        return marked.sorted(by: Finding.isBefore)
    }
}
