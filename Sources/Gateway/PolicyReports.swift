import Deciding
import Vocabulary

/// What `countersign policy test` prints, and whether it is a yes.
package struct PolicyTestReport: Sendable {
    /// For people, without the last line break.
    package let text: String
    /// The same as one object.
    package let json: JSON
    /// Whether every case is decided as it says and enough statements decide one.
    package let isPassed: Bool
}

/// Tries the cases in `cases` (nil: the folder `cases` in that of the policies) on the policies of the folder
/// `policies`.
///
/// `leastCoverage` is the least share of statements, in percent, that must decide a case. `listsAll` prints
/// the cases that pass, too.
///
/// - Throws: ``ConfigurationError`` for policies or cases that cannot be read, with every fault found.
package func testPolicies(
    in policies: String, cases folder: String?, leastCoverage: Int, listsAll: Bool
) throws(ConfigurationError) -> PolicyTestReport {
    let policy = try loadPolicies(policies)
    let folder = folder ?? policies + "/cases"
    var cases: [PolicyCase] = []
    var faults: [String] = []
    let names: [String]
    do { names = try listFolder(folder).filter(PolicyFile.isRead) } catch {
        throw ConfigurationError(error.description)
    }
    for name in names {
        let bytes: [UInt8]
        do { bytes = try readFile("\(folder)/\(name)", limit: 1 << 20, isGuarded: false) } catch {
            throw ConfigurationError(error.description)
        }
        do { cases += try PolicyCase.read(PolicyFile(name: name, bytes: bytes)) } catch {
            faults.append(error.description)
        }
    }
    guard faults.isEmpty else { throw ConfigurationError(faults.joined(separator: "\n")) }
    guard !cases.isEmpty else {
        throw ConfigurationError("`\(folder)` holds no case: `Cases:` in a .yaml file")
    }
    return report(PolicyTest(cases, on: policy), leastCoverage: leastCoverage, listsAll: listsAll)
}

private func report(_ test: PolicyTest, leastCoverage: Int, listsAll: Bool) -> PolicyTestReport {
    var lines: [String] = []
    for result in test.results where listsAll || !result.isAsStated {
        let one = result.tried
        let place = "\(one.file):\(one.line): \(shown(one.description))"
        lines.append(
            result.isAsStated
                ? "\(place): \(result.found)"
                : "\(place)\n  must be  \(shown(one.says))\n  but is   \(result.found)")
    }
    for statement in test.unreached {
        lines.append("\(statement.file):\(statement.line): \(statement.id) decides no case")
    }
    let failed = test.failures.count
    let isCovered = test.coverage >= leastCoverage
    let count = "\(test.results.count) \(test.results.count == 1 ? "case" : "cases")"
    let wanted = isCovered ? "" : ", at least \(leastCoverage) % wanted"
    lines.append(
        "\(count), \(failed == 0 ? "none fails" : "\(failed) failed"); "
            + "\(test.statementCount - test.unreached.count) of \(test.statementCount) statements decide one "
            + "(\(test.coverage) %\(wanted))")
    let json: JSON = [
        "cases": .array(
            test.results.map { result in
                [
                    "file": .string(result.tried.file), "line": .integer(result.tried.line),
                    "agent": .string(result.tried.agent.text), "action": .string(result.tried.action),
                    "resource": .string(result.tried.resource), "says": .string(result.tried.says),
                    "found": .string(result.found), "passed": .bool(result.isAsStated),
                ]
            }), "failed": .integer(failed), "statements": .integer(test.statementCount),
        "unreached": .strings(test.unreached.map(\.id.description)), "coverage": .integer(test.coverage),
    ]
    return PolicyTestReport(
        text: lines.joined(separator: "\n"), json: json, isPassed: failed == 0 && isCovered)
}
