import Accepting
import Forwarding
import Signing
import Synchronization
import Vocabulary

/// The way of AWS's answer back to the agent.
///
/// Answers of status 400 and above, and all answers to uses, are kept whole while they fit into
/// ``StoredReply/byteCountMax``, so that late attempts get them and so that what they say of the gateway's
/// own credentials can be held back; everything else streams, and a slow client slows AWS down. Confined to
/// the loop, but for ``ReplySink``'s calls.
final class Relay: ReplySink, @unchecked Sendable {
    // INVARIANT: @unchecked is sound because `flow` is locked and all else is touched on the loop only.
    private let passage: Passage
    private let keeps: Bool
    private let runsOn: Bool
    /// The endpoint to name in place of the one that AWS names, in an answer to endpoint discovery.
    private let staysAt: String?
    private var transfer: Transfer?
    private var head: ReplyHead?
    /// The body so far, while it is kept; nil once it streams.
    private var kept: [UInt8]? = []
    /// Bytes written that the client has not taken; credited when it does.
    private var owed = 0
    private let flow = Mutex(Flow())

    /// Bytes between AWS and the client, and whether AWS was told to wait.
    private struct Flow {
        var byteCount = 0
        var isPaused = false
    }

    private static let high = 512 << 10
    private static let low = 128 << 10

    init(_ passage: Passage, sending: Sending, staysAt: String?) {
        self.passage = passage
        self.staysAt = staysAt
        keeps = sending.key != nil && !sending.uses.isEmpty || staysAt != nil
        // A read for a client that left is not worth its bytes; a write runs on, so that its outcome is
        // known.
        runsOn = sending.mutates || !sending.uses.isEmpty
    }

    private var exchange: Exchange { passage.exchange }

    /// Whether the answer's head has gone out already.
    var isStreaming: Bool { kept == nil }

    /// Hands the signed request to the forwarder. A call under a grant goes over a connection of its own.
    func begin(_ signed: consuming SignedRequest, by forwarder: Forwarder, isGated: Bool) {
        transfer = forwarder.submit(signed, on: isGated ? .fresh : .pooled, sink: self)
        exchange.whenGone {
            if !self.runsOn { self.transfer?.cancel() }
            self.credit(self.owed)
            self.owed = 0
        }
    }

    // MARK: From the driver's thread

    func head(_ head: ReplyHead) { exchange.loop.execute { self.headArrived(head) } }

    func chunk(_ bytes: [UInt8]) -> Appetite {
        let appetite = flow.withLock { flow in
            flow.byteCount += bytes.count
            if flow.byteCount > Self.high { flow.isPaused = true }
            return flow.isPaused ? Appetite.pause : .more
        }
        exchange.loop.execute { self.chunkArrived(bytes) }
        return appetite
    }

    func end(_ outcome: Outcome) { exchange.loop.execute { self.ended(outcome) } }

    func whole(_ head: ReplyHead, _ body: [UInt8], _ outcome: Outcome) {
        exchange.loop.execute { self.wholeArrived(head, body, outcome) }
    }

    // MARK: On the loop

    /// Most replies come so: they are answered in one write, with their outcome already in the log.
    private func wholeArrived(_ head: ReplyHead, _ body: [UInt8], _ outcome: Outcome) {
        self.head = head
        kept = body
        if body.count > StoredReply.byteCountMax { overflow(head) }
        ended(outcome)
    }

    private func headArrived(_ head: ReplyHead) {
        self.head = head
        if head.status < 400, !keeps { stream(head) }
    }

    private func chunkArrived(_ bytes: [UInt8]) {
        guard var body = kept else { return write(bytes) }
        body += bytes
        kept = body
        credit(bytes.count)
        guard body.count > StoredReply.byteCountMax, let head else { return }
        // Nothing of an answer to discovery goes out as it came.
        if staysAt == nil { overflow(head) } else { transfer?.cancel() }
    }

    /// More has come than is kept, so it streams; but not what refuses the gateway's own key, which may quote
    /// what was signed, the session token with it. The agent does not get that, and its beginning is enough.
    private func overflow(_ head: ReplyHead) {
        let begins = Array((kept ?? []).prefix(StoredReply.byteCountMax))
        guard credentialFault(StoredReply(status: head.status, fields: head.fields, body: begins)) != nil
        else { return stream(head) }
        kept = begins
    }

    private func write(_ bytes: [UInt8]) {
        exchange.write(bytes)
        if exchange.isWritable || exchange.isGone { return credit(bytes.count) }
        if owed == 0 {
            exchange.whenWritable {
                let taken = self.owed
                self.owed = 0
                self.credit(taken)
            }
        }
        owed += bytes.count
    }

