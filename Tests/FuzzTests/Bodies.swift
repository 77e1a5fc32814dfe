import Vocabulary

@testable import Recognizing

/// What was read is written and read as the same value, byte for byte: Swift's `==` would hold `é` and `e`
/// with an accent equal.
@Sendable func readJSON(_ bytes: [UInt8]) {
    guard let json = try? JSON(parsing: bytes) else { return }
    must(
        (try? JSON(parsing: json.line))?.line == json.line, "a value that is not read as it was written")
    must(
        (try? JSON(parsing: json.canonical))?.canonical == json.canonical, "a canonical form that is no JSON")
    for operation in shapes where operation.service.protocols.contains(where: { $0 != .restXML }) {
        guard let shape = operation.input else { continue }
        let read = try? ShapeReader(part: "the body", usesWireNames: true).read(json, as: shape, at: "")
        guard let read else { continue }
        checkNames(read, shape)
    }
}

/// A member of the model is named as the model has it, once; any other bears the mark of one that it has not.
private func checkNames(_ read: JSON, _ shape: CatalogShape) {
    guard let members = read.members, shape.kind == .structure else { return }
    var seen: Set<[UInt8]> = []
    for member in members {
        must(seen.insert(Array(member.name.utf8)).inserted, "`\(member.name)` twice")
        must(
            member.name.utf8.first == 0x3F || shape.members.contains { $0.name.isSame(as: member.name) },
            "`\(member.name)` is of no model")
        must(member.value != .null, "a null that counts")
    }
}

private func operation(_ service: String, _ name: String) -> [CatalogOperation] {
    Catalog.builtIn.service(named: service)?.operation(named: name).map { [$0] } ?? []
}

private let shapes: [CatalogOperation] =
    operation("dynamodb", "TransactWriteItems") + operation("lambda", "CreateFunction")
    + operation("ssm", "SendCommand") + operation("cloudwatch", "PutMetricData")

private let documents: [CatalogOperation] =
    operation("s3", "DeleteObjects") + operation("s3", "PutBucketReplication")
    + operation("s3", "PutBucketAcl")
    + operation("s3", "SelectObjectContent") + operation("route53", "ChangeResourceRecordSets")

private let forms: [CatalogOperation] =
    operation("iam", "CreateRole") + operation("sns", "CreateTopic") + operation("sqs", "SendMessageBatch")
    + operation("ec2", "RunInstances")

@Sendable func readCBOR(_ bytes: [UInt8]) {
    guard let json = try? CBORReader.parse(bytes) else { return }
    must((try? JSON(parsing: json.line))?.line == json.line, "a value that is not JSON")
    must((try? CBORReader.parse(written(json)))?.line == json.line, "not read as it was written anew")
    for operation in shapes {
        guard let shape = operation.input else { continue }
        let read = try? ShapeReader(part: "the body", usesWireNames: false).read(json, as: shape, at: "")
        if let read { checkNames(read, shape) }
    }
}

/// `json` in CBOR with lengths told beforehand; the marks of byte strings and timestamps are undone.
private func written(_ json: JSON) -> [UInt8] {
    func head(_ major: UInt8, _ value: UInt64) -> [UInt8] {
        if value < 24 { return [major << 5 | UInt8(value)] }
        return [major << 5 | 27] + (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * $0)) }
    }
    func text(_ text: String) -> [UInt8] { head(3, UInt64(text.utf8.count)) + Array(text.utf8) }
    switch json {
    case .null: return [0xF6]
    case .bool(let value): return [value ? 0xF5 : 0xF4]
    case .string(let value): return text(value)
    case .number(let spelled):
        if let value = UInt64(spelled) { return head(0, value) }
        if spelled == "-18446744073709551616" { return head(1, .max) }
        if spelled != "-0", spelled.first == "-", let value = UInt64(spelled.dropFirst()) {
            return head(1, value - 1)
        }
        return [0xFB]
            + (0..<8).map { UInt8(truncatingIfNeeded: (Double(spelled) ?? .nan).bitPattern >> (56 - 8 * $0)) }
    case .array(let elements): return head(4, UInt64(elements.count)) + elements.flatMap(written)
    case .object(let members):
        if let value = CBORReader.unmarked(json, as: .blob)?.string {
            let bytes = Base64.decode(value.utf8) ?? []
            return head(2, UInt64(bytes.count)) + bytes
        }
        if let value = CBORReader.unmarked(json, as: .double)?.string {
            return [0xFB]
                + (0..<8).map {
                    UInt8(truncatingIfNeeded: (Double(value) ?? .nan).bitPattern >> (56 - 8 * $0))
                }
        }
        if let time = CBORReader.unmarked(json, as: .timestamp) { return [0xC1] + written(time) }
        return head(5, UInt64(members.count)) + members.flatMap { text($0.name) + written($0.value) }
    }
}

