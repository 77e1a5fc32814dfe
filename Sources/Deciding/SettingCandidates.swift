import Hashing
import Recognizing
import Vocabulary

/// Settings of one aspect of a situation, enough of them that conditions about it take every combination of
/// truths that they can; more than enough, most of which say the same.
struct SettingCandidates {
    let aspect: Situation.Aspect
    private let conditions: [Condition]
    private let context: ConditionContext
    private(set) var settings: [Situation.Setting] = []
    /// Whether they are known to be enough.
    private(set) var isComplete = true

    /// The most single values whose sets are all tried, for keys that hold several.
    private static let setValueMax = 6

    init(_ aspect: Situation.Aspect, _ conditions: [Condition], _ context: ConditionContext) {
        (self.aspect, self.conditions, self.context) = (aspect, conditions, context)
    }

    /// Finds the settings.
    mutating func collect() {
        switch aspect {
        case .request(let name): collectValues(of: name)
        case .strength: settings = IdentityStrength.allCases.reversed().map { .strength($0) }
        case .session:
            settings = [.session(SessionID(random: 7))]
            for text in texts() {
                // A text that is no session id is nobody's.
                if let session = try? SessionID(parsing: text) { settings.append(.session(session)) }
            }
            isComplete = false
        case .task: settings = [.task(nil)] + texts().map { .task($0) }
        case .host: settings = texts().map { .host($0) }
        case .wireProtocol: settings = WireProtocol.allCases.map { .wireProtocol($0) }
        case .itemCount: settings = counts(from: 1).map { .itemCount($0) }
        case .bodyBytes: settings = counts(from: 0).map { .bodyBytes($0) }
        case .time: collectMoments()
        }
        // A variable ties the aspect to others, which are set apart from it.
        if conditions.contains(where: \.hasVariables) { isComplete = false }
    }

    // MARK: - Keys of the request

    private mutating func collectValues(of name: String) {
        if let value = gatewayValue(of: name) {
            settings = [.keys(name, value)]
            return
        }
        // Where a region does, one that there is.
        let single = (name.utf8.elementsEqual("aws:requestedregion".utf8) ? ["us-east-1"] : []) + texts()
        settings = single.map { .keys(name, .filled([$0])) }
        settings += [.keys(name, .absent), .keys(name, .filled([""])), .keys(name, .unknown)]
        guard !conditions.allSatisfy({ $0.quantifier == .single && $0.isOfPlainValue }) else { return }
        // Sets: of every value that some condition tells from the others.
        var (apart, seen) = ([String](), Set<[Truth]>())
        for value in single + [""] {
            var keys = Situation()
            keys.set(.keys(name, .filled([value])))
            let context = keys.context(of: context.pair, agent: context.caller.agent)
            if seen.insert(conditions.map { $0.holds(in: context) }).inserted { apart.append(value) }
        }
        if apart.count > Self.setValueMax { isComplete = false }
        let most = apart.prefix(Self.setValueMax)
        for subset in 1..<max(2, 1 << most.count) {
            let values = most.enumerated().filter { subset & (1 << $0.offset) != 0 }.map(\.element)
            settings.append(.keys(name, .filled(values.count == 1 ? values + values : values)))
        }
    }

    /// What the gateway's own calls say of a key, the same for each of them; nil for other keys.
    private func gatewayValue(of name: String) -> ConditionKeys.Value? {
        switch name {
        case "aws:securetransport": .filled(["true"])
        case "aws:viaawsservice", "aws:principalisawsservice": .filled(["false"])
        case "aws:calledvia", "aws:calledviafirst", "aws:calledvialast", "aws:sourcearn", "aws:sourceaccount",
            "aws:principalservicename", "aws:principalservicenameslist":
            .absent
        default: nil
        }
    }

    // MARK: - Texts

    /// Single values that tell the conditions apart.
    private mutating func texts() -> [String] {
        var shapes: [TextClasses.Shape] = []
        var texts: [String] = []
        var kinds: Set<String> = []
        for condition in conditions {
            switch condition.comparison {
            case .string(let operands):
                kinds.insert("text")
                shapes += operands.compactMap { $0.pattern(in: context) }.map { .text($0) }
            case .arn(let operands):
                kinds.insert("text")
                shapes += operands.compactMap { $0.pattern(in: context)?.arnShape }
            case .bool:
                kinds.insert("bool")
                texts += ["true", "false", "x"]
            case .ordered(let reading, _, let wanted):
                kinds.insert(reading == .number ? "number" : "date")
                texts += around(wanted).map { reading == .number ? $0.number : $0.seconds } + ["x"]
            case .binary(let wanted):
                kinds.insert("binary")
                let other = (0...UInt8.max).lazy.map { [$0] }.first { !wanted.contains($0) } ?? []
                texts += (wanted + [other]).map { Base64.encode($0) } + ["?"]
            case .address(let blocks):
                kinds.insert("address")
                texts += blocks.flatMap(\.edges) + ["0.0.0.0", "::", "x"]
            case .null: continue
            }
        }
        // Values of one type say nothing of those of another; a key is of one type.
        if kinds.count > 1 { isComplete = false }
        if !shapes.isEmpty {
            let classes = TextClasses(shapes, of: .any)
            isComplete = isComplete && classes.isComplete
            texts = classes.known.filter { !$0.isEmpty } + texts
        }
        return texts.isEmpty ? ["x"] : texts
    }

