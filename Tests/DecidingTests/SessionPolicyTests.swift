import Glibc
import Recognizing
import Testing
import Vocabulary

@testable import Deciding

@Suite("The session policy of a grant, a call and an agent") struct SessionPolicyTests {
    private static let seed = getenv("SEED").flatMap { UInt64(String(cString: $0)) } ?? 20_261_125

    static let actions = FacetedAction.all(in: .builtIn)

    /// Every action of the catalog: IAM's list lacks some that operations need.
    static let names = ActionNames(
        Dictionary(grouping: actions.map(\.action), by: \.prefix).mapValues { $0.map(\.name) })

    /// What AWS does with `text` as the only policy: the set of a role that has it.
    private static func role(_ text: String) throws -> PolicySet {
        let book = """
            Countersign: 1
            Agents:
              - {Name: etl-1, Policies: [session.json]}
            """
        return try PolicySet.load(
            files: [PolicyFile("agents.yaml", book), PolicyFile("session.json", text)],
            actions: names)
    }

    private static func allows(_ set: PolicySet, _ action: String, _ resource: Resource) throws -> Bool {
        try set.says(action, resource, agent: "etl-1").hasPrefix("allow")
    }

    private static let rider =
        #"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:ViaAWSService":"true"}}}"#

    private static func text(_ statements: String) -> String {
        #"{"Version":"2012-10-17","Statement":["# + statements + (statements.isEmpty ? "" : ",") + rider
            + "]}"
    }

    // MARK: - Pairs

