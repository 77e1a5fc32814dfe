import Recognizing
import Signing
import Vocabulary

/// Why a signed request is not handed to libcurl. Nothing was sent.
package enum ForwardingError: Error, Sendable, Hashable {
    /// `part` holds a byte that could change what is sent; libcurl sends it raw.
    case unsafe(part: String)
    /// A field that libcurl writes itself, or that only concerns one connection.
    case forbiddenField(String)
    /// Plain http to a host that is not this machine.
    case plainBeyondLoopback(authority: String)
    /// A streamed body, or a HEAD with a body.
    case unsupportedBody

    /// The reason in an operator's words, for ``Outcome/error``.
    package var message: String {
        switch self {
        case .unsafe(let part): "the \(part) holds a byte that must not be sent"
        case .forbiddenField(let name): "the field `\(name)` must not be sent"
        case .plainBeyondLoopback(let authority):
            "`\(authority)` is not this machine: plain http goes to loopback only"
        case .unsupportedBody: "a body of this kind cannot be sent yet"
        }
    }
}

/// A request as libcurl gets it: every string checked, since libcurl checks none.
struct Outbound: Sendable {
    let method: String
    /// `https://host:port/`: fixed for each authority, no text of a client in it.
    let base: String
    /// Path and query, sent byte for byte.
    let target: String
    /// `name: value`, and what libcurl would add of its own suppressed.
    let headerLines: [String]
    let body: [UInt8]
    let usesTLS: Bool
    let mayRepeat: Bool
    /// The fields of ours that an error reply might echo.
    let ownFields: [HeaderField]

    init(_ signed: consuming SignedRequest) throws(ForwardingError) {
        let sealed = signed.request
        guard !sealed.method.isEmpty, sealed.method.utf8.allSatisfy(\.isTokenByte) else {
            throw .unsafe(part: "method")
        }
        guard let host = hostName(of: sealed.authority) else { throw .unsafe(part: "authority") }
        guard sealed.usesTLS || isLoopback(host) else {
            throw .plainBeyondLoopback(authority: sealed.authority)
        }
        guard sealed.path.utf8.first == 0x2F, sealed.path.utf8.allSatisfy({ $0.isTargetByte && $0 != 0x3F })
        else {
            throw .unsafe(part: "path")
        }
        guard sealed.query.utf8.allSatisfy(\.isTargetByte) else { throw .unsafe(part: "query") }
        guard case .bytes(let bytes) = sealed.body, sealed.method != "HEAD" || bytes.isEmpty else {
            throw .unsupportedBody
        }
        method = sealed.method
        base = (sealed.usesTLS ? "https://" : "http://") + sealed.authority + "/"
        target = sealed.query.isEmpty ? sealed.path : sealed.path + "?" + sealed.query
        headerLines = try lines(for: signed.fields)
        body = bytes
        usesTLS = sealed.usesTLS
        mayRepeat = sealed.mayRepeat
        ownFields = signed.fields.filter { EchoRedaction.concerns($0.name) }
    }
}

/// What libcurl writes itself or what concerns one connection only (RFC 9110, section 7.6.1).
let connectionFields: Set<String> = [
    "connection", "content-length", "expect", "host", "keep-alive", "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
]

private func lines(for fields: [HeaderField]) throws(ForwardingError) -> [String] {
    var lines: [String] = []
    lines.reserveCapacity(fields.count + 3)
    for field in fields {
        guard !field.name.isEmpty, field.name.utf8.allSatisfy(\.isTokenByte) else {
            throw .unsafe(part: "name of a field")
        }
        guard !connectionFields.contains(field.name) else { throw .forbiddenField(field.name) }
        guard field.value.utf8.allSatisfy(\.isFieldByte) else { throw .unsafe(part: "field `\(field.name)`") }
        // Without a semicolon libcurl takes an empty value for an order to leave the field out.
        lines.append(field.value.isEmpty ? field.name + ";" : field.name + ": " + field.value)
    }
    // What libcurl would add unasked and unsigned.
    for name in ["Accept", "Content-Type"] where !fields.contains(where: { $0.name == name.asciiLowercased })
    {
        lines.append(name + ":")
    }
    lines.append("Expect:")
    return lines
}

/// The host of `host`, `host:port`, `[::1]` or `[::1]:port`; nil for anything else.
func hostName(of authority: String) -> Substring? {
    let host: Substring
    var rest: Substring
    if authority.hasPrefix("[") {
        guard let end = authority.firstIndex(of: "]") else { return nil }
        host = authority[authority.index(after: authority.startIndex)..<end]
        rest = authority[authority.index(after: end)...]
        let isAddress = host.utf8.allSatisfy { $0 == 0x3A || $0 == 0x2E || $0.isHexDigit }
        guard !host.isEmpty, isAddress else { return nil }
    } else {
        host = authority.prefix { $0 != ":" }
        rest = authority[host.endIndex...]
        let isName = host.utf8.allSatisfy { $0.isAlphanumeric || $0 == 0x2D || $0 == 0x2E }
        guard (1...253).contains(host.utf8.count), isName else { return nil }
    }
    guard !rest.isEmpty else { return host }
    guard rest.removeFirst() == ":", (1...5).contains(rest.utf8.count), rest.utf8.allSatisfy(\.isDigit),
        let port = Int(rest), (1...65_535).contains(port)
    else { return nil }
    return host
}

/// Whether `host` is this machine by its spelling: no look-up.
func isLoopback(_ host: Substring) -> Bool {
    if host == "localhost" || host == "::1" { return true }
    let octets = host.split(separator: ".", omittingEmptySubsequences: false)
    return octets.count == 4 && octets[0] == "127"
        && octets.allSatisfy {
            (1...3).contains($0.utf8.count) && $0.utf8.allSatisfy(\.isDigit) && Int($0) ?? 256 < 256
        }
}

extension UInt8 {
    /// Whether the byte may stand in an HTTP token (RFC 9110, section 5.6.2).
    var isTokenByte: Bool {
        switch self {
        case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E...0x60, 0x7C, 0x7E: true
        default: isAlphanumeric
        }
    }

    /// Whether the byte may stand in a request target: visible ASCII, no fragment.
    var isTargetByte: Bool { (0x21...0x7E).contains(self) && self != 0x23 }

    /// Whether the byte may stand in the value of a field: no control byte but the tab.
    var isFieldByte: Bool { self >= 0x20 && self != 0x7F || self == 0x09 }

    fileprivate var isHexDigit: Bool { isDigit || (0x61...0x66).contains(lowercased) }
}
