import Deciding
import Glibc
import Recognizing
import Synchronization
import Vocabulary

/// How the log is kept.
package struct LogSetting: Hashable, Sendable {
    /// A segment that would grow past this is closed, and the next one begun.
    package var segmentByteCountMax = 64 << 20
    /// Free bytes of the disk below which only outcomes, ends of grants and the log's own entries are written
    /// (`--log-reserve`).
    package var reserveByteCount: UInt64 = 64 << 20
    /// Whether every entry waits for its sync (`--log-durability synced`).
    package var syncsAlways = false
    /// Bytes that may wait to be written.
    package var backlogByteCountMax = 64 << 20
    /// How long entries that nobody waits for may stay unsynced.
    package var syncInterval = Duration.seconds(1)
    package var flood = FloodControl.Setting()

    package init() {}
}

/// Whether the log can be written.
package enum LogCondition: Hashable, Sendable {
    case sound
    /// The last write or sync failed, or the disk is nearly full; calls are refused meanwhile. It recovers by
    /// itself.
    case failing(LogError)
}

/// The signed-request log: one writer, one chain of entries, and the only place that gives leave to sign.
///
/// Entries are taken on any thread; one thread of the log's own gives them their hash, writes and syncs them
/// in batches, and tells each waiting place in order. ``stop()`` ends that thread; until then the log lives.
package final class RequestLog: Sendable {
    /// Told once: the entry's id when it is durable, or why it never will be.
    package typealias WhenDurable = @Sendable (Result<EntryID, LogError>) -> Void

    /// A line on its way to the disk.
    struct Pending: Sendable {
        let line: UnchainedLine
        let needsSync: Bool
        let whenDurable: WhenDurable?
        var id: EntryID { EntryID(seq: line.seq) }
    }

    /// A request whose entry is on its way, or stands; nothing signs it until it is cleared.
    struct Held {
        let request: SealedRequest
        var isDurable = false
    }

    struct State {
        var queue: [Pending] = []
        var queueByteCount = 0
        var nextSeq: UInt64
        var held: [EntryID: Held] = [:]
        var flood: FloodControl
        var isWriterWaiting = false
        var isWaitTimed = false
        var isStopping = false
        var isBelowReserve = false
        var condition = LogCondition.sound
        var unrecordedRefusalCount = 0
    }

    /// The path of the log's folder.
    package let path: String
    let setting: LogSetting
    let files: LogFiles
    let folder: LogFolder
    let lock: Int32
    let clock: @Sendable () -> Instant
    let state: Mutex<State>
    let wake: (read: Int32, write: Int32)
    let writerThread: Mutex<pthread_t?>

    /// Opens the log in `folder` and goes on where it ended; makes it when there is none.
    ///
    /// The last segment's chain is checked and synced. A torn end is left as it is: the next segment begins
    /// with a gap that names it.
    ///
    /// - Throws: ``LogError/inUse(folder:)``, ``LogError/unsafeFolder(path:why:)``, ``LogError/damaged(_:)``,
    ///   ``LogError/system(step:path:code:)``.
    package convenience init(
        folder: String, setting: LogSetting = LogSetting(), clock: @escaping @Sendable () -> Instant
    ) throws(LogError) {
        try self.init(folder: folder, setting: setting, files: .system, clock: clock)
    }

    init(
        folder path: String, setting: LogSetting, files: LogFiles, clock: @escaping @Sendable () -> Instant
    ) throws(LogError) {
        let folder = try LogFolder.writing(path)
        let lock = try folder.lock()
        var writer: SegmentWriter
        do {
            let tail = try folder.tail()
            writer = try SegmentWriter(
                files: files, folder: folder.descriptor, path: path,
                segmentByteCountMax: setting.segmentByteCountMax, tail: tail)
            if writer.failure != nil { try writer.recover(seq: tail.last.seq &+ 1, at: clock()) }
        } catch {
            close(lock)
            throw error
        }
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0, ends.allSatisfy(preparePipeEnd) else {
            close(lock)
            throw .system(step: "pipe", path: path, code: errno)
        }
        self.path = path
        self.setting = setting
        self.files = files
        self.folder = folder
        self.lock = lock
        self.clock = clock
        wake = (ends[0], ends[1])
        state = Mutex(State(nextSeq: writer.written.seq &+ 1, flood: FloodControl(setting.flood)))
        writerThread = Mutex(nil)
        try startWriter(writer)
    }

    deinit {
        close(wake.read)
        close(wake.write)
        close(lock)
    }

    /// Whether the log can be written now.
    package var condition: LogCondition { state.withLock { $0.condition } }

    /// How many entries of refused calls could not be written since the start.
    package var unrecordedRefusalCount: Int { state.withLock { $0.unrecordedRefusalCount } }
}

/// Neither inherited by child processes nor ever waited on.
private func preparePipeEnd(_ end: Int32) -> Bool {
    fcntl(end, F_SETFD, FD_CLOEXEC) == 0 && fcntl(end, F_SETFL, O_NONBLOCK) == 0
}

// MARK: - Taking entries

extension RequestLog {
    /// Writes the request that `reservation` allows, and keeps it until it is cleared or dropped.
    ///
    /// `whenDurable` is called exactly once: on the log's thread with the entry's id when it is as durable as
    /// the call needs, or with why it never will be; the request is then no longer held. An entry that is
    /// refused at once (``LogError/stopped``, ``LogError/belowReserve(freeBytes:reserveBytes:)``,
    /// ``LogError/backlog(byteCount:)``, ``LogError/entryTooLong(byteCount:)``) has no id, and `whenDurable`
    /// is called before this returns.
    @discardableResult
    package func append(
        _ reservation: consuming Reservation, facts: RequestFacts, whenDurable: @escaping WhenDurable
    ) -> EntryID? {
        let needsSync = reservation.needsSync || setting.syncsAlways
        let entry = Entry.request(reservation, facts: facts)
        return take(entry, needsSync: needsSync, holding: reservation.call.sealed, whenDurable)
    }

