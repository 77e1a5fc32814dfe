import Accepting
import Testing

typealias RawField = (name: String, value: String)

/// A change to a sound head, and what must be said of it.
struct HeadCase: Sendable, CustomTestStringConvertible {
    let claim: String
    var method = "POST"
    var target = "/bucket/key"
    var version = "HTTP/1.1"
    var host: String? = "127.0.0.1:8990"
    var fields: [[String]] = []
    var status = 400
    var closes = false
    /// Part of the message; nil: there is no fault.
    var says: String?

    var testDescription: String { claim }

    var rawFields: [RawField] {
        (host.map { [("Host", " \($0)")] } ?? []) + fields.map { ($0[0], $0[1]) }
    }
}

private func refused(
    _ claim: String, _ says: String, closes: Bool = false, _ change: (inout HeadCase) -> Void
) -> HeadCase {
    var head = HeadCase(claim: claim)
    head.says = says
    head.closes = closes
    change(&head)
    return head
}

private func refusedField(_ claim: String, _ says: String, _ fields: [[String]], status: Int = 400)
    -> HeadCase
{
    refused(claim, says, closes: true) {
        $0.fields = fields
        $0.status = status
    }
}

private func accepted(_ claim: String, _ change: (inout HeadCase) -> Void) -> HeadCase {
    var head = HeadCase(claim: claim)
    change(&head)
    return head
}

private let targets: [HeadCase] = [
    refused("absolute form", "begin with `/`") { $0.target = "http://evil.example/" },
    refused("authority form", "begin with `/`") { $0.target = "evil.example:443" },
    refused("CONNECT", "the method") { $0.method = "CONNECT" },
    refused("TRACE", "the method") { $0.method = "TRACE" },
    refused("an unknown method", "the method") { $0.method = "PURGE" },
    refused("a method in lower case", "the method") { $0.method = "get" },
    refused("OPTIONS *", "begin with `/`") {
        $0.method = "OPTIONS"; $0.target = "*"
    },
    refused("a fragment", "fragment") { $0.target = "/a#b" },
    refused("a fragment in the query", "fragment") { $0.target = "/a?b#c" },
    refused("a backslash", "backslash") { $0.target = "/a\\b" },
    refused("a raw non-ASCII byte", "not ASCII") { $0.target = "/\u{FC}" },
    refused("a raw blank", "blank") { $0.target = "/a b" },
    refused("a tab", "blank") { $0.target = "/a\tb" },
    refused("a DEL", "blank") { $0.target = "/a\u{7F}" },
    refused("an empty target", "begin with `/`") { $0.target = "" },
    refused("two leading slashes", "begins with `//`") { $0.target = "//evil.example/" },
    refused("a percent sign at the end", "two hex digits") { $0.target = "/a%" },
    refused("a percent sign and one digit at the end", "two hex digits") { $0.target = "/a%4" },
    refused("an escape that is not hexadecimal", "two hex digits") { $0.target = "/a%4g" },
    refused("an escape that is not hexadecimal in the query", "two hex digits") { $0.target = "/?a=%x4" },
    refused("a target of 8193 bytes", "longer than 8192", closes: true) {
        $0.target = "/" + String(repeating: "a", count: 8192)
        $0.status = 414
    },
    accepted("a target of 8192 bytes") { $0.target = "/" + String(repeating: "a", count: 8191) },
    accepted("empty segments later in the path") { $0.target = "/bucket//key//?list-type=2" },
    accepted("dots, escapes and odd ASCII") { $0.target = "/b/../a%2F%25/{|}~'()*!?a=b&&c=?/" },
]

