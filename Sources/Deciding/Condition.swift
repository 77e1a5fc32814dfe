import Vocabulary

/// One line of a `Condition` block: an operator, a key, and the values it is compared with.
struct Condition: Hashable, Sendable {
    /// How request values are compared with those of the file.
    enum Comparison: Hashable, Sendable {
        case string(StringTest, [StringOperand])
        case bool([Bool])
        case number(NumberTest, [Int64])
        /// `Null`: whether the key is absent.
        case null([Bool])
    }

    enum StringTest: Hashable, Sendable {
        case equals
        case equalsIgnoreCase
        case like
    }

    /// A value of a string operator: exact text, or a pattern for `Like`.
    struct StringOperand: Hashable, Sendable {
        let text: String
        let pattern: Pattern?
    }

    enum NumberTest: String, Hashable, Sendable, CaseIterable {
        case equals = "Equals"
        case lessThan = "LessThan"
        case lessThanEquals = "LessThanEquals"
        case greaterThan = "GreaterThan"
        case greaterThanEquals = "GreaterThanEquals"
    }

    /// How a key with several values is judged.
    enum Quantifier: Hashable, Sendable {
        /// No set operator: a key with several values does not match.
        case single
        case all
        case any
    }

    /// Where a key's value comes from.
    enum Key: Hashable, Sendable {
        case own(ConditionContext.OwnKey)
        /// One that the request fills, lower case: `aws:requestedregion`.
        case request(String)
    }

    let key: Key
    let comparison: Comparison
    /// `Not…`: a value must equal none of the file's.
    let isNegated: Bool
    let ifExists: Bool
    let quantifier: Quantifier

    /// Whether the line holds in `context`.
    ///
    /// Absent keys as IAM: a positive operator does not hold; a negated one, `…IfExists` and `ForAllValues`
    /// do; `ForAnyValue` does not.
    func holds(in context: ConditionContext) -> Truth {
        let values: [String]
        switch context.value(of: key) {
        case .unknown: return .unknown
        case .absent: values = []
        case .filled(let filled): values = filled
        }
        if case .null(let wanted) = comparison { return Truth(wanted.contains(values.isEmpty)) }
        if values.isEmpty {
            switch quantifier {
            case .all: return .yes
            case .any: return Truth(ifExists)
            case .single: return Truth(ifExists || isNegated)
            }
        }
        switch quantifier {
        case .single: return values.count == 1 ? test(values[0]) : .no
        case .all: return values.reduce(.yes) { $0 && test($1) }
        case .any: return values.reduce(.no) { $0 || test($1) }
        }
    }

    private func test(_ value: String) -> Truth {
        let anyEqual = equalsAny(value)
        return isNegated ? !anyEqual : anyEqual
    }

    /// A request value that is not of the operator's type is unknown: it opens nothing and lifts no denial.
    private func equalsAny(_ value: String) -> Truth {
        switch comparison {
        case .string(let test, let operands): return Truth(operands.contains { Self.equals(test, $0, value) })
        case .bool(let wanted):
            let folded = value.asciiLowercased
            if folded.utf8.elementsEqual("true".utf8) { return Truth(wanted.contains(true)) }
            if folded.utf8.elementsEqual("false".utf8) { return Truth(wanted.contains(false)) }
            return .unknown
        case .number(let test, let wanted):
            guard let number = Int64(value) else { return .unknown }
            return Truth(wanted.contains { Self.compares(number, test, $0) })
        case .null: return .no
        }
    }

    private static func equals(_ test: StringTest, _ operand: StringOperand, _ value: String) -> Bool {
        switch test {
        case .equals: operand.text.utf8.elementsEqual(value.utf8)
        case .equalsIgnoreCase: operand.text.asciiLowercased.utf8.elementsEqual(value.asciiLowercased.utf8)
        case .like: operand.pattern?.matches(value) ?? false
        }
    }

    private static func compares(_ number: Int64, _ test: NumberTest, _ wanted: Int64) -> Bool {
        switch test {
        case .equals: number == wanted
        case .lessThan: number < wanted
        case .lessThanEquals: number <= wanted
        case .greaterThan: number > wanted
        case .greaterThanEquals: number >= wanted
        }
    }
}
