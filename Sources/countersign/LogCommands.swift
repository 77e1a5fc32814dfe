import ArgumentParser
import Gateway
import Glibc
import Vocabulary

/// `countersign log`: the operator's side.
struct Log: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read and verify the signed-request log.",
        subcommands: [Tail.self, Story.self, Verify.self])

    /// Where the log is.
    struct Place: ParsableArguments {
        @Option(help: "The state folder that `serve` was started with.") var state: String?
        @Option(help: "The configuration file that `serve` was started with.") var config: String?

        func folder() throws -> String {
            var flags: [String: [String]] = [:]
            if let state { flags["state"] = [state] }
            return try orCannotTell { try Configuration.load(flags: flags, file: config).state + "/log" }
        }
    }

    struct Tail: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print the last entries, one line each.")
        @OptionGroup var place: Place
        @Flag(name: .shortAndLong, help: "Go on with every new entry.") var follow = false
        @Option(name: .customShort("n"), help: "How many of the last entries; all without it when --json.")
        var last: Int?
        @Flag(help: "Print the entries as they stand in the log.") var json = false

        func run() throws {
            let color = isatty(STDOUT_FILENO) != 0 && getenv("NO_COLOR") == nil && !json
            let count = last ?? (json ? nil : 20)
            let folder = try place.folder()
            try orCannotTell {
                try tailLog(folder: folder, last: count, follows: follow, json: json, color: color) {
                    print($0)
                    if follow { fflush(nil) }
                }
            }
        }
    }

    struct Story: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Tell the story of an approval, grant or request.")
        @OptionGroup var place: Place
        @Argument(help: "apr-…, grt-… or req-….") var id: String
        @Flag(help: "Print JSON.") var json = false

        func run() throws {
            let folder = try place.folder()
            guard let text = try orCannotTell({ try storyText(of: id, folder: folder) }) else {
                complain("the log knows nothing of `\(shown(id))`")
                throw Exit.no
            }
            guard json else { return print(text) }
            print(JSON.object([.init("id", .string(id)), .init("text", .string(text))]).text)
        }
    }

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check every link of the log. Exit 0 sound, 1 not, 2 cannot tell.")
        @OptionGroup var place: Place
        @Option(help: "A head that the log must still contain: detects a cut tail.") var expectHead: String?
        @Option(help: "Write the head there, to be kept elsewhere for --expect-head.") var writeHead: String?
        @Flag(help: "Print JSON.") var json = false

        func run() throws {
            let folder = try place.folder()
            let found = try orCannotTell { try verifyLog(folder: folder, head: expectHead) }
            if json { print(found.json.text) } else { for line in found.lines { print(line) } }
            guard found.isSound else { throw Exit.no }
            if let writeHead, let head = found.head {
                let text = head.last == 0x0A ? head : head + [0x0A]
                try orCannotTell { try writeFile(writeHead, text) }
            }
        }
    }
}
