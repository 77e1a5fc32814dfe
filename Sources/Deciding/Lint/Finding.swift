import Hashing
import Vocabulary

/// How grave a finding is; in SARIF's words.
package enum FindingLevel: String, Hashable, Sendable, CaseIterable, Comparable {
    /// Worth knowing when reading the policy; often meant.
    case note
    /// Probably not what was meant, or wider than it needs to be.
    case warning
    /// Does not do what it says, or opens everything.
    case error

    package static func < (left: FindingLevel, right: FindingLevel) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .note: 0
        case .warning: 1
        case .error: 2
        }
    }
}

/// One thing that `policy check` has to say of a policy set.
package struct Finding: Hashable, Sendable {
    /// The rule's id, which never changes: `allow-everything`.
    package let rule: String
    package let level: FindingLevel
    package let file: String
    /// From 1; columns count characters.
    package let line: Int
    package let column: Int
    /// The statement it is about; nil where it is about none.
    package let statement: StatementID?
    /// The text at fault, as the file has it; empty where there is none.
    package let text: String
    /// Lower case, no full stop.
    package let message: String
    /// What to do about it; empty where the message says it.
    package let suggestion: String
    /// Why it does not count, in the words of check/ignore.yaml; nil for one that counts.
    package internal(set) var ignored: String?

    /// The same for the same finding after lines moved: rule, statement and text at fault.
    package var fingerprint: Digest {
        sha256("\(rule)\n\(file)\n\(statement?.description ?? "")\n\(text)\n\(message)")
    }

    /// By file, place and rule.
    static func isBefore(_ left: Finding, _ right: Finding) -> Bool {
        (left.file, left.line, left.column, left.rule, left.message)
            < (right.file, right.line, right.column, right.rule, right.message)
    }
}

/// A finding as a rule writes it: the table knows the rule's id and usual level.
struct Remark {
    let file: String
    let place: Place
    let statement: StatementID?
    let text: String
    var message: String
    let suggestion: String
    /// Where this one is graver or lighter than its rule usually is.
    var level: FindingLevel?
}

/// One rule of `policy check`.
package struct LintRule: Sendable {
    /// Never changes and is never given to another rule.
    package let id: String
    /// The level of most of its findings.
    package let level: FindingLevel
    /// What it looks for, in a line.
    package let summary: String
    let look: @Sendable (Lint) -> [Remark]

    init(
        _ id: String, _ level: FindingLevel, _ summary: String, _ look: @escaping @Sendable (Lint) -> [Remark]
    ) {
        (self.id, self.level, self.summary, self.look) = (id, level, summary, look)
    }

    func findings(in lint: Lint) -> [Finding] {
        look(lint).map { remark in
            Finding(
                rule: id, level: remark.level ?? level, file: remark.file, line: remark.place.line,
                column: remark.place.column, statement: remark.statement, text: remark.text,
                message: remark.message, suggestion: remark.suggestion)
        }
    }
}
