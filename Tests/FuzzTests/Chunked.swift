import Vocabulary

@testable import Recognizing

/// An upload in chunks: what is read of it is there in just one framing, all of it, and needs none any more.
@Sendable func readChunked(_ bytes: [UInt8]) {
    guard let request = request(bytes), let read = try? unframed(request) else { return }
    must((try? unframed(request)) == read, "two readings")
    let plain = read.request
    guard read.wasFramed else {
        must(plain == request && read.signatures == nil, "a plain request that changes")
        return
    }
    must((try? unframed(plain))?.wasFramed == false, "a request that is in its framing still")
    must(
        "\(plain.body.count)" == request.head["x-amz-decoded-content-length"], "another length than announced"
    )
    for (place, field) in plain.head.fields.enumerated() where request.head[field.name] == nil {
        must(field.name.hasPrefix("x-amz-checksum-"), "a trailer that became a field: \(field.name)")
        must(plain.head.fields[..<place].allSatisfy { $0.name != field.name }, "a trailer twice")
        must(field.value.utf8.allSatisfy { (0x2B...0x7A).contains($0) }, "a trailer of other bytes")
        guard field.name == "x-amz-checksum-crc32" else { continue }
        let code = Base64.decode(field.value.utf8)?.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        must(code == checksum(plain.body), "a checksum of something else")
    }
    let anew = framed(plain, read.signatures, as: request.head)
    must(
        (try? unframed(InboundRequest(head: request.head, body: anew))) == read,
        "not read as it was written anew")
    for cut in [1, 2, 3, request.body.count / 2] where cut > 0 && cut <= request.body.count {
        let short = InboundRequest(head: request.head, body: Array(request.body.dropLast(cut)))
        must((try? unframed(short)) == nil, "a body that is cut short by \(cut)")
    }
    for more in [[0x0A], [0x0D, 0x0A], request.body] {
        let long = InboundRequest(head: request.head, body: request.body + more)
        must((try? unframed(long)) == nil, "a body that goes on")
    }
}

/// `plain` in the framing that `head` announces.
private func framed(_ plain: InboundRequest, _ signatures: ChunkSignatures?, as head: RequestHead) -> [UInt8]
{
    var body: [UInt8] = []
    var rest = plain.body[...]
    for (place, count) in (signatures?.byteCounts ?? (rest.isEmpty ? [0] : [rest.count, 0])).enumerated() {
        body += String(count, radix: 16).utf8
        if let digits = signatures?.digits[(64 * place)..<(64 * place + 64)] {
            body += ";chunk-signature=".utf8 + digits
        }
        body += "\r\n".utf8
        body += rest.prefix(count)
        rest = rest.dropFirst(count)
        if count > 0 { body += "\r\n".utf8 }
    }
    for field in plain.head.fields where head[field.name] == nil {
        body += "\(field.name):\(field.value)\r\n".utf8
    }
    if let trailer = signatures?.trailer {
        body += "x-amz-trailer-signature:".utf8 + trailer.signature + [0x0D, 0x0A]
    }
    return body + "\r\n".utf8
}
