import Recognizing
import Vocabulary

// Condition keys and what the gateway knows of them. One function a rule.

extension Lint {
    /// A condition key that no service and no global list has.
    static func unknownKey(_ lint: Lint) -> [Remark] {
        lint.eachKey { one, key, source in
            guard case .request(let name) = key, !lint.catalog.isKnownKey(name) else { return nil }
            let near = hint(source.text, LintCatalog.spelled + lint.keysOfActions(one))
            return one.remark(
                at: source,
                "AWS has no condition key `\(shown(source.text))`: "
                    + (one.permits ? "the statement never matches" : "the condition holds nothing back"),
                mend: near.isEmpty
                    ? "`countersign catalog show SERVICE:OPERATION` lists the keys of an operation"
                    : String(near.dropFirst(2)))
        }
    }

    /// A condition key that AWS does not have for some of the statement's actions.
    static func keyNotForAction(_ lint: Lint) -> [Remark] {
        lint.eachKey { one, key, source in
            guard let found = lint.standings(of: key, in: one), !found.without.isEmpty,
                !(one.permits && isTagKey(key)), !(one.permits && found.with > 0 && one.hasWildcardActions)
            else { return nil }
            let on = lint.listed(found.without)
            let says =
                one.permits
                ? "the statement never matches \(on)"
                : "the statement matches every call of \(on)"
            return one.remark(
                at: source,
                "AWS does not list `\(shown(source.text))` for \(lint.count(of: found.without, "action")) of "
                    + "`\(one.statement.id)`, so its value is not known there: \(says)",
                mend: "put the actions that have the key into a statement of their own")
        }
    }

    /// A condition on tags of the request over actions that carry none.
    static func tagsNotSent(_ lint: Lint) -> [Remark] {
        lint.eachKey { one, key, source in
            guard one.permits, isTagKey(key), let found = lint.standings(of: key, in: one),
                !found.without.isEmpty
            else { return nil }
            return one.remark(
                at: source,
                "\(lint.count(of: found.without, "action")) of `\(one.statement.id)` "
                    + (found.without.count == 1 ? "carries" : "carry")
                    + " no tags, so the statement never matches there: \(lint.listed(found.without))",
                mend: "put the actions that tag what they make into a statement of their own")
        }
    }

    /// A condition key that no request says, though AWS has it.
    static func unknowableKey(_ lint: Lint) -> [Remark] {
        lint.eachKey { one, key, source in
            guard let found = lint.standings(of: key, in: one), !found.unknowable.isEmpty else { return nil }
            let isAll = !found.mayBeKnown && found.without.isEmpty
            guard isAll || !one.permits || !one.hasWildcardActions else { return nil }
            let on = isAll ? "" : " for \(lint.listed(found.unknowable))"
            return one.remark(
                at: source,
                "the gateway cannot know `\(shown(source.text))`\(on): "
                    + (one.permits
                        ? "`\(one.statement.id)` never matches\(isAll ? "" : " there")"
                        : "the condition holds nothing back, and `\(one.statement.id)` matches "
                            + "whatever it is"),
                mend: "judge by what requests say: `countersign catalog show SERVICE:OPERATION` lists it",
                level: one.permits && isAll ? .error : .warning)
        }
    }

    /// A condition key that no request of the statement's actions carries, so that its condition is settled.
    static func keyNeverSent(_ lint: Lint) -> [Remark] {
        lint.each { one in
            one.lines.compactMap { condition, source in
                guard let found = lint.standings(of: condition.key, in: one), found.absent > 0,
                    found.filled == 0, found.unknowable.isEmpty, found.without.isEmpty
                else { return nil }
                let holds = condition.holds(in: .absent(condition.key, at: lint.at))
                return one.remark(
                    at: source.key,
                    "no request of these actions carries `\(shown(source.key.text))`, so the condition "
                        + (holds == .no ? "never holds and the statement never matches" : "always holds"),
                    mend: holds == .no
                        ? "take the condition out, or the statement" : "take the condition out",
                    level: holds == .no ? nil : .note)
            }
        }
    }

    /// A policy variable whose value the gateway cannot know.
    static func variableUnknowable(_ lint: Lint) -> [Remark] {
        lint.each { one in
            let texts = one.source.resources + one.lines.flatMap(\.source.values)
            return texts.flatMap { text in
                variables(in: text.text).compactMap { name -> Remark? in
                    guard case .success(let key) = Condition.Key.reading(name),
                        let found = lint.standings(of: key, in: one), !found.mayBeKnown
                    else { return nil }
                    return one.remark(
                        at: text,
                        "the gateway cannot know `${\(shown(name))}`: "
                            + (one.permits
                                ? "`\(one.statement.id)` never matches, also where a default is stated"
                                : "any text may stand in its place, and `\(one.statement.id)` matches"),
                        mend: "`${countersign:Agent}` and what requests say can be known",
                        level: one.permits ? .error : .warning)
                }
            }
        }
    }

    /// `ForAllValues` in a statement that permits, with nothing that demands the key.
    static func forAllValuesWithoutNull(_ lint: Lint) -> [Remark] {
        lint.eachPermitting { one in
            one.lines.compactMap { condition, source in
                guard condition.quantifier == .all else { return nil }
                let isDemanded = one.scope.conditions.contains { other in
                    other.key == condition.key && !other.allowsAbsence
                }
                guard !isDemanded else { return nil }
                return one.remark(
                    at: source.name,
                    "`\(shown(source.name.text))` also holds where the request has no "
                        + "`\(shown(source.key.text))`",
                    mend: "add `\"Null\": {\(shown(source.key.text)): \"false\"}`")
            }
        }
    }

