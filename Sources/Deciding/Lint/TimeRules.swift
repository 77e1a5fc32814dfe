import Recognizing
import Vocabulary

// Conditions that no call can meet, together or any more. One function a rule.

extension Lint {
    /// Conditions that exclude each other, or every action of the statement.
    static func contradiction(_ lint: Lint) -> [Remark] {
        lint.each { one in
            var found: [Remark] = []
            for (key, lines) in Dictionary(grouping: one.lines, by: \.condition.key)
            where !isMeetable(lines.map(\.condition), key: key, at: lint.at) {
                let last = lines.max { $0.source.key.place.line < $1.source.key.place.line } ?? lines[0]
                found.append(
                    one.remark(
                        at: last.source.key,
                        "no value of `\(shown(last.source.key.text))` meets "
                            + (lines.count == 1 ? "this condition" : "these \(lines.count) conditions")
                            + ": `\(one.statement.id)` never matches",
                        mend: key == .own(.hourUTC)
                            ? "hours past midnight take two statements, one for each side of it"
                            : "take one of them out"))
            }
            return found + lint.gradeContradiction(one)
        }
    }

    /// A statement whose actions are none of the level or sensitivity that its conditions want.
    private func gradeContradiction(_ one: LintedStatement) -> [Remark] {
        guard let line = one.lines.first(where: { Grades.judges($0.condition) }) else { return [] }
        func lets(_ truth: Truth) -> Bool { one.permits ? truth == .yes : truth != .no }
        let isMeetable = one.actions.numbers.contains { number in
            catalog.actions[number].sensitivities.contains {
                lets(one.grades[catalog.actions[number].level, $0])
            }
                // A call that code names, or none: its sensitivity is not known here.
                || catalog.actions[number].uses.isEmpty
        }
        guard !isMeetable else { return [] }
        return [
            one.remark(
                at: line.source.key,
                "no action of `\(one.statement.id)` meets its conditions on access level and sensitivity: it "
                    + "never matches",
                mend: "`countersign catalog show SERVICE:OPERATION` tells the level of an action")
        ]
    }

    /// A statement whose time is over.
    static func timeOver(_ lint: Lint) -> [Remark] {
        lint.each { one in
            var found: [Remark] = []
            for (key, lines) in Dictionary(grouping: one.lines, by: \.condition.key) {
                guard key == .request("aws:currenttime") || key == .request("aws:epochtime") else { continue }
                let now = Int128(lint.at.nanosecondsSinceEpoch)
                let conditions = lines.map(\.condition)
                guard isMeetable(conditions, key: key, at: lint.at),
                    !isMeetable(conditions, key: key, at: lint.at, from: now)
                else { continue }
                found.append(
                    one.remark(
                        at: lines[0].source.values.first ?? lines[0].source.key,
                        "the time of `\(one.statement.id)` is over: it never matches any more",
                        mend: "take the statement out"))
            }
            return found
        }
    }
}

/// Whether some one value of `key` can meet all `conditions`, as far as that can be told: yes in doubt.
///
/// Numbers and moments are tried at and beside every bound, texts and truth values where the conditions name
/// all that can hold. `first` is the least number or moment that counts.
private func isMeetable(
    _ conditions: [Condition], key: Condition.Key, at: Instant, from first: Int128? = nil
) -> Bool {
    let plain = conditions.filter { $0.quantifier == .single }
    // A key that may be absent, or have several values, may meet them all that way.
    guard plain.count == conditions.count else { return true }
    if let candidates = texts(of: plain) {
        return candidates.contains { value in
            plain.allSatisfy { $0.allows(value, at: at) }
        }
    }
    return isOrderMeetable(plain, key: key, from: first)
}

private func isOrderMeetable(_ conditions: [Condition], key: Condition.Key, from first: Int128?) -> Bool {
    var bounds: [Int128] = []
    for condition in conditions {
        guard case .ordered(_, _, let measures) = condition.comparison, !condition.ifExists else {
            return true
        }
        bounds += measures.map(\.billionths)
    }
    let billion: Int128 = 1_000_000_000
    var candidates = bounds.flatMap { [$0 - 1, $0, $0 + 1] } + [first].compactMap { $0 }
    switch key {
    case .own(.hourUTC): candidates = (0...23).map { Int128($0) * billion }
    case .own(.itemCount), .own(.bodyBytes):
        let whole = bounds.map { $0 / billion * billion }
        candidates = (whole.flatMap { [$0 - billion, $0, $0 + billion] } + [0]).filter { $0 >= 0 }
    case .own, .request: break
    }
    return candidates.contains { value in
        value >= first ?? value && conditions.allSatisfy { $0.allows(value) }
    }
}

/// The values that some one of the conditions leaves: those of a positive comparison that names each. Absent
/// is nil. Nil where no condition does.
private func texts(of conditions: [Condition]) -> [String?]? {
    for condition in conditions where !condition.isNegated && !condition.ifExists {
        switch condition.comparison {
        case .string(let operands):
            let literals = operands.compactMap(\.literal)
            if literals.count == operands.count { return literals }
        case .bool(let wanted): return wanted.map { $0 ? "true" : "false" }
        case .null(let wanted): if wanted == [true] { return [nil] }
        case .arn, .ordered, .binary, .address: continue
        }
    }
    return nil
}

extension Condition {
    /// Whether a call whose key has this value, or is absent, may meet the condition.
    fileprivate func allows(_ value: String?, at: Instant) -> Bool {
        var keys = ConditionKeys()
        keys["supposed:key"] = value.map { .filled([$0]) } ?? .absent
        let copy = Condition(
            written: written, key: .request("supposed:key"), comparison: comparison, isNegated: isNegated,
            ifExists: ifExists,
            quantifier: quantifier)
        return copy.holds(in: .supposed(keys: keys, at: at)) != .no
    }

    fileprivate func allows(_ value: Int128) -> Bool {
        guard case .ordered(_, let order, let measures) = comparison else { return true }
        let holds = measures.contains { measure in
            switch order {
            case .equals: value == measure.billionths
            case .lessThan: value < measure.billionths
            case .lessThanEquals: value <= measure.billionths
            case .greaterThan: value > measure.billionths
            case .greaterThanEquals: value >= measure.billionths
            }
        }
        return holds != isNegated
    }
}
