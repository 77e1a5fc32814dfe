import Deciding
import Glibc
import Vocabulary

/// Loads the policies anew when the operator says so, and when their folder has changed and has settled, on a
/// thread of its own: the loop goes on judging calls meanwhile.
///
/// One thread loads, so a set never takes the place of one that was read after it. It keeps the set in force,
/// and lets it go only when the next one has taken its place: freeing 10,000 statements is nothing for the
/// loop either.
final class PolicyWatch: Sendable {
    /// The folder must stay as it is for so long before it counts as done: an editor saves by several steps,
    /// and a checkout writes file after file.
    static let settling = Duration.milliseconds(500)
    /// How often the folder is looked at where the kernel does not tell, and in any case: a path that leads
    /// elsewhere from one moment to the next tells nobody.
    static let lookingEvery = Duration.seconds(2)
    /// How long it may go on changing before the operator is told that it is waited for.
    static let patience = Duration.seconds(10)

    /// What comes of a load.
    typealias Loaded = Result<PolicySet, ConfigurationError>

    private let path: String
    /// Written to by ``ask()`` and read by the thread.
    private let asking: (read: Int32, write: Int32)
    private let take: @Sendable (Loaded, _ taken: @escaping @Sendable () -> Void) -> Void
    private let complain: @Sendable (String) -> Void

    /// Watches the folder at `path`, which `policy` was loaded from when it was as `mark` says.
    ///
    /// `take` gets each load that is asked for or that changes something, and calls `taken` when it is in
    /// force or refused.
    ///
    /// - Throws: ``ConfigurationError`` when no thread can be started.
    init(
        _ path: String, _ policy: PolicySet, _ mark: PolicyFolder.Mark?,
        take: @escaping @Sendable (Loaded, _ taken: @escaping @Sendable () -> Void) -> Void,
        complain: @escaping @Sendable (String) -> Void
    ) throws(ConfigurationError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw ConfigurationError("no pipe could be made: \(String(cString: strerror(errno)))")
        }
        for end in ends where fcntl(end, F_SETFD, FD_CLOEXEC) < 0 || fcntl(end, F_SETFL, O_NONBLOCK) < 0 {
            throw ConfigurationError("no pipe could be set up: \(String(cString: strerror(errno)))")
        }
        asking = (ends[0], ends[1])
        (self.path, self.take, self.complain) = (path, take, complain)
        let isStarted = runDetached { [self] in
            watch(Eye(path), policy, mark)
        }
        guard isStarted else { throw ConfigurationError("no thread could be started") }
    }

    /// Has the policies loaded, whether they have changed or not.
    func ask() {
        var byte: UInt8 = 1
        // A full pipe says it already.
        _ = write(asking.write, &byte, 1)
    }

    private func watch(_ eye: Eye, _ policy: PolicySet, _ mark: PolicyFolder.Mark?) {
        var (policy, mark, isFailing) = (policy, mark, false)
        while true {
            let isAsked = eye.wait(for: Self.lookingEvery, or: asking.read)
            var found = Self.mark(of: path)
            guard isAsked || found != mark else { continue }
            if !isAsked { found = settled(eye, from: found) }
            let result = loaded(&found)
            mark = found
            switch result {
            case .success(let new):
                // Another layout of the folder with the same bytes is nothing to tell.
                if !isAsked, !isFailing, new.digest == policy.digest { continue }
                hand(over: result)
                (policy, isFailing) = (new, false)
            case .failure:
                hand(over: result)
                isFailing = true
            }
        }
    }

    /// Waits until the next set is in force, so that the last reference to the one before is let go here.
    private func hand(over loaded: Loaded) {
        let gate = Gate()
        take(loaded) { gate.open() }
        gate.wait()
    }

    /// The state in which the folder has stayed.
    private func settled(_ eye: Eye, from mark: PolicyFolder.Mark?) -> PolicyFolder.Mark? {
        var (mark, waited, isTold) = (mark, Duration.zero, false)
        while true {
            eye.rest(Self.settling)
            waited += Self.settling
            let next = Self.mark(of: path)
            if next == mark { return mark }
            mark = next
            if waited >= Self.patience, !isTold {
                isTold = true
                complain("the policies in \(path) keep changing: they are loaded once they stay as they are")
            }
        }
    }

    /// The set as it is now; read again where the folder changed meanwhile.
    private func loaded(_ mark: inout PolicyFolder.Mark?) -> Loaded {
        for _ in 0..<3 {
            mark = Self.mark(of: path)
            let result = Result { () throws(ConfigurationError) -> PolicySet in try loadPolicies(path) }
            if mark != nil, mark == Self.mark(of: path) { return result }
            if case .failure = result, mark == nil { return result }
            usleep(100_000)
        }
        return .failure(ConfigurationError("\(path): keeps changing while it is read"))
    }

    /// The state of the folder at `path`; nil when it cannot be told.
    static func mark(of path: String) -> PolicyFolder.Mark? {
        do { return try PolicyFolder(path).mark() } catch { return nil }
    }
}

/// Waits for changes of a folder: the kernel's inotify says when to look, a clock where it does not.
private struct Eye {
    private let path: String
    /// -1 where inotify cannot be had.
    private let inotify: Int32

    init(_ path: String) {
        self.path = path
        inotify = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        look()
    }

    /// Waits for a change, at most for `time`, or until `asking` can be read, which it says.
    func wait(for time: Duration, or asking: Int32) -> Bool {
        var polled = [pollfd(fd: asking, events: Int16(POLLIN), revents: 0)]
        if inotify >= 0 { polled.append(pollfd(fd: inotify, events: Int16(POLLIN), revents: 0)) }
        _ = poll(&polled, nfds_t(polled.count), time.milliseconds)
        forget()
        look()
        let isAsked = polled[0].revents != 0
        if isAsked { drain(asking) }
        return isAsked
    }

    func rest(_ time: Duration) { usleep(useconds_t(time.milliseconds) * 1_000) }

    /// Watches what the path leads to now; a folder that is watched already stays so.
    private func look() {
        guard inotify >= 0 else { return }
        let events =
            IN_CLOSE_WRITE | IN_MOVE | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF
            | IN_ONLYDIR
        inotify_add_watch(inotify, path, UInt32(events))
    }

    /// What happened does not matter: the folder is looked at whole.
    private func forget() { if inotify >= 0 { drain(inotify) } }

    private func drain(_ descriptor: Int32) {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while read(descriptor, &buffer, buffer.count) > 0 {}
    }
}

extension Duration {
    fileprivate var milliseconds: Int32 {
        Int32(components.seconds) * 1_000 + Int32(components.attoseconds / 1_000_000_000_000_000)
    }
}
