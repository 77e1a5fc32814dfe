import CCurl
import Vocabulary

/// One libcurl easy handle with a transfer in it. Used on the driver's thread only.
struct CurlHandle {
    let easy: UnsafeMutableRawPointer
    private var list: UnsafeMutablePointer<curl_slist>?

    init?() {
        guard let easy = curl_easy_init() else { return nil }
        self.easy = easy
    }

    /// Bodies up to this size are copied into libcurl, which then sends head and body in one write; larger
    /// ones are read piece by piece.
    private static let copiedBodyBytesMax = 262_144

    /// Sets everything for `outbound` on a handle that is new or cleared; `transfer` must live until
    /// ``clear()``. False when libcurl refuses an option.
    mutating func prepare(
        _ outbound: Outbound, for transfer: Transfer, setting: ForwardingSetting
    ) -> Bool {
        let fixed = setFixed(setting) && setSafety(outbound, setting)
        return fixed && setRequest(outbound, transfer) && setCallbacks(transfer)
    }

    /// Lets go of the transfer and its strings.
    mutating func clear() {
        curl_easy_reset(easy)
        curl_slist_free_all(list)
        list = nil
    }

    /// Ends the handle for good.
    mutating func close() {
        curl_easy_cleanup(easy)
        curl_slist_free_all(list)
        list = nil
    }

    var measure: Transfer.Measure {
        let sent = cs_get_long(easy, CURLINFO_REQUEST_SIZE) + Int(cs_get_offset(easy, CURLINFO_SIZE_UPLOAD_T))
        let received =
            cs_get_long(easy, CURLINFO_HEADER_SIZE) + Int(cs_get_offset(easy, CURLINFO_SIZE_DOWNLOAD_T))
        let elapsed = Duration.microseconds(cs_get_offset(easy, CURLINFO_TOTAL_TIME_T))
        return Transfer.Measure(bytesSent: sent, bytesReceived: received, elapsed: elapsed)
    }

