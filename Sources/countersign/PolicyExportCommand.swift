import ArgumentParser
import Gateway
import Vocabulary

extension PolicyRoom: ExpressibleByArgument {}

extension PolicyCommand {
    /// `countersign policy export`: the set in the words of another system.
    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write the permission boundary for the gateway's own role.",
            discussion: """
                The policy goes to standard output; what it says otherwise than the set, and its size, go to
                standard error. Exit code 1 when it is too large, 2 when a file has a fault.
                """)
        @Argument(help: "The folder of policies.") var policies = "policies"
        @Flag(help: "As an IAM policy, the only form there is.") var iam = false
        @Option(help: "Where it shall fit: managed (6,144 characters), inline (10,240) or session (2,048).")
        var limit = PolicyRoom.managed
        @Flag(help: "Write several actions of one verb as one pattern; tells what that adds.")
        var compact = false
        @Flag(help: "Where it does not fit, write several policies to attach together.") var split = false
        @Flag(help: "Print one JSON object, with the notes in it.") var json = false

        func validate() throws {
            guard iam else { throw ValidationError("say --iam: it is the only form there is") }
        }

        func run() throws {
            try orCannotTell {
                let report = try exportBoundary(of: policies, room: limit, isCompact: compact, splits: split)
                print(json ? String(decoding: report.json.canonical, as: UTF8.self) : report.policy)
                if !json { for note in report.notes { complain(note) } }
                if !report.fits { throw Exit.no }
            }
        }
    }
}
