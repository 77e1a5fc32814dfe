import NIOCore
import NIOPosix

/// The one thread on which everything of the data plane happens. State confined to it needs no locks.
package final class Loop: Sendable {
    let eventLoop: any EventLoop
    private let group: MultiThreadedEventLoopGroup?

    /// Starts the thread.
    package init() {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        self.group = group
        self.eventLoop = group.next()
    }

    /// A loop that someone else runs, for tests with simulated time.
    init(_ eventLoop: any EventLoop) {
        self.group = nil
        self.eventLoop = eventLoop
    }

    /// Runs `body` on the loop, soon, in the order of the calls. From any thread; dropped once the loop has
    /// stopped.
    package func execute(_ body: @escaping @Sendable () -> Void) { eventLoop.execute(body) }

    /// Runs `body` on the loop once `delay` has passed, unless the timer is cancelled before.
    @discardableResult
    package func schedule(after delay: Duration, _ body: @escaping @Sendable () -> Void) -> Timer {
        Timer(scheduled: eventLoop.scheduleTask(in: TimeAmount(delay), body))
    }

    /// Whether the caller runs on the loop.
    package var isCurrent: Bool { eventLoop.inEventLoop }

    /// Ends the thread and waits for it; open connections are cut. Never from the loop itself.
    package func stop() {
        // The group's only error is that it has been shut down before.
        try? group?.syncShutdownGracefully()
    }
}

/// Something that ``Loop/schedule(after:_:)`` will do.
package final class Timer: Sendable {
    private let scheduled: Scheduled<Void>

    init(scheduled: Scheduled<Void>) { self.scheduled = scheduled }

    /// Forgets it. From the loop: it will not happen. From elsewhere: it may be happening now.
    package func cancel() { scheduled.cancel() }
}
