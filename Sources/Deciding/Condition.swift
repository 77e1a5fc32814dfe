import Vocabulary

/// One line of a `Condition` block: an operator, a key, and the values it is compared with.
///
/// A class, as statements are.
final class Condition: Hashable, Sendable {
    /// How request values are compared with those of the file.
    enum Comparison: Hashable, Sendable {
        /// `String…`: the whole text. Whether case counts and wildcards are such is in the operands.
        case string([PolicyText])
        /// `Arn…`: each of six parts, with wildcards.
        case arn([PolicyText])
        case bool([Bool])
        case ordered(Reading, Order, [Measure])
        case binary([[UInt8]])
        case address([AddressBlock])
        /// `Null`: whether the key is absent.
        case null([Bool])
    }

    /// What a request value is read as before it is ordered.
    enum Reading: Hashable, Sendable {
        case number
        case date

        func measure(_ text: String) -> Measure? {
            switch self {
            case .number: Measure(number: text)
            case .date: Measure(date: text)
            }
        }
    }

    enum Order: String, Hashable, Sendable, CaseIterable {
        case equals = "Equals"
        case lessThan = "LessThan"
        case lessThanEquals = "LessThanEquals"
        case greaterThan = "GreaterThan"
        case greaterThanEquals = "GreaterThanEquals"

        func holds(_ left: Measure, _ right: Measure) -> Bool {
            switch self {
            case .equals: left == right
            case .lessThan: left < right
            case .lessThanEquals: left <= right
            case .greaterThan: left > right
            case .greaterThanEquals: left >= right
            }
        }
    }

    /// How a key with several values is judged.
    enum Quantifier: Hashable, Sendable {
        /// No set operator: what a key with several values is worth is not known.
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

    /// The line as the file has it, for people.
    struct Written: Hashable, Sendable {
        /// With what goes before and after its name: `ForAllValues:StringLike`.
        let comparator: String
        let key: String
        let values: [String]
    }

    let written: Written
    let key: Key
    let comparison: Comparison
    /// `Not…`: a value must equal none of the file's.
    let isNegated: Bool
    let ifExists: Bool
    let quantifier: Quantifier

    init(
        written: Written, key: Key, comparison: Comparison, isNegated: Bool, ifExists: Bool,
        quantifier: Quantifier
    ) {
        self.written = written
        self.key = key
        self.comparison = comparison
        self.isNegated = isNegated
        self.ifExists = ifExists
        self.quantifier = quantifier
    }

    /// What it says, however it is written.
    struct Saying: Hashable, Sendable {
        let key: Key
        let comparison: Comparison
        let isNegated: Bool
        let ifExists: Bool
        let quantifier: Quantifier
    }

    var saying: Saying {
        Saying(
            key: key, comparison: comparison, isNegated: isNegated, ifExists: ifExists, quantifier: quantifier
        )
    }

    static func == (left: Condition, right: Condition) -> Bool {
        left.written == right.written && left.saying == right.saying
    }

    func hash(into hasher: inout Hasher) { hasher.combine(written) }

    /// Whether the line holds in `context`.
    ///
    /// Absent keys as IAM: a positive operator does not hold; a negated one, `…IfExists` and `ForAllValues`
    /// do; `ForAnyValue` does not. Where AWS's documentation leaves it open, or says two things, the answer
    /// is unknown (docs/decisions/0024).
    func holds(in context: ConditionContext) -> Truth {
        let values: [String]
        switch context.value(of: key) {
        case .unknown: return .unknown
        case .absent: values = []
        case .filled(let filled): values = filled
        }
        if case .null(let wanted) = comparison {
            // Empty texts alone: values to some pages of the documentation, none to others.
            guard values.isEmpty || !values.allSatisfy(\.isEmpty) else {
                return wanted.contains(true) && wanted.contains(false) ? .yes : .unknown
            }
            return Truth(wanted.contains(values.isEmpty))
        }
        switch quantifier {
        case .single where values.isEmpty: return Truth(ifExists || isNegated)
        case .single: return values.count == 1 ? test(values[0], in: context) : .unknown
        case .all:
            let held = values.reduce(.yes) { $0 && test($1, in: context) }
            // "Resolves to a null dataset, such as an empty string": IAM may see no value there.
            return held == .no && values.allSatisfy(\.isEmpty) ? .unknown : held
        case .any where values.isEmpty: return ifExists ? .unknown : .no
        case .any: return values.reduce(.no) { $0 || test($1, in: context) }
        }
    }

    /// Whether it may hold for one resource of an action and not for another: a key of it depends on that.
    func isOfResource(in context: ConditionContext) -> Bool {
        if context.isOfResource(key) { return true }
        switch comparison {
        case .string(let operands), .arn(let operands):
            return operands.contains { $0.hasVariables && $0.variables.contains(where: context.isOfResource) }
        case .bool, .ordered, .binary, .address, .null: return false
        }
    }

