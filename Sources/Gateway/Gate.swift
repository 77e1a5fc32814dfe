import Glibc

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
}