    /// A `*` or `?` in a comparison that takes it as the character.
    static func wildcardIsLiteral(_ lint: Lint) -> [Remark] {
        lint.each { one in
            one.lines.flatMap { condition, source -> [Remark] in
                let name = source.name.text.asciiLowercased
                guard case .string = condition.comparison, !name.contains("like") else { return [] }
                return source.values.filter { value in
                    withoutVariables(value.text).utf8.contains { $0 == 0x2A || $0 == 0x3F }
                }.map { value in
                    one.remark(
                        at: value,
                        "`\(shown(source.name.text))` compares `*` and `?` as characters: no wildcard in "
                            + "`\(shown(value.text))`",
                        mend: "use `\(condition.isNegated ? "StringNotLike" : "StringLike")`")
                }
            }
        }
    }

    /// A statement that permits by what the agent says of itself.
    static func agentSaysSo(_ lint: Lint) -> [Remark] {
        lint.eachPermitting { one in
            one.lines.compactMap { condition, source in
                guard condition.key == .own(.task) || condition.key == .request("aws:useragent") else {
                    return nil
                }
                return one.remark(
                    at: source.key,
                    "`\(shown(source.key.text))` is what the agent says of itself: it can say anything",
                    mend: "permit by `Agents`, or by what the call does")
            }
        }
    }
}

// MARK: - Standings

/// What becomes of one key over the actions of a statement.
struct KeyStandings: Sendable {
    var filled = 0
    var absent = 0
    var unknowable: [Int] = []
    /// The actions that AWS does not list it for.
    var without: [Int] = []
    /// Those that the catalog says nothing of.
    var unsure = 0

    /// How many actions AWS lists it for.
    var with: Int { filled + absent + unknowable.count }
    /// Whether it is known of some action, or may be.
    var mayBeKnown: Bool { filled + absent + unsure > 0 }
}

extension Lint {
    /// The standings of `key` over the actions of `one`; nil for a key of our own and for one that nobody
    /// knows.
    fileprivate func standings(of key: Condition.Key, in one: LintedStatement) -> KeyStandings? {
        guard case .request(let name) = key, catalog.isKnownKey(name) else { return nil }
        return standingsMemo.standings(of: family(of: name), in: one.actions) {
            var found = KeyStandings()
            for number in one.actions.numbers {
                switch catalog.standing(of: key, for: number) {
                case .filled: found.filled += 1
                case .absent: found.absent += 1
                case .unknowable: found.unknowable.append(number)
                case .notListed: found.without.append(number)
                case .unsure: found.unsure += 1
                }
            }
            return found
        }
    }

    /// What `look` says of each condition's key.
    fileprivate func eachKey(
        _ look: (LintedStatement, Condition.Key, Fields.Text) -> Remark?
    ) -> [Remark] {
        each { one in one.lines.compactMap { look(one, $0.condition.key, $0.source.key) } }
    }

    /// The keys that AWS lists for the first actions of `one`, for "did you mean".
    fileprivate func keysOfActions(_ one: LintedStatement) -> [String] {
        let keys = one.actions.numbers.prefix(40).flatMap { catalog.actions[$0].uses }
            .flatMap(\.action.conditionKeys)
        return Set(keys).sorted()
    }
}

extension LintedStatement {
    fileprivate var hasWildcardActions: Bool {
        scope.exceptsActions || scope.actions.contains { $0.literal == nil }
    }
}

extension Condition {
    /// Whether the condition may hold where the request does not have its key.
    fileprivate var allowsAbsence: Bool {
        if case .null(let wanted) = comparison { return wanted.contains(true) }
        switch quantifier {
        case .all: return true
        case .any: return ifExists
        case .single: return ifExists || isNegated
        }
    }
}

extension ConditionContext {
    /// A call without `key`.
    fileprivate static func absent(_ key: Condition.Key, at: Instant) -> ConditionContext {
        var keys = ConditionKeys()
        if case .request(let name) = key { keys[name] = .absent }
        return .supposed(keys: keys, at: at)
    }
}

/// The name, or for a key with a name of somebody's own, such as a tag, what stands before that: AWS has all
/// of a family or none.
private func family(of name: String) -> String {
    for mark: UInt8 in [0x2F, 0x3A] {
        let parts = name.utf8.split(separator: mark, maxSplits: 2, omittingEmptySubsequences: false)
        let count = mark == 0x2F ? 2 : 3
        guard parts.count >= count, let head = String(parts[0]) else { continue }
        return mark == 0x2F ? head + "/" : head + ":" + (String(parts[1]) ?? "") + ":"
    }
    return name
}

/// Whether `key` is about the tags that a request puts on what it makes.
private func isTagKey(_ key: Condition.Key) -> Bool {
    guard case .request(let name) = key else { return false }
    return name == "aws:tagkeys" || name.hasPrefix("aws:requesttag/")
}

/// The keys of the variables in `text`.
private func variables(in text: String) -> [String] {
    text.split(separator: "${", omittingEmptySubsequences: false).dropFirst().compactMap { piece in
        let name = piece.prefix { $0 != "}" && $0 != "," }
        return name.count > 1 ? String(name) : nil
    }
}

/// `text` without its variables and `${*}`.
private func withoutVariables(_ text: String) -> String {
    let pieces = text.split(separator: "${", omittingEmptySubsequences: false)
    let rest = pieces.dropFirst().map { $0.drop { $0 != "}" }.dropFirst() }
    return ([pieces[0]] + rest).joined()
}
