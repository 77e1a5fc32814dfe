import NIOCore

/// A connection's one deadline. Moving it later costs nothing: the timer that is set looks again when it
/// fires.
final class Watch {
    /// What is waited for.
    enum Kind: Hashable {
        /// The rest of a head.
        case head
        /// The next request.
        case idle
        /// The body's minimum rate.
        case body
        /// Progress of an answer.
        case write
        /// The client's end of a closing connection.
        case linger
    }

    /// Called on the loop when the time for it is up; nothing is waited for then.
    var timeIsUp: ((Kind) -> Void)?
    private(set) var kind: Kind?
    private let loop: Loop
    private var due = NIODeadline.distantFuture
    private var armedFor = NIODeadline.distantFuture
    private var timer: Scheduled<Void>?

    init(loop: Loop) { self.loop = loop }

    /// Waits for `kind`, instead of what was waited for.
    func set(_ kind: Kind, after time: Duration) {
        self.kind = kind
        due = loop.eventLoop.now + TimeAmount(time)
        if timer == nil || armedFor > due { arm() }
    }

    /// Waits for nothing. The timer stays: the next deadline is later, as a rule.
    func clear() { kind = nil }

    /// Ends it for good.
    func stop() {
        timer?.cancel()
        timer = nil
        kind = nil
        timeIsUp = nil
    }

    private func arm() {
        timer?.cancel()
        armedFor = due
        let watch = NIOLoopBound(self, eventLoop: loop.eventLoop)
        timer = loop.eventLoop.scheduleTask(deadline: due) { watch.value.look() }
    }

    private func look() {
        timer = nil
        guard let kind else { return }
        if loop.eventLoop.now < due { return arm() }
        self.kind = nil
        timeIsUp?(kind)
    }
}
