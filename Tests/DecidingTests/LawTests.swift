import Glibc
import Recognizing
import Testing
import Vocabulary

@testable import Deciding

/// What holds of every policy set and call, tried on random ones; `SEED=n` tries others.
@Suite("Laws of deciding") struct LawTests {
    static let seed = getenv("SEED").flatMap { UInt64(String(cString: $0)) } ?? 20_261_125
    static let worlds = 150

    @Test func `the order of documents, statements and lists never matters`() throws {
        try LawTests.eachWorld { world, calls in
            let (set, other) = (try world.set(), try world.shuffled().set())
            for call in calls {
                let (before, after) = (try call.decided(by: set), try call.decided(by: other))
                #expect(before.word == after.word, "\(world) \(call)")
                #expect(before.question?.terms == after.question?.terms, "\(world) \(call)")
            }
        }
    }

    @Test func `a Deny more opens nothing, and nothing more lifts a Deny`() throws {
        try LawTests.eachWorld { world, calls in
            let set = try world.set()
            for effect in Effect.allCases {
                let more = try world.adding(effect).set()
                for call in calls {
                    let (before, after) = (try call.decided(by: set), try call.decided(by: more))
                    if effect == .deny { #expect(before.strictness <= after.strictness, "\(world) \(call)") }
                    if before.isDeniedByStatement { #expect(after.isDenied, "\(world) \(effect) \(call)") }
                }
            }
        }
    }

    @Test func `an Allow more lifts no floor, and what asks allows nothing`() throws {
        try LawTests.eachWorld { world, calls in
            let set = try world.set()
            let (allow, asks) = (try world.adding(.allow).set(), try world.adding(.allowWithApproval).set())
            let floor = try world.adding(.requireApproval).set()
            for call in calls {
                let before = try call.decided(by: set)
                let isAllowed = before.word.hasPrefix("allow")
                if before.question?.statements.contains(where: { set[$0]?.effect == .requireApproval })
                    ?? false
                {
                    #expect(try !call.decided(by: allow).word.hasPrefix("allow"), "\(world) \(call)")
                }
                // AllowWithApproval asks only where nothing allows.
                #expect(try call.decided(by: asks).word.hasPrefix("allow") == isAllowed, "\(world) \(call)")
                if !isAllowed {
                    #expect(try !call.decided(by: floor).word.hasPrefix("allow"), "\(world) \(call)")
                }
            }
        }
    }

    @Test func `a call that says less is allowed no more`() throws {
        var opened = 0
        try LawTests.eachWorld { world, calls in
            let set = try world.set()
            for call in calls {
                for less in call.sayingLess() where try less.decided(by: set).word.hasPrefix("allow") {
                    opened += 1
                    #expect(try call.decided(by: set).word.hasPrefix("allow"), "\(world) \(call) \(less)")
                }
            }
        }
        // A law about nothing proves nothing.
        #expect(opened > 100)
    }

    private static func eachWorld(_ body: (inout World, [SomeCall]) throws -> Void) throws {
        var seeds = SeededRandom(seed: seed)
        var verdicts: Set<String> = []
        for _ in 0..<worlds {
            var world = World(SeededRandom(seed: seeds.next()))
            let calls = (0..<12).map { _ in SomeCall(&world.numbers) }
            let set = try world.set()
            for call in calls { verdicts.insert(String(try call.decided(by: set).word.prefix { $0 != " " })) }
            try body(&world, calls)
        }
        #expect(verdicts == ["allow", "ask", "deny"])
    }
}

/// A random policy set: three documents of a few statements.
private struct World: CustomStringConvertible {
    struct Rule {
        let sid: String
        let effect: Effect
        let actions: [String]
        let exceptsResources: Bool
        let resources: [String]
        let condition: (name: String, key: String, values: [String])?

        init(_ sid: String, _ effect: Effect, _ numbers: inout SeededRandom) {
            func some(_ all: [String]) -> [String] { Array(all.shuffled(using: &numbers).prefix(2)) }
            let operators = [
                "StringEquals", "StringNotLike", "ForAnyValue:StringLike", "ForAllValues:StringEquals",
                "StringEqualsIfExists", "ForAllValues:StringNotEqualsIfExists",
            ]
            self.sid = sid
            self.effect = effect
            actions = some(["*", "s3:*", "s3:GetObject", "s3:Put*", "dynamodb:GetItem"])
            exceptsResources = Int.random(in: 0..<5, using: &numbers) == 0
            resources = some([
                "*", "arn:aws:s3:::b/*", "arn:aws:s3:::b/a", "arn:aws:s3:*:*:b*",
                "arn:aws:s3:::b/${x:k, 'a'}",
                "arn:aws:dynamodb:*:111122223333:table/a", "arn:aws:s3:::${x:m}/a",
            ])
            let values = some(["a", "b", "*", "${x:m}", "a*", "${x:k, 'b'}"])
            let name = operators.randomElement(using: &numbers) ?? ""
            let key = ["x:k", "X:M"].randomElement(using: &numbers) ?? ""
            condition = Bool.random(using: &numbers) ? (name, key, values) : nil
        }

        /// As JSON, its lists in a random order.
        func text(_ numbers: inout SeededRandom) -> String {
            func list(_ texts: [String]) -> String {
                String(decoding: JSON.strings(texts.shuffled(using: &numbers)).line, as: UTF8.self)
            }
            var members = [
                "\"Sid\": \"\(sid)\"", "\"Effect\": \"\(effect.rawValue)\"", "\"Action\": \(list(actions))",
                "\"\(exceptsResources ? "NotResource" : "Resource")\": \(list(resources))",
            ]
            if let condition {
                members.append(
                    "\"Condition\": {\"\(condition.name)\": "
                        + "{\"\(condition.key)\": \(list(condition.values))}}"
                )
            }
            if effect.asks {
                // Two quorums that say the same, and lifetimes of which the shortest binds.
                let approvers = ["{\"oncall\": 1, \"secops\": 1}", "{\"secops\": 1, \"oncall\": 1}"]
                let lifetime = sid.utf8.last.map { Int($0) } ?? 60
                members.append(
                    "\"Approval\": {\"Approvers\": \(approvers.randomElement(using: &numbers) ?? ""), "
                        + "\"GrantTTL\": \"\(lifetime)s\"}")
            }
            return "{\(members.shuffled(using: &numbers).joined(separator: ", "))}"
        }
    }

    var numbers: SeededRandom
    var documents: [[Rule]]

    init(_ seeded: SeededRandom) {
        var numbers = seeded
        documents = (0..<3).map { document in
            (0..<Int.random(in: 1...3, using: &numbers)).map { number in
                let effect = Effect.allCases.randomElement(using: &numbers) ?? .deny
                return Rule("d\(document)s\(number)", effect, &numbers)
            }
        }
        self.numbers = numbers
    }

    func adding(_ effect: Effect) -> World {
        var other = self
        other.documents.append([Rule("more", effect, &other.numbers)])
        return other
    }

    func shuffled() -> World {
        var other = self
        _ = other.numbers.next()
        other.documents = other.documents.map { $0.shuffled(using: &other.numbers) }
        return other
    }

    /// Ids stay; where the files and their statements stand, and how their lists go, is left to chance.
    func set() throws -> PolicySet {
        var numbers = numbers
        let files = documents.enumerated().map { number, rules in
            let statements = rules.map { $0.text(&numbers) }.joined(separator: ", ")
            return PolicyFile(
                "\(UInt8.random(in: 10...99, using: &numbers))-\(number).json",
                "{\"Countersign\": 1, \"Id\": \"d\(number)\", \"Agents\": \"*\", "
                    + "\"Statement\": [\(statements)]}"
            )
        }
        return try .load(
            files: files.shuffled(using: &numbers) + [PolicyFile("approvers.yaml", people)],
            actions: knownActions)
    }

    var description: String {
        var numbers = numbers
        return documents.map { $0.map { $0.text(&numbers) }.joined(separator: "\n") }.joined(separator: "\n")
    }
}

/// A random call.
private struct SomeCall: CustomStringConvertible {
    var pairs: [Pair]
    var keys = ConditionKeys()

    init(_ numbers: inout SeededRandom) {
        let resources: [Resource] = [
            Resource("arn:aws:s3:::b/a"), Resource("arn:aws:s3:::b/b"), Resource("arn:aws:s3:::a/a"),
            Resource("arn:aws:dynamodb:us-east-1:111122223333:table/a"), .star, .unknown,
            Resource([.known("arn:aws:s3:::b/"), .unknown]),
        ]
        pairs = (0..<Int.random(in: 1...2, using: &numbers)).map { _ in
            let action = ["s3:GetObject", "s3:PutObject", "dynamodb:GetItem"].randomElement(using: &numbers)
            return pair(action ?? "", resources.randomElement(using: &numbers) ?? .star)
        }
        for key in ["x:k", "x:m"] {
            let values = [["a"], ["b"], ["*"], [], ["a", "b"], ["a", "a"]].randomElement(using: &numbers)
            keys[key] = (values ?? []).isEmpty ? .absent : .filled(values ?? [])
        }
    }

    func decided(by set: PolicySet) throws -> Decision {
        decide(
            try meaning(pairs, keys: keys), caller: try caller(), under: set, grants: GrantBook(), at: noon)
    }

    /// Itself without one thing that it says.
    func sayingLess() -> [SomeCall] {
        var calls: [SomeCall] = []
        for key in ["x:k", "x:m"] {
            var less = self
            less.keys[key] = .unknown
            calls.append(less)
        }
        for (index, pair) in pairs.enumerated() {
            guard case .known(let text)? = pair.resource.parts.first, text.hasSuffix("a") else { continue }
            for part in [Resource.Part.unknown, .unknownCharacters(count: 1)] {
                var less = self
                less.pairs[index] = Pair(
                    action: pair.action, resource: Resource([.known(String(text.dropLast())), part]),
                    level: pair.level, sensitivity: pair.sensitivity)
                calls.append(less)
            }
        }
        return calls
    }

    var description: String { "\(pairs) \(keys["x:k"]) \(keys["x:m"])" }
}

extension Decision {
    /// 0: allowed, 1: asked, 2: denied.
    fileprivate var strictness: Int {
        switch self {
        case .allow: 0
        case .ask: 1
        case .deny: 2
        }
    }

    fileprivate var isDenied: Bool { strictness == 2 }

    fileprivate var isDeniedByStatement: Bool { isDenied && !statements.isEmpty }
}
