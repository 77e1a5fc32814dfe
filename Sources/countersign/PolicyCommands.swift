import ArgumentParser
import Gateway
import Vocabulary

/// `countersign policy`: the security team's side.
struct PolicyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Prove what policy files say, before they are served.",
        subcommands: [Check.self, Test.self, Explain.self, Diff.self])

    struct Test: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Try the cases beside the policies: does every call get the decision it should?",
            discussion:
                "Exit code 1 when a case fails or too few statements decide one, 2 when a file has a fault.")
        @Argument(help: "The folder of policies.") var policies = "policies"
        @Option(help: "The folder of cases (default: `cases` in that of the policies).") var cases: String?
        @Option(help: "How many of 100 statements must decide a case.") var minCoverage = 0
        @Flag(help: "Print the cases that pass, too.") var all = false
        @Flag(help: "Print one JSON object.") var json = false

        func validate() throws {
            guard (0...100).contains(minCoverage) else {
                throw ValidationError("--min-coverage is 0 to 100")
            }
        }

        func run() throws {
            try orCannotTell {
                let report = try testPolicies(
                    in: policies, cases: cases, leastCoverage: minCoverage, listsAll: all)
                print(json ? String(decoding: report.json.canonical, as: UTF8.self) : report.text)
                if !report.isPassed { throw Exit.no }
            }
        }
    }
}
