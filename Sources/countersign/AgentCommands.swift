import ArgumentParser
import Gateway
import Glibc
import Vocabulary

/// `countersign env`: what an agent's shell needs.
struct Env: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Open or join a session, and print the exports that point a shell at the gate: "
            + "eval \"$(countersign env --agent me --task T)\"."
    )
    @OptionGroup var sockets: SocketOptions
    @Option(help: "The agent; needed, unless unsigned and the gate has one listener.") var agent: String?
    @Option(help: "What the agent is working on; a later run on the same task joins the session.")
    var task: String?
    @Option(help: "Why, for the record and the card.") var reason: String?
    @Option(help: "How long the keys are good, such as 2h.") var duration: String?
    @Flag(help: "No keys: calls are unsigned, and the listener they come to says whose they are.")
    var unsigned = false
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        guard unsigned || (agent != nil && task != nil) else {
            throw ValidationError("give --agent and --task, or --unsigned")
        }
    }

    func run() throws {
        let client = try sockets.agents()
        let environment: AgentEnvironment
        if unsigned {
            let reply = try orCannotTell { try client.get("/v1/listeners") }
            environment = try orCannotTell {
                try AgentEnvironment(unsignedAt: reply, agent: agent, task: task, reason: reason)
            }
        } else {
            let opened = try openSession(
                client, [("agent", agent), ("task", task), ("reason", reason)], duration: duration)
            environment = try orCannotTell {
                try AgentEnvironment(session: opened, files: nil, fetchesKeys: false)
            }
        }
        if json {
            return print(JSON.object(environment.set.map { .init($0.name, .string($0.value)) }).text)
        }
        for name in environment.unset(in: processEnvironment()) { print("unset \(name)") }
        for (name, value) in environment.set { print("export \(name)=\(shellQuoted(value))") }
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
