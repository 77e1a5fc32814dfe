import NIOCore
import Testing
import Vocabulary

@testable import Accepting

/// Everything that `bytes` hold, fed in pieces of `size`: the whole requests, how many bytes they are, and
/// the fault that came after them.
func readAll(
    _ bytes: [UInt8], piece size: Int = .max, limits: Limits = Limits()
) -> (requests: [InboundRequest], byteCount: Int, fault: RequestFault?) {
    var reader = RequestReader(limits: limits)
    var unread = ByteBuffer()
    var requests: [InboundRequest] = []
    var head: RequestHead?
    var body: [UInt8] = []
    var rest = bytes[...]
    var byteCount = 0
    while !rest.isEmpty {
        unread.writeBytes(rest.prefix(size))
        rest = rest.dropFirst(size)
        do throws(RequestFault) {
            reading: while true {
                switch try reader.next(&unread) {
                case .starved: break reading
                case .head(let received): head = received.head
                case .body(let piece): body += piece.readableBytesView
                case .end:
                    byteCount = bytes.count - rest.count - unread.readableBytes
                    if let head { requests.append(InboundRequest(head: head, body: body)) }
                    head = nil
                    body = []
                }
            }
        } catch {
            return (requests, byteCount, error)
        }
    }
    return (requests, byteCount, nil)
}

private let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
private let chunkedHead = "PUT /k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

