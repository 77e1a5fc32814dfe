import CCurl
import Glibc
import Synchronization
import Vocabulary

/// The thread that drives libcurl: one multi handle, `curl_multi_poll`, a locked inbox, and a wake-up only
/// when it sleeps.
final class PollDriver: Driver, @unchecked Sendable {
    // INVARIANT: `inbox` is locked; `multi` and `setting` never change; `thread` is set before anyone else
    // sees the driver; all else is touched on the thread only.

    private enum Command {
        case submit(Transfer)
        case unpause(Transfer)
    }

    private struct Inbox {
        var commands: [Command] = []
        /// The thread sleeps, or is about to, and must be woken.
        var sleeps = false
        var isStopping = false
        /// The thread takes no more commands and the multi handle is gone.
        var hasEnded = false
    }

    private let setting: ForwardingSetting
    private let multi: UnsafeMutableRawPointer
    private let inbox = Mutex(Inbox())
    private var thread = pthread_t()

    /// By the address of the easy handle.
    private var running: [UnsafeMutableRawPointer: Transfer] = [:]
    private var waiting: [Transfer] = []
    private var idle: [CurlHandle] = []
    private var lastStallCheck: Int64 = 0

    /// - Throws: ``ForwarderStartError`` when libcurl or the thread cannot be started, or the trust file
    ///   cannot be read.
    init(setting: ForwardingSetting) throws(ForwarderStartError) {
        guard isLibraryStarted, let multi = curl_multi_init() else { throw .library }
        guard access(setting.trustFile, R_OK) == 0 else {
            curl_multi_cleanup(multi)
            throw .unreadableTrustFile(setting.trustFile)
        }
        self.setting = setting
        self.multi = multi
        // Below the number in flight, each transfer would shake hands anew.
        let kept = cs_multi_set_long(multi, CURLMOPT_MAXCONNECTS, setting.inFlightMax)
        let plain = cs_multi_set_long(multi, CURLMOPT_PIPELINING, Int(CURLPIPE_NOTHING))
        let context = Unmanaged.passRetained(self)
        guard kept == CURLM_OK, plain == CURLM_OK,
            pthread_create(&thread, nil, runDriver, context.toOpaque()) == 0
        else {
            context.release()
            curl_multi_cleanup(multi)
            throw .thread
        }
    }

    func submit(_ transfer: Transfer) {
        guard !post(.submit(transfer)) else { return }
        transfer.end(failure: "the sidecar is stopping")
    }

    func unpause(_ transfer: Transfer) { _ = post(.unpause(transfer)) }

    func stop() {
        let isFirst = inbox.withLock { inbox in
            defer { inbox.isStopping = true }
            wake(&inbox)
            return !inbox.isStopping
        }
        // Nobody may wait for a thread twice, nor a thread for itself.
        if isFirst, pthread_equal(thread, pthread_self()) == 0 { pthread_join(thread, nil) }
    }

    private func post(_ command: Command) -> Bool {
        inbox.withLock { inbox in
            guard !inbox.hasEnded else { return false }
            inbox.commands.append(command)
            wake(&inbox)
            return true
        }
    }

    /// Called under the lock, so that the multi handle is still there.
    private func wake(_ inbox: inout Inbox) {
        guard inbox.sleeps, !inbox.hasEnded else { return }
        inbox.sleeps = false
        curl_multi_wakeup(multi)
    }

    // MARK: - On the thread

    fileprivate func run() {
        while true {
            let (commands, isStopping) = inbox.withLock { inbox in
                defer { inbox.commands = [] }
                inbox.sleeps = false
                return (inbox.commands, inbox.isStopping)
            }
            commands.forEach(carryOut)
            if isStopping { return end() }
            var count: Int32 = 0
            if curl_multi_perform(multi, &count) != CURLM_OK { endAll("libcurl could not go on") }
            // Replies that are complete go in one piece; what then still runs hands over what it has.
            reap()
            handOver()
            checkStalls()
            sleep()
        }
    }

    private func sleep() {
        let mustSleep = inbox.withLock { inbox in
            inbox.sleeps = inbox.commands.isEmpty && !inbox.isStopping
            return inbox.sleeps
        }
        guard mustSleep else { return }
        // libcurl shortens the wait to its own timers; a second is how finely stalls are seen.
        curl_multi_poll(multi, nil, 0, running.isEmpty ? 60_000 : 1_000, nil)
    }

