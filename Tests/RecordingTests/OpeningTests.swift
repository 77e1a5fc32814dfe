import Deciding
import Glibc
import Hashing
import Testing
import Vocabulary

@testable import Recording

@Suite("Recording: opening a log again") struct OpeningTests {
    private let folder: Folder
    private let whole: [UInt8]
    /// Where each of the four lines begins.
    private let starts: [Int]

    init() async throws {
        folder = try Folder()
        let log = try RequestLog.test(folder)
        for number in 1...4 {
            _ = await log.appended(.fault(at: moment(number), step: "step \(number)", error: "an error"))
        }
        log.stop()
        let bytes = try folder.bytes("000001.jsonl")
        whole = bytes
        starts = [0] + bytes.indices.filter { bytes[$0] == 0x0A }.map { $0 + 1 }
    }

    private func goOn() async throws -> Verification {
        let log = try RequestLog.test(folder)
        _ = try await log.appended(Sample.reservation()).get()
        log.stop()
        return try verify(folder: folder.path)
    }

    @Test func `a torn end of any length is kept, named by a gap, and passed over`() async throws {
        for kept in (starts[3] + 1)..<(starts[4]) where kept % 7 == 0 || kept == starts[4] - 1 {
            let torn = Array(whole[starts[3]..<kept])
            try folder.write(Array(whole[..<kept]), to: "000001.jsonl")
            #expect(try verify(folder: folder.path).tornTailByteCount == torn.count)
            let verification = try await goOn()
            #expect(verification.firstBad == nil)
            #expect(verification.count == 5, "three entries, the gap, one more")
            #expect(verification.gaps.map(\.after) == [3])
            #expect(verification.gaps.map(\.tornByteCount) == [torn.count])
            #expect(try folder.bytes("000001.jsonl").count == kept, "not one byte of it is touched")
            let gap = try JSON(parsing: Array(try folder.lines("000002.jsonl")[0].utf8))
            #expect(gap["torn_sha256"]?.string == sha256(torn).description)
            #expect(gap["torn_bytes"] == .integer(torn.count))
            #expect(gap["prev"]?.string == sha256(whole[starts[2]..<(starts[3] - 1)]).description)
            unlink("\(folder.path)/000002.jsonl")
        }
    }

    @Test func `torn bytes that are changed later are found`() async throws {
        try folder.write(Array(whole[..<(starts[4] - 9)]), to: "000001.jsonl")
        _ = try await goOn()
        var changed = try folder.bytes("000001.jsonl")
        changed[starts[3] + 20] ^= 1
        try folder.write(changed, to: "000001.jsonl")
        guard case .badGap = try verify(folder: folder.path).firstBad?.why else {
            Issue.record("the torn bytes are not compared")
            return
        }
        try folder.write(Array(whole[..<starts[3]]), to: "000001.jsonl")
        #expect(try verify(folder: folder.path).firstBad != nil, "gone is changed too")
    }

    @Test func `blocks of NULs that a power cut left are a torn end, even with newlines among them`()
        async throws
    {
        let zeros = [UInt8](repeating: 0, count: 5_000)
        try folder.write(Array(whole[..<starts[3]]) + zeros + [0x0A] + zeros, to: "000001.jsonl")
        let verification = try await goOn()
        #expect(verification.firstBad == nil)
        #expect(verification.gaps.map(\.tornByteCount) == [10_001])
    }

    @Test func `a whole line that does not fit the chain is no crash's work: the log is not continued`()
        throws
    {
        var changed = whole
        changed[starts[2] - 5] ^= 1
        try folder.write(changed, to: "000001.jsonl")
        #expect(throws: LogError.self) { _ = try RequestLog.test(folder) }
        #expect(folder.names == ["000001.jsonl", "lock"], "and nothing is written")
        try folder.write(whole, to: "000001.jsonl")
        try RequestLog.test(folder).stop()
    }

    @Test func `a first line that is torn leaves an empty log, which goes on behind a gap`() async throws {
        try folder.write(Array(whole[..<30]), to: "000001.jsonl")
        let verification = try await goOn()
        #expect(verification.firstBad == nil)
        #expect(verification.gaps.map(\.after) == [0])
        #expect(verification.count == 2)
    }

