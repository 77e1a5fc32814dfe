import Deciding
import Recognizing
import Vocabulary

/// What `countersign policy check` prints, and what comes of it.
package struct PolicyCheckReport: Sendable {
    /// How it is printed.
    package enum Form: String, Sendable, CaseIterable {
        case text, json, sarif
    }

    /// The least level of a finding that fails a build.
    package enum Level: String, Sendable, CaseIterable {
        case note, warning, error

        var least: FindingLevel {
            switch self {
            case .note: .note
            case .warning: .warning
            case .error: .error
            }
        }
    }

    /// Without the last line break.
    package let text: String
    /// Whether the set loads; if not, nothing can be told of it.
    package let isLoaded: Bool
    /// Whether no finding counts that is as grave as the build's limit.
    package let isPassed: Bool
}

/// Looks at the policies of the folder `path` as of `at`, and at what its `check/ignore.yaml` says.
///
/// `listsNotes` prints notes and ignored findings in text, too. Never
/// throws: a folder that cannot be read is a finding, so that a program that reads the report learns of it.
package func checkPolicies(
    in path: String, form: PolicyCheckReport.Form, failOn: PolicyCheckReport.Level, listsNotes: Bool,
    at: Instant = Clock().wall
) -> PolicyCheckReport {
    let limit = failOn.least
    let check = check(path, at: at)
    let isPassed = check.isLoaded && !check.hasFindings(from: limit)
    let text =
        switch form {
        case .text: checkText(check, folder: path, limit: limit, listsNotes: listsNotes)
        case .json:
            String(
                decoding: checkJSON(check, folder: path, limit: limit, isPassed: isPassed).canonical,
                as: UTF8.self)
        case .sarif: String(decoding: sarifLog(check, folder: path).canonical, as: UTF8.self)
        }
    return PolicyCheckReport(text: text, isLoaded: check.isLoaded, isPassed: isPassed)
}

private func check(_ path: String, at: Instant) -> PolicyCheck {
    do throws(FileError) {
        let folder = try PolicyFolder(path)
        return PolicyCheck(
            try folder.read(), ignoring: try folder.file("check/ignore.yaml"), catalog: .builtIn, at: at)
    } catch { return PolicyCheck(unreadable: "", error.description) }
}

/// The file of a finding as it is found from where the command runs.
func pathOf(_ finding: Finding, in folder: String) -> String {
    let folder = folder.hasSuffix("/") && folder != "/" ? String(folder.dropLast()) : folder
    return finding.file.isEmpty ? folder : "\(folder)/\(finding.file)"
}

// MARK: - Text

private func checkText(
    _ check: PolicyCheck, folder: String, limit: FindingLevel, listsNotes: Bool
) -> String {
    var lines: [String] = []
    for finding in check.findings {
        let isTold = listsNotes || (finding.ignored == nil && finding.level >= min(limit, .warning))
        guard isTold else { continue }
        let place = "\(shown(pathOf(finding, in: folder))):\(finding.line):\(finding.column)"
        let level = finding.ignored == nil ? finding.level.rawValue : "ignored"
        lines.append("\(place): \(level): \(shown(finding.message)) [\(finding.rule)]")
        if let reason = finding.ignored {
            lines.append("    because: \(shown(reason))")
        } else if !finding.suggestion.isEmpty {
            lines.append("    mend: \(finding.suggestion)")
        }
    }
    guard check.isLoaded else {
        return (lines + ["the set does not load, so nothing else is looked at"]).joined(separator: "\n")
    }
    let counts = FindingLevel.allCases.reversed().map { counted(check.count(of: $0), $0.rawValue) }
    let ignored = check.findings.count { $0.ignored != nil }
    let hidden = listsNotes ? "" : "; --all prints notes and what is ignored"
    lines.append(
        "\(counted(check.statementCount, "statement")), \(PolicyCheck.rules.count) rules: "
            + counts.joined(separator: ", ") + ", \(ignored) ignored" + hidden)
    return lines.joined(separator: "\n")
}

private func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

// MARK: - JSON

private func checkJSON(_ check: PolicyCheck, folder: String, limit: FindingLevel, isPassed: Bool) -> JSON {
    let findings: [JSON] = check.findings.map { finding in
        [
            "rule": .string(finding.rule), "level": .string(finding.level.rawValue),
            "file": .string(pathOf(finding, in: folder)), "line": .integer(finding.line),
            "column": .integer(finding.column),
            "statement": finding.statement.map { .string($0.description) } ?? .null,
            "text": .string(finding.text), "message": .string(finding.message),
            "suggestion": .string(finding.suggestion),
            "ignored": finding.ignored.map { .string($0) } ?? .null,
        ]
    }
    return [
        "loaded": .bool(check.isLoaded), "passed": .bool(isPassed), "fail_on": .string(limit.rawValue),
        "statements": .integer(check.statementCount), "errors": .integer(check.count(of: .error)),
        "warnings": .integer(check.count(of: .warning)), "notes": .integer(check.count(of: .note)),
        "ignored": .integer(check.findings.count { $0.ignored != nil }), "findings": .array(findings),
    ]
}
