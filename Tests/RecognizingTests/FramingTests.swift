import Hashing
import Testing
import Vocabulary

@testable import Recognizing

private let digits = Framed.digits
private let plainHash = Framed.plainHash
private let trailerHash = Framed.trailerHash
private let unsignedHash = Framed.unsignedHash
private let length = Framed.length
private let coding = Framed.coding
private let announced = Framed.announced
private let trailer = Framed.trailer
private let forms = Framed.forms

/// Uploads in chunks inside their body, as each client writes them.
@Suite("aws-chunked") struct FramingTests {
    @Test("its content leaves here plain, and it is the call that a plain upload is", arguments: forms)
    func plain(_ form: Framed.Form) throws {
        let framed = try Framed.call(form.fields, form.body)
        let plain = try Framed.call([], "hello")
        #expect(framed.sealed.body == .bytes(Array("hello".utf8)))
        #expect(framed.meaning.digest == plain.meaning.digest)
        #expect(framed.meaning.bodyByteCount == 5)
        let hasTrailer = form.body.contains(trailer)
        #expect(Framed.sent(framed) == (hasTrailer ? ["x-amz-checksum-crc32: NhCmhg=="] : []))
        // Nothing but the checksum tells the two apart.
        let summed = try Framed.call([("x-amz-checksum-crc32", "NhCmhg==")], "hello")
        #expect(framed.sealed.wireDigest == (hasTrailer ? summed : plain).sealed.wireDigest)
    }

    @Test("it is read whole within its own bound, counted or in chunks of HTTP", arguments: forms)
    func bodyPlans(_ form: Framed.Form) throws {
        let whole = BodyPlan.whole(byteCountMax: bodyByteCountMax + 1 << 20)
        let setting = RecognitionSetting(account: nil, region: nil)
        let chunked = Framed.head(form.fields + [("transfer-encoding", "chunked")])
        #expect(try bodyPlan(chunked, setting: setting) == whole)
        let counted = Framed.head(form.fields + [("content-length", "\(form.body.utf8.count)")])
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
        let framed = try Framed.call(fields, "5\r\nhello\r\n0\r\n\r\n")
        #expect(Framed.sent(framed) == (kept.map { ["content-encoding: \($0)"] } ?? []))
        let plain = try Framed.call(kept.map { [("content-encoding", $0)] } ?? [], "hello")
        #expect(framed.meaning.digest == plain.meaning.digest)
    }

    @Test func `an empty object, and one in many chunks`() throws {
        let none = [("x-amz-decoded-content-length", "0")]
        #expect(try Framed.call(none, "0\r\n\r\n").sealed.body == .bytes([]))
        let many = String(repeating: "1\r\nx\r\n", count: 300_000) + "0\r\n\r\n"
        let content = [UInt8](repeating: 0x78, count: 300_000)
        #expect(
            try Framed.call([("x-amz-decoded-content-length", "300000")], many).sealed.body == .bytes(content)
        )
        let large = "A00000\r\n\(String(repeating: "x", count: bodyByteCountMax))\r\n0\r\n\r\n"
        let full = [("x-amz-decoded-content-length", "\(bodyByteCountMax)")]
        #expect(try Framed.call(full, large).meaning.bodyByteCount == bodyByteCountMax)
    }

    @Test func `more content than 10 MiB is refused by its announcement`() {
        let fields = [("x-amz-decoded-content-length", "\(bodyByteCountMax + 1)"), ("content-length", "90")]
        #expect(throws: RecognitionError.bodyTooLarge(limit: bodyByteCountMax)) {
            try bodyPlan(Framed.head(fields), setting: RecognitionSetting(account: nil, region: nil))
        }
        #expect(throws: RecognitionError.bodyTooLarge(limit: bodyByteCountMax)) {
            try Framed.call(fields, "")
        }
        let framing = [length, ("content-length", "\(bodyByteCountMax + 1 << 20 + 1)")]
        #expect(throws: RecognitionError.bodyTooLarge(limit: bodyByteCountMax)) {
            try bodyPlan(Framed.head(framing), setting: RecognitionSetting(account: nil, region: nil))
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
            #expect(throws: RecognitionError.self) { try unframed(Framed.request(fields, body)) }
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
        #expect(throws: RecognitionError.self) { try Framed.call([length], body) }
        let neighbor = try Framed.call([length], "5\r\nhello\r\n0\r\n\r\n")
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
                try Framed.call(forms[0].fields, "5\(first)\r\nhello\r\n0\(last)\r\n\r\n")
            }
        }
    }

    @Test("out of its framing it has none", arguments: forms)
    func once(_ form: Framed.Form) throws {
        let fields = form.fields + [("content-length", "\(form.body.utf8.count)"), ("x-amz-meta-a", "b")]
        let plain = try unframed(Framed.request(fields, form.body)).request
        let hasTrailer = form.body.contains(trailer)
        let sums = hasTrailer ? [HeaderField("x-amz-checksum-crc32", "NhCmhg==")] : []
        #expect(
            plain.head.fields == Framed.head([("content-length", "5"), ("x-amz-meta-a", "b")]).fields + sums)
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
            try Framed.call([length], "5\r\nhello\r\n0\r\n\r\n", target: target, service: service)
        }
        guard case .unsupportedBody = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test(
        "the query of a presigned upload announces no framing",
        arguments: [
            "x-amz-decoded-content-length=5", "X-Amz-Trailer=x-amz-checksum-crc32",
            "X-Amz-Content-Sha256=STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            "X-Amz-Content-Sha256=streaming-unsigned-payload-trailer",
        ])
    func presigned(_ item: String) throws {
        let query = "X-Amz-Credential=unsigned%2F20261124%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=0"
        #expect(throws: RecognitionError.self) {
            try Framed.call([], "5\r\nhello\r\n0\r\n\r\n", target: "/logs/k?\(query)&\(item)")
        }
        let plain = try Framed.call(
            [], "hello", target: "/logs/k?\(query)&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD")
        #expect(plain.sealed.body == .bytes(Array("hello".utf8)))
    }

    @Test func `a part of an upload comes in chunks, too`() throws {
        let part = try Framed.call(
            [length], "5\r\nhello\r\n0\r\n\r\n", target: "/logs/k?partNumber=1&uploadId=u")
        #expect(part.meaning.operation == "UploadPart")
        #expect(part.sealed.body == .bytes(Array("hello".utf8)))
    }

    @Test func `what the chunks were signed with goes along for whoever verifies it`() throws {
        func signatures(_ form: Framed.Form) throws -> ChunkSignatures? {
            try unframed(Framed.request(form.fields, form.body)).signatures
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
        #expect(try unframed(InboundRequest(head: Framed.head([]), body: [1])).signatures == nil)
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
            #expect(try Framed.call(fields, body, target: target).sealed.body == .bytes(Array(body.utf8)))
        } else {
            #expect(throws: RecognitionError.self) {
                try Framed.call(fields, body, target: target, service: service)
            }
        }
    }
}
