import Vocabulary

/// The head of a reply as the agent may have it.
package struct ReplyHead: Hashable, Sendable {
    /// 200 to 599.
    package let status: Int
    /// The allow-listed fields in their order; no Content-Length, nothing hop by hop.
    package let fields: [HeaderField]
    /// The length that AWS announced, also for HEAD and 304, which have no body; nil when it did not.
    package let bodyByteCount: Int?

    package init(status: Int, fields: [HeaderField], bodyByteCount: Int?) {
        self.status = status
        self.fields = fields
        self.bodyByteCount = bodyByteCount
    }
}

/// Reads the lines of a reply's heads, as libcurl hands them over one by one, and refuses what libcurl lets
/// through: two lengths, a length beside chunks, odd statuses, bare line feeds, folded lines, endless heads.
///
/// A value: no libcurl in it. After a refusal it must not be asked again.
struct ReplyReader {
    /// What a line led to.
    enum Step: Hashable {
        case more
        /// The head is whole; the body follows.
        case head(ReplyHead)
        /// The reply is not to be trusted, for this reason.
        case refused(String)
    }

    private enum Place { case status, fields, done }

    /// Whether all fields are passed on: for a peer of our own.
    private let passesAllFields: Bool
    private(set) var awsRequestID: String?
    private(set) var awsExtendedRequestID: String?
    /// The status of the reply, once its head is whole.
    private(set) var finalStatus: Int?
    private var place = Place.status
    private var status = 0
    private var isVersion10 = false
    private var fields: [HeaderField] = []
    private var byteCount = 0
    private var interimCount = 0

    init(passesAllFields: Bool = false) { self.passesAllFields = passesAllFields }

    /// Takes the next line, its line end included.
    mutating func line(_ bytes: [UInt8]) -> Step {
        byteCount += bytes.count
        guard byteCount <= ReplyLimits.headBytesMax else {
            return .refused("the reply's head is larger than \(ReplyLimits.headBytesMax) bytes")
        }
        guard bytes.count >= 2, bytes.suffix(2) == [0x0D, 0x0A] else {
            return .refused("a line of the reply's head does not end with CR LF")
        }
        let text = bytes.dropLast(2)
        guard text.allSatisfy(\.isFieldByte) else { return .refused("a control byte in the reply's head") }
        switch place {
        case .status: return statusLine(text)
        case .fields: return text.isEmpty ? endOfHead() : field(text)
        // Trailers: counted, checked for their form above, never passed on.
        case .done: return .more
        }
    }

    private mutating func statusLine(_ text: ArraySlice<UInt8>) -> Step {
        let start = Array("HTTP/1.".utf8)
        let line = Array(text)
        guard line.count >= 12, line.starts(with: start), line[7] == 0x30 || line[7] == 0x31, line[8] == 0x20,
            line[9...11].allSatisfy(\.isDigit), line.count == 12 || line[12] == 0x20
        else { return .refused("the reply's status line is malformed") }
        status = line[9...11].reduce(0) { $0 * 10 + Int($1 - 0x30) }
        guard (100...599).contains(status), status != 101 else {
            return .refused("the reply has status \(status)")
        }
        isVersion10 = line[7] == 0x30
        fields = []
        place = .fields
        return .more
    }

    private mutating func field(_ text: ArraySlice<UInt8>) -> Step {
        guard let colon = text.firstIndex(of: 0x3A), colon > text.startIndex,
            text[..<colon].allSatisfy(\.isTokenByte)
        else { return .refused("a field of the reply is malformed") }
        let value = text[(colon + 1)...]
        let isBlank: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 }
        let trimmed = value.drop(while: isBlank).reversed().drop(while: isBlank).reversed()
        fields.append(
            HeaderField(
                String(decoding: text[..<colon], as: UTF8.self), String(decoding: trimmed, as: UTF8.self)))
        return .more
    }

    private mutating func endOfHead() -> Step {
        if status < 200 {
            interimCount += 1
            place = .status
            let tooMany = interimCount > ReplyLimits.interimCountMax
            return tooMany ? .refused("more than \(ReplyLimits.interimCountMax) interim replies") : .more
        }
        place = .done
        let lengths = fields.filter { $0.name == "content-length" }.map(\.value)
        let codings = fields.filter { $0.name == "transfer-encoding" }.map(\.value)
        guard lengths.count <= 1 else { return .refused("the reply has two Content-Length fields") }
        guard lengths.isEmpty || codings.isEmpty else {
            return .refused("the reply has both Content-Length and Transfer-Encoding")
        }
        if let coding = codings.first {
            guard codings.count == 1, coding.asciiLowercased == "chunked", !isVersion10 else {
                return .refused("the reply's Transfer-Encoding is not `chunked` alone")
            }
        }
        var byteCount: Int?
        if let length = lengths.first {
            guard (1...18).contains(length.utf8.count), length.utf8.allSatisfy(\.isDigit),
                let count = Int(length)
            else { return .refused("the reply's Content-Length is not a number") }
            byteCount = count
        }
        guard status != 204 || byteCount ?? 0 == 0 && codings.isEmpty else {
            return .refused("the reply has status 204 and a body")
        }
        finalStatus = status
        awsRequestID = identifier(["x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"])
        awsExtendedRequestID = identifier(["x-amz-id-2"])
        let passed = passesAllFields ? fields : ReplyFields.passed(fields)
        return .head(ReplyHead(status: status, fields: passed, bodyByteCount: byteCount))
    }

    /// The first of `names` that is there, when it looks like an id: visible ASCII, at most 256 bytes.
    private func identifier(_ names: [String]) -> String? {
        for name in names {
            guard let value = fields.first(where: { $0.name == name })?.value else { continue }
            let fits =
                (1...256).contains(value.utf8.count) && value.utf8.allSatisfy { (0x21...0x7E).contains($0) }
            return fits ? value : nil
        }
        return nil
    }
}

/// Which fields of a reply an agent gets.
enum ReplyFields {
    /// Fields that AWS documents for any service, and those that the service models bind output to.
    private static let names: Set<String> = [
        "accept-ranges", "age", "allow", "application-id", "baggage", "cache-control",
        "configuration-profile-id",
        "configuration-version", "created-at", "created-by", "date", "description", "domain-id", "etag",
        "ettag",
        "event-time", "expires", "id", "kmskeyarn", "last-modified", "location", "mcp-protocol-version",
        "mcp-session-id", "next-poll-configuration-token", "next-poll-interval-in-seconds",
        "processing-status",
        "retry-after", "server", "smithy-protocol", "traceparent", "tracestate", "vary", "version-label",
        "version-number", "versionlabel", "x-assetname", "x-packageversion", "x-packageversionrevision",
    ]

    /// `fields` without what concerns one connection only, what Connection names, and what nobody documents.
    static func passed(_ fields: [HeaderField]) -> [HeaderField] {
        var named: Set<String> = []
        for field in fields where field.name == "connection" {
            for name in field.value.utf8.split(separator: 0x2C) {
                let trimmed = name.filter { $0 != 0x20 && $0 != 0x09 }
                named.insert(String(decoding: trimmed.map(\.lowercased), as: UTF8.self))
            }
        }
        return fields.filter { field in
            let name = field.name
            guard !connectionFields.contains(name), !named.contains(name) else { return false }
            return names.contains(name) || name.hasPrefix("x-amz-") || name.hasPrefix("x-amzn-")
                || name.hasPrefix("content-")
        }
    }
}
