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
                With --base REV one folder is given, and compared with what git has of it at that revision:
                countersign policy diff --base origin/main policies --no-new-access.
                With --replay only recorded calls are compared, with no grant at hand; 2 also when of one of
                them nobody can tell.
                """)
        @Argument(
            help: "The folders of policies: as they are, then as they shall be; with --base the latter.")
        var folders: [String]
        @Option(help: "A revision of git: what it has of the folder is what the policies are.")
        var base: String?
        @Flag(help: "Fail on new access and on gates that are lost or weaker, and on nothing else.")
        var noNewAccess = false
        @OptionGroup var options: ReplayOptions
        @Flag(help: "Print one JSON object.") var json = false

        private var old: PolicyPlace {
            base.map { .revision($0, of: folders[0]) } ?? .folder(folders[0])
        }
        private var new: PolicyPlace { .folder(folders[folders.count - 1]) }

        func validate() throws {
            guard folders.count == (base == nil ? 2 : 1) else {
                throw ValidationError(
                    base == nil
                        ? "two folders are compared, OLD and NEW, or one with --base REV"
                        : "with --base one folder is given")
            }
            guard options.replay != nil || (options.since == nil && options.agent == nil) else {
                throw ValidationError("--since and --agent choose calls of the log that --replay names")
            }
        }

        func run() throws {
            try orCannotTell {
                if options.replay != nil { return try replay() }
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

        private func replay() throws {
            let report = try replayPolicies(from: old, to: new, over: options.selection())
            print(json ? report.json.text : report.text)
            if noNewAccess ? report.widens : report.isChanged { throw Exit.no }
            if report.isUntold { throw Exit.cannotTell }
        }
    }
}
