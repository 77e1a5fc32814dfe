import Testing
import Vocabulary

@testable import Deciding

@Suite("Matching patterns") struct PatternTests {
    @Test(
        "a star is any run, a question mark one character",
        arguments: [
            ("*", "", true), ("*", "a/b:c", true), ("?", "", false), ("?", "a", true), ("?", "ab", false),
            ("a*c", "abbc", true), ("a*c", "abbcd", false), ("a*b*c", "a-b-b-c", true), ("*?", "", false),
            ("?*", "é", true), ("?", "é", true), ("?", "e\u{301}", false), ("é", "e\u{301}", false),
            ("*.tar.gz", "x.tar.tar.gz", true), ("", "", true), ("", "a", false), ("a", "A", false),
        ])
    func known(_ pattern: String, _ text: String, _ expected: Bool) {
        #expect(Pattern(pattern[...]).matches(text) == expected)
    }

    @Test(
        "wildcards and the dollar sign can be written as themselves",
        arguments: [
            ("${*}", "*", true), ("${*}", "a", false), ("a${?}", "ab", false), ("${$}{a}", "${a}", true),
            ("$", "$", true), ("$*", "$a", true), ("${$}{*}", "${}", true),
        ])
    func escaped(_ pattern: String, _ text: String, _ expected: Bool) throws {
        let read = try PolicyText(parsing: pattern, hasWildcards: true)
        #expect(try #require(read.fixed).matches(text) == expected)
    }

    @Test func `a text that holds wildcards is no pattern`() {
        #expect(!Pattern("secret").matches("*"))
        #expect(!Pattern("secret").matches("secre?"))
        #expect(Pattern("*").matches("*"))
    }

    @Test func `a long hostile text is matched in bounded time`() {
        let text = String(repeating: "a", count: 8_192)
        let pattern = Pattern(String(repeating: "a*", count: 100)[...] + "b")
        #expect(!pattern.matches(text))
        let symbols = text.unicodeScalars.map { Symbol.scalar($0.value) } + [.unknown]
        #expect(pattern.matchesSome(symbols[...]))
        #expect(!pattern.matchesEvery(symbols[...]))
    }

    /// Every text of up to 3 characters in place of the unknown, over an alphabet with a character that no
    /// pattern holds.
    static let completions: [String] = {
        let letters = ["a", "b", "z"]
        var all = [""]
        for length in 1...3 {
            let shorter = all.filter { $0.count == length - 1 }
            all += shorter.flatMap { text in letters.map { text + $0 } }
        }
        // Longer than any pattern here: what only a star can hold.
        return all + [String(repeating: "z", count: 9)]
    }()

    @Test func `every completion and some completion agree with trying them all`() {
        var random = SeededRandom(seed: 2)
        var counts = (every: 0, some: 0, neither: 0)
        for _ in 0..<2_000 {
            let written = random.text(of: ["a", "b", "*", "*", "?"], upTo: 5)
            // A pattern of more characters would need longer completions than those tried.
            guard written.filter({ $0 != "*" }).count <= 3 else { continue }
            let pattern = Pattern(written[...])
            let parts = random.parts()
            let texts = parts.reduce([""]) { texts, part in
                switch part {
                case .known(let known): texts.map { $0 + known }
                case .unknown: texts.flatMap { text in Self.completions.map { text + $0 } }
                case .unknownCharacters(let count):
                    (0..<count).reduce(texts) { texts, _ in
                        texts.flatMap { text in ["a", "b", "z"].map { text + $0 } }
                    }
                }
            }
            let matched = texts.filter { pattern.matches($0) }.count
            let symbols = ResourceText(Resource(parts)).symbols
            #expect(pattern.matchesSome(symbols[...]) == (matched > 0), "\(pattern) on \(parts)")
            #expect(pattern.matchesEvery(symbols[...]) == (matched == texts.count), "\(pattern) on \(parts)")
            if matched == texts.count {
                counts.every += 1
            } else if matched > 0 {
                counts.some += 1
            } else {
                counts.neither += 1
            }
        }
        #expect(counts.every > 100 && counts.some > 100 && counts.neither > 100, "\(counts)")
    }
}

