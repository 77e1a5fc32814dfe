import Foundation
import Testing
import Vocabulary

@testable import Deciding

/// The fixtures of this room.
enum Fixtures {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    static let policies = root.appendingPathComponent("fixtures/policies")
    static let updates = ProcessInfo.processInfo.environment["UPDATE_FIXTURES"] == "1"

    static func file(_ url: URL, as name: String? = nil) throws -> PolicyFile {
        PolicyFile(name: name ?? url.lastPathComponent, bytes: [UInt8](try Data(contentsOf: url)))
    }

    static func names(in folder: URL) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { !$0.hasPrefix(".") }
            .sorted()
    }

    /// Compares `text` with the snapshot at `url`; rewrites that under `UPDATE_FIXTURES=1`.
    static func expect(_ text: String, at url: URL) throws {
        if updates { try text.write(to: url, atomically: true, encoding: .utf8) }
        let recorded = try String(contentsOf: url, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false)
        let found = text.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(found.count == recorded.count, "\(url.lastPathComponent) has another number of lines")
        for (found, recorded) in zip(found, recorded) { #expect(found == recorded) }
    }
}

@Suite("Loading a policy set") struct LoadingTests {
    @Test func `every fault is told with file, line, column and the text at fault`() throws {
        let folder = Fixtures.policies.appendingPathComponent("refused")
        var told: [String] = []
        for name in try Fixtures.names(in: folder) where name != "expected.txt" {
            let url = folder.appendingPathComponent(name)
            let book = ["approvers", "agents"].first { name.hasPrefix("\($0)-") }
            var files = [try Fixtures.file(url, as: book.map { "\($0).yaml" })]
            if book == nil { files.append(PolicyFile("approvers.yaml", people)) }
            if book == "agents" {
                files.append(
                    PolicyFile(
                        "plain.json", "{\"Version\": \"2012-10-17\", \"Agents\": \"*\", \"Statement\": []}"))
            }
            told += faults(files).map { book == nil ? $0 : "\(name) as \($0)" }
        }
        try Fixtures.expect(
            told.joined(separator: "\n") + "\n", at: folder.appendingPathComponent("expected.txt"))
    }
}

extension LoadingTests {
    static let plain = "- {Sid: S, Effect: Allow, Action: s3:GetObject, Resource: \"*\"}"

