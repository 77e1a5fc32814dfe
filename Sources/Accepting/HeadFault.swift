import Vocabulary

/// What is at fault in a request's head, or nil when it may be read on.
///
/// One pure function for the listener and for `debug recognize`. `fields` are the raw parts of each line,
/// split at its first colon: values may still carry blanks at their ends. `version` is the text of the
/// request line: `HTTP/1.1`. The form of THREATS section 1; framing is judged first, so that a fault that
/// does not close is of a request whose end is known.
package func headFault(
    method: String, target: String, fields: [(name: String, value: String)], version: String,
    limits: Limits = Limits()
) -> RequestFault? {
    guard version == "HTTP/1.1" || version == "HTTP/1.0" else {
        return .framing("the version is not HTTP/1.1 or HTTP/1.0")
    }
    return fieldFault(fields, limits: limits)
        ?? duplicateFault(fields)
        ?? framingFault(fields, version: version)
        ?? hostFault(fields)
        ?? methodFault(method)
        ?? targetFault(target, limits: limits)
        ?? expectFault(fields)
}

/// The head that `headFault` found nothing wrong with: values without blanks at their ends, names in lower
/// case.
package func makeRequestHead(
    method: String, target: String, fields: [(name: String, value: String)]
) -> RequestHead {
    RequestHead(
        method: method, target: target,
        fields: fields.map { HeaderField($0.name, String(trimmed($0.value))) })
}

/// How a body is delimited.
package enum BodyFraming: Hashable, Sendable {
    /// There is no body.
    case none
    /// This many bytes, at least one.
    case length(Int)
    case chunked
}

/// The framing that fields without a fault announce.
func bodyFraming(_ fields: [HeaderField]) -> BodyFraming {
    for field in fields {
        if field.name == "transfer-encoding" { return .chunked }
        if field.name == "content-length", let length = Int(field.value), length > 0 {
            return .length(length)
        }
    }
    return .none
}

/// Fields that HTTP defines as lists and that decide nothing here: the only ones that may come more than
/// once.
private let repeatable: Set<String> = [
    "accept", "accept-charset", "accept-encoding", "accept-language", "cache-control", "connection", "cookie",
    "forwarded", "keep-alive", "pragma", "te", "trailer", "upgrade", "via", "warning", "x-forwarded-for",
]

private let methods: Set<String> = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]

private func fieldFault(_ fields: [(name: String, value: String)], limits: Limits) -> RequestFault? {
    guard fields.count <= limits.fieldCountMax else {
        return .headTooLarge("the request has more than \(limits.fieldCountMax) fields")
    }
    for (name, value) in fields {
        guard !name.isEmpty, name.utf8.allSatisfy(isTokenByte) else {
            return .framing("a field name is empty or holds a byte that names cannot have, such as a blank")
        }
        guard name.utf8.count + value.utf8.count < limits.fieldBytesMax else {
            return .headTooLarge("field `\(name.prefix(64))` is larger than \(limits.fieldBytesMax) bytes")
        }
        guard value.utf8.allSatisfy({ ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 }) else {
            return .framing("field `\(name.prefix(64))` holds a control byte")
        }
    }
    return nil
}

private func duplicateFault(_ fields: [(name: String, value: String)]) -> RequestFault? {
    var seen = Set<String>(minimumCapacity: fields.count)
    for (name, _) in fields {
        let name = name.asciiLowercased
        guard seen.insert(name).inserted || repeatable.contains(name) else {
            return .framing("field `\(name.prefix(64))` is there twice")
        }
    }
    return nil
}

/// `Content-Length` and `Transfer-Encoding`: one of them at most, once, in its one spelling (RFC 9112,
/// section 6).
private func framingFault(_ fields: [(name: String, value: String)], version: String) -> RequestFault? {
    let encoding = value(of: "transfer-encoding", in: fields)
    let length = value(of: "content-length", in: fields)
    if encoding != nil, length != nil {
        return .framing("content-length and transfer-encoding are both there")
    }
    if let encoding {
        guard encoding.asciiLowercased.utf8.elementsEqual("chunked".utf8) else {
            return .framing("transfer-encoding is not exactly `chunked`")
        }
        guard version == "HTTP/1.1" else { return .framing("transfer-encoding came with HTTP/1.0") }
    }
    if let length, !isPlainLength(length) {
        return .framing("content-length is not one plain decimal number")
    }
    return nil
}

