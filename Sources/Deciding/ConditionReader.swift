import Vocabulary

/// Reads the `Condition` block of a statement.
struct ConditionReader {
    /// The operators that this version carries out; `…IfExists`, `ForAllValues:` and `ForAnyValue:` go with
    /// all but `Null`.
    static let operators = [
        "StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase",
        "StringLike",
        "StringNotLike", "Bool", "NumericEquals", "NumericNotEquals", "NumericLessThan",
        "NumericLessThanEquals",
        "NumericGreaterThan", "NumericGreaterThanEquals", "Null",
    ]

    /// An operator name, taken apart.
    private struct Operator {
        let base: String
        let quantifier: Condition.Quantifier
        let ifExists: Bool

        var isNegated: Bool { base.contains("Not") }
    }

    let file: String

    /// The lines of the block; those at fault are left out, which never matters since the set is then
    /// refused.
    func read(_ node: Node, issues: inout IssueList) -> [Condition] {
        guard case .map(let operators) = node.content else {
            issues.add(file, node.place, "`Condition` is a map of operators, not \(node.kind)")
            return []
        }
        var conditions: [Condition] = []
        for entry in operators {
            guard let read = readOperator(entry, issues: &issues) else { continue }
            guard case .map(let keys) = entry.value.content, !keys.isEmpty else {
                issues.add(
                    file, entry.value.place,
                    "`\(shown(entry.key))` is a map of condition keys, not \(entry.value.kind)")
                continue
            }
            var seen: Set<String> = []
            for key in keys {
                guard seen.insert(key.key.asciiLowercased).inserted else {
                    issues.add(file, key.place, "condition key `\(shown(key.key))` is here twice")
                    continue
                }
                if let condition = readLine(key, read, issues: &issues) { conditions.append(condition) }
            }
        }
        return conditions
    }

    private func readOperator(_ entry: Node.Entry, issues: inout IssueList) -> Operator? {
        var name = entry.key.asciiLowercased
        var (quantifier, ifExists) = (Condition.Quantifier.single, false)
        for (prefix, value) in [("forallvalues:", Condition.Quantifier.all), ("foranyvalue:", .any)]
        where name.utf8.starts(with: prefix.utf8) {
            quantifier = value
            name = String(name.utf8.dropFirst(prefix.utf8.count)) ?? ""
            break
        }
        if name.utf8.reversed().starts(with: "ifexists".utf8.reversed()) {
            ifExists = true
            name = String(name.utf8.dropLast(8)) ?? ""
        }
        let base = Self.operators.first { $0.asciiLowercased.utf8.elementsEqual(name.utf8) }
        guard let base, !(base == "Null" && (ifExists || quantifier != .single)) else {
            let known = Self.operators.joined(separator: ", ")
            issues.add(
                file, entry.place,
                "operator `\(shown(entry.key))` is not in this version, which has \(known)"
                    + hint(entry.key, Self.operators))
            return nil
        }
        return Operator(base: base, quantifier: quantifier, ifExists: ifExists)
    }

    private func readLine(_ entry: Node.Entry, _ read: Operator, issues: inout IssueList) -> Condition? {
        guard let key = readKey(entry, issues: &issues) else { return nil }
        let what = "`\(shown(entry.key))`"
        let texts = Fields.texts(entry.value, of: what, in: file, issues: &issues)
        if case .own(let own) = key, let fault = misuse(of: own, by: read) {
            issues.add(file, entry.place, "\(what) \(fault)")
            return nil
        }
        var operands: [Operand] = []
        for text in texts {
            do { operands.append(try operand(text.text, key, read)) } catch {
                issues.add(file, text.place, error.message)
            }
        }
        guard operands.count == texts.count, !operands.isEmpty else { return nil }
        return Condition(
            key: key, comparison: comparison(of: operands, read), isNegated: read.isNegated,
            ifExists: read.ifExists,
            quantifier: read.quantifier)
    }

    // MARK: - Keys

