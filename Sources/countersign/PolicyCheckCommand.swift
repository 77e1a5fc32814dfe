import ArgumentParser
import Gateway
import Vocabulary

extension PolicyCommand {
    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Look for what policies say without meaning it: too much, nothing, or past a gate.",
            discussion:
                "docs/policy-check.md has a line on every rule. Findings that are meant go into "
                + "check/ignore.yaml beside the policies, with a reason. Exit code 1 when a "
                + "finding is as grave "
                + "as --fail-on, 2 when the set does not load.")
        @Argument(help: "The folder of policies.") var policies = "policies"
        @Option(help: "text, json, or sarif for code scanning (SARIF 2.1.0).") var format:
            PolicyCheckReport.Form?
        @Option(help: "The least level that fails: note, warning or error.") var failOn = PolicyCheckReport
            .Level.warning
        @Flag(help: "Print notes and what is ignored, too.") var all = false
        @Flag(help: "Print one JSON object, as --format json does.") var json = false

        func validate() throws {
            if json, let format, format != .json {
                throw ValidationError("--json and --format \(format.rawValue) exclude each other")
            }
        }

        func run() throws {
            let report = checkPolicies(
                in: policies, form: format ?? (json ? .json : .text), failOn: failOn, listsNotes: all)
            print(report.text)
            if !report.isLoaded { throw Exit.cannotTell }
            if !report.isPassed { throw Exit.no }
        }
    }
}

extension PolicyCheckReport.Form: ExpressibleByArgument {}
extension PolicyCheckReport.Level: ExpressibleByArgument {}
