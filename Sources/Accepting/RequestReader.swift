import NIOCore
import Vocabulary

/// A head that was read, and what it says of the connection.
struct ReceivedHead: Hashable, Sendable {
    let head: RequestHead
    let framing: BodyFraming
    /// HTTP/1.1, not HTTP/1.0.
    let isModern: Bool
    /// HTTP/1.1 without `Connection: close`. HTTP/1.0 connections are not kept.
    let keepsAlive: Bool
    /// The client waits for `100 Continue` before it sends the body, be it empty.
    let expectsContinue: Bool
}

/// Reads the requests of one connection, strictly, from the bytes themselves: one parser, so that nothing can
/// be read in two ways.
///
/// A value without I/O: the connection hands it the unread bytes and asks for the next step. What is accepted
/// is a subset of what NIO's own decoder accepts, with the same meaning (the tests compare them); what that
/// decoder lets through or hides is refused (THREATS, section 1). Trailers are checked, counted and dropped.
struct RequestReader {
    enum Step {
        /// More bytes are needed.
        case starved
        case head(ReceivedHead)
        /// A piece of the body, never empty.
        case body(ByteBuffer)
        /// The request ends here; what follows is the next one.
        case end
    }

    private enum Stage {
        /// `scanned` bytes were looked at; the current line, number `line`, begins at `lineStart`.
        case head(scanned: Int, lineStart: Int, line: Int)
        case body(left: Int)
        case chunkSize
        case chunk(left: Int)
        case chunkEnd
        case trailers(byteCount: Int)
        case end
    }

    private let limits: Limits
    private var stage = Stage.head(scanned: 0, lineStart: 0, line: 0)

    init(limits: Limits) { self.limits = limits }

    /// Whether the next byte begins a request.
    var isBetweenRequests: Bool {
        if case .head(scanned: 0, lineStart: _, line: _) = stage { true } else { false }
    }

    /// Reads on. After a throw the reader is of no more use.
    mutating func next(_ bytes: inout ByteBuffer) throws(RequestFault) -> Step {
        while true {
            switch stage {
            case .head(let scanned, let lineStart, let line):
                return try readHead(&bytes, scanned: scanned, lineStart: lineStart, line: line)
            case .body(let left):
                guard let piece = take(&bytes, atMost: left) else { return .starved }
                stage = piece.readableBytes == left ? .end : .body(left: left - piece.readableBytes)
                return .body(piece)
            case .chunkSize:
                guard
                    let line = try readLine(&bytes, limit: limits.chunkLineBytesMax, of: "a chunk size line")
                else {
                    return .starved
                }
                let size = try chunkSize(line)
                stage = size == 0 ? .trailers(byteCount: 0) : .chunk(left: size)
            case .chunk(let left):
                guard let piece = take(&bytes, atMost: left) else { return .starved }
                stage = piece.readableBytes == left ? .chunkEnd : .chunk(left: left - piece.readableBytes)
                return .body(piece)
            case .chunkEnd:
                guard let line = try readLine(&bytes, limit: 0, of: "the end of a chunk") else {
                    return .starved
                }
                // INVARIANT: a line of at most 0 bytes is empty.
                precondition(line.isEmpty)
                stage = .chunkSize
            case .trailers(let byteCount):
                let limit = max(0, limits.trailerBytesMax - byteCount - 2)
                guard let line = try readLine(&bytes, limit: limit, of: "the trailers") else {
                    return .starved
                }
                guard !line.isEmpty else {
                    stage = .end
                    continue
                }
                try checkTrailer(line)
                stage = .trailers(byteCount: byteCount + line.count + 2)
            case .end:
                stage = .head(scanned: 0, lineStart: 0, line: 0)
                return .end
            }
        }
    }

    private func take(_ bytes: inout ByteBuffer, atMost count: Int) -> ByteBuffer? {
        let length = min(count, bytes.readableBytes)
        return length == 0 ? nil : bytes.readSlice(length: length)
    }

