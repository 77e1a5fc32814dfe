import Vocabulary

/// Reads the `Approval` block of an asking statement.
struct ApprovalReader {
    /// What an `Approval` may ask for at most.
    enum Limit {
        static let grantTTL = Duration.seconds(12 * 3_600)
        static let pendingTTL = Duration.seconds(7 * 86_400)
        static let hold = Duration.seconds(300)
        static let uses = 10_000
        static let reviews = 10
        static let approvers = 32
    }

    let file: String
    let approvers: ApproverBook

    /// The terms that `node` states; nil with a fault when they cannot be kept.
    func read(_ node: Node, issues: inout IssueList) -> ApprovalTerms? {
        let keys = [
            "Approvers", "Scope", "GrantTTL", "MaxUses", "PendingTTL", "FirstUseWithin", "Hold", "Confirm",
            "AgentReason",
            "ReviewReason", "Evidence",
        ]
        let later = ["PostReview", "Notify", "Quorum", "DistinctGroups", "ShowDiff"]
        guard let fields = Fields(node, of: "`Approval`", in: file, keys: keys, later: later, issues: &issues)
        else { return nil }
        checkScope(fields, issues: &issues)
        checkEvidence(fields, issues: &issues)
        let defaults = ApprovalTerms(quorums: [])
        let grantTTL = time("GrantTTL", upTo: Limit.grantTTL, fields, issues: &issues) ?? defaults.grantTTL
        let firstUse = time("FirstUseWithin", upTo: Limit.grantTTL, fields, issues: &issues)
        if let firstUse, firstUse > grantTTL, let entry = fields.entry("FirstUseWithin") {
            issues.add(file, entry.value.place, "`FirstUseWithin` is longer than `GrantTTL`")
        }
        let terms = ApprovalTerms(
            quorums: readQuorum(fields, issues: &issues).map { [$0] } ?? [],
            grantTTL: grantTTL,
            maxUses: uses(fields, issues: &issues) ?? defaults.maxUses,
            pendingTTL: time("PendingTTL", upTo: Limit.pendingTTL, fields, issues: &issues)
                ?? defaults.pendingTTL,
            firstUseWithin: firstUse,
            hold: hold(fields, issues: &issues) ?? defaults.hold,
            confirmsTyped: word("typed", of: "Confirm", fields, issues: &issues),
            needsAgentReason: word("required", of: "AgentReason", fields, issues: &issues),
            needsReviewReason: word("required", of: "ReviewReason", fields, issues: &issues))
        return terms.quorums.isEmpty ? nil : terms
    }

    // MARK: - Approvers

    private func readQuorum(_ fields: Fields, issues: inout IssueList) -> ApprovalTerms.Quorum? {
        guard let node = fields["Approvers"] else {
            issues.add(
                file, fields.place,
                "`Approvers` must be stated: a list of groups or people, or a map of counts",
                .missingField)
            return nil
        }
        let needs: [ApprovalTerms.Quorum.Need]
        let anyOne: Bool
        if case .map(let entries) = node.content {
            anyOne = false
            needs = entries.compactMap { entry in
                guard let name = known(.init(text: entry.key, place: entry.place), issues: &issues),
                    let text = Fields.text(
                        entry.value, of: "the count of `\(name)`", in: file, issues: &issues)
                else { return nil }
                guard let count = wholeNumber(text.text, in: 1...Limit.reviews) else {
                    issues.add(file, text.place, "`\(shown(text.text))` is no count: 1 to \(Limit.reviews)")
                    return nil
                }
                return .init(name: name, count: count)
            }
        } else {
            anyOne = true
            needs = Fields.texts(node, of: "`Approvers`", in: file, issues: &issues)
                .compactMap { known($0, issues: &issues) }.map { .init(name: $0, count: 1) }
        }
        guard !needs.isEmpty else {
            if case .map(let entries) = node.content, entries.isEmpty {
                issues.add(file, node.place, "`Approvers` is empty", .wrongType)
            }
            return nil
        }
        guard needs.count <= Limit.approvers else {
            issues.add(file, node.place, "more than \(Limit.approvers) approvers")
            return nil
        }
        let quorum = ApprovalTerms.Quorum(needs: needs, anyOne: anyOne)
        if !approvers.fulfils([quorum], by: approvers.people.map(\.name)) {
            issues.add(
                file, node.place,
                "these approvers can never be met: approvers.yaml has too few people for them",
                .unmetQuorum)
        }
        return quorum
    }