/// Bytes that no request may begin with or hold, and part of what is said.
private let refusedBytes: [(String, String)] = [
    ("GET / HTTP/1.1\nHost: h\r\n\r\n", "bare line feed"),
    ("GET / HTTP/1.1\r\nHost: h\n\r\n", "bare line feed"),
    ("GET / HTTP/1.1\r\nHost: h\r\n\n", "bare line feed"),
    ("\nGET / HTTP/1.1\r\n", "bare line feed"),
    ("GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", "bare carriage return"),
    ("GET / HTTP/1.1\r\nHost: h\r\r\n\r\n", "bare carriage return"),
    ("GET / HTTP/1.1\r\nHost: h\r\n\rX", "bare carriage return"),
    ("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "request line is empty"),
    ("GET / HTTP/1.1\r\nHost: h\0\r\n\r\n", "control byte"),
    ("GET / HTTP/1.1\r\nHost: h\u{1B}[2J\r\n\r\n", "control byte"),
    ("\u{16}\u{03}\u{01}", "control byte"),
    ("GET /\r\n", "request line"),
    ("GET\r\n", "request line"),
    ("GET  / HTTP/1.1\r\n", "request line"),
    ("GET / x HTTP/1.1\r\n", "request line"),
    (" GET / HTTP/1.1\r\n", "request line"),
    ("GET / HTTP/1.1 \r\n", "request line"),
    ("GET /\tHTTP/1.1\r\n", "request line"),
    ("GET /\u{FC} HTTP/1.1\r\n", "not ASCII"),
    ("PRI * HTTP/2.0\r\n", "the version"),
    ("GET / HTTP/1.10\r\n", "the version"),
    ("GET / HTTP/0.9\r\n", "the version"),
    ("GET / ICY/1.1\r\n", "the version"),
    ("GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n folded\r\n\r\n", "folded"),
    ("GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n\tfolded: b\r\n\r\n", "folded"),
    ("GET / HTTP/1.1\r\nHost: h\r\nnothing\r\n\r\n", "no colon"),
    ("GET / HTTP/1.1\r\nHost: h\r\n: v\r\n\r\n", "field name"),
    ("GET / HTTP/1.1\r\nHost : h\r\n\r\n", "field name"),
]

private let refusedChunks: [(String, String)] = [
    ("+5\r\nhello\r\n0\r\n\r\n", "plain hexadecimal"),
    ("-5\r\n", "plain hexadecimal"),
    ("0x5\r\nhello\r\n0\r\n\r\n", "something else"),
    (" 5\r\nhello\r\n0\r\n\r\n", "plain hexadecimal"),
    ("5 \r\nhello\r\n0\r\n\r\n", "something else"),
    ("05\r\nhello\r\n0\r\n\r\n", "plain hexadecimal"),
    ("00\r\n\r\n", "plain hexadecimal"),
    ("\r\nhello", "plain hexadecimal"),
    ("g\r\n", "plain hexadecimal"),
    (";a=b\r\n", "plain hexadecimal"),
    ("1000000000000000\r\n", "plain hexadecimal"),
    ("ffffffffffffffff\r\n", "plain hexadecimal"),
    ("5\nhello\r\n0\r\n\r\n", "bare line feed"),
    ("5;a\nhello\r\n0\r\n\r\n", "bare line feed"),
    ("5;a\rb\r\nhello\r\n0\r\n\r\n", "bare carriage return"),
    ("5;a\u{01}\r\nhello\r\n0\r\n\r\n", "something else"),
    ("5;\r\n", "something else"),
    ("5;;a\r\n", "something else"),
    ("5;a=\r\n", "something else"),
    ("5;a=\"\r\n", "something else"),
    ("5;a=\"b\"c\"\r\n", "something else"),
    ("5;=b\r\n", "something else"),
    ("5;a b\r\n", "something else"),
    ("5\r\nhelloX\n0\r\n\r\n", "end of a chunk"),
    ("5\r\nhello\n0\r\n\r\n", "end of a chunk"),
    ("5\r\nhello\rX0\r\n\r\n", "end of a chunk"),
    ("5\r\nhello0\r\n\r\n", "end of a chunk"),
    ("0\r\nnocolon\r\n\r\n", "not a field"),
    ("0\r\n: v\r\n\r\n", "not a field"),
    ("0\r\nna me: v\r\n\r\n", "not a field"),
    ("0\r\na: \u{01}\r\n\r\n", "not a field"),
    ("0\r\na: b\n\r\n", "bare line feed"),
    ("0\r\n\n", "bare line feed"),
]

@Suite("Request reader") struct RequestReaderTests {
    @Test(
        "a head that breaks a byte rule is refused, however it is cut into packets", arguments: refusedBytes)
    func refusedHead(_ text: String, _ says: String) {
        for size in [1, 2, 3, 7, Int.max] {
            let outcome = readAll(Array(text.utf8), piece: size)
            #expect(outcome.requests.isEmpty)
            #expect(outcome.fault?.message.contains(says) == true, "\(outcome.fault?.message ?? "no fault")")
            #expect(outcome.fault?.status == 400)
            #expect(outcome.fault?.closes == true)
        }
    }

    @Test(
        "a chunked body that breaks a rule is refused, however it is cut into packets",
        arguments: refusedChunks)
    func refusedChunk(_ text: String, _ says: String) {
        for size in [1, 2, 3, 7, Int.max] {
            let outcome = readAll(Array((chunkedHead + text).utf8), piece: size)
            #expect(outcome.requests.isEmpty)
            #expect(outcome.fault?.message.contains(says) == true, "\(outcome.fault?.message ?? "no fault")")
            #expect(outcome.fault?.closes == true)
        }
    }

    @Test func `a value that is not UTF-8 is refused`() {
        let head = Array("GET / HTTP/1.1\r\nHost: h\r\nX: ".utf8)
        #expect(readAll(head + [0xFF] + Array("\r\n\r\n".utf8)).fault?.message.contains("UTF-8") == true)
        // An overlong slash and a lone surrogate.
        #expect(
            readAll(head + [0xC0, 0xAF] + Array("\r\n\r\n".utf8)).fault?.message.contains("UTF-8") == true)
        #expect(
            readAll(head + [0xED, 0xA0, 0x80] + Array("\r\n\r\n".utf8)).fault?.message.contains("UTF-8")
                == true)
        #expect(readAll(head + [0xC3, 0xA9] + Array("\r\n\r\n".utf8)).requests.first?.head["x"] == "\u{E9}")
    }

    @Test func `pipelined requests are told apart at every cut`() {
        let text =
            get + "POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\nhello" + chunkedHead
            + "5;ext=1;b\r\nhello\r\nA;q=\"x y\"\r\n0123456789\r\n0\r\nHost: evil\r\n"
            + "X-Amz-Target: evil\r\n\r\n"
            + "DELETE /b HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n" + get
        for size in 1...(text.utf8.count) {
            let outcome = readAll(Array(text.utf8), piece: size)
            #expect(outcome.fault == nil)
            #expect(outcome.requests.map(\.head.target) == ["/", "/a", "/k", "/b", "/"])
            #expect(
                outcome.requests.map { String(decoding: $0.body, as: UTF8.self) } == [
                    "", "hello", "hello0123456789", "", "",
                ])
        }
    }

    @Test func `trailers never become fields`() throws {
        let text = chunkedHead + "1\r\na\r\n0\r\nHost: evil\r\nX-Amz-Target: evil\r\n\r\n"
        let request = try #require(readAll(Array(text.utf8)).requests.first)
        #expect(request.head.fields.map(\.name) == ["host", "transfer-encoding"])
        #expect(request.head["host"] == "h")
    }

    @Test func `a request smuggled behind a body is the next request and no part of it`() {
        let text =
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
            + "DELETE /x HTTP/1.1\r\nHost: h\r\n\r\n"
        #expect(readAll(Array(text.utf8)).requests.map(\.head.method) == ["POST", "DELETE"])
    }

    @Test func `a body that is cut short is no request`() {
        #expect(
            readAll(Array("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nhello".utf8)).requests
                .isEmpty)
        #expect(readAll(Array((chunkedHead + "6\r\nhello").utf8)).requests.isEmpty)
        #expect(readAll(Array((chunkedHead + "5\r\nhello\r\n0\r\n").utf8)).requests.isEmpty)
    }

    @Test func `a fault of a request whose body follows closes the connection`() {
        let fault = readAll(Array("POST //x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc".utf8)).fault
        #expect(fault?.closes == true)
        #expect(readAll(Array("POST //x HTTP/1.1\r\nHost: h\r\n\r\n".utf8)).fault?.closes == false)
    }
}

