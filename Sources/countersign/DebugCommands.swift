import ArgumentParser
import Gateway
import Glibc

/// `countersign debug`: what the gate reads in a raw request, what policy says, and how a request is signed.
struct Debug: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "See what the gate reads in a raw request, and how it signs one.",
        subcommands: [Recognize.self, Decide.self, Sign.self])

    /// What a signature's credential scope is worth.
    enum Scope: String, ExpressibleByArgument { case use, ignore }

    struct Recognize: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Read one JSON request a line, print what each one means, through the code that the "
                + "gate runs."
        )
        @Flag(help: "One JSON object a line in and out; the only form there is.") var jsonl = false
        @Option(help: "The gateway's own account.") var account: String?
        @Option(help: "The region of calls that name none.") var region: String?
        @Option(help: "A host of one resource, as serve has it; once for each.") var resourceHost: [String] =
            []
        @Option(help: "Whether a signature's credential scope counts.") var scope = Scope.use

        func run() throws {
            try orCannotTell {
                let recognize = try debugRecognizer(
                    account: account, region: region, resourceHosts: resourceHost, usesScope: scope == .use)
                eachLine(recognize)
            }
        }
    }

    struct Decide: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Read policy files and supposed calls, one JSON object a line, print what policy says.")
        @Flag(help: "One JSON object a line in and out; the only form there is.") var jsonl = false

        func run() { eachLine(debugDecider()) }
    }

    struct Sign: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Read one JSON request a line, print its canonical request, string to sign and authorization."
        )
        @Flag(help: "One JSON object a line in and out; the only form there is.") var jsonl = false

        func run() { eachLine(debugSigner()) }
    }
}

/// Answers each line of standard input with one line, in order.
private func eachLine(_ answer: ([UInt8]) -> [UInt8]) {
    while let line = readLine(strippingNewline: true) {
        if line.isEmpty { continue }
        print(String(decoding: answer(Array(line.utf8)), as: UTF8.self))
        // Whoever waits for the answer before the next question gets it.
        fflush(nil)
    }
}
