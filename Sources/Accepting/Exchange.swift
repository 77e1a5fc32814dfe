import NIOCore
import Vocabulary

/// What a listener serves: the corridor, the control plane. Called on the loop only.
package protocol ExchangeHandler: Sendable {
    /// A head has arrived that may be read on. The handler keeps the exchange and answers it once, now or
    /// later.
    func serve(_ exchange: Exchange)

    /// A request that could not be read; the answer it gets, and the place to record it. The connection
    /// closes when `fault.closes`.
    func refused(_ fault: RequestFault, at tag: ListenerTag, from peer: Peer) -> Reply
}

extension ExchangeHandler {
    /// Says what is at fault in plain text.
    package func refused(_ fault: RequestFault, at tag: ListenerTag, from peer: Peer) -> Reply {
        Reply(plain: fault)
    }
}

/// One request's life: its head, its body when asked for, and its one answer.
///
/// Confined to its loop: every method is called there, every callback comes there. Until
/// ``readBody(limit:then:)`` the body waits in the network. Requests of one connection come one after the
/// other, in order, each after the answer to the one before. Once the client is gone all methods do nothing.
package final class Exchange: @unchecked Sendable {
    // INVARIANT: @unchecked is sound because all mutable state is touched on the loop only; each entry checks
    // that.

    /// Counts the exchanges of the process, from 1.
    package let number: UInt64
    package let head: RequestHead
    package let framing: BodyFraming
    package let tag: ListenerTag
    package let peer: Peer
    package let loop: Loop

    private enum BodyStage {
        case unread
        case reading(limit: Int, then: (Result<[UInt8], RequestFault>) -> Void)
        case complete
        case failed
    }

    private enum AnswerStage {
        case pending
        /// `left` bytes of a known length are still to come.
        case streaming(AnswerFraming, left: Int?)
        case done
    }

    private var connection: Connection?
    private let received: ReceivedHead
    private var bodyStage: BodyStage
    private var answerStage = AnswerStage.pending
    private var collected: [UInt8] = []
    private var gone: (() -> Void)?
    private var writable: (() -> Void)?
    private var hasContinued = false

    init(
        number: UInt64, received: ReceivedHead, tag: ListenerTag, peer: Peer, loop: Loop,
        connection: Connection
    ) {
        self.number = number
        self.received = received
        self.head = received.head
        self.framing = received.framing
        self.tag = tag
        self.peer = peer
        self.loop = loop
        self.connection = connection
        self.bodyStage = received.framing == .none ? .complete : .unread
    }

    /// Calls `body` once when the client goes away, or is cut off, before the answer is complete: nothing may
    /// be sent for it any more. At once if that has happened already.
    package func whenGone(_ body: @escaping () -> Void) {
        checkLoop()
        if case .done = answerStage { return }
        guard connection != nil else { return body() }
        gone = body
    }

    /// The uid at the other end, as `find` says of ``peer``: asked once a connection, whose owner stays the
    /// same. nil once the client is gone.
    package func peerUID(_ find: (Peer) -> UInt32?) -> UInt32? {
        checkLoop()
        return connection?.peerUID(find)
    }

    /// The supplementary groups of the process at the other end of a unix socket, as it was when it
    /// connected; nil where the kernel does not say, or when they are more than ``groupCountMax``.
    ///
    /// Group 0 is never among them: the kernel's answer does not tell it from a place that it left empty.
    package var peerGroups: [UInt32]? {
        checkLoop()
        return connection?.peerGroups
    }

    /// Groups of a process that are looked at.
    package static let groupCountMax = 256

    /// Whether the client went away before the answer was complete.
    package var isGone: Bool {
        checkLoop()
        if case .done = answerStage { return false }
        return connection == nil
    }

    /// Reads the whole body, at most `limit` bytes, and hands it over once; an empty one at once when there
    /// is none.
    ///
    /// A client that waits for `100 Continue` is told so now. A fault (too large, too slow, ill-framed) is
    /// the owner's to answer with ``answer(status:fields:body:)``; the connection then closes. When the
    /// client goes away instead, ``whenGone(_:)`` says so and `then` is not called.
    package func readBody(limit: Int, then: @escaping (Result<[UInt8], RequestFault>) -> Void) {
        checkLoop()
        guard let connection, case .pending = answerStage else { return }
        if case .length(let length) = framing, length > limit {
            bodyStage = .failed
            return then(.failure(.bodyTooLarge(limit: limit)))
        }
        sendContinue(connection)
        if framing == .none { return then(.success([])) }
        guard case .unread = bodyStage else { return abort() }
        bodyStage = .reading(limit: limit, then: then)
        if case .length(let length) = framing { collected.reserveCapacity(min(length, 1 << 20)) }
        connection.bodyIsWanted()
    }

    /// Answers with the whole of `body`. Before the body was read this is also the final status that a client
    /// waiting for `100 Continue` gets instead of it, and the connection closes.
    package func answer(status: Int, fields: [HeaderField], body: [UInt8]) {
        checkLoop()
        guard let connection, let framing = begin(status: status, length: body.count) else { return }
        let carries = framing == .length(body.count)
        var buffer = connection.buffer(capacity: 512 + (carries ? body.count : 0))
        writeAnswerHead(status: status, fields: fields, framing: framing, closes: closesAfter, into: &buffer)
        if carries { buffer.writeBytes(body) }
        connection.write(buffer)
        finish()
    }

    /// Begins an answer that ``write(_:)`` and ``end()`` complete. `contentLength` nil: not known, so it is
    /// chunked.
    package func beginAnswer(status: Int, fields: [HeaderField], contentLength: Int?) {
        checkLoop()
        guard let connection, let framing = begin(status: status, length: contentLength) else { return }
        var buffer = connection.buffer(capacity: 512)
        writeAnswerHead(status: status, fields: fields, framing: framing, closes: closesAfter, into: &buffer)
        connection.write(buffer)
        answerStage = .streaming(framing, left: contentLength)
        connection.answerIsStreaming()
    }

    /// Sends a piece of the answer's body. It is buffered however large it is: look at ``isWritable`` before.
    /// More bytes than announced cut the connection; an answer that has no body drops them.
    package func write(_ piece: [UInt8]) {
        checkLoop()
        guard let connection, !piece.isEmpty else { return }
        guard case .streaming(let framing, let left) = answerStage else { return abort() }
        switch framing {
        case .none: break
        case .length:
            guard let left, piece.count <= left else { return abort() }
            answerStage = .streaming(framing, left: left - piece.count)
            connection.write(ByteBuffer(bytes: piece))
        case .close: connection.write(ByteBuffer(bytes: piece))
        case .chunked:
            var buffer = connection.buffer(capacity: piece.count + 24)
            buffer.writeString(String(piece.count, radix: 16) + "\r\n")
            buffer.writeBytes(piece)
            buffer.writeString("\r\n")
            connection.write(buffer)
        }
    }

    /// Completes the answer. With fewer bytes than announced the connection is cut, so that the client can
    /// tell.
    package func end() {
        checkLoop()
        guard let connection else { return }
        guard case .streaming(let framing, let left) = answerStage else { return abort() }
        switch framing {
        case .none, .close: break
        case .length: guard left == 0 else { return abort() }
        case .chunked: connection.write(ByteBuffer(string: "0\r\n\r\n"))
        }
        finish()
    }

    /// Cuts the connection, so that the client sees an answer that is not whole. ``whenGone(_:)`` is not
    /// called.
    package func abort() {
        checkLoop()
        guard let connection else { return }
        release()
        answerStage = .done
        connection.cut()
    }

    /// Whether the client keeps up: false from ``Limits/unsentBytesHigh`` unsent bytes on, and when it is
    /// gone.
    package var isWritable: Bool {
        checkLoop()
        return connection?.isWritable ?? false
    }

    /// Calls `body` once as soon as ``isWritable``, perhaps at once; never when the client goes away before.
    package func whenWritable(_ body: @escaping () -> Void) {
        checkLoop()
        guard let connection else { return }
        if connection.isWritable { return body() }
        writable = body
    }
}