    private func test(_ value: String, in context: ConditionContext) -> Truth {
        let anyEqual = equalsAny(value, in: context)
        return isNegated ? !anyEqual : anyEqual
    }

    /// A request value that is not of the operator's type is unknown: it opens nothing and lifts no denial.
    private func equalsAny(_ value: String, in context: ConditionContext) -> Truth {
        switch comparison {
        case .string(let operands): return any(of: operands, equals: value, in: context) { $0.matches(value) }
        case .arn(let operands):
            guard let parts = Self.arnParts(Array(value.unicodeScalars.map(\.value))) else { return .unknown }
            // Every ARN: as the file has it, not by a variable that is empty.
            if operands.contains(where: { $0.fixed?.tokens == [.any] }) { return .yes }
            return any(of: operands, equals: nil, in: context) { $0.matchesARN(parts) }
        case .bool(let wanted):
            let folded = value.asciiLowercased
            if folded.utf8.elementsEqual("true".utf8) { return Truth(wanted.contains(true)) }
            if folded.utf8.elementsEqual("false".utf8) { return Truth(wanted.contains(false)) }
            return .unknown
        case .ordered(let reading, let order, let wanted):
            guard let measure = reading.measure(value) else { return .unknown }
            return Truth(wanted.contains { order.holds(measure, $0) })
        case .binary(let wanted):
            guard let bytes = Base64.decode(value.utf8) else { return .unknown }
            return Truth(wanted.contains(bytes))
        case .address(let blocks):
            let found = blocks.map { $0.contains(value) }
            return found.contains(nil) ? .unknown : Truth(found.contains(true))
        case .null: return .no
        }
    }

    /// Whether `matches` one of `operands`; one that is plain text is compared with `value` as it stands.
    ///
    /// A variable without a value equals nothing; under a negated operator AWS documents both that this holds
    /// and that the statement is invalid, so there it is not known.
    private func any(
        of operands: [PolicyText], equals value: String?, in context: ConditionContext,
        _ matches: (Pattern) -> Bool
    ) -> Truth {
        var found = Truth.no
        for operand in operands where found != .yes {
            if let value, let literal = operand.literal {
                found = found || Truth(literal.utf8.elementsEqual(value.utf8))
                continue
            }
            switch operand.resolved(in: context) {
            case .pattern(let pattern): found = found || Truth(matches(pattern))
            case .nothing: found = found || (isNegated ? .unknown : .no)
            case .unknown: found = found || .unknown
            }
        }
        return found
    }

    /// The six parts of an ARN; nil for any other text.
    private static func arnParts(_ scalars: [UInt32]) -> [ArraySlice<UInt32>]? {
        let parts = scalars.split(separator: 0x3A, maxSplits: 5, omittingEmptySubsequences: false)
        return parts.count == 6 && parts[0].elementsEqual("arn".unicodeScalars.map(\.value)) ? parts : nil
    }
}

extension Condition {
    /// The keys it is about: its own, and those of the variables in its texts.
    var keys: [Key] {
        switch comparison {
        case .string(let operands), .arn(let operands): [key] + operands.flatMap(\.variables)
        case .bool, .ordered, .binary, .address, .null: [key]
        }
    }
}

extension Condition.Key {
    /// Its name, in lower case where the request fills it.
    var name: String {
        switch self {
        case .own(let key): key.rawValue
        case .request(let name): name
        }
    }

    /// The key that `text` names, in any case; a fault for one that no call can have.
    static func reading(_ text: String) -> Result<Condition.Key, PatternFault> {
        let name = text.asciiLowercased
        if name.utf8.starts(with: "countersign:".utf8) {
            if let own = ConditionContext.OwnKey(named: name) { return .success(.own(own)) }
            let later = "countersign:breakglass".utf8.elementsEqual(name.utf8)
            let near = hint(text, ConditionContext.OwnKey.allCases.map(\.rawValue))
            let fault = later ? "is not in this version" : "is no condition key" + near
            return .failure(PatternFault("`\(shown(text))` \(fault)"))
        }
        let parts = name.utf8.split(separator: 0x3A, maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            return .failure(PatternFault("`\(shown(text))` is no condition key: write `service:Key`"))
        }
        return .success(.request(name))
    }
}

extension Pattern {
    /// Whether each part of the pattern, cut at its first five colons, matches that of an ARN.
    fileprivate func matchesARN(_ parts: [ArraySlice<UInt32>]) -> Bool {
        let own = tokens.split(separator: .scalar(0x3A), maxSplits: 5, omittingEmptySubsequences: false)
        return own.count == 6 && zip(own, parts).allSatisfy { Pattern(tokens: Array($0)).matches($1) }
    }
}
