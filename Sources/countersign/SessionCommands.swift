import ArgumentParser
import Gateway
import Glibc
import Vocabulary

/// `countersign session`: sessions of processes that cannot be wrapped.
struct SessionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "session", abstract: "Open, list and close sessions of agents.",
        subcommands: [Open.self, List.self, Close.self])

    /// `session open`.
    struct Open: ParsableCommand {
        enum Format: String, ExpressibleByArgument, CaseIterable {
            case env
            case process
            case json
        }

        static let configuration = CommandConfiguration(
            abstract: "Open or join a session, and print keys for it.",
            discussion: """
                env: NAME=VALUE lines, for systemd's EnvironmentFile or docker's --env-file. process: what \
                credential_process of an AWS profile prints. json: all of it, with the address and the token \
                from which clients fetch keys themselves.
                """)
        @OptionGroup var sockets: SocketOptions
        @OptionGroup var session: SessionOptions
        @Option(help: "env, process or json.") var format = Format.env
        @Flag(help: "As --format json.") var json = false
        @Flag(help: "With env: no keys, but where clients fetch them.") var fetchKeys = false

        func run() throws {
            let opened = try session.open(try sockets.agents())
            switch json ? .json : format {
            case .json: print(opened.text)
            case .process:
                print(
                    JSON.object([
                        .init("Version", .integer(1)), .init("AccessKeyId", opened["access_key_id"] ?? .null),
                        .init("SecretAccessKey", opened["secret_access_key"] ?? .null),
                        .init("SessionToken", opened["session_token"] ?? .null),
                        .init("Expiration", opened["expires"] ?? .null),
                    ]).text)
            case .env:
                let environment = try orCannotTell {
                    try AgentEnvironment(session: opened, files: nil, fetchesKeys: fetchKeys)
                }
                for (name, value) in environment.set { print("\(name)=\(value)") }
            }
        }
    }

    /// `session list`.
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the open sessions of this user.")
        @OptionGroup var sockets: SocketOptions
        @Flag(help: "All sessions of the gate, by the control socket.") var all = false
        @Flag(help: "Print JSON.") var json = false

        func run() throws {
            let client = all ? try sockets.control() : try sockets.agents()
            let reply = try orCannotTell { try client.get("/v1/sessions") }
            if json { return print(reply.text) }
            let sessions = reply["sessions"]?.array ?? []
            if sessions.isEmpty { print("No session is open.") }
            for session in sessions { print(sessionLine(session)) }
        }
    }

    /// `session close`.
    struct Close: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Close a session at once: its keys open nothing any more.",
            discussion: "One's own, by the agents' socket; any, as an approver, by the control socket.")
        @OptionGroup var sockets: SocketOptions
        @Argument(help: "ses-….") var id: String
        @Option(help: "Why, for the record; the agent is told.") var reason: String?
        @Flag(help: "Print JSON.") var json = false

        func run() throws {
            let reply = try orCannotTell { try close() }
            print(json ? reply.text : "\(reply["session"]?.string ?? id) is closed.")
        }

        private func close() throws -> JSON {
            let body = JSON.object(reason.map { [.init("reason", .string($0))] } ?? [])
            let path = "/v1/sessions/\(id)/close"
            do { return try sockets.agents().post(path, body) } catch let error as ControlError {
                // Not one's own: an approver may all the same.
                guard error.status == 404, let control = try? sockets.control() else { throw error }
                do { return try control.post(path, body) } catch {
                    throw error.status == 0 ? refusal(id) : error
                }
            }
        }

        private func refusal(_ id: String) -> ValidationError {
            ValidationError(
                "\(shown(id)) is no session of this user, and the control socket cannot be reached")
        }
    }
}

/// `ses-9F31AAAA  support-7  JIRA-42  3 runs, latest 2026-11-22T09:12:03Z`.
private func sessionLine(_ session: JSON) -> String {
    let task = session["task"]?.string.map { "\"\(shown($0))\"" } ?? "(a listener's, for unsigned calls)"
    let runs = session["runs"]?.integer ?? 0
    let words = [
        session["session"]?.string ?? "?", shown(session["agent"]?.string ?? "?"), task,
        "\(runs) run\(runs == 1 ? "" : "s"), latest \(session["latest"]?.string ?? "?")",
    ]
    return words.joined(separator: "  ")
}
