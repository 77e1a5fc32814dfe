import Hashing
import Vocabulary

/// Walks a log from its first line to its last and checks every link: what verifying, reading and folding
/// stand on.
///
/// In constant memory but for the names of the segments.
struct LogWalker: ~Copyable {
    enum Step {
        /// An entry that stands: it links to the one before it.
        case entry(StoredEntry, Place)
        /// An entry after the last sure one of a segment that was given up: nobody was told of it, or it was
        /// not surely synced.
        case unsure(StoredEntry, Place)
        /// A gap entry, with what was found before it.
        case gap(StoredEntry, GapFinding, Place)
        /// The log's last line has no newline: it is being written, or a crash cut it. The next start records
        /// it.
        case tornTail(byteCount: Int, Place)
    }

    struct Place: Hashable {
        var file: String
        var line: Int
    }

    /// What the next gap says of the segment before it, read ahead.
    private struct GapAhead {
        var after: UInt64
        var written: ChainPosition?
    }

    private let folder: LogFolder
    private let numbers: [Int]
    /// For each segment, the last `seq` that is sure in it, where a later gap names one.
    private let limits: [UInt64?]
    /// For each segment, the gap that the next segment begins with.
    private let gapsAhead: [GapAhead?]
    /// The head to expect, if one is known: settles what was changed when the last line is at fault.
    private let head: LogHead?

    private var index = 0
    private var reader: LineReader?
    private var place = Place(file: segmentName(1), line: 0)
    private var lastPlace: Place?
    /// The last entry that stands.
    private(set) var chain = ChainPosition.origin
    /// The last entry of the unsure ones, since ``chain``.
    private var side: ChainPosition?
    private var finding = GapFinding()

    init(folder path: String, head: LogHead? = nil) throws(LogError) {
        let folder = try LogFolder(reading: path)
        let numbers = try folder.segments()
        var limits = [UInt64?](repeating: nil, count: numbers.count)
        var gapsAhead = [GapAhead?](repeating: nil, count: numbers.count)
        for (index, number) in numbers.enumerated() where number != index + 1 {
            throw .damaged(
                BadEntry(
                    file: segmentName(index + 1), line: 1, seq: 1,
                    why: .unreadable("the segment is not there")))
        }
        var limit: UInt64?
        for index in numbers.indices.reversed() {
            limits[index] = limit
            guard let gap = try Self.firstGap(of: numbers[index], in: folder) else { continue }
            limit = min(limit ?? .max, gap.after)
            if index > 0 { gapsAhead[index - 1] = gap }
        }
        self.folder = folder
        self.numbers = numbers
        self.limits = limits
        self.gapsAhead = gapsAhead
        self.head = head
    }

    private static func firstGap(
        of number: Int, in folder: borrowing LogFolder
    ) throws(LogError) -> GapAhead? {
        var first = try LineReader(folder: folder.descriptor, name: segmentName(number), path: folder.path)
        guard case .line(let line, _) = try first.next(), let entry = try? StoredEntry(line: line),
            let gap = GapFacts(entry)
        else { return nil }
        return GapAhead(after: gap.after, written: gap.written)
    }

    /// The next step; nil at the end.
    ///
    /// - Throws: ``LogError/damaged(_:)`` at the first bad entry, and the end is then final.
    mutating func next() throws(LogError) -> Step? {
        while index < numbers.count {
            if reader == nil {
                let name = segmentName(numbers[index])
                reader = try LineReader(folder: folder.descriptor, name: name, path: folder.path)
                place = Place(file: name, line: 0)
            }
            let isUnsure = limits[index].map { chain.seq >= $0 } ?? false
            let start = reader?.offset ?? 0
            guard let line = try reader?.next() else { continue }
            place.line += 1
            switch line {
            case .line(let bytes, _):
                if isUnsure {
                    if let step = try unsureStep(bytes, from: start) { return step }
                } else {
                    return try sureStep(bytes)
                }
            case .tooLong:
                guard isUnsure else { throw bad(.tooLong, seq: chain.seq &+ 1) }
                try skipTorn(from: start)
            case .end:
                let rest = reader?.restByteCount ?? 0
                if rest > 0, !isUnsure {
                    guard index == numbers.count - 1 else { throw bad(.torn, seq: chain.seq &+ 1) }
                    nextSegment()
                    return .tornTail(byteCount: rest, place)
                }
                if rest > 0 { try skipTorn(from: start) } else { nextSegment() }
            }
        }
        return nil
    }

    private mutating func nextSegment() {
        reader = nil
        index += 1
    }

    /// What no entry can be read of, from `start` to the segment's end.
    private mutating func skipTorn(from start: Int) throws(LogError) {
        if let rest = try reader?.rest(from: start) {
            finding.torn = LogTailState.Torn(byteCount: rest.byteCount, sha256: rest.sha256)
        }
        nextSegment()
    }

    private mutating func unsureStep(_ line: [UInt8], from start: Int) throws(LogError) -> Step? {
        let before = side ?? chain
        guard let entry = try? StoredEntry(line: line), entry.prev == before.hash, entry.id.seq > before.seq
        else {
            try skipTorn(from: start)
            return nil
        }
        let position = ChainPosition(seq: entry.id.seq, hash: entry.hash)
        side = position
        finding.unsureCount += 1
        if let written = gapsAhead[index]?.written, written == position { finding.isWhole = true }
        return .unsure(entry, place)
    }

