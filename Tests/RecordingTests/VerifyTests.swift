import Deciding
import Glibc
import Hashing
import Testing
import Vocabulary

@testable import Recording

/// Numbers that look random and come again with the same seed (SplitMix64).
struct Seeded {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }

    mutating func next(below limit: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((mixed ^ (mixed >> 31)) % UInt64(max(1, limit)))
    }
}

/// `SEED` of the environment; else one that is always the same.
private let seed = getenv("SEED").flatMap { UInt64(String(cString: $0)) } ?? 20_261_122

@Suite("Recording: verifying") struct VerifyTests {
    /// A log of `count` entries over segments of about `segmentByteCount` bytes.
    private func log(_ count: Int, segmentByteCount: Int = 1 << 20) async throws -> (Folder, LogHead) {
        let folder = try Folder()
        var setting = LogSetting()
        setting.segmentByteCountMax = segmentByteCount
        let log = try RequestLog.test(folder, setting: setting)
        for number in 1...count {
            _ = await log.appended(
                .fault(at: moment(number), step: "step \(number)", error: "an error"), .written)
        }
        log.stop()
        let head = try #require(try verify(folder: folder.path).head)
        return (folder, head)
    }

    @Test func `an empty log is sound and has no head`() throws {
        let folder = try Folder()
        try RequestLog.test(folder).stop()
        let verification = try verify(folder: folder.path)
        #expect(verification.isSound)
        #expect(verification.count == 0)
        #expect(verification.head == nil)
        #expect(!verification.isAnchored)
    }

    @Test func `any one edit of a log makes verify name the entry`() async throws {
        let (folder, head) = try await log(8, segmentByteCount: 500)
        let names = folder.names.filter { $0.hasSuffix(".jsonl") }
        #expect(names.count > 2)
        let whole = try names.map { try folder.bytes($0) }
        var random = Seeded(seed)
        for round in 1...10_000 {
            let edit = Edit(of: whole, &random)
            guard edit.segments != whole else { continue }
            let changed = names.indices.filter { edit.segments[$0] != whole[$0] }
            for index in changed { try folder.write(edit.segments[index], to: names[index]) }
            let verification = try verify(folder: folder.path, expecting: head)
            let comment: Comment = "seed \(seed), round \(round): \(edit.what)"
            #expect(verification.firstBad?.seq == edit.entry, comment)
            #expect(verification.count <= 8, comment)
            for index in changed { try folder.write(whole[index], to: names[index]) }
        }
        #expect(try verify(folder: folder.path, expecting: head).isSound)
    }

    @Test func `a cut tail is found with a head, and looks whole without`() async throws {
        let (folder, head) = try await log(5)
        let lines = try folder.lines()
        try folder.write(Array((lines[..<3].joined(separator: "\n") + "\n").utf8), to: "000001.jsonl")
        let alone = try verify(folder: folder.path)
        #expect(alone.isSound)
        #expect(alone.count == 3)
        #expect(!alone.isAnchored)
        let anchored = try verify(folder: folder.path, expecting: head)
        #expect(anchored.firstBad?.seq == 4)
        #expect(anchored.firstBad?.why == .missing(found: nil))
    }

