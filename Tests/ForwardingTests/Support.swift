import Glibc
import Hashing
import SigV4
import Signing
import Synchronization
import Vocabulary

@testable import Forwarding
@testable import Recognizing
@testable import Recording

/// A sink that remembers what it was told.
final class RecordingSink: ReplySink {
    struct Told {
        var heads: [ReplyHead] = []
        var body: [UInt8] = []
        var chunkCount = 0
        var outcomes: [Outcome] = []
    }

    let told = Mutex(Told())
    private let appetite: Appetite

    init(appetite: Appetite = .more) { self.appetite = appetite }

    func head(_ head: ReplyHead) { told.withLock { $0.heads.append(head) } }

    func chunk(_ bytes: [UInt8]) -> Appetite {
        told.withLock { told in
            told.body += bytes
            told.chunkCount += 1
        }
        return appetite
    }

    func end(_ outcome: Outcome) { told.withLock { $0.outcomes.append(outcome) } }

    var outcome: Outcome? { told.withLock { $0.outcomes.first } }
    var head: ReplyHead? { told.withLock { $0.heads.first } }
    var body: [UInt8] { told.withLock { $0.body } }
    var chunkCount: Int { told.withLock { $0.chunkCount } }

    /// The outcome, once it is there.
    func ended() async -> Outcome? {
        _ = await eventually { outcome != nil }
        return outcome
    }
}

/// What to send, with the parts a test does not care about filled in.
struct Sample {
    var method = "GET"
    var path = "/"
    var query = ""
    var fields: [HeaderField] = []
    var body: SealedRequest.Body = .bytes([])
    var usesTLS = false
    var mayRepeat = false
    var token: String?

    func sealed(for authority: String) -> SealedRequest {
        SealedRequest(
            method: method, usesTLS: usesTLS, authority: authority,
            awsHost: "dynamodb.us-east-1.amazonaws.com",
            path: path, query: query, fields: fields, body: body, signingName: "dynamodb",
            signingRegion: "us-east-1",
            pathStyle: .asSent, mayRepeat: mayRepeat, wireDigest: sha256("wire"))
    }

    func signed(for authority: String) throws -> SignedRequest {
        let credentials = Credentials(
            accessKeyID: "AKIDEXAMPLE", secretKey: Secret(Array("secret".utf8)),
            sessionToken: token.map { Secret(Array($0.utf8)) }, expiration: nil)
        return try sign(
            Clearance(request: sealed(for: authority), entry: EntryID(seq: 1)), with: credentials,
            at: Instant(secondsSinceEpoch: 1_440_938_160), keys: SigningKeys())
    }
}

extension Forwarder {
    /// Sends `sample` and waits for its end.
    func exchange(
        _ sample: Sample, with authority: String, on connection: ConnectionChoice = .pooled
    ) async throws -> RecordingSink {
        let sink = RecordingSink()
        _ = submit(try sample.signed(for: authority), on: connection, sink: sink)
        _ = await sink.ended()
        return sink
    }
}

/// A forwarder that trusts the authorities of this machine, ended when the test ends.
func withForwarder<Result>(
    _ setting: ForwardingSetting = ForwardingSetting(), _ body: (Forwarder) async throws -> Result
) async throws -> Result {
    let forwarder = try Forwarder(setting: setting)
    defer { forwarder.stop() }
    return try await body(forwarder)
}

let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/// Answers every request of a connection with `reply`.
func answering(_ reply: String) -> @Sendable (RawServer.Connection) -> Void {
    { connection in
        while connection.read() != nil { connection.write(reply) }
    }
}
