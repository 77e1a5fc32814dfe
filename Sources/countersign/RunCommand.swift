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
    @Flag(help: "In a sandbox: it sees the system, the work folder and the gate; no network but that.")
    var sandbox = false
    @Option(help: "With --sandbox: a file or folder that it may read; may be repeated.") var read: [String] =
        []
    @Option(help: "With --sandbox: one that it may also write; may be repeated.") var write: [String] = []
    @Argument(parsing: .postTerminator, help: "The command, after --.") var command: [String] = []

    func validate() throws {
        guard !command.isEmpty else { throw ValidationError("give the command after --") }
        guard sandbox || read.isEmpty && write.isEmpty else {
            throw ValidationError("--read and --write are for --sandbox")
        }
    }

    func run() throws {
        if sandbox, let fault = sandboxFault() {
            complain(fault)
            throw Exit.cannotTell
        }
        let client = try sockets.agents()
        let opened = try session.open(client)
        let folder = try orCannotTell { try RunFolder(session: opened) }
        defer { folder.remove() }
        var environment = try orCannotTell {
            try AgentEnvironment(session: opened, files: folder.path, fetchesKeys: fetchKeys)
                .over(processEnvironment())
        }
        fflush(nil)
        let (code, fault): (Int32, String?)
        if sandbox {
            let box = try orCannotTell { try boxed(opened, in: folder, &environment) }
            (code, fault) = runInForeground(
                box.command, environment: environment, information: box.information)
        } else {
            (code, fault) = runInForeground(command, environment: environment)
        }
        if let fault { complain(fault) }
        guard code != 0 else { return }
        if fault == nil { tellApprovals(client, opened) }
        throw ExitCode(code)
    }

    /// The command in a sandbox, and the pipe by which that says who it is.
    private func boxed(
        _ opened: JSON, in folder: RunFolder, _ environment: inout [String: String]
    ) throws -> (command: [String], information: (read: Int32, write: Int32)) {
        let configuration = try sockets.configuration()
        let prefix = "http://127.0.0.1:"
        guard let endpoint = opened["endpoint"]?.string, endpoint.hasPrefix(prefix),
            let port = UInt16(endpoint.dropFirst(prefix.count))
        else { throw ConfigurationError("--sandbox needs a listener of the gate at 127.0.0.1") }
        let socket = "\(folder.path)/gate.sock"
        _ = try SocketRelay(at: .unix(path: socket), to: .loopback(port: port))
        let sandbox = try Sandbox.ofRun(
            in: folder.path, readable: read, writable: write, configuration: configuration)
        // Doors to other services of the user's that are not there any more.
        for name in ["SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "DOCKER_HOST"] {
            environment[name] = nil
        }
        environment["TMPDIR"] = "/tmp"
        environment["COUNTERSIGN_AGENT_SOCKET"] = sandbox.agentSocket
        environment["COUNTERSIGN_CONTROL_SOCKET"] = nil
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0, fcntl(ends[0], F_SETFD, FD_CLOEXEC) == 0 else {
            throw ConfigurationError("no pipe could be made")
        }
        let command =
            ["bwrap", "--info-fd", "\(ends[1])"] + (try sandbox.arguments())
            + ["--", ownProgram(), "sandboxed", "--port", "\(port)", "--socket", socket, "--"] + command
        return (command, (ends[0], ends[1]))
    }

    /// A gate that is gone has nothing to add to a command's failure.
    private func tellApprovals(_ client: ControlClient, _ opened: JSON) {
        guard let id = opened["session"]?.string, let since = opened["at"]?.string,
            let found = try? client.get("/v1/sessions/\(id)")
        else { return }
        if json {
            let line = Array(
                (JSON.object([.init("approvals", found["approvals"] ?? .null)]).text + "\n").utf8)
            _ = Glibc.write(STDERR_FILENO, line, line.count)
        } else {
            for line in approvalLines(found, since: since) { complain(line) }
        }
    }
}

/// What runs first in a sandbox: the inner end of the way to the gate, and then the command.
struct Sandboxed: ParsableCommand {
    static let configuration = CommandConfiguration(shouldDisplay: false)
    @Option var port: UInt16
    @Option var socket: String
    @Argument(parsing: .postTerminator) var command: [String]

    func run() throws {
        _ = try orCannotTell { try SocketRelay(at: .loopback(port: port), to: .unix(path: socket)) }
        let (code, fault) = runInForeground(command, environment: processEnvironment())
        if let fault { complain(fault) }
        throw ExitCode(code)
    }
}
