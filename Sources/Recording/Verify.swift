import Glibc
import Hashing
import Vocabulary

/// How far a log goes: what an operator keeps elsewhere, to prove later that nothing up to there was cut or
/// rewritten.
///
/// Written as one line of JSON: `{"v":1,"count":48211,"seq":48211,"head":"sha256:…"}`.
package struct LogHead: Hashable, Sendable {
    /// Entries that stand.
    package let count: Int
    /// The last one's number, and the SHA-256 of its line.
    package let seq: UInt64
    package let hash: Digest

    package init(count: Int, seq: UInt64, hash: Digest) {
        self.count = count
        self.seq = seq
        self.hash = hash
    }

    /// The head as a head file holds it, with its newline.
    package var line: [UInt8] {
        JSON.object([
            .count("v", 1), .count("count", count), .count("seq", seq), .digest("head", hash),
        ]).line + [0x0A]
    }

    /// The head that the bytes of a head file hold.
    ///
    /// - Throws: ``LogError/badHead(why:)`` for anything that ``line`` would not write.
    package init(parsing bytes: [UInt8]) throws(LogError) {
        guard let json = try? JSON(parsing: bytes),
            json.members?.map(\.name) == ["v", "count", "seq", "head"],
            json["v"] == .number("1"), let count = json["count"]?.integer, let seq = json["seq"]?.integer,
            let hash = json["head"]?.string.flatMap(Digest.init(parsing:)), count >= 0, seq >= count
        else { throw .badHead(why: #"does not hold {"v":1,"count":…,"seq":…,"head":"sha256:…"}"#) }
        self.init(count: Int(count), seq: UInt64(seq), hash: hash)
    }

    /// The head in the file at `path`.
    package init(contentsOf path: String) throws(LogError) {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        if file < 0 { throw .system(step: "open", path: path, code: errno) }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 4_096)
        let count = read(file, &bytes, bytes.count)
        if count < 0 { throw .system(step: "read", path: path, code: errno) }
        try self.init(parsing: Array(bytes[..<count]))
    }
}

/// What a log proves of itself.
package struct Verification: Hashable, Sendable {
    /// Entries that stand, up to the first bad one.
    package fileprivate(set) var count = 0
    package fileprivate(set) var firstSeq: UInt64?
    package fileprivate(set) var lastSeq: UInt64?
    /// The hash of the last entry that stands; ``LogLine/origin`` for an empty log.
    package fileprivate(set) var headHash = LogLine.origin
    /// Where entries may be missing after a crash or a disk fault, each named by an entry of its own.
    package fileprivate(set) var gaps: [GapFinding] = []
    /// Entries found in gaps; they do not count.
    package fileprivate(set) var unsureCount = 0
    /// Requests without an outcome, oldest first, at most ``unpairedListMax``: it is not known what became of
    /// them.
    package fileprivate(set) var unpaired: [EntryID] = []
    package fileprivate(set) var unpairedCount = 0
    /// Bytes of a last line without newline: being written now, or torn; nothing was signed on it.
    package fileprivate(set) var tornTailByteCount = 0
    /// The first entry that is not what was written; nil when all of them are.
    package fileprivate(set) var firstBad: BadEntry?
    /// Whether a head from elsewhere was compared. Without one the log is not anchored: its last entries may
    /// have been cut off, or all of it rewritten.
    package let isAnchored: Bool

    /// How many of the requests without outcome are listed; all are counted.
    package static let unpairedListMax = 1_000

    /// Whether nothing is wrong with any entry.
    package var isSound: Bool { firstBad == nil }

    /// The head to keep elsewhere; nil for an empty or bad log.
    package var head: LogHead? {
        guard isSound, let lastSeq else { return nil }
        return LogHead(count: count, seq: lastSeq, hash: headHash)
    }
}

/// Reads the whole log in `folder` and checks every link, in constant memory. The log may be written to
/// meanwhile.
///
/// With `expecting`, the entry it names must be there with that hash: a cut tail or a rewritten end is then
/// found too.
///
/// - Throws: ``LogError/system(step:path:code:)`` when the log cannot be read. A bad entry is not thrown: it
///   is in the answer.
package func verify(folder: String, expecting head: LogHead? = nil) throws(LogError) -> Verification {
    var verification = Verification(isAnchored: head != nil)
    var open = UnfinishedRequests()
    do throws(LogError) {
        var walker = try LogWalker(folder: folder, head: head)
        var isHeadMet = head.map { $0.seq == 0 } ?? true
        while let step = try walker.next() {
            switch step {
            case .entry(let entry, let place), .gap(let entry, _, let place):
                if let head, head.seq == entry.id.seq {
                    guard head.hash == entry.hash else {
                        throw .damaged(
                            BadEntry(file: place.file, line: place.line, seq: head.seq, why: .changed))
                    }
                    isHeadMet = true
                }
                if case .gap(_, let finding, _) = step { verification.gaps.append(finding) }
                open.apply(entry)
                verification.stands(entry)
            case .unsure(let entry, _):
                // A head that was taken while an entry stood that a later fault made unsure.
                if entry.id.seq == head?.seq, entry.hash == head?.hash { isHeadMet = true }
                verification.unsureCount += 1
            case .tornTail(let byteCount, _): verification.tornTailByteCount = byteCount
            }
        }
        if let head, !isHeadMet {
            let numbers = try LogFolder(reading: folder).segments()
            throw .damaged(
                BadEntry(
                    file: segmentName(max(1, numbers.last ?? 1)), line: 0,
                    seq: (verification.lastSeq ?? 0) &+ 1,
                    why: .missing(found: head.seq <= (verification.lastSeq ?? 0) ? verification.lastSeq : nil)
                ))
        }
    } catch {
        guard case .damaged(let bad) = error else { throw error }
        verification.firstBad = bad
    }
    verification.unpaired = open.list.prefix(Verification.unpairedListMax).map(\.entry)
    verification.unpairedCount = open.list.count
    return verification
}

extension Verification {
    fileprivate mutating func stands(_ entry: StoredEntry) {
        count += 1
        if firstSeq == nil { firstSeq = entry.id.seq }
        lastSeq = entry.id.seq
        headHash = entry.hash
    }
}
