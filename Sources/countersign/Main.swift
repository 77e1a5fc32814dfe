import ArgumentParser
import Gateway
import Glibc

@main
struct Countersign: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "countersign",
        abstract:
            "Signs AWS calls for agents that hold no keys, after policy and, where it says so, a "
            + "human allowed them.",
        version: gateVersion,
        subcommands: [
            Serve.self, Run.self, Sandboxed.self, Env.self, SessionCommand.self, Wait.self, Inbox.self,
            Show.self,
            Approve.self, Deny.self, Grants.self,
            Log.self, PolicyCommand.self, CatalogCommand.self, Debug.self,
        ])

    /// As ArgumentParser does it, but that bad usage is 2 like everything that cannot be told, and not 64.
    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
            let text = Array((fullMessage(for: error) + "\n").utf8)
            _ = write(STDERR_FILENO, text, text.count)
            exit(withError: Exit.cannotTell)
        }
    }
}

/// Exit codes: 0 yes, 1 no (denied, not verified), 2 cannot tell (bad usage, bad input, unreachable), 3 not
/// yet.
enum Exit {
    static let no = ExitCode(1)
    static let cannotTell = ExitCode(2)
    static let notYet = ExitCode(3)
}

/// Writes one line to standard error.
func complain(_ text: String) {
    let line = Array("countersign: \(text)\n".utf8)
    _ = write(STDERR_FILENO, line, line.count)
}

/// Runs `body`; an error is one line on standard error and exit code 2, or 1 where the gate says no.
func orCannotTell<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let code as ExitCode { throw code } catch {
        complain("\(error)")
        if let error = error as? ControlError, error.saysNo { throw Exit.no }
        throw Exit.cannotTell
    }
}

/// Where the sockets are.
struct SocketOptions: ParsableArguments {
    @Option(
        help:
            "The control socket of the gate (default: as `serve` chooses it, or $COUNTERSIGN_CONTROL_SOCKET)."
    )
    var controlSocket: String?

    @Option(
        help: "The agents' socket of the gate (default: as `serve` chooses it, or $COUNTERSIGN_AGENT_SOCKET)."
    )
    var agentSocket: String?

    @Option(help: "The configuration file that `serve` was started with.")
    var config: String?

    /// The configuration as `serve` would read it, for the paths.
    func configuration() throws -> Configuration {
        var flags: [String: [String]] = [:]
        if let controlSocket { flags["control-socket"] = [controlSocket] }
        if let agentSocket { flags["agent-socket"] = [agentSocket] }
        return try orCannotTell { try Configuration.load(flags: flags, file: config) }
    }

    func control() throws -> ControlClient { ControlClient(socket: try configuration().controlSocket) }

    func agents() throws -> ControlClient { ControlClient(socket: try configuration().agentSocket) }
}
