import ArgumentParser
import Gateway
import Vocabulary

/// Which recorded calls a command is about.
struct ReplayOptions: ParsableArguments {
    @Option(
        help: "The folder of the log, `log` in the state folder of `serve` (default: where --state says).")
    var replay: String?
    @Option(help: "Only calls since then: 7d, 12h, 2026-11-24 or 2026-11-24T08:30:00Z.") var since: String?
    @Option(help: "Only calls of this agent, or of those that a pattern as support-* matches.") var agent:
        String?

    private var moment: Instant? { since.flatMap { Gateway.moment($0, before: Clock().wall) } }

    func validate() throws {
        guard since == nil || moment != nil else {
            throw ValidationError("--since is so long ago, as 7d, or a moment, as 2026-11-24T08:30:00Z")
        }
        guard LogSelection(folder: "", since: nil, agents: agent) != nil else {
            throw ValidationError(
                "--agent is a name of a-z, 0-9 and -, with * and ? for what may be anything")
        }
    }

    /// The selected calls of the log, which is where `place` says unless --replay names it.
    func selection(_ place: Log.Place? = nil) throws -> LogSelection {
        let folder = try replay ?? place?.folder() ?? ""
        guard let selected = LogSelection(folder: folder, since: moment, agents: agent) else {
            throw ValidationError("--agent is no pattern of agents' names")
        }
        return selected
    }
}

extension PolicyCommand {
    struct Simulate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say what policies would have decided of recorded calls: how many ask, and whom.",
            discussion: """
                No grant is at hand and every limit is unused: what is counted is what the policies say. A \
                repeat of a call within the life and the uses of its grant makes no new question.

                Exit code 0; 2 when the log or the policies cannot be read, or of some call nobody can tell.
                """)
        @Argument(help: "The folder of policies.") var policies = "policies"
        @OptionGroup var options: ReplayOptions
        @OptionGroup var place: Log.Place
        @Flag(help: "Print one JSON object.") var json = false

        func run() throws {
            try orCannotTell {
                let report = try simulatePolicies(in: policies, over: options.selection(place))
                print(json ? report.json.text : report.text)
                if report.isUntold { throw Exit.cannotTell }
            }
        }
    }

    struct Learn: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Draft a least-privilege policy from what an agent did, for a human to read.",
            discussion: """
                Reads become Allow, all else AllowWithApproval; names of approvers are yours to put in. The \
                draft goes to standard output and takes effect nowhere.
                """)
        @OptionGroup var options: ReplayOptions
        @OptionGroup var place: Log.Place
        @Option(help: "A group or person to be asked; once for each. Without it the draft does not load.")
        var approvers: [String] = []
        @Flag(help: "Print one JSON object.") var json = false

        func run() throws {
            try orCannotTell {
                let draft = try learnPolicy(
                    from: options.selection(place), approvers: approvers.isEmpty ? nil : approvers)
                print(json ? draft.json.text : draft.text)
            }
        }
    }
}