@Sendable func readXML(_ bytes: [UInt8]) {
    guard let root = try? XMLElement(parsing: bytes) else { return }
    let xsi = " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\""
    let anew = Array("<\(root.name)\(xsi)\(written(root).dropFirst(root.name.count + 1))".utf8)
    guard let again = try? XMLElement(parsing: anew) else {
        fatalError("a document that is not read as it was written: \(written(root))")
    }
    must(written(again) == written(root), "a document that changes when it is written anew")
    for operation in documents {
        guard let input = operation.input else { continue }
        let shape = input.payload?.shape ?? input
        guard let read = try? parameters(root, as: shape) else { continue }
        must((try? JSON(parsing: read.line))?.line == read.line, "parameters that are no JSON")
        must((try? parameters(again, as: shape))?.line == read.line, "other parameters")
        checkNames(read, shape)
    }
}

private func written(_ element: XMLElement) -> String {
    func escaped(_ text: String) -> String {
        String(
            decoding: text.utf8.flatMap { byte in
                [0x26, 0x3C, 0x3E, 0x22, 0x27, 0x0D].contains(byte) ? Array("&#\(byte);".utf8) : [byte]
            }, as: UTF8.self)
    }
    let attributes = element.attributes.map { " \($0.name)=\"\(escaped($0.value))\"" }.joined()
    let inside = element.children.map(written).joined() + escaped(element.text)
    return "<\(element.name)\(attributes)>\(inside)</\(element.name)>"
}

@Sendable func readForm(_ bytes: [UInt8]) {
    guard let text = String(validating: bytes, as: UTF8.self), let items = try? queryItems(text, part: "x")
    else {
        return
    }
    for operation in forms {
        let reader = FormReader(isEC2: operation.service.name == "ec2")
        guard let read = try? reader.read(items, as: operation.input) else { continue }
        must((try? JSON(parsing: read.line))?.line == read.line, "parameters that are no JSON")
        let backwards = try? reader.read(items.reversed(), as: operation.input)
        must(backwards?.canonical == read.canonical, "parameters that hang on the order of the form")
        if let shape = operation.input { checkNames(read, shape) }
    }
}

/// Percent escapes and base 64: one reading, and written anew the same.
@Sendable func readEscapes(_ bytes: [UInt8]) {
    if let decoded = Base64.decode(bytes) {
        must(Array(Base64.encode(decoded).utf8) == bytes, "base 64 of two spellings")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else { return }
    for plusIsBlank in [false, true] {
        guard let decoded = percentDecoded(text, plusIsBlank: plusIsBlank) else { continue }
        for keepsSlash in [false, true] {
            let encoded = percentEncoded(decoded, keepsSlash: keepsSlash)
            must(percentDecoded(encoded)?.isSame(as: decoded) ?? false, "not decoded as it was encoded")
            must(
                encoded.utf8.allSatisfy {
                    $0.isAlphanumeric || [0x25, 0x2D, 0x2E, 0x5F, 0x7E].contains($0)
                        || keepsSlash && $0 == 0x2F
                }, "encoded text with a byte of another meaning: \(encoded)")
        }
    }
    if let segments = try? Router.segments(of: text) {
        let anew = segments.map { "/" + percentEncoded($0) }.joined()
        let again = try? Router.segments(of: anew)
        must(
            again.map { $0.count == segments.count && zip($0, segments).allSatisfy { $0.isSame(as: $1) } }
                ?? false, "other segments")
    }
    guard let items = try? queryItems(text, part: "x") else { return }
    for item in items {
        let pair = percentEncoded(item.name) + (item.value.map { "=" + percentEncoded($0) } ?? "")
        let again = try? queryItems(pair, part: "x")
        must(again?.count == 1, "an item that is read as several: \(pair)")
        must(again?.first?.name.isSame(as: item.name) ?? false, "another name")
        must(again?.first?.value?.isSame(as: item.value ?? "") ?? (item.value == nil), "another value")
    }
}

/// What is unpacked is within bounds, and has the length and the checksum that its member says.
@Sendable func readGzip(_ bytes: [UInt8]) {
    guard let unpacked = try? gunzipped(bytes) else { return }
    must(
        unpacked.count <= max(GzipLimits.freeByteCount, GzipLimits.ratioMax * bytes.count),
        "more than is allowed")
    must((try? gunzipped(bytes)) == unpacked, "two readings")
    let trailer = bytes.suffix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    must(trailer >> 32 == UInt64(unpacked.count), "another length than its member says")
    must(trailer & 0xFFFF_FFFF == UInt64(checksum(unpacked)), "another checksum than its member says")
    for cut in [1, 8, bytes.count / 2] where cut > 0 && cut < bytes.count {
        must((try? gunzipped(bytes.dropLast(cut))) == nil, "a member that is cut short")
    }
    must((try? gunzipped(bytes + bytes)) == nil, "two members")
}

/// CRC-32 of RFC 1952, bit by bit: a second writing of what zlib checks.
func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var crc: UInt32 = 0xFFFF_FFFF
    for byte in bytes {
        crc ^= UInt32(byte)
        for _ in 0..<8 { crc = crc >> 1 ^ (crc & 1 == 0 ? 0 : 0xEDB8_8320) }
    }
    return ~crc
}
