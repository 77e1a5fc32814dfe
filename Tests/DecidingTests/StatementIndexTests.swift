import Testing
import Vocabulary

@testable import Deciding
@testable import Recognizing

/// The index only saves looking: it finds the statements that apply, and no other, as a scan of all does.
@Suite("Finding statements") struct StatementIndexTests {
    private static let actions = [
        "\"dynamodb:GetItem\"", "\"dynamodb:getitem\"", "\"dynamodb:*\"", "\"*\"",
        "[\"dynamodb:GetItem\", \"dynamodb:Del*\"]", "[\"dynamodb:*Item\", \"s3:Get*\"]", "\"s3:GetObject\"",
    ]
    private static let account = "arn:aws:dynamodb:us-east-1:111122223333:"
    private static let resources = [
        "\"\(orders)\"", "\"arn:AWS:dynamodb:US-EAST-1:111122223333:table/orders\"",
        "\"arn:aws:dynamodb:us-east-1:111122223333:table/Orders\"", "\"\(orders)*\"", "\"*\"",
        "[\"\(orders)/index/a\", \"\(orders)\"]", "[\"\(orders)\", \"\(orders)*\", \"*\"]",
        "\"\(account)table/${*}\"", "\"\(account)table/${countersign:Agent}/*\"",
        "\"\(account)table/${x:k}\"",
        "\"\(account)*\"", "\"\(account)table/o?ders*\"", "\"\(account)table/*/index/?\"",
        "\"arn:aws:dynamodb:*:111122223333:table/orders\"", "\"arn:aws:dynamodb:us-*:*:table/orders\"",
        "\"arn:*:dynamodb:us-east-1:*:table/o*\"", "\"arn:aws:s3:::b/*\"", "\"arn:aws:s3:::*\"",
        "\"arn:aws:s3:::b/\u{E9}*\"", "\"arn:aws:s3:::b/e\u{301}*\"",
        "\"arn:aws:iam::111122223333:role/app\"",
    ]
    private static let conditions = [
        "", "", "", "StringEquals: {x:k: a}", "StringNotEquals: {x:k: a}",
        "StringEquals: {countersign:AccessLevel: [Read, List]}", "Bool: {countersign:Mutates: \"true\"}",
        "StringEquals: {aws:ResourceAccount: \"111122223333\"}", "StringEquals: {x:of: a}",
        "StringLike: {x:k: \"${x:of}\"}", "StringEquals: {x:part: orders}",
    ]

    private static let asked: [Resource] = [
        Resource(orders), Resource("\(account)table/Orders"), Resource("\(orders)/index/a"),
        Resource("\(account)table/*"), Resource("\(account)table/support-7/x"), Resource("\(account)table/a"),
        Resource("arn:aws:dynamodb:US-EAST-1:111122223333:table/orders"), Resource("ARN:aws:s3:::b/k"),
        Resource("arn:aws:s3:::b/K"), Resource("arn:aws:s3:::b/\u{E9}t"),
        Resource("arn:aws:s3:::b/e\u{301}t"),
        Resource("arn:aws:s3:::b"), Resource("arn:aws:s3"), Resource(""), .star, .unknown,
        Resource([.known("\(account)table/"), .unknown]),
        Resource([.known("arn:aws:dynamodb:"), .unknown, .known(":table/orders")]),
        Resource([.unknown, .known(":table/orders")]),
        Resource([.known("\(account)table/order"), .unknownCharacters(count: 1)]),
        Resource(
            [.known("arn:aws:iam::111122223333:role/"), .unknown, .known("app")],
            presumed: "arn:aws:iam::111122223333:role/app"),
        Resource([.known("arn:aws:iam::1"), .unknown, .known("app")], presumed: "arn:aws:iam::2:role/app"),
    ]

