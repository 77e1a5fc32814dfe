#if canImport(Accepting)
    import NIOCore

    @testable import Accepting
    @testable import Forwarding

    let doors = [FuzzTarget("http", .request, run: readHTTP), FuzzTarget("reply", .text, run: readReply)]

    /// The requests of a connection, whole and byte by byte: the same either way.
    @Sendable private func readHTTP(_ bytes: [UInt8]) {
        let (whole, pieces) = (steps([bytes]), steps(bytes.map { [$0] }))
        must(whole == pieces, "the pieces read otherwise: \(whole) and \(pieces)")
    }

    /// What a connection reads from `arrivals`, bodies joined.
    private func steps(_ arrivals: [[UInt8]]) -> [String] {
        var reader = RequestReader(limits: Limits())
        var buffer = ByteBuffer()
        var (told, body): ([String], [UInt8]) = ([], [])
        for arrival in arrivals {
            buffer.writeBytes(arrival)
            reading: while true {
                do {
                    switch try reader.next(&buffer) {
                    case .starved: break reading
                    case .head(let head): told.append("\(head)")
                    case .body(var piece): body += piece.readBytes(length: piece.readableBytes) ?? []
                    case .end:
                        told.append("\(body)")
                        body = []
                    }
                } catch { return told + ["\(error.status)"] }
            }
        }
        return told
    }

    @Sendable private func readReply(_ bytes: [UInt8]) {
        var reader = ReplyReader()
        for line in bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
            if case .refused = reader.line(Array(line) + [0x0A]) { return }
        }
    }
#else
    let doors: [FuzzTarget] = []
#endif
