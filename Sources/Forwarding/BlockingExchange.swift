import CCurl
import Vocabulary

/// One HTTP request and its reply, over libcurl, on the thread that asks: what local calls and fetches share.
/// Nothing is repeated, no redirect followed, no proxy used.
final class BlockingExchange {
    /// Who is asked.
    enum Peer {
        /// A unix socket, in plain http.
        case socket(String)
        /// `https://host:port/` or `http://host:port/`, and the file of trusted authorities.
        case host(base: String, usesTLS: Bool, trustFile: String)
    }

    /// Why there is no reply.
    enum Fault: Error {
        /// The method, path or a field holds a byte that must not be sent.
        case unsafe(part: String)
        case unreachable
        /// The peer could not prove who it is.
        case untrusted(String)
        case timedOut
        case badReply(String)
    }

    let method: String
    let path: String
    let fields: [HeaderField]
    let body: [UInt8]
    let limit: Duration
    let replyBytesMax: Int

    fileprivate var reader = ReplyReader(passesAllFields: true)
    fileprivate var head: ReplyHead?
    fileprivate var received: [UInt8] = []
    fileprivate var fault: String?
    fileprivate var hasSent = false

    init(
        method: String, path: String, fields: [HeaderField], body: [UInt8], limit: Duration,
        replyBytesMax: Int
    ) {
        self.method = method
        self.path = path
        self.fields = fields
        self.body = body
        self.limit = limit
        self.replyBytesMax = replyBytesMax
    }

    /// Asks `peer` and waits for the whole reply, at most ``limit``.
    func perform(with peer: Peer) throws(Fault) -> LocalReply {
        try check()
        guard isLibraryReady, let easy = curl_easy_init() else {
            throw .badReply("libcurl could not be started")
        }
        defer { curl_easy_cleanup(easy) }
        var list: UnsafeMutablePointer<curl_slist>?
        defer { curl_slist_free_all(list) }
        // Without a semicolon libcurl takes an empty value for an order to leave the field out.
        var lines = fields.map { $0.value.isEmpty ? $0.name + ";" : $0.name + ": " + $0.value } + ["Expect:"]
        if !fields.contains(where: { $0.name == "content-type" }) { lines.append("Content-Type:") }
        if !fields.contains(where: { $0.name == "accept" }) { lines.append("Accept:") }
        for line in lines { list = curl_slist_append(list, line) ?? list }
        let result: CURLcode? = withExtendedLifetime(self) {
            set(easy, peer, list) ? curl_easy_perform(easy) : nil
        }
        switch result {
        case nil: throw .badReply("libcurl refused the request")
        case CURLE_OK: break
        case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST: throw .unreachable
        case CURLE_OPERATION_TIMEDOUT: throw .timedOut
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CACERT_BADFILE:
            throw .untrusted(result.map { String(cString: curl_easy_strerror($0)) } ?? "")
        case let other?: throw .badReply(fault ?? String(cString: curl_easy_strerror(other)))
        }
        guard let head else { throw .badReply("the connection closed before the reply") }
        return LocalReply(status: head.status, fields: head.fields, body: received)
    }

    /// libcurl sends whatever it is given.
    private func check() throws(Fault) {
        guard !method.isEmpty, method.utf8.allSatisfy(\.isTokenByte) else { throw .unsafe(part: "method") }
        guard path.utf8.first == 0x2F, path.utf8.allSatisfy(\.isTargetByte) else {
            throw .unsafe(part: "path")
        }
        for field in fields {
            let isSound = !field.name.isEmpty && field.name.utf8.allSatisfy(\.isTokenByte)
            guard isSound, field.value.utf8.allSatisfy(\.isFieldByte), !connectionFields.contains(field.name)
            else { throw .unsafe(part: "field `\(field.name)`") }
        }
    }