    private static func randomSet(_ random: inout SeededRandom) throws -> PolicySet {
        let text = (0..<Int.random(in: 1...24, using: &random)).map { number in
            let effect = random.pick(["Allow", "Allow", "Deny", "AllowWithApproval", "RequireApproval"])
            let action = random.pick(["Action", "Action", "Action", "NotAction"])
            let resource = random.pick(["Resource", "Resource", "Resource", "NotResource"])
            let condition = random.pick(conditions)
            let agents = random.pick(["", "", "support-*", "[support-7, etl-1]", "s*-?", "other", "*-7"])
            return "- Sid: S\(number)\n  Effect: \(effect)\n  \(action): \(random.pick(actions))\n"
                + "  \(resource): \(random.pick(resources))\n"
                + (condition.isEmpty ? "" : "  Condition: {\(condition)}\n")
                + (agents.isEmpty ? "" : "  Agents: \(agents.hasPrefix("[") ? agents : "\"\(agents)\"")\n")
                + (effect.hasSuffix("Approval") ? "  Approval: {Approvers: [oncall]}\n" : "")
        }
        return try .of(text.joined())
    }

    private static func randomMeaning(_ random: inout SeededRandom) throws -> Meaning {
        var pairs: [Pair] = []
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let action = random.pick(["dynamodb:GetItem", "dynamodb:DeleteItem", "s3:GetObject", "x:?"])
            // Neighbors mostly share their action, as those of a batch do.
            let named = pairs.last.map { random.pick([$0.action.description, action]) } ?? action
            pairs.append(
                pair(
                    named, random.pick(asked), random.pick([.read, .write, .unknown]),
                    random.pick([.data, .metadata])))
        }
        var keys = ConditionKeys()
        keys["x:k"] = random.pick([.filled(["a"]), .filled(["a", "b"]), .absent, .unknown])
        let scope = ConditionKeys.Scope(actions: ["dynamodb:getitem", "s3:getobject"], resource: "table/")
        keys.say("x:of", .filled(["a"]), of: scope)
        keys.say("x:part", .id(after: "table/"), of: ConditionKeys.Scope(actions: ["dynamodb:getitem"]))
        return try meaning(pairs, keys: keys, vends: Int.random(in: 0...9, using: &random) == 0)
    }