private let hosts: [HeadCase] = [
    refused("no host", "no host") { $0.host = nil },
    refused("an empty host", "no host") { $0.host = "" },
    refused("no host on HTTP/1.0", "no host") {
        $0.host = nil; $0.version = "HTTP/1.0"
    },
    refused("two hosts", "`host` is there twice", closes: true) { $0.fields = [["host", "evil.example"]] },
    refused("two equal hosts", "`host` is there twice", closes: true) {
        $0.fields = [["HOST", "127.0.0.1:8990"]]
    },
    refused("a host with a user", "not a host name") { $0.host = "a@evil.example" },
    refused("a host with a path", "not a host name") { $0.host = "h/x" },
    refused("a list of hosts", "not a host name") { $0.host = "a, b" },
    refused("a host of escapes", "not a host name") { $0.host = "a%2eb" },
    refused("a host that is not ASCII", "not a host name") { $0.host = "\u{E9}.example" },
    refused("a host that begins with a dot", "not a host name") { $0.host = ".example" },
    refused("a host without a name", "not a host name") { $0.host = ":80" },
    refused("a port that is no number", "not a host name") { $0.host = "h:8x" },
    refused("an empty port", "not a host name") { $0.host = "h:" },
    refused("a port of six digits", "not a host name") { $0.host = "h:123456" },
    refused("an address without its bracket", "not a host name") { $0.host = "[::1" },
    refused("a host of 262 bytes", "not a host name") { $0.host = String(repeating: "a", count: 262) },
    accepted("a host of 261 bytes") { $0.host = String(repeating: "a", count: 261) },
    accepted("an address in brackets") { $0.host = "[::1]:8990" },
    accepted("an AWS host") { $0.host = "my_bucket.s3.eu-west-1.amazonaws.com" },
]

private let framing: [HeadCase] = [
    refusedField(
        "both lengths", "both there", [["Content-Length", "5"], ["Transfer-Encoding", "chunked"]]),
    refusedField(
        "two lengths", "`content-length` is there twice",
        [["Content-Length", "5"], ["Content-Length", "6"]]),
    refusedField("two equal lengths", "there twice", [["Content-Length", "5"], ["content-length", "5"]]),
    refusedField("a signed length", "plain decimal", [["Content-Length", "+5"]]),
    refusedField("a negative length", "plain decimal", [["Content-Length", "-5"]]),
    refusedField("a hexadecimal length", "plain decimal", [["Content-Length", "0x5"]]),
    refusedField("a list of lengths", "plain decimal", [["Content-Length", "5, 5"]]),
    refusedField("an empty length", "plain decimal", [["Content-Length", ""]]),
    refusedField("a length of blanks", "plain decimal", [["Content-Length", "  "]]),
    refusedField("a leading zero", "plain decimal", [["Content-Length", "05"]]),
    refusedField("two zeros", "plain decimal", [["Content-Length", "00"]]),
    refusedField("a length past 64 bits", "plain decimal", [["Content-Length", "9223372036854775808"]]),
    refusedField("digits of another script", "plain decimal", [["Content-Length", "\u{0665}"]]),
    refusedField("gzip before chunked", "exactly `chunked`", [["Transfer-Encoding", "gzip, chunked"]]),
    refusedField("chunked twice", "exactly `chunked`", [["Transfer-Encoding", "chunked, chunked"]]),
    refusedField(
        "two transfer encodings", "there twice",
        [["Transfer-Encoding", "chunked"], ["Transfer-Encoding", "x"]]),
    refusedField("xchunked", "exactly `chunked`", [["Transfer-Encoding", "xchunked"]]),
    refusedField("identity", "exactly `chunked`", [["Transfer-Encoding", "identity"]]),
    refusedField("an empty transfer encoding", "exactly `chunked`", [["Transfer-Encoding", ""]]),
    refused("chunked on HTTP/1.0", "HTTP/1.0", closes: true) {
        $0.version = "HTTP/1.0"
        $0.fields = [["Transfer-Encoding", "chunked"]]
    },
    refused("HTTP/1.2", "the version", closes: true) { $0.version = "HTTP/1.2" },
    refused("HTTP/2.0", "the version", closes: true) { $0.version = "HTTP/2.0" },
    refused("a lower-case version", "the version", closes: true) { $0.version = "http/1.1" },
    refused("no version", "the version", closes: true) { $0.version = "" },
    accepted("a length of zero") { $0.fields = [["Content-Length", " 0 "]] },
    accepted("the largest length") { $0.fields = [["Content-Length", "9223372036854775807"]] },
    accepted("chunked in capitals, with blanks") { $0.fields = [["Transfer-Encoding", "\t Chunked "]] },
    accepted("HTTP/1.0") { $0.version = "HTTP/1.0" },
]

