import Recognizing
import Vocabulary

// What a statement opens, and whether its actions and resources fit each other. One function a rule.

extension Lint {
    /// `Allow` of every action on every resource, under no condition.
    static func allowEverything(_ lint: Lint) -> [Remark] {
        lint.eachAllow { one in
            guard one.opensEverything else { return [] }
            let what = one.scope.exceptsActions ? "every action but those of `NotAction`" : "every action"
            let on = one.scope.exceptsResources ? "all but some resources" : "every resource"
            return [
                one.remark(
                    at: one.source.actions.first ?? one.source.actionKey,
                    "`\(one.statement.id)` allows \(what) on \(on)"
                        + (one.scope.conditions.isEmpty ? "" : ": its conditions say who and when, not what"),
                    mend: "name what the agent needs, or let it ask: `Effect: AllowWithApproval`",
                    level: one.scope.conditions.isEmpty ? nil : .warning)
            ]
        }
    }

    /// `Allow` of writes by a wildcard on every resource, where no condition narrows it.
    static func allowWideWrites(_ lint: Lint) -> [Remark] {
        lint.eachAllow { one in
            guard !one.isNarrowed, !one.opensEverything else { return [] }
            return one.actionPatterns.flatMap { pattern, source -> [Remark] in
                guard pattern.literal == nil, let wide = lint.wideResource(of: one) else { return [] }
                let writes = lint.catalog.numbers(of: pattern).filter { number in
                    let known = lint.catalog.actions[number]
                    return known.level.mutates && lint.isWide(wide.pattern, number)
                        && known.sensitivities.contains { one.grades[known.level, $0] == .yes }
                }
                guard !writes.isEmpty else { return [] }
                return [
                    one.remark(
                        at: source,
                        "`\(shown(source.text))` allows \(lint.count(of: writes, "write")) on "
                            + "every resource: "
                            + lint.listed(writes),
                        mend: "name the writes and their resources, or let them ask: "
                            + "`Effect: AllowWithApproval`")
                ]
            }
        }
    }

    /// `Allow` with `NotAction`: what AWS adds tomorrow is allowed, too.
    static func allowNotAction(_ lint: Lint) -> [Remark] {
        lint.eachAllow { one in
            guard one.scope.exceptsActions else { return [] }
            return [
                one.remark(
                    at: one.source.actionKey,
                    "`NotAction` with `Allow` allows every action but these, also those that "
                        + "AWS has yet to add",
                    mend: "name what is allowed with `Action`, and deny these in a statement of their own")
            ]
        }
    }

    /// `Allow` with `NotResource`.
    static func allowNotResource(_ lint: Lint) -> [Remark] {
        lint.eachAllow { one in
            guard one.scope.exceptsResources else { return [] }
            return [
                one.remark(
                    at: one.source.resourceKey,
                    "`NotResource` with `Allow` allows every resource but these, also those of "
                        + "other accounts",
                    mend: "name what is allowed with `Resource`, and deny these in a statement of their own")
            ]
        }
    }

    /// `Allow` of what users stored, or of secrets, by a wildcard or on every resource.
    static func sensitiveReadAllowed(_ lint: Lint) -> [Remark] {
        lint.eachAllow { one in
            guard !one.isNarrowed, !one.opensEverything, let wide = lint.wideResource(of: one)
            else { return [] }
            return zip(one.scope.exceptsActions ? [] : one.scope.actions, one.source.actions)
                .flatMap { pattern, source -> [Remark] in
                    let opened = lint.catalog.numbers(of: pattern).filter {
                        !lint.catalog.actions[$0].level.mutates && lint.isWide(wide.pattern, $0)
                    }
                    return [Sensitivity.credential, .data].compactMap { sensitivity in
                        let found = opened.filter { number in
                            // What vends by name has a rule of its own.
                            (pattern.literal == nil || lint.catalog.actions[number].vendingUse == nil)
                                && lint.catalog.actions[number].sensitivities.contains(sensitivity)
                                && one.grades[lint.catalog.actions[number].level, sensitivity] == .yes
                                && !lint.isHeldBack(one, number, sensitivity)
                        }
                        guard !found.isEmpty else { return nil }
                        let what = sensitivity == .data ? "data" : "secrets or credentials"
                        return one.remark(
                            at: source,
                            "`\(shown(source.text))` opens \(what) on `\(shown(wide.source.text))`"
                                + (pattern.literal == nil ? ": " + lint.listed(found) : ""),
                            mend: lint.mend(found),
                            level: sensitivity == .credential ? .error : nil)
                    }
                }
        }
    }

