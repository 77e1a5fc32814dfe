import NIOCore
import Vocabulary

/// How the end of an answer is marked.
enum AnswerFraming: Hashable {
    /// No body: HEAD, 204, 304. `announced` is what `content-length` says nevertheless.
    case none(announced: Int?)
    case length(Int)
    case chunked
    /// By the end of the connection, for HTTP/1.0.
    case close
}

/// The head of an answer, as bytes. Framing and connection fields of `fields` are replaced; a field whose
/// name or value could break the head is left out. No `date` and no `server` field is added.
func writeAnswerHead(
    status: Int, fields: [HeaderField], framing: AnswerFraming, closes: Bool, into buffer: inout ByteBuffer
) {
    buffer.writeString("HTTP/1.1 \(status) \(reason(status))\r\n")
    for field in fields where !framingFields.contains(field.name) && isSendable(field) {
        buffer.writeString(field.name)
        buffer.writeString(": ")
        buffer.writeString(field.value)
        buffer.writeString("\r\n")
    }
    switch framing {
    case .none(let length?), .length(let length): buffer.writeString("content-length: \(length)\r\n")
    case .chunked: buffer.writeString("transfer-encoding: chunked\r\n")
    case .none(nil), .close: break
    }
    buffer.writeString(closes ? "connection: close\r\n\r\n" : "\r\n")
}

/// How an answer to `method` with `status` is framed; `length` nil: not known beforehand.
func answerFraming(status: Int, method: String, length: Int?, isModern: Bool) -> AnswerFraming {
    if status == 204 || status == 304 { return .none(announced: nil) }
    if method == "HEAD" { return .none(announced: length) }
    if let length { return .length(length) }
    return isModern ? .chunked : .close
}

private let framingFields: Set<String> = [
    "connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding",
    "upgrade",
]

/// Replies come from an upstream that is not trusted either: nothing in them may end a line early.
private func isSendable(_ field: HeaderField) -> Bool {
    !field.name.isEmpty && field.name.utf8.allSatisfy(isTokenByte)
        && field.value.utf8.allSatisfy { ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 }
}

private func reason(_ status: Int) -> String {
    switch status {
    case 200: "OK"
    case 201: "Created"
    case 202: "Accepted"
    case 204: "No Content"
    case 206: "Partial Content"
    case 301: "Moved Permanently"
    case 302: "Found"
    case 303: "See Other"
    case 304: "Not Modified"
    case 307: "Temporary Redirect"
    case 308: "Permanent Redirect"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 409: "Conflict"
    case 411: "Length Required"
    case 412: "Precondition Failed"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 415: "Unsupported Media Type"
    case 416: "Range Not Satisfiable"
    case 417: "Expectation Failed"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    default: "Status"
    }
}
