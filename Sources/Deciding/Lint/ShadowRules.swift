import Vocabulary

// Statements that another one makes void. One function a rule.

extension Lint {
    /// A statement that never decides, since another one that covers it goes first.
    static func shadowed(_ lint: Lint) -> [Remark] {
        lint.eachCovered { one, other in
            let says: String
            switch (one.statement.effect, other.statement.effect) {
            case (.allow, .deny), (.allowWithApproval, .deny), (.requireApproval, .deny):
                says = "denies all of it"
            case (.allow, .requireApproval): says = "asks for all of it"
            case (.allowWithApproval, .requireApproval): says = "asks for all of it on its own terms"
            case (.allow, .allow), (.deny, .deny), (.allow, .allowWithApproval), (.deny, _),
                (.allowWithApproval, .allow), (.allowWithApproval, .allowWithApproval), (.requireApproval, _):
                return nil
            }
            return one.remark(
                at: one.source.effect, "`\(one.statement.id)` never decides: \(other.reference) \(says)",
                mend: "take it out, or narrow the other one")
        }
    }

    /// A statement that another of its effect says already.
    static func duplicate(_ lint: Lint) -> [Remark] {
        lint.eachCovered { one, other in
            guard one.statement.rule == other.statement.rule else { return nil }
            // Of two that say the same, the one whose id comes later is one too many.
            if one.covers(other), one.statement.id < other.statement.id { return nil }
            return one.remark(
                at: one.source.effect,
                "`\(one.statement.id)` adds nothing: \(other.reference) says it already",
                mend: "take it out")
        }
    }

    /// An `AllowWithApproval` that never asks, since an `Allow` opens all of it.
    static func askNeverAsks(_ lint: Lint) -> [Remark] {
        lint.eachCovered { one, other in
            guard one.statement.effect == .allowWithApproval, other.statement.effect == .allow else {
                return nil
            }
            let rest =
                one.isForAll
                ? ", so it asks only for calls that do not name their resource" : ", so it never asks"
            return one.remark(
                at: one.source.effect, "\(other.reference) allows all of `\(one.statement.id)`\(rest)",
                mend: "narrow the `Allow`, or ask in any case: `Effect: RequireApproval`")
        }
    }

    /// What `look` says of each statement and the first other one that covers it and of which it has
    /// something to say.
    private func eachCovered(_ look: (LintedStatement, LintedStatement) -> Remark?) -> [Remark] {
        statements.enumerated().compactMap { place, one in
            for candidate in covering.candidates(for: one, in: catalog) where candidate != place {
                let other = statements[candidate]
                // The cheap question first: most pairs have nothing to say.
                guard let remark = look(one, other), other.covers(one), !names(one, whatVends: other) else {
                    continue
                }
                return remark
            }
            return nil
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
