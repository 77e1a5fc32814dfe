import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing
import Vocabulary

@testable import Accepting

/// What NIO's decoder makes of the same bytes: the oracle. nil: it refused.
private func decodedByNIO(_ bytes: [UInt8]) -> [InboundRequest]? {
    let channel = EmbeddedChannel()
    defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
    let decoder = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes))
    var requests: [InboundRequest] = []
    var head: RequestHead?
    var body: [UInt8] = []
    do {
        try channel.pipeline.syncOperations.addHandler(decoder)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try channel.writeInbound(ByteBuffer(bytes: bytes))
        while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
            switch part {
            case .head(let decoded):
                head = RequestHead(
                    method: decoded.method.rawValue, target: decoded.uri,
                    // NIO leaves blanks at a value's end.
                    fields: decoded.headers.map { field in
                        HeaderField(
                            field.name,
                            String(field.value.reversed().drop { $0 == " " || $0 == "\t" }.reversed()))
                    })
            case .body(let piece): body += piece.readableBytesView
            case .end:
                if let head { requests.append(InboundRequest(head: head, body: body)) }
                head = nil
                body = []
            }
        }
        return requests
    } catch {
        return nil
    }
}

/// SplitMix64, so that a failure can be replayed.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

private let seeds = [
    "GET /a?b=c HTTP/1.1\r\nHost: h\r\nX-Amz-Date: 20260101T000000Z\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: 127.0.0.1:8990\r\nX-Amz-Target: A.B\r\nContent-Length: 12\r\n\r\n"
        + "{\"a\":\"b\"}   ",
    "PUT /b/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        + "5;x=y\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nt: v\r\n\r\n",
    "HEAD / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "PUT /k HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
        + "abcGET / HTTP/1.1\r\nHost: h\r\n\r\n",
]

private let spice: [[UInt8]] =
    [
        "\r", "\n", "\r\n", " ", "\t", ":", ";", ",", "\0", "0", "+", "-", "0x", "Content-Length: 5\r\n",
        "chunked", "//",
        "Transfer-Encoding: chunked\r\n", "Host: x\r\n", "HTTP/1.0", "%", "#", "\u{E9}", "GET / HTTP/1.1\r\n",
        "\r\n\r\n",
    ].map { Array($0.utf8) } + [[0xFF], [0x80], [0x7F]]

@Suite("Decoder comparison") struct DecoderComparisonTests {
    @Test func `whatever is accepted means the same to NIO's decoder`() {
        var generator = SeededGenerator(state: 20_261_123)
        var acceptedCount = 0
        for round in 0..<8_000 {
            var bytes = Array(seeds[round % seeds.count].utf8)
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                let place = Int.random(in: 0...bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes.insert(contentsOf: spice.randomElement(using: &generator) ?? [], at: place)
                case 1 where place < bytes.count: bytes.remove(at: place)
                case 2 where place < bytes.count: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                default: bytes = Array(bytes[place...] + bytes[..<place])
                }
            }
            let ours = readAll(bytes, piece: Int.random(in: 1...64, using: &generator))
            guard !ours.requests.isEmpty else { continue }
            acceptedCount += 1
            let theirs = decodedByNIO(Array(bytes.prefix(ours.byteCount)))
            guard theirs != ours.requests else { continue }
            Issue.record("round \(round): \(String(decoding: bytes, as: UTF8.self)) \(ours.requests)")
        }
        #expect(acceptedCount > 2000)
    }
}
