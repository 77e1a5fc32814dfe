import ArgumentParser
import Gateway
import Vocabulary

extension PolicyCommand {
    /// `countersign policy diff`: what a change of policies changes.
    struct Diff: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say which calls two folders of policies decide differently.",
            discussion: """
                Exit code 0 when every call is decided alike, 1 when some are not, 2 when that cannot be told.
                With --no-new-access 0 when nothing gets through more easily than before, else 1.
                """)
        @Argument(help: "The folder of policies as they are.") var old: String
        @Argument(help: "The folder of policies as they shall be.") var new: String
        @Flag(help: "Fail on new access and on gates that are lost or weaker, and on nothing else.")
        var noNewAccess = false
        @Flag(help: "Print one JSON object.") var json = false

        func run() throws {
            try orCannotTell {
                let report = try diffPolicies(from: old, to: new)
                print(json ? String(decoding: report.json.canonical, as: UTF8.self) : report.text)
                if noNewAccess {
                    if report.widens { throw Exit.no }
                    return
                }
                switch report.answer {
                case .same: return
                case .different: throw Exit.no
                case .undecided: throw Exit.cannotTell
                }
            }
        }
    }
}