    /// Writes the gateway's own call `own` and, if it is to be signed, keeps it until it is cleared or
    /// dropped; `whenDurable` and the answer are as for ``append(_:facts:whenDurable:)``.
    @discardableResult
    package func append(_ own: OwnCall, at: Instant, whenDurable: @escaping WhenDurable) -> EntryID? {
        take(.ownCall(own, at: at), needsSync: setting.syncsAlways, holding: own.held, whenDurable)
    }

    /// Writes `entry`; `whenDurable` and the answer are as for ``append(_:facts:whenDurable:)``.
    @discardableResult
    package func append(_ entry: Entry, durability: Durability, whenDurable: WhenDurable? = nil) -> EntryID? {
        take(entry, needsSync: durability == .synced || setting.syncsAlways, holding: nil, whenDurable)
    }

    /// Records a refused call: at once, or counted together with its like, as ``FloodControl`` says.
    ///
    /// Never fails: the call is refused in any case. What cannot be recorded counts in
    /// ``unrecordedRefusalCount``.
    package func record(_ refusal: Refusal) {
        let (entries, mustWake) = state.withLock { state in
            let entries = state.flood.offered(refusal, at: refusal.at)
            // The writer's wait must end when the second does; a timed one does by itself.
            return (entries, state.isWriterWaiting && !state.isWaitTimed)
        }
        if mustWake { signal() }
        appendRefusals(entries)
    }

    /// Leave to sign the request of entry `id`: once, and only when the entry is as durable as its call
    /// needs.
    ///
    /// - Throws: ``LogError/notDurable(_:)`` or ``LogError/notHeld(_:)``.
    package func clear(_ id: EntryID) throws(LogError) -> Clearance {
        let request = try state.withLock { state throws(LogError) in
            guard let held = state.held[id] else { throw .notHeld(id) }
            guard held.isDurable else { throw .notDurable(id) }
            state.held[id] = nil
            return held.request
        }
        return Clearance(request: request, entry: id)
    }

    /// Lets go of the request of entry `id`, which is then never signed. Its outcome, `not-sent`, is the
    /// caller's to append.
    package func drop(_ id: EntryID) {
        state.withLock { $0.held[id] = nil }
    }

    /// Writes and syncs what waits, ends the log's thread and gives the lock back. Not from a `whenDurable`.
    package func stop() {
        let isFirst = state.withLock { state in
            defer { state.isStopping = true }
            return !state.isStopping
        }
        guard isFirst else { return }
        signal()
        if let thread = writerThread.withLock({ $0 }) { pthread_join(thread, nil) }
        flock(lock, LOCK_UN)
    }

    private func body(of entry: Entry) throws(LogError) -> [UInt8] {
        let body = LogLine.body(of: entry)
        let byteCount = LogLine.headByteCountMax + body.count
        guard byteCount <= LogLine.byteCountMax else { throw .entryTooLong(byteCount: byteCount) }
        if entry.type.holdsOutsideStructure, (try? JSON(parsing: [0x7B] + body.dropFirst())) == nil {
            throw .unreadableEntry(entry.type)
        }
        return body
    }

    private func take(
        _ entry: Entry, needsSync: Bool, holding request: SealedRequest?, _ whenDurable: WhenDurable?
    ) -> EntryID? {
        do throws(LogError) {
            let body = try body(of: entry)
            return try enqueue(
                body, needsSync: needsSync, mayUseReserve: entry.mayUseReserve, holding: request,
                whenDurable)
        } catch {
            whenDurable?(.failure(error))
            return nil
        }
    }

    private func enqueue(
        _ body: [UInt8], needsSync: Bool, mayUseReserve: Bool, holding request: SealedRequest?,
        _ whenDurable: WhenDurable?
    ) throws(LogError) -> EntryID {
        let (id, mustWake) = try state.withLock { state throws(LogError) in
            guard !state.isStopping else { throw .stopped }
            if state.isBelowReserve, !mayUseReserve, let shortage = shortage() { throw shortage }
            guard state.queueByteCount + body.count <= setting.backlogByteCountMax else {
                throw .backlog(byteCount: state.queueByteCount)
            }
            let line = UnchainedLine(seq: state.nextSeq, body: body)
            state.nextSeq &+= 1
            let pending = Pending(line: line, needsSync: needsSync, whenDurable: whenDurable)
            state.queue.append(pending)
            state.queueByteCount += body.count
            if let request { state.held[pending.id] = Held(request: request) }
            defer { state.isWriterWaiting = false }
            return (pending.id, state.isWriterWaiting)
        }
        if mustWake { signal() }
        return id
    }

    func appendRefusals(_ entries: [Entry]) {
        for entry in entries {
            append(entry, durability: .written) { [self] result in
                if case .failure = result { state.withLock { $0.unrecordedRefusalCount += 1 } }
            }
        }
    }

    /// Why the reserve refuses entries now; nil when there is room.
    func shortage() -> LogError? {
        guard setting.reserveByteCount > 0 else { return nil }
        do {
            let free = try files.freeBytes(folder.descriptor)
            guard free < setting.reserveByteCount else { return nil }
            return .belowReserve(freeBytes: free, reserveBytes: setting.reserveByteCount)
        } catch { return .system(step: "measure", path: path, code: error.code) }
    }

    func signal() {
        var byte: UInt8 = 1
        // A full pipe already wakes the writer.
        _ = write(wake.write, &byte, 1)
    }
}
