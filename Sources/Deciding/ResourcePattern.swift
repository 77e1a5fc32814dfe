import Vocabulary

/// What is known of a question: IAM's yes and no, and "the request does not say".
package enum Truth: UInt8, Hashable, Sendable {
    case no = 0
    case unknown = 1
    case yes = 2

    init(_ value: Bool) { self = value ? .yes : .no }

    static prefix func ! (value: Truth) -> Truth {
        switch value {
        case .no: .yes
        case .unknown: .unknown
        case .yes: .no
        }
    }

    /// The weaker of both: Kleene's and.
    static func && (left: Truth, right: @autoclosure () -> Truth) -> Truth {
        if left == .no { return .no }
        let right = right()
        return left.rawValue < right.rawValue ? left : right
    }

    /// The stronger of both: Kleene's or.
    static func || (left: Truth, right: @autoclosure () -> Truth) -> Truth {
        if left == .yes { return .yes }
        let right = right()
        return left.rawValue > right.rawValue ? left : right
    }
}

/// A resource made ready for many patterns: its characters, and where its ARN's parts lie.
struct ResourceText {
    /// All characters, unknown runs as one symbol each.
    var symbols: [Symbol] { scalars.map { $0.map { .scalar($0) } } ?? marked }
    /// The same where not all are known.
    private let marked: [Symbol]
    /// The characters when every one is known.
    let scalars: [UInt32]?
    /// The six parts of an ARN; nil when five colons are not known to be there.
    let parts: [Range<Int>]?
    /// What it is presumed to be, with the known text that it ends in (``Resource/presumed``).
    let presumed: Presumed?

    struct Presumed {
        let scalars: [UInt32]
        let parts: [Range<Int>]
        let ending: [UInt32]
    }

    init(_ resource: Resource) {
        if let text = resource.text {
            let scalars = text.unicodeScalars.map(\.value)
            (self.scalars, marked, presumed) = (scalars, [], nil)
            parts = ResourceText.arnParts(scalars)
            return
        }
        var symbols: [Symbol] = []
        for part in resource.parts {
            switch part {
            case .known(let text): symbols += text.unicodeScalars.map { .scalar($0.value) }
            case .unknown: symbols.append(.unknown)
            case .unknownCharacters(let count):
                symbols += Array(repeating: .someAlphanumeric, count: max(0, count))
            }
        }
        let parts = ResourceText.arnParts(
            symbols.map { if case .scalar(let value) = $0 { value } else { 0 } })
        if let last = parts?.last {
            for index in 0..<last.lowerBound where symbols[index] == .unknown {
                symbols[index] = .unknownWithoutColon
            }
        }
        (marked, self.parts, scalars) = (symbols, parts, nil)
        presumed = ResourceText.presumed(resource)
    }

    private static func presumed(_ resource: Resource) -> Presumed? {
        guard let text = resource.presumed, case .known(let ending)? = resource.parts.last else { return nil }
        let scalars = text.unicodeScalars.map(\.value)
        guard let parts = arnParts(scalars) else { return nil }
        return Presumed(scalars: scalars, parts: parts, ending: ending.unicodeScalars.map(\.value))
    }

    private static func arnParts(_ scalars: [UInt32]) -> [Range<Int>]? {
        guard scalars.starts(with: [0x61, 0x72, 0x6E, 0x3A]) else { return nil }
        var parts: [Range<Int>] = []
        parts.reserveCapacity(6)
        var start = 0
        for (index, scalar) in scalars.enumerated() where scalar == 0x3A && parts.count < 5 {
            parts.append(start..<index)
            start = index + 1
        }
        return parts.count == 5 ? parts + [start..<scalars.count] : nil
    }
}

/// One pattern of a statement's `Resource` or `NotResource`.
struct ResourcePattern: Hashable, Sendable {
    /// An ARN's pattern: five parts in any case, then the sixth by its exact text.
    private struct Parts: Sendable {
        let head: ARNHead
        let last: PolicyText

        func whole(with last: Pattern) -> Pattern {
            Pattern(tokens: Array((head.parts + [last]).map(\.tokens).joined(separator: [.scalar(0x3A)])))
        }
    }

    /// The text as the file has it.
    let text: String
    /// Nil for `*`.
    private let parts: Parts?

    /// Whether it is the plain `*`.
    var isEverything: Bool { parts == nil }
    /// The plain `*`.
    static let everything = ResourcePattern()

    private init() { (text, parts) = ("*", nil) }

    static func == (left: ResourcePattern, right: ResourcePattern) -> Bool {
        left.text.hasBytes(of: right.text)
    }

    func hash(into hasher: inout Hasher) { hasher.combine(exactly: text) }