    private func readKey(_ entry: Node.Entry, issues: inout IssueList) -> Condition.Key? {
        let name = entry.key.asciiLowercased
        if name.utf8.starts(with: "countersign:".utf8) {
            if let own = ConditionContext.OwnKey(named: name) { return .own(own) }
            let later = ["countersign:host", "countersign:breakglass"].contains {
                $0.utf8.elementsEqual(name.utf8)
            }
            let near = hint(entry.key, ConditionContext.OwnKey.allCases.map(\.rawValue))
            let fault = later ? "is not in this version" : "is no condition key" + near
            issues.add(file, entry.place, "`\(shown(entry.key))` \(fault)")
            return nil
        }
        let parts = name.utf8.split(separator: 0x3A, maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            issues.add(file, entry.place, "`\(shown(entry.key))` is no condition key: write `service:Key`")
            return nil
        }
        return .request(name)
    }

    /// What is wrong with using `key` under an operator of another type; nil when nothing is.
    private func misuse(of key: ConditionContext.OwnKey, by read: Operator) -> String? {
        switch key {
        case .mutates:
            return read.base.hasPrefix("Numeric") ? "is true or false: use Bool" : nil
        case .itemCount, .bodyBytes, .hourUTC:
            return read.base == "Bool" ? "is a number: use a Numeric operator" : nil
        case .agent, .session, .strength, .task, .accessLevel, .sensitivity, .wireProtocol:
            return read.base == "Bool" || read.base.hasPrefix("Numeric")
                ? "is text: use a String operator" : nil
        }
    }

    // MARK: - Values

    private enum Operand {
        case string(Condition.StringOperand)
        case bool(Bool)
        case number(Int64)
    }

    private func operand(_ text: String, _ key: Condition.Key, _ read: Operator) throws(PatternFault)
        -> Operand
    {
        if read.base == "Bool" || read.base == "Null" {
            switch text.asciiLowercased {
            case "true": return .bool(true)
            case "false": return .bool(false)
            default: throw PatternFault("`\(shown(text))` is neither `true` nor `false`")
            }
        }
        if read.base.hasPrefix("Numeric") {
            guard let number = Int64(text), String(number).utf8.elementsEqual(text.utf8) else {
                throw PatternFault("`\(shown(text))` is no whole number")
            }
            return .number(number)
        }
        let literal = try withoutVariables(text)
        if read.base.hasSuffix("Like") {
            return .string(.init(text: text, pattern: Pattern(text[...])))
        }
        if case .own(let own) = key, let values = own.values,
            !values.contains(where: { $0.asciiLowercased.utf8.elementsEqual(text.asciiLowercased.utf8) })
        {
            let known = values.joined(separator: ", ")
            throw PatternFault(
                "`\(shown(text))` is no `\(own.rawValue)`, which is \(known)" + hint(text, values))
        }
        return .string(.init(text: literal, pattern: nil))
    }

    private func comparison(of operands: [Operand], _ read: Operator) -> Condition.Comparison {
        var (strings, bools, numbers) = ([Condition.StringOperand](), [Bool](), [Int64]())
        for operand in operands {
            switch operand {
            case .string(let value): strings.append(value)
            case .bool(let value): bools.append(value)
            case .number(let value): numbers.append(value)
            }
        }
        switch read.base {
        case "Null": return .null(bools)
        case "Bool": return .bool(bools)
        case "NumericLessThan": return .number(.lessThan, numbers)
        case "NumericLessThanEquals": return .number(.lessThanEquals, numbers)
        case "NumericGreaterThan": return .number(.greaterThan, numbers)
        case "NumericGreaterThanEquals": return .number(.greaterThanEquals, numbers)
        case "NumericEquals", "NumericNotEquals": return .number(.equals, numbers)
        case "StringLike", "StringNotLike": return .string(.like, strings)
        case "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase": return .string(.equalsIgnoreCase, strings)
        default: return .string(.equals, strings)
        }
    }
}

/// `text` with `${*}`, `${?}` and `${$}` as the characters they stand for.
///
/// - Throws: when it holds any other `${…}`: policy variables are not in this version, and must not be read
///   as plain text.
func withoutVariables(_ text: String) throws(PatternFault) -> String {
    var result = String.UnicodeScalarView()
    let scalars = Array(text.unicodeScalars)
    var at = 0
    while at < scalars.count {
        guard scalars[at] == "$", at + 1 < scalars.count, scalars[at + 1] == "{" else {
            result.append(scalars[at])
            at += 1
            continue
        }
        guard at + 3 < scalars.count, ["*", "?", "$"].contains(scalars[at + 2]), scalars[at + 3] == "}" else {
            throw PatternFault("policy variables (`${…}`) are not in this version")
        }
        result.append(scalars[at + 2])
        at += 4
    }
    return String(result)
}
