import Deciding
import Vocabulary

/// What `countersign policy test` prints, and whether it is a yes.
package struct PolicyTestReport: Sendable {
    /// For people, without the last line break.
    package let text: String
    /// The same as one object.
    package let json: JSON
    /// Whether every case is decided as it says and enough statements decide one; nil where a case could not
    /// be tried.
    package let isPassed: Bool?
}

/// Tries the cases in `cases` (nil: the folder `cases` in that of the policies) on the policies of the folder
/// `policies`.
///
/// Calls that must be made are made at dry runs of their own, several at a time; each may take `limit`.
/// `leastCoverage` is the least share of statements, in percent, that must decide a case. `listsAll` prints
/// the cases that pass, too.
///
/// - Throws: ``ConfigurationError`` for policies or cases that cannot be read, with every fault found, and
///   for a signal meanwhile.
package func testPolicies(
    in policies: String, cases folder: String?, leastCoverage: Int, limit: Duration, listsAll: Bool
) throws -> PolicyTestReport {
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
    let made = try madeCalls(of: cases, in: folder, under: policy, limit: limit)
    return report(PolicyTest(cases, on: policy, made: made), leastCoverage: leastCoverage, listsAll: listsAll)
}

private func report(_ test: PolicyTest, leastCoverage: Int, listsAll: Bool) -> PolicyTestReport {
    var lines: [String] = []
    for result in test.results where listsAll || !result.isAsStated {
        let one = result.tried
        let place = "\(one.file):\(one.line): \(shown(one.description))"
        switch (result.found, result.fault) {
        case (let found?, _) where result.isAsStated: lines.append("\(place): \(found)")
        case (let found?, _):
            lines.append("\(place)\n  must be  \(shown(one.says))\n  but is   \(shown(found))")
        case (nil, let fault):
            lines.append("\(place)\n  must be  \(shown(one.says))\n  untried  \(fault ?? "")")
        }
    }
    for statement in test.unreached {
        lines.append("\(statement.file):\(statement.line): \(statement.id) decides no case")
    }
    let (failed, untried) = (test.failures.count, test.faults.count)
    let isCovered = test.coverage >= leastCoverage
    let count = "\(test.results.count) \(test.results.count == 1 ? "case" : "cases")"
    let wanted = isCovered ? "" : ", at least \(leastCoverage) % wanted"
    lines.append(
        "\(count), \(failed == 0 ? "none fails" : "\(failed) failed")"
            + (untried == 0 ? "; " : ", \(untried) could not be tried; ")
            + "\(test.statementCount - test.unreached.count) of \(test.statementCount) statements decide one "
            + "(\(test.coverage) %\(wanted))")
    let report: JSON = [
        "cases": .array(
            test.results.map(json)), "failed": .integer(failed), "untried": .integer(untried),
        "statements": .integer(test.statementCount),
        "unreached": .strings(test.unreached.map(\.id.description)), "coverage": .integer(test.coverage),
    ]
    return PolicyTestReport(
        text: lines.joined(separator: "\n"), json: report,
        isPassed: untried == 0 ? failed == 0 && isCovered : nil)
}

private func json(_ result: PolicyTest.Result) -> JSON {
    let one = result.tried
    var members: [JSON.Member] = [
        .init("file", .string(one.file)), .init("line", .integer(one.line)),
        .init("agent", .string(one.agent.text)),
    ]
    switch one.subject {
    case .supposed(let call):
        members += [.init("action", .string(call.action)), .init("resource", .string(call.resource))]
    case .run(let words, _): members.append(.init("run", .strings(words)))
    case .request(let file, _): members.append(.init("request", .string(file)))
    }
    members += [
        .init("says", .string(one.says)), .init("found", result.found.map { .string($0) } ?? .null),
        .init("passed", .bool(result.isAsStated)),
    ]
    if let fault = result.fault { members.append(.init("untried", .string(fault))) }
    return .object(members)
}
