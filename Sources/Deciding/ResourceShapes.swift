import Vocabulary

/// The resources that one action touched, in few patterns: what may be learned from calls without opening
/// more than the like of them.
///
/// A pattern never leaves its account, region, bucket or table, nor the kind and name of its resource. Within
/// that, parts that are ids, dates or numbers become `*` where several differ in them only, and many keys of
/// a bucket become the folders they lie in. A resource that stands alone stays as it is.
struct ResourceShapes {
    /// A resource up to its own name, which no pattern leaves, and the rest of it in parts.
    private struct Named: Hashable {
        /// `arn:aws:s3:::lake/`, `arn:aws:dynamodb:us-east-1:111122223333:table/orders`.
        let head: String
        let isObject: Bool
        /// Each with the sign that ends it: `2026/`, `part-1.gz`.
        var parts: [String]

        var pattern: String { head + parts.joined() }
        /// Whether a part stands for several.
        var isWide: Bool { parts.contains { $0.utf8.first == 0x2A } }
    }

    /// How many entries of one folder are told apart before the folder stands for them.
    private static let entryCountMax = 5
    /// How many resources are kept before they are drawn together.
    private static let resourceCountMax = 2_000

    private var found: Set<Named> = []
    /// Whether there were more resources than are kept, so that some are not covered.
    private(set) var isCut = false

    /// How many different resources were taken in, as far as they are kept apart.
    var count: Int { found.count }

    /// Takes in the resource of which `pattern` is the text as a policy writes it.
    mutating func add(_ pattern: String) {
        let named = Self.named(pattern)
        if found.contains(named) { return }
        if found.count >= Self.resourceCountMax {
            found = Self.drawnTogether(found)
            if found.count >= Self.resourceCountMax {
                isCut = isCut || !found.contains { Self.covers($0, named) }
                return
            }
        }
        found.insert(named)
    }

    /// The resources as they are, sorted.
    var exact: [String] { sorted(found) }

    /// Patterns that cover all of them, sorted.
    var patterns: [String] {
        let drawn = Self.drawnTogether(found)
        let wide = drawn.filter(\.isWide)
        return sorted(drawn.filter { one in !wide.contains { $0 != one && Self.covers($0, one) } })
    }

    private func sorted(_ all: Set<Named>) -> [String] {
        all.map(\.pattern).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    // MARK: - Taking apart

    private static func named(_ text: String) -> Named {
        let arn = text.utf8.split(separator: 0x3A, maxSplits: 5, omittingEmptySubsequences: false)
        guard arn.count == 6, arn[0].elementsEqual("arn".utf8) else {
            return Named(head: text, isObject: false, parts: [])
        }
        let isBucket = arn[2].elementsEqual("s3".utf8) && arn[3].isEmpty
        var parts: [String] = []
        var start = arn[5].startIndex
        for index in arn[5].indices where arn[5][index] == 0x2F || (arn[5][index] == 0x3A && !isBucket) {
            let end = arn[5].index(after: index)
            parts.append(String(decoding: arn[5][start..<end], as: UTF8.self))
            start = end
        }
        parts.append(String(decoding: arn[5][start...], as: UTF8.self))
        // A bucket's name is the first part. Any other's is the second, after its kind; but what EC2 calls
        // its things, nobody chose.
        let nameCount = min(parts.count, isBucket || arn[2].elementsEqual("ec2".utf8) ? 1 : 2)
        let head = String(decoding: text.utf8[..<arn[5].startIndex], as: UTF8.self)
        return Named(
            head: head + parts[..<nameCount].joined(), isObject: isBucket && parts.count > 1,
            parts: Array(parts[nameCount...]))
    }

    // MARK: - Drawing together

    private static func drawnTogether(_ all: Set<Named>) -> Set<Named> {
        var result: Set<Named> = []
        for alike in Dictionary(grouping: all, by: \.head).values {
            var kept: [Named] = []
            for (shape, members) in Dictionary(grouping: alike, by: shape) {
                var drawn = shape
                for index in shape.parts.indices {
                    let part = members[0].parts[index]
                    // An id that all of them have in common tells nothing apart.
                    if members.allSatisfy({ $0.parts[index].hasBytes(of: part) }) {
                        drawn.parts[index] = part
                    }
                }
                kept.append(drawn)
            }
            result.formUnion(kept[0].isObject ? folded(kept) : kept)
        }
        return result
    }

    /// With `*` for each part that is an id.
    private static func shape(_ named: Named) -> Named {
        var shape = named
        shape.parts = named.parts.map { part in
            let bytes = Array(part.utf8)
            let isEnded = bytes.last == 0x2F || bytes.last == 0x3A
            let sign = isEnded ? String(decoding: bytes.suffix(1), as: UTF8.self) : ""
            return isID(isEnded ? bytes.dropLast() : bytes[...]) ? "*" + sign : part
        }
        return shape
    }

    /// Whether a part is one of many by its form: a number stands in it by itself, or six digits, or a run of
    /// eight signs of a hash with a digit among them.
    private static func isID(_ body: ArraySlice<UInt8>) -> Bool {
        if body.count(where: \.isDigit) >= 6 { return true }
        let words = body.split { !$0.isAlphanumeric }
        if words.contains(where: { $0.allSatisfy(\.isDigit) }) { return true }
        return words.contains { word in
            word.count >= 8 && word.contains(where: \.isDigit) && word.allSatisfy(isHexadecimal)
        }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        byte.isDigit || (0x61...0x66).contains(byte.lowercased)
    }

    /// With a folder in place of its entries where there are more of them than are told apart.
    private static func folded(_ alike: [Named]) -> [Named] {
        guard alike.count > entryCountMax, let one = alike.first else { return alike }
        var result = alike.filter(\.parts.isEmpty)
        let byFirst = Dictionary(grouping: alike.filter { !$0.parts.isEmpty }, by: { $0.parts[0] })
        guard byFirst.count <= entryCountMax else {
            return result + [Named(head: one.head, isObject: true, parts: ["*"])]
        }
        for (first, members) in byFirst {
            let inner = members.map {
                Named(head: one.head + first, isObject: true, parts: Array($0.parts.dropFirst()))
            }
            result += folded(inner).map {
                Named(head: one.head, isObject: true, parts: [first] + $0.parts)
            }
        }
        return result
    }

    /// Whether the pattern of `wide` surely covers that of `named`.
    private static func covers(_ wide: Named, _ named: Named) -> Bool {
        // A sign of a name that stands for itself looks like one that does not.
        wide.head == named.head && !wide.pattern.contains("${")
            && Pattern(wide.pattern[...]).matches(named.pattern)
    }
}
