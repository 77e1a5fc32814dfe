import Accepting
import Deciding
import Forwarding
import Glibc
import Hashing
import Identifying
import Recognizing
import Recording
import SigV4
import Vocabulary

extension Configuration {
    /// The configuration that `flags`, this process's environment and the configuration file make.
    ///
    /// `file` is the file to read; nil for `$COUNTERSIGN_CONFIG`, else `/etc/countersign/config.yaml` if it
    /// is there.
    ///
    /// - Throws: ``ConfigurationError``.
    package static func load(flags: [String: [String]], file: String?) throws(ConfigurationError)
        -> Configuration
    {
        let environment = processEnvironment()
        let standard = "/etc/countersign/config.yaml"
        let path = file ?? environment["COUNTERSIGN_CONFIG"] ?? (access(standard, F_OK) == 0 ? standard : nil)
        var settings: [String: [String]] = [:]
        if let path {
            do {
                settings = try flatSettings(named: path, readFile(path, limit: 1 << 20, isGuarded: true))
            } catch { throw ConfigurationError("\(error)") }
        }
        return try Configuration(flags: flags, environment: environment, file: settings)
    }
}

/// Runs the gate until a signal ends it. `out` gets one line or block of text for the operator at a time.
///
/// SIGHUP reloads the policies, as a change of their folder does; SIGTERM and SIGINT stop in good order:
/// calls on their way to AWS finish, calls that wait are cut.
///
/// - Throws: whatever keeps it from serving, before the first listener opens.
package func serve(_ configuration: Configuration, out: @escaping @Sendable (String) -> Void) throws {
    try hardenProcess()
    let speaker = try Speaker(out)
    defer { speaker.end() }
    let signals = blockSignals([SIGTERM, SIGINT, SIGHUP])
    let clock = Clock()
    let (mark, policy) = try policiesAtStart(configuration, speaker)
    try makePrivateFolder(configuration.state)
    for socket in [configuration.controlSocket, configuration.agentSocket] {
        try makeSocketFolder(socket, state: configuration.state)
    }
    var logSetting = LogSetting()
    logSetting.syncsAlways = configuration.demandsSync
    logSetting.reserveByteCount = UInt64(configuration.logReserveBytes)
    let folder = configuration.state + "/log"
    let log = try RequestLog(folder: folder, setting: logSetting) { clock.now }
    let hostKey = try HostKey.kept(inState: configuration.state)
    let fold = try Fold(folder: folder)
    let lag = clock.begin(notBefore: fold.latest)
    if lag > .seconds(5) {
        speaker.say(
            "countersign: the clock stands \(lag.components.seconds) s before the log's last entry; "
                + "lifetimes go on from that entry")
    }
    var forwarding = ForwardingSetting()
    if let bundle = configuration.caBundle { forwarding.trustFile = bundle }
    let forwarder = try Forwarder(setting: forwarding)
    let recognition = RecognitionSetting(
        account: configuration.account, region: configuration.region, upstream: configuration.upstream,
        variant: configuration.variant, resourceHosts: configuration.resourceHosts)
    // Before credentials are looked for: what is asked of AWS for them is in the log like every call.
    log.append(
        .start(
            at: clock.now, version: gateVersion, host: hostName() ?? "unknown",
            configuration: sha256("\(configuration)"), policy: policy.digest, mode: configuration.mode),
        durability: .written)
    let ownCalls = try OwnCalls(
        log: log, forwarder: forwarder, signingKeys: SigningKeys(), clock: clock,
        trustFile: forwarding.trustFile, recognition: recognition, environment: processEnvironment())
    let credentials = try credentials(configuration, ownCalls)
    var desk = Desk(policy: policy, recognition: recognition)
    (desk.room, desk.grants, desk.sends) = (fold.room, fold.grants, fold.sends)
    (desk.limits, desk.retries, desk.sessions) = (fold.limits, fold.retries, fold.sessions)
    (desk.mode, desk.host, desk.keys) = (configuration.mode, hostName(), KeyRing(hostKey))
    desk.roleSessions = RoleSessionBook(mode: configuration.downscope)
    let gateway = Gateway(
        configuration: configuration, clock: clock, loop: Loop(), log: log, forwarder: forwarder,
        credentials: credentials, ownCalls: ownCalls, hostKey: hostKey, desk: desk, out: { speaker.say($0) })
    let listeners = try gateway.open(fold)
    let watch = try PolicyWatch(
        configuration.policies, policy, mark, take: { gateway.take($0, taken: $1) },
        complain: { speaker.say("countersign: \($0)") })
    var signal: Int32 = 0
    var set = signals
    while sigwait(&set, &signal) == 0 {
        guard signal == SIGHUP else { break }
        watch.ask()
    }
    for listener in listeners { listener.close() }
    gateway.stop()
}