    @Test func `a segment that was begun and never written is gone on with`() async throws {
        try folder.write([], to: "000002.jsonl")
        let verification = try await goOn()
        #expect(verification.firstBad == nil)
        #expect(verification.count == 5)
        #expect(verification.gaps.isEmpty)
        #expect(try folder.lines("000002.jsonl").count == 1)
    }

    @Test func `a draft that a crash left is thrown away`() async throws {
        try folder.write(Array("half a line".utf8), to: "000002.jsonl.new")
        try folder.write(Array(whole[..<(whole.count - 3)]), to: "000001.jsonl")
        let verification = try await goOn()
        #expect(verification.firstBad == nil)
        #expect(!folder.names.contains("000002.jsonl.new"))
    }

    @Test func `an end torn twice is two gaps`() async throws {
        try folder.write(Array(whole[..<(whole.count - 3)]), to: "000001.jsonl")
        _ = try await goOn()
        let second = try folder.bytes("000002.jsonl")
        try folder.write(Array(second.dropLast(10)), to: "000002.jsonl")
        let verification = try await goOn()
        #expect(verification.firstBad == nil)
        #expect(verification.gaps.map(\.after) == [3, 4])
    }

    @Test func `a gap anywhere else than at a segment's beginning is refused`() async throws {
        let gap = Entry.gap(
            after: ChainPosition(seq: 4, hash: LogLine.origin), written: .origin,
            failure: .step("write", ErrorNumber(code: EIO)), at: moment())
        var line: [UInt8] = []
        LogLine.bytes(
            seq: 5, prev: sha256(whole[starts[3]..<(starts[4] - 1)]), body: LogLine.body(of: gap), into: &line
        )
        try folder.write(whole + line + [0x0A], to: "000001.jsonl")
        guard case .badGap = try verify(folder: folder.path).firstBad?.why else {
            Issue.record("a gap in the middle passes")
            return
        }
    }

    @Test func `a gap that names another entry than the last one is refused`() async throws {
        func forged(after: ChainPosition) throws -> BadEntry? {
            let gap = Entry.gap(
                after: after, written: after, failure: .step("write", ErrorNumber(code: EIO)), at: moment())
            var line: [UInt8] = []
            LogLine.bytes(seq: 9, prev: after.hash, body: LogLine.body(of: gap), into: &line)
            try folder.write(line + [0x0A], to: "000002.jsonl")
            return try verify(folder: folder.path).firstBad
        }
        let third = ChainPosition(seq: 3, hash: sha256(whole[starts[2]..<(starts[3] - 1)]))
        #expect(
            try forged(after: third) == nil, "who may write the folder may give up its end; a head finds it")
        #expect(try forged(after: ChainPosition(seq: 3, hash: sha256("x"))) != nil)
        let fourth = sha256(whole[starts[3]..<(starts[4] - 1)])
        #expect(try forged(after: ChainPosition(seq: 4, hash: fourth)) == nil)
        #expect(try forged(after: ChainPosition(seq: 7, hash: fourth)) != nil)
        #expect(try forged(after: ChainPosition(seq: 7, hash: third.hash)) != nil)
    }

    @Test func `a follower sees every entry once, over rotations and gaps`() async throws {
        let folder = try Folder()
        var setting = LogSetting()
        setting.segmentByteCountMax = 600
        let log = try RequestLog.test(folder, setting: setting)
        var tail = try LogTail(folder: folder.path, from: EntryID(seq: 1))
        #expect(try tail.next() == nil)
        var seen: [UInt64] = []
        for number in 1...12 {
            _ = await log.appended(.fault(at: moment(number), step: "step \(number)", error: "x"), .written)
            if number % 3 == 0 { while let entry = try tail.next() { seen.append(entry.id.seq) } }
        }
        #expect(seen == Array(1...12))
        log.stop()
        let last = try #require(folder.names.last { $0.hasSuffix(".jsonl") })
        try folder.write(Array(try folder.bytes(last).dropLast(4)), to: last)
        let again = try RequestLog.test(folder, setting: setting)
        _ = await again.appended(.stop(at: moment(), reason: "x"))
        again.stop()
        var end = try LogTail(folder: folder.path, last: 2)
        var types: [EntryType] = []
        while let entry = try end.next() { types.append(entry.type) }
        #expect(types == [.gap, .stop])
    }
}
