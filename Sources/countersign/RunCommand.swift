import ArgumentParser
import Gateway
import Glibc
import Vocabulary

/// What an agent says when it opens a session.
struct SessionOptions: ParsableArguments {
    @Option(help: "The agent; not with --resume.") var agent: String?
    @Option(help: "What it works on; a later run on the same task joins the session.") var task: String?
    @Option(help: "Why, for the record and the card.") var reason: String?
    @Option(help: "How long the keys are good, such as 2h (default and most: as the operator has it, 12h).")
    var duration: String?
    @Option(help: "The account that the calls are for, 12 digits (default: the gateway's own).")
    var account: String?
    @Option(help: "Go on with the session of this approval: apr-….") var resume: String?

    func validate() throws {
        guard resume != nil || (agent != nil && task != nil) else {
            throw ValidationError("give --agent and --task, or --resume apr-…")
        }
    }

    /// Opens or joins the session; the answer holds its keys.
    func open(_ client: ControlClient) throws -> JSON {
        try openSession(
            client,
            [
                ("agent", agent), ("task", task), ("reason", reason), ("account", account),
                ("resume", resume),
            ], duration: duration)
    }
}

/// Opens or joins the session that `texts` say; the answer holds its keys.
func openSession(
    _ client: ControlClient, _ texts: [(name: String, text: String?)], duration: String?
) throws -> JSON {
    var members = texts.compactMap { name, text in text.map { JSON.Member(name, .string($0)) } }
    if let duration {
        guard let seconds = seconds(inDuration: duration) else {
            throw ValidationError("--duration is a whole number and s, m or h, such as 90m")
        }
        members.append(.init("seconds", .integer(seconds)))
    }
    return try orCannotTell { try client.post("/v1/sessions", .object(members)) }
}

/// `countersign run … -- CMD`: runs an agent's command with keys of its own.
struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a command as an agent: with keys that open nothing but the gate.",
        discussion: """
            countersign run --agent support-7 --task JIRA-42 --reason 'the customer asked' -- aws s3 ls

            A later run of the same agent, task and user joins the session while it is open (8 hours without \
            a call), so that a repeated command meets its approval. Exit code: the command's, or 128 and the \
            signal that ended it; 2 when no session was opened, 127 when there is no such command.
            """)
    @OptionGroup var sockets: SocketOptions
    @OptionGroup var session: SessionOptions
    @Flag(
        help: "Let clients fetch keys from the gate, again and again: for commands that outlive their keys.")
    var fetchKeys = false
    @Flag(help: "When the command fails, print its approvals as one JSON object on standard error.")
    var json = false
    @Argument(parsing: .postTerminator, help: "The command, after --.") var command: [String] = []

    func validate() throws {
        guard !command.isEmpty else { throw ValidationError("give the command after --") }
    }

    func run() throws {
        let client = try sockets.agents()
        let opened = try session.open(client)
        let folder = try orCannotTell { try RunFolder(session: opened) }
        defer { folder.remove() }
        let environment = try orCannotTell {
            try AgentEnvironment(session: opened, files: folder.path, fetchesKeys: fetchKeys)
                .over(processEnvironment())
        }
        fflush(nil)
        let (code, fault) = runInForeground(command, environment: environment)
        if let fault { complain(fault) }
        guard code != 0 else { return }
        if fault == nil { tellApprovals(client, opened) }
        throw ExitCode(code)
    }

    /// A gate that is gone has nothing to add to a command's failure.
    private func tellApprovals(_ client: ControlClient, _ opened: JSON) {
        guard let id = opened["session"]?.string, let since = opened["at"]?.string,
            let found = try? client.get("/v1/sessions/\(id)")
        else { return }
        if json {
            let line = Array(
                (JSON.object([.init("approvals", found["approvals"] ?? .null)]).text + "\n").utf8)
            _ = write(STDERR_FILENO, line, line.count)
        } else {
            for line in approvalLines(found, since: since) { complain(line) }
        }
    }
}