/// The gateway's credentials; when there are none, that is the end of this run, and the log says so.
private func credentials(
    _ configuration: Configuration, _ ownCalls: OwnCalls
) throws(CredentialError) -> any CredentialSource {
    let (log, clock) = (ownCalls.log, ownCalls.clock)
    do {
        return try findCredentials(CredentialSearch(configuration, ownCalls))
    } catch {
        log.append(.fault(at: clock.now, step: "credentials", error: error.message), durability: .written)
        log.append(.stop(at: clock.now, reason: "no credentials"), durability: .written)
        log.stop()
        throw error
    }
}

private func policiesAtStart(
    _ configuration: Configuration, _ speaker: Speaker
) throws -> (PolicyFolder.Mark?, PolicySet) {
    let path = configuration.policies
    if configuration.isLaptop, try Laptop.makePolicies(in: path) {
        speaker.say("countersign: made a starter policy in \(path)")
    }
    let mark = PolicyWatch.mark(of: path)
    let policy = try loadPolicies(path)
    if configuration.isLaptop { try Laptop.checkApprovers(policy) }
    return (mark, policy)
}

extension Gateway {
    /// Closes what a crash left open, opens sessions and listeners, and says where they are.
    fileprivate func open(_ fold: Fold) throws -> [Listener] {
        let now = clock.now
        for request in fold.open {
            let outcome = Outcome(
                kind: .unknown, status: nil, awsRequestID: nil, awsExtendedRequestID: nil,
                error: "the sidecar stopped before an outcome was written", bytesSent: 0, bytesReceived: 0,
                elapsed: .zero)
            note(.outcome(outcome, of: request.entry, request: request.request, at: now))
        }
        for door in configuration.doors where bindings[door.agent] == nil { stand(door.agent) }
        if desk.recognition.account == nil { try learnAccount() }
        var listeners: [Listener] = []
        let keeper = DoorKeeper(gateway: self)
        let group = try configuration.controlGroup.map(groupID)
        let control = ListenAddress.socket(path: configuration.controlSocket, mode: 0o660, group: group)
        listeners.append(try Listener.open(control, tag: .control, on: loop, serving: keeper))
        // Any local user may ask after their own calls; the socket knows nothing else.
        let agents = ListenAddress.socket(path: configuration.agentSocket, mode: 0o666, group: nil)
        listeners.append(try Listener.open(agents, tag: .agents, on: loop, serving: keeper))
        for door in configuration.doors {
            let listener = try Listener.open(
                door.address.listen, tag: .agent(door.agent), on: loop, serving: keeper)
            listeners.append(listener)
            addresses[door.agent] = listener.address.text
        }
        greet(listeners)
        loop.execute { [self] in
            scheduleExpiry()
            watchCredentials()
            endIdleSessions()
        }
        return listeners
    }

    private func greet(_ listeners: [Listener]) {
        out(
            "countersign \(gateVersion) serves \(desk.policy.statements.count) statements of "
                + "\(configuration.policies)"
        )
        let purposes = ["control socket", "agents' socket"] + configuration.doors.map { "agent \($0.agent)" }
        for (purpose, listener) in zip(purposes, listeners) { out("  \(purpose): \(listener.address.text)") }
        out("  log: \(configuration.state)/log")
        switch configuration.upstream {
        case .aws: break
        case .fixed(let authority, let usesTLS):
            out("  upstream: \(usesTLS ? "https" : "http")://\(authority)")
        }
        if configuration.isLaptop {
            Laptop.banner.forEach(out)
        } else if configuration.allowsSameUID {
            out(
                "  WARNING: --allow-same-uid: an approver may answer from the agent's own uid. A "
                    + "seat belt, not a lock."
            )
        }
        warnOfObserving()
        out("ready")
    }

    /// Nobody is to believe that policy holds when it does not.
    private func warnOfObserving() {
        guard desk.mode == .observe else { return }
        out(
            "  WARNING: --mode observe: POLICY IS NOT ENFORCED. Calls that it would deny or hold are signed "
                + "and sent, and only marked in the log. Refused still: what is not understood, and what "
                + "would hand out credentials.")
    }

