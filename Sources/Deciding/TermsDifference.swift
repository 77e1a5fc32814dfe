import Vocabulary

/// One way in which the terms of a gate changed.
struct TermsDifference: Hashable {
    /// `GrantTTL 15m -> 1h`.
    let text: String
    /// Whether it makes the gate easier to pass, or cannot be compared.
    let isWeaker: Bool
}

extension ApprovalTerms {
    /// How these terms differ from `before`; empty when they are the same.
    func differences(from before: ApprovalTerms) -> [TermsDifference] {
        var found: [TermsDifference] = []
        func note(_ key: String, _ old: String, _ new: String, weaker: Bool) {
            if old != new { found.append(.init(text: "\(key) \(old) -> \(new)", isWeaker: weaker)) }
        }
        let (old, new) = (before.quorums.described, quorums.described)
        if Set(before.quorums) != Set(quorums) {
            note(
                "Approvers", old, new,
                weaker: !before.quorums.allSatisfy { one in
                    quorums.contains { $0.isAtLeast(one) }
                })
        }
        note("Scope", before.scope.rawValue, scope.rawValue, weaker: scope > before.scope)
        note("GrantTTL", before.grantTTL.told, grantTTL.told, weaker: grantTTL > before.grantTTL)
        note("MaxUses", "\(before.maxUses)", "\(maxUses)", weaker: maxUses > before.maxUses)
        // How long a question stays open and a connection is held eases nothing.
        note("PendingTTL", before.pendingTTL.told, pendingTTL.told, weaker: false)
        note("Hold", before.hold.told, hold.told, weaker: false)
        let (first, last) = (before.firstUseWithin ?? before.grantTTL, firstUseWithin ?? grantTTL)
        if before.firstUseWithin != firstUseWithin {
            note(
                "FirstUseWithin", before.firstUseWithin?.told ?? "none", firstUseWithin?.told ?? "none",
                weaker: last > first)
        }
        func duty(_ key: String, _ old: Bool, _ new: Bool) {
            note(key, old ? "asked for" : "not asked for", new ? "asked for" : "not asked for", weaker: old)
        }
        duty("Confirm", before.confirmsTyped, confirmsTyped)
        duty("AgentReason", before.needsAgentReason, needsAgentReason)
        duty("ReviewReason", before.needsReviewReason, needsReviewReason)
        duty("Evidence", before.needsSignedEvidence, needsSignedEvidence)
        duty("PostReview", before.needsPostReview, needsPostReview)
        return found
    }
}

extension ApprovalTerms.Quorum {
    /// Whether whoever meets this quorum meets `other`.
    fileprivate func isAtLeast(_ other: Self) -> Bool {
        if self == other { return true }
        if other.anyOne {
            // Any one of fewer names, or reviews of which one is by a name of the other.
            return anyOne
                ? needs.allSatisfy { need in
                    other.needs.contains { $0.name.utf8.elementsEqual(need.name.utf8) }
                }
                : needs.contains { need in other.needs.contains { $0.name.utf8.elementsEqual(need.name.utf8) }
                }
        }
        return !anyOne
            && other.needs.allSatisfy { wanted in
                needs.contains { $0.name.utf8.elementsEqual(wanted.name.utf8) && $0.count >= wanted.count }
            }
    }

    /// `oncall or secops`; `oncall and 2 of secops`.
    var described: String {
        anyOne
            ? needs.map(\.name).joined(separator: " or ")
            : needs.map { $0.count == 1 ? $0.name : "\($0.count) of \($0.name)" }.joined(separator: " and ")
    }
}

extension [ApprovalTerms.Quorum] {
    fileprivate var described: String {
        map { "`\($0.described)`" }.sorted().joined(separator: " and ")
    }
}

extension Duration {
    /// `15m`, as a policy file writes it.
    fileprivate var told: String {
        let seconds = components.seconds
        for (unit, name) in [(86_400, "d"), (3_600, "h"), (60, "m")] as [(Int64, String)]
        where seconds > 0 && seconds.isMultiple(of: unit) {
            return "\(seconds / unit)\(name)"
        }
        return "\(seconds)s"
    }
}

extension ApprovalTerms.Hold {
    fileprivate var told: String {
        switch self {
        case .auto: "auto"
        case .fixed(let time): time.told
        }
    }
}

extension PolicyDiff.BookChange {
    /// Names that gates of both sets ask and that mean other people now.
    static func all(from before: PolicySet, to after: PolicySet) -> [Self] {
        let asked = [before, after].map { set in
            Set(set.statements.compactMap(\.terms).flatMap(\.quorums).flatMap(\.needs).map(\.name))
        }
        return asked[0].intersection(asked[1]).sorted().flatMap { name -> [Self] in
            let (old, new) = (before.approvers.people(of: name), after.approvers.people(of: name))
            var found: [Self] = []
            for person in new where !old.contains(where: { $0.name == person.name }) {
                found.append(.init(name: name, change: "gained \(person.name)", widens: true))
            }
            for person in old {
                guard let now = new.first(where: { $0.name == person.name }) else {
                    found.append(.init(name: name, change: "lost \(person.name)", widens: false))
                    continue
                }
                // A key is its bytes: another comment on it changes nothing.
                let (own, old) = (Set(now.keys.map(\.blob)), Set(person.keys.map(\.blob)))
                let (uids, keys) = (Set(now.uids).subtracting(person.uids), own.subtracting(old))
                if !uids.isEmpty || !keys.isEmpty {
                    found.append(
                        .init(name: name, change: "\(person.name) has more uids or keys", widens: true))
                } else if Set(now.uids) != Set(person.uids) || own != old {
                    found.append(
                        .init(name: name, change: "\(person.name) has fewer uids or keys", widens: false))
                }
            }
            return found
        }
    }
}

extension ApproverBook {
    /// The members of the group `name`, or the person.
    fileprivate func people(of name: String) -> [Person] {
        if let members = groups[name] { return people.filter { members.contains($0.name) } }
        return people.filter { $0.name.text.utf8.elementsEqual(name.utf8) }
    }
}
