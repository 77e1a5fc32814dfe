import CZlib
import Testing
import Vocabulary

@testable import Recognizing

@Suite("Gunzip") struct GunzipTests {
    @Test("a body that zlib packed comes out whole", arguments: [0, 1, 65_535, 65_536, 200_000])
    func whole(_ count: Int) throws {
        let body = (0..<count).map { UInt8(truncatingIfNeeded: ($0 &* 31) >> 3) }
        for level: Int32 in [0, 1, 6, 9] { #expect(try gunzipped(packed(body, level: level)) == body) }
    }

    @Test func `anything but one plain member is refused`() throws {
        let sound = try packed(Array("Namespace".utf8))
        let cases: [([UInt8], GzipError)] = [
            ([], .malformed), (Array("{}".utf8), .malformed), ([0x1F, 0x8B, 0x08], .malformed),
            // zlib's own form, raw deflate, another method.
            ([0x78, 0x9C, 0x03, 0, 0, 0, 0, 1], .malformed), ([0x03, 0x00], .malformed),
            (edited(sound, at: 2, to: 7), .malformed),
            (sound + [0], .trailingBytes), (sound + sound, .trailingBytes),
            (edited(sound, at: sound.count - 8), .malformed),
            (edited(sound, at: sound.count - 1), .malformed),
            (Array(sound.prefix(10)) + [0xFF, 0xFF], .malformed),
        ]
        for (bytes, error) in cases { #expect(throws: error) { try gunzipped(bytes) } }
        for count in 4..<sound.count {
            #expect(throws: GzipError.cutShort) { try gunzipped(Array(sound.prefix(count))) }
        }
    }

    @Test func `a header that carries text is refused`() throws {
        // A reader that knows no gzip would find `Action` in it.
        let text = "&Action=DeleteAlarms&Version=2010-08-01&x=\0"
        let sound = try packed([1, 2, 3])
        let more: [(flag: UInt8, bytes: [UInt8])] = [
            (0x08, Array(text.utf8)), (0x10, Array(text.utf8)), (0x04, [1, 0, 9]), (0x01, []),
            (0x02, [0, 0]),
            (0x20, []), (0x80, []),
        ]
        for (flag, bytes) in more {
            let member = edited(Array(sound.prefix(10)), at: 3, to: flag) + bytes + sound.dropFirst(10)
            #expect(throws: GzipError.malformed) { try gunzipped(member) }
        }
    }

    @Test func `a small body unpacks to 1 MiB and to no byte more`() throws {
        let limit = GzipLimits.freeByteCount
        #expect(try gunzipped(packed(zeros(limit))).count == limit)
        for count in [limit + 1, 4 * limit] {
            let bytes = try packed(zeros(count))
            #expect(throws: GzipError.tooLarge(limit: limit)) { try gunzipped(bytes) }
        }
    }

    @Test func `a larger body unpacks to 128 times its size and to no byte more`() throws {
        // The same noise on every run: how small it packs decides where the limit lies.
        var state: UInt32 = 7
        let noise = (0..<20_200).map { _ -> UInt8 in
            state = state &* 1_664_525 &+ 1_013_904_223
            return UInt8(state >> 24)
        }
        // How much noise and how many zeros bring the whole to exactly its limit.
        var (body, count, limit): ([UInt8], Int, Int) = ([], 0, 0)
        for length in 20_000..<20_200 where body.isEmpty {
            let start = Array(noise.prefix(length))
            count = 2_500_000
            for _ in 0..<12 where body.isEmpty {
                let whole = start + zeros(count)
                limit = try packed(whole).count * GzipLimits.ratioMax
                if whole.count == limit { body = whole } else { count = limit - length }
            }
        }
        try #require(!body.isEmpty && limit < bodyByteCountMax)
        #expect(try gunzipped(packed(body)).count == limit)
        // A few more zeros pack into a byte or two, which lift the limit by less than they add.
        let past = try packed(body + zeros(1_024))
        let pastLimit = past.count * GzipLimits.ratioMax
        try #require(pastLimit < body.count + 1_024)
        #expect(throws: GzipError.tooLarge(limit: pastLimit)) { try gunzipped(past) }
    }

    @Test func `no body unpacks past the limit of all bodies`() throws {
        let full = [UInt8](repeating: 1, count: bodyByteCountMax)
        #expect(try gunzipped(packed(full, level: 0)).count == bodyByteCountMax)
        let past = try packed(full + [1], level: 0)
        #expect(throws: GzipError.tooLarge(limit: bodyByteCountMax)) { try gunzipped(past) }
    }
}

/// How CloudWatch's one operation with a packed body is read and sent.
@Suite("Packed bodies") struct PackedBodyTests {
    private static let metric =
        #"{"Namespace":"Orders","MetricData":[{"MetricName":"Held","Value":1}]}"#

    private func recognized(
        _ body: [UInt8], target: String = "GraniteServiceVersion20100801.PutMetricData",
        encoding: String? = "gzip", type: String = "application/x-amz-json-1.0", path: String = "/",
        method: String = "POST", service: String = "monitoring", smithy: String = ""
    ) throws -> Call {
        let fields = [
            HeaderField("host", "127.0.0.1:8990"), HeaderField("content-type", type),
            HeaderField("content-encoding", encoding ?? ""), HeaderField("x-amz-target", target),
            HeaderField("smithy-protocol", smithy),
        ]
        let caller = Caller(
            agent: try AgentName(parsing: "local"), session: SessionID(random: 7), strength: .listener,
            task: nil,
            reason: nil, scope: CredentialScope(region: "us-east-1", service: service))
        return try recognize(
            InboundRequest(
                head: RequestHead(method: method, target: path, fields: fields.filter { !$0.value.isEmpty }),
                body: body),
            caller: caller, setting: RecognitionSetting(account: "111122223333", region: "us-east-1"))
    }

    @Test func `a packed call means what the plain one means, and is sent as it came`() throws {
        let bytes = try packed(Array(Self.metric.utf8))
        let call = try recognized(bytes, encoding: "GZip")
        let plain = try recognized(Array(Self.metric.utf8), encoding: nil)
        #expect(call.meaning.operation == "PutMetricData")
        #expect(call.meaning.parameters["Namespace"]?.string == "Orders")
        #expect(call.meaning.keys["cloudwatch:namespace"] == .filled(["Orders"]))
        #expect(call.meaning.digest == plain.meaning.digest && call.meaning.pairs == plain.meaning.pairs)
        #expect(call.sealed.body == .bytes(bytes))
        #expect(call.sealed.fields.contains(HeaderField("content-encoding", "GZip")))
        #expect(call.sealed.wireDigest != plain.sealed.wireDigest)
    }

    @Test func `older clients send it as a packed form, others may as packed CBOR`() throws {
        let form = "Action=PutMetricData&Version=2010-08-01&Namespace=Orders&MetricData.member.1.MetricName=a"
        let call = try recognized(
            packed(Array(form.utf8)), target: "", type: "application/x-www-form-urlencoded; charset=utf-8")
        #expect(call.meaning.operation == "PutMetricData")
        #expect(call.meaning.parameters["Namespace"]?.string == "Orders")
        let map = [0xA1, 0x69] + Array("Namespace".utf8) + [0x66] + Array("Orders".utf8)
        let binary = try recognized(
            packed(map), target: "", type: "application/cbor",
            path: "/service/GraniteServiceVersion20100801/operation/PutMetricData", smithy: "rpc-v2-cbor")
        #expect(binary.meaning.operation == "PutMetricData")
        #expect(binary.meaning.parameters["Namespace"]?.string == "Orders")
    }

    @Test func `what is packed twice over, in part or not at all is refused`() throws {
        let body = Array(Self.metric.utf8)
        for bytes in try [body, packed(packed(body)), Array(packed(body).dropLast()), packed(body) + [0], []]
        {
            #expect(throws: RecognitionError.self) { try recognized(bytes) }
        }
        for encoding in [
            "x-gzip", "gzip, gzip", "gzip,identity", "deflate", "br", "gzip;q=1", "identity, gzip",
        ] {
            #expect(throws: RecognitionError.self) { try recognized(packed(body), encoding: encoding) }
        }
        // Plain JSON that says it is packed is judged by nobody.
        #expect(throws: RecognitionError.self) { try recognized(packed(body), encoding: nil) }
    }

    @Test func `an operation that is not modeled with compression takes no packed body`() throws {
        for (target, text, service) in [
            ("GraniteServiceVersion20100801.DeleteAlarms", #"{"AlarmNames":["a"]}"#, "monitoring"),
            ("DynamoDB_20120810.GetItem", #"{"TableName":"orders","Key":{"id":{"S":"1"}}}"#, "dynamodb"),
        ] {
            #expect(throws: RecognitionError.self) {
                try recognized(packed(Array(text.utf8)), target: target, service: service)
            }
            _ = try recognized(Array(text.utf8), target: target, encoding: nil, service: service)
        }
        let form = "Action=GetCallerIdentity&Version=2011-06-15"
        #expect(throws: RecognitionError.self) {
            try recognized(
                packed(Array(form.utf8)), target: "", type: "application/x-www-form-urlencoded",
                service: "sts")
        }
    }

    @Test func `the encoding of an S3 object is metadata, whatever the body is`() throws {
        for body in try [packed([1]), Array("no gzip at all".utf8), []] {
            let call = try recognized(
                body, target: "", type: "application/octet-stream", path: "/bucket/key.gz", method: "PUT",
                service: "s3")
            #expect(call.meaning.operation == "PutObject" && call.sealed.body == .bytes(body))
            #expect(call.sealed.fields.contains(HeaderField("content-encoding", "gzip")))
        }
    }
}

/// `body` as zlib packs it into one gzip member.
private func packed(_ body: [UInt8], level: Int32 = 9) throws -> [UInt8] {
    var stream = z_stream()
    let size = Int32(MemoryLayout<z_stream>.size)
    try #require(
        deflateInit2_(&stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size) == Z_OK)
    defer { deflateEnd(&stream) }
    var body = body
    var out = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(body.count))))
    let status = body.withUnsafeMutableBufferPointer { input in
        out.withUnsafeMutableBufferPointer { output in
            stream.next_in = input.baseAddress
            stream.avail_in = UInt32(input.count)
            stream.next_out = output.baseAddress
            stream.avail_out = UInt32(output.count)
            return deflate(&stream, Z_FINISH)
        }
    }
    try #require(status == Z_STREAM_END)
    return Array(out.dropLast(Int(stream.avail_out)))
}

private func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }

/// `bytes` with one byte changed.
private func edited(_ bytes: [UInt8], at index: Int, to byte: UInt8? = nil) -> [UInt8] {
    var bytes = bytes
    bytes[index] = byte ?? bytes[index] ^ 1
    return bytes
}
