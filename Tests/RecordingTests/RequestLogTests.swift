import Deciding
import Glibc
import Hashing
import Synchronization
import Testing
import Vocabulary

@testable import Recording

@Suite("Recording: the log") struct RequestLogTests {
    @Test func `a request is cleared once its entry stands, and only once`() async throws {
        let folder = try Folder()
        let log = try RequestLog.test(folder)
        defer { log.stop() }
        let id = try await log.appended(Sample.reservation()).get()
        #expect(id == EntryID(seq: 1))
        let clearance = try log.clear(id)
        #expect(clearance.entry == id)
        #expect(clearance.request.wireDigest == sha256("wire of GetItem"))
        #expect(throws: LogError.notHeld(id)) { _ = try log.clear(id) }
        #expect(throws: LogError.notHeld(EntryID(seq: 9))) { _ = try log.clear(EntryID(seq: 9)) }
    }

    @Test func `a dropped request is never cleared`() async throws {
        let folder = try Folder()
        let log = try RequestLog.test(folder)
        defer { log.stop() }
        let id = try await log.appended(Sample.reservation()).get()
        log.drop(id)
        #expect(throws: LogError.notHeld(id)) { _ = try log.clear(id) }
    }

    @Test func `a write is not cleared before its sync, a read is cleared without one`() async throws {
        let folder = try Folder()
        let gate = Gate()
        var files = LogFiles.system
        let sync = files.sync
        files.sync = { file throws(ErrorNumber) in
            gate.pass()
            try sync(file)
        }
        let log = try RequestLog.test(folder, files: files)
        defer { log.stop() }
        let read = try await log.appended(Sample.reservation()).get()
        _ = try log.clear(read)

        gate.close()
        let answer = Answer<Result<EntryID, LogError>>()
        let write = try #require(
            try log.append(Sample.reservation(mutates: true), facts: Sample.facts) { answer.set($0) })
        while gate.waiting == 0 { usleep(1_000) }
        #expect(try folder.lines().count == 2, "written, and the sync is under way")
        #expect(throws: LogError.notDurable(write)) { _ = try log.clear(write) }
        gate.open()
        #expect(await answer.value == .success(write))
        _ = try log.clear(write)
    }

    @Test func `with durability synced even a read waits for its sync`() async throws {
        let folder = try Folder()
        let syncs = Atomic<Int>(0)
        var files = LogFiles.system
        files.sync = { _ throws(ErrorNumber) in syncs.wrappingAdd(1, ordering: .relaxed) }
        var setting = LogSetting()
        setting.syncsAlways = true
        let log = try RequestLog.test(folder, setting: setting, files: files)
        defer { log.stop() }
        let before = syncs.load(ordering: .relaxed)
        _ = try await log.appended(Sample.reservation()).get()
        #expect(syncs.load(ordering: .relaxed) == before + 1)
    }

    @Test func `each line names the SHA-256 of the line before it, the first names 64 zeros`() async throws {
        let folder = try Folder()
        let log = try RequestLog.test(folder)
        for request in 1...3 {
            _ = try await log.appended(Sample.reservation(request: UInt64(request))).get()
        }
        log.stop()
        let lines = try folder.lines()
        #expect(
            lines[0].hasPrefix(
                #"{"v":1,"seq":1,"prev":"sha256:"# + String(repeating: "0", count: 64) + #"","t":"#))
        #expect(lines[1].hasPrefix(#"{"v":1,"seq":2,"prev":"\#(sha256(lines[0]))","t":"#))
        #expect(lines[2].hasPrefix(#"{"v":1,"seq":3,"prev":"\#(sha256(lines[1]))","t":"#))
    }

    @Test func `a log goes on where it ended`() async throws {
        let folder = try Folder()
        var log = try RequestLog.test(folder)
        _ = try await log.appended(Sample.reservation()).get()
        log.stop()
        log = try RequestLog.test(folder)
        let id = try await log.appended(Sample.reservation()).get()
        log.stop()
        #expect(id == EntryID(seq: 2))
        let verification = try verify(folder: folder.path)
        #expect(verification.isSound)
        #expect(verification.count == 2)
        #expect(folder.names == ["000001.jsonl", "lock"])
    }

    @Test func `one log has one writer`() throws {
        let folder = try Folder()
        let log = try RequestLog.test(folder)
        #expect(throws: LogError.inUse(folder: folder.path)) { _ = try RequestLog.test(folder) }
        log.stop()
        try RequestLog.test(folder).stop()
    }

    @Test func `a folder that others may enter is refused`() throws {
        let folder = try Folder()
        chmod(folder.path, 0o750)
        #expect(
            throws: LogError.unsafeFolder(path: folder.path, why: "may be entered by others: chmod 700 it")
        ) {
            _ = try RequestLog.test(folder)
        }
        chmod(folder.path, 0o700)
        try RequestLog.test(folder).stop()
    }

    @Test func `the log and its folder are the owner's alone`() throws {
        let outer = try Folder()
        let path = outer.path + "/log"
        let log = try RequestLog(folder: path, clock: { moment() })
        log.stop()
        for (name, mode) in [("", 0o700), ("/000001.jsonl", 0o600), ("/lock", 0o600)] {
            var status = stat()
            #expect(stat(path + name, &status) == 0)
            #expect(Int(status.st_mode & 0o777) == mode)
        }
        unlink(path + "/000001.jsonl")
        unlink(path + "/lock")
        rmdir(path)
    }

    @Test func `a segment that would grow past its limit is followed by the next`() async throws {
        let folder = try Folder()
        var setting = LogSetting()
        setting.segmentByteCountMax = 2_048
        let log = try RequestLog.test(folder, setting: setting)
        for request in 1...10 {
            _ = try await log.appended(Sample.reservation(request: UInt64(request))).get()
        }
        log.stop()
        let segments = folder.names.filter { $0.hasSuffix(".jsonl") }
        #expect(segments.count > 3)
        for name in segments { #expect(try folder.bytes(name).count <= 2_048) }
        let verification = try verify(folder: folder.path)
        #expect(verification.firstBad == nil)
        #expect(verification.count == 10)
        #expect(verification.gaps.isEmpty)
    }

    @Test func `an entry of the longest line is taken, one byte more is refused`() async throws {
        let folder = try Folder()
        let log = try RequestLog.test(folder)
        defer { log.stop() }
        func entry(_ count: Int) -> Entry {
            Entry(.fault, at: moment(), [JSON.Member("step", .string(String(repeating: "x", count: count)))])
        }
        let overhead = LogLine.headByteCountMax + LogLine.body(of: entry(0)).count
        let most = LogLine.byteCountMax - overhead
        _ = try await log.appended(entry(most)).get()
        #expect(await log.appended(entry(most + 1)) == .failure(.entryTooLong(byteCount: 65_536)))
        _ = try await log.appended(Sample.reservation()).get()
        #expect(try verify(folder: folder.path).isSound)
    }

    @Test func `callbacks come in the order of the entries, from all threads at once`() async throws {
        let folder = try Folder()
        let log = try RequestLog.test(folder)
        let order = Collected<UInt64>()
        await withTaskGroup(of: Void.self) { group in
            for request in 1...64 {
                group.addTask {
                    guard let reservation = try? Sample.reservation(mutates: true, request: UInt64(request))
                    else { return }
                    log.append(reservation, facts: Sample.facts) { result in
                        guard case .success(let id) = result else { return }
                        order.add(id.seq)
                    }
                }
            }
        }
        log.stop()
        #expect(order.values == Array(1...64))
        #expect(try verify(folder: folder.path).count == 64)
    }

    @Test func `a stopped log takes nothing`() async throws {
        let folder = try Folder()
        let log = try RequestLog.test(folder)
        log.stop()
        #expect(try await log.appended(Sample.reservation()) == .failure(.stopped))
    }
}

/// Lets threads pass, or makes them wait.
final class Gate: Sendable {
    private let state = Mutex<(isOpen: Bool, waiting: Int)>((true, 0))
    var waiting: Int { state.withLock { $0.waiting } }
    func close() { state.withLock { $0.isOpen = false } }
    func open() { state.withLock { $0.isOpen = true } }

    func pass() {
        state.withLock { $0.waiting += 1 }
        while !state.withLock({ $0.isOpen }) { usleep(500) }
        state.withLock { $0.waiting -= 1 }
    }
}
