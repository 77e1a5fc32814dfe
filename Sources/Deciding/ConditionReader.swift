import Vocabulary

/// Reads the `Condition` block of a statement.
struct ConditionReader {
    /// How the values of an operator are compared.
    private enum Kind {
        case string(hasWildcards: Bool, foldsCase: Bool)
        case arn
        case bool
        case ordered(Condition.Reading, Condition.Order)
        case binary
        case address
        case null
    }

    /// One operator of IAM, without what goes before and after its name.
    private struct Base {
        let name: String
        let kind: Kind
        let isNegated: Bool

        init(_ name: String, _ kind: Kind, isNegated: Bool = false) {
            (self.name, self.kind, self.isNegated) = (name, kind, isNegated)
        }
    }

    /// All operators; `…IfExists`, `ForAllValues:` and `ForAnyValue:` go with all but `Null`.
    ///
    /// - SeeAlso: IAM User Guide, "IAM JSON policy elements: Condition operators".
    private static let bases: [Base] = {
        let exact = Kind.string(hasWildcards: false, foldsCase: false)
        let caseless = Kind.string(hasWildcards: false, foldsCase: true)
        let like = Kind.string(hasWildcards: true, foldsCase: false)
        var bases = [
            Base("StringEquals", exact), Base("StringNotEquals", exact, isNegated: true),
            Base("StringEqualsIgnoreCase", caseless),
            Base("StringNotEqualsIgnoreCase", caseless, isNegated: true),
            Base("StringLike", like), Base("StringNotLike", like, isNegated: true),
        ]
        for (name, reading) in [("Numeric", Condition.Reading.number), ("Date", .date)] {
            bases += Condition.Order.allCases.map { Base(name + $0.rawValue, .ordered(reading, $0)) }
            bases.append(Base(name + "NotEquals", .ordered(reading, .equals), isNegated: true))
        }
        return bases + [
            Base("Bool", .bool), Base("BinaryEquals", .binary), Base("IpAddress", .address),
            Base("NotIpAddress", .address, isNegated: true), Base("ArnEquals", .arn), Base("ArnLike", .arn),
            Base("ArnNotEquals", .arn, isNegated: true), Base("ArnNotLike", .arn, isNegated: true),
            Base("Null", .null),
        ]
    }()

    /// The names of all operators.
    static let operators = bases.map(\.name)
    private static let byName = Dictionary(
        uniqueKeysWithValues: bases.map { (ExactText($0.name.asciiLowercased), $0) })

    /// An operator name, taken apart.
    private struct Operator {
        /// As the file has it.
        let text: String
        let base: Base
        let quantifier: Condition.Quantifier
        let ifExists: Bool
    }

    let file: String

