import Testing
import Vocabulary

@testable import Deciding

/// The index only saves looking: whatever statement would apply is among those that are looked at.
@Suite("Finding statements") struct StatementIndexTests {
    private static let actions = [
        "\"dynamodb:GetItem\"", "\"dynamodb:getitem\"", "\"dynamodb:*\"", "\"*\"",
        "[\"dynamodb:GetItem\", \"dynamodb:Del*\"]", "\"s3:GetObject\"",
    ]
    private static let resources = [
        "\"\(orders)\"", "\"arn:AWS:dynamodb:US-EAST-1:111122223333:table/orders\"",
        "\"arn:aws:dynamodb:us-east-1:111122223333:table/Orders\"", "\"\(orders)*\"", "\"*\"",
        "[\"\(orders)/index/a\", \"\(orders)\"]", "\"arn:aws:dynamodb:us-east-1:111122223333:table/${*}\"",
    ]

    private static let asked: [Resource] = [
        Resource(orders), Resource("arn:aws:dynamodb:us-east-1:111122223333:table/Orders"),
        Resource(orders + "/index/a"), Resource("arn:aws:dynamodb:us-east-1:111122223333:table/*"), .star,
        .unknown, Resource([.known("arn:aws:dynamodb:us-east-1:111122223333:table/"), .unknown]),
    ]

    private static func everything() throws -> PolicySet {
        var text = ""
        for (a, action) in actions.enumerated() {
            for (r, resource) in resources.enumerated() {
                for (key, not) in [
                    ("Action", "Resource"), ("Action", "NotResource"), ("NotAction", "Resource"),
                ] {
                    text +=
                        "- Sid: S\(a)\(r)\(key)\(not)\n  Effect: Deny\n"
                        + "  \(key): \(action)\n  \(not): \(resource)\n"
                }
            }
        }
        return try .of(text)
    }

    @Test(arguments: ["dynamodb:GetItem", "dynamodb:DeleteItem", "s3:GetObject"])
    func `every statement that applies is found, once and in order`(_ action: String) throws {
        let set = try Self.everything()
        for resource in Self.asked {
            let pair = pair(action, resource)
            let context = ConditionContext(
                meaning: try meaning([pair]), caller: try caller(), at: noon, pair: pair)
            let text = ResourceText(resource)
            let applying = set.statements.indices.filter { set.statements[$0].applies(to: text, in: context) }
            let found = set.candidates(for: pair)
            #expect(!applying.isEmpty)
            #expect(found == Array(Set(found)).sorted())
            #expect(Set(applying).isSubset(of: found), "\(action) on \(resource)")
        }
    }

    @Test func `statements about other resources of the same action are passed over`() throws {
        let text = (0..<1_000).map {
            "- {Sid: S\($0), Effect: Allow, Action: \"dynamodb:GetItem\", Resource: \"\(orders)-\($0)\"}"
        }
        let set = try PolicySet.of(text.joined(separator: "\n"))
        #expect(set.candidates(for: pair("dynamodb:GetItem", Resource(orders + "-7"))).count == 1)
        #expect(try set.says("dynamodb:GetItem", Resource(orders + "-7")) == "allow test/S7")
        #expect(try set.says("dynamodb:GetItem", Resource(orders)) == "deny byDefault")
    }
}
