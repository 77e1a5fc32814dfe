import Deciding
import Vocabulary

/// `check` as a SARIF log of one run, which code scanning takes.
///
/// What check/ignore.yaml covers is there with its reason, as suppressed. Columns count characters.
///
/// - SeeAlso: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", sections 3.14 to
///   3.49.
func sarifLog(_ check: PolicyCheck, folder: String) -> JSON {
    let rules: [JSON] = PolicyCheck.rules.map { rule in
        [
            "id": .string(rule.id), "shortDescription": ["text": .string(rule.summary)],
            "help": ["text": .string("docs/policy-check.md, \(rule.id)")],
            "defaultConfiguration": ["level": .string(rule.level.rawValue)],
        ]
    }
    let driver: JSON = [
        "name": "countersign policy check", "version": .string(gateVersion), "rules": .array(rules),
    ]
    let run: JSON = [
        "tool": ["driver": driver], "columnKind": "unicodeCodePoints",
        "invocations": [["executionSuccessful": .bool(check.isLoaded)]],
        "results": .array(check.findings.map { sarifResult($0, folder: folder) }),
    ]
    return ["version": "2.1.0", "runs": [run]]
}

private func sarifResult(_ finding: Finding, folder: String) -> JSON {
    var region: [JSON.Member] = [
        .init("startLine", .integer(finding.line)), .init("startColumn", .integer(finding.column)),
    ]
    if !finding.text.isEmpty { region.append(.init("snippet", ["text": .string(finding.text)])) }
    var location: [JSON.Member] = [
        .init(
            "physicalLocation",
            [
                "artifactLocation": ["uri": .string(uriReference(pathOf(finding, in: folder)))],
                "region": .object(region),
            ])
    ]
    if let statement = finding.statement {
        location.append(
            .init(
                "logicalLocations",
                [["fullyQualifiedName": .string(statement.description), "kind": "object"]]))
    }
    let mend = finding.suggestion.isEmpty ? "" : ". To mend it: \(finding.suggestion)"
    var result: [JSON.Member] = [
        .init("ruleId", .string(finding.rule)),
        .init("ruleIndex", .integer(PolicyCheck.rules.firstIndex { $0.id == finding.rule } ?? -1)),
        .init("level", .string(finding.level.rawValue)),
        .init("message", ["text": .string(finding.message + mend)]),
        .init("locations", [.object(location)]),
        .init("partialFingerprints", ["countersign/v1": .string("\(finding.fingerprint)")]),
    ]
    if let reason = finding.ignored {
        result.append(
            .init("suppressions", [["kind": "external", "justification": .string(reason)]]))
    }
    return .object(result)
}

/// `path` as a URI reference of RFC 3986: a whole `file:` URI where it begins with `/`.
private func uriReference(_ path: String) -> String {
    let digits = Array("0123456789ABCDEF".unicodeScalars)
    var uri = String.UnicodeScalarView((path.hasPrefix("/") ? "file://" : "").unicodeScalars)
    for byte in path.utf8 {
        let isPlain = byte.isAlphanumeric || [0x2D, 0x2E, 0x2F, 0x5F, 0x7E].contains(byte)
        if isPlain {
            uri.append(Unicode.Scalar(byte))
        } else {
            uri += ["%", digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
    return String(uri)
}
