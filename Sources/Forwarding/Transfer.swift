import CCurl
import Synchronization
import Vocabulary

/// A request on its way and its reply coming back.
package final class Transfer: @unchecked Sendable {
    // INVARIANT: `flow` is locked; `outbound`, `connection`, `sink` and `driver` never change; all else is
    // touched on the driver's thread only, from ``Driver/submit(_:)`` to the sink's end.

    /// What both sides share: the receiver resumes and cancels, the driver pauses.
    private struct Flow {
        var isCancelled = false
        /// The receiver said pause and has not resumed.
        var isHeld = false
        /// libcurl was told to pause and must be told to go on.
        var isStopped = false
        /// Counts resumes, so that one that comes while a chunk is being handed over is not lost.
        var resumes = 0
    }

    let outbound: Result<Outbound, ForwardingError>
    let connection: ConnectionChoice
    private let sink: any ReplySink
    private let driver: any Driver
    private let flow = Mutex(Flow())

    /// How often libcurl has begun to write the request to a connection.
    private(set) var sendCount = 0
    private var reader = ReplyReader()
    /// Why we stopped the transfer ourselves.
    private var fault: String?
    private var head: ReplyHead?
    /// The head of an error reply waits for its body, which is redacted first.
    private var withheld: ReplyHead?
    /// The head that the sink has not been told yet.
    private var untold: ReplyHead?
    /// Body bytes not yet handed over.
    private var gathered: [UInt8] = []
    private var credentialWatch = CredentialWatch()
    private var bodyOffset = 0
    private var hasEnded = false

    /// Where libcurl works on it; nil while it waits in line.
    var handle: CurlHandle?
    /// Grows with all that libcurl does for the transfer; ``progressTime`` is when the driver last saw it
    /// grow.
    private(set) var progressCount = 0
    var seenProgressCount = -1
    /// Nanoseconds of the driver's own steady clock.
    var progressTime: Int64 = 0

    init(
        outbound: Result<Outbound, ForwardingError>, connection: ConnectionChoice, sink: any ReplySink,
        driver: any Driver
    ) {
        self.outbound = outbound
        self.connection = connection
        self.sink = sink
        self.driver = driver
    }

    /// Says that the receiver can take more, after it said ``Appetite/pause``.
    package func resume() {
        let wasStopped = flow.withLock { flow in
            flow.resumes += 1
            flow.isHeld = false
            defer { flow.isStopped = false }
            return flow.isStopped
        }
        if wasStopped { driver.unpause(self) }
    }

    /// Stops the transfer, for a client that went away. Its sink still hears the end.
    package func cancel() {
        let isNew = flow.withLock { flow in
            defer { flow.isCancelled = true }
            return !flow.isCancelled
        }
        if isNew { driver.unpause(self) }
    }

    var isCancelled: Bool { flow.withLock { $0.isCancelled } }

    // MARK: - What libcurl says, on the driver's thread

    /// libcurl is about to write the request to a connection: false stops it.
    func willSend() -> Bool {
        guard !isCancelled, case .success(let outbound) = outbound else { return false }
        // A use is one send, be it a read: a grant for one look is not good for two.
        guard sendCount == 0 || outbound.mayRepeat && connection == .pooled else {
            fault = "the connection closed after the request was sent; it was not sent again"
            return false
        }
        sendCount += 1
        reader = ReplyReader()
        bodyOffset = 0
        return true
    }

    /// Fills `buffer` with the next bytes of the body; gives their count.
    func sendBody(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard case .success(let outbound) = outbound else { return 0 }
        let rest = outbound.body[min(bodyOffset, outbound.body.count)...].prefix(buffer.count)
        buffer.copyBytes(from: rest)
        bodyOffset += rest.count
        progressCount &+= 1
        return rest.count
    }

    /// libcurl wants the body from `offset` again; false when it may not have it.
    func rewindBody(to offset: Int) -> Bool {
        guard case .success(let outbound) = outbound, (0...outbound.body.count).contains(offset)
        else { return false }
        bodyOffset = offset
        return true
    }

    /// Takes a line of a head; false stops the transfer.
    func receivedLine(_ bytes: [UInt8]) -> Bool {
        guard fault == nil else { return false }
        progressCount &+= 1
        switch reader.line(bytes) {
        case .more: return true
        case .refused(let why):
            fault = why
            return false
        case .head(let whole):
            let shown = whole.status < 400 ? whole : EchoRedaction.redact(whole, needles: echoes)
            head = shown
            guard whole.status >= 400, method != "HEAD" else {
                untold = shown
                return true
            }
            withheld = shown
            // What it echoes could not be found in it.
            let isEncoded = whole.fields.contains { $0.name == "content-encoding" && $0.value != "identity" }
            if isEncoded { fault = "the error reply is compressed" }
            return !isEncoded
        }
    }

    /// Takes bytes of the body: their count, the pause mark, or 0 to stop.
    func received(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard fault == nil, head != nil else { return 0 }
        let (isCancelled, isHeld) = flow.withLock { flow in
            if flow.isHeld, !flow.isCancelled { flow.isStopped = true }
            return (flow.isCancelled, flow.isHeld)
        }
        if isCancelled { return 0 }
        if isHeld { return cs_pause_write }
        progressCount &+= 1
        credentialWatch.look(at: bytes)
        gathered.append(contentsOf: bytes)
        if withheld != nil {
            guard gathered.count <= ReplyLimits.errorBodyBytesMax else {
                fault = "the error reply is larger than \(ReplyLimits.errorBodyBytesMax) bytes"
                return 0
            }
        } else if gathered.count >= ReplyLimits.chunkBytes {
            handOver()
        }
        return bytes.count
    }

    /// Whether libcurl waits for the receiver, so that silence is no fault of AWS.
    var isStopped: Bool { flow.withLock { $0.isStopped } }
    var hasHead: Bool { head != nil }

    /// Stops the transfer for the reason `why`, which its end will tell.
    func fail(_ why: String) { fault = fault ?? why }

    /// Whether a head or bytes wait for ``handOver()``.
    var hasGathered: Bool { withheld == nil && (untold != nil || !gathered.isEmpty) }

    /// Gives the sink what has gathered. Called when a chunk is full, and after each round of libcurl so that
    /// slow replies flow.
    func handOver() {
        guard hasGathered else { return }
        if let head = untold {
            untold = nil
            sink.head(head)
        }
        guard !gathered.isEmpty else { return }
        let before = flow.withLock { $0.resumes }
        let bytes = gathered
        gathered = []
        guard sink.chunk(bytes) == .pause else { return }
        flow.withLock { flow in
            if flow.resumes == before { flow.isHeld = true }
        }
    }

    // MARK: - The end

    /// What libcurl measured.
    struct Measure {
        var bytesSent = 0
        var bytesReceived = 0
        var elapsed = Duration.zero
    }

    /// Tells the sink the end, once. `failure` is nil when libcurl has the whole reply.
    func end(failure: String?, measure: Measure = Measure()) {
        guard !hasEnded else { return }
        hasEnded = true
        var why = fault ?? failure
        if why != nil, isCancelled { why = "the client went away" }
        if why == nil, head == nil { why = "the connection closed before the reply" }
        let outcome = Outcome(
            kind: why == nil ? .answered : sendCount == 0 ? .notSent : .unknown,
            status: reader.finalStatus,
            awsRequestID: reader.awsRequestID, awsExtendedRequestID: reader.awsExtendedRequestID,
            error: why,
            bytesSent: measure.bytesSent, bytesReceived: measure.bytesReceived, elapsed: measure.elapsed,
            holdsCredentials: credentialWatch.hasSeenAny)
        let bytes = gathered
        gathered = []
        if let head = withheld {
            // Of an error reply that was cut short nothing is told: it cannot be redacted.
            guard why == nil else { return sink.end(outcome) }
            let body = EchoRedaction.redact(bytes, needles: echoes)
            let redacted = ReplyHead(status: head.status, fields: head.fields, bodyByteCount: body.count)
            return sink.whole(redacted, body, outcome)
        }
        if let head = untold { return sink.whole(head, bytes, outcome) }
        if !bytes.isEmpty { _ = sink.chunk(bytes) }
        sink.end(outcome)
    }

    private var method: String {
        guard case .success(let outbound) = outbound else { return "" }
        return outbound.method
    }

    private var echoes: [[UInt8]] {
        guard case .success(let outbound) = outbound else { return [] }
        return EchoRedaction.needles(in: outbound.ownFields)
    }
}
