import Vocabulary

// Statements that another one makes void. One function a rule.

extension Lint {
    /// A statement that never decides, since another one that covers it goes first.
    static func shadowed(_ lint: Lint) -> [Remark] {
        lint.eachCovered(by: { _ in [.deny, .requireApproval] }) { one, other in
            switch (one.statement.effect, other.statement.effect) {
            case (.allow, .deny), (.allowWithApproval, .deny), (.requireApproval, .deny): true
            case (.allow, .requireApproval), (.allowWithApproval, .requireApproval): !one.counts
            case (.allow, _), (.deny, _), (.allowWithApproval, _), (.requireApproval, _): false
            }
        } says: { one, other in
            let says = other.statement.effect == .deny ? "denies all of it" : "asks for all of it"
            return one.remark(
                at: one.source.effect, "`\(one.statement.id)` never decides: \(other.reference) \(says)",
                mend: "take it out, or narrow the other one")
        }
    }

    /// A statement that another of its effect says already.
    static func duplicate(_ lint: Lint) -> [Remark] {
        lint.eachCovered(by: { [$0.statement.effect] }) { one, other in
            // Of two limits that are alike the narrower statement's is never met first.
            one.statement.rule == other.statement.rule
                && (!one.counts || one.statement.limit == other.statement.limit)
                // Of two that say the same, the one whose id comes later is one too many.
                && (other.statement.id < one.statement.id || other.covers(one) && !one.covers(other))
        } says: { one, other in
            one.remark(
                at: one.source.effect,
                "`\(one.statement.id)` adds nothing: \(other.reference) says it already",
                mend: "take it out")
        }
    }

    /// An `AllowWithApproval` that never asks, since an `Allow` opens all of it.
    static func askNeverAsks(_ lint: Lint) -> [Remark] {
        lint.eachCovered(by: { $0.statement.effect == .allowWithApproval ? [.allow] : [] }) { one, _ in
            !one.counts
        } says: { one, other in
            let rest =
                one.isForAll
                ? ", so it asks only for calls that do not name their resource" : ", so it never asks"
            return one.remark(
                at: one.source.effect, "\(other.reference) allows all of `\(one.statement.id)`\(rest)",
                mend: "narrow the `Allow`, or ask in any case: `Effect: RequireApproval`")
        }
    }

    /// What there is to say of each statement and the first other one, of `effects`, that covers it and for
    /// which `matters`.
    private func eachCovered(
        by effects: (LintedStatement) -> [Effect],
        where matters: (LintedStatement, LintedStatement) -> Bool,
        says: (LintedStatement, LintedStatement) -> Remark
    ) -> [Remark] {
        statements.enumerated().compactMap { place, one in
            let candidates = covering.candidates(for: one, with: effects(one), in: catalog)
            let found = candidates.first { candidate in
                let other = statements[candidate]
                // The cheap question first: most pairs do not matter.
                return candidate != place && matters(one, other) && other.covers(one)
                    && !names(one, whatVends: other)
            }
            return found.map { says(one, statements[$0]) }
        }
    }

    /// Whether `one` names an action whose reply holds credentials and `other`, which is no denial, does not:
    /// then `one` opens what `other` cannot.
    private func names(_ one: LintedStatement, whatVends other: LintedStatement) -> Bool {
        guard other.statement.effect != .deny else { return false }
        return one.scope.actions.contains { pattern in
            guard pattern.literal != nil else { return false }
            return catalog.numbers(of: pattern).contains { number in
                catalog.actions[number].uses.contains { $0.operation.vendsCredentials }
                    && !other.statement.names(catalog.actions[number].action)
            }
        }
    }
}

extension LintedStatement {
    /// Whether it has a limit, which counts what it matches whichever statement decides.
    fileprivate var counts: Bool { statement.limit != nil }
}