// What the connection tells the exchange.
extension Exchange {
    /// Bytes of memory held for what has arrived and nobody has asked for.
    var heldByteCount: Int { connection?.heldByteCount ?? 0 }

    /// Whether body bytes are to be taken from the network now.
    var wantsBody: Bool {
        if case .reading = bodyStage { true } else { false }
    }

    func bodyArrived(_ piece: ByteBuffer) {
        guard case .reading(let limit, _) = bodyStage else { return }
        guard piece.readableBytes <= limit - collected.count else {
            return bodyFailed(.bodyTooLarge(limit: limit))
        }
        guard connection?.charge(piece.readableBytes) ?? false else { return bodyFailed(.tooManyBodies) }
        collected += piece.readableBytesView
    }

    func bodyEnded() {
        guard case .reading(_, let then) = bodyStage else { return }
        bodyStage = .complete
        let body = collected
        collected = []
        then(.success(body))
    }

    func bodyFailed(_ fault: RequestFault) {
        guard case .reading(_, let then) = bodyStage else { return }
        bodyStage = .failed
        collected = []
        then(.failure(fault))
    }

    func connectionBecameWritable() {
        let body = writable
        writable = nil
        body?()
    }

    func connectionIsGone() {
        let body = gone
        release()
        body?()
    }
}

extension Exchange {
    private func checkLoop() {
        // INVARIANT: exchanges are handed out on the loop, and Gateway keeps its state there.
        precondition(loop.isCurrent)
    }

    /// Whether the connection ends with this answer: the client's wish, or body bytes that nobody has read.
    private var closesAfter: Bool {
        guard case .complete = bodyStage else { return true }
        return !received.keepsAlive || (connection?.isDraining ?? true)
    }

    /// The framing of an answer that may begin; nil, with the connection cut, for a second one or an
    /// impossible status.
    private func begin(status: Int, length: Int?) -> AnswerFraming? {
        guard case .pending = answerStage, (200...599).contains(status), (length ?? 0) >= 0 else {
            abort()
            return nil
        }
        return answerFraming(status: status, method: head.method, length: length, isModern: received.isModern)
    }

    private func sendContinue(_ connection: Connection) {
        guard received.expectsContinue, !hasContinued else { return }
        hasContinued = true
        connection.write(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n"))
    }

    private func finish() {
        let closes = closesAfter
        let connection = connection
        answerStage = .done
        release()
        connection?.answered(closes: closes)
    }

    private func release() {
        connection = nil
        gone = nil
        writable = nil
        collected = []
        if case .reading = bodyStage { bodyStage = .failed }
    }
}
