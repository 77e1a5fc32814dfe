import Hashing
import Vocabulary

/// How S3's uploads come in chunks inside their body (`aws-chunked`).
///
/// - SeeAlso: Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header", on
///   `x-amz-content-sha256`.
enum Framing: Hashable {
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`: each chunk is signed.
    case signed
    /// `…-TRAILER`: each chunk and the trailers are signed.
    case signedWithTrailers
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`, and what a client without keys sends, which has no
    /// `x-amz-content-sha256` to say it in.
    case unsigned

    /// The framing that `head` announces, by any of the four fields that do; nil for a plain body.
    ///
    /// - Throws: ``RecognitionError`` for an announcement that names another form or contradicts itself.
    init?(_ head: RequestHead) throws(RecognitionError) {
        let hash = head["x-amz-content-sha256"]
        // A trailer that is announced without any of the others comes in the same framing.
        let isFramed =
            head["content-encoding"].map { withoutChunked($0) != $0 } ?? false
            || head["x-amz-decoded-content-length"] != nil || head["x-amz-trailer"] != nil
        switch hash {
        case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD":
            guard head["x-amz-trailer"] == nil else {
                throw .disagreement("\(payloadHashName) has no trailers, x-amz-trailer has")
            }
            self = .signed
        case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER":
            guard head["x-amz-trailer"] != nil else {
                throw .disagreement("\(payloadHashName) has trailers, x-amz-trailer is missing")
            }
            self = .signedWithTrailers
        case "STREAMING-UNSIGNED-PAYLOAD-TRAILER": self = .unsigned
        case .some(let other) where other.asciiLowercased.hasPrefix("streaming-"):
            throw .unsupportedBody("`\(shown(other))`, which is none of the forms of an upload in chunks")
        case nil where isFramed: self = .unsigned
        case .some where isFramed:
            throw .disagreement("the body is aws-chunked, \(payloadHashName) says that it is not")
        default: return nil
        }
    }

    /// Whether `field` alone announces a framing.
    static func isAnnounced(by field: HeaderField) -> Bool {
        switch field.name {
        case "x-amz-decoded-content-length", "x-amz-trailer": true
        case payloadHashName: field.value.asciiLowercased.hasPrefix("streaming-")
        default: false
        }
    }
}

/// How many bytes chunk lines and trailers may take beside the content: chunks of 1 KiB, signed, take less.
let framingByteCountMax = 1 << 20

/// What an upload in chunks says that its content has, at most ``bodyByteCountMax``.
func decodedByteCount(_ head: RequestHead) throws(RecognitionError) -> Int {
    let name = "x-amz-decoded-content-length"
    guard let text = head[name] else {
        throw .malformed(part: name, why: "it is missing, though the body is aws-chunked")
    }
    guard (1...18).contains(text.utf8.count), text.utf8.allSatisfy(\.isDigit),
        text.utf8.first != 0x30 || text.utf8.count == 1, let count = Int(text)
    else { throw .malformed(part: name, why: "it is not one plain decimal number") }
    guard count <= bodyByteCountMax else { throw .bodyTooLarge(limit: bodyByteCountMax) }
    return count
}

/// A request as it would have come without aws-chunked framing: its content, the trailers among its fields.
///
/// Only ``unframed(_:)`` makes one, so the framing is read once, strictly, and never stored.
package struct UnframedRequest: Hashable, Sendable {
    let request: InboundRequest
    /// Whether it was framed: only an upload may be.
    let wasFramed: Bool
    /// What its chunks were signed with; nil when they were not.
    package let signatures: ChunkSignatures?

    /// The body out of its framing: what the signatures are of.
    package var body: [UInt8] { request.body }
}

