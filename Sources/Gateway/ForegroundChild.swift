import Glibc
import Vocabulary

/// Runs `arguments` in this process's place as far as anybody can tell: in its process group, with its
/// terminal and its files; signals to this process go on to it. Gives its exit code, or 128 and the number of
/// the signal that ended it.
///
/// `environment` is all of its environment. Other threads of this process must have all signals blocked.
/// `information`, a pipe's ends, is for `bwrap --info-fd`: signals go to the process that it names. As the
/// first process of a namespace it also reaps whatever the command leaves behind.
///
/// - Returns: 127 when there is no such program, 126 when it cannot be run, each with why.
package func runInForeground(
    _ arguments: [String], environment: [String: String], information: (read: Int32, write: Int32)? = nil
) -> (code: Int32, fault: String?) {
    let isInit = getpid() == 1
    let passed =
        [SIGCHLD, SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGTSTP, SIGALRM, SIGWINCH]
        + (isInit ? [SIGCONT] : [])
    var (set, before) = (sigset_t(), sigset_t())
    sigemptyset(&set)
    for signal in passed { sigaddset(&set, signal) }
    // An ignored SIGCHLD, inherited from whoever started us, would take the child's end away.
    signal(SIGCHLD, SIG_DFL)
    pthread_sigmask(SIG_BLOCK, &set, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    let (child, result) = spawn(arguments, environment, mask: &before)
    if let information { close(information.write) }
    guard result == 0 else {
        let why = String(cString: strerror(result))
        return (result == ENOENT ? 127 : 126, "`\(arguments.first ?? "")` cannot be run: \(why)")
    }
    var target: pid_t?
    while true {
        var information = (signal: siginfo_t(), descriptor: information?.read)
        let signal = sigwaitinfo(&set, &information.signal)
        guard signal == SIGCHLD else {
            // What a terminal's keys send, the child gets from the kernel as we do.
            let isFromKernel = information.signal.si_code == 0x80
            guard signal > 0, !isFromKernel else { continue }
            if target == nil { target = information.descriptor.flatMap(namedChild) ?? child }
            kill(target ?? child, signal)
            continue
        }
        var status: Int32 = 0
        while case let ended = waitpid(isInit ? -1 : child, &status, WNOHANG | WUNTRACED), ended > 0 {
            guard ended == child else { continue }
            if status & 0xFF == 0x7F {
                // It stopped: so do we, and whoever waits for us sees it. When we go on, it goes on. The
                // first process of a namespace cannot stop; it hears SIGCONT and passes it on.
                if isInit { continue }
                kill(getpid(), SIGSTOP)
                kill(child, SIGCONT)
                continue
            }
            let signal = status & 0x7F
            return (signal == 0 ? status >> 8 & 0xFF : 128 + signal, nil)
        }
    }
}

private func spawn(
    _ arguments: [String], _ environment: [String: String], mask: inout sigset_t
) -> (child: pid_t, result: Int32) {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setsigmask(&attributes, &mask)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    var variables: [UnsafeMutablePointer<CChar>?] =
        environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { (words + variables).forEach { free($0) } }
    var child: pid_t = 0
    let result = posix_spawnp(&child, arguments.first ?? "", nil, &attributes, &words, &variables)
    return (child, result)
}

/// The process that `bwrap` says it started; nil when it says none.
private func namedChild(_ descriptor: Int32) -> pid_t? {
    var said: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while case let count = read(descriptor, &buffer, buffer.count), count > 0 { said += buffer[..<count] }
    return (try? JSON(parsing: said))?["child-pid"]?.integer.flatMap { pid_t(exactly: $0) }
}