    /// `Allow` of `iam:PassRole` for roles that nothing names.
    static func passRoleWide(_ lint: Lint) -> [Remark] {
        lint.eachAllow { one in
            guard let wide = lint.wideResource(of: one), !one.actions.isOpen,
                !one.scope.conditions.contains(where: { $0.key == .request("iam:passedtoservice") })
            else { return [] }
            return one.actionPatterns.compactMap { pattern, source in
                guard pattern.matches(Action(prefix: "iam", name: "PassRole")) else { return nil }
                return one.remark(
                    at: source,
                    "`iam:PassRole` on `\(shown(wide.source.text))` lets the agent hand any "
                        + "role to a service, "
                        + "and so act as it",
                    mend: "name the roles, and the service with `StringEquals: {iam:PassedToService: …}`")
            }
        }
    }

    // MARK: - Fit

    /// A resource that no ARN of the action can be.
    static func resourceMismatch(_ lint: Lint) -> [Remark] {
        lint.each { one in
            guard !one.scope.exceptsResources, !one.isForAll else { return [] }
            return one.actionPatterns.compactMap { pattern, source in
                let numbers = lint.catalog.numbers(of: pattern)
                let fits = numbers.contains { number in
                    one.scope.resources.contains { lint.formats.meets($0, number) }
                }
                guard !fits, let forms = lint.forms(of: numbers) else { return nil }
                return one.remark(
                    at: source,
                    "`\(shown(source.text))` is never on `\(shown(one.source.resources.first?.text ?? ""))`"
                        + (one.source.resources.count > 1 ? " or the others" : ""),
                    mend: "its resources are \(forms)")
            }
        }
    }

    /// A resource for an action that has none in IAM.
    static func resourceNotSupported(_ lint: Lint) -> [Remark] {
        lint.each { one in
            guard !one.scope.exceptsResources, !one.isForAll else { return [] }
            return one.actionPatterns.compactMap { pattern, source in
                let numbers = lint.catalog.numbers(of: pattern)
                let takesNone = numbers.allSatisfy {
                    if case .nothing = lint.formats.taking(of: $0) { true } else { false }
                }
                guard takesNone else { return nil }
                return one.remark(
                    at: source, "`\(shown(source.text))` has no resource in IAM: only `*` matches it",
                    mend: "put it in a statement with `Resource: \"*\"`")
            }
        }
    }

    // MARK: - Credentials

    /// A wildcard that means operations whose replies hold credentials: they stay denied.
    static func vendingByWildcard(_ lint: Lint) -> [Remark] {
        lint.eachPermitting { one in
            let named = Set(
                one.scope.actions.compactMap { $0.literal == nil ? nil : $0.text.asciiLowercased })
            return one.actionPatterns.compactMap { pattern, source in
                guard pattern.literal == nil else { return nil }
                let vending = lint.catalog.vending.filter { number in
                    let known = lint.catalog.actions[number]
                    guard let use = known.vendingUse, pattern.matches(known.action) else { return false }
                    return one.grades[known.level, use.operation.sensitivity] == .yes
                        && !named.contains(known.action.description.asciiLowercased)
                }
                guard !vending.isEmpty else { return nil }
                return one.remark(
                    at: source,
                    "`\(shown(source.text))` does not open \(lint.count(of: vending, "action")) "
                        + "whose replies "
                        + "hold credentials: \(lint.listed(vending))",
                    mend: "name those that are meant: a wildcard never gives credentials away")
            }
        }
    }

