import Foundation
import Recognizing
import Testing
import Vocabulary

@testable import Deciding

@Suite("Checking policies") struct PolicyCheckTests {
    static let folder = Fixtures.policies.appendingPathComponent("check")
    static let catalog = LintCatalog(.builtIn)
    /// 2026-11-25.
    static let today = Instant(secondsSinceEpoch: 1_795_564_800)

    /// What is found in `fixtures/policies/check/RULE/KIND`; the people of these tests approve where the
    /// folder has none.
    static func check(_ rule: String, _ kind: String) throws -> PolicyCheck {
        let folder = folder.appendingPathComponent(rule).appendingPathComponent(kind)
        var files = try Fixtures.names(in: folder).filter(PolicyFile.isRead).map {
            try Fixtures.file(folder.appendingPathComponent($0))
        }
        if !files.contains(where: { $0.name == "approvers.yaml" }) {
            files.append(PolicyFile("approvers.yaml", people))
        }
        let ignore = folder.appendingPathComponent("check/ignore.yaml")
        let ignoring =
            FileManager.default.fileExists(atPath: ignore.path)
            ? try Fixtures.file(ignore, as: "check/ignore.yaml") : nil
        return PolicyCheck(files, ignoring: ignoring, catalog: catalog, at: today)
    }

    static func line(_ finding: Finding) -> String {
        let level = finding.ignored == nil ? finding.level.rawValue : "ignored"
        return "\(finding.file):\(finding.line):\(finding.column): \(level) \(finding.rule): "
            + "\(finding.message)\n    text: \(finding.text)\n    mend: \(finding.suggestion)"
    }

    @Test("a rule finds what it is for, and not its lawful neighbor", arguments: PolicyCheck.rules.map(\.id))
    func rule(_ id: String) throws {
        let failing = try Self.check(id, "fails").findings.filter { $0.rule == id && $0.ignored == nil }
        #expect(!failing.isEmpty)
        let passing = try Self.check(id, "passes").findings.filter { $0.rule == id }
        #expect(passing.isEmpty, "\(passing.map(Self.line))")
    }

    @Test func `what is said of the failing fixtures is what was said`() throws {
        var text =
            "# What `policy check` says of each RULE/fails. UPDATE_FIXTURES=1 rewrites it; read the diff.\n"
        for rule in PolicyCheck.rules.map(\.id).sorted() {
            let found = try Self.check(rule, "fails").findings.map(Self.line).joined(separator: "\n")
            text += "\n## \(rule)\n\(found)\n"
        }
        try Fixtures.expect(text, at: Self.folder.appendingPathComponent("expected.txt"))
    }

    @Test func `every rule has its fixtures, and every fixture its rule`() throws {
        let names = try Fixtures.names(in: Self.folder).filter { $0 != "expected.txt" }
        #expect(names == PolicyCheck.rules.map(\.id).sorted())
        #expect(Set(PolicyCheck.rules.map(\.id)).count == PolicyCheck.rules.count)
        let page = try String(
            contentsOf: Fixtures.root.appendingPathComponent("docs/policy-check.md"), encoding: .utf8)
        for rule in PolicyCheck.rules {
            #expect(page.contains("| `\(rule.id)` | \(rule.level.rawValue) |"), "\(rule.id) has no line")
        }
    }

    @Test func `the policies we ship have no finding that counts`() throws {
        let folder = ShippedPolicyTests.folder
        let files = try Fixtures.names(in: folder).filter(PolicyFile.isRead).map {
            try Fixtures.file(folder.appendingPathComponent($0))
        }
        let ignoring = try Fixtures.file(
            folder.appendingPathComponent("check/ignore.yaml"), as: "check/ignore.yaml")
        let check = PolicyCheck(files, ignoring: ignoring, catalog: Self.catalog, at: Self.today)
        #expect(check.isLoaded)
        #expect(!check.hasFindings(from: .warning), "\(check.findings.map(Self.line))")
        #expect(!check.findings.filter { $0.ignored != nil }.isEmpty)
    }

    @Test func `an action that is said to do the same is one that AWS has`() {
        for group in Lint.siblings + Lint.stronger {
            for name in group { #expect(Self.catalog.number(of: name) != nil, "\(name)") }
        }
    }

    @Test func `a finding keeps its fingerprint when its lines move`() throws {
        func found(_ text: String) throws -> Finding {
            let file = PolicyFile(
                "team.yaml",
                "Countersign: 1\nId: team\nAgents: [\"*\"]\n\(text)Statement:\n  - "
                    + "{Sid: All, Effect: Allow, Action: \"*\", Resource: \"*\"}\n")
            let findings = PolicyCheck([file], catalog: Self.catalog, at: Self.today).findings
            return try #require(findings.first { $0.rule == "allow-everything" })
        }
        let (one, moved) = (try found(""), try found("# why\n"))
        #expect(one.line + 1 == moved.line)
        #expect(one.fingerprint == moved.fingerprint)
    }

    @Test func `what cannot be ignored, or has no reason, is told`() {
        func faults(_ text: String) -> [String] {
            let list = PolicyFile("check/ignore.yaml", text)
            let check = PolicyCheck([], ignoring: list, catalog: Self.catalog, at: Self.today)
            #expect(!check.isLoaded)
            return check.findings.map { "\($0.file):\($0.line):\($0.column): \($0.message)" }
        }
        #expect(
            faults("Ignore:\n  - {Rule: does-not-load, Reason: no time}\n") == [
                "check/ignore.yaml:2:12: `does-not-load` is no rule that can be ignored"
            ])
        #expect(
            faults("Ignore:\n  - {Rule: shadowd}\n") == [
                "check/ignore.yaml:2:5: `Reason` must be stated",
                "check/ignore.yaml:2:12: `shadowd` is no rule that can be ignored: did you mean `shadowed`?",
            ])
        #expect(
            faults("Ignore:\n  - {Rule: shadowed, Reason: x, Until: soon}\n") == [
                "check/ignore.yaml:2:40: `soon` is no moment: write `2026-11-24`"
            ])
    }

    @Test func `a large set is looked at without comparing every pair`() throws {
        // The same action for all, on 3,000 folders of 30 buckets, one of which is denied.
        let statements = (0..<3_000).map { number in
            "  - {Sid: S\(number), Effect: Allow, Action: s3:GetObject, Resource: "
                + "\"arn:aws:s3:::lake-\(number % 30)/folder-\(number)/*\"}\n"
        }
        let text =
            "Countersign: 1\nId: team\nAgents: [\"*\"]\nStatement:\n" + statements.joined()
            + "  - {Sid: Last, Effect: Deny, Action: \"s3:*\", Resource: \"arn:aws:s3:::lake-7/*\"}\n"
        let files = [PolicyFile("team.yaml", text)]
        let policy = try PolicySet.load(files: files, actions: ActionNames(.builtIn))
        let lint = Lint(files: files, policy: policy, catalog: Self.catalog, at: Self.today)
        #expect(Lint.shadowed(lint).count == 100)
        let compared = lint.statements.map {
            lint.covering.candidates(for: $0, with: Effect.allCases, in: Self.catalog).count
        }
        #expect(compared.max() ?? 0 <= 2, "each is compared with itself and the denial of its bucket")
    }
}