    private func setFixed(_ setting: ForwardingSetting) -> Bool {
        setNumber(CURLOPT_NOSIGNAL, 1)
            && setNumber(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
            && setNumber(CURLOPT_SSL_ENABLE_ALPN, 0)
            && setNumber(CURLOPT_HTTP09_ALLOWED, 0)
            && setNumber(CURLOPT_MAXAGE_CONN, 30)
            && setNumber(CURLOPT_CONNECTTIMEOUT_MS, setting.connectLimit.wholeMillisecondsUp)
            && setNumber(CURLOPT_TIMEOUT_MS, setting.totalLimit?.wholeMillisecondsUp ?? 0)
    }

    /// What keeps a request on its way to the host it was signed for (THREATS.md section 2).
    private func setSafety(_ outbound: Outbound, _ setting: ForwardingSetting) -> Bool {
        setText(CURLOPT_PROTOCOLS_STR, outbound.usesTLS ? "https" : "http")
            && setText(CURLOPT_REDIR_PROTOCOLS_STR, "https")
            && setNumber(CURLOPT_FOLLOWLOCATION, 0)
            && setText(CURLOPT_PROXY, "")
            && setText(CURLOPT_NOPROXY, "*")
            && setNumber(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
            && setNumber(CURLOPT_SSL_VERIFYPEER, 1)
            && setNumber(CURLOPT_SSL_VERIFYHOST, 2)
            && setNumber(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
            && setText(CURLOPT_CAINFO, setting.trustFile)
            // Debian compiles in a folder of authorities, which also disables the cache of parsed ones: 20 ms
            // CPU a connection.
            && cs_set_text(easy, CURLOPT_CAPATH, nil) == CURLE_OK
    }

    private mutating func setRequest(_ outbound: Outbound, _ transfer: Transfer) -> Bool {
        for line in outbound.headerLines {
            guard let longer = curl_slist_append(list, line) else { return false }
            list = longer
        }
        guard setText(CURLOPT_URL, outbound.base), setNumber(CURLOPT_PATH_AS_IS, 1),
            setText(CURLOPT_REQUEST_TARGET, outbound.target), setBody(outbound),
            cs_set_list(easy, CURLOPT_HTTPHEADER, list) == CURLE_OK
        else { return false }
        return setNumber(CURLOPT_FRESH_CONNECT, transfer.connection == .fresh ? 1 : 0)
    }

    private func setBody(_ outbound: Outbound) -> Bool {
        if outbound.method == "HEAD" { return setNumber(CURLOPT_NOBODY, 1) }
        let announcesEmpty = ["POST", "PUT", "PATCH"].contains(outbound.method)
        guard !outbound.body.isEmpty || announcesEmpty else {
            return setNumber(CURLOPT_HTTPGET, 1) && setText(CURLOPT_CUSTOMREQUEST, outbound.method)
        }
        let size = curl_off_t(outbound.body.count)
        guard setNumber(CURLOPT_POST, 1), cs_set_offset(easy, CURLOPT_POSTFIELDSIZE_LARGE, size) == CURLE_OK,
            setText(CURLOPT_CUSTOMREQUEST, outbound.method)
        else { return false }
        guard outbound.body.count <= Self.copiedBodyBytesMax else {
            let reads = cs_set_data_callback(easy, CURLOPT_READFUNCTION, readBody) == CURLE_OK
            // Without a way to rewind libcurl cannot repeat a body: a second lock on writes.
            return reads && (!outbound.mayRepeat || cs_set_seek_callback(easy, seekBody) == CURLE_OK)
        }
        if outbound.body.isEmpty { return setText(CURLOPT_COPYPOSTFIELDS, "") }
        return outbound.body.withUnsafeBytes { bytes in
            // libcurl copies as many bytes as the size above says.
            let address = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
            return cs_set_pointer(easy, CURLOPT_COPYPOSTFIELDS, address) == CURLE_OK
        }
    }

    private func setCallbacks(_ transfer: Transfer) -> Bool {
        let context = Unmanaged.passUnretained(transfer).toOpaque()
        return cs_set_pointer(easy, CURLOPT_PRIVATE, context) == CURLE_OK
            && cs_set_pointer(easy, CURLOPT_PREREQDATA, context) == CURLE_OK
            && cs_set_pointer(easy, CURLOPT_READDATA, context) == CURLE_OK
            && cs_set_pointer(easy, CURLOPT_SEEKDATA, context) == CURLE_OK
            && cs_set_pointer(easy, CURLOPT_HEADERDATA, context) == CURLE_OK
            && cs_set_pointer(easy, CURLOPT_WRITEDATA, context) == CURLE_OK
            && cs_set_send_callback(easy, beforeSend) == CURLE_OK
            && cs_set_data_callback(easy, CURLOPT_HEADERFUNCTION, receiveLine) == CURLE_OK
            && cs_set_data_callback(easy, CURLOPT_WRITEFUNCTION, receiveBody) == CURLE_OK
    }

    private func setNumber(_ option: CURLoption, _ value: Int) -> Bool {
        cs_set_long(easy, option, value) == CURLE_OK
    }

    private func setText(_ option: CURLoption, _ value: String) -> Bool {
        cs_set_text(easy, option, value) == CURLE_OK
    }
}

extension Duration {
    /// Whole milliseconds, rounded up, at least 1.
    var wholeMillisecondsUp: Int { Int(max(1, (wholeNanoseconds.clampedAtZero + 999_999) / 1_000_000)) }
}

extension Int64 {
    /// Not below zero, and far enough from the end to round up.
    fileprivate var clampedAtZero: Int64 { Swift.min(Swift.max(0, self), .max - 1_000_000_000) }
}

// MARK: - Callbacks. INVARIANT: the driver keeps each transfer alive from add_handle to remove_handle, so the
// context is valid.

private func transfer(_ context: UnsafeMutableRawPointer?) -> Transfer? {
    context.map { Unmanaged<Transfer>.fromOpaque($0).takeUnretainedValue() }
}

private let beforeSend: cs_send_callback = { context, _, _, _, _ in
    transfer(context)?.willSend() == true ? cs_send_proceed : cs_send_abort
}

private let readBody: cs_data_callback = { bytes, size, count, context in
    guard let bytes, let transfer = transfer(context) else { return cs_abort_read }
    return transfer.sendBody(into: UnsafeMutableRawBufferPointer(start: bytes, count: size * count))
}

private let seekBody: cs_seek_callback = { context, offset, origin in
    guard origin == SEEK_SET, let transfer = transfer(context) else { return cs_seek_fail }
    return transfer.rewindBody(to: Int(offset)) ? cs_seek_ok : cs_seek_fail
}

private let receiveLine: cs_data_callback = { bytes, size, count, context in
    guard let bytes, let transfer = transfer(context) else { return 0 }
    let line = [UInt8](UnsafeRawBufferPointer(start: bytes, count: size * count))
    return transfer.receivedLine(line) ? line.count : 0
}

private let receiveBody: cs_data_callback = { bytes, size, count, context in
    guard let bytes, let transfer = transfer(context) else { return 0 }
    return transfer.received(UnsafeRawBufferPointer(start: bytes, count: size * count))
}
