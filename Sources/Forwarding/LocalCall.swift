import CCurl
import Vocabulary

/// What a local socket answered.
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
    guard !method.isEmpty, method.utf8.allSatisfy(\.isTokenByte) else { throw .unsafe(part: "method") }
    guard path.utf8.first == 0x2F, path.utf8.allSatisfy(\.isTargetByte) else { throw .unsafe(part: "path") }
    guard (1...107).contains(socket.utf8.count), !socket.utf8.contains(0) else {
        throw .unreachable(socket: socket)
    }
    for field in fields {
        let isSound = !field.name.isEmpty && field.name.utf8.allSatisfy(\.isTokenByte)
        guard isSound, field.value.utf8.allSatisfy(\.isFieldByte), !connectionFields.contains(field.name)
        else {
            throw .unsafe(part: "field `\(field.name)`")
        }
    }
    guard isLibraryReady, let easy = curl_easy_init() else { throw .badReply("libcurl could not be started") }
    defer { curl_easy_cleanup(easy) }
    var list: UnsafeMutablePointer<curl_slist>?
    defer { curl_slist_free_all(list) }
    var lines = fields.map { $0.value.isEmpty ? $0.name + ";" : $0.name + ": " + $0.value } + ["Expect:"]
    if !fields.contains(where: { $0.name == "content-type" }) {
        lines.append(body.isEmpty ? "Content-Type:" : "Content-Type: application/json")
    }
    for line in lines { list = curl_slist_append(list, line) ?? list }
    let exchange = LocalExchange()
    let context = Unmanaged.passUnretained(exchange).toOpaque()
    let target = LocalTarget(socket: socket, method: method, path: path)
    let isSet = withExtendedLifetime(exchange) {
        prepareLocal(easy, target, list: list, body: body, limit: limit, context: context)
    }
    guard isSet else { throw .badReply("libcurl refused the request") }
    let result = withExtendedLifetime(exchange) { curl_easy_perform(easy) }
    switch result {
    case CURLE_OK: break
    case CURLE_COULDNT_CONNECT: throw .unreachable(socket: socket)
    case CURLE_OPERATION_TIMEDOUT: throw .timedOut
    default: throw .badReply(exchange.fault ?? String(cString: curl_easy_strerror(result)))
    }
    guard let head = exchange.head else { throw .badReply("the connection closed before the reply") }
    return LocalReply(status: head.status, fields: head.fields, body: exchange.body)
}

private struct LocalTarget {
    let socket: String
    let method: String
    let path: String
}

/// What the callbacks of one local call gather.
private final class LocalExchange {
    var reader = ReplyReader(passesAllFields: true)
    var head: ReplyHead?
    var body: [UInt8] = []
    var fault: String?
    var hasSent = false
}

private let isLibraryReady = cs_global_init() == CURLE_OK

private func prepareLocal(
    _ easy: UnsafeMutableRawPointer, _ target: LocalTarget, list: UnsafeMutablePointer<curl_slist>?,
    body: [UInt8],
    limit: Duration, context: UnsafeMutableRawPointer
) -> Bool {
    let sends = !body.isEmpty || ["POST", "PUT"].contains(target.method)
    let size = curl_off_t(body.count)
    var results = [
        cs_set_text(easy, CURLOPT_UNIX_SOCKET_PATH, target.socket),
        cs_set_text(easy, CURLOPT_URL, "http://localhost/"),
        cs_set_text(easy, CURLOPT_PROTOCOLS_STR, "http"), cs_set_text(easy, CURLOPT_PROXY, ""),
        cs_set_long(easy, CURLOPT_NOSIGNAL, 1), cs_set_long(easy, CURLOPT_FOLLOWLOCATION, 0),
        cs_set_long(easy, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1)),
        cs_set_long(easy, CURLOPT_HTTP09_ALLOWED, 0), cs_set_long(easy, CURLOPT_PATH_AS_IS, 1),
        cs_set_text(easy, CURLOPT_REQUEST_TARGET, target.path),
        cs_set_long(easy, CURLOPT_TIMEOUT_MS, limit.wholeMillisecondsUp),
        cs_set_list(easy, CURLOPT_HTTPHEADER, list), cs_set_pointer(easy, CURLOPT_PREREQDATA, context),
        cs_set_pointer(easy, CURLOPT_HEADERDATA, context), cs_set_pointer(easy, CURLOPT_WRITEDATA, context),
        cs_set_send_callback(easy, beforeLocalSend),
        cs_set_data_callback(easy, CURLOPT_HEADERFUNCTION, localLine),
        cs_set_data_callback(easy, CURLOPT_WRITEFUNCTION, localBody),
    ]
    if sends {
        results.append(cs_set_long(easy, CURLOPT_POST, 1))
        results.append(cs_set_offset(easy, CURLOPT_POSTFIELDSIZE_LARGE, size))
        results.append(
            body.withUnsafeBytes { bytes in
                guard let address = bytes.baseAddress else {
                    return cs_set_text(easy, CURLOPT_COPYPOSTFIELDS, "")
                }
                return cs_set_pointer(
                    easy, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: address))
            })
    }
    results.append(
        target.method == "HEAD"
            ? cs_set_long(easy, CURLOPT_NOBODY, 1) : cs_set_text(easy, CURLOPT_CUSTOMREQUEST, target.method))
    return results.allSatisfy { $0 == CURLE_OK }
}

private func exchange(_ context: UnsafeMutableRawPointer?) -> LocalExchange? {
    context.map { Unmanaged<LocalExchange>.fromOpaque($0).takeUnretainedValue() }
}

private let beforeLocalSend: cs_send_callback = { context, _, _, _, _ in
    guard let exchange = exchange(context), !exchange.hasSent else { return cs_send_abort }
    exchange.hasSent = true
    return cs_send_proceed
}

private let localLine: cs_data_callback = { bytes, size, count, context in
    guard let bytes, let exchange = exchange(context) else { return 0 }
    let line = [UInt8](UnsafeRawBufferPointer(start: bytes, count: size * count))
    switch exchange.reader.line(line) {
    case .more: return line.count
    case .head(let head):
        exchange.head = head
        return line.count
    case .refused(let why):
        exchange.fault = why
        return 0
    }
}

private let localBody: cs_data_callback = { bytes, size, count, context in
    guard let bytes, let exchange = exchange(context) else { return 0 }
    guard exchange.body.count + size * count <= localReplyBytesMax else {
        exchange.fault = "the reply is larger than \(localReplyBytesMax) bytes"
        return 0
    }
    exchange.body.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: size * count))
    return size * count
}