    /// Measures on both sides of each of `wanted`.
    private func around(_ wanted: [Measure]) -> [Measure] {
        let unit: Int128 = 1_000_000_000
        return wanted.flatMap { one in
            [0, -unit, unit, -1, 1].map { Measure(billionths: one.billionths + $0) }
        }
    }

    private var measures: [Measure] {
        conditions.flatMap { condition -> [Measure] in
            if case .ordered(_, _, let wanted) = condition.comparison { wanted } else { [] }
        }
    }

    /// Whole numbers on both sides of those that the conditions name, not under `least`; the least first.
    private mutating func counts(from least: Int) -> [Int] {
        let isPlain = conditions.allSatisfy { condition in
            switch condition.comparison {
            case .ordered(.number, _, _), .null: true
            case .ordered(.date, _, _), .string, .arn, .bool, .binary, .address: false
            }
        }
        if !isPlain { isComplete = false }
        let named = measures.flatMap { one in
            (-1...1).compactMap { Int(exactly: one.billionths / 1_000_000_000 + Int128($0)) }
        }
        return [least] + Set(named).filter { $0 > least }.sorted()
    }

    // MARK: - Moments

    /// Moments on both sides of each that a condition names, and every hour of a day between any two.
    private mutating func collectMoments() {
        var edges: Set<Int128> = [0]
        for condition in conditions {
            let isHour = condition.key == .own(.hourUTC)
            switch condition.comparison {
            case .ordered(.date, _, let wanted) where !isHour: edges.formUnion(wanted.map(\.billionths))
            case .ordered(.number, _, let wanted) where condition.key == .request("aws:epochtime"):
                edges.formUnion(wanted.map(\.billionths))
            case .ordered(.number, _, _) where isHour: continue
            case .null: continue
            // A date as text, an hour as text: only some are tried.
            case .string, .arn, .bool, .binary, .address, .ordered: isComplete = false
            }
        }
        let second: Int128 = 1_000_000_000
        var moments: Set<Int128> = []
        for edge in edges {
            // Texts of moments have milliseconds, the epoch has seconds.
            moments.formUnion([
                edge, edge - second, edge - second / 1000, edge + second / 1000, edge + second,
            ])
            for hour in 0..<24 {
                moments.insert(edge + second / 1000 + Int128(hour) * 3600 * second)
                moments.insert((edge / (3600 * second) + 1 + Int128(hour)) * 3600 * second)
            }
        }
        let usual = PolicyCase.usualMoment
        settings = [.at(usual)]
        for moment in moments.sorted() {
            guard let nanoseconds = Int64(exactly: moment), nanoseconds >= 0 else { continue }
            settings.append(.at(Instant(nanosecondsSinceEpoch: nanoseconds)))
        }
    }
}

extension Condition {
    /// Whether a value of the file holds a policy variable.
    var hasVariables: Bool {
        switch comparison {
        case .string(let operands), .arn(let operands): operands.contains(where: \.hasVariables)
        case .bool, .ordered, .binary, .address, .null: false
        }
    }

    /// Whether several values of the key can be worth no more than that they are several.
    fileprivate var isOfPlainValue: Bool {
        if case .null = comparison { return true }
        return false
    }
}

extension PolicyText {
    /// What the text is compared as, with a `*` for what is not known; nil where it equals nothing.
    fileprivate func pattern(in context: ConditionContext) -> Pattern? {
        switch resolved(in: context) {
        case .pattern(let pattern), .unknown(let pattern): pattern
        case .nothing: nil
        }
    }
}

extension Pattern {
    /// The pattern as ARN operators compare it; nil where no ARN can match.
    fileprivate var arnShape: TextClasses.Shape? {
        if tokens == [.any] { return .arn(head: Array(repeating: .everything, count: 5), last: .everything) }
        let parts = tokens.split(separator: .scalar(0x3A), maxSplits: 5, omittingEmptySubsequences: false)
            .map { Pattern(tokens: Array($0)) }
        return parts.count == 6 ? .arn(head: Array(parts.dropLast()), last: parts[5]) : nil
    }
}

extension Measure {
    /// In decimal, as ``init(number:)`` reads it.
    fileprivate var number: String {
        let unit: Int128 = 1_000_000_000
        let magnitude = billionths.magnitude
        let (whole, fraction) = (magnitude / UInt128(unit), magnitude % UInt128(unit))
        let sign = billionths < 0 ? "-" : ""
        guard fraction != 0 else { return "\(sign)\(whole)" }
        let digits = String(fraction)
        return "\(sign)\(whole)." + String(repeating: "0", count: 9 - digits.utf8.count) + digits
    }

    /// As a moment that ``init(date:)`` reads.
    fileprivate var seconds: String {
        Int64(exactly: billionths).map { Instant(nanosecondsSinceEpoch: $0).precise } ?? "0000"
    }
}
