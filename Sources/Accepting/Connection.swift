import NIOCore
import Vocabulary

/// One connection: bytes in, exchanges one after the other, bytes out. Lives on the loop.
///
/// Reading is on demand. While an exchange is undecided at most ``Limits/heldBytesMax`` bytes and one read
/// are kept, enough to see the client go away.
final class Connection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case opening
        case betweenRequests
        case serving(Exchange)
        /// The last answer is on its way; input is thrown away until the client has closed, too.
        case lingering
        case closed
    }

    private let door: Door
    private let limits: Limits
    private let loop: Loop
    private var phase = Phase.opening
    private var reader: RequestReader
    private var unread = ByteBuffer()
    private var context: ChannelHandlerContext?
    private var peer: Peer?
    private let watch: Watch
    private var foundUID: UInt32?
    private var isReading = false
    private var isAdvancing = false
    private var bodyBytesInWindow = 0
    /// What the current exchange's body counts towards the listener's limit.
    private var chargedBytes = 0
    private var writtenBytes = 0
    private var sentBytesSeen = 0
    private(set) var isDraining = false

    /// Bytes of memory held for what has arrived and nobody has asked for.
    var heldByteCount: Int { unread.capacity }

    init(door: Door, loop: Loop) {
        self.door = door
        self.loop = loop
        self.limits = door.limits
        self.reader = RequestReader(limits: door.limits)
        self.watch = Watch(loop: loop)
        watch.timeIsUp = { [weak self] kind in self?.timeIsUp(kind) }
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { opened(context) }
    }

    func channelActive(context: ChannelHandlerContext) { opened(context) }

    private func opened(_ context: ChannelHandlerContext) {
        guard case .opening = phase else { return }
        guard let peer = peerOf(context.channel) else { return cut() }
        self.peer = peer
        phase = .betweenRequests
        switch door.enter(self) {
        case .welcome:
            setWatch(.head)
            read()
        case .full: refuse(.tooManyConnections)
        case .flooded: cut()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if unread.readableBytes == 0 {
            unread = bytes
        } else {
            // What was read must go: a client that always leaves half a request behind would have it all
            // kept.
            unread.discardReadBytes()
            unread.writeBuffer(&bytes)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        advance()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard context.channel.isWritable else { return }
        if case .serving(let exchange) = phase { exchange.connectionBecameWritable() }
        advance()
    }

    func channelInactive(context: ChannelHandlerContext) { lost() }

    func handlerRemoved(context: ChannelHandlerContext) { lost() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func lost() {
        let last = phase
        phase = .closed
        watch.stop()
        door.leave(self)
        discharge()
        context = nil
        unread = ByteBuffer()
        if case .serving(let exchange) = last { exchange.connectionIsGone() }
    }
}

// The walk through the bytes.
extension Connection {
    /// Goes on until bytes, a decision or room for output are missing. Never re-entered: many small requests
    /// that are answered at once must not nest.
    private func advance() {
        guard !isAdvancing else { return }
        isAdvancing = true
        defer { isAdvancing = false }
        while step() {}
    }

    /// Whether there is more to do now.
    private func step() -> Bool {
        switch phase {
        case .opening, .closed: return false
        case .lingering:
            unread = ByteBuffer()
            read()
            return false
        case .betweenRequests:
            // A client that sends requests but reads no answers is not read from, either.
            guard isWritable else { return false }
            return stepHead()
        case .serving(let exchange):
            guard exchange.wantsBody else {
                if unread.readableBytes < limits.heldBytesMax { read() }
                return false
            }
            return stepBody(exchange)
        }
    }

    private func stepHead() -> Bool {
        do throws(RequestFault) {
            switch try reader.next(&unread) {
            case .head(let received):
                begin(received)
                return true
            // The end of a request whose answer went out before.
            case .end: return true
            // INVARIANT: an answer before the body is complete closes the connection, so no body is left over
            // here.
            case .body: preconditionFailure()
            case .starved:
                if !reader.isBetweenRequests, watch.kind == .idle { setWatch(.head) }
                read()
                return false
            }
        } catch {
            refuse(error)
            return true
        }
    }

    private func begin(_ received: ReceivedHead) {
        guard let peer else { return cut() }
        watch.clear()
        let exchange = Exchange(
            number: door.nextNumber(), received: received, tag: door.tag, peer: peer, loop: loop,
            connection: self)
        phase = .serving(exchange)
        door.handler.serve(exchange)
    }

    private func stepBody(_ exchange: Exchange) -> Bool {
        do throws(RequestFault) {
            switch try reader.next(&unread) {
            case .body(let piece):
                bodyBytesInWindow += piece.readableBytes
                exchange.bodyArrived(piece)
            case .end:
                watch.clear()
                exchange.bodyEnded()
            // INVARIANT: the reader gives a head only after `end`, and `end` leaves the exchange wanting no
            // body.
            case .head: preconditionFailure()
            case .starved:
                read()
                return false
            }
        } catch {
            watch.clear()
            exchange.bodyFailed(error)
        }
        return true
    }

    private func read() {
        guard !isReading, let context else { return }
        isReading = true
        context.read()
    }

    /// Answers a request that could not be read.
    private func refuse(_ fault: RequestFault) {
        guard let peer else { return cut() }
        let reply = door.handler.refused(fault, at: door.tag, from: peer)
        let closes = fault.closes || isDraining
        var buffer = buffer(capacity: 512 + reply.body.count)
        writeAnswerHead(
            status: reply.status, fields: reply.fields, framing: .length(reply.body.count), closes: closes,
            into: &buffer)
        buffer.writeBytes(reply.body)
        write(buffer)
        if !closes { reader = RequestReader(limits: limits) }
        answered(closes: closes)
    }
}

// What the exchange asks for.
extension Connection {
    func peerUID(_ find: (Peer) -> UInt32?) -> UInt32? {
        if foundUID == nil, let peer { foundUID = find(peer) }
        return foundUID
    }

    var peerGroups: [UInt32]? { context.flatMap { groupsOfPeer(of: $0.channel) } }

    var isWritable: Bool { context?.channel.isWritable ?? false }

    func buffer(capacity: Int) -> ByteBuffer {
        context?.channel.allocator.buffer(capacity: capacity) ?? ByteBuffer()
    }

    func write(_ bytes: ByteBuffer) {
        writtenBytes += bytes.readableBytes
        context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    func bodyIsWanted() {
        bodyBytesInWindow = 0
        setWatch(.body)
        advance()
    }

    /// Counts bytes of the body; false when they are too many for the listener. They count until the answer
    /// is complete: the owner holds the body that long.
    func charge(_ byteCount: Int) -> Bool {
        guard door.charge(byteCount) else { return false }
        chargedBytes += byteCount
        return true
    }

    private func discharge() {
        door.discharge(chargedBytes)
        chargedBytes = 0
    }

    func answerIsStreaming() { setWatch(.write) }

    /// The answer is complete: the next request, or the end.
    func answered(closes: Bool) {
        if case .closed = phase { return }
        discharge()
        if closes {
            shut()
        } else {
            phase = .betweenRequests
            setWatch(.idle)
        }
        advance()
    }

    /// Ends the connection now.
    func cut() {
        if case .serving = phase { phase = .lingering }
        context?.close(promise: nil)
    }

    /// No further requests: an idle connection ends now, a busy one with its answer.
    func drain() {
        isDraining = true
        if case .betweenRequests = phase, reader.isBetweenRequests { cut() }
    }

    /// Ends the output once all is written, then waits for the client's end: closing at once with bytes
    /// unread would reset the connection, and the client would lose the answer.
    private func shut() {
        phase = .lingering
        unread = ByteBuffer()
        setWatch(.write)
        guard let context else { return }
        let flushed = context.eventLoop.makePromise(of: Void.self)
        flushed.futureResult.assumeIsolated().whenComplete { [weak self] _ in
            guard let self, let context = self.context else { return }
            context.close(mode: .output, promise: nil)
            self.setWatch(.linger)
        }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: flushed)
    }
}

// Time.
extension Connection {
    private func setWatch(_ kind: Watch.Kind) {
        guard context != nil else { return }
        if kind == .write { sentBytesSeen = writtenBytes - unsentBytes }
        let time =
            switch kind {
            case .head: limits.headTime
            case .idle: limits.idleTime
            case .body: limits.bodyWindow
            case .write: limits.writeStallTime
            case .linger: limits.lingerTime
            }
        watch.set(kind, after: time)
    }

    private func timeIsUp(_ kind: Watch.Kind) {
        switch kind {
        // A client that has sent nothing has asked nothing.
        case .head where reader.isBetweenRequests: cut()
        case .head: refuse(.tooSlow("the head took longer than \(limits.headTime)"))
        case .linger: cut()
        case .idle, .write:
            if hasSentMore() || (kind == .write && unsentBytes == 0) {
                setWatch(kind)
            } else {
                context?.close(promise: nil)
            }
        case .body:
            guard case .serving(let exchange) = phase else { return }
            if bodyBytesInWindow >= limits.bodyBytesPerWindow {
                bodyBytesInWindow = 0
                setWatch(.body)
            } else {
                exchange.bodyFailed(.tooSlow("the body came slower than its minimum rate"))
            }
        }
    }

    private var unsentBytes: Int {
        guard let options = context?.channel.syncOptions else { return 0 }
        // The option is of the channel's own kind; a channel without it has nothing unsent.
        return (try? options.getOption(.bufferedWritableBytes)) ?? 0
    }

    /// Whether output has left since the last look while some still waits.
    private func hasSentMore() -> Bool {
        let unsent = unsentBytes
        let sent = writtenBytes - unsent
        defer { sentBytesSeen = sent }
        return unsent > 0 && sent > sentBytesSeen
    }
}
