import Testing
import Vocabulary

@testable import Deciding

@Suite("Deciding a call") struct DecideTests {
    static let approval = "Approval: {Approvers: [oncall]}"

    @Test func `no statement means denied`() throws {
        let empty = try PolicySet.load(files: [], actions: knownActions)
        #expect(try empty.says("dynamodb:GetItem") == "deny byDefault")
    }

    @Test func `an allow opens its action on its resource for its agent, and none of their neighbors`() throws {
        let set = try PolicySet.of(
            "- {Sid: A, Effect: Allow, Action: dynamodb:GetItem, Resource: '\(orders)'}", agents: "[\"support-*\"]")
        #expect(try set.says("dynamodb:GetItem") == "allow test/A")
        #expect(try set.says("dynamodb:getitem") == "allow test/A")
        #expect(try set.says("dynamodb:PutItem") == "deny byDefault")
        #expect(try set.says("dynamodb:GetItem", Resource(orders + "2")) == "deny byDefault")
        #expect(try set.says("dynamodb:GetItem", Resource(orders.replacing("orders", with: "Orders"))) == "deny byDefault")
        #expect(try set.says("dynamodb:GetItem", agent: "etl-1") == "deny byDefault")
        #expect(try set.says("s3:GetItem") == "deny byDefault")
    }

    /// Each row: the effects that match, and what follows. Deny, then the floor, then Allow, then AllowWithApproval.
    @Test(
        "the first effect that matches decides",
        arguments: [
            ([], "deny byDefault"), (["Allow"], "allow test/Allow"), (["AllowWithApproval"], "ask test/AllowWithApproval"),
            (["RequireApproval"], "ask test/RequireApproval"), (["Deny"], "deny test/Deny"),
            (["AllowWithApproval", "Allow"], "allow test/Allow"),
            (["Allow", "RequireApproval"], "ask test/RequireApproval"),
            (["AllowWithApproval", "RequireApproval"], "ask test/RequireApproval"),
            (["AllowWithApproval", "Allow", "RequireApproval"], "ask test/RequireApproval"),
            (["Allow", "Deny"], "deny test/Deny"), (["RequireApproval", "Deny"], "deny test/Deny"),
            (["Allow", "AllowWithApproval", "RequireApproval", "Deny"], "deny test/Deny"),
        ])
    func precedence(_ effects: [String], _ expected: String) throws {
        let other = "- {Sid: Other, Effect: Allow, Action: s3:GetObject, Resource: \"*\"}"
        let statements = effects.map { effect in
            let tail = effect.hasSuffix("Approval") ? ", \(Self.approval)" : ""
            return "- {Sid: \(effect), Effect: \(effect), Action: dynamodb:DeleteItem, Resource: \"*\"\(tail)}"
        }
        for order in [statements + [other], [other] + statements.reversed()] {
            let set = try PolicySet.of(order.joined(separator: "\n"))
            #expect(try set.says("dynamodb:DeleteItem") == expected)
        }
    }

    @Test func `the strictest pair decides the call`() throws {
        let set = try PolicySet.of(
            """
            - {Sid: Get, Effect: Allow, Action: s3:GetObject, Resource: "*"}
            - {Sid: Put, Effect: AllowWithApproval, Action: s3:PutObject, Resource: "*", \(Self.approval)}
            """)
        func decision(_ actions: String...) throws -> Decision {
            let pairs = actions.map { pair($0, Resource("arn:aws:s3:::b/k")) }
            return decide(
                try meaning(pairs), caller: try caller(), under: set, grants: GrantBook(), at: noon)
        }
        #expect(try decision("s3:GetObject").word == "allow test/Get")
        #expect(try decision("s3:GetObject", "s3:PutObject").word == "ask test/Put")
        #expect(try decision("s3:PutObject", "s3:DeleteObject", "s3:GetObject").word == "deny byDefault")
        let question = try #require(try decision("s3:GetObject", "s3:PutObject").question)
        #expect(question.pairs.map(\.action.name) == ["PutObject"])
        #expect(try decision().word == "deny byDefault")
    }
}

extension Decision {
    var question: Question? {
        guard case .ask(let question) = self else { return nil }
        return question
    }
}
