import Glibc
import Vocabulary

/// A door that one thread waits at until another opens it; opening it before the wait counts.
final class Gate: @unchecked Sendable {
    // INVARIANT: @unchecked is sound because a POSIX semaphore may be used from any thread.
    private let semaphore: UnsafeMutablePointer<sem_t>

    init() {
        semaphore = .allocate(capacity: 1)
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func open() { sem_post(semaphore) }

    func wait() {
        while sem_wait(semaphore) != 0, errno == EINTR {}
    }

    /// Waits until it is opened, or `limit` is over.
    func wait(atMost limit: Duration) {
        // Swift's Glibc has only the wait by the wall clock, which may step.
        let end = loopNanoseconds() + limit.wholeNanoseconds
        while sem_trywait(semaphore) != 0, loopNanoseconds() < end { usleep(1_000) }
    }
}