private let singletons = [
    "Authorization", "Content-Type", "Content-Encoding", "Content-MD5", "Date", "Expect", "Range", "If-Match",
    "User-Agent", "X-Amz-Date", "X-Amz-Target", "X-Amz-Security-Token", "X-Amz-Content-Sha256",
    "x-amz-copy-source", "x-amz-meta-color", "amz-sdk-invocation-id", "smithy-protocol", "X-Countersign-Task",
    "Origin", "X-Anything",
]

private let fields: [HeadCase] =
    singletons.map {
        refusedField("two of \($0)", "is there twice", [[$0, "100-continue"], [$0, "100-continue"]])
    } + [
        refusedField("an empty name", "a field name", [["", "x"]]),
        refusedField("a blank before the colon", "a field name", [["Content-Length ", "5"]]),
        refusedField("a folded line", "a field name", [[" folded", "x"]]),
        refusedField("a name that is no token", "a field name", [["a(b)", "x"]]),
        refusedField("a name that is not ASCII", "a field name", [["h\u{F6}st", "x"]]),
        refusedField("a line feed in a value", "control byte", [["a", "b\nc"]]),
        refusedField("a carriage return in a value", "control byte", [["a", "b\rc"]]),
        refusedField("a NUL in a value", "control byte", [["a", "b\0"]]),
        refusedField("a DEL in a value", "control byte", [["a", "b\u{7F}"]]),
        refusedField("129 fields", "more than 128", (0..<128).map { ["f\($0)", ""] }, status: 431),
        refusedField("a field of 16385 bytes", "larger than 16384", [["a", value(of: 16_383)]], status: 431),
        refused("an unknown expectation", "the only expectation") {
            $0.fields = [["Expect", "200-ok"]]
            $0.status = 417
        },
        accepted("128 fields") { $0.fields = (0..<127).map { ["f\($0)", ""] } },
        accepted("a field of 16384 bytes") { $0.fields = [["a", value(of: 16_382)]] },
        accepted("100-continue in capitals") { $0.fields = [["Expect", "100-Continue"]] },
        accepted("lists that come in parts") {
            $0.fields = [["Accept", "a"], ["accept", "b"], ["Via", "c"], ["via", "d"]]
        },
        accepted("a value of UTF-8 and tabs") { $0.fields = [["x-amz-meta-name", "\u{E9}\t\u{1F600}"]] },
    ]

private func value(of count: Int) -> String { String(repeating: "v", count: count) }

@Suite("Head faults") struct HeadFaultTests {
    @Test(
        "every form of a head is refused or accepted as THREATS section 1 says",
        arguments: targets + hosts + framing + fields)
    func form(_ head: HeadCase) {
        let fault = headFault(
            method: head.method, target: head.target, fields: head.rawFields, version: head.version)
        guard let says = head.says else {
            #expect(fault == nil)
            return
        }
        #expect(fault?.message.contains(says) == true, "\(fault?.message ?? "no fault")")
        #expect(fault?.status == head.status)
        #expect(fault?.closes == head.closes)
    }

    @Test func `a message shows no control byte and nothing long of what the client sent`() {
        let name = String(repeating: "n", count: 20_000)
        let fault = headFault(
            method: "GET", target: "/", fields: [("Host", "h"), (name, "v")], version: "HTTP/1.1")
        #expect((fault?.message.count ?? 999) < 150)
    }

    @Test func `a head loses the blanks at the ends of its values and nothing else`() {
        let head = makeRequestHead(
            method: "GET", target: "/a?b",
            fields: [("Host", " \th "), ("X-Amz-Meta", "  a  b\t"), ("Empty", " \t ")])
        #expect(head.fields.map(\.name) == ["host", "x-amz-meta", "empty"])
        #expect(head.fields.map(\.value) == ["h", "a  b", ""])
        #expect(head.target == "/a?b")
    }
}
