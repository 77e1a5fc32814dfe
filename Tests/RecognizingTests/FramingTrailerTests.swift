import Testing
import Vocabulary

@testable import Recognizing

private let digits = Framed.digits
private let length = Framed.length
private let announced = Framed.announced
private let trailer = Framed.trailer
private let forms = Framed.forms

/// What follows the last chunk of an upload in chunks.
@Suite("Trailers of aws-chunked") struct FramingTrailerTests {
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
        #expect(throws: RecognitionError.self) {
            try Framed.call(fields, "5\r\nhello\r\n0\r\n\(trailers)\r\n")
        }
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
        let right = try Framed.call(fields, "5\r\nhello\r\n0\r\n\(field):\(value)\r\n\r\n")
        #expect(Framed.sent(right) == ["\(field): \(value)"])
        let other = try Framed.call(
            [length, ("x-amz-trailer", field.uppercased())],
            "5\r\nhello\r\n0\r\n\(field.uppercased()):\(value)\r\n\r\n")
        #expect(other.sealed.wireDigest == right.sealed.wireDigest)
        #expect(throws: RecognitionError.self) {
            try Framed.call(fields, "5\r\nhellO\r\n0\r\n\(field):\(value)\r\n\r\n")
        }
    }

    @Test func `a checksum that is not computed here is left to S3, as a field`() throws {
        let field = "x-amz-checksum-xxhash64"
        let fields = [length, ("x-amz-trailer", field)]
        let call = try Framed.call(fields, "5\r\nhello\r\n0\r\n\(field):AAAAAAAAAAA=\r\n\r\n")
        #expect(Framed.sent(call) == ["\(field): AAAAAAAAAAA="])
    }

    @Test func `a trailer does not come beside a field of its name`() {
        let fields = [length, announced, ("x-amz-checksum-crc32", "NhCmhg==")]
        #expect(throws: RecognitionError.self) {
            try unframed(Framed.request(fields, "5\r\nhello\r\n0\r\n\(trailer)\r\n\r\n"))
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
            #expect(((try? unframed(Framed.request(fields, body))) != nil) == passes, "\(trailers)")
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
            try unframed(Framed.request([length, ("x-amz-trailer", name)], body))
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
        #expect(throws: RecognitionError.self) { try unframed(Framed.request(forms[1].fields, body)) }
    }
}
