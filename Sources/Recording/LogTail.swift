import Vocabulary

/// Follows a log while it is written, across its segments. For showing: links are not checked,
/// ``verify(folder:expecting:)`` does that.
package struct LogTail: ~Copyable {
    private let folder: LogFolder
    private let first: EntryID
    private var number: Int
    private var reader: LineReader?
    private var line = 0

    /// Follows the log in `folder` from entry `first` on.
    package init(folder path: String, from first: EntryID) throws(LogError) {
        let folder = try LogFolder(reading: path)
        var start = 1
        for number in try folder.segments().reversed() {
            var reader = try LineReader(folder: folder.descriptor, name: segmentName(number), path: path)
            start = number
            if case .line(let line, _) = try reader.next(), let head = LineHead(line), head.seq <= first.seq {
                break
            }
        }
        self.folder = folder
        self.first = first
        number = start
    }

    /// Follows the log in `folder` from its last `count` entries on.
    package init(folder path: String, last count: Int) throws(LogError) {
        let last = try LogFolder(reading: path).tail().last.seq
        let skipped = last > UInt64(max(0, count)) ? last - UInt64(max(0, count)) : 0
        try self.init(folder: path, from: EntryID(seq: skipped + 1))
    }

    /// The next entry; nil when there is none for now: ask again later.
    ///
    /// - Throws: ``LogError/damaged(_:)`` for a whole line that is no entry, unless its segment was given up.
    package mutating func next() throws(LogError) -> StoredEntry? {
        while true {
            if reader == nil {
                guard try folder.segments().contains(number) else { return nil }
                reader = try LineReader(
                    folder: folder.descriptor, name: segmentName(number), path: folder.path)
                line = 0
            }
            switch try reader?.next() {
            case .line(let bytes, _):
                line += 1
                do throws(BadEntry.Why) {
                    let entry = try StoredEntry(line: bytes)
                    if entry.id >= first { return entry }
                } catch {
                    guard try moveOn() else {
                        throw .damaged(BadEntry(file: segmentName(number), line: line, seq: 0, why: error))
                    }
                }
            case .tooLong:
                guard try moveOn() else {
                    throw .damaged(BadEntry(file: segmentName(number), line: line + 1, seq: 0, why: .tooLong))
                }
            case .end, nil:
                guard try folder.segments().contains(number + 1) else { return nil }
                // The next segment is there, so this one is final; what came between the two looks is still
                // to be read.
                if case .line(let bytes, _) = try reader?.next(), let entry = try? StoredEntry(line: bytes) {
                    line += 1
                    if entry.id >= first { return entry }
                    continue
                }
                _ = try moveOn()
            }
        }
    }

    /// Goes to the next segment if there is one.
    private mutating func moveOn() throws(LogError) -> Bool {
        guard try folder.segments().contains(number + 1) else { return false }
        reader = nil
        number += 1
        return true
    }
}
