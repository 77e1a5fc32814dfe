import Glibc
import Hashing
import Vocabulary

/// Where a chain stands: the last entry and its hash.
struct ChainPosition: Hashable, Sendable {
    var seq: UInt64
    var hash: Digest
    static let origin = ChainPosition(seq: 0, hash: LogLine.origin)
}

/// A line that waits for its place in the chain.
struct UnchainedLine: Sendable {
    let seq: UInt64
    let body: [UInt8]
}

/// The one hand that writes: appends lines to the last segment, links them, syncs, rotates, and begins anew
/// after a failure.
///
/// A file whose write or sync failed once is never written again: what the kernel keeps of it cannot be
/// trusted. A later segment then begins with a gap. Used by one thread.
struct SegmentWriter {
    /// Why the last segment is given up; what the gap entry will say.
    enum Failure: Hashable {
        case step(String, ErrorNumber)
        case torn(byteCount: Int, sha256: Digest)
    }

    private let files: LogFiles
    private let folder: Int32
    private let path: String
    private let segmentByteCountMax: Int
    /// The last segment's number; 0 before the first.
    private(set) var number: Int
    /// The open segment; nil after a failure.
    private var file: Int32?
    private var byteCount = 0
    private var buffer: [UInt8] = []
    /// The last entry that was acknowledged.
    private(set) var written: ChainPosition
    /// The last entry that is known to be on the disk.
    private(set) var synced: ChainPosition
    private(set) var failure: Failure?

    var isDirty: Bool { failure == nil && synced.seq < written.seq }

    /// A writer that goes on after `tail`, whose lines have just been synced.
    init(files: LogFiles, folder: Int32, path: String, segmentByteCountMax: Int, tail: LogTailState)
        throws(LogError)
    {
        self.files = files
        self.folder = folder
        self.path = path
        self.segmentByteCountMax = segmentByteCountMax
        number = tail.segment
        written = tail.last
        synced = tail.last
        byteCount = tail.byteCount
        if let torn = tail.torn {
            failure = .torn(byteCount: torn.byteCount, sha256: torn.sha256)
        } else if number == 0 {
            try createSegment(firstLine: [])
        } else {
            do {
                let opened = try files.reopen(folder, segmentName(number))
                file = opened
                try files.sync(opened)
            } catch { throw fail("open", error) }
        }
    }

    /// Appends `lines` and, if `sync`, waits until they are on the disk. All of them are acknowledged, or
    /// none is.
    ///
    /// - Throws: ``LogError/system(step:path:code:)``; the segment is then given up, and ``recover(seq:at:)``
    ///   must come next.
    mutating func append(_ lines: [UnchainedLine], sync: Bool) throws(LogError) {
        // INVARIANT: the caller recovers from a failure before it appends.
        precondition(failure == nil, "append to a segment that failed")
        var end = written
        buffer.removeAll(keepingCapacity: buffer.capacity <= 1 << 22)
        for line in lines {
            let start = buffer.count
            LogLine.bytes(seq: line.seq, prev: end.hash, body: line.body, into: &buffer)
            end = ChainPosition(seq: line.seq, hash: sha256(buffer[start...]))
            buffer.append(0x0A)
        }
        if byteCount > 0, byteCount + buffer.count > segmentByteCountMax { try rotate() }
        guard let file else { throw .stopped }
        do { try writeAll(buffer, to: file) } catch { throw fail("write", error) }
        if sync {
            do { try files.sync(file) } catch { throw fail("sync", error) }
            synced = end
        }
        byteCount += buffer.count
        written = end
    }

    /// Waits until everything acknowledged is on the disk.
    mutating func sync() throws(LogError) {
        guard isDirty, let file else { return }
        do { try files.sync(file) } catch { throw fail("sync", error) }
        synced = written
    }

    /// Begins the next segment with a gap entry, number `seq`, that names the last synced entry.
    ///
    /// - Throws: ``LogError/system(step:path:code:)`` while the disk is still at fault; to be tried again.
    mutating func recover(seq: UInt64, at: Instant) throws(LogError) {
        guard let failure else { return }
        let entry = Entry.gap(after: synced, written: written, failure: failure, at: at)
        var line: [UInt8] = []
        LogLine.bytes(seq: seq, prev: synced.hash, body: LogLine.body(of: entry), into: &line)
        let position = ChainPosition(seq: seq, hash: sha256(line))
        line.append(0x0A)
        try createSegment(firstLine: line)
        self.failure = nil
        byteCount = line.count
        written = position
        synced = position
    }

    /// Syncs and closes the segment.
    mutating func close() throws(LogError) {
        try sync()
        if let file { Glibc.close(file) }
        file = nil
    }

    private mutating func rotate() throws(LogError) {
        try sync()
        if let file { Glibc.close(file) }
        file = nil
        try createSegment(firstLine: [])
        byteCount = 0
    }

    /// Makes the next segment, which has its whole first line from the moment it has its name.
    private mutating func createSegment(firstLine: [UInt8]) throws(LogError) {
        let name = segmentName(number + 1)
        let draft = name + ".new"
        // What a crash or an earlier failure left of it was never acknowledged.
        unlinkat(folder, draft, 0)
        var created: Int32?
        do {
            let file = try files.create(folder, draft)
            created = file
            try writeAll(firstLine, to: file)
            try files.sync(file)
            try files.rename(folder, draft, name)
        } catch {
            if let created { Glibc.close(created) }
            unlinkat(folder, draft, 0)
            throw fail("create", error)
        }
        // The name is taken from here on, even if the folder cannot be synced.
        number += 1
        do { try files.syncFolder(folder) } catch {
            if let created { Glibc.close(created) }
            throw fail("create", error)
        }
        file = created
    }

    private func writeAll(_ bytes: [UInt8], to file: Int32) throws(ErrorNumber) {
        let error: ErrorNumber? = bytes.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                do throws(ErrorNumber) {
                    let count = try files.write(file, UnsafeRawBufferPointer(rebasing: rest))
                    // A write that takes nothing and says nothing would repeat for ever.
                    guard count > 0 else { return ErrorNumber(code: EIO) }
                    rest = rest.dropFirst(count)
                } catch { return error }
            }
            return nil
        }
        if let error { throw error }
    }

    /// Gives the segment up: closes it, remembers why, and makes the error for those who wait.
    private mutating func fail(_ step: String, _ error: ErrorNumber) -> LogError {
        if let file {
            // A failed write leaves what was acknowledged before it whole; it may still reach the disk.
            if step == "write", (try? files.sync(file)) != nil { synced = written }
            Glibc.close(file)
        }
        file = nil
        if failure == nil { failure = .step(step, error) }
        return .system(step: step, path: "\(path)/\(segmentName(max(number, 1)))", code: error.code)
    }
}

/// `000042.jsonl`.
func segmentName(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 6 - digits.utf8.count)) + digits + ".jsonl"
}

extension Entry {
    /// The break between `after`, the last entry that is surely on the disk, and what follows.
    static func gap(
        after: ChainPosition, written: ChainPosition, failure: SegmentWriter.Failure, at: Instant
    ) -> Entry {
        var members: [JSON.Member?] = [.count("after", after.seq)]
        switch failure {
        case .step(let step, let error):
            members += [.text("cause", step), .text("error", errorText(error.code))]
            if written.seq > after.seq {
                members += [.count("written", written.seq), .digest("written_hash", written.hash)]
            }
        case .torn(let byteCount, let sha256):
            members += [
                .text("cause", "torn"), .count("torn_bytes", byteCount), .digest("torn_sha256", sha256),
            ]
        }
        return Entry(.gap, at: at, members)
    }
}
