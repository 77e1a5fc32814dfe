import Forwarding
import Vocabulary

/// Why the gate did not do what a command asked.
package struct ControlError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The HTTP status; 0 when the gate could not be reached.
    package let status: Int
    package let description: String
    /// Whether the gate refused: who asks may not, there is no such thing, or it is over.
    package var saysNo: Bool { [403, 404, 409].contains(status) }
}

/// A command's way to the running gate, over one of its unix sockets.
package struct ControlClient: Sendable {
    private let socket: String

    package init(socket: String) { self.socket = socket }

    /// What `GET path` answers.
    ///
    /// - Throws: ``ControlError`` when the gate cannot be reached or says no.
    package func get(_ path: String, patience: Duration = .seconds(30)) throws(ControlError) -> JSON {
        try call("GET", path, [], patience: patience)
    }

    /// What `GET path` answers; nil for 404.
    package func find(_ path: String) throws(ControlError) -> JSON? {
        do { return try call("GET", path, [], patience: .seconds(30)) } catch {
            if error.status == 404 { return nil }
            throw error
        }
    }

    /// What `POST path` answers.
    package func post(_ path: String, _ body: JSON) throws(ControlError) -> JSON {
        try call("POST", path, body.line, patience: .seconds(30))
    }

    private func call(_ method: String, _ path: String, _ body: [UInt8], patience: Duration)
        throws(ControlError) -> JSON
    {
        let answer: LocalReply
        do {
            answer = try localCall(
                socket: socket, method: method, path: path,
                fields: [HeaderField("content-type", "application/json")],
                body: body, limit: patience)
        } catch {
            throw ControlError(
                status: 0,
                description: "the gate cannot be reached at \(socket): \(words(error)); "
                    + "is `countersign serve` running?")
        }
        guard let json = try? JSON(parsing: answer.body) else {
            throw ControlError(
                status: answer.status,
                description: "the gate at \(socket) answered something that is not JSON")
        }
        guard answer.status == 200 else {
            let text = json["error"]?["message"]?.string ?? "status \(answer.status)"
            throw ControlError(status: answer.status, description: shown(text))
        }
        return json
    }
}

private func words(_ error: LocalCallError) -> String {
    switch error {
    case .unsafe(let part): "the \(part) of the request cannot be sent"
    case .unreachable: "nobody listens there, or this user may not connect"
    case .timedOut: "it did not answer in time"
    case .badReply(let why): why
    }
}
