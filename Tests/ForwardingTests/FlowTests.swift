import Glibc
import Synchronization
import Testing
import Vocabulary

@testable import Forwarding

@Suite("Forwarding flow", .serialized) struct FlowTests {
    @Test func `a slow reader holds AWS back, and gets everything in the end`() async throws {
        let total = 48 * 1_048_576
        let server = RawServer { connection in
            _ = connection.read()
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: \(total)\r\n\r\n")
            let piece = [UInt8](repeating: 0x61, count: 262_144)
            for _ in 0..<(total / piece.count) { connection.write(piece) }
        }
        try await withForwarder { forwarder in
            let sink = RecordingSink(appetite: .pause)
            let transfer = forwarder.submit(try Sample().signed(for: server.authority), sink: sink)
            #expect(await eventually { sink.chunkCount == 1 })
            try await Task.sleep(for: .milliseconds(300))
            #expect(sink.chunkCount == 1)
            #expect(sink.body.count <= 2 * ReplyLimits.chunkBytes)
            // What the kernel's buffers of loopback hold.
            #expect(server.written.withLock { $0 } < total / 2)
            while sink.outcome == nil {
                transfer.resume()
                try await Task.sleep(for: .microseconds(50))
            }
            #expect(sink.outcome?.kind == .answered)
            #expect(sink.body.count == total)
        }
    }

