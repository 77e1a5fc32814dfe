import Recognizing
import Vocabulary

/// The forms that ARNs have, as the Service Authorization Reference writes them, and which of them each
/// action takes.
struct ARNFormats: Sendable {
    /// What an action takes.
    enum Taking: Sendable {
        /// Only `*`: IAM has no resource of it.
        case nothing
        /// ARNs of these formats.
        case formats([Int])
        /// The catalog does not say.
        case unsure
    }

    /// `arn:${Partition}:s3:::${BucketName}`.
    let texts: [String]
    /// By the number of the action.
    let takings: [Taking]
    fileprivate let pieces: [ARNPieces]
    fileprivate let byService: [[UInt32]: [Int]]

    init(_ actions: [LintCatalog.KnownAction]) {
        var numbers: [String: Int] = [:]
        var texts: [String] = []
        takings = actions.map { known in
            guard !known.uses.isEmpty else { return .unsure }
            if known.uses.allSatisfy(\.action.isStar) { return .nothing }
            var found: Set<Int> = []
            for use in known.uses {
                for resource in use.action.resources {
                    let text = resource.arnFormat
                    let number = numbers[text] ?? texts.count
                    if number == texts.count {
                        numbers[text] = number
                        texts.append(text)
                    }
                    found.insert(number)
                }
            }
            return found.isEmpty ? .unsure : .formats(found.sorted())
        }
        self.texts = texts
        pieces = texts.map { ARNPieces(format: $0) }
        byService = Dictionary(grouping: texts.indices) { [pieces] in pieces[$0].service }
    }
}

/// Which formats each resource pattern of a set can be.
///
/// Worked out once for each text of a pattern: a large set repeats its actions, not its tests.
struct ResourceFormats: Sendable {
    /// What a pattern and a format have in common.
    struct Fit: Sendable {
        /// Formats of which the pattern matches some ARN.
        var met: Set<Int> = []
        /// Formats of which it matches all, in the partition, region and account that it names.
        var covered: Set<Int> = []
    }

    private let formats: ARNFormats
    private let fits: [String: Fit]

    init(_ formats: ARNFormats, patterns: [ResourcePattern]) {
        self.formats = formats
        var fits: [String: Fit] = [:]
        for pattern in patterns where !pattern.isEverything && fits[pattern.text] == nil {
            let pieces = ARNPieces(pattern: pattern.text)
            // A format may leave the service open, too.
            var fit = Fit()
            for number in (formats.byService[pieces.service] ?? []) + (formats.byService[[]] ?? []) {
                if pieces.meets(formats.pieces[number]) { fit.met.insert(number) }
                if pieces.covers(formats.pieces[number]) { fit.covered.insert(number) }
            }
            fits[pattern.text] = fit
        }
        self.fits = fits
    }

    /// `arn:${Partition}:s3:::${BucketName}`.
    func text(_ number: Int) -> String { formats.texts[number] }

    /// What action `number` takes.
    func taking(of number: Int) -> ARNFormats.Taking { formats.takings[number] }

    /// What `pattern` has in common with the formats; nil for `*`.
    func fit(of pattern: ResourcePattern) -> Fit? { fits[pattern.text] }

    /// Whether `pattern` can match a resource of action `number`; yes where the catalog does not say.
    func meets(_ pattern: ResourcePattern, _ number: Int) -> Bool {
        guard let fit = fit(of: pattern) else { return true }
        switch taking(of: number) {
        case .nothing: return false
        case .formats(let formats): return formats.contains(where: fit.met.contains)
        case .unsure: return true
        }
    }

    /// Whether `pattern` matches every resource of action `number`, or every one in a region and account.
    func isWide(_ pattern: ResourcePattern, for number: Int) -> Bool {
        guard let fit = fit(of: pattern) else { return true }
        guard case .formats(let formats) = taking(of: number) else { return false }
        return formats.contains(where: fit.covered.contains)
    }
}

/// The six parts of an ARN's pattern or format, as characters and runs of them.
private struct ARNPieces {
    enum Piece: Hashable {
        case scalar(UInt32)
        /// `?`.
        case one
        /// `*`: any characters, none included.
        case any
        /// A variable: at least one character, no slash where `isName`.
        case run(isName: Bool)
    }