    @Test func `a file is read up to its limit and not one byte further`() throws {
        let head = "Countersign: 1\nId: x\nAgents: [\"*\"]\nStatement: []\n"
        let full = head + "#" + String(repeating: "x", count: Node.Limit.fileByteCount - head.utf8.count - 1)
        #expect(throws: Never.self) {
            try PolicySet.load(files: [PolicyFile("x.yaml", full)], actions: knownActions)
        }
        let told = faults([PolicyFile("x.yaml", full + "x")])
        #expect(told == ["x.yaml:1:1: the file has 1048577 bytes: at most 1048576 are read"])
    }

    @Test func `values are counted`() {
        let list = String(repeating: "0,", count: Node.Limit.nodeCount)
        #expect(
            faults([PolicyFile("x.yaml", "[\(list)]")]).first?.hasSuffix("more than 200000 values") == true)
        #expect(
            faults([PolicyFile("x.json", "[\(list)0]")]).first?.hasSuffix("more than 200000 values") == true)
    }

    @Test func `a set has at most so many statements and files`() {
        let one = "  - {Sid: S%, Effect: Allow, Action: s3:GetObject, Resource: \"*\"}\n"
        func file(_ name: String, _ count: Int) -> PolicyFile {
            let statements = (0..<count).map { one.replacing("%", with: String($0)) }.joined()
            return PolicyFile(
                "\(name).yaml", "Countersign: 1\nId: \(name)\nAgents: [\"*\"]\nStatement:\n" + statements)
        }
        let half = PolicySet.statementCountMax / 2
        #expect(throws: Never.self) {
            try PolicySet.load(files: [file("a", half), file("b", half)], actions: knownActions)
        }
        let told = faults([file("a", half), file("b", half), file("c", 1)])
        #expect(told == ["c.yaml:5:3: more than 20000 statements in all files"])
        let many = (0...PolicySet.fileCountMax).map { PolicyFile("\($0).yaml", "") }
        #expect(faults(many) == ["0.yaml:1:1: more than 1000 files"])
    }

    @Test func `files that are no policy are told, not skipped`() {
        let told = faults([
            PolicyFile("accounts.yaml", "{}"), PolicyFile("notes.txt", ""), PolicyFile("notes.txt", ""),
        ])
        #expect(
            told == [
                "accounts.yaml:1:1: `Countersign: 1` must be stated at the top",
                "notes.txt:1:1: a policy file ends in .yaml, .yml or .json",
                "notes.txt:1:1: the file is here twice",
                "notes.txt:1:1: a policy file ends in .yaml, .yml or .json",
            ])
    }

    @Test func `an Id belongs to one file`() {
        let text = "Countersign: 1\nId: x\nAgents: [\"*\"]\nStatement: []\n"
        #expect(
            faults([PolicyFile("a.yaml", text), PolicyFile("b.yaml", text)]) == [
                "b.yaml:2:5: `Id` `x` is also that of a.yaml"
            ])
    }

    @Test func `one bad file refuses the whole set`() {
        let good = "Countersign: 1\nId: x\nAgents: [\"*\"]\nStatement: []\n"
        #expect(faults([PolicyFile("a.yaml", good), PolicyFile("b.yaml", "Id: y")]).count == 3)
    }

    @Test func `plain IAM JSON applies to the agents it is attached to, unchanged`() throws {
        let json = """
            {"Version": "2012-10-17", "Statement": [
              {"Sid": "", "Effect": "Allow", "Action": ["s3:Get*"], "Resource": "arn:aws:s3:::b/*",
               "Condition": {"Bool": {"countersign:Mutates": false}}},
              {"Effect": "Deny", "Action": "s3:GetObjectVersion", "Resource": "*"}]}
            """
        let agents =
            "Countersign: 1\nAgents:\n  - {Name: reader, Policies: [team.json]}\n  - {Name: writer}\n"
        let files = [PolicyFile("team.json", json), PolicyFile("agents.yaml", agents)]
        let set = try PolicySet.load(files: files, actions: knownActions)
        let object = Resource("arn:aws:s3:::b/k")
        #expect(
            try set.says("s3:GetObject", object, level: .read, agent: "reader") == "allow team/statement-1")
        #expect(try set.says("s3:GetObject", object, level: .write, agent: "reader") == "deny byDefault")
        #expect(
            try set.says("s3:GetObjectVersion", object, level: .read, agent: "reader")
                == "deny team/statement-2")
        #expect(try set.says("s3:GetObject", object, level: .read, agent: "writer") == "deny byDefault")
        #expect(set.agents.agents.map(\.name.text) == ["reader", "writer"])
        let stated = json.replacing("{\"Version\"", with: "{\"Agents\": \"*\", \"Version\"")
        #expect(
            faults([PolicyFile("team.json", stated), files[1]])
                == [
                    "team.json:1:2: `Agents` is stated, and agents.yaml gives the file to `reader`: keep one"
                ])
    }

    @Test func `scalars are text: an account keeps its zeros, and no is no Boolean`() throws {
        let set = try PolicySet.of(
            """
            - {Sid: no, Effect: Allow, Action: s3:GetObject, Resource: "arn:aws:s3:us-east-1:012345670123:x"}
            """)
        #expect(
            try set.says("s3:GetObject", Resource("arn:aws:s3:us-east-1:012345670123:x")) == "allow test/no")
    }

    @Test func `the digest follows names and contents, and nothing else`() throws {
        func load(_ files: [PolicyFile]) throws -> Digest {
            try PolicySet.load(files: files, actions: knownActions).digest
        }
        let text = "Countersign: 1\nId: %\nAgents: [\"*\"]\nStatement: []\n"
        let (a, b) = (
            PolicyFile("a.yaml", text.replacing("%", with: "a")),
            PolicyFile("b.yaml", text.replacing("%", with: "b"))
        )
        #expect(try load([a, b]) == load([b, a]))
        #expect(try load([a, b]) != load([a]))
        #expect(try load([a]) != load([PolicyFile(name: "c.yaml", bytes: a.bytes)]))
        #expect(try load([a]) != load([PolicyFile(name: "a.yaml", bytes: a.bytes + [0x0A])]))
    }

    @Test func `a statement's digest follows its content, not its layout`() throws {
        func digest(_ text: String, agents: String = "[\"*\"]") throws -> Digest {
            try #require(try PolicySet.of(text, agents: agents).statements.first).digest
        }
        let base = try digest(Self.plain)
        #expect(
            try digest("# why\n- Sid: S\n  Effect: Allow\n  Action: s3:GetObject\n  Resource: '*'") == base)
        #expect(try digest(Self.plain.replacing("Get", with: "Put")) != base)
        #expect(try digest(Self.plain, agents: "[a]") != base)
    }

    @Test func `a statement's digest is that of its canonical JSON, so grants outlive an update`() throws {
        let text = #"""
            - Sid: S
              Effect: Deny
              Resource: ["*", "arn:aws:s3:::é\n"]
              Action: "*"
              Condition: {"Null": {aws:b: "true", aws:a: "false"}}
            """#
        let set = try PolicySet.of(text, agents: "[web, etl-*]")
        // By Python's hashlib over {"Agents":["web","etl-*"],"Id":"test","Statement":{"Action":"*",…}}.
        let expected = "212cfdcb1cb5960952459c075362b9fa92c48b7f0a684d874793b2c86968e776"
        #expect(set.statements.first?.digest.hex == expected)
    }

    @Test func `random bytes never trap, and mended policies never load half`() {
        var random = SeededRandom(seed: 7)
        let policy = Array("Countersign: 1\nId: x\nAgents: [\"*\"]\nStatement:\n\(Self.plain)\n".utf8)
        let json = Array(
            "{\"Version\": \"2012-10-17\", \"Agents\": [\"*\"], \"Statement\": [{\"Effect\": \"Allow\"}]}"
                .utf8)
        let letters = Array("{}[]\",:*&!|>%@`#?-<\n\t\\ \u{1}é${".utf8)
        for round in 0..<3_000 {
            var bytes = round.isMultiple(of: 2) ? policy : json
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let at = Int.random(in: bytes.indices, using: &random)
                switch Int.random(in: 0...2, using: &random) {
                case 0: bytes[at] = random.pick(letters)
                case 1: bytes.insert(random.pick(letters), at: at)
                default:
                    bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...20, using: &random)))
                }
                if bytes.isEmpty { bytes = [0x2D] }
            }
            let name = round.isMultiple(of: 2) ? "x.yaml" : "x.json"
            do {
                let set = try PolicySet.load(
                    files: [PolicyFile(name: name, bytes: bytes)], actions: knownActions)
                #expect(
                    set.statements.allSatisfy { !$0.scope.actions.isEmpty && !$0.scope.resources.isEmpty })
            } catch {
                #expect(!error.issues.isEmpty)
            }
        }
    }
}
