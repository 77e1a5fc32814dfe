import Hashing
import Testing
import Vocabulary

@testable import Recognizing

private let digits: String = String(repeating: "0123456789abcdef", count: 4)
private let plainHash: String = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
private let trailerHash: String = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
private let unsignedHash: String = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

/// How a client sends `hello`.
private struct Form: Sendable, CustomStringConvertible {
    let description: String
    let fields: [(String, String)]
    let body: String
}

private let length: (String, String) = ("x-amz-decoded-content-length", "5")
private let coding: (String, String) = ("content-encoding", "aws-chunked")
private let announced: (String, String) = ("x-amz-trailer", "x-amz-checksum-crc32")
private let trailer: String = "x-amz-checksum-crc32:NhCmhg=="

private let forms: [Form] = [
    Form(
        description: "restic: signed, without a coding",
        fields: [("x-amz-content-sha256", plainHash), length],
        body: "5;chunk-signature=\(digits)\r\nhello\r\n0;chunk-signature=\(digits)\r\n\r\n"),
    Form(
        description: "AWS's own example: signed, with trailers",
        fields: [("x-amz-content-sha256", trailerHash), length, coding, announced],
        body: "5;chunk-signature=\(digits)\r\nhello\r\n0;chunk-signature=\(digits)\r\n\(trailer)\r\n"
            + "x-amz-trailer-signature:\(digits)\r\n\r\n"),
    Form(
        description: "minio-go: the same with its own line end",
        fields: [("x-amz-content-sha256", trailerHash), length, coding, announced],
        body: "5;chunk-signature=\(digits)\r\nhello\r\n0;chunk-signature=\(digits)\r\n\(trailer)\n\r\n"
            + "x-amz-trailer-signature:\(digits)\r\n\r\n"),
    Form(
        description: "boto3, CRT, Go and C++: unsigned with trailers",
        fields: [("x-amz-content-sha256", unsignedHash), length, coding, announced],
        body: "5\r\nhello\r\n0\r\n\(trailer)\r\n\r\n"),
    Form(
        description: "minio-go: unsigned with its own line end",
        fields: [("x-amz-content-sha256", unsignedHash), length, coding, announced],
        body: "5\r\nhello\r\n0\r\n\(trailer)\n\r\n\r\n"),
    Form(
        description: "no trailers after all", fields: [("x-amz-content-sha256", unsignedHash), length],
        body: "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
    Form(
        description: "pyarrow without keys: the coding says it",
        fields: [coding, length, announced], body: "5\r\nhello\r\n0\r\n\(trailer)\r\n\r\n"),
    Form(description: "the length alone says it", fields: [length], body: "5\r\nhello\r\n0\r\n\r\n"),
]

/// Uploads in chunks inside their body, as each client writes them.
@Suite("aws-chunked") struct FramingTests {
    private func head(_ fields: [(String, String)], target: String = "/logs/k") -> RequestHead {
        RequestHead(
            method: "PUT", target: target,
            fields: [HeaderField("host", "127.0.0.1:8990")] + fields.map { HeaderField($0.0, $0.1) })
    }

    private func request(
        _ fields: [(String, String)], _ body: String, target: String = "/logs/k"
    ) -> InboundRequest {
        InboundRequest(head: head(fields, target: target), body: Array(body.utf8))
    }

    private func call(
        _ fields: [(String, String)], _ body: String, target: String = "/logs/k", service: String = "s3"
    ) throws -> Call {
        let caller = Caller(
            agent: try AgentName(parsing: "local"), session: SessionID(random: 7), strength: .listener,
            task: nil, reason: nil, scope: CredentialScope(region: "us-east-1", service: service))
        return try recognize(
            request(fields, body, target: target), caller: caller,
            setting: RecognitionSetting(account: "111122223333", region: "us-east-1"))
    }

    private func sent(_ call: Call) -> [String] { call.sealed.fields.map { "\($0.name): \($0.value)" } }

    @Test("its content leaves here plain, and it is the call that a plain upload is", arguments: forms)
    fileprivate func plain(_ form: Form) throws {
        let framed = try call(form.fields, form.body)
        let plain = try call([], "hello")
        #expect(framed.sealed.body == .bytes(Array("hello".utf8)))
        #expect(framed.meaning.digest == plain.meaning.digest)
        #expect(framed.meaning.bodyByteCount == 5)
        let hasTrailer = form.body.contains(trailer)
        #expect(sent(framed) == (hasTrailer ? ["x-amz-checksum-crc32: NhCmhg=="] : []))
        // Nothing but the checksum tells the two apart.
        let summed = try call([("x-amz-checksum-crc32", "NhCmhg==")], "hello")
        #expect(framed.sealed.wireDigest == (hasTrailer ? summed : plain).sealed.wireDigest)
    }

    @Test("it is read whole within its own bound, counted or in chunks of HTTP", arguments: forms)
    fileprivate func bodyPlans(_ form: Form) throws {
        let whole = BodyPlan.whole(byteCountMax: bodyByteCountMax + 1 << 20)
        let setting = RecognitionSetting(account: nil, region: nil)
        let chunked = head(form.fields + [("transfer-encoding", "chunked")])
        #expect(try bodyPlan(chunked, setting: setting) == whole)
        let counted = head(form.fields + [("content-length", "\(form.body.utf8.count)")])
        #expect(try bodyPlan(counted, setting: setting) == whole)
    }

    @Test(
        "the object's own coding stays as it is spelled",
        arguments: [
            ("aws-chunked", nil), ("gzip,aws-chunked", "gzip"), ("aws-chunked, gzip", "gzip"),
            ("gzip, br ,AWS-Chunked", "gzip, br"), ("gzip", "gzip"),
        ] as [(String, String?)])
    func ownCoding(_ given: String, _ kept: String?) throws {
        let fields = [("content-encoding", given), length]
        let framed = try call(fields, "5\r\nhello\r\n0\r\n\r\n")
        #expect(sent(framed) == (kept.map { ["content-encoding: \($0)"] } ?? []))
        let plain = try call(kept.map { [("content-encoding", $0)] } ?? [], "hello")
        #expect(framed.meaning.digest == plain.meaning.digest)
    }

    @Test func `an empty object, and one in many chunks`() throws {
        let none = [("x-amz-decoded-content-length", "0")]
        #expect(try call(none, "0\r\n\r\n").sealed.body == .bytes([]))
        let many = String(repeating: "1\r\nx\r\n", count: 300_000) + "0\r\n\r\n"
        let content = [UInt8](repeating: 0x78, count: 300_000)
        #expect(
            try call([("x-amz-decoded-content-length", "300000")], many).sealed.body == .bytes(content))
        let large = "A00000\r\n\(String(repeating: "x", count: bodyByteCountMax))\r\n0\r\n\r\n"
        let full = [("x-amz-decoded-content-length", "\(bodyByteCountMax)")]
        #expect(try call(full, large).meaning.bodyByteCount == bodyByteCountMax)
    }

    @Test func `more content than 10 MiB is refused by its announcement`() {
        let fields = [("x-amz-decoded-content-length", "\(bodyByteCountMax + 1)"), ("content-length", "90")]
        #expect(throws: RecognitionError.bodyTooLarge(limit: bodyByteCountMax)) {
            try bodyPlan(head(fields), setting: RecognitionSetting(account: nil, region: nil))
        }
        #expect(throws: RecognitionError.bodyTooLarge(limit: bodyByteCountMax)) { try call(fields, "") }
        let framing = [length, ("content-length", "\(bodyByteCountMax + 1 << 20 + 1)")]
        #expect(throws: RecognitionError.bodyTooLarge(limit: bodyByteCountMax)) {
            try bodyPlan(head(framing), setting: RecognitionSetting(account: nil, region: nil))
        }
    }

    @Test(
        "an announcement that contradicts itself or names another form",
        arguments: [
            [("x-amz-content-sha256", plainHash), length, announced],
            [("x-amz-content-sha256", trailerHash), length],
            [("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), length],
            [("x-amz-content-sha256", digits), length, coding],
            [("x-amz-content-sha256", "streaming-unsigned-payload-trailer"), length],
            [("x-amz-content-sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"), length],
            [("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-EVENTS")],
            [("x-amz-content-sha256", unsignedHash), coding], [coding], [announced],
            [length, ("content-encoding", "aws-chunked,aws-chunked")],
            [("x-amz-decoded-content-length", "")], [("x-amz-decoded-content-length", "+5")],
            [("x-amz-decoded-content-length", "05")], [("x-amz-decoded-content-length", "5 ")],
            [("x-amz-decoded-content-length", "0x5")],
            [("x-amz-decoded-content-length", "99999999999999999999")],
            [length, ("x-amz-trailer", "")], [length, ("x-amz-trailer", "x-amz-checksum-crc32,")],
            [length, ("x-amz-trailer", "x-amz-checksum-crc32;a")], [length, ("x-amz-trailer", "x-amz-acl")],
            [length, ("x-amz-trailer", "x-amz-checksum-crc32, x-amz-checksum-CRC32")],
            [length, ("x-amz-trailer", "x-amz-checksum-")], [length, ("x-amz-trailer", "authorization")],
        ])
    func announcement(_ fields: [(String, String)]) throws {
        let signed = ";chunk-signature=\(digits)\r\n"
        let start = "5\(signed)hello\r\n0\(signed)"
        let others = ["\(start)\(trailer)\r\n\r\n", "\(start)x-amz-trailer-signature:\(digits)\r\n\r\n"]
        for body in forms.map(\.body) + others {
            #expect(throws: RecognitionError.self) { try unframed(request(fields, body)) }
        }
    }

    @Test(
        "a body in another framing than one",
        arguments: [
            "", "\r\n", "0", "0\r\n", "0\r\n\r", "hello", "5\r\nhello", "5\r\nhello\r\n",
            "5\r\nhello\r\n\r\n",
            "5\r\nhello\r\n0\r\n", "5\r\nhello0\r\n\r\n", "5\r\nhelloXX0\r\n\r\n", "5\r\nhell\r\n0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\nx", "5\r\nhello\r\n0\r\nx\r\n", "5\r\nhello\r", "5\n\nhello\r\n0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\nx\r\n\r\n",
            "4\r\nhell\r\n0\r\n\r\n", "6\r\nhello!\r\n0\r\n\r\n", "+5\r\nhello\r\n0\r\n\r\n",
            "-5\r\nhello\r\n0\r\n\r\n", "05\r\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n",
            "5 \r\nhello\r\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n", "5\nhello\n0\n\n",
            "5\r\nhello\r\n00\r\n\r\n",
            "5;\r\nhello\r\n0\r\n\r\n", "5;a=b\r\nhello\r\n0\r\n\r\n", "5\rhello\r\n0\r\n\r\n",
            "5\n\r\nhello\r\n0\n\r\n\r\n", "5\r\nhello\n\r\n0\r\n\r\n",
            "\r\n5\r\nhello\r\n0\r\n\r\n", "g\r\nhello\r\n0\r\n\r\n", "\r\nhello\r\n0\r\n\r\n",
            "100000005\r\nhello\r\n0\r\n\r\n", "10000000000000005\r\nhello\r\n0\r\n\r\n",
            "ffffffff\r\nhello\r\n0\r\n\r\n", "7fffffffffffffff\r\nhello\r\n0\r\n\r\n",
            "5;chunk-signature=\(digits)\r\nhello\r\n0;chunk-signature=\(digits)\r\n\r\n",
            "5\r\nhello\r\n0\r\n\(trailer)\r\n\r\n", "５\r\nhello\r\n0\r\n\r\n",
        ])
    func badBody(_ body: String) throws {
        #expect(throws: RecognitionError.self) { try call([length], body) }
        let neighbor = try call([length], "5\r\nhello\r\n0\r\n\r\n")
        #expect(neighbor.sealed.body == .bytes(Array("hello".utf8)))
    }

    @Test(
        "a chunk signature is there in its one spelling, and once",
        arguments: [
            "", ";", ";chunk-signature=", ";chunk-signature=\(digits.dropLast())",
            ";chunk-signature=\(digits)0",
            ";chunk-signature=\(digits.uppercased())", ";Chunk-Signature=\(digits)",
            ";chunk-signature=\(digits);a",
            "; chunk-signature=\(digits)", ";a=b;chunk-signature=\(digits)", ";chunk-signature= \(digits)",
            ";chunk-signature=\(digits);chunk-signature=\(digits)",
            ";chunk-signature=\(digits)" + String(repeating: " ", count: 70_000),
        ])
    func badSignature(_ extent: String) throws {
        let good = ";chunk-signature=\(digits)"
        for (first, last) in [(extent, good), (good, extent)] {
            #expect(throws: RecognitionError.self) {
                try call(forms[0].fields, "5\(first)\r\nhello\r\n0\(last)\r\n\r\n")
            }
        }
    }

    @Test(
        "trailers are those that were announced, once each and right",
        arguments: [
            "", "\(trailer)\r\n\(trailer)\r\n", "x-amz-checksum-crc32c:NhCmhg==\r\n",
            "\(trailer)\r\nx-amz-acl:public-read\r\n", "x-amz-acl:public-read\r\n\(trailer)\r\n",
            "x-amz-checksum-crc32\r\n", "x-amz-checksum-crc32:\r\n", "x-amz-checksum-crc32: NhCmhg==\r\n",
            "x-amz-checksum-crc32 :NhCmhg==\r\n", "x-amz-checksum-crc32:NhCmhg==\n",
            "x-amz-checksum-crc32:NhCmhg==\n\n\r\n", "x-amz-checksum-crc32:NhCmhg==\r\r\n",
            "x-amz-checksum-crc32:NhCmhh==\r\n", "x-amz-checksum-crc32:NhCmhw==\r\n",
            "x-amz-checksum-crc32:NhCmhg\r\n", "x-amz-checksum-crc32:NhCmhg==,\r\n",
            "x-amz-checksum-crc32:NhCm\r\n", "x-amz-checksum-crc32:3610a686\r\n",
            "x-amz-checksum-crc32:\(String(repeating: "A", count: 4_096))\r\n",
            "\(trailer)\r\nx-amz-trailer-signature:\(digits)\r\n",
        ])
    func badTrailers(_ trailers: String) throws {
        let fields = [length, announced]
        #expect(throws: RecognitionError.self) { try call(fields, "5\r\nhello\r\n0\r\n\(trailers)\r\n") }
    }

    @Test(
        "each checksum that is computed here must be the content's",
        arguments: [
            ("crc32", "NhCmhg=="), ("crc32c", "mnG7TA=="), ("crc64nvme", "M3eFcAZSQlc="),
            ("md5", "XUFAKrxLKna5cZ2REBfFkg=="), ("sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="),
            ("sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
            (
                "sha512",
                "m3HSJL1i83hdltRq0+o9czGb+8KJDKra4t/3JRlnPKcjI8PZm6XBHXx6zG4UuMXaDEZjR1wuXDre9G9zvN7AQw=="
            ),
        ])
    func checksums(_ name: String, _ value: String) throws {
        let field = "x-amz-checksum-\(name)"
        let fields = [length, ("x-amz-trailer", field)]
        let right = try call(fields, "5\r\nhello\r\n0\r\n\(field):\(value)\r\n\r\n")
        #expect(sent(right) == ["\(field): \(value)"])
        let other = try call(
            [length, ("x-amz-trailer", field.uppercased())],
            "5\r\nhello\r\n0\r\n\(field.uppercased()):\(value)\r\n\r\n")
        #expect(other.sealed.wireDigest == right.sealed.wireDigest)
        #expect(throws: RecognitionError.self) {
            try call(fields, "5\r\nhellO\r\n0\r\n\(field):\(value)\r\n\r\n")
        }
    }

    @Test func `a checksum that is not computed here is left to S3, as a field`() throws {
        let field = "x-amz-checksum-xxhash64"
        let fields = [length, ("x-amz-trailer", field)]
        let call = try call(fields, "5\r\nhello\r\n0\r\n\(field):AAAAAAAAAAA=\r\n\r\n")
        #expect(sent(call) == ["\(field): AAAAAAAAAAA="])
    }

    @Test func `a trailer does not come beside a field of its name`() {
        let fields = [length, announced, ("x-amz-checksum-crc32", "NhCmhg==")]
        #expect(throws: RecognitionError.self) {
            try unframed(request(fields, "5\r\nhello\r\n0\r\n\(trailer)\r\n\r\n"))
        }
    }

    @Test func `of two trailers each comes once, in any order`() throws {
        let (one, other) = ("x-amz-checksum-crc32", "x-amz-checksum-sha1")
        let sha1 = "\(other):qvTGHdzF6KLavt4PO0gs2a6pQ00="
        let fields = [length, ("x-amz-trailer", "\(one), \(other)")]
        for (trailers, passes) in [
            ([trailer, sha1], true), ([sha1, trailer], true), ([trailer, trailer], false),
            ([sha1, sha1], false),
            ([trailer], false), ([trailer, sha1, sha1], false),
        ] {
            let body = "5\r\nhello\r\n0\r\n" + trailers.map { "\($0)\r\n" }.joined() + "\r\n"
            #expect(((try? unframed(request(fields, body))) != nil) == passes, "\(trailers)")
        }
    }

    @Test(
        "what is announced and comes is a checksum of S3, and base 64 of a bounded length",
        arguments: [
            ("x-amz-acl", "AAAA"), ("x-amz-checksum-crc16", "AAAA"), ("x-amz-checksum-xxhash64", ""),
            ("x-amz-checksum-xxhash64", "AAA!"), ("x-amz-checksum-xxhash64", "AAA"),
            ("x-amz-checksum-xxhash64", "AAAA\t"), ("x-amz-checksum-xxhash64", "AAAA\u{0}"),
            ("x-amz-checksum-xxhash64", String(repeating: "A", count: 400)),
        ])
    func badChecksum(_ name: String, _ value: String) {
        let body = "5\r\nhello\r\n0\r\n\(name):\(value)\r\n\r\n"
        #expect(throws: RecognitionError.self) {
            try unframed(request([length, ("x-amz-trailer", name)], body))
        }
    }

    @Test(
        "the trailers' signature is there in its one spelling, and last",
        arguments: [
            "", "x-amz-trailer-signature:\r\n", "x-amz-trailer-signature:\(digits.uppercased())\r\n",
            "x-amz-trailer-signature:\(digits)0\r\n", "x-amz-trailer-signature: \(digits)\r\n",
            "x-amz-trailer-signaturf:\(digits)\r\n", "X-Amz-Trailer-Signature:\(digits)\r\n",
            "x-amz-trailer-signature:\(digits)\n\r\n",
            "x-amz-trailer-signature:\(digits)\r\nx-amz-trailer-signature:\(digits)\r\n",
        ])
    func badTrailerSignature(_ end: String) throws {
        let signed = ";chunk-signature=\(digits)\r\n"
        let body = "5\(signed)hello\r\n0\(signed)\(trailer)\r\n\(end)\r\n"
        #expect(throws: RecognitionError.self) { try unframed(request(forms[1].fields, body)) }
    }

    @Test("out of its framing it has none", arguments: forms)
    fileprivate func once(_ form: Form) throws {
        let fields = form.fields + [("content-length", "\(form.body.utf8.count)"), ("x-amz-meta-a", "b")]
        let plain = try unframed(request(fields, form.body)).request
        let hasTrailer = form.body.contains(trailer)
        let sums = hasTrailer ? [HeaderField("x-amz-checksum-crc32", "NhCmhg==")] : []
        #expect(
            plain.head.fields == head([("content-length", "5"), ("x-amz-meta-a", "b")]).fields + sums)
        #expect(try unframed(plain).request == plain)
    }

    @Test(
        "only an upload of S3 comes in chunks",
        arguments: [
            ("/logs/k?tagging", "s3"), ("/logs?policy", "s3"), ("/logs", "s3"), ("/logs/k?acl", "s3"),
            ("/2015-03-31/functions/f/code", "lambda"),
        ])
    func others(_ target: String, _ service: String) throws {
        let error = #expect(throws: RecognitionError.self) {
            try call([length], "5\r\nhello\r\n0\r\n\r\n", target: target, service: service)
        }
        guard case .unsupportedBody = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `a part of an upload comes in chunks, too`() throws {
        let part = try call(
            [length], "5\r\nhello\r\n0\r\n\r\n", target: "/logs/k?partNumber=1&uploadId=u")
        #expect(part.meaning.operation == "UploadPart")
        #expect(part.sealed.body == .bytes(Array("hello".utf8)))
    }

    @Test func `what the chunks were signed with goes along for whoever verifies it`() throws {
        func signatures(_ form: Form) throws -> ChunkSignatures? {
            try unframed(request(form.fields, form.body)).signatures
        }
        for (place, form) in forms.enumerated() {
            let found = try signatures(form)
            guard place < 3 else {
                #expect(found == nil)
                continue
            }
            #expect(found?.byteCounts == [5, 0])
            #expect(found.map { String(decoding: $0.digits, as: UTF8.self) } == digits + digits)
            #expect((found?.trailer == nil) == (place == 0))
            if let signed = found?.trailer {
                #expect(signed.signed == Array("\(trailer)\n".utf8))
                #expect(signed.signature == Array(digits.utf8))
            }
        }
        #expect(try unframed(InboundRequest(head: head([]), body: [1])).signatures == nil)
    }

    @Test(
        "a plain upload may leave its payload out of its signature, on S3",
        arguments: [
            ("/logs/k", "s3", true), ("/logs/k?tagging", "s3", true),
            ("/2015-03-31/functions/f/code", "lambda", false),
        ])
    func unsignedPayload(_ target: String, _ service: String, _ passes: Bool) throws {
        let fields = [("x-amz-content-sha256", "UNSIGNED-PAYLOAD")]
        let body = target.contains("tagging") ? "<Tagging><TagSet/></Tagging>" : "{}"
        if passes {
            #expect(try call(fields, body, target: target).sealed.body == .bytes(Array(body.utf8)))
        } else {
            #expect(throws: RecognitionError.self) {
                try call(fields, body, target: target, service: service)
            }
        }
    }
}
