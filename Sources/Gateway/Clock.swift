import Glibc
import Vocabulary

/// The gate's clocks and its randomness. Everything else gets instants and bits handed in.
package struct Clock: Sendable {
    private let startWall: Instant
    private let startSteady: Int64

    /// The clocks as of now: later steps of the wall clock change nothing.
    package init() {
        startWall = Instant(nanosecondsSinceEpoch: nanoseconds(CLOCK_REALTIME))
        startSteady = nanoseconds(CLOCK_BOOTTIME)
    }

    /// The time by which lifetimes run: the wall clock at start plus what a clock that nobody can set has
    /// counted since, so that a step of the wall clock ends or prolongs nothing.
    package var now: Instant {
        startWall.advanced(by: .nanoseconds(nanoseconds(CLOCK_BOOTTIME) - startSteady))
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
