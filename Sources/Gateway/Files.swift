import Glibc
import Vocabulary

/// Why a file or folder cannot be used. Each message names the path and what to do.
package struct FileError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String

    init(_ path: String, _ what: String, errno code: Int32? = nil) {
        description = "\(path): \(what)" + (code.map { ": " + String(cString: strerror($0)) } ?? "")
    }
}

/// The bytes of the file at `path`, at most `limit`.
///
/// - Parameter isGuarded: refuse a file that anyone but its owner (root or this user) can write.
/// - Throws: ``FileError`` when it cannot be read, is no regular file, is longer, or is writable by others.
func readFile(_ path: String, limit: Int, isGuarded: Bool) throws(FileError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw FileError(path, "cannot be opened", errno: errno) }
    defer { close(descriptor) }
    return try readFile(descriptor, path, limit: limit, isGuarded: isGuarded)
}

/// The bytes of the file that is open as `descriptor`, at most `limit`; `path` is what errors call it.
///
/// One that is guarded must also stay as it is while it is read: half of what someone is writing is not what
/// they mean.
func readFile(
    _ descriptor: Int32, _ path: String, limit: Int, isGuarded: Bool
) throws(FileError) -> [UInt8] {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw FileError(path, "cannot be examined", errno: errno) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw FileError(path, "is not a regular file") }
    if isGuarded { try guardMode(path, status) }
    guard status.st_size <= limit else { throw FileError(path, "is larger than \(limit) bytes") }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count < 0 {
            if errno == EINTR { continue }
            throw FileError(path, "cannot be read", errno: errno)
        }
        if count == 0 { break }
        bytes += buffer[..<count]
        guard bytes.count <= limit else { throw FileError(path, "is larger than \(limit) bytes") }
    }
    guard isGuarded else { return bytes }
    var after = stat()
    guard fstat(descriptor, &after) == 0, Int(after.st_size) == bytes.count,
        (after.st_mtim.tv_sec, after.st_mtim.tv_nsec) == (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
    else { throw FileError(path, "was written to while it was read: load again when it is done") }
    return bytes
}

/// Refuses what others than root and this user could change.
func guardMode(_ path: String, _ status: stat) throws(FileError) {
    guard status.st_mode & 0o022 == 0 else {
        throw FileError(path, "can be written by others; `chmod go-w \(path)` mends it")
    }
    guard status.st_uid == 0 || status.st_uid == geteuid() else {
        throw FileError(
            path, "belongs to uid \(status.st_uid); it must belong to root or to uid \(geteuid())")
    }
}

/// The names of the entries of the folder at `path`, sorted by bytes, those that begin with a dot left out.
///
/// - Throws: ``FileError`` when it cannot be listed or others can write to it.
func listFolder(_ path: String) throws(FileError) -> [String] {
    var status = stat()
    guard stat(path, &status) == 0 else { throw FileError(path, "cannot be examined", errno: errno) }
    guard status.st_mode & S_IFMT == S_IFDIR else { throw FileError(path, "is not a folder") }
    try guardMode(path, status)
    guard let folder = opendir(path) else { throw FileError(path, "cannot be listed", errno: errno) }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
}

/// Makes the folder at `path`, and those above it, for this user alone (mode 0700); one that is there must be
/// so already.
func makePrivateFolder(_ path: String) throws(FileError) {
    for end in path.indices where end != path.startIndex && path[end] == "/" {
        if mkdir(String(path[..<end]), 0o700) != 0, errno != EEXIST {
            throw FileError(path, "cannot be made", errno: errno)
        }
    }
    if mkdir(path, 0o700) != 0, errno != EEXIST { throw FileError(path, "cannot be made", errno: errno) }
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
        throw FileError(path, "is not a folder")
    }
    guard status.st_uid == geteuid() else {
        throw FileError(path, "belongs to uid \(status.st_uid), not to this user")
    }
    guard status.st_mode & 0o077 == 0 else {
        throw FileError(path, "is open to others; `chmod 700 \(path)` mends it")
    }
}

/// Writes `bytes` as the whole file at `path`, mode 0644.
package func writeFile(_ path: String, _ bytes: [UInt8]) throws(FileError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw FileError(path, "cannot be written", errno: errno) }
    defer { close(descriptor) }
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if count < 0 {
            if errno == EINTR { continue }
            throw FileError(path, "cannot be written", errno: errno)
        }
        rest = rest.dropFirst(count)
    }
}

/// The bytes of the file at `path`, at most `limit`, which only this user, or root, may read or change.
///
/// - Throws: ``FileError`` when it cannot be read, or others can read it.
func readPrivateFile(_ path: String, limit: Int) throws(FileError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw FileError(path, "cannot be opened", errno: errno) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw FileError(path, "cannot be examined", errno: errno) }
    guard status.st_mode & 0o077 == 0 else {
        throw FileError(path, "is open to others; `chmod 600 \(path)` mends it")
    }
    return try readFile(descriptor, path, limit: limit, isGuarded: true)
}
