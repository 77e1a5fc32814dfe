import Glibc
import Vocabulary

/// The few system calls that the log's writer makes, as values, so that tests can make them fail.
///
/// Each returns nil or a count when it worked, else throws the error number.
struct LogFiles: Sendable {
    /// Creates `name` in the open folder for appending, mode 0600; fails if it exists. The descriptor.
    var create: @Sendable (_ folder: Int32, _ name: String) throws(ErrorNumber) -> Int32
    /// Opens the existing file `name` for appending. The descriptor.
    var reopen: @Sendable (_ folder: Int32, _ name: String) throws(ErrorNumber) -> Int32
    /// Writes some of the bytes; how many.
    var write: @Sendable (_ file: Int32, _ bytes: UnsafeRawBufferPointer) throws(ErrorNumber) -> Int
    /// Waits until all that was written to the file is on the disk.
    var sync: @Sendable (_ file: Int32) throws(ErrorNumber) -> Void
    /// Waits until the folder's names are on the disk.
    var syncFolder: @Sendable (_ folder: Int32) throws(ErrorNumber) -> Void
    var rename: @Sendable (_ folder: Int32, _ from: String, _ to: String) throws(ErrorNumber) -> Void
    /// The bytes that an unprivileged process may still use of the file system.
    var freeBytes: @Sendable (_ folder: Int32) throws(ErrorNumber) -> UInt64
}

/// What the operating system said (errno).
struct ErrorNumber: Error, Hashable, Sendable {
    let code: Int32
    static var last: ErrorNumber { ErrorNumber(code: errno) }
}

extension LogFiles {
    /// The real ones.
    static let system = LogFiles(
        create: { folder, name throws(ErrorNumber) in
            let flags = O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW
            return try descriptor(openat(folder, name, flags, 0o600))
        },
        reopen: { folder, name throws(ErrorNumber) in
            try descriptor(openat(folder, name, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW))
        },
        write: { file, bytes throws(ErrorNumber) in
            while true {
                let count = Glibc.write(file, bytes.baseAddress, bytes.count)
                if count >= 0 { return count }
                if errno != EINTR { throw .last }
            }
        },
        sync: { file throws(ErrorNumber) in
            if fdatasync(file) != 0 { throw .last }
        },
        syncFolder: { folder throws(ErrorNumber) in
            if fsync(folder) != 0 { throw .last }
        },
        rename: { folder, from, to throws(ErrorNumber) in
            if renameat(folder, from, folder, to) != 0 { throw .last }
        },
        freeBytes: { folder throws(ErrorNumber) in
            var space = statvfs()
            if fstatvfs(folder, &space) != 0 { throw .last }
            return UInt64(space.f_bavail) * UInt64(space.f_frsize)
        })
}

private func descriptor(_ result: Int32) throws(ErrorNumber) -> Int32 {
    if result < 0 { throw .last }
    return result
}

/// The operating system's words for `code`.
func errorText(_ code: Int32) -> String {
    switch code {
    case ENOSPC: "no space left on the disk"
    case EIO: "input/output error"
    case EACCES: "permission denied"
    case ENOENT: "no such file or folder"
    case EROFS: "read-only file system"
    case EDQUOT: "disk quota exceeded"
    default: "error \(code)"
    }
}