    /// One line without its CR LF, at most `limit` bytes; nil when it has not all arrived.
    private func readLine(
        _ bytes: inout ByteBuffer, limit: Int, of what: String
    ) throws(RequestFault) -> [UInt8]? {
        let view = bytes.readableBytesView.prefix(limit + 2)
        for (index, byte) in view.enumerated() {
            guard byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "\n") || index < limit else { break }
            guard byte != UInt8(ascii: "\n") else { throw .framing("\(what) ends in a bare line feed") }
            guard byte == UInt8(ascii: "\r") else { continue }
            guard let after = view.dropFirst(index + 1).first else { return nil }
            guard after == UInt8(ascii: "\n") else { throw .framing("\(what) holds a bare carriage return") }
            let line = Array(view.prefix(index))
            bytes.moveReaderIndex(forwardBy: index + 2)
            return line
        }
        guard view.count <= limit else { throw .framing("\(what) is longer than it may be") }
        return nil
    }

    /// Hex digits without sign, prefix or leading zero; then nothing, or extensions that are ignored.
    private func chunkSize(_ line: [UInt8]) throws(RequestFault) -> Int {
        let digits = line.prefix(while: isHexDigit)
        guard (1...15).contains(digits.count), digits.first != UInt8(ascii: "0") || digits.count == 1,
            let size = Int(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw .framing("a chunk size is not a plain hexadecimal number") }
        // What is left before the first `;` is nothing.
        let parts = line.dropFirst(digits.count).split(
            separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
        guard parts[0].isEmpty, parts.dropFirst().allSatisfy(isChunkExtension) else {
            throw .framing("a chunk size is followed by something else than an extension")
        }
        return size
    }

    private func checkTrailer(_ line: [UInt8]) throws(RequestFault) {
        let name = line.prefix { $0 != UInt8(ascii: ":") }
        guard !name.isEmpty, name.count < line.count, name.allSatisfy(isTokenByte),
            line.allSatisfy(isFieldByte)
        else {
            throw .framing("a trailer is not a field")
        }
    }
}

extension RequestReader {
    /// Looks at every byte of the head once, as it arrives, and cuts it into lines when it is whole.
    private mutating func readHead(
        _ bytes: inout ByteBuffer, scanned: Int, lineStart: Int, line: Int
    ) throws(RequestFault) -> Step {
        var scan = HeadScan(scanned: scanned, lineStart: lineStart, line: line)
        let outcome = bytes.withUnsafeReadableBytes { raw in
            Result { () throws(RequestFault) in try scan.advance(over: raw, limits: limits) }
        }
        guard let end = try outcome.get() else {
            stage = .head(scanned: scan.scanned, lineStart: scan.lineStart, line: scan.line)
            return .starved
        }
        // INVARIANT: the scan ends inside the readable bytes.
        guard let raw = bytes.readBytes(length: end) else { preconditionFailure() }
        let received = try parseHead(raw[...], limits: limits)
        switch received.framing {
        case .none: stage = .end
        case .length(let length): stage = .body(left: length)
        case .chunked: stage = .chunkSize
        }
        return .head(received)
    }
}

/// The byte rules of a head: lines end in CR LF, there are no other control bytes but tabs, and the size is
/// bounded.
private struct HeadScan {
    var scanned: Int
    var lineStart: Int
    var line: Int

    /// The head's length once its empty line is there.
    mutating func advance(over bytes: UnsafeRawBufferPointer, limits: Limits) throws(RequestFault) -> Int? {
        while scanned < bytes.count {
            guard scanned < limits.headBytesMax else {
                throw .headTooLarge("the head is larger than \(limits.headBytesMax) bytes")
            }
            let byte = bytes[scanned]
            let isAfterReturn = scanned > lineStart && bytes[scanned - 1] == UInt8(ascii: "\r")
            guard isAfterReturn == (byte == UInt8(ascii: "\n")) else {
                throw .framing("the head holds a bare \(isAfterReturn ? "carriage return" : "line feed")")
            }
            guard isFieldByte(byte) || byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "\n") else {
                throw .framing("the head holds a control byte")
            }
            scanned += 1
            if byte == UInt8(ascii: "\n") {
                if try endLine(bytes[lineStart..<(scanned - 2)]) { return scanned }
            } else if line == 0, scanned > limits.targetBytesMax + 64 {
                throw RequestFault(
                    status: 414, code: "RequestURITooLong",
                    message: "the target is longer than \(limits.targetBytesMax) bytes", closes: true)
            }
        }
        return nil
    }

    /// Whether `content` is the empty line that ends the head.
    private mutating func endLine(_ content: Slice<UnsafeRawBufferPointer>) throws(RequestFault) -> Bool {
        if content.isEmpty {
            guard line > 0 else { throw .framing("the request line is empty") }
            return true
        }
        // At once, and not when the head is whole: HTTP/0.9 and other protocols never send the rest.
        if line == 0 { _ = try RequestLine(content) }
        line += 1
        lineStart = scanned
        return false
    }
}

/// `GET /path HTTP/1.1`: three parts, two blanks.
private struct RequestLine {
    let method: String
    let target: String
    let version: String