    @Test func `the pairs of a call are allowed, each on its own resource`() throws {
        let policy = try SessionPolicy(for: [
            pair("s3:GetObject", Resource("arn:aws:s3:::a/k")),
            pair("s3:PutObject", Resource("arn:aws:s3:::b/k")),
            pair("s3:GetObjectVersion", Resource("arn:aws:s3:::a/k")),
        ])
        #expect(
            policy.text
                == Self.text(
                    #"{"Effect":"Allow","Action":["s3:GetObject","s3:GetObjectVersion"],"#
                        + #""Resource":"arn:aws:s3:::a/k"},"#
                        + #"{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/k"}"#))
        let role = try Self.role(policy.text)
        #expect(try Self.allows(role, "s3:GetObject", Resource("arn:aws:s3:::a/k")))
        #expect(try !Self.allows(role, "s3:GetObject", Resource("arn:aws:s3:::b/k")))
        #expect(try !Self.allows(role, "s3:PutObject", Resource("arn:aws:s3:::a/k")))
        #expect(try !Self.allows(role, "kms:Decrypt", Resource("arn:aws:kms:us-east-1:111122223333:key/k")))
    }

    @Test(
        "a request value is never a pattern",
        arguments: ["*", "?", "$", "${aws:username}", "${*}", "a*b?c$d"])
    func literal(_ key: String) throws {
        let policy = try SessionPolicy(for: [pair("s3:GetObject", Resource("arn:aws:s3:::b/\(key)"))])
        let role = try Self.role(policy.text)
        #expect(try Self.allows(role, "s3:GetObject", Resource("arn:aws:s3:::b/\(key)")))
        for other in ["x", "xx", "aXbYcZd", "axbyc$d", "etl-1", "", "a"] where other != key {
            #expect(try !Self.allows(role, "s3:GetObject", Resource("arn:aws:s3:::b/\(other)")), "\(other)")
        }
    }

    @Test func `two keys that Swift holds equal are two resources`() throws {
        let (one, two) = ("arn:aws:s3:::b/\u{E9}", "arn:aws:s3:::b/e\u{301}")
        let policy = try SessionPolicy(for: [
            pair("s3:GetObject", Resource(one)), pair("s3:PutObject", Resource(two)),
        ])
        #expect(policy.text.utf8.allSatisfy { (0x20...0x7E).contains($0) })
        let role = try Self.role(policy.text)
        #expect(try Self.allows(role, "s3:GetObject", Resource(one)))
        #expect(try Self.allows(role, "s3:PutObject", Resource(two)))
        #expect(try !Self.allows(role, "s3:PutObject", Resource(one)))
        #expect(try !Self.allows(role, "s3:GetObject", Resource(two)))
        // Beyond the first plane: two escapes, which are one character again.
        let far = try SessionPolicy(for: [pair("s3:GetObject", Resource("arn:aws:s3:::b/\u{1F512}\u{7}\""))])
        #expect(far.text.contains(#"arn:aws:s3:::b/\ud83d\udd12\u0007\""#))
        let resource = Resource("arn:aws:s3:::b/\u{1F512}\u{7}\"")
        #expect(try Self.allows(try Self.role(far.text), "s3:GetObject", resource))
    }

    @Test func `what the request does not say is any text, and no more of it`() throws {
        let cases: [(Resource, String)] = [
            (Resource.star, "*"), (Resource.unknown, "*"),
            (Resource([.known("arn:aws:s3:::b/"), .unknown]), "arn:aws:s3:::b/*"),
            (
                Resource([
                    .known("arn:aws:secretsmanager:us-east-1:111122223333:secret:db-"),
                    .unknownCharacters(count: 6),
                ]), "arn:aws:secretsmanager:us-east-1:111122223333:secret:db-??????"
            ),
            (
                Resource([.known("arn:aws:kms:us-east-1:"), .unknown, .known(":key/"), .unknown]),
                "arn:aws:kms:us-east-1:*:key/*"
            ),
        ]
        for (resource, text) in cases {
            let policy = try SessionPolicy(for: [pair("s3:GetObject", resource)])
            #expect(
                policy.text == Self.text(#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"\#(text)"}"#)
            )
        }
        let role = Resource(
            [.known("arn:aws:iam::111122223333:role/"), .unknown, .known("app")],
            presumed: "arn:aws:iam::111122223333:role/app")
        let set = try Self.role(try SessionPolicy(for: [pair("iam:GetRole", role)]).text)
        for (name, isAllowed) in [("app", true), ("team/app", true), ("otherapp", false), ("app/x", false)] {
            let named = Resource("arn:aws:iam::111122223333:role/\(name)")
            #expect(try Self.allows(set, "iam:GetRole", named) == isAllowed, "\(name)")
        }
    }

    @Test func `what cannot be said literally is said by no policy`() throws {
        #expect(throws: SessionPolicyError.noPairs) { _ = try SessionPolicy(for: []) }
        #expect(throws: SessionPolicyError.noPairs) {
            _ = try SessionPolicy(for: [pair("s3:Get*", Resource("arn:aws:s3:::b"))])
        }
        for resource in [
            Resource("arn:aws:s3:*::b"), Resource("arn:aws:s3:${x}::b"), Resource("b"), Resource(""),
            Resource([.known("arn:aws:"), .unknown, .known(":::b")]),
            Resource([.known("arn:aws:s3:"), .unknown]),
            Resource([.unknown, .known("b")]),
        ] {
            #expect(throws: SessionPolicyError.unwritable(resource: resource.description)) {
                _ = try SessionPolicy(for: [pair("s3:GetObject", resource)])
            }
        }
    }

    @Test func `2 048 characters are a policy, one more is none`() throws {
        let empty = try SessionPolicy(for: [pair("s3:GetObject", Resource("arn:aws:s3:::b/"))]).text.utf8
            .count
        let room = String(repeating: "k", count: 2_048 - empty)
        let largest = try SessionPolicy(for: [pair("s3:GetObject", Resource("arn:aws:s3:::b/" + room))])
        #expect(largest.text.utf8.count == 2_048)
        #expect(throws: SessionPolicyError.tooLarge(count: 2_049)) {
            _ = try SessionPolicy(for: [pair("s3:GetObject", Resource("arn:aws:s3:::b/k" + room))])
        }
    }

    @Test func `compaction writes no action that was not there`() throws {
        let all = FacetedAction.all(in: .builtIn, of: ["dynamodb"]).map(\.action)
        var random = SeededRandom(seed: Self.seed)
        var shorter = 0
        for _ in 0..<60 {
            let wanted = Set(all.filter { _ in Int.random(in: 0..<4, using: &random) > 0 })
            let patterns = ActionSharing(all).patterns(for: wanted)
            for action in all {
                let isMatched = patterns.contains {
                    Pattern(Substring($0), foldsCase: true).matches(action.description)
                }
                #expect(isMatched == wanted.contains(action), "\(action) \(patterns)")
            }
            if patterns.count < wanted.count { shorter += 1 }
        }
        #expect(shorter > 30)
    }

    /// The pairs of calls that random operations of the whole catalog make, on resources of every shape.
    private static func grant(_ random: inout SeededRandom, _ actions: [FacetedAction]) -> [Pair] {
        func one<Element>(_ elements: [Element]) -> Element {
            elements[Int.random(in: 0..<elements.count, using: &random)]
        }
        let some = one(actions)
        let beside = actions.filter { $0.action.prefix.utf8.elementsEqual(some.action.prefix.utf8) }
        return (0..<Int.random(in: 1...6, using: &random)).map { _ in
            let faceted = Int.random(in: 0..<3, using: &random) == 0 ? one(actions) : one(beside)
            let facet = one(faceted.facets).facet
            return Pair(
                action: faceted.action, resource: one(resources(of: faceted.action.prefix)),
                level: facet.level, sensitivity: facet.sensitivity)
        }
    }

    private static func resources(of service: String) -> [Resource] {
        let head = "arn:aws:\(service):us-east-1:111122223333:"
        let names = [
            "a", "a/b", "a*", "a?", "${aws:username}", "*", "é", "e\u{301}", "A", "a:b", "t/a", "a/",
        ]
        return names.map { Resource(head + $0) } + [
            .star, .unknown, Resource([.known(head), .unknown]), Resource([.known(head + "a"), .unknown]),
            Resource([.known(head + "a-"), .unknownCharacters(count: 6)]), Resource("arn:aws:\(service):::a"),
            Resource([.known("arn:aws:\(service):us-east-1:"), .unknown, .known(":a")]),
            Resource([.known(head + "t/"), .unknown, .known("a")], presumed: head + "t/a"),
        ]
    }

    /// Whether a grant for `pairs` covers `action` on `resource`: a pair is of the action, and the resource
    /// one of those that its request leaves open. Worked out apart from what is tested, by trying.
    private static func covers(_ pairs: [Pair], _ action: Action, _ resource: String) -> Bool {
        func completes(_ parts: ArraySlice<Resource.Part>, _ text: Substring.UnicodeScalarView) -> Bool {
            guard let part = parts.first else { return text.isEmpty }
            let rest = parts.dropFirst()
            switch part {
            case .known(let known):
                let known = Array(known.unicodeScalars)
                return text.starts(with: known) && completes(rest, text.dropFirst(known.count))
            case .unknownCharacters(let count):
                return text.count >= count && completes(rest, text.dropFirst(count))
            case .unknown:
                return (0...text.count).contains { completes(rest, text.dropFirst($0)) }
            }
        }
        return pairs.contains { pair in
            pair.action == action
                && (pair.resource.parts == Resource.star.parts
                    || completes(pair.resource.parts[...], Substring(resource).unicodeScalars))
        }
    }

    @Test func `of 1 000 random grants no policy allows a pair that the grant does not`() throws {
        let actions = Self.actions
        var random = SeededRandom(seed: Self.seed)
        var (allowed, refused, tooLarge) = (0, 0, 0)
        for round in 0..<1_000 {
            let pairs = Self.grant(&random, actions)
            let policy: SessionPolicy
            do throws(SessionPolicyError) {
                policy = try SessionPolicy(for: pairs, isCompact: round.isMultiple(of: 2))
            } catch {
                guard case .tooLarge = error else { throw error }
                tooLarge += 1
                continue
            }
            let role = try Self.role(policy.text)
            // The actions named and some others of their services and of one more, on all that any may be
            // about.
            let services = Set(pairs.map(\.action.prefix))
            let other = actions[Int.random(in: 0..<actions.count, using: &random)].action.prefix
            let texts =
                services.flatMap(Self.resources).compactMap(\.text).filter { $0.hasPrefix("arn:") }
                + services.flatMap { service -> [String] in
                    let head = "arn:aws:\(service):us-east-1:111122223333:"
                    return ["b", "a-123456", "a-12345", "t/x/a", "t/xa", "ax"].map { head + $0 }
                }
            for faceted in actions
            where services.contains(faceted.action.prefix) || faceted.action.prefix == other {
                let isNamed = pairs.contains { $0.action == faceted.action }
                guard isNamed || Int.random(in: 0..<20, using: &random) == 0 else { continue }
                // Of an action that no pair has, one resource of those is as good as another.
                for text in isNamed ? texts : [texts[Int.random(in: 0..<texts.count, using: &random)]] {
                    let isAllowed = try Self.decides(role, faceted.action, Resource(text))
                    let isCovered = Self.covers(pairs, faceted.action, text)
                    #expect(!isAllowed || isCovered, "\(faceted.action) \(text)\n\(pairs)\n\(policy.text)")
                    // And it is of use: what the grant covers, AWS allows; a name without its path aside.
                    if isCovered, !text.hasSuffix("t/xa") {
                        #expect(isAllowed, "\(faceted.action) \(text) \(pairs)")
                    }
                    if isAllowed { allowed += 1 } else { refused += 1 }
                }
            }
        }
        #expect(allowed > 5_000 && refused > 20_000 && tooLarge < 50, "\(allowed) \(refused) \(tooLarge)")
    }

    private static func decides(_ set: PolicySet, _ action: Action, _ resource: Resource) throws -> Bool {
        let pair = Pair(action: action, resource: resource, level: .write, sensitivity: .metadata)
        let decision = decide(
            try meaning([pair]), caller: try caller("etl-1"), under: set, grants: GrantBook(), at: noon)
        guard case .allow = decision else { return false }
        return true
    }
}
