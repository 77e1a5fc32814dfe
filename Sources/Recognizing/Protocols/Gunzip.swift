import CZlib
import Vocabulary

/// The bounds of a request body that came as gzip (docs/limits.md).
enum GzipLimits {
    /// The most bytes that a body may unpack to: as many as one that came unpacked.
    static let unpackedByteCountMax = bodyByteCountMax
    /// How many times its own size a body may unpack to, once it is past ``freeByteCount``. Batches of equal
    /// metrics come to about 60; gzip itself ends at about 1,030.
    static let ratioMax = 128
    /// What any body may unpack to, however small it is: CloudWatch's own limit for one request.
    static let freeByteCount = 1 << 20
}

/// Why a body is not unpacked.
enum GzipError: Error, Hashable, Sendable {
    /// It is no gzip member, its header holds more than it must, or its data, checksum or length are wrong.
    case malformed
    /// It ends before its member does.
    case cutShort
    /// Bytes follow the member, be it another one.
    case trailingBytes
    /// It unpacks to more than `limit` bytes.
    case tooLarge(limit: Int)

    /// The reason in a reader's words.
    var words: String {
        switch self {
        case .malformed: "it is not one plain gzip member"
        case .cutShort: "its gzip member is cut short"
        case .trailingBytes: "bytes follow its gzip member"
        case .tooLarge(let limit): "it unpacks to more than \(limit) bytes"
        }
    }
}

/// What `packed`, one gzip member and nothing else, unpacks to.
///
/// The header may hold no file name, comment or extra field: text that one reader skips and another, which
/// does not know of gzip, takes for a form. Never much more is unpacked than ``GzipLimits`` allow.
///
/// - Throws: ``GzipError``.
/// - SeeAlso: RFC 1952.
func gunzipped(_ packed: [UInt8]) throws(GzipError) -> [UInt8] {
    let limit = min(
        GzipLimits.unpackedByteCountMax, max(GzipLimits.freeByteCount, GzipLimits.ratioMax * packed.count))
    // Magic, deflate, no flags.
    guard packed.starts(with: [0x1F, 0x8B, 0x08, 0x00]) else { throw .malformed }
    var input = packed
    let outcome = input.withUnsafeMutableBufferPointer { buffer in
        Result { () throws(GzipError) in try inflated(buffer, limit: limit) }
    }
    return try outcome.get()
}

private func inflated(
    _ input: UnsafeMutableBufferPointer<UInt8>, limit: Int
) throws(GzipError) -> [UInt8] {
    var stream = z_stream()
    guard cs_gunzip_start(&stream) == Z_OK else { throw .malformed }
    defer { inflateEnd(&stream) }
    stream.next_in = input.baseAddress
    // INVARIANT: bodies are at most ``bodyByteCountMax`` bytes, far below what the counter holds.
    stream.avail_in = UInt32(input.count)
    var unpacked: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while true {
        let (status, count) = piece.withUnsafeMutableBufferPointer { buffer in
            stream.next_out = buffer.baseAddress
            stream.avail_out = UInt32(buffer.count)
            let status = inflate(&stream, Z_NO_FLUSH)
            return (status, buffer.count - Int(stream.avail_out))
        }
        guard count <= limit - unpacked.count else { throw .tooLarge(limit: limit) }
        unpacked += piece[..<count]
        switch status {
        case Z_STREAM_END:
            guard stream.avail_in == 0 else { throw .trailingBytes }
            return unpacked
        case Z_OK:
            // Room was left in the buffer, so it is the input that ran out.
            guard stream.avail_in > 0 || stream.avail_out == 0 else { throw .cutShort }
        case Z_BUF_ERROR: throw .cutShort
        default: throw .malformed
        }
    }
}

/// `request` with its body unpacked, when it came as gzip and the body, not the path, says what the call is;
/// nil when there is nothing to unpack.
///
/// It is for reading only: what is sealed and sent is the body as it came. A call that its path binds is left
/// alone: the encoding of an S3 object is metadata, and no other of these is modeled with compression.
///
/// - Throws: ``RecognitionError/malformed(part:why:)`` for a body that is not unpacked.
func unpacked(_ request: InboundRequest, at path: String) throws(RecognitionError) -> InboundRequest? {
    let head = request.head
    guard let encoding = head["content-encoding"], encoding.asciiLowercased.isSame(as: "gzip") else {
        return nil
    }
    let type = head["content-type"].map { mediaType($0) }
    guard
        head["x-amz-target"] != nil || head["smithy-protocol"] != nil && path.hasPrefix("/service/")
            || type == "application/x-www-form-urlencoded" && (path.isEmpty || path.isSame(as: "/"))
    else { return nil }
    do {
        let body = try gunzipped(request.body)
        let fields = head.fields.filter { $0.name != "content-encoding" }
        return InboundRequest(
            head: RequestHead(method: head.method, target: head.target, fields: fields), body: body)
    } catch { throw .malformed(part: "the gzip body", why: error.words) }
}

extension CatalogOperation {
    /// Whether the model lets a client compress the request (Smithy's `requestCompression`): one operation of
    /// all. For any other, AWS might not heed the encoding, and would then read other bytes than were judged.
    var takesGzip: Bool { service.name.isSame(as: "cloudwatch") && name.isSame(as: "PutMetricData") }
}
