import Recognizing
import Vocabulary

/// What `policy check` finds in a folder of policies.
package struct PolicyCheck: Sendable {
    /// The rules of what keeps a set from being served. They have no function: loading finds it.
    package static let loadRules = LoadRule.allCases.map { rule in
        LintRule(rule.rawValue, .error, rule.summary) { _ in [] }
    }

    /// Every rule there is.
    package static let rules = loadRules + LintRule.all + [IgnoreList.unusedRule]

    /// In the order of files and lines; those that check/ignore.yaml covers are among them.
    package let findings: [Finding]
    /// How many statements were looked at; 0 where the set does not load.
    package let statementCount: Int
    /// Whether the set loads.
    package let isLoaded: Bool

    /// Looks at `files`, all of a policy folder, at the moment `at`; `ignoring` is its check/ignore.yaml.
    package init(_ files: [PolicyFile], ignoring: PolicyFile?, catalog: Catalog, at: Instant) {
        self.init(files, ignoring: ignoring, catalog: LintCatalog(catalog), at: at)
    }

    init(_ files: [PolicyFile], ignoring: PolicyFile? = nil, catalog: LintCatalog, at: Instant) {
        do throws(PolicyError) {
            let policy = try PolicySet.load(files: files, actions: ActionNames(catalog.catalog))
            let list = try ignoring.map { file throws(PolicyError) in try IgnoreList(reading: file) }
            let lint = Lint(files: files, policy: policy, catalog: catalog, at: at)
            let found = LintRule.all.flatMap { $0.findings(in: lint) }
            self.init(
                findings: list?.applied(to: found, at: at) ?? found.sorted(by: Finding.isBefore),
                statementCount: policy.statements.count, isLoaded: true)
        } catch { self.init(faults: error.issues) }
    }

    /// What is to be said of a folder that cannot be read: the fault of the file or folder `name`.
    package init(unreadable name: String, _ message: String) {
        self.init(faults: [.init(file: name, line: 1, column: 1, message: message)])
    }

    private init(faults: [PolicyError.Issue]) {
        let findings = faults.map { issue in
            Finding(
                rule: issue.rule.rawValue, level: .error, file: issue.file, line: issue.line,
                column: issue.column, statement: nil, text: "", message: issue.message, suggestion: "")
        }
        self.init(findings: findings, statementCount: 0, isLoaded: false)
    }

    private init(findings: [Finding], statementCount: Int, isLoaded: Bool) {
        self.findings = findings
        self.statementCount = statementCount
        self.isLoaded = isLoaded
    }

    /// How many findings of `level` count.
    package func count(of level: FindingLevel) -> Int {
        findings.count { $0.level == level && $0.ignored == nil }
    }

    /// Whether a finding of `level` or graver counts.
    package func hasFindings(from level: FindingLevel) -> Bool {
        findings.contains { $0.level >= level && $0.ignored == nil }
    }
}