    private func credit(_ count: Int) {
        let resumes = flow.withLock { flow in
            flow.byteCount -= count
            guard flow.isPaused, flow.byteCount < Self.low else { return false }
            flow.isPaused = false
            return true
        }
        if resumes { transfer?.resume() }
    }

    /// Stops keeping: what has come so far goes out, and the rest as it comes.
    private func stream(_ head: ReplyHead) {
        exchange.beginAnswer(status: head.status, fields: head.fields, contentLength: head.bodyByteCount)
        let body = kept ?? []
        kept = nil
        if !body.isEmpty { exchange.write(body) }
    }

    private func ended(_ outcome: Outcome) {
        // The transfer holds its sink: without this neither would ever be freed.
        transfer = nil
        guard let head, let body = kept, outcome.kind == .answered else {
            return passage.take(.outcome(outcome, nil))
        }
        let isHEAD = exchange.head.method == "HEAD"
        if isHEAD { stream(head) }
        var reply = StoredReply(status: head.status, fields: head.fields, body: body)
        if let staysAt { reply = reply.naming(staysAt) }
        let final = isThrottled(reply) ? outcome.with(kind: .throttled) : outcome
        passage.take(.outcome(final, isHEAD ? nil : reply))
    }
}

extension Outcome {
    /// The same with another kind, error or flag.
    func with(kind: Kind? = nil, error: String? = nil, holdsCredentials: Bool? = nil) -> Outcome {
        Outcome(
            kind: kind ?? self.kind, status: status, awsRequestID: awsRequestID,
            awsExtendedRequestID: awsExtendedRequestID,
            error: error ?? self.error, bytesSent: bytesSent, bytesReceived: bytesReceived,
            elapsed: elapsed, holdsCredentials: holdsCredentials ?? self.holdsCredentials)
    }
}

/// The code with which AWS refused our own key, if `reply` says so: the operator's business, not the agent's.
func credentialFault(_ reply: StoredReply) -> String? {
    guard [400, 401, 403].contains(reply.status) else { return nil }
    if let code = errorCode(reply) { return ownCredentialFaults.contains(code) ? code : nil }
    // The beginning of a long JSON body does not parse.
    let text = String(decoding: reply.body, as: UTF8.self)
    return ownCredentialFaults.sorted().first { text.contains("\"\($0)\"") || text.contains("#\($0)\"") }
}

/// Codes by which AWS says that the signer's key, token or clock is bad.
private let ownCredentialFaults: Set<String> = [
    "AuthFailure", "ExpiredToken", "ExpiredTokenException", "IncompleteSignature", "InvalidAccessKeyId",
    "InvalidClientTokenId", "InvalidSignatureException", "InvalidToken", "MissingAuthenticationToken",
    "MissingAuthenticationTokenException", "RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch",
    "UnrecognizedClientException",
]

/// Codes by which AWS says that it did not act because of load: botocore's list of throttling codes, without
/// those that are also used for other limits.
let throttlingCodes: Set<String> = [
    "BandwidthLimitExceeded", "EC2ThrottledException", "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled", "RequestThrottledException", "SlowDown", "ThrottledException", "Throttling",
    "ThrottlingException", "TooManyRequestsException",
]

/// Whether AWS says that it did not act because of load.
func isThrottled(_ reply: StoredReply) -> Bool {
    guard [400, 403, 429, 503].contains(reply.status), let code = errorCode(reply) else { return false }
    return throttlingCodes.contains(code)
}

/// The error code of an AWS answer: the header's, the JSON `__type` or `code`, or the first `<Code>` of an
/// XML body.
func errorCode(_ reply: StoredReply) -> String? {
    func bare(_ text: String) -> String {
        let name = text.split(separator: ":", omittingEmptySubsequences: false).first ?? ""
        return String(name.split(separator: "#").last ?? "")
    }
    if let type = reply.fields.first(where: { $0.name == "x-amzn-errortype" })?.value { return bare(type) }
    if reply.body.first == 0x7B {
        // A body that is not JSON has no code to find; the answer goes on as it is.
        guard let json = try? JSON(parsing: reply.body) else { return nil }
        return (json["__type"]?.string ?? json["code"]?.string ?? json["Code"]?.string).map(bare)
    }
    let text = String(decoding: reply.body.prefix(8_192), as: UTF8.self)
    guard let start = text.firstRange(of: "<Code>"),
        let end = text[start.upperBound...].firstRange(of: "</Code>")
    else { return nil }
    return String(text[start.upperBound..<end.lowerBound])
}
