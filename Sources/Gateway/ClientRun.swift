import Glibc
import Synchronization
import Vocabulary

/// How a client's run ended.
struct ClientEnd: Sendable {
    enum How: Hashable, Sendable {
        case exited(code: Int)
        case signal(Int)
        /// It was still running when its time was over.
        case timedOut(Duration)
        /// It made more calls than are kept.
        case tooManyCalls
        /// A signal to this process ended it.
        case interrupted
    }

    let how: How
    /// The first ``outputByteCountMax`` bytes of what it wrote, standard error among it.
    let output: [UInt8]

    static let outputByteCountMax = 65_536
}

/// Runs `command` with the environment of an agent whose gate is at `address`, until it ends, `limit` is
/// over, `isEnough` or `stop` says so. Then it and whatever it started in its group are killed.
///
/// Blocks the calling thread. The command is run as it is: nothing keeps it from doing what it does besides
/// calling AWS.
///
/// - Throws: ``ConfigurationError`` when it cannot be run.
func runClient(
    _ command: [String], address: String, agent: AgentName, region: String?, task: String?,
    input: ChildProcess.Input, limit: Duration, stop: StopFlag, isEnough: () -> Bool
) throws(ConfigurationError) -> ClientEnd {
    let environment = try clientEnvironment(address: address, agent: agent, region: region, task: task)
    let child: ChildProcess
    do {
        child = try ChildProcess(command, input: input, keepsErrors: true, environment: environment)
    } catch { throw ConfigurationError(error.why) }
    defer { close(child.output) }
    // It may have left someone behind who holds the pipe open: its end is the client's end.
    _ = fcntl(child.output, F_SETFL, O_NONBLOCK)
    let deadline = loopNanoseconds() + limit.wholeNanoseconds
    var output: [UInt8] = []
    while true {
        let isOver = child.hasEnded
        drain(child.output, into: &output)
        if isOver { return ClientEnd(how: how(child.end()), output: output) }
        let reason: ClientEnd.How? =
            if stop.isSet {
                .interrupted
            } else if isEnough() {
                .tooManyCalls
            } else {
                loopNanoseconds() < deadline ? nil : .timedOut(limit)
            }
        if let reason {
            child.end()
            drain(child.output, into: &output)
            return ClientEnd(how: reason, output: output)
        }
        var watched = pollfd(fd: child.output, events: Int16(POLLIN), revents: 0)
        poll(&watched, 1, 10)
        // Once nobody can write any more, poll no longer waits.
        if watched.revents & Int16(POLLHUP) != 0 { usleep(5_000) }
    }
}

private func how(_ status: Int32) -> ClientEnd.How {
    // The low seven bits are the signal that ended it, the next eight its exit code.
    status & 0x7F == 0 ? .exited(code: Int(status >> 8 & 0xFF)) : .signal(Int(status & 0x7F))
}

/// Reads what is there; of more than is kept the rest is thrown away.
private func drain(_ descriptor: Int32, into output: inout [UInt8]) {
    var buffer = [UInt8](repeating: 0, count: 16_384)
    // So often at most: a client that writes without end must not keep us here.
    for _ in 0..<64 {
        let count = read(descriptor, &buffer, buffer.count)
        guard count > 0 else { return }
        output += buffer[..<min(count, ClientEnd.outputByteCountMax - output.count)]
    }
}

/// The environment of an agent whose gate is at `address`, and of no one else: keys, profiles and endpoints
/// of the user's own are hidden from the client.
func clientEnvironment(
    address: String, agent: AgentName, region: String?, task: String?
) throws(ConfigurationError) -> [String: String] {
    var listener: [JSON.Member] = [
        .init("agent", .string(agent.text)), .init("address", .string(address)),
    ]
    if let region { listener.append(.init("region", .string(region))) }
    let made = try AgentEnvironment(
        unsignedAt: ["listeners": [.object(listener)]], agent: agent.text, task: task, reason: nil)
    let environment = made.over(processEnvironment())
    // One attempt is enough: what it gets is no passing fault. Files that are not there hold no keys.
    let more = [
        "AWS_MAX_ATTEMPTS": "1", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_CONFIG_FILE": "/dev/null",
        "AWS_PAGER": "",
    ]
    return environment.merging(more) { _, new in new }
}

/// Says to threads that they shall end.
final class StopFlag: Sendable {
    private let flag = Atomic(false)

    var isSet: Bool { flag.load(ordering: .relaxed) }
    func set() { flag.store(true, ordering: .relaxed) }
}

/// What `work` gives, done on a thread of its own; SIGINT, SIGTERM and SIGHUP meanwhile set its flag.
///
/// - Throws: what `work` throws, and ``ConfigurationError`` when no thread can be started.
func untilSignal<Value: Sendable>(_ work: @escaping @Sendable (StopFlag) throws -> Value) throws -> Value {
    var signals = blockSignals([SIGINT, SIGTERM, SIGHUP])
    defer { pthread_sigmask(SIG_UNBLOCK, &signals, nil) }
    let stop = StopFlag()
    let outcome = OutcomeBox<Value>()
    let isStarted = runDetached {
        let result = Result { try work(stop) }
        outcome.value.withLock { $0 = result }
    }
    guard isStarted else { throw ConfigurationError("no thread could be started") }
    while true {
        if let result = outcome.value.withLock({ $0 }) { return try result.get() }
        var wait = timespec(tv_sec: 0, tv_nsec: 5_000_000)
        if sigtimedwait(&signals, nil, &wait) > 0 { stop.set() }
    }
}

private final class OutcomeBox<Value: Sendable>: Sendable {
    let value = Mutex<Result<Value, any Error>?>(nil)
}
