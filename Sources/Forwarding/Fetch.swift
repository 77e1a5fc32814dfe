import Vocabulary

/// Where the gateway asks for its own credentials: AWS over verified TLS, or in plain http this machine or
/// one of the addresses that AWS gives to its instances and containers, where nobody else can answer.
package struct Origin: Hashable, Sendable, CustomStringConvertible {
    package let authority: String
    package let usesTLS: Bool

    /// The addresses that answer in plain http with credentials: IMDS and the agents of ECS and EKS.
    ///
    /// - SeeAlso: AWS SDKs and Tools Reference Guide, "IMDS credential provider" and "Container credential
    ///   provider".
    private static let metadataAddresses: Set<Substring> = [
        "169.254.169.254", "fd00:ec2::254", "169.254.170.2", "169.254.170.23", "fd00:ec2::23",
    ]

    /// `authority` is a host and perhaps a port.
    ///
    /// - Throws: ``FetchError/badOrigin(_:)`` for text that is no such thing, and for plain http elsewhere.
    package init(authority: String, usesTLS: Bool) throws(FetchError) {
        guard let host = hostName(of: authority) else { throw .badOrigin(authority) }
        guard usesTLS || isLoopback(host) || Self.metadataAddresses.contains(host) else {
            throw .plainElsewhere(host: String(host))
        }
        self.authority = authority
        self.usesTLS = usesTLS
    }

    /// The origin of `url` and what stands after it: path and query, `/` when there is none.
    ///
    /// - Throws: ``FetchError/badOrigin(_:)``: user and password, fragments and other schemes are not taken.
    package static func split(_ url: String) throws(FetchError) -> (origin: Origin, path: String) {
        let usesTLS = url.hasPrefix("https://")
        guard usesTLS || url.hasPrefix("http://") else { throw .badOrigin(url) }
        let rest = url.dropFirst(usesTLS ? 8 : 7)
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let origin = try Origin(authority: String(rest[..<end]), usesTLS: usesTLS)
        let path = String(rest[end...])
        return (origin, path.hasPrefix("/") ? path : "/" + path)
    }

    package var description: String { (usesTLS ? "https://" : "http://") + authority }
}

/// Why nothing was fetched. No case holds what was sent or answered.
package enum FetchError: Error, Sendable, Hashable {
    /// The text is not `https://HOST[:PORT]` or `http://HOST[:PORT]`.
    case badOrigin(String)
    /// Plain http to a host that could be anyone.
    case plainElsewhere(host: String)
    /// The method, path or a field holds a byte that must not be sent.
    case unsafe(part: String)
    case unreachable(Origin)
    /// The host could not prove to be who it is.
    case untrusted(Origin, String)
    case timedOut(Origin)
    case badReply(Origin, String)

    /// The reason in an operator's words.
    package var message: String {
        switch self {
        case .badOrigin(let text):
            "`\(shown(text))` is not http:// or https:// with a host and perhaps a port"
        case .plainElsewhere(let host):
            "`\(shown(host))` is neither this machine nor an address of AWS's metadata: it needs https://"
        case .unsafe(let part): "the \(part) holds a byte that must not be sent"
        case .unreachable(let origin): "`\(origin)` cannot be reached"
        case .untrusted(let origin, let why): "`\(origin)` is not trusted: \(why)"
        case .timedOut(let origin): "`\(origin)` did not answer in time"
        case .badReply(let origin, let why): "`\(origin)` did not answer well: \(why)"
        }
    }
}

/// A request of the gateway's own that needs no signature: for metadata and tokens, never for an agent's
/// call.
package struct Fetch: Sendable {
    /// The most bytes that a reply may have: credentials are small.
    package static let replyBytesMax = 262_144

    let origin: Origin
    let method: String
    let path: String
    let fields: [HeaderField]
    let body: [UInt8]

    /// `path` is sent as it is, with its query.
    package init(
        _ method: String, _ path: String, at origin: Origin, fields: [HeaderField] = [], body: [UInt8] = []
    ) {
        self.origin = origin
        self.method = method
        self.path = path
        self.fields = fields
        self.body = body
    }

    /// Asks once and waits for the whole reply. Blocks the calling thread for at most `limit`: not for the
    /// loop.
    ///
    /// `trustFile` holds the certificate authorities that https may lead to, as
    /// ``ForwardingSetting/trustFile``.
    package func perform(limit: Duration, trustFile: String) throws(FetchError) -> LocalReply {
        let exchange = BlockingExchange(
            method: method, path: path, fields: fields, body: body, limit: limit,
            replyBytesMax: Self.replyBytesMax)
        do {
            return try exchange.perform(
                with: .host(base: "\(origin)/", usesTLS: origin.usesTLS, trustFile: trustFile))
        } catch {
            switch error {
            case .unsafe(let part): throw .unsafe(part: part)
            case .unreachable: throw .unreachable(origin)
            case .untrusted(let why): throw .untrusted(origin, why)
            case .timedOut: throw .timedOut(origin)
            case .badReply(let why): throw .badReply(origin, why)
            }
        }
    }
}
