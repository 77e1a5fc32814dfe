import Glibc
import Hashing
import Vocabulary

/// The log's folder, open.
struct LogFolder: ~Copyable {
    let descriptor: Int32
    let path: String

    /// Opens the existing folder `path` to read it.
    init(reading path: String) throws(LogError) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if descriptor < 0 { throw .system(step: "open", path: path, code: errno) }
    }

    /// Opens `path` to write to it, and makes it (mode 0700) when it is not there.
    ///
    /// - Throws: ``LogError/unsafeFolder(path:why:)`` when it belongs to another user or others may enter it.
    static func writing(_ path: String) throws(LogError) -> LogFolder {
        if mkdir(path, 0o700) != 0, errno != EEXIST { throw .system(step: "create", path: path, code: errno) }
        let folder = try LogFolder(reading: path)
        var status = stat()
        if fstat(folder.descriptor, &status) != 0 { throw .system(step: "open", path: path, code: errno) }
        guard status.st_uid == geteuid() else {
            throw .unsafeFolder(path: path, why: "belongs to another user")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw .unsafeFolder(path: path, why: "may be entered by others: chmod 700 it")
        }
        return folder
    }

    deinit { close(descriptor) }

    /// The numbers of the segments, in order.
    func segments() throws(LogError) -> [Int] {
        guard let listing = fdopendir(dup(descriptor)) else {
            throw .system(step: "list", path: path, code: errno)
        }
        defer { closedir(listing) }
        rewinddir(listing)
        var numbers: [Int] = []
        while let item = readdir(listing) {
            let name = withUnsafeBytes(of: item.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let number = segmentNumber(name) { numbers.append(number) }
        }
        return numbers.sorted()
    }

    /// Takes the lock that makes this process the one writer, until the descriptor is closed.
    func lock() throws(LogError) -> Int32 {
        let file = openat(descriptor, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        if file < 0 { throw .system(step: "lock", path: path, code: errno) }
        if flock(file, LOCK_EX | LOCK_NB) != 0 {
            let code = errno
            close(file)
            throw code == EWOULDBLOCK ? .inUse(folder: path) : .system(step: "lock", path: path, code: code)
        }
        return file
    }
}

/// The number of the segment named `name`; nil for any other file.
func segmentNumber(_ name: String) -> Int? {
    guard let number = Int(name.prefix { $0 != "." }), number > 0, segmentName(number) == name else {
        return nil
    }
    return number
}

/// How a log ends: what a writer goes on from.
struct LogTailState: Hashable {
    /// The last segment's number; 0 for a log that has none.
    var segment: Int
    /// Bytes of the last segment up to the end of its last whole entry.
    var byteCount: Int
    var last: ChainPosition
    /// What stands in the last segment after the last whole entry, if anything does.
    var torn: Torn?

    struct Torn: Hashable {
        let byteCount: Int
        let sha256: Digest
    }
}

extension LogFolder {
    /// The end of the log, with the chain of its last segment checked.
    ///
    /// A torn end is the part of a line that a crash left, or blocks of NULs that a power cut left. Whole
    /// lines that do not fit the chain are no crash's work.
    ///
    /// - Throws: ``LogError/damaged(_:)`` for those: the log is then not continued.
    func tail() throws(LogError) -> LogTailState {
        let numbers = try segments()
        guard let last = numbers.last else {
            return LogTailState(segment: 0, byteCount: 0, last: .origin, torn: nil)
        }
        let state = try tail(of: last)
        if let state { return state }
        // Not one whole entry in the last segment: the entry before it stands at the end of the segment
        // before.
        var before = ChainPosition.origin
        if numbers.count > 1 {
            let previous = try tail(of: numbers[numbers.count - 2])
            guard let previous, previous.torn == nil else {
                throw .damaged(
                    BadEntry(file: segmentName(numbers[numbers.count - 2]), line: 1, seq: 1, why: .torn))
            }
            before = previous.last
        }
        let file = try LineReader(folder: descriptor, name: segmentName(last), path: path)
        let rest = try file.rest(from: 0)
        let torn = LogTailState.Torn(byteCount: rest.byteCount, sha256: rest.sha256)
        return LogTailState(segment: last, byteCount: 0, last: before, torn: rest.byteCount == 0 ? nil : torn)
    }

    /// The end of segment `number`; nil when it has no whole entry.
    private func tail(of number: Int) throws(LogError) -> LogTailState? {
        let name = segmentName(number)
        var reader = try LineReader(folder: descriptor, name: name, path: path)
        var position: ChainPosition?
        var line = 0
        var lastLine: [UInt8] = []
        func bad(_ why: BadEntry.Why) -> LogError {
            .damaged(BadEntry(file: name, line: line, seq: (position?.seq ?? 0) &+ 1, why: why))
        }
        while true {
            let start = reader.offset
            var brokenWhy: BadEntry.Why?
            switch try reader.next() {
            case .line(let bytes, _):
                line += 1
                if let head = LineHead(bytes),
                    position.map({ $0.seq &+ 1 == head.seq && $0.hash == head.prev }) ?? true
                {
                    position = ChainPosition(seq: head.seq, hash: sha256(bytes))
                    lastLine = bytes
                    continue
                }
                brokenWhy = .changed
            case .tooLong:
                line += 1
                brokenWhy = .tooLong
            case .end: break
            }
            let rest = try reader.rest(from: start)
            if let brokenWhy, !rest.holdsNUL { throw bad(brokenWhy) }
            guard let position else { return nil }
            do { _ = try StoredEntry(line: lastLine) } catch { throw bad(error) }
            let torn = LogTailState.Torn(byteCount: rest.byteCount, sha256: rest.sha256)
            return LogTailState(
                segment: number, byteCount: start, last: position, torn: rest.byteCount == 0 ? nil : torn)
        }
    }
}