    /// An `Allow` that names an operation whose reply holds credentials.
    static func vendingNamed(_ lint: Lint) -> [Remark] {
        lint.eachAllow { one in
            one.actionPatterns.compactMap { pattern, source in
                guard pattern.literal != nil, let number = lint.catalog.numbers(of: pattern).first,
                    let use = lint.catalog.actions[number].vendingUse
                else { return nil }
                let given =
                    use.operation.replyCarriesKeys
                    ? "AWS keys, with which the agent calls AWS past this gateway"
                    : "a secret that works without this gateway"
                let wide = one.resourcePatterns.first { lint.isWide($0.pattern, number) }
                return one.remark(
                    at: source,
                    "the reply to `\(use.name)` holds \(given)"
                        + (wide.map { ", and `\(shown($0.source.text))` is every one" } ?? ""),
                    mend: "let it ask: `Effect: AllowWithApproval`, or leave it out",
                    level: wide == nil ? nil : .error)
            }
        }
    }
}

extension LintedStatement {
    /// Whether it allows all there is, but for exceptions, whatever the conditions say of who, when and
    /// where.
    fileprivate var opensEverything: Bool {
        let isWhole = actions.isOpen && (isForAll || scope.exceptsResources)
        return isWhole && !isNarrowed && !scope.conditions.contains(where: Grades.judges)
    }
}

extension Lint {
    /// The first resource of `one` that is every one of some action's; nil where none is.
    fileprivate func wideResource(of one: LintedStatement) -> (pattern: ResourcePattern, source: Fields.Text)?
    {
        one.resourcePatterns.first { pattern, _ in
            pattern.isEverything || !(formats.fit(of: pattern)?.covered.isEmpty ?? true)
        }
    }

    fileprivate func isWide(_ pattern: ResourcePattern, _ number: Int) -> Bool {
        formats.isWide(pattern, for: number)
    }

    /// What to do about reads that show too much.
    private func mend(_ numbers: [Int]) -> String {
        let hasNone = numbers.allSatisfy {
            if case .nothing = formats.taking(of: $0) { true } else { false }
        }
        return hasNone
            ? "IAM has no resource of it to name: let it ask, if its answers are not for the agent"
            : "name the resources, add `StringEquals: {countersign:Sensitivity: metadata}`, or let it ask"
    }

    /// Whether some `Deny` or `RequireApproval` holds back whatever `one` lets through of action `number`.
    private func isHeldBack(_ one: LintedStatement, _ number: Int, _ sensitivity: Sensitivity) -> Bool {
        covering.candidates(for: one, of: number, with: [.deny, .requireApproval], in: catalog).contains {
            place in
            let other = statements[place]
            guard !other.permits, !other.hasFurtherConditions, other.actions.contains(number) else {
                return false
            }
            return other.grades[catalog.actions[number].level, sensitivity] == .yes
                && other.agentsCover(one) && other.resourcesCover(one)
        }
    }

    /// The ARN formats of the actions, at most three; nil where the catalog does not know any.
    fileprivate func forms(of numbers: [Int]) -> String? {
        var found: [Int] = []
        for number in numbers {
            guard case .formats(let some) = formats.taking(of: number) else { continue }
            for format in some where !found.contains(format) { found.append(format) }
        }
        guard !found.isEmpty else { return nil }
        let shown = found.prefix(3).map { "`\(formats.text($0))`" }.joined(separator: ", ")
        return shown + (found.count > 3 ? " and \(found.count - 3) more" : "")
    }

    /// The first three of the actions, and how many more.
    func listed(_ numbers: [Int]) -> String {
        let names = numbers.prefix(3).map { "`\(catalog.actions[$0].action)`" }.joined(separator: ", ")
        return names + (numbers.count > 3 ? " and \(numbers.count - 3) more" : "")
    }

    /// `1 write`, `3 writes`.
    func count(of numbers: [Int], _ noun: String) -> String {
        "\(numbers.count) \(noun)\(numbers.count == 1 ? "" : "s")"
    }
}
