import ArgumentParser
import Gateway
import Glibc
import Vocabulary

/// `countersign env`: what an agent's shell needs.
struct Env: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Print the exports that point an agent's shell at the gate: eval \"$(countersign env "
            + "--agent me)\"."
    )
    @OptionGroup var sockets: SocketOptions
    @Option(help: "The agent; needed when the gate has listeners for several.") var agent: String?
    @Option(help: "What the agent is working on, for the record.") var task: String?
    @Option(help: "Why, for the record and the card.") var reason: String?
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let reply = try orCannotTell { try sockets.agents().get("/v1/listeners") }
        let names = try orCannotTell {
            try agentEnvironment(listeners: reply, agent: agent, task: task, reason: reason)
        }
        if json {
            return print(JSON.object(names.set.map { .init($0.name, .string($0.value)) }).text)
        }
        for name in names.unset { print("unset \(name)") }
        for (name, value) in names.set { print("export \(name)=\(shellQuoted(value))") }
    }
}

/// `countersign wait ID`: waits for a human's answer.
struct Wait: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Wait for the answer to one's own call, at most 100 s; then run CMD. Exit 0 approved, 1 "
            + "not, 3 not yet."
    )
    @OptionGroup var sockets: SocketOptions
    @Option(help: "Seconds to wait, at most 100.") var seconds = 100
    @Flag(help: "Print JSON.") var json = false
    @Argument(help: "apr-….") var id: String
    @Argument(parsing: .postTerminator, help: "What to run once it is approved.") var command: [String] = []

    func run() throws {
        let client = try sockets.agents()
        let path = "/v1/approvals/\(id)/wait?seconds=\(max(0, min(seconds, 100)))"
        let answer = try orCannotTell { try client.get(path, patience: .seconds(115)) }
        if json { print(answer.text) }
        switch answer["state"]?.string {
        case "approved":
            if !json {
                print(
                    "\(id) is approved: \(shown(answer["call"]?.string ?? "")). Repeating the call "
                        + "runs it once."
                )
            }
            guard let program = command.first else { return }
            fflush(nil)
            var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) }
            arguments.append(nil)
            execvp(program, arguments)
            complain("\(program): \(String(cString: strerror(errno)))")
            throw Exit.cannotTell
        case "pending":
            if !json {
                print("\(id) still waits, \(answer["open_s"]?.integer ?? 0) s more. Nothing was sent to AWS.")
            }
            throw Exit.notYet
        case let state:
            if !json {
                let reason = answer["reason"]?.string.map { ": \"\(shown($0))\"" } ?? ""
                print("\(id) is \(state ?? "not known")\(reason). Nothing was sent to AWS.")
            }
            throw Exit.no
        }
    }
}