/// `request` out of its aws-chunked framing; one without framing is left as it is.
///
/// - Throws: ``RecognitionError`` for any other framing than the head announces: another length, a missing
///   last chunk, bytes after it, trailers that were not announced, a checksum that is not the content's.
package func unframed(_ request: InboundRequest) throws(RecognitionError) -> UnframedRequest {
    let head = request.head
    guard let framing = try Framing(head) else {
        return UnframedRequest(request: request, wasFramed: false, signatures: nil)
    }
    var reader = ChunkReader(body: request.body, framing: framing)
    try reader.read(byteCount: decodedByteCount(head), trailers: announcedTrailers(head))
    let content = reader.content
    for field in reader.trailers {
        guard head[field.name] == nil else {
            throw .malformed(part: "the trailer `\(field.name)`", why: "it is in the head, too")
        }
        try checkSum(field, of: content)
    }
    var fields: [HeaderField] = []
    for field in head.fields {
        switch field.name {
        case payloadHashName, "x-amz-decoded-content-length", "x-amz-trailer": continue
        case "content-length": fields.append(HeaderField(field.name, "\(content.count)"))
        case "content-encoding":
            let rest = withoutChunked(field.value)
            guard rest == withoutChunked(rest) else {
                throw .malformed(part: "Content-Encoding", why: "it names aws-chunked twice")
            }
            if !rest.isEmpty { fields.append(HeaderField(field.name, rest)) }
        default: fields.append(field)
        }
    }
    let plain = RequestHead(method: head.method, target: head.target, fields: fields + reader.trailers)
    return UnframedRequest(
        request: InboundRequest(head: plain, body: content), wasFramed: true,
        signatures: framing == .unsigned ? nil : reader.signatures)
}

private let payloadHashName = "x-amz-content-sha256"

/// Content-Encoding `text` without the first `aws-chunked` in it, in any case; the codings of the object
/// itself stay as they are spelled.
private func withoutChunked(_ text: String) -> String {
    var parts = text.split(separator: ",", omittingEmptySubsequences: false)
    guard let place = parts.firstIndex(where: { trimmed($0).asciiLowercased.isSame(as: "aws-chunked") })
    else { return text }
    parts.remove(at: place)
    return trimmed(parts.joined(separator: ",")[...])
}

/// `text` without the blanks and tabs at its ends.
private func trimmed(_ text: Substring) -> String {
    func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
    let bytes = text.utf8.drop(while: isBlank)
    let end = bytes.lastIndex { !isBlank($0) }.map { bytes.index(after: $0) } ?? bytes.startIndex
    return String(bytes[..<end]) ?? ""
}

/// The trailers that `x-amz-trailer` names, in lower case. Checksums are all that S3 takes as one.
private func announcedTrailers(_ head: RequestHead) throws(RecognitionError) -> [String] {
    guard let text = head["x-amz-trailer"] else { return [] }
    var names: [String] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
        let name = trimmed(part).asciiLowercased
        guard checksumNames.contains(name) else {
            throw .malformed(part: "x-amz-trailer", why: "`\(shown(name))` is no checksum that S3 knows")
        }
        names.append(name)
    }
    return names
}

/// The fields of checksums: those that are computed here, and those that are left to S3.
private let checksumNames: Set<String> = Set(
    (Checksum.allCases.map(\.rawValue) + ["xxhash64", "xxhash3", "xxhash128"]).map { "x-amz-checksum-\($0)" })

/// - Throws: ``RecognitionError/malformed(part:why:)`` for a checksum that is not the one of `content`.
private func checkSum(_ field: HeaderField, of content: [UInt8]) throws(RecognitionError) {
    let part = "the trailer `\(field.name)`"
    guard let given = Base64.decode(field.value.utf8), !given.isEmpty else {
        throw .malformed(part: part, why: "it is not base 64")
    }
    // Any other is a field of the request as it is sent: S3 compares it.
    guard let checksum = Checksum(rawValue: String(field.name.dropFirst("x-amz-checksum-".count))),
        let own = checksum.of(content)
    else { return }
    guard given == own else { throw .malformed(part: part, why: "it is not the checksum of the content") }
}