    @Test func `a reply that is complete at once is told in one piece, a slow one as it comes`() async throws
    {
        let server = RawServer { connection in
            while let request = connection.read() {
                let isSlow = request.line.hasPrefix("GET /slow")
                connection.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + (isSlow ? "ab" : "abcd"))
                guard isSlow else { continue }
                usleep(300_000)
                connection.write("cd")
            }
        }
        try await withForwarder { forwarder in
            let quick = PieceSink()
            _ = forwarder.submit(try Sample().signed(for: server.authority), sink: quick)
            #expect(await eventually { quick.pieces == ["whole 200 abcd"] })
            let slow = PieceSink()
            _ = forwarder.submit(try Sample(path: "/slow").signed(for: server.authority), sink: slow)
            #expect(await eventually { slow.pieces == ["head 200", "ab", "cd", "end"] })
        }
    }

    @Test func `a resume that comes while a chunk is handed over is not lost`() async throws {
        let server = RawServer(
            answering(
                "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n"
                    + String(repeating: "a", count: 3_000_000)))
        try await withForwarder { forwarder in
            let sink = EagerSink()
            sink.transfer.withLock { $0 = nil }
            let transfer = forwarder.submit(try Sample().signed(for: server.authority), sink: sink)
            sink.transfer.withLock { $0 = transfer }
            transfer.resume()
            #expect(await eventually { sink.byteCount.withLock { $0 } == 3_000_000 })
        }
    }

    @Test func `a download that is cancelled stops`() async throws {
        let closed = Mutex(false)
        let server = RawServer { connection in
            _ = connection.read()
            connection.write("HTTP/1.1 200 OK\r\nx-amzn-requestid: R\r\nContent-Length: 9000000000\r\n\r\n")
            while connection.write([UInt8](repeating: 0x61, count: 65_536)) {}
            closed.withLock { $0 = true }
        }
        try await withForwarder { forwarder in
            for appetite in [Appetite.more, .pause] {
                closed.withLock { $0 = false }
                let sink = RecordingSink(appetite: appetite)
                let transfer = forwarder.submit(try Sample().signed(for: server.authority), sink: sink)
                #expect(await eventually { sink.chunkCount >= 1 })
                transfer.cancel()
                let outcome = await sink.ended()
                #expect(outcome?.kind == .unknown)
                #expect(outcome?.status == 200)
                #expect(outcome?.awsRequestID == "R")
                #expect(outcome?.error == "the client went away")
                #expect(await eventually { closed.withLock { $0 } })
            }
        }
    }

    @Test func `a call that is cancelled while AWS thinks ends at once as unknown`() async throws {
        let server = RawServer { connection in
            _ = connection.read()
            connection.drain()
        }
        try await withForwarder { forwarder in
            let sink = RecordingSink()
            let transfer = forwarder.submit(
                try Sample(method: "POST").signed(for: server.authority), sink: sink)
            #expect(await eventually { server.requests.count == 1 })
            transfer.cancel()
            #expect(await sink.ended()?.kind == .unknown)
        }
    }

    @Test func `calls beyond the limit wait in line, and may be cancelled there`() async throws {
        let gate = Mutex(false)
        let server = RawServer { connection in
            while connection.read() != nil {
                while !gate.withLock({ $0 }) { usleep(2_000) }
                connection.write(ok)
            }
        }
        try await withForwarder(ForwardingSetting(inFlightMax: 1, waitingMax: 2)) { forwarder in
            let sinks = (0..<4).map { _ in RecordingSink() }
            var transfers: [Transfer] = []
            for sink in sinks {
                let signed = try Sample(method: "POST").signed(for: server.authority)
                transfers.append(forwarder.submit(signed, sink: sink))
            }
            #expect(await sinks[3].ended()?.kind == .notSent)
            #expect(await eventually { server.requests.count == 1 })
            transfers[1].cancel()
            #expect(await sinks[1].ended()?.kind == .notSent)
            gate.withLock { $0 = true }
            #expect(await sinks[0].ended()?.kind == .answered)
            #expect(await sinks[2].ended()?.kind == .answered)
        }
        #expect(server.requests.count == 2)
    }

    @Test func `an answer that does not come and a reply that stands still are ended`() async throws {
        let server = RawServer { connection in
            guard let request = connection.read() else { return }
            if request.line.contains("/stall") {
                connection.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
            }
            connection.drain()
        }
        let setting = ForwardingSetting(answerLimit: .milliseconds(400), stallLimit: .milliseconds(300))
        try await withForwarder(setting) { forwarder in
            let silent = try await forwarder.exchange(Sample(path: "/silent"), with: server.authority)
            #expect(silent.outcome?.kind == .unknown)
            #expect(silent.head == nil)
            let stalled = try await forwarder.exchange(Sample(path: "/stall"), with: server.authority)
            #expect(stalled.outcome?.kind == .unknown)
            #expect(stalled.outcome?.status == 200)
            #expect(stalled.body == Array("ab".utf8))
        }
    }

    @Test("an answer in mid-upload ends the upload, and is passed on", arguments: [300_000, 8_000_000])
    func earlyAnswer(_ count: Int) async throws {
        let server = RawServer { connection in
            guard connection.readHead() != nil else { return }
            connection.write("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
            usleep(200_000)
        }
        try await withForwarder { forwarder in
            let sink = try await forwarder.exchange(
                Sample(method: "PUT", body: .bytes([UInt8](repeating: 7, count: count))),
                with: server.authority)
            #expect(sink.outcome?.status == 413)
            #expect(sink.outcome?.kind == .answered)
            #expect(sink.body == Array("no".utf8))
        }
        #expect(server.connectionCount == 1)
    }

    @Test func `a whole transfer has its limit when one is set`() async throws {
        let server = RawServer { connection in
            _ = connection.read()
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
            while connection.write("a") { usleep(20_000) }
        }
        try await withForwarder(ForwardingSetting(totalLimit: .milliseconds(300))) { forwarder in
            let sink = try await forwarder.exchange(Sample(), with: server.authority)
            #expect(sink.outcome?.kind == .unknown)
        }
    }

    @Test func `stopping ends every call with its outcome, and later ones at once`() async throws {
        let server = RawServer { connection in
            _ = connection.read()
            connection.drain()
        }
        let forwarder = try Forwarder(setting: ForwardingSetting(inFlightMax: 2))
        let sinks = (0..<3).map { _ in RecordingSink() }
        for sink in sinks { _ = forwarder.submit(try Sample().signed(for: server.authority), sink: sink) }
        #expect(await eventually { server.requests.count == 2 })
        forwarder.stop()
        forwarder.stop()
        #expect(sinks.compactMap { $0.outcome?.kind } == [.unknown, .unknown, .notSent])
        let late = RecordingSink()
        _ = forwarder.submit(try Sample().signed(for: server.authority), sink: late)
        #expect(late.outcome?.kind == .notSent)
    }

    @Test func `many calls at once are each answered with their own reply`() async throws {
        let server = RawServer { connection in
            while let request = connection.read() {
                let body = request.line
                connection.write("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
            }
        }
        try await withForwarder(ForwardingSetting(inFlightMax: 16)) { forwarder in
            var sinks: [RecordingSink] = []
            for number in 0..<200 {
                let sink = RecordingSink()
                sinks.append(sink)
                let signed = try Sample(path: "/\(number)", mayRepeat: true).signed(for: server.authority)
                _ = forwarder.submit(signed, sink: sink)
            }
            for (number, sink) in sinks.enumerated() {
                #expect(await sink.ended()?.kind == .answered)
                #expect(sink.body == Array("GET /\(number) HTTP/1.1".utf8))
            }
        }
        #expect(Set(server.requests.map(\.connection)).count <= 16)
    }

    @Test func `a trust file that cannot be read stops the start`() {
        #expect(throws: ForwarderStartError.unreadableTrustFile("/nowhere/ca.pem")) {
            _ = try Forwarder(setting: ForwardingSetting(trustFile: "/nowhere/ca.pem"))
        }
    }
}

/// Remembers in what pieces a reply was told.
private final class PieceSink: ReplySink {
    private let told = Mutex<[String]>([])
    var pieces: [String] { told.withLock { $0 } }

    func head(_ head: ReplyHead) { told.withLock { $0.append("head \(head.status)") } }

    func chunk(_ bytes: [UInt8]) -> Appetite {
        told.withLock { $0.append(String(decoding: bytes, as: UTF8.self)) }
        return .more
    }

    func end(_ outcome: Outcome) { told.withLock { $0.append("end") } }

    func whole(_ head: ReplyHead, _ body: [UInt8], _ outcome: Outcome) {
        told.withLock { $0.append("whole \(head.status) " + String(decoding: body, as: UTF8.self)) }
    }
}

/// Says pause to every chunk, and resumes before saying so.
private final class EagerSink: ReplySink {
    let transfer = Mutex<Transfer?>(nil)
    let byteCount = Mutex(0)

    func head(_ head: ReplyHead) {}

    func chunk(_ bytes: [UInt8]) -> Appetite {
        byteCount.withLock { $0 += bytes.count }
        while transfer.withLock({ $0 == nil }) { usleep(1_000) }
        transfer.withLock { $0?.resume() }
        return .pause
    }

    func end(_ outcome: Outcome) {}
}
