import ArgumentParser
import Gateway
import Vocabulary

/// `countersign policy`: the security team's side.
struct PolicyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Prove what policy files say, before they are served.",
        subcommands: [
            Check.self, Test.self, Explain.self, Diff.self, Simulate.self, Learn.self, Export.self,
        ])

    struct Test: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Try the cases beside the policies: does every call get the decision it should?",
            discussion: """
                A case names its call in IAM's words, by an `aws …` command line that is run against a dry \
                run of the gate, or by a raw HTTP request beside it.

                Exit code 1 when a case fails or too few statements decide one, 2 when a file has a fault or \
                a case could not be tried.
                """)
        @Argument(help: "The folder of policies.") var policies = "policies"
        @Option(help: "The folder of cases (default: `cases` in that of the policies).") var cases: String?
        @Option(help: "How many of 100 statements must decide a case.") var minCoverage = 0
        @Option(help: "Seconds that the client of a case may take, 1 to 600.") var timeout = 60
        @Flag(help: "Print the cases that pass, too.") var all = false
        @Flag(help: "Print one JSON object.") var json = false

        func validate() throws {
            guard (0...100).contains(minCoverage) else {
                throw ValidationError("--min-coverage is 0 to 100")
            }
            guard (1...600).contains(timeout) else { throw ValidationError("--timeout is 1 to 600") }
        }

        func run() throws {
            try orCannotTell {
                let report = try testPolicies(
                    in: policies, cases: cases, leastCoverage: minCoverage, limit: .seconds(timeout),
                    listsAll: all)
                print(json ? String(decoding: report.json.canonical, as: UTF8.self) : report.text)
                guard let isPassed = report.isPassed else { throw Exit.cannotTell }
                if !isPassed { throw Exit.no }
            }
        }
    }
}