    init(_ line: some Collection<UInt8>) throws(RequestFault) {
        guard line.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw .framing("the request line holds a tab or a byte that is not ASCII: percent-encode it")
        }
        let parts = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw .framing(
                "the request line is not a method, a target and a version with one blank between them")
        }
        method = String(decoding: parts[0], as: UTF8.self)
        target = String(decoding: parts[1], as: UTF8.self)
        version = String(decoding: parts[2], as: UTF8.self)
        guard version == "HTTP/1.1" || version == "HTTP/1.0" else {
            throw .framing("the version is not HTTP/1.1 or HTTP/1.0")
        }
    }
}

/// Cuts a whole head, with the empty line that ends it, into its parts and judges them with ``headFault``.
private func parseHead(_ bytes: ArraySlice<UInt8>, limits: Limits) throws(RequestFault) -> ReceivedHead {
    var lines = bytes.split(separator: UInt8(ascii: "\n")).map { $0.dropLast() }
    // INVARIANT: the scan has seen a request line and the empty line that ends the head, each with its CR LF.
    precondition(lines.count >= 2)
    lines.removeLast()
    let requestLine = try RequestLine(lines.removeFirst())
    var fields: [(name: String, value: String)] = []
    fields.reserveCapacity(lines.count)
    for line in lines {
        guard let first = line.first, first != 0x20, first != 0x09 else {
            throw .framing("a field is folded")
        }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
            throw .framing("a field has no colon")
        }
        guard let name = String(validating: line[..<colon], as: UTF8.self),
            let value = String(validating: line[(colon + 1)...], as: UTF8.self)
        else { throw .framing("a field is not UTF-8") }
        fields.append((name, value))
    }
    let fault = headFault(
        method: requestLine.method, target: requestLine.target, fields: fields, version: requestLine.version,
        limits: limits)
    let head = makeRequestHead(method: requestLine.method, target: requestLine.target, fields: fields)
    let framing = bodyFraming(head.fields)
    // A body that nobody will read stands between this request and the next; and after HEAD the client would
    // take the answer's text for the next answer.
    if let fault { throw framing == .none && requestLine.method != "HEAD" ? fault : fault.closing }
    let isModern = requestLine.version == "HTTP/1.1"
    return ReceivedHead(
        head: head, framing: framing, isModern: isModern, keepsAlive: isModern && !asksToClose(head),
        expectsContinue: isModern && head["expect"] != nil)
}

private func asksToClose(_ head: RequestHead) -> Bool {
    head.values(of: "connection").contains { value in
        value.asciiLowercased.split(separator: ",").contains { option in
            option.utf8.filter { $0 != 0x20 && $0 != 0x09 }.elementsEqual("close".utf8)
        }
    }
}

/// `name`, `name=token` or `name="text"`, without blanks and escapes (RFC 9112, section 7.1.1, and no more).
private func isChunkExtension(_ bytes: ArraySlice<UInt8>) -> Bool {
    let name = bytes.prefix { $0 != UInt8(ascii: "=") }
    guard !name.isEmpty, name.allSatisfy(isTokenByte) else { return false }
    guard name.endIndex < bytes.endIndex else { return true }
    let value = bytes[(name.endIndex + 1)...]
    guard value.first == UInt8(ascii: "\"") else { return !value.isEmpty && value.allSatisfy(isTokenByte) }
    return value.count >= 2 && value.last == UInt8(ascii: "\"")
        && value.dropFirst().dropLast().allSatisfy {
            (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
        }
}

/// Anything but control bytes; tabs are blanks.
private func isFieldByte(_ byte: UInt8) -> Bool { (byte >= 0x20 && byte != 0x7F) || byte == 0x09 }

/// The one request that `bytes` hold, read as the listener reads it: for `debug recognize`.
///
/// - Throws: the fault the listener would answer with; also when the request is cut short or bytes follow it.
package func readRequest(
    _ bytes: [UInt8], bodyBytesMax: Int, limits: Limits = Limits()
) throws(RequestFault) -> InboundRequest {
    var reader = RequestReader(limits: limits)
    var unread = ByteBuffer(bytes: bytes)
    var head: RequestHead?
    var body: [UInt8] = []
    while true {
        switch try reader.next(&unread) {
        case .starved: throw .framing("the request is cut short")
        case .head(let received): head = received.head
        case .body(let piece):
            guard body.count + piece.readableBytes <= bodyBytesMax else {
                throw .bodyTooLarge(limit: bodyBytesMax)
            }
            body += piece.readableBytesView
        case .end:
            guard let head, unread.readableBytes == 0 else { throw .framing("bytes follow the request") }
            return InboundRequest(head: head, body: body)
        }
    }
}
