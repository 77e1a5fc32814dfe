import ArgumentParser
import Gateway
import Vocabulary

extension PolicyCommand {
    struct Explain: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say why a call is decided as it is: every pair, statement and condition.",
            discussion: """
                Runs CMD against a dry run of the gate, which takes every call and sends none: \
                countersign policy explain --agent support-7 -- aws s3 rm s3://bucket/key. CMD itself \
                is run as it is; only its AWS calls stay here.

                Exit code 0: every call is allowed; 1: one asks or is denied; 2: no call came, or one \
                that is not recognized.
                """)
        @Option(help: "The folder of policies.") var policies = "policies"
        @Option(help: "The agent that calls (default local).") var agent: String?
        @Option(help: "What the agent says it is working on.") var task: String?
        @Option(help: "How sure the gate is of the agent: listener, uid or signed.") var strength = "listener"
        @Option(help: "The moment to judge at, such as 2026-11-24T08:30:00Z (default now).") var at: String?
        @Option(help: "The host that the gate runs on, for countersign:Host (default not known).")
        var host: String?
        @Option(help: "The gateway's own account.") var account: String?
        @Option(help: "The region of calls that name none.") var region: String?
        @Option(help: "A host of one resource, as serve has it; once for each.") var resourceHost: [String] =
            []
        @Option(help: "The configuration file that `serve` is started with.") var config: String?
        @Option(help: "Explain one raw HTTP request in this file instead, - for standard input.")
        var request: String?
        @Option(help: "Seconds that CMD may take, 1 to 600.") var timeout = 60
        @Flag(help: "Print every pair and every statement, also those about other actions.") var all = false
        @Flag(help: "Print what CMD writes.") var verbose = false
        @Flag(help: "Print all as one JSON object.") var json = false
        @Argument(parsing: .postTerminator, help: "The client to run, after --.") var command: [String] = []

        func validate() throws {
            guard (request == nil) != command.isEmpty else {
                throw ValidationError("give a command after -- or --request FILE, one of both")
            }
            guard IdentityStrength(rawValue: strength) != nil else {
                throw ValidationError("--strength is listener, uid or signed")
            }
            guard (1...600).contains(timeout) else { throw ValidationError("--timeout is 1 to 600") }
            guard at == nil || moment != nil else {
                throw ValidationError("--at is a moment such as 2026-11-24T08:30:00Z")
            }
        }

        private var moment: Instant? { at.flatMap { Instant(parsing: $0) } }

        func run() throws {
            try orCannotTell {
                var flags: [String: [String]] = [:]
                if let account { flags["account"] = [account] }
                if let region { flags["region"] = [region] }
                if !resourceHost.isEmpty { flags["resource-host"] = resourceHost }
                let question = PolicyQuestion(
                    request.map { .request($0) } ?? .client(command), agent: agent, policies: policies,
                    strength: IdentityStrength(rawValue: strength) ?? .listener, task: task,
                    at: moment ?? Clock().wall, host: host, limit: .seconds(timeout))
                let explanation = try explainPolicies(
                    question, configuration: Configuration.load(flags: flags, file: config))
                print(
                    json
                        ? explanation.json(verbose: verbose).text
                        : explanation.text(listsAll: all, verbose: verbose))
                switch explanation.verdict {
                case .allowed: return
                case .asks, .denied: throw Exit.no
                case .unknown: throw Exit.cannotTell
                }
            }
        }
    }
}