    /// How it begins: the first five parts in lower case, the sixth as it is.
    var beginning: Beginning {
        guard let parts else { return Beginning(reach: .all) }
        return parts.head.beginning(of: parts.last.leadingTokens, endsInVariable: parts.last.hasVariables)
    }

    /// The keys that its variables stand for.
    var variables: [Condition.Key] { parts?.last.variables ?? [] }

    /// The pattern `text`: `*`, or an ARN of six parts whose first is `arn` and whose service holds no
    /// wildcard. Variables stand in the sixth part alone, as in IAM. `heads` keeps what is read once.
    ///
    /// - Throws: what is wrong with it, in a reader's words.
    init(parsing text: String, heads: ARNHeads = ARNHeads()) throws(PatternFault) {
        self.text = text
        if text.hasBytes(of: "*") {
            parts = nil
            return
        }
        guard let end = text.fifthColon else {
            let count = text.utf8.reduce(1) { $1 == 0x3A ? $0 + 1 : $0 }
            let found = count == 1 ? "1 part" : "\(count) parts"
            throw PatternFault(
                "an ARN has 6 parts, `arn:partition:service:region:account:resource`, this has \(found)")
        }
        let head = try heads.head(String(text[..<end]))
        let last = String(text[text.utf8.index(after: end)...])
        guard !last.isEmpty else { throw PatternFault("the resource part of the ARN is empty") }
        parts = Parts(head: head, last: try PolicyText(parsing: last, hasWildcards: true))
    }

    /// Whether the pattern covers `resource`: yes for every text in place of its unknown runs, no for none.
    ///
    /// Yes is also said where the pattern names what the resource is presumed to be. It is said part by part,
    /// so that a `*` before the sixth part crosses no colon. Anything that only the pattern taken as one text
    /// covers is unknown: enough for a statement that restricts, too little for one that permits. `presumes`
    /// lets the resource be what it is presumed to be, which only a statement that permits may. A variable
    /// without a value covers nothing; one that cannot be known may cover anything.
    func covers(_ resource: ResourceText, presumes: Bool, in context: ConditionContext) -> Truth {
        guard let parts else { return .yes }
        switch parts.last.resolved(in: context) {
        case .pattern(let last): return covers(resource, parts, last, presumes: presumes)
        case .nothing: return .no
        case .unknown(let last):
            return covers(resource, parts, last, presumes: presumes) == .no ? .no : .unknown
        }
    }

    /// Whether a variable of it has no value, or none that is known, so that it may cover nothing whatever
    /// the resource is.
    func mayBeVoid(in context: ConditionContext) -> Bool {
        guard let last = parts?.last, last.hasVariables else { return false }
        switch last.resolved(in: context) {
        case .pattern: return false
        case .nothing, .unknown: return true
        }
    }

    /// What resources are compared with in `context`, a `*` where a variable cannot be known; nil for `*`,
    /// and where the pattern covers nothing.
    func shape(in context: ConditionContext) -> TextClasses.Shape? {
        guard let parts else { return nil }
        switch parts.last.resolved(in: context) {
        case .pattern(let last), .unknown(let last): return .arn(head: parts.head.parts, last: last)
        case .nothing: return nil
        }
    }

    /// The same with a `*` for every variable; nil for `*`.
    var openShape: TextClasses.Shape? { parts.map { .arn(head: $0.head.parts, last: $0.last.open) } }

    /// Whether it holds a policy variable.
    var hasVariables: Bool { parts?.last.hasVariables ?? false }

    private func covers(_ resource: ResourceText, _ parts: Parts, _ last: Pattern, presumes: Bool) -> Truth {
        func eachPart(of ranges: [Range<Int>], _ matches: (Pattern, Range<Int>) -> Bool) -> Bool {
            zip(parts.head.parts, ranges).allSatisfy(matches)
                && ranges.last.map { matches(last, $0) } ?? false
        }
        if let scalars = resource.scalars {
            if let ranges = resource.parts {
                if eachPart(of: ranges, { $0.matches(scalars[$1]) }) { return .yes }
                if parts.head.isLiteral { return .no }
            }
            return parts.whole(with: last).matches(scalars[...]) ? .unknown : .no
        }
        let symbols = resource.symbols
        if let ranges = resource.parts, eachPart(of: ranges, { $0.matchesEvery(symbols[$1]) }) { return .yes }
        if presumes, let presumed = resource.presumed, last.ends(with: presumed.ending),
            eachPart(of: presumed.parts, { $0.matches(presumed.scalars[$1]) })
        {
            // The pattern names this one entity: what the request leaves out does not tell two of them apart.
            return .yes
        }
        return parts.whole(with: last).matchesSome(symbols[...]) ? .unknown : .no
    }
}

/// What is wrong with a pattern, in a reader's words.
struct PatternFault: Error {
    let message: String
    init(_ message: String) { self.message = message }
}