    @Test func `a rewritten end is found with a head, and looks whole without`() async throws {
        let (folder, head) = try await log(5)
        let (other, _) = try await log(4)
        var lines = try folder.lines()
        let body = Array(try other.lines()[3].utf8).dropFirst(9 + 10 + 72)
        var forged: [UInt8] = []
        LogLine.bytes(
            seq: 5, prev: sha256(lines[3]),
            body: Array(#","t":"2026-11-22T09:12:03.000Z","type":"stop"}"#.utf8),
            into: &forged)
        #expect(!body.isEmpty)
        lines[4] = String(decoding: forged, as: UTF8.self)
        try folder.write(Array((lines.joined(separator: "\n") + "\n").utf8), to: "000001.jsonl")
        #expect(try verify(folder: folder.path).isSound)
        #expect(try verify(folder: folder.path, expecting: head).firstBad?.seq == 5)
        #expect(try verify(folder: folder.path, expecting: head).firstBad?.why == .changed)
    }

    @Test func `a log that went on after its head was taken still has it`() async throws {
        let (folder, head) = try await log(3)
        let log = try RequestLog.test(folder)
        _ = try await log.appended(Sample.reservation()).get()
        log.stop()
        let verification = try verify(folder: folder.path, expecting: head)
        #expect(verification.isSound)
        #expect(verification.isAnchored)
        #expect(verification.count == 4)
    }

    @Test func `a head file is read as it was written, and nothing else is`() throws {
        let head = LogHead(count: 3, seq: 4, hash: sha256("x"))
        #expect(try LogHead(parsing: head.line) == head)
        for text in [
            "", "{}", #"{"v":2,"count":3,"seq":4,"head":"\#(head.hash)"}"#,
            #"{"v":1,"count":5,"seq":4,"head":"\#(head.hash)"}"#, #"{"v":1,"count":3,"seq":4,"head":"x"}"#,
            #"{"v":1,"count":-3,"seq":4,"head":"\#(head.hash)"}"#,
            #"{"v":1,"count":3,"seq":4,"head":"\#(head.hash)","more":1}"#,
        ] {
            #expect(throws: LogError.self) { try LogHead(parsing: Array(text.utf8)) }
        }
    }

    @Test func `a missing segment is named`() async throws {
        let (folder, _) = try await log(8, segmentByteCount: 500)
        unlink("\(folder.path)/000002.jsonl")
        #expect(try verify(folder: folder.path).firstBad?.file == "000002.jsonl")
    }

    @Test func `bytes without a newline are a torn end only at the end of the log`() async throws {
        let (folder, _) = try await log(8, segmentByteCount: 500)
        let first = try folder.bytes("000001.jsonl")
        try folder.write(first + Array("junk".utf8), to: "000001.jsonl")
        #expect(try verify(folder: folder.path).firstBad?.why == .torn)
        try folder.write(first, to: "000001.jsonl")
        let name = try #require(folder.names.last { $0.hasSuffix(".jsonl") })
        try folder.write(try folder.bytes(name) + Array("junk".utf8), to: name)
        let verification = try verify(folder: folder.path)
        #expect(verification.isSound)
        #expect(verification.tornTailByteCount == 4)
    }

    @Test func `a line that no writer of ours wrote is not read`() async throws {
        let (folder, _) = try await log(1)
        let line = try folder.lines()[0]
        let cases: [(String, String)] = [
            (line.replacing(#""v":1"#, with: #""v":2"#), "unknown version 2"),
            (line.replacing(#""type":"fault""#, with: #""type":"fault","type":"stop""#), "a name twice"),
            (line.replacing(#""type":"fault""#, with: #""type":"edict""#), "unknown type `edict`"),
            (line.replacing(#"{"v":1,"#, with: #"{"v":1,"note":1,"#), "does not begin with"),
            (line.replacing(#""seq":1,"#, with: #""seq":1.0,"#), "`seq`"),
            (line.replacing(#""seq":1,"#, with: #""seq":0,"#), "`seq`"),
            (" " + line, "alone on its line"), (line + "\r", "alone on its line"), ("[]", "not an object"),
            (line.replacing("2026-11-22", with: "2026-02-30"), "`t`"),
            (line.replacing("an error", with: "an \u{1}error"), "not JSON"),
        ]
        for (text, why) in cases {
            try folder.write(Array((text + "\n").utf8), to: "000001.jsonl")
            let bad = try #require(try verify(folder: folder.path).firstBad, "\(why)")
            #expect(bad.seq == 1)
            #expect(bad.line == 1)
            #expect(bad.description.contains(why), "\(bad)")
        }
    }

    @Test func `a line of the longest length is read, one byte more is not`() async throws {
        let folder = try Folder()
        let start =
            #"{"v":1,"seq":1,"prev":"\#(LogLine.origin)","t":"2026-11-22T09:12:03.000Z","type":"stop","x":""#
        for (count, isSound) in [(LogLine.byteCountMax, true), (LogLine.byteCountMax + 1, false)] {
            let text = start + String(repeating: "x", count: count - start.utf8.count - 2) + "\"}\n"
            try folder.write(Array(text.utf8), to: "000001.jsonl")
            #expect(try verify(folder: folder.path).isSound == isSound)
        }
        #expect(try verify(folder: folder.path).firstBad?.why == .tooLong)
    }

    @Test func `requests without an outcome are listed`() async throws {
        let folder = try Folder()
        let log = try RequestLog.test(folder)
        let first = try await log.appended(Sample.reservation()).get()
        let second = try await log.appended(
            Sample.reservation(mutates: true, uses: [Sample.use()], request: 2)
        ).get()
        let request = RequestID(random: 1)
        _ = await log.appended(.outcome(Sample.answered, of: first, request: request, at: moment()))
        log.stop()
        let verification = try verify(folder: folder.path)
        #expect(verification.unpaired == [second])
        let unfinished = try unfinishedRequests(folder: folder.path)
        #expect(unfinished.map(\.entry) == [second])
        #expect(unfinished.first?.uses == [try Sample.use()])
        #expect(unfinished.first?.request == RequestID(random: 2))
    }

    @Test func `entries are read from any number on, and reading stops at the first bad one`() async throws {
        let (folder, _) = try await log(8, segmentByteCount: 500)
        var entries = try LogEntries(folder: folder.path, from: EntryID(seq: 6))
        var seqs: [UInt64] = []
        while let entry = try entries.next() { seqs.append(entry.id.seq) }
        #expect(seqs == [6, 7, 8])

        let lines = try folder.lines("000002.jsonl")
        let edited = lines[0].replacing("an error", with: "no error")
        try folder.write(
            Array((([edited] + lines.dropFirst()).joined(separator: "\n") + "\n").utf8), to: "000002.jsonl")
        var broken = try LogEntries(folder: folder.path)
        var count: UInt64 = 0
        #expect(throws: LogError.self) {
            while let entry = try broken.next() { count = entry.id.seq }
        }
        #expect(count < 8)
    }
}

/// One change of a log's bytes, and the entry that verify should name for it.
private struct Edit {
    var segments: [[UInt8]]
    let entry: UInt64
    let what: String

    init(of whole: [[UInt8]], _ random: inout Seeded) {
        // Each line with the segment it stands in; one line an entry, so the entry's number is its place.
        let lines: [(segment: Int, bytes: [UInt8])] = whole.enumerated().flatMap { index, segment in
            segment.split(separator: 0x0A).map { (index, Array($0) + [0x0A]) }
        }
        var changed = lines.map(\.bytes)
        let at = random.next(below: lines.count)
        let byte = random.next(below: lines[at].bytes.count)
        switch random.next(below: 6) {
        case 0, 1:
            let value = UInt8(random.next(below: 256))
            what = "byte \(byte) of entry \(at + 1) becomes \(value)"
            changed[at][byte] = value
        case 2:
            what = "byte \(byte) of entry \(at + 1) goes"
            changed[at].remove(at: byte)
        case 3:
            what = "entry \(at + 1) goes"
            changed[at] = []
        case 4:
            let other = random.next(below: lines.count)
            what = "entries \(at + 1) and \(other + 1) change places"
            changed.swapAt(at, other)
            segments = Self.joined(changed, lines.map(\.segment), whole.count)
            entry = UInt64(min(at, other) + 1)
            return
        default:
            what = "entry \(at + 1) stands twice"
            changed[at] += changed[at]
            segments = Self.joined(changed, lines.map(\.segment), whole.count)
            entry = UInt64(at + 2)
            return
        }
        segments = Self.joined(changed, lines.map(\.segment), whole.count)
        entry = UInt64(at + 1)
    }

    private static func joined(_ lines: [[UInt8]], _ places: [Int], _ count: Int) -> [[UInt8]] {
        var segments = [[UInt8]](repeating: [], count: count)
        for (line, place) in zip(lines, places) { segments[place] += line }
        return segments
    }
}
