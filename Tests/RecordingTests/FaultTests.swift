import Deciding
import Glibc
import Hashing
import Synchronization
import Testing
import Vocabulary

@testable import Recording

/// A disk that fails on demand.
final class Disk: Sendable {
    struct Fault: Sendable {
        /// What every write answers; after `shortBy` bytes less than asked for, once, if that is set.
        var write: ErrorNumber?
        var isShort = false
        var sync: ErrorNumber?
        var create: ErrorNumber?
        var syncFolder: ErrorNumber?
        var freeBytes: UInt64 = .max
    }

    private let state = Mutex(Fault())
    let syncs = Atomic<Int>(0)

    func set(_ change: (inout Fault) -> Void) { state.withLock { change(&$0) } }
    func heal() { state.withLock { $0 = Fault() } }
    private var fault: Fault { state.withLock { $0 } }

    var files: LogFiles {
        let real = LogFiles.system
        return LogFiles(
            create: { folder, name throws(ErrorNumber) in
                if let error = self.fault.create { throw error }
                return try real.create(folder, name)
            },
            reopen: real.reopen,
            write: { file, bytes throws(ErrorNumber) in
                let fault = self.fault
                if fault.isShort, bytes.count > 1 {
                    self.set { $0.isShort = false }
                    return try real.write(file, UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count / 2)]))
                }
                if let error = fault.write { throw error }
                return try real.write(file, bytes)
            },
            sync: { file throws(ErrorNumber) in
                self.syncs.wrappingAdd(1, ordering: .relaxed)
                if let error = self.fault.sync { throw error }
                try real.sync(file)
            },
            syncFolder: { folder throws(ErrorNumber) in
                if let error = self.fault.syncFolder { throw error }
                try real.syncFolder(folder)
            },
            rename: real.rename,
            freeBytes: { _ throws(ErrorNumber) in self.fault.freeBytes })
    }
}

private let full = ErrorNumber(code: ENOSPC)
private let broken = ErrorNumber(code: EIO)

@Suite("Recording: faults of the disk") struct FaultTests {
    private let folder: Folder
    private let disk = Disk()
    private let log: RequestLog

    init() throws {
        folder = try Folder()
        var setting = LogSetting()
        setting.syncInterval = .seconds(60)
        log = try RequestLog.test(folder, setting: setting, files: disk.files)
    }

    private func append(_ request: UInt64, mutates: Bool = true) async throws -> Result<EntryID, LogError> {
        try await log.appended(Sample.reservation(mutates: mutates, request: request))
    }

    private func failure(_ step: String, _ code: Int32, segment: Int) -> Result<EntryID, LogError> {
        .failure(.system(step: step, path: "\(folder.path)/\(segmentName(segment))", code: code))
    }

    @Test func `a full disk clears nothing, and a gap names the last entry before it`() async throws {
        let before = try await append(1).get()
        _ = try log.clear(before)
        disk.set {
            $0.write = full; $0.create = full
        }
        #expect(try await append(2) == failure("write", ENOSPC, segment: 1))
        #expect(try await append(3) == failure("create", ENOSPC, segment: 1))
        #expect(throws: LogError.notHeld(EntryID(seq: 2))) { _ = try log.clear(EntryID(seq: 2)) }
        #expect(log.condition != .sound)
        disk.heal()
        let after = try await append(4).get()
        _ = try log.clear(after)
        #expect(log.condition == .sound)
        log.stop()

        let verification = try verify(folder: folder.path)
        #expect(verification.firstBad == nil)
        #expect(verification.count == 3)
        #expect(verification.gaps.map(\.after) == [1])
        #expect(verification.gaps.map(\.cause) == ["write"])
        #expect(verification.gaps.map(\.isWhole) == [true])
        #expect(verification.lastSeq == after.seq)
        #expect(folder.names.filter { $0.hasSuffix(".jsonl") } == ["000001.jsonl", "000002.jsonl"])
        let gap = try JSON(parsing: Array(try folder.lines("000002.jsonl")[0].utf8))
        #expect(gap["type"] == "gap")
        #expect(gap["after"] == 1)
        #expect(gap["error"] == "no space left on the disk")
        #expect(gap["prev"]?.string == sha256(try folder.lines()[0]).description)
    }

