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
        } says: { one, others in
            let isOne = others.count == 1
            let denies = others.contains { $0.statement.effect == .deny }
            let asks = others.contains { $0.statement.effect != .deny }
            let words = [(denies, isOne ? "denies" : "deny"), (asks, isOne ? "asks for" : "ask for")]
            let says = words.filter(\.0).map(\.1).joined(separator: " or ")
            return one.remark(
                at: one.source.effect,
                "`\(one.statement.id)` never decides: \(told(others)) \(says) all of it",
                mend: isOne
                    ? "take it out, or narrow the other one" : "take it out, or narrow one of the others")
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
        } says: { one, others in
            let says = others.count == 1 ? "says it already" : "say it already"
            return one.remark(
                at: one.source.effect, "`\(one.statement.id)` adds nothing: \(told(others)) \(says)",
                mend: "take it out")
        }
    }

    /// An `AllowWithApproval` that never asks, since an `Allow` opens all of it.
    static func askNeverAsks(_ lint: Lint) -> [Remark] {
        lint.eachCovered(by: { $0.statement.effect == .allowWithApproval ? [.allow] : [] }) { one, _ in
            !one.counts
        } says: { one, others in
            let allow = others.count == 1 ? "allows" : "allow"
            let rest =
                one.isForAll
                ? ", so it asks only for calls that do not name their resource" : ", so it never asks"
            return one.remark(
                at: one.source.effect, "\(told(others)) \(allow) all of `\(one.statement.id)`\(rest)",
                mend: "narrow the `Allow`, or ask in any case: `Effect: RequireApproval`")
        }
    }

    /// The statements by name, as many as fit in a line.
    private static func told(_ others: [LintedStatement]) -> String {
        let names = others.prefix(3).map(\.reference)
        guard let last = names.last, names.count > 1 else { return names.first ?? "" }
        let more = others.count - names.count
        return more > 0
            ? names.joined(separator: ", ") + " and \(more) more together"
            : names.dropLast().joined(separator: ", ") + " and \(last) together"
    }

    /// What there is to say of each statement and the others, of `effects`, that cover it and for which
    /// `matters`: one by itself, else several that cover its actions and resources between them.
    private func eachCovered(
        by effects: (LintedStatement) -> [Effect],
        where matters: (LintedStatement, LintedStatement) -> Bool,
        says: (LintedStatement, [LintedStatement]) -> Remark
    ) -> [Remark] {
        func mayCover(_ place: Int, _ candidate: Int) -> Bool {
            // The cheap question first: most pairs do not matter.
            candidate != place && matters(statements[place], statements[candidate])
        }
        var found: [Int: [Int]] = [:]
        for (place, one) in statements.enumerated() {
            let first = covering.candidates(for: one, with: effects(one), in: catalog).first { candidate in
                mayCover(place, candidate) && statements[candidate].covers(one)
                    && !names(one, whatVends: statements[candidate])
            }
            if let first { found[place] = [first] }
        }
        // Of statements that say the same between them one must stay: what one covers is no part of several.
        let alone = Set(found.keys)
        for (place, one) in statements.enumerated() where !alone.contains(place) {
            let several = covered(one, by: effects(one)) { candidate in
                mayCover(place, candidate) && !alone.contains(candidate)
                    && (statements[candidate].statement.effect != one.statement.effect || candidate < place)
            }
            if let several { found[place] = several }
        }
        return found.sorted { $0.key < $1.key }.map { place, others in
            says(statements[place], others.map { statements[$0] })
        }
    }

    /// How many pairs of an action and a pattern are looked at for one statement.
    private static let cellCountMax = 2_000

    /// The places of several statements that cover `one` between them, each of its actions on each of its
    /// resources one of them by itself; nil where there are none.
    private func covered(
        _ one: LintedStatement, by effects: [Effect], where isMeant: (Int) -> Bool
    ) -> [Int]? {
        guard !effects.isEmpty, !one.actions.isOpen, !one.scope.exceptsResources,
            one.actions.numbers.count * one.scope.resources.count <= Self.cellCountMax
        else { return nil }
        var places: [Int] = []
        for resource in one.scope.resources {
            for number in one.actions.numbers {
                // What an action is never on, a statement that permits does not open.
                if one.permits, !formats.meets(resource, number) { continue }
                let known = places.first { statements[$0].covers(one, action: number, on: resource) }
                if known != nil { continue }
                let candidates = covering.candidates(
                    for: one, of: number, on: resource, with: effects, in: catalog)
                let found = candidates.first {
                    isMeant($0) && statements[$0].covers(one, action: number, on: resource)
                        && !names(one, whatVends: statements[$0])
                }
                guard let found else { return nil }
                places.append(found)
            }
        }
        return places.isEmpty ? nil : places.sorted()
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