    private func known(_ text: Fields.Text, issues: inout IssueList) -> String? {
        let isKnown =
            approvers.groups.keys.contains { $0.hasBytes(of: text.text) }
            || approvers.people.contains { $0.name.text.hasBytes(of: text.text) }
        if isKnown { return text.text }
        let names = approvers.groups.keys.sorted() + approvers.people.map(\.name.text)
        let near = hint(text.text, names)
        issues.add(
            file, text.place, "`\(shown(text.text))` is no group or person of approvers.yaml" + near,
            .unknownApprover)
        return nil
    }

    // MARK: - Values

    private func checkScope(_ fields: Fields, issues: inout IssueList) {
        guard let text = fields.text("Scope", issues: &issues) else { return }
        switch ApprovalTerms.Scope(rawValue: text.text) {
        case .exact: return
        case .resource, .prefix, .statement:
            issues.add(
                file, text.place, "scope `\(text.text)` is not in this version: only `exact` is",
                .laterVersion)
        case nil: issues.add(file, text.place, "`\(shown(text.text))` is no scope: this version has `exact`")
        }
    }

    private func checkEvidence(_ fields: Fields, issues: inout IssueList) {
        guard let text = fields.text("Evidence", issues: &issues) else { return }
        issues.add(
            file, text.place,
            "`Evidence: \(shown(text.text))` is not in this version: reviews are not signed yet",
            .laterVersion)
    }

    private func time(
        _ key: String, upTo most: Duration, _ fields: Fields, issues: inout IssueList
    ) -> Duration? {
        guard let text = fields.text(key, issues: &issues) else { return nil }
        guard let time = duration(text.text) else {
            issues.add(
                file, text.place, "`\(shown(text.text))` is no duration: write `90s`, `15m`, `2h` or `1d`")
            return nil
        }
        guard time > .zero, time <= most else {
            let bound = "\(most.components.seconds)s"
            issues.add(file, text.place, "`\(key): \(text.text)` is out of bounds: 1s to \(bound)")
            return nil
        }
        return time
    }

    private func uses(_ fields: Fields, issues: inout IssueList) -> Int? {
        guard let text = fields.text("MaxUses", issues: &issues) else { return nil }
        if let uses = wholeNumber(text.text, in: 1...Limit.uses) { return uses }
        issues.add(file, text.place, "`\(shown(text.text))` is no count of uses: 1 to \(Limit.uses)")
        return nil
    }

    private func hold(_ fields: Fields, issues: inout IssueList) -> ApprovalTerms.Hold? {
        guard let node = fields["Hold"], case .text(let text, _) = node.content else {
            return time("Hold", upTo: Limit.hold, fields, issues: &issues).map { .fixed($0) }
        }
        if text.utf8.elementsEqual("auto".utf8) { return .auto }
        if text.utf8.elementsEqual("0s".utf8) { return .fixed(.zero) }
        return time("Hold", upTo: Limit.hold, fields, issues: &issues).map { .fixed($0) }
    }

    private func word(_ word: String, of key: String, _ fields: Fields, issues: inout IssueList) -> Bool {
        guard let text = fields.text(key, issues: &issues) else { return false }
        if text.text.utf8.elementsEqual(word.utf8) { return true }
        issues.add(file, text.place, "`\(key)` is `\(word)` or left out, not `\(shown(text.text))`")
        return false
    }
}
