import Glibc

/// Why a program did not start, in words.
struct ChildError: Error, Hashable {
    let why: String
}

/// A program that was started, in a process group of its own, with signals as a shell leaves them.
struct ChildProcess {
    /// Where its standard input comes from.
    enum Input {
        case nothing
        /// This process's own.
        case inherited
    }

    let id: pid_t
    /// What it writes; whoever started the child reads it to its end and closes it.
    let output: Int32

    /// Starts `arguments`, the first of which is looked for in `PATH`.
    ///
    /// `keepsErrors`: what it writes to standard error goes to ``output`` too, else nowhere. `environment`
    /// nil: this process's own.
    init(
        _ arguments: [String], input: Input = .nothing, keepsErrors: Bool = false,
        environment: [String: String]? = nil
    ) throws(ChildError) {
        guard let program = arguments.first, !program.isEmpty else { throw ChildError(why: "it is empty") }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw ChildError(why: "no pipe for it") }
        for end in ends where fcntl(end, F_SETFD, FD_CLOEXEC) != 0 {
            throw ChildError(why: "no pipe for it")
        }
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
            close(ends[1])
        }
        if case .nothing = input { posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        if keepsErrors {
            posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
        } else {
            posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        }
        // The thread may block signals and ignore some; the child starts as if from a shell.
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP
        posix_spawnattr_setflags(&attributes, Int16(flags))
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] =
            (environment ?? processEnvironment()).map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { (words + variables).forEach { free($0) } }
        var process: pid_t = 0
        let result = posix_spawnp(&process, program, &actions, &attributes, &words, &variables)
        guard result == 0 else {
            close(ends[0])
            throw ChildError(why: "`\(program)` cannot be run: \(String(cString: strerror(result)))")
        }
        (id, output) = (process, ends[0])
    }

    /// Whether it has ended; it stays to be reaped, so that its group's number is still its own.
    var hasEnded: Bool {
        var state = siginfo_t()
        let code = waitid(P_PID, id_t(id), &state, WEXITED | WNOHANG | WNOWAIT)
        // `si_signo` stays 0 as long as it runs; an error means that there is nothing to wait for.
        return code != 0 ? errno != EINTR : state.si_signo != 0
    }

    /// Waits for its end and gives its wait status; what it started in its group lives on.
    @discardableResult
    func reap() -> Int32 {
        var status: Int32 = 0
        while waitpid(id, &status, 0) < 0, errno == EINTR {}
        return status
    }

    /// Kills what is left of it and its group, and reaps it.
    @discardableResult
    func end() -> Int32 {
        Glibc.kill(-id, SIGKILL)
        Glibc.kill(id, SIGKILL)
        return reap()
    }
}

/// Nanoseconds of a clock that only goes forward: for time-outs, never for records.
func loopNanoseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