    /// The lines of the block; those at fault are left out, which never matters since the set is then
    /// refused.
    func read(_ node: Node, issues: inout IssueList) -> [Condition] {
        guard case .map(let operators) = node.content else {
            issues.add(file, node.place, "`Condition` is a map of operators, not \(node.kind)", .wrongType)
            return []
        }
        var conditions: [Condition] = []
        for entry in operators {
            guard let read = readOperator(entry, issues: &issues) else { continue }
            guard case .map(let keys) = entry.value.content, !keys.isEmpty else {
                issues.add(
                    file, entry.value.place,
                    "`\(shown(entry.key))` is a map of condition keys, not \(entry.value.kind)",
                    .wrongType)
                continue
            }
            var seen: Set<String> = []
            for key in keys {
                guard seen.insert(key.key.asciiLowercased).inserted else {
                    issues.add(
                        file, key.place, "condition key `\(shown(key.key))` is here twice", .duplicateKey)
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
        if name.utf8.suffix(8).elementsEqual("ifexists".utf8) {
            ifExists = true
            name = String(name.utf8.dropLast(8)) ?? ""
        }
        guard let base = Self.byName[ExactText(name)] else {
            let known = Self.operators.joined(separator: ", ")
            issues.add(
                file, entry.place,
                "`\(shown(entry.key))` is no condition operator"
                    + (hint(name, Self.operators).nonEmpty ?? ": \(known)"),
                .badCondition)
            return nil
        }
        if case .null = base.kind, ifExists || quantifier != .single {
            issues.add(
                file, entry.place, "`Null` stands alone: no set operator and no `IfExists` goes with it",
                .badCondition)
            return nil
        }
        return Operator(text: entry.key, base: base, quantifier: quantifier, ifExists: ifExists)
    }

    private func readLine(_ entry: Node.Entry, _ read: Operator, issues: inout IssueList) -> Condition? {
        let key: Condition.Key
        switch Condition.Key.reading(entry.key) {
        case .success(let found): key = found
        case .failure(let fault):
            issues.add(file, entry.place, fault.message, .badCondition)
            return nil
        }
        let what = "`\(shown(entry.key))`"
        if case .own(let own) = key, let fault = misuse(of: own, by: read.base.kind) {
            issues.add(file, entry.place, "\(what) \(fault)", .badCondition)
            return nil
        }
        let texts = Fields.texts(entry.value, of: what, in: file, mayBeEmpty: true, issues: &issues)
        var values = Values()
        for text in texts {
            do { try values.add(text.text, key, read.base.kind) } catch {
                issues.add(file, text.place, error.message, .badCondition)
            }
        }
        guard values.count == texts.count, !texts.isEmpty else { return nil }
        return Condition(
            written: .init(comparator: read.text, key: entry.key, values: texts.map(\.text)),
            key: key, comparison: values.comparison(read.base.kind), isNegated: read.base.isNegated,
            ifExists: read.ifExists, quantifier: read.quantifier)
    }

    /// What is wrong with using `key` under an operator of another type; nil when nothing is.
    private func misuse(of key: ConditionContext.OwnKey, by kind: Kind) -> String? {
        switch (key, kind) {
        case (_, .null), (_, .string): nil
        case (.mutates, .bool): nil
        case (.mutates, _): "is true or false: use Bool"
        case (.itemCount, .ordered(.number, _)), (.bodyBytes, .ordered(.number, _)),
            (.hourUTC, .ordered(.number, _)):
            nil
        case (.itemCount, _), (.bodyBytes, _), (.hourUTC, _): "is a number: use a Numeric operator"
        case (.agent, _), (.session, _), (.strength, _), (.task, _), (.host, _), (.accessLevel, _),
            (.sensitivity, _), (.wireProtocol, _):
            "is text: use a String operator"
        }
    }

    // MARK: - Values

    /// The values of one line, read by the operator's type.
    private struct Values {
        private var texts: [PolicyText] = []
        private var bools: [Bool] = []
        private var measures: [Measure] = []
        private var binaries: [[UInt8]] = []
        private var blocks: [AddressBlock] = []

        var count: Int { texts.count + bools.count + measures.count + binaries.count + blocks.count }

        mutating func add(_ text: String, _ key: Condition.Key, _ kind: Kind) throws(PatternFault) {
            switch kind {
            case .string(let hasWildcards, let foldsCase):
                let read = try PolicyText(parsing: text, hasWildcards: hasWildcards, foldsCase: foldsCase)
                if !hasWildcards, !read.hasVariables { try Values.check(text, of: key) }
                texts.append(read)
            case .arn:
                let read = try PolicyText(parsing: text, hasWildcards: true)
                let parts = text.utf8.split(separator: 0x3A, maxSplits: 5, omittingEmptySubsequences: false)
                guard read.hasVariables || parts.count == 6 || text.utf8.elementsEqual("*".utf8) else {
                    throw PatternFault("`\(shown(text))` is no ARN, which has 6 parts, and not `*`")
                }
                texts.append(read)
            case .bool, .null:
                switch text.asciiLowercased {
                case "true": bools.append(true)
                case "false": bools.append(false)
                default: throw PatternFault("`\(shown(text))` is neither `true` nor `false`")
                }
            case .ordered(let reading, _):
                guard let measure = reading.measure(text) else {
                    let form =
                        reading == .number
                        ? "number: digits, at most 18, and at most 9 behind a point"
                        : "moment: write `2026-11-24T08:30:00Z`, `2026-11-24`, or seconds since 1970"
                    throw PatternFault("`\(shown(text))` is no \(form)")
                }
                measures.append(measure)
            case .binary:
                guard let bytes = Base64.decode(text.utf8) else {
                    throw PatternFault("`\(shown(text))` is no base 64")
                }
                binaries.append(bytes)
            case .address:
                guard let block = AddressBlock(parsing: text) else {
                    throw PatternFault(
                        "`\(shown(text))` is no address or block: write `203.0.113.0/24` or `2001:db8::/32`")
                }
                blocks.append(block)
            }
        }

        func comparison(_ kind: Kind) -> Condition.Comparison {
            switch kind {
            case .string: .string(texts)
            case .arn: .arn(texts)
            case .bool: .bool(bools)
            case .null: .null(bools)
            case .ordered(let reading, let order): .ordered(reading, order, measures)
            case .binary: .binary(binaries)
            case .address: .address(blocks)
            }
        }

        /// A value that a key of our own can never have is a typing error.
        private static func check(_ text: String, of key: Condition.Key) throws(PatternFault) {
            guard case .own(let own) = key, let values = own.values,
                !values.contains(where: {
                    $0.asciiLowercased.utf8.elementsEqual(text.asciiLowercased.utf8)
                })
            else { return }
            let known = values.joined(separator: ", ")
            throw PatternFault(
                "`\(shown(text))` is no `\(own.rawValue)`, which is \(known)" + hint(text, values))
        }
    }
}

extension String {
    fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}