    @Test func `a short write that ends in an error leaves torn bytes, which are passed over`() async throws {
        _ = try await append(1).get()
        disk.set {
            $0.isShort = true; $0.write = broken
        }
        #expect(try await append(2) == failure("write", EIO, segment: 1))
        disk.heal()
        _ = try await append(3).get()
        log.stop()
        let verification = try verify(folder: folder.path)
        #expect(verification.firstBad == nil)
        #expect(verification.count == 3)
        #expect(verification.gaps.count == 1)
        #expect((verification.gaps.first?.tornByteCount ?? 0) > 100)
    }

    @Test func `a short write that goes on is no fault`() async throws {
        disk.set { $0.isShort = true }
        _ = try await append(1).get()
        log.stop()
        #expect(try verify(folder: folder.path).gaps.isEmpty)
        #expect(try verify(folder: folder.path).count == 1)
    }

    @Test func `a failed sync is final for its file and clears nothing of the batch`() async throws {
        _ = try await append(1).get()
        disk.set { $0.sync = broken }
        #expect(try await append(2) == failure("sync", EIO, segment: 1))
        #expect(throws: LogError.notHeld(EntryID(seq: 2))) { _ = try log.clear(EntryID(seq: 2)) }
        let size = try folder.bytes("000001.jsonl").count
        disk.heal()
        _ = try await append(3).get()
        log.stop()
        #expect(try folder.bytes("000001.jsonl").count == size, "never written again")
        let verification = try verify(folder: folder.path)
        #expect(verification.firstBad == nil)
        #expect(verification.gaps.map(\.after) == [1])
        #expect(verification.gaps.map(\.cause) == ["sync"])
        #expect(verification.unsureCount == 1, "the line is there, and nobody was told so")
        #expect(verification.count == 3)
        #expect(verification.unpairedCount == 2)
    }

    @Test func `reads that were only written are unsure after a failed sync, and no longer cleared`()
        async throws
    {
        _ = try await append(1).get()
        let cleared = try await append(2, mutates: false).get()
        _ = try log.clear(cleared)
        let held = try await append(3, mutates: false).get()
        disk.set { $0.sync = broken }
        #expect(try await append(4) == failure("sync", EIO, segment: 1))
        #expect(throws: LogError.notHeld(held)) { _ = try log.clear(held) }
        disk.heal()
        _ = try await append(5).get()
        log.stop()
        let verification = try verify(folder: folder.path)
        #expect(verification.firstBad == nil)
        #expect(verification.gaps.map(\.after) == [1])
        #expect(verification.gaps.map(\.isWhole) == [true], "both reads are there, hash for hash")
        #expect(verification.unsureCount == 3)
        var entries = try LogEntries(folder: folder.path)
        var seqs: [UInt64] = []
        while let entry = try entries.next() { seqs.append(entry.id.seq) }
        #expect(seqs == [1, 5, 6], "the gap is 5; what is unsure does not count")
    }

    @Test func `what a failing disk lost of the unsure entries is no break`() async throws {
        _ = try await append(1).get()
        _ = try await append(2, mutates: false).get()
        disk.set { $0.sync = broken }
        _ = try await append(3)
        disk.heal()
        _ = try await append(4).get()
        log.stop()
        let whole = try folder.bytes("000001.jsonl")
        let firstLine = whole.prefix { $0 != 0x0A }.count + 1
        for kept in [firstLine, firstLine + 40, whole.count - 10] {
            try folder.write(Array(whole[..<kept]), to: "000001.jsonl")
            let verification = try verify(folder: folder.path)
            #expect(verification.firstBad == nil)
            #expect(verification.gaps.map(\.isWhole) == [kept == whole.count - 10])
        }
        try folder.write(Array(whole[..<(firstLine - 5)]), to: "000001.jsonl")
        #expect(try verify(folder: folder.path).firstBad?.seq == 1, "what was synced must be there")
    }