/// Decimal digits that fit a 64-bit integer, without sign, blank, comma or leading zero.
private func isPlainLength(_ text: String) -> Bool {
    let bytes = text.utf8
    guard let first = bytes.first, bytes.allSatisfy({ (0x30...0x39).contains($0) }) else { return false }
    return (first != 0x30 || bytes.count == 1) && Int(text) != nil
}

private func hostFault(_ fields: [(name: String, value: String)]) -> RequestFault? {
    guard let host = value(of: "host", in: fields), !host.isEmpty else {
        return .bad("the request has no host field")
    }
    guard isAuthority(host) else { return .bad("the host field is not a host name with an optional port") }
    return nil
}

/// `host`, `host:port` or `[address]:port`, at most 261 bytes: no user, no path, no list.
private func isAuthority(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    guard bytes.count <= 261 else { return false }
    var rest: ArraySlice<UInt8>
    if bytes.first == UInt8(ascii: "[") {
        guard let end = bytes.firstIndex(of: UInt8(ascii: "]")), end > 1,
            bytes[1..<end].allSatisfy({ isHexDigit($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") }
            )
        else { return false }
        rest = bytes[(end + 1)...]
    } else {
        let name = bytes.prefix { isAlphanumeric($0) || ".-_".utf8.contains($0) }
        guard let first = name.first, first != UInt8(ascii: ".") else { return false }
        rest = bytes[name.endIndex...]
    }
    guard let colon = rest.first else { return true }
    rest = rest.dropFirst()
    return colon == UInt8(ascii: ":") && (1...5).contains(rest.count)
        && rest.allSatisfy { (0x30...0x39).contains($0) }
}

private func methodFault(_ method: String) -> RequestFault? {
    guard methods.contains(method) else {
        return .bad("the method is none of GET, HEAD, POST, PUT, DELETE, PATCH and OPTIONS")
    }
    return nil
}

private func targetFault(_ target: String, limits: Limits) -> RequestFault? {
    let bytes = Array(target.utf8)
    guard bytes.count <= limits.targetBytesMax else {
        return RequestFault(
            status: 414, code: "RequestURITooLong",
            message: "the target is longer than \(limits.targetBytesMax) bytes",
            closes: true)
    }
    // `*`, `host:port` and `http://host/` all fail here: only the origin form says which host was meant just
    // once.
    guard bytes.first == UInt8(ascii: "/") else { return .bad("the target does not begin with `/`") }
    guard !bytes.starts(with: "//".utf8) else { return .bad("the target begins with `//`") }
    guard bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else {
        return .bad("the target holds a blank, a control byte or a byte that is not ASCII: percent-encode it")
    }
    guard !bytes.contains(UInt8(ascii: "#")) else { return .bad("the target holds a fragment") }
    guard !bytes.contains(UInt8(ascii: "\\")) else { return .bad("the target holds a backslash") }
    for index in bytes.indices where bytes[index] == UInt8(ascii: "%") {
        guard index + 2 < bytes.count, isHexDigit(bytes[index + 1]), isHexDigit(bytes[index + 2]) else {
            return .bad("a `%` of the target is not followed by two hex digits")
        }
    }
    return nil
}

private func expectFault(_ fields: [(name: String, value: String)]) -> RequestFault? {
    guard let expect = value(of: "expect", in: fields) else { return nil }
    guard expect.asciiLowercased.utf8.elementsEqual("100-continue".utf8) else {
        return RequestFault(
            status: 417, code: "ExpectationFailed", message: "the only expectation met is `100-continue`",
            closes: false)
    }
    return nil
}

/// The trimmed value of the first field `name` (lower case).
private func value(of name: String, in fields: [(name: String, value: String)]) -> String? {
    fields.first { $0.name.asciiLowercased.utf8.elementsEqual(name.utf8) }.map { String(trimmed($0.value)) }
}

/// `text` without the blanks and tabs at its ends (RFC 9110, OWS).
private func trimmed(_ text: String) -> Substring {
    let bytes = text.utf8
    var start = bytes.startIndex
    var end = bytes.endIndex
    while start < end, bytes[start] == 0x20 || bytes[start] == 0x09 { start = bytes.index(after: start) }
    while start < end {
        let before = bytes.index(before: end)
        guard bytes[before] == 0x20 || bytes[before] == 0x09 else { break }
        end = before
    }
    return text[start..<end]
}

func isAlphanumeric(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "a")...UInt8(ascii: "z"):
        true
    default: false
    }
}

func isHexDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "F"),
        UInt8(ascii: "a")...UInt8(ascii: "f"):
        true
    default: false
    }
}

/// RFC 9110, tchar.
func isTokenByte(_ byte: UInt8) -> Bool {
    isAlphanumeric(byte) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
}
