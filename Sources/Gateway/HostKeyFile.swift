import Glibc
import Hashing
import Identifying
import Vocabulary

extension HostKey {
    /// The host key in `state/keys/host.key`, made there when there is none yet.
    ///
    /// A key that others could have read or put there is refused rather than used: whoever has it can be any
    /// agent. Only the process that holds the log's lock may ask: two would make two keys.
    ///
    /// - Throws: ``FileError``, which names the path and never what is in it.
    static func kept(inState state: String) throws(FileError) -> HostKey {
        let folder = state + "/keys"
        let path = folder + "/host.key"
        try makePrivateFolder(folder)
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else {
            guard errno == ENOENT else { throw FileError(path, "cannot be opened", errno: errno) }
            return try made(path, in: folder)
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw FileError(path, "cannot be examined", errno: errno)
        }
        guard status.st_uid == geteuid() else {
            throw FileError(path, "belongs to uid \(status.st_uid), not to this user")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw FileError(
                path,
                "is open to others, who may know it by now: delete it, and start again (issued keys end)")
        }
        let bytes = try readFile(descriptor, path, limit: 4_096, isGuarded: true)
        guard let key = HostKey(bytes: bytes) else {
            throw FileError(
                path,
                "holds \(bytes.count) bytes, not \(HostKey.byteCount): put the right file back, or delete it "
                    + "and start again (issued keys end)")
        }
        return key
    }

    /// A new key, on the disk before anything is issued from it. Under a name of its own first: a crash in
    /// between must not leave half a key.
    private static func made(_ path: String, in folder: String) throws(FileError) -> HostKey {
        let bytes = randomBytes(byteCount)
        // INVARIANT: as many bytes as a host key has.
        guard let key = HostKey(bytes: bytes) else { preconditionFailure("a host key of another size") }
        let draft = path + ".new"
        unlink(draft)
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw FileError(draft, "cannot be made", errno: errno) }
        let written = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        let isSafe = written == bytes.count && fsync(descriptor) == 0
        let code = errno
        close(descriptor)
        guard isSafe else { throw FileError(draft, "cannot be written", errno: code) }
        guard rename(draft, path) == 0 else { throw FileError(path, "cannot be made", errno: errno) }
        try syncFolder(folder)
        return key
    }
}

private func syncFolder(_ path: String) throws(FileError) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileError(path, "cannot be opened", errno: errno) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw FileError(path, "cannot be synced", errno: errno) }
}
