import Deciding
import Glibc
import Recognizing
import Synchronization
import Vocabulary

// The writer's thread.
extension RequestLog {
    private final class Start {
        let log: RequestLog
        let writer: SegmentWriter
        init(log: RequestLog, writer: SegmentWriter) {
            self.log = log
            self.writer = writer
        }
    }

    func startWriter(_ writer: SegmentWriter) throws(LogError) {
        let start = Unmanaged.passRetained(Start(log: self, writer: writer))
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                // Signals are for the main thread.
                var all = sigset_t()
                sigfillset(&all)
                pthread_sigmask(SIG_BLOCK, &all, nil)
                start.log.run(start.writer)
                return nil
            }, start.toOpaque())
        guard code == 0 else {
            start.release()
            throw .system(step: "thread", path: path, code: code)
        }
        writerThread.withLock { $0 = thread }
    }

    private func run(_ start: SegmentWriter) {
        var writer = start
        var tidied = clock()
        updateReserve()
        while true {
            var isIdle = false
            let (batch, isStopping) = takeBatch()
            if !batch.isEmpty {
                writeBatch(batch, with: &writer)
            } else if isStopping {
                break
            } else {
                isIdle = wait(isDirty: writer.isDirty)
            }
            // Also when entries never stop coming; and at once when the clock was set back.
            let now = clock()
            let age = now.since(tidied)
            guard isIdle || age >= setting.syncInterval || age < .zero else { continue }
            tidied = now
            appendRefusals(state.withLock { $0.flood.due(at: now) })
            syncUnwaited(&writer)
        }
        // Nothing waits for the last sync any more; what it cannot save, the next start finds missing.
        try? writer.close()
    }

    private func takeBatch() -> (batch: [Pending], isStopping: Bool) {
        state.withLock { state in
            if state.isStopping, state.queue.isEmpty { flushRefusals(&state) }
            let batch = state.queue
            state.queue = []
            state.queueByteCount = 0
            state.isWriterWaiting = batch.isEmpty
            return (batch, state.isStopping)
        }
    }

    /// What is still counted of refused calls becomes entries: the log is about to close.
    private func flushRefusals(_ state: inout State) {
        for entry in state.flood.ended() {
            state.queue.append(
                Pending(
                    line: UnchainedLine(seq: state.nextSeq, body: LogLine.body(of: entry)), needsSync: true,
                    whenDurable: nil))
            state.nextSeq &+= 1
        }
    }

    /// Waits for entries, at most ``LogSetting/syncInterval`` when there is something to tidy; whether none
    /// came.
    private func wait(isDirty: Bool) -> Bool {
        let isTimed = state.withLock { state in
            state.isWaitTimed = isDirty || state.flood.isCounting
            return state.isWaitTimed
        }
        let milliseconds = Int32(clamping: setting.syncInterval.wholeNanoseconds / 1_000_000)
        var ready = pollfd(fd: wake.read, events: Int16(POLLIN), revents: 0)
        let count = poll(&ready, 1, isTimed ? max(1, milliseconds) : -1)
        var drained = [UInt8](repeating: 0, count: 64)
        while read(wake.read, &drained, drained.count) > 0 {}
        return count == 0
    }

    /// Syncs the entries that nobody waits for.
    private func syncUnwaited(_ writer: inout SegmentWriter) {
        guard writer.isDirty else { return }
        do { try writer.sync() } catch { failed(error, batch: [], synced: writer.synced) }
    }

    private func writeBatch(_ batch: [Pending], with writer: inout SegmentWriter) {
        do {
            if writer.failure != nil, let first = batch.first {
                // The number before the batch's first was set aside when the failure was seen.
                try writer.recover(seq: first.line.seq &- 1, at: clock())
            }
            try writer.append(batch.map(\.line), sync: batch.contains(where: \.needsSync))
        } catch {
            failed(error, batch: batch, synced: writer.synced)
            return
        }
        updateReserve()
        state.withLock { state in
            for pending in batch { state.held[pending.id]?.isDurable = true }
        }
        for pending in batch { pending.whenDurable?(.success(pending.id)) }
    }

    /// None of `batch`, nor of what came meanwhile, stands in the log; nor is anything held that is not
    /// surely on the disk.
    private func failed(_ error: LogError, batch: [Pending], synced: ChainPosition) {
        let lost = state.withLock { state in
            let lost = batch + state.queue
            state.queue = []
            state.queueByteCount = 0
            state.held = state.held.filter { $0.key.seq <= synced.seq }
            state.condition = .failing(error)
            // One number for the gap, before any entry that comes after.
            state.nextSeq &+= 1
            return lost
        }
        for pending in lost { pending.whenDurable?(.failure(error)) }
    }

    /// Measures the disk, and says whether the log is sound.
    private func updateReserve() {
        let shortage = shortage()
        state.withLock { state in
            state.isBelowReserve = shortage != nil
            state.condition = shortage.map { .failing($0) } ?? .sound
        }
    }
}
