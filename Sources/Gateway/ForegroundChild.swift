import Glibc

/// Runs `arguments` in this process's place as far as anybody can tell: in its process group, with its
/// terminal and its files; signals to this process go on to it. Gives its exit code, or 128 and the number of
/// the signal that ended it.
///
/// `environment` is all of its environment. Not for a process with other threads: signals are blocked in the
/// calling one only.
///
/// - Returns: 127 when there is no such program, 126 when it cannot be run, each with why.
package func runInForeground(
    _ arguments: [String], environment: [String: String]
) -> (code: Int32, fault: String?) {
    let passed = [
        SIGCHLD, SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGTSTP, SIGALRM, SIGWINCH,
    ]
    var (set, before) = (sigset_t(), sigset_t())
    sigemptyset(&set)
    for signal in passed { sigaddset(&set, signal) }
    // An ignored SIGCHLD, inherited from whoever started us, would take the child's end away.
    signal(SIGCHLD, SIG_DFL)
    pthread_sigmask(SIG_BLOCK, &set, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setsigmask(&attributes, &before)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    var variables: [UnsafeMutablePointer<CChar>?] =
        environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { (words + variables).forEach { free($0) } }
    var child: pid_t = 0
    let program = arguments.first ?? ""
    let result = posix_spawnp(&child, program, nil, &attributes, &words, &variables)
    guard result == 0 else {
        let why = String(cString: strerror(result))
        return (result == ENOENT ? 127 : 126, "`\(program)` cannot be run: \(why)")
    }
    while true {
        var information = siginfo_t()
        let signal = sigwaitinfo(&set, &information)
        guard signal == SIGCHLD else {
            // What a terminal's keys send, the child gets from the kernel as we do.
            let isFromKernel = information.si_code == 0x80
            if signal > 0, !isFromKernel { kill(child, signal) }
            continue
        }
        var status: Int32 = 0
        while waitpid(child, &status, WNOHANG | WUNTRACED) == child {
            if status & 0xFF == 0x7F {
                // It stopped: so do we, and whoever waits for us sees it. When we go on, it goes on.
                kill(getpid(), SIGSTOP)
                kill(child, SIGCONT)
                continue
            }
            let signal = status & 0x7F
            return (signal == 0 ? status >> 8 & 0xFF : 128 + signal, nil)
        }
    }
}
