import Glibc
import Synchronization
import Vocabulary

/// The gate's clocks and its randomness. Everything else gets instants and bits handed in.
package final class Clock: Sendable {
    /// What the steady clock's count is added to.
    private let offset: Atomic<Int64>

    /// The clocks as of now: later steps of the wall clock change nothing.
    package init() {
        offset = Atomic(nanoseconds(CLOCK_REALTIME) - nanoseconds(CLOCK_BOOTTIME))
    }

    /// The time by which lifetimes run: the wall clock at start plus what a clock that nobody can set has
    /// counted since, so that a step of the wall clock ends or prolongs nothing.
    package var now: Instant {
        Instant(nanosecondsSinceEpoch: offset.load(ordering: .relaxed) + nanoseconds(CLOCK_BOOTTIME))
    }

    /// Goes on from `latest`, the last moment of an earlier run, if the wall clock now stands before it: a
    /// clock that was set back while the gate was down must not revive what was over. Returns by how much.
    @discardableResult
    package func begin(notBefore latest: Instant?) -> Duration {
        guard let lag = latest?.since(now), lag > .zero else { return .zero }
        offset.add(lag.wholeNanoseconds, ordering: .relaxed)
        return lag
    }

    /// The wall clock, for dates that AWS checks.
    package var wall: Instant { Instant(nanosecondsSinceEpoch: nanoseconds(CLOCK_REALTIME)) }

    /// 64 bits from the kernel.
    package static func randomBits() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }
}

private func nanoseconds(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