    private mutating func sureStep(_ line: [UInt8]) throws(LogError) -> Step {
        let expected = chain.seq &+ 1
        let entry: StoredEntry
        do { entry = try StoredEntry(line: line) } catch { throw bad(error, seq: expected) }
        if entry.type == .gap { return try gapStep(entry) }
        if entry.id.seq != expected {
            let found = entry.id.seq
            throw bad(found > expected ? .missing(found: found) : .outOfOrder(found: found), seq: expected)
        }
        guard entry.prev == chain.hash else { throw try brokenLink(entry) }
        accept(entry)
        return .entry(entry, place)
    }

    private mutating func gapStep(_ entry: StoredEntry) throws(LogError) -> Step {
        let seq = entry.id.seq
        guard place.line == 1 else {
            throw bad(.badGap("it is not the first line of its segment"), seq: chain.seq &+ 1)
        }
        guard let facts = GapFacts(entry) else { throw bad(.badGap("it does not say after what"), seq: seq) }
        guard facts.after == chain.seq else {
            let why = "it names entry \(facts.after), the last one that stands is \(chain.seq)"
            throw bad(.badGap(why), seq: facts.after > chain.seq ? chain.seq &+ 1 : seq)
        }
        guard entry.prev == chain.hash else { throw try brokenLink(entry) }
        guard seq > (side ?? chain).seq else { throw bad(.badGap("its number was used before"), seq: seq) }
        if let torn = facts.torn {
            guard seq == chain.seq &+ 1 else { throw bad(.badGap("its number does not follow"), seq: seq) }
            guard finding.torn == torn, finding.unsureCount == 0 else {
                throw bad(.badGap("the torn bytes before it are not those it names"), seq: seq)
            }
        }
        finding.after = facts.after
        finding.until = seq
        finding.cause = facts.cause
        if facts.torn == nil, facts.written == nil { finding.isWhole = true }
        let found = finding
        finding = GapFinding()
        side = nil
        accept(entry)
        return .gap(entry, found, place)
    }

    private mutating func accept(_ entry: StoredEntry) {
        chain = ChainPosition(seq: entry.id.seq, hash: entry.hash)
        lastPlace = place
    }

    private func bad(_ why: BadEntry.Why, seq: UInt64) -> LogError {
        .damaged(BadEntry(file: place.file, line: place.line, seq: seq, why: why))
    }

    /// `entry` does not link to the entry before it: one of the two was changed. What follows attests to the
    /// one that was not.
    private mutating func brokenLink(_ entry: StoredEntry) throws(LogError) -> LogError {
        let attested = try followingLink() ?? (head?.seq == entry.id.seq ? head?.hash : nil)
        let isEntryIntact = attested == entry.hash || attested == nil
        guard isEntryIntact, chain.seq > 0, let lastPlace else { return bad(.changed, seq: entry.id.seq) }
        return .damaged(BadEntry(file: lastPlace.file, line: lastPlace.line, seq: chain.seq, why: .changed))
    }

    /// What the next line names as the hash of the line just read.
    private mutating func followingLink() throws(LogError) -> Digest? {
        if case .line(let line, _)? = try reader?.next() { return LineHead(line)?.prev }
        guard index + 1 < numbers.count else { return nil }
        let name = segmentName(numbers[index + 1])
        var following = try LineReader(folder: folder.descriptor, name: name, path: folder.path)
        guard case .line(let line, _) = try following.next() else { return nil }
        return LineHead(line)?.prev
    }
}

/// What was found between the last sure entry and a gap.
package struct GapFinding: Hashable, Sendable {
    /// The last sure entry.
    package fileprivate(set) var after: UInt64 = 0
    /// The gap's own number: what was numbered between is lost or unsure.
    package fileprivate(set) var until: UInt64 = 0
    /// `torn`, or the step that failed: `write`, `sync`, `create`, `open`.
    package fileprivate(set) var cause = ""
    /// Entries found between that nobody was told of, or that were not surely synced.
    package fileprivate(set) var unsureCount = 0
    /// Whether everything that was acknowledged before the failure is there, hash for hash.
    package fileprivate(set) var isWhole = false
    fileprivate(set) var torn: LogTailState.Torn?

    /// Bytes between that are no entry.
    package var tornByteCount: Int { torn?.byteCount ?? 0 }
}

/// What a gap entry says.
struct GapFacts {
    let after: UInt64
    let cause: String
    let torn: LogTailState.Torn?
    /// The last entry that was acknowledged without being surely synced.
    let written: ChainPosition?

    /// The facts of `entry`; nil unless it is a gap that is spelled as
    /// ``Entry/gap(after:written:failure:at:)`` does.
    init?(_ entry: StoredEntry) {
        guard entry.type == .gap, let after = entry["after"]?.integer, after >= 0,
            let cause = entry["cause"]?.string
        else { return nil }
        self.after = UInt64(after)
        self.cause = cause
        if cause == "torn" {
            guard let byteCount = entry["torn_bytes"]?.integer, byteCount >= 0,
                let sha256 = entry["torn_sha256"]?.string.flatMap(Digest.init(parsing:))
            else { return nil }
            torn = LogTailState.Torn(byteCount: Int(byteCount), sha256: sha256)
            written = nil
        } else {
            torn = nil
            guard let seq = entry["written"]?.integer else {
                written = nil
                return
            }
            guard seq > after, let hash = entry["written_hash"]?.string.flatMap(Digest.init(parsing:)) else {
                return nil
            }
            written = ChainPosition(seq: UInt64(seq), hash: hash)
        }
    }
}