@Suite("Reader limits") struct ReaderLimitTests {
    @Test func `a head may have 65536 bytes and not one more`() {
        let filled = { (total: Int) in
            var text = "GET / HTTP/1.1\r\nHost: h\r\n"
            for field in 0..<4 { text += "f\(field): " + String(repeating: "v", count: 16_000) + "\r\n" }
            return Array(
                (text + "last: " + String(repeating: "v", count: total - text.utf8.count - 10) + "\r\n\r\n")
                    .utf8)
        }
        #expect(filled(65_536).count == 65_536)
        #expect(readAll(filled(65_536)).requests.count == 1)
        #expect(readAll(filled(65_537)).fault?.status == 431)
        #expect(readAll(filled(65_537), piece: 1000).fault?.closes == true)
    }

    @Test func `a head without end is refused while it arrives`() {
        #expect(readAll(Array(repeating: UInt8(ascii: "A"), count: 9000)).fault?.status == 414)
        let endless = Array("GET / HTTP/1.1\r\nX: ".utf8) + Array(repeating: UInt8(ascii: "A"), count: 70_000)
        #expect(readAll(endless).fault?.status == 431)
    }

    @Test func `a chunk size line may have 256 bytes and not one more`() {
        let lineOf = { (count: Int) in
            Array((chunkedHead + "1;" + String(repeating: "x", count: count - 2) + "\r\na\r\n0\r\n\r\n").utf8)
        }
        for size in [1, 100, Int.max] {
            #expect(readAll(lineOf(256), piece: size).requests.count == 1)
            #expect(readAll(lineOf(257), piece: size).fault?.message.contains("longer") == true)
        }
        // Also before its end has come.
        let endless = Array((chunkedHead + "1;" + String(repeating: "x", count: 300)).utf8)
        #expect(readAll(endless).fault?.message.contains("longer") == true)
    }

    @Test func `trailers may have 4096 bytes and not one more, in one line or many`() {
        let one = { (count: Int) in
            Array((chunkedHead + "0\r\na:" + String(repeating: "x", count: count - 4) + "\r\n\r\n").utf8)
        }
        #expect(readAll(one(4096)).requests.count == 1)
        #expect(readAll(one(4097)).fault?.message.contains("longer") == true)
        let many = { (count: Int) in
            Array((chunkedHead + "0\r\n" + String(repeating: "a:123\r\n", count: count) + "\r\n").utf8)
        }
        #expect(readAll(many(585)).requests.count == 1)
        #expect(readAll(many(586)).fault?.message.contains("longer") == true)
    }

    @Test func `one request is read as the listener reads it, with nothing missing and nothing after it`()
        throws
    {
        let text = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
        let request = try readRequest(Array(text.utf8), bodyBytesMax: 5)
        #expect(request.body == Array("hello".utf8))
        #expect(throws: RequestFault.self) { try readRequest(Array(text.utf8), bodyBytesMax: 4) }
        #expect(throws: RequestFault.self) { try readRequest(Array(text.utf8.dropLast()), bodyBytesMax: 5) }
        #expect(throws: RequestFault.self) { try readRequest(Array((text + "x").utf8), bodyBytesMax: 5) }
        #expect(throws: RequestFault.self) { try readRequest([], bodyBytesMax: 5) }
    }
}
