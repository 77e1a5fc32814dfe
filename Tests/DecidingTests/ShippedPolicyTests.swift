import Foundation
import Recognizing
import Testing
import Vocabulary

@testable import Deciding

@Suite("The policies we ship") struct ShippedPolicyTests {
    static let folder = Fixtures.root.appendingPathComponent("policies")

    static func load() throws -> PolicySet {
        let names = try Fixtures.names(in: folder).filter { PolicyFile.isRead($0) }
        let files = try names.map { try Fixtures.file(folder.appendingPathComponent($0)) }
        return try PolicySet.load(files: files, actions: ActionNames(Catalog.builtIn))
    }

    static func cases() throws -> [PolicyCase] {
        let cases = folder.appendingPathComponent("cases")
        return try Fixtures.names(in: cases).flatMap {
            try PolicyCase.read(try Fixtures.file(cases.appendingPathComponent($0)))
        }
    }

    /// The cases in the words of IAM.
    static func supposed() throws -> [(one: PolicyCase, call: PolicyCase.Supposed)] {
        try cases().compactMap { one in one.supposed.map { (one, $0) } }
    }

    @Test func `every case beside them is decided as it says`() throws {
        let policy = try Self.load()
        for one in try Self.cases() { #expect(one.decided(by: policy)?.word == one.says, "\(one)") }
    }

    @Test func `every statement decides some case`() throws {
        let policy = try Self.load()
        let said = try Self.cases().map(\.says).joined(separator: " ") + " "
        for statement in policy.statements { #expect(said.contains(" \(statement.id) "), "\(statement.id)") }
    }

    @Test func `the matrix is what it was`() throws {
        let policy = try Self.load()
        var seen: Set<String> = []
        let calls = try Self.supposed().filter {
            seen.insert("\($0.call.action) \($0.call.resource)").inserted
        }
        var lines = [
            "# agent  action  resource -> decision. UPDATE_FIXTURES=1 rewrites it; read the diff like code."
        ]
        for name in ["local", "support-7", "terraform-prod", "pipeline-orders"] {
            let agent = try AgentName(parsing: name)
            lines += calls.map {
                "\(agent)  \($0.call.action)  \($0.call.resource) -> "
                    + ($0.one.decided(by: policy, for: agent)?.word ?? "?")
            }.sorted()
        }
        try Fixtures.expect(
            lines.joined(separator: "\n") + "\n", at: Self.folder.appendingPathComponent("matrix.txt"))
    }

    @Test func `a team's own Allow opens what asks, and nothing below the floor or denied`() throws {
        let team = """
            Countersign: 1
            Id: team
            Agents: ["*"]
            Statement:
              - {Sid: All, Effect: Allow, Action: "*", Resource: "*"}
            """
        let names = try Fixtures.names(in: Self.folder).filter { PolicyFile.isRead($0) }
        let files = try names.map { try Fixtures.file(Self.folder.appendingPathComponent($0)) }
        let policy = try PolicySet.load(
            files: files + [PolicyFile("team.yaml", team)], actions: ActionNames(Catalog.builtIn))
        for (one, call) in try Self.supposed() {
            let said = one.decided(by: policy)?.word ?? "?"
            if one.says.hasPrefix("ask baseline/"), !call.resource.elementsEqual("<unknown>") {
                #expect(said == "allow team/All", "\(one)")
            } else if !one.says.hasPrefix("allow") {
                #expect(said == one.says, "\(one)")
            }
        }
    }
}

@Suite("Recorded policies") struct PolicyFixtureTests {
    static let folders: [String] = {
        // The folder is there, or the test that reads it fails.
        let names = (try? Fixtures.names(in: Fixtures.policies)) ?? []
        return names.filter { $0 != "refused" && $0 != "check" && !$0.contains(".") }
    }()

    @Test("every case is decided as recorded", arguments: folders)
    func recorded(_ name: String) throws {
        let folder = Fixtures.policies.appendingPathComponent(name)
        let names = try Fixtures.names(in: folder).filter { $0 != "cases.yaml" }
        var files = try names.map { try Fixtures.file(folder.appendingPathComponent($0)) }
        if !names.contains("approvers.yaml") { files.append(PolicyFile("approvers.yaml", people)) }
        let policy = try PolicySet.load(files: files, actions: ActionNames(Catalog.builtIn))
        let cases = try PolicyCase.read(try Fixtures.file(folder.appendingPathComponent("cases.yaml")))
        #expect(!cases.isEmpty)
        for one in cases { #expect(one.decided(by: policy)?.word == one.says, "\(one)") }
    }
}

@Suite("The page about policy") struct PolicyPageTests {
    @Test func `its examples load as they stand`() throws {
        let page = try String(
            contentsOf: Fixtures.root.appendingPathComponent("docs/policy.md"), encoding: .utf8)
        let blocks = page.components(separatedBy: "```yaml\n").dropFirst()
            .map { String($0.components(separatedBy: "```")[0]) }
        try #require(blocks.count == 6)
        let reader = #"{"Version": "2012-10-17", "Statement": []}"#
        let set = try PolicySet.load(
            files: [
                PolicyFile("orders.yaml", blocks[0]), PolicyFile("folders.yaml", blocks[1]),
                PolicyFile("pace.yaml", blocks[2]), PolicyFile("agents.yaml", blocks[3]),
                PolicyFile("approvers.yaml", blocks[4]), PolicyFile("accounts.yaml", blocks[5]),
                PolicyFile("reader.json", reader),
            ], actions: ActionNames(Catalog.builtIn))
        #expect(try set.says("dynamodb:GetItem") == "allow orders/Read")
        #expect(try set.says("dynamodb:DeleteItem") == "ask orders/DeletesAsk")
        #expect(try set.says("dynamodb:DeleteTable", Resource(orders + "2")) == "ask orders/DropNeedsBoth")
        #expect(try set.says("dynamodb:GetItem", agent: "etl-1") == "deny byDefault")
        let own = "s3:GetObject"
        #expect(
            try set.says(own, Resource("arn:aws:s3:::home/etl-1/a"), agent: "etl-1")
                == "allow folders/OwnFolder")
        #expect(try set.says(own, Resource("arn:aws:s3:::home/etl-2/a"), agent: "etl-1") == "deny byDefault")
        let rest = "Resource: \"\(orders)\", Agent: support-7"
        let (gets, puts) = ("Action: dynamodb:GetItem, \(rest)", "Action: dynamodb:BatchWriteItem, \(rest)")
        let paced = try PolicyCase.read(
            PolicyFile(
                "cases.yaml",
                """
                Cases:
                  - {\(gets), Used: {pace/Read: {Calls: 99}}, Says: allow orders/Read}
                  - {\(gets), Used: {pace/Read: {Calls: 100}}, Says: ask pace/Read}
                  - {\(puts), Used: {pace/Write: {Items: 500}}, Says: deny limit:pace/Write}
                  - {\(puts), Used: {pace/Wrote: {Items: 500}}, Says: deny limit:pace/Write}
                """))
        let found = paced.map { $0.decided(by: set)?.word }
        #expect(Array(found.prefix(3)) == Array(paced.map(\.says).prefix(3)))
        #expect(found.last == "allow pace/Write", "of a statement that is not there nothing is used")
        #expect(set.agents.agents(forUID: 1501).map(\.owner) == ["mia@example.com"])
        #expect(set.accounts["111122223333"]?.name == "orders-prod")
    }
}
