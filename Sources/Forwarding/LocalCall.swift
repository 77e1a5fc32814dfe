import Vocabulary

/// What a local socket, or the peer of a ``Fetch``, answered.
package struct LocalReply: Hashable, Sendable {
    package let status: Int
    package let fields: [HeaderField]
    package let body: [UInt8]
}

/// Why a local socket gave no answer.
package enum LocalCallError: Error, Sendable, Hashable {
    /// The method, path or a field holds a byte that must not be sent.
    case unsafe(part: String)
    /// Nobody listens at the socket, or it may not be opened.
    case unreachable(socket: String)
    /// The time-out passed.
    case timedOut
    /// The reply was cut short, or is larger than ``localReplyBytesMax``.
    case badReply(String)
}

/// The largest reply that ``localCall(socket:method:path:fields:body:limit:)`` takes.
package let localReplyBytesMax = 16 * 1_048_576

/// Sends one HTTP request over the unix socket at `socket` and waits for the reply: how the command line
/// talks to the gate.
///
/// Blocks the calling thread for at most `limit`. The body is sent as JSON unless `fields` say otherwise;
/// nothing is ever repeated.
package func localCall(
    socket: String, method: String, path: String, fields: [HeaderField] = [], body: [UInt8] = [],
    limit: Duration = .seconds(30)
) throws(LocalCallError) -> LocalReply {
    guard (1...107).contains(socket.utf8.count), !socket.utf8.contains(0) else {
        throw .unreachable(socket: socket)
    }
    let saysType = body.isEmpty || fields.contains { $0.name == "content-type" }
    let exchange = BlockingExchange(
        method: method, path: path,
        fields: saysType ? fields : fields + [HeaderField("content-type", "application/json")], body: body,
        limit: limit, replyBytesMax: localReplyBytesMax)
    do { return try exchange.perform(with: .socket(socket)) } catch {
        switch error {
        case .unsafe(let part): throw .unsafe(part: part)
        case .unreachable: throw .unreachable(socket: socket)
        case .timedOut: throw .timedOut
        case .untrusted(let why), .badReply(let why): throw .badReply(why)
        }
    }
}
