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
    private static let chunkByteCount = 262_144

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
            if let end = buffer[searched...].firstIndex(of: 0x0A) {
                let line = Array(buffer[at..<end])
                let start = offset
                at = end + 1
                return line.count > LogLine.byteCountMax ? .tooLong(offset: start) : .line(line, offset: start)
            }
            if buffer.count - at > LogLine.byteCountMax { return .tooLong(offset: offset) }
            searched = buffer.count - at
            guard try fill() else { return .end }
        }
    }

    /// Whether more bytes came.
    private mutating func fill() throws(LogError) -> Bool {
        buffer.removeFirst(at)
        base += at
        at = 0
        let before = buffer.count
        buffer.append(contentsOf: repeatElement(0, count: Self.chunkByteCount))
        let count = buffer.withUnsafeMutableBytes { bytes in
            pread(file, bytes.baseAddress?.advanced(by: before), Self.chunkByteCount, off_t(base + before))
        }
        let code = errno
        buffer.removeLast(Self.chunkByteCount - max(0, count))
        if count < 0 { throw .system(step: "read", path: path, code: code) }
        return count > 0
    }

    /// Count and SHA-256 of the file's bytes from `start` to its end, and whether a NUL is among them.
    func rest(from start: Int) throws(LogError) -> (byteCount: Int, sha256: Digest, holdsNUL: Bool) {
        var hasher = SHA256Hasher()
        var chunk = [UInt8](repeating: 0, count: Self.chunkByteCount)
        var total = 0
        var holdsNUL = false
        while true {
            let count = chunk.withUnsafeMutableBytes { pread(file, $0.baseAddress, $0.count, off_t(start + total)) }
            if count < 0 { throw .system(step: "read", path: path, code: errno) }
            if count == 0 { return (total, hasher.finish(), holdsNUL) }
            hasher.update(chunk[..<count])
            holdsNUL = holdsNUL || chunk[..<count].contains(0)
            total += count
        }
    }
}