    private func set(
        _ easy: UnsafeMutableRawPointer, _ peer: Peer, _ list: UnsafeMutablePointer<curl_slist>?
    ) -> Bool {
        let context = Unmanaged.passUnretained(self).toOpaque()
        let results = [
            cs_set_text(easy, CURLOPT_PROXY, ""), cs_set_text(easy, CURLOPT_NOPROXY, "*"),
            cs_set_long(easy, CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue)),
            cs_set_long(easy, CURLOPT_NOSIGNAL, 1), cs_set_long(easy, CURLOPT_FOLLOWLOCATION, 0),
            cs_set_long(easy, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1)),
            cs_set_long(easy, CURLOPT_HTTP09_ALLOWED, 0), cs_set_long(easy, CURLOPT_PATH_AS_IS, 1),
            cs_set_text(easy, CURLOPT_REQUEST_TARGET, path),
            cs_set_long(easy, CURLOPT_TIMEOUT_MS, limit.wholeMillisecondsUp),
            cs_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, limit.wholeMillisecondsUp),
            cs_set_list(easy, CURLOPT_HTTPHEADER, list), cs_set_pointer(easy, CURLOPT_PREREQDATA, context),
            cs_set_pointer(easy, CURLOPT_HEADERDATA, context),
            cs_set_pointer(easy, CURLOPT_WRITEDATA, context),
            cs_set_send_callback(easy, beforeExchange),
            cs_set_data_callback(easy, CURLOPT_HEADERFUNCTION, takeLine),
            cs_set_data_callback(easy, CURLOPT_WRITEFUNCTION, takeBody),
        ]
        return (results + peer.options(easy) + bodyOptions(easy)).allSatisfy { $0 == CURLE_OK }
    }

    private func bodyOptions(_ easy: UnsafeMutableRawPointer) -> [CURLcode] {
        var results: [CURLcode] = []
        if !body.isEmpty || ["POST", "PUT"].contains(method) {
            results.append(cs_set_long(easy, CURLOPT_POST, 1))
            results.append(cs_set_offset(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count)))
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
            method == "HEAD"
                ? cs_set_long(easy, CURLOPT_NOBODY, 1) : cs_set_text(easy, CURLOPT_CUSTOMREQUEST, method))
        return results
    }
}

extension BlockingExchange.Peer {
    fileprivate func options(_ easy: UnsafeMutableRawPointer) -> [CURLcode] {
        switch self {
        case .socket(let path):
            [
                cs_set_text(easy, CURLOPT_UNIX_SOCKET_PATH, path),
                cs_set_text(easy, CURLOPT_URL, "http://localhost/"),
                cs_set_text(easy, CURLOPT_PROTOCOLS_STR, "http"),
            ]
        case .host(let base, let usesTLS, let trustFile):
            [
                cs_set_text(easy, CURLOPT_URL, base),
                cs_set_text(easy, CURLOPT_PROTOCOLS_STR, usesTLS ? "https" : "http"),
                cs_set_long(easy, CURLOPT_SSL_VERIFYPEER, 1), cs_set_long(easy, CURLOPT_SSL_VERIFYHOST, 2),
                cs_set_long(easy, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2)),
                cs_set_text(easy, CURLOPT_CAINFO, trustFile), cs_set_text(easy, CURLOPT_CAPATH, nil),
            ]
        }
    }
}

private let isLibraryReady = cs_global_init() == CURLE_OK

// MARK: - Callbacks. INVARIANT: `perform` keeps the exchange alive for as long as libcurl runs.

private func exchange(_ context: UnsafeMutableRawPointer?) -> BlockingExchange? {
    context.map { Unmanaged<BlockingExchange>.fromOpaque($0).takeUnretainedValue() }
}

private let beforeExchange: cs_send_callback = { context, _, _, _, _ in
    guard let exchange = exchange(context), !exchange.hasSent else { return cs_send_abort }
    exchange.hasSent = true
    return cs_send_proceed
}

private let takeLine: cs_data_callback = { bytes, size, count, context in
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

private let takeBody: cs_data_callback = { bytes, size, count, context in
    guard let bytes, let exchange = exchange(context) else { return 0 }
    guard exchange.received.count + size * count <= exchange.replyBytesMax else {
        exchange.fault = "the reply is larger than \(exchange.replyBytesMax) bytes"
        return 0
    }
    exchange.received.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: size * count))
    return size * count
}