    @Test func `what is found by the index is what a scan of all statements finds, for pair after pair`()
        throws
    {
        var random = SeededRandom(seed: 11)
        var (foundCount, pairCount) = (0, 0)
        for _ in 0..<120 {
            let set = try Self.randomSet(&random)
            for _ in 0..<20 {
                let meaning = try Self.randomMeaning(&random)
                let caller = try caller(random.pick(["support-7", "etl-1", "sam-7"]))
                var search = StatementSearch(set, meaning, caller: caller, at: noon, pairs: meaning.pairs)
                for (place, pair) in meaning.pairs.enumerated() {
                    search.look(at: place)
                    let context = ConditionContext(meaning: meaning, caller: caller, at: noon, pair: pair)
                    let text = ResourceText(pair.resource)
                    let applying = set.statements.filter { $0.applies(to: text, in: context) }
                    #expect(search.found.map(\.id) == applying.map(\.id), "\(pair) for \(caller.agent)")
                    foundCount += applying.count
                    pairCount += 1
                }
                let decision = decide(meaning, caller: caller, under: set, grants: GrantBook(), at: noon)
                #expect(
                    decision
                        == decide(
                            meaning, caller: caller, under: set.unindexed, grants: GrantBook(), at: noon))
            }
        }
        #expect(foundCount > pairCount / 2 && pairCount > 5_000)
    }

    @Test func `each kind of action and resource is found by every kind of pair`() throws {
        var text = ""
        for (a, action) in Self.actions.enumerated() {
            for (r, resource) in Self.resources.enumerated() {
                for (key, not) in [
                    ("Action", "Resource"), ("Action", "NotResource"), ("NotAction", "Resource"),
                ] {
                    text +=
                        "- Sid: S\(a)-\(r)\(key)\(not)\n  Effect: Deny\n"
                        + "  \(key): \(action)\n  \(not): \(resource)\n"
                }
            }
        }
        let set = try PolicySet.of(text)
        for action in ["dynamodb:GetItem", "dynamodb:DeleteItem", "s3:GetObject"] {
            for resource in Self.asked {
                let pair = pair(action, resource)
                let (meaning, caller) = (try meaning([pair]), try caller())
                let context = ConditionContext(meaning: meaning, caller: caller, at: noon, pair: pair)
                var search = StatementSearch(set, meaning, caller: caller, at: noon, pairs: [pair])
                search.look(at: 0)
                let applying = set.statements.filter { $0.applies(to: ResourceText(resource), in: context) }
                #expect(!applying.isEmpty)
                #expect(search.found.map(\.id) == applying.map(\.id), "\(action) on \(resource)")
            }
        }
    }

    @Test func `statements about other resources of the same action are passed over`() throws {
        let text = (0..<1_000).map {
            "- {Sid: S\($0), Effect: Allow, Action: \"dynamodb:GetItem\", Resource: \"\(orders)-\($0)\"}"
        }
        let set = try PolicySet.of(text.joined(separator: "\n"))
        let index = try #require(set.index)
        let shelf = index.shelves(for: Action(prefix: "dynamodb", name: "GetItem")).literal
        var name = orders + "-7"
        let spot = name.withUTF8 { index.resources.spot(of: $0, on: shelf, near: nil) }
        #expect(index.resources.nodes[spot.node].slots.count == 1)
        #expect(index.resources.nodes[spot.node].parent == -1)
        #expect(try set.says("dynamodb:GetItem", Resource(orders + "-7")) == "allow test/S7")
        #expect(try set.says("dynamodb:GetItem", Resource(orders)) == "deny byDefault")
    }

    @Test func `wherever a search begins on a long shelf, it ends in one place`() {
        let texts = SortedTexts((0..<200).map { Array("t\($0 * 3)".utf8) } + [[], Array("t4".utf8)])
        var table = PrefixTable(texts)
        // Another shelf before it, so that places do not begin at 0.
        _ = table.shelve([(0, .init(owner: 0, reach: .some))])
        let shelf = table.shelve(
            texts.ranks.enumerated().map { ($1, .init(owner: UInt32($0), reach: .some)) })
        func spot(_ number: Int, near: PrefixTable.Spot?) -> PrefixTable.Spot {
            var text = "t\(number)"
            return text.withUTF8 { table.spot(of: $0, on: shelf, near: near) }
        }
        let alone = (0..<620).map { spot($0, near: nil) }
        for (first, near) in alone.enumerated() where first % 7 == 0 {
            for number in alone.indices { #expect(spot(number, near: near) == alone[number]) }
        }
    }

    @Test func `a text is found where it belongs, near another or not`() {
        let words = ["", "a", "ab", "abc", "abd", "b", "ba", "bab", "c", "\u{E9}", "\u{E9}\u{E9}"]
        let texts = SortedTexts(words.map { Array($0.utf8) })
        var table = PrefixTable(texts)
        let shelves = [0, 1].map { first in
            table.shelve(
                stride(from: first, to: words.count, by: first + 1).map {
                    (texts.ranks[$0], PrefixTable.Slot(owner: UInt32($0), reach: .some))
                })
        }
        for (first, shelf) in shelves.enumerated() {
            let filed = stride(from: first, to: words.count, by: first + 1).map { words[$0] }
            var near: PrefixTable.Spot?
            for word in words + words.map({ $0 + "b" }) + ["abcz", "aa", "zz", "bb", "ab", "ac"] {
                var text = word
                let spots = text.withUTF8 { text in
                    [nil, near].map { table.spot(of: text, on: shelf, near: $0) }
                }
                #expect(spots[0] == spots[1])
                near = spots[0]
                var chain: [String] = []
                var node = spots[0].node
                while node >= 0 {
                    chain += table.nodes[node].slots.map { words[Int(table.slots[$0].owner)] }
                    node = Int(table.nodes[node].parent)
                }
                let begun = filed.filter { word.utf8.starts(with: $0.utf8) }
                #expect(chain == begun.sorted { $0.utf8.count > $1.utf8.count }, "\(word)")
            }
        }
    }
}
