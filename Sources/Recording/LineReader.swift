import Glibc
import Hashing
import Vocabulary

/// Reads one segment line by line, in constant memory.
struct LineReader: ~Copyable {
    enum Step {
        /// A whole line without its newline, which begins at `offset`.
        case line([UInt8], offset: Int)
        /// No newline within the longest line, from `offset` on.
        case tooLong(offset: Int)
        /// The end of the file for now; ``restByteCount`` bytes stand after the last newline.
        case end
    }

    private let file: Int32
    private let path: String
    private var buffer: [UInt8] = []
    private var at = 0
    /// The offset in the file of `buffer[0]`.
    private var base = 0
    private static let chunkByteCount = 131_072

    /// Opens `name` in the open folder `folder`.
    init(folder: Int32, name: String, path: String) throws(LogError) {
        self.path = "\(path)/\(name)"
        file = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        if file < 0 { throw .system(step: "open", path: self.path, code: errno) }
    }

    deinit { close(file) }

    /// Where the next line begins.
    var offset: Int { base + at }

    /// Bytes after the last newline that ``next()`` saw.
    var restByteCount: Int { buffer.count - at }

    mutating func next() throws(LogError) -> Step {
        var searched = at
        while true {
            if let end = newline(from: searched) {
                let line = Array(buffer[at..<end])
                let start = offset
                at = end + 1
                return line.count > LogLine.byteCountMax
                    ? .tooLong(offset: start) : .line(line, offset: start)
            }
            if buffer.count - at > LogLine.byteCountMax { return .tooLong(offset: offset) }
            searched = buffer.count - at
            guard try fill() else { return .end }
        }
    }

    /// Where the first newline stands from `start` on.
    private func newline(from start: Int) -> Int? {
        buffer.withUnsafeBytes { bytes in
            guard start < bytes.count, let base = bytes.baseAddress,
                let found = memchr(base + start, 0x0A, bytes.count - start)
            else { return nil }
            return UnsafeRawPointer(found) - base
        }
    }

    /// Whether more bytes came.
    private mutating func fill() throws(LogError) -> Bool {
        let chunk = try chunk(at: base + buffer.count)
        if chunk.isEmpty { return false }
        buffer = Array(buffer[at...]) + chunk
        base += at
        at = 0
        return true
    }

    /// The bytes from `offset` on, at most one chunk; none at the end.
    private func chunk(at offset: Int) throws(LogError) -> [UInt8] {
        var result = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: Self.chunkByteCount) { buffer, count in
            result = pread(file, buffer.baseAddress, Self.chunkByteCount, off_t(offset))
            count = max(0, result)
        }
        if result < 0 { throw .system(step: "read", path: path, code: errno) }
        return bytes
    }

    /// Count and SHA-256 of the file's bytes from `start` to its end, and whether a NUL is among them.
    func rest(from start: Int) throws(LogError) -> (byteCount: Int, sha256: Digest, holdsNUL: Bool) {
        var hasher = SHA256Hasher()
        var total = 0
        var holdsNUL = false
        while true {
            let chunk = try chunk(at: start + total)
            if chunk.isEmpty { return (total, hasher.finish(), holdsNUL) }
            hasher.update(chunk)
            holdsNUL = holdsNUL || chunk.contains(0)
            total += chunk.count
        }
    }
}