    /// Names whose values hold no slash: without them a bucket's ARN could be an object's.
    private static let names: Set<String> = [
        "AccessPointName", "AliasName", "BucketName", "ClusterName", "FunctionName", "InstanceId",
        "QueueName",
        "StreamName", "TableName", "TopicName", "VolumeId",
    ]

    let parts: [[Piece]]
    /// Lower case; empty where it is no plain text.
    let service: [UInt32]

    init(pattern text: String) {
        self.init(text) { variable in
            let literal = ["*", "?", "$"].first { $0 == variable }
            return literal.map { .scalar($0.unicodeScalars.first?.value ?? 0) } ?? .any
        }
    }

    init(format text: String) { self.init(text, wildcards: false) { .run(isName: Self.names.contains($0)) } }

    private init(_ text: String, wildcards: Bool = true, variable: (String) -> Piece) {
        var parts: [[Piece]] = [[]]
        var rest = text.unicodeScalars[...]
        while let scalar = rest.first {
            if rest.starts(with: "${".unicodeScalars), let end = rest.firstIndex(of: "}") {
                parts[parts.count - 1].append(variable(String(rest[..<end].dropFirst(2))))
                rest = rest[rest.index(after: end)...]
                continue
            }
            rest = rest.dropFirst()
            switch scalar {
            case ":" where parts.count < 6: parts.append([])
            case "*" where wildcards: parts[parts.count - 1].append(.any)
            case "?" where wildcards: parts[parts.count - 1].append(.one)
            default: parts[parts.count - 1].append(.scalar(scalar.value))
            }
        }
        for index in parts.indices.dropLast() { parts[index] = parts[index].map(Self.folded) }
        self.parts = parts
        let service = parts.count > 2 ? parts[2] : []
        self.service = service.compactMap { if case .scalar(let value) = $0 { value } else { nil } }
    }

    private static func folded(_ piece: Piece) -> Piece {
        guard case .scalar(let value) = piece, (0x41...0x5A).contains(value) else { return piece }
        return .scalar(value | 0x20)
    }

    /// Whether some ARN is of both.
    func meets(_ format: ARNPieces) -> Bool {
        parts.count == format.parts.count && zip(parts, format.parts).allSatisfy { Self.meet($0, $1) }
    }

    /// Whether every ARN of the format is of the pattern, but for partition, region and account where the
    /// pattern names one.
    func covers(_ format: ARNPieces) -> Bool {
        guard parts.count == 6, format.parts.count == 6, meets(format) else { return false }
        let pattern = Pattern(
            tokens: parts[5].map { piece in
                switch piece {
                case .scalar(let value): .scalar(value)
                case .one: .one
                case .any, .run: .any
                }
            })
        let text: [Symbol] = format.parts[5].flatMap { piece -> [Symbol] in
            switch piece {
            case .scalar(let value): [.scalar(value)]
            case .one, .any, .run: [.someAlphanumeric, .unknown]
            }
        }
        return pattern.matchesEvery(text[...])
    }

    /// Whether some text is of both: reachable pairs of places, each taken once.
    private static func meet(_ left: [Piece], _ right: [Piece]) -> Bool {
        let width = right.count + 1
        var seen = [Bool](repeating: false, count: (left.count + 1) * width)
        var open = [0]
        while let place = open.popLast() {
            guard !seen[place] else { continue }
            seen[place] = true
            let (at, other) = (place / width, place % width)
            if at == left.count, other == right.count { return true }
            guard at < left.count else { continue }
            // A `*` may hold nothing more.
            if left[at] == .any { open.append(place + width) }
            guard other < right.count, agree(left[at], right[other]) else { continue }
            // One character of both; a `*` and a variable may go on.
            for next in left[at] == .any ? [at, at + 1] : [at + 1] {
                open.append(next * width + other + 1)
                if case .run = right[other] { open.append(next * width + other) }
            }
        }
        return false
    }

    /// Whether the next character can be one of both.
    private static func agree(_ left: Piece, _ right: Piece) -> Bool {
        switch (left, right) {
        case (.scalar(let one), .scalar(let other)): one == other
        case (.scalar(let value), .run(let isName)): !(isName && value == 0x2F)
        case (.scalar, .one), (.scalar, .any), (.one, _), (.any, _), (.run, _): true
        }
    }
}