    @Test func `while the next segment cannot be made every entry fails, and each number is used once`()
        async throws
    {
        _ = try await append(1).get()
        disk.set { $0.write = broken }
        for request in 2...5 { #expect((try? await append(UInt64(request)).get()) == nil) }
        disk.set {
            $0.write = nil; $0.syncFolder = broken
        }
        #expect(try await append(6) == failure("create", EIO, segment: 2))
        disk.heal()
        let after = try await append(7).get()
        log.stop()
        let verification = try verify(folder: folder.path)
        #expect(verification.firstBad == nil)
        #expect(verification.gaps.map(\.after) == [1])
        #expect(verification.gaps.map(\.until) == [after.seq - 1])
        #expect(after.seq == 12, "five failures took a number each for the entry, and one for a gap")
        #expect(!folder.names.contains { $0.hasSuffix(".new") })
    }

    @Test func `a failed sync when nobody waits makes the next entry begin a new segment`() async throws {
        let folder = try Folder()
        var setting = LogSetting()
        setting.syncInterval = .milliseconds(20)
        let log = try RequestLog.test(folder, setting: setting, files: disk.files)
        disk.set { $0.sync = broken }
        _ = try await log.appended(Sample.reservation()).get()
        while log.condition == .sound { usleep(1_000) }
        disk.heal()
        _ = try await log.appended(Sample.reservation()).get()
        log.stop()
        let verification = try verify(folder: folder.path)
        #expect(verification.firstBad == nil)
        #expect(verification.gaps.map(\.after) == [0])
        #expect(verification.count == 2)
    }

    @Test func `below the reserve only outcomes and ends are written`() async throws {
        let folder = try Folder()
        var setting = LogSetting()
        setting.reserveByteCount = 1_000
        let log = try RequestLog.test(folder, setting: setting, files: disk.files)
        disk.set { $0.freeBytes = 1_000 }
        let id = try await log.appended(Sample.reservation()).get()
        disk.set { $0.freeBytes = 999 }
        // The batch that finds the disk below its reserve is still written.
        let last = try await log.appended(Sample.reservation(request: 2)).get()
        let shortage = LogError.belowReserve(freeBytes: 999, reserveBytes: 1_000)
        #expect(try await log.appended(Sample.reservation(request: 3)) == .failure(shortage))
        #expect(log.condition == .failing(shortage))
        let request = RequestID(random: 1)
        _ = try await log.appended(.outcome(Sample.answered, of: id, request: request, at: moment())).get()
        _ = try await log.appended(.outcome(Sample.answered, of: last, request: request, at: moment())).get()
        let use = try Sample.use()
        _ = try await log.appended(
            .grantRevoked(at: moment(), grant: use.grant, approval: use.approval, by: nil, why: "test")
        ).get()
        #expect(await log.appended(.fault(at: moment(), step: "x", error: "y")) == .failure(shortage))
        disk.heal()
        _ = try await log.appended(Sample.reservation(request: 4)).get()
        #expect(log.condition == .sound)
        log.stop()
        let verification = try verify(folder: folder.path)
        #expect(verification.isSound)
        #expect(verification.count == 6)
        #expect(verification.lastSeq == 6, "a refused entry takes no number")
    }

    @Test func `a backlog past its limit is refused at once`() async throws {
        let folder = try Folder()
        let gate = Gate()
        var files = LogFiles.system
        let write = files.write
        files.write = { file, bytes throws(ErrorNumber) in
            gate.pass()
            return try write(file, bytes)
        }
        var setting = LogSetting()
        setting.backlogByteCountMax = 4_000
        let log = try RequestLog.test(folder, setting: setting, files: files)
        gate.close()
        let results = Collected<Result<EntryID, LogError>>()
        for request in 1...20 {
            log.append(try Sample.reservation(request: UInt64(request)), facts: Sample.facts) {
                results.add($0)
            }
        }
        #expect(results.values.count > 5)
        #expect(results.values.allSatisfy { if case .failure(.backlog) = $0 { true } else { false } })
        gate.open()
        log.stop()
        #expect(results.values.count == 20)
        #expect(
            try verify(folder: folder.path).count == results.values.filter { (try? $0.get()) != nil }.count)
    }
}