    private func carryOut(_ command: Command) {
        switch command {
        case .submit(let transfer):
            guard running.count >= setting.inFlightMax else { return start(transfer) }
            guard waiting.count < setting.waitingMax else {
                return transfer.end(failure: "too many calls are under way")
            }
            waiting.append(transfer)
        case .unpause(let transfer):
            if transfer.isCancelled {
                if transfer.handle != nil { return finish(transfer, failure: "the client went away") }
                waiting.removeAll { $0 === transfer }
                transfer.end(failure: "the client went away")
            } else if let handle = transfer.handle {
                transfer.progressTime = cs_loop_nanoseconds()
                curl_easy_pause(handle.easy, 0)
            }
        }
    }

    private func start(_ transfer: Transfer) {
        if transfer.isCancelled { return transfer.end(failure: "the client went away") }
        switch transfer.outbound {
        case .failure(let error): transfer.end(failure: error.message)
        case .success(let outbound):
            guard var handle = idle.popLast() ?? CurlHandle() else {
                return transfer.end(failure: "libcurl gave no handle")
            }
            transfer.progressTime = cs_loop_nanoseconds()
            let isPrepared = handle.prepare(outbound, for: transfer, setting: setting)
            guard isPrepared, curl_multi_add_handle(multi, handle.easy) == CURLM_OK else {
                handle.close()
                return transfer.end(failure: "libcurl refused the request")
            }
            transfer.handle = handle
            running[handle.easy] = transfer
        }
    }

    private func reap() {
        var result = CURLE_OK
        while let easy = cs_multi_next_ended(multi, &result) {
            guard let transfer = running[easy] else { continue }
            finish(transfer, failure: result == CURLE_OK ? nil : String(cString: curl_easy_strerror(result)))
        }
    }

    private func finish(_ transfer: Transfer, failure: String?) {
        guard var handle = transfer.handle else { return }
        transfer.handle = nil
        let measure = handle.measure
        curl_multi_remove_handle(multi, handle.easy)
        running[handle.easy] = nil
        handle.clear()
        if idle.count < setting.inFlightMax { idle.append(handle) } else { handle.close() }
        transfer.end(failure: failure, measure: measure)
        if !waiting.isEmpty, running.count < setting.inFlightMax { start(waiting.removeFirst()) }
    }

    private func handOver() {
        for transfer in running.values where transfer.hasGathered { transfer.handOver() }
    }

    /// Ends what has stood still for too long; libcurl's own check cannot tell waiting for an answer from a
    /// stalled one.
    private func checkStalls() {
        let now = cs_loop_nanoseconds()
        guard now - lastStallCheck >= 250_000_000 else { return }
        lastStallCheck = now
        var late: [Transfer] = []
        for transfer in running.values {
            if transfer.progressCount != transfer.seenProgressCount || transfer.isStopped {
                transfer.seenProgressCount = transfer.progressCount
                transfer.progressTime = now
                continue
            }
            let limit = transfer.hasHead ? setting.stallLimit : setting.answerLimit
            if .nanoseconds(now - transfer.progressTime) > limit { late.append(transfer) }
        }
        for transfer in late {
            let limit = transfer.hasHead ? setting.stallLimit : setting.answerLimit
            transfer.fail("nothing came for \(limit)")
            finish(transfer, failure: nil)
        }
    }

    private func endAll(_ failure: String) {
        let left = waiting
        waiting = []
        left.forEach { $0.end(failure: failure) }
        running.values.forEach { finish($0, failure: failure) }
    }

    private func end() {
        endAll("the sidecar stopped")
        let late = inbox.withLock { inbox in
            inbox.hasEnded = true
            defer { inbox.commands = [] }
            return inbox.commands
        }
        for case .submit(let transfer) in late { transfer.end(failure: "the sidecar stopped") }
        for var handle in idle { handle.close() }
        idle = []
        curl_multi_cleanup(multi)
    }
}

private let isLibraryStarted = cs_global_init() == CURLE_OK

private func runDriver(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    // Signals belong to the main thread; a peer that closes must not end the process with SIGPIPE.
    var all = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, nil)
    Unmanaged<PollDriver>.fromOpaque(context).takeRetainedValue().run()
    return nil
}
