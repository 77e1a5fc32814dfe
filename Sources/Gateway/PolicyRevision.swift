import Deciding
import Glibc
import Recognizing
import Vocabulary

/// Where a set of policies is read from.
package enum PolicyPlace: Sendable {
    case folder(String)
    /// The folder as git has it at a revision: `main`, `HEAD~1`, a tag or a commit.
    case revision(String, of: String)
}

/// The policy set at `place`.
///
/// - Throws: ``ConfigurationError`` with every fault found; for a revision also where there is no git, no
///   repository, no such revision, or no such folder in it.
func loadPolicies(_ place: PolicyPlace) throws(ConfigurationError) -> PolicySet {
    switch place {
    case .folder(let path): return try loadPolicies(path)
    case .revision(let revision, let path):
        let files = try policyFiles(at: revision, of: path)
        do { return try PolicySet.load(files: files, actions: ActionNames(.builtIn)) } catch {
            throw ConfigurationError("at \(shown(revision)):\n\(error)")
        }
    }
}

/// The policy files of the folder `path` as git has them at `revision`.
///
/// Git is asked for a tree and for its blobs, and checks nothing out: no hook and no filter runs.
private func policyFiles(at revision: String, of path: String) throws(ConfigurationError) -> [PolicyFile] {
    let name = shown(revision)
    guard !revision.isEmpty, !revision.hasPrefix("-") else {
        throw ConfigurationError("`\(name)` is no revision of git")
    }
    guard try git(["rev-parse", "--is-inside-work-tree"], in: path) != nil else {
        throw ConfigurationError(
            "`\(shown(path))` is in no git repository, so there is nothing to compare with")
    }
    guard let found = try git(["rev-parse", "--verify", "--quiet", revision + "^{commit}"], in: path) else {
        throw ConfigurationError("`\(name)` is no revision of the repository of `\(shown(path))`")
    }
    let commit = String(decoding: found.prefix { $0 != 0x0A }, as: UTF8.self)
    // From within a folder, its own part of the tree.
    let tree = try git(["ls-tree", "-z", commit], in: path) ?? []
    guard !tree.isEmpty else {
        throw ConfigurationError("`\(name)` has no folder `\(shown(path))`")
    }
    var files: [PolicyFile] = []
    var byteCount = 0
    for line in tree.split(separator: 0) {
        // `100644 blob OID<tab>NAME`
        let halves = line.split(separator: 0x09, maxSplits: 1)
        let words = halves[0].split(separator: 0x20).map { String(decoding: $0, as: UTF8.self) }
        guard halves.count == 2, words.count == 3 else { throw ConfigurationError("git answers oddly") }
        let file = String(decoding: halves[1], as: UTF8.self)
        guard PolicyFile.isRead(file) else { continue }
        guard words[1] == "blob", words[0] != "120000" else {
            throw ConfigurationError("`\(shown(file))` is no file at \(name)")
        }
        guard files.count < PolicySet.fileCountMax else {
            throw ConfigurationError("more than \(PolicySet.fileCountMax) policy files at \(name)")
        }
        guard let bytes = try git(["cat-file", "blob", words[2]], in: path) else {
            throw ConfigurationError("git has no content of `\(shown(file))` at \(name)")
        }
        byteCount += bytes.count
        guard byteCount <= PolicyFolder.byteCountMax else {
            throw ConfigurationError("more than \(PolicyFolder.byteCountMax) bytes of policies at \(name)")
        }
        files.append(PolicyFile(name: file, bytes: bytes))
    }
    return files
}

/// What `git` writes; nil where it says no by its exit code.
private func git(_ arguments: [String], in folder: String) throws(ConfigurationError) -> [UInt8]? {
    // A hook's own variables name another repository or index than that of the folder.
    let environment = processEnvironment().filter { !$0.key.hasPrefix("GIT_") }
    let child: ChildProcess
    do {
        child = try ChildProcess(["git", "-C", folder] + arguments, environment: environment)
    } catch { throw ConfigurationError(error.why) }
    defer { close(child.output) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = read(child.output, &buffer, buffer.count)
        if count == 0 { break }
        guard count > 0 || errno == EINTR, bytes.count <= PolicyFolder.byteCountMax else {
            child.end()
            throw ConfigurationError("what git writes cannot be read, or is too much")
        }
        bytes += buffer[..<max(0, count)]
    }
    return child.reap() == 0 ? bytes : nil
}