@Suite("Matching resources") struct ResourcePatternTests {
    static func covers(_ pattern: String, _ resource: Resource, presumes: Bool = true) throws -> Truth {
        let meaning = try meaning([pair("s3:GetObject", resource)])
        let context = ConditionContext(
            meaning: meaning, caller: try caller(), at: noon, pair: try #require(meaning.pairs.first))
        return try ResourcePattern(parsing: pattern)
            .covers(ResourceText(resource), presumes: presumes, in: context)
    }

    @Test(
        "part by part is yes, only the whole text is unknown, else no",
        arguments: [
            ("*", "arn:aws:s3:::b/k", Truth.yes), ("*", "*", .yes), ("arn:aws:s3:::*", "*", .no),
            ("arn:aws:s3:::b/*", "arn:aws:s3:::b/a:b/c", .yes), ("arn:aws:s3:::b/*", "arn:aws:s3:::b", .no),
            ("arn:aws:s3:::b/*", "arn:aws:s3:::B/k", .no), ("arn:AWS:S3:::b/k", "arn:aws:s3:::b/k", .yes),
            ("arn:aws:sqs:US-EAST-1:*:q", "arn:aws:sqs:us-east-1:111122223333:q", .yes),
            // A star before the sixth part crosses no colon for a yes.
            ("arn:aws:sns:*:topic", "arn:aws:sns:us-east-1:111122223333:topic", .no),
            ("arn:aws:sns:*:1:*:t", "arn:aws:sns:us-east-1:1:a:t", .yes),
            ("arn:aws:sns:*:1:t", "arn:aws:sns:us-east-1:9:1:t", .unknown),
            ("arn:aws:s3:::b/?", "arn:aws:s3:::b/é", .yes), ("arn:aws:s3:::b/*", "arn:aws:s3:::b/*", .yes),
            ("arn:aws:s3:::b/x", "arn:aws:s3:::b/*", .no), ("arn:aws:s3:::b/${*}", "arn:aws:s3:::b/*", .yes),
            ("arn:aws:s3:::b/k", "not an arn", .no),
        ])
    func known(_ pattern: String, _ resource: String, _ expected: Truth) throws {
        guard pattern.split(separator: ":", omittingEmptySubsequences: false).count >= 6 || pattern == "*"
        else {
            #expect(throws: PatternFault.self) { try ResourcePattern(parsing: pattern) }
            return
        }
        #expect(try Self.covers(pattern, Resource(resource)) == expected)
    }

    @Test(
        "an unknown run is covered only by a star of its own part",
        arguments: [
            ("arn:aws:dynamodb:us-east-1:111122223333:table/*", Truth.yes),
            ("arn:aws:dynamodb:us-east-1:111122223333:*", .yes), ("*", .yes),
            ("arn:aws:dynamodb:*:111122223333:table/*", .yes),
            ("arn:aws:dynamodb:us-east-1:111122223333:table/orders", .unknown),
            ("arn:aws:dynamodb:us-east-1:111122223333:table/?*", .unknown),
            ("arn:aws:dynamodb:eu-west-1:111122223333:table/*", .no),
            ("arn:aws:dynamodb:us-east-1:111122223333:global-table/*", .no),
        ])
    func unknownName(_ pattern: String, _ expected: Truth) throws {
        let resource = Resource([.known("arn:aws:dynamodb:us-east-1:111122223333:table/"), .unknown])
        #expect(try Self.covers(pattern, resource) == expected)
    }

    @Test func `an unknown account holds no colon, and only a star of that part covers it`() throws {
        let resource = Resource([.known("arn:aws:sqs:us-east-1:"), .unknown, .known(":jobs")])
        #expect(try Self.covers("arn:aws:sqs:us-east-1:*:jobs", resource) == .yes)
        #expect(try Self.covers("arn:aws:sqs:us-east-1:111122223333:jobs", resource) == .unknown)
        #expect(try Self.covers("arn:aws:sqs:us-east-1:*:jobs2", resource) == .no)
        // Where the parts themselves are unknown, nothing but the star is sure.
        let open = Resource([.known("arn:aws:sqs:"), .unknown])
        #expect(try Self.covers("arn:aws:sqs:*:*:*", open) == .unknown)
        #expect(try Self.covers("*", open) == .yes)
        #expect(try Self.covers("arn:aws:sns:*:*:*", open) == .no)
    }

    @Test func `six unknown letters are six question marks, and nothing fewer`() throws {
        let secret = "arn:aws:secretsmanager:us-east-1:111122223333:secret:"
        let resource = Resource([.known(secret + "db-"), .unknownCharacters(count: 6)])
        #expect(try Self.covers(secret + "db-??????", resource) == .yes)
        #expect(try Self.covers(secret + "db-*", resource) == .yes)
        #expect(try Self.covers(secret + "db-?????", resource) == .no)
        #expect(try Self.covers(secret + "db-a?????", resource) == .unknown)
        #expect(try Self.covers(secret + "db--?????", resource) == .no)
    }

    @Test func `a presumed name opens only to the pattern that ends in it, and lifts no denial`() throws {
        let role = "arn:aws:iam::111122223333:role/"
        let resource = Resource([.known(role), .unknown, .known("app")], presumed: role + "app")
        #expect(try Self.covers(role + "app", resource) == .yes)
        #expect(try Self.covers(role + "app", resource, presumes: false) == .unknown)
        #expect(try Self.covers(role + "ap?", resource) == .unknown)
        #expect(try Self.covers(role + "team/app", resource) == .unknown)
        #expect(try Self.covers(role + "App", resource) == .no)
        #expect(try Self.covers(role + "*", resource) == .yes)
        #expect(try Self.covers("arn:aws:iam::999922223333:role/app", resource) == .no)
    }
}

/// A generator that a test can repeat: SplitMix64. `SEED=n` in the environment is not needed, seeds are
/// written in the tests.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func text(of characters: [String], upTo count: Int) -> String {
        (0..<Int.random(in: 0...count, using: &self)).map { _ in pick(characters) }.joined()
    }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: elements.indices, using: &self)]
    }

    mutating func parts() -> [Resource.Part] {
        var unknowns = 0
        return (0..<Int.random(in: 0...4, using: &self)).map { _ in
            switch Int.random(in: 0...3, using: &self) {
            case 0 where unknowns < 2:
                unknowns += 1
                return .unknown
            case 1: return .unknownCharacters(count: 1)
            default: return .known(text(of: ["a", "b"], upTo: 2))
            }
        }
    }
}