    /// Puts a set in force, for every call that is judged from now on; one that does not load leaves the last
    /// good one there. Then calls `taken`.
    fileprivate func take(_ loaded: PolicyWatch.Loaded, taken: @escaping @Sendable () -> Void) {
        loop.execute { [self] in
            defer { taken() }
            switch loaded {
            case .success(let policy):
                desk.policy = policy
                note(
                    .policyLoaded(
                        at: clock.now, policy: policy.digest, statementCount: policy.statements.count))
                out("policies reloaded: \(policy.statements.count) statements, \(policy.digest)")
                warnOfObserving()
                // What waits is judged again under the set of this moment.
                for id in Array(waiting.keys) { wake(id) }
            case .failure(let error):
                let kept = desk.policy.digest
                complain(
                    "the policies are not reloaded, the last good set stays in force (\(kept)):\n\(error)")
                note(.policyFailed(at: clock.now, kept: kept, error: "\(error)"))
            }
        }
    }

    fileprivate func stop() {
        note(.stop(at: clock.now, reason: "signal"))
        forwarder.stop()
        log.stop()
        loop.stop()
    }
}

extension Configuration.Address {
    fileprivate var listen: ListenAddress {
        switch self {
        case .tcp(let host, let port): .loopback(host: host, port: UInt16(port))
        case .unix(let path): .socket(path: path, mode: 0o660, group: nil)
        }
    }
}

extension ListenAddress {
    /// `127.0.0.1:8990`, `unix:/path`.
    fileprivate var text: String {
        switch self {
        case .loopback(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .socket(let path, _, _): "unix:\(path)"
        }
    }
}

// MARK: - The process

/// Blocks `signals` in this thread and all that it starts, so that only who waits for them gets them;
/// ignores SIGPIPE.
func blockSignals(_ signals: [Int32]) -> sigset_t {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in signals { sigaddset(&set, signal) }
    pthread_sigmask(SIG_BLOCK, &set, nil)
    signal(SIGPIPE, SIG_IGN)
    return set
}

/// The folder of a socket: made if it is not there, so that others may pass, unless it is below the private
/// state folder. One in which others could put a socket of their own in ours's place is refused.
private func makeSocketFolder(_ socket: String, state: String) throws(FileError) {
    guard socket.hasPrefix("/"), let slash = socket.lastIndex(of: "/"), slash != socket.startIndex else {
        throw FileError(
            socket, "is not an absolute path in a folder; give --state and the sockets as paths from /")
    }
    let folder = String(socket[..<slash])
    var status = stat()
    if stat(folder, &status) != 0 {
        try makePrivateFolder(folder)
        if !folder.hasPrefix(state + "/"), chmod(folder, 0o711) != 0 {
            throw FileError(folder, "cannot be opened to other users", errno: errno)
        }
        guard stat(folder, &status) == 0 else { throw FileError(folder, "cannot be examined", errno: errno) }
    }
    let isSticky = status.st_mode & S_ISVTX != 0
    guard status.st_mode & 0o022 == 0 || isSticky else {
        throw FileError(
            folder, "can be written by others, who could put a socket there; `chmod go-w` mends it")
    }
    guard status.st_uid == 0 || status.st_uid == geteuid() else {
        throw FileError(folder, "belongs to uid \(status.st_uid); it must belong to root or to this user")
    }
}

private func groupID(_ name: String) throws(ConfigurationError) -> UInt32 {
    guard let group = groupID(named: name) else {
        throw ConfigurationError("control-group: there is no group `\(shown(name))`")
    }
    return group
}

/// What `hostname` prints; nil when the system does not say.
func hostName() -> String? {
    var buffer = [CChar](repeating: 0, count: 256)
    guard gethostname(&buffer, buffer.count - 1) == 0, buffer[0] != 0 else { return nil }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// This process's environment. A name that stands twice keeps its first value.
package func processEnvironment() -> [String: String] {
    var variables: [String: String] = [:]
    var next = environ
    while let entry = next.pointee {
        let parts = String(cString: entry).split(
            separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2, variables[String(parts[0])] == nil {
            variables[String(parts[0])] = String(parts[1])
        }
        next = next.advanced(by: 1)
    }
    return variables
}
