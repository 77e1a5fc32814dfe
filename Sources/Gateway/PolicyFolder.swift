import Deciding
import Glibc
import Recognizing
import Vocabulary

/// The policy set in the folder at `path`: every `*.yaml`, `*.yml` and `*.json` in it, and what `agents.yaml`
/// attaches.
///
/// - Throws: ``ConfigurationError`` with every fault found: a folder or file that cannot be read or that
///   others can write, and each error of the set with file, line and column.
func loadPolicies(_ path: String) throws(ConfigurationError) -> PolicySet {
    let files: [PolicyFile]
    do { files = try PolicyFolder(path).read() } catch { throw ConfigurationError(error.description) }
    do { return try PolicySet.load(files: files, actions: ActionNames(.builtIn)) } catch {
        throw ConfigurationError("\(error)")
    }
}

/// A policy folder, opened once: what is read is in the very folder that was looked at, whatever its path
/// leads to a moment later.
struct PolicyFolder: ~Copyable {
    /// The most bytes of all its policy files together.
    static let byteCountMax = 64 << 20

    /// What tells one state of the folder from another without reading the files. Changes that keep size,
    /// place and both times of every file are not seen.
    struct Mark: Hashable {
        fileprivate struct File: Hashable {
            let name: [UInt8]
            let status: [Int]
        }

        fileprivate var files: [File] = []
    }

    private let path: String
    private let descriptor: Int32

    /// Opens the folder at `path`, which may be a symbolic link to it.
    ///
    /// - Throws: ``FileError`` when it cannot be opened or others can write to it.
    init(_ path: String) throws(FileError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw errno == ENOTDIR
                ? FileError(path, "is not a folder") : FileError(path, "cannot be opened", errno: errno)
        }
        do throws(FileError) {
            var status = stat()
            guard fstat(descriptor, &status) == 0 else {
                throw FileError(path, "cannot be examined", errno: errno)
            }
            try guardMode(path, status)
        } catch {
            close(descriptor)
            throw error
        }
        (self.path, self.descriptor) = (path, descriptor)
    }

    deinit { close(descriptor) }

    /// All policy files of the folder as they are at one moment.
    ///
    /// - Throws: ``FileError`` for the first that is no regular file, that others can write, that is too
    ///   large, or that changes while it is read; and for too many.
    func read() throws(FileError) -> [PolicyFile] {
        var files: [PolicyFile] = []
        var byteCount = 0
        for bytes in try names() {
            let name = String(decoding: bytes, as: UTF8.self)
            guard name.utf8.elementsEqual(bytes), shown(name).utf8.elementsEqual(bytes) else {
                throw FileError(
                    "\(path)/\(shown(name))", "has a name with characters that cannot be shown: rename it")
            }
            guard let file = try file(name) else {
                throw FileError("\(path)/\(name)", "cannot be opened", errno: ENOENT)
            }
            byteCount += file.bytes.count
            guard byteCount <= Self.byteCountMax else {
                throw FileError(path, "holds more than \(Self.byteCountMax) bytes of policies")
            }
            files.append(file)
        }
        return files
    }

    /// The file `name` of the folder, or of one in it; nil where there is none.
    ///
    /// - Throws: ``FileError`` as ``read()`` does.
    func file(_ name: String) throws(FileError) -> PolicyFile? {
        let place = "\(path)/\(name)"
        let file = openat(descriptor, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
        guard file >= 0 else {
            switch errno {
            case ENOENT, ENOTDIR: return nil
            case ELOOP:
                throw FileError(
                    place,
                    "is a symbolic link: a policy is a file of the folder itself; "
                        + "the folder may be reached by a link")
            default: throw FileError(place, "cannot be opened", errno: errno)
            }
        }
        defer { close(file) }
        return PolicyFile(
            name: name, bytes: try readFile(file, place, limit: 1 << 20, isGuarded: true))
    }

    /// The state of the folder; nil when it cannot be told.
    func mark() -> Mark? {
        guard let names = try? names() else { return nil }
        var mark = Mark()
        for name in names {
            var status = stat()
            let isThere = (name.map(CChar.init(bitPattern:)) + [0]).withUnsafeBufferPointer {
                $0.baseAddress.map { fstatat(descriptor, $0, &status, AT_SYMLINK_NOFOLLOW) == 0 } ?? false
            }
            guard isThere else { return nil }
            mark.files.append(Mark.File(name: name, status: status.identity))
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        mark.files.append(
            Mark.File(name: [], status: [Int(status.st_ino), Int(status.st_mode), Int(status.st_uid)]))
        return mark
    }

    /// The names of the policy files, by their bytes, sorted.
    private func names() throws(FileError) -> [[UInt8]] {
        // A descriptor of its own, since reading a folder moves the place that duplicates share.
        let own = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard own >= 0, let folder = fdopendir(own) else {
            throw FileError(path, "cannot be listed", errno: errno)
        }
        defer { closedir(folder) }
        var names: [[UInt8]] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            guard PolicyFile.isRead(String(decoding: name, as: UTF8.self)) else { continue }
            guard names.count < PolicySet.fileCountMax else {
                throw FileError(path, "holds more than \(PolicySet.fileCountMax) policy files")
            }
            names.append(name)
        }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }
}

extension stat {
    /// What changes when a file is written, replaced, or given to others.
    fileprivate var identity: [Int] {
        [
            Int(st_dev), Int(st_ino), Int(st_size), Int(st_mode), Int(st_uid), st_mtim.tv_sec,
            st_mtim.tv_nsec,
            st_ctim.tv_sec, st_ctim.tv_nsec,
        ]
    }
}
