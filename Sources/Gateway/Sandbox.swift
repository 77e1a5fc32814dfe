import Glibc
import Vocabulary

/// What a command in a sandbox sees: the system, its work folder, the gate, and nothing else of the host.
///
/// Made by bubblewrap (`bwrap`): namespaces of its own for mounts, network, processes and users. The network
/// has a loopback and no way out; at the gate's port a relay listens that leads to the gate's listener.
package struct Sandbox: Hashable, Sendable {
    /// Where the command runs; it may write there.
    package var workFolder: String
    package var home: String
    /// Further files and folders that it may read, or also write; absolute, without links.
    package var readable: [String]
    package var writable: [String]
    /// What must not be seen even where it lies in one of these: files and folders that are there.
    package var hidden: [String]
    /// The run's folder, with the AWS configuration and the relay's socket.
    package var runFolder: String
    /// Where `countersign wait` asks; nil when it is not there.
    package var agentSocket: String?
    /// This program and what it is linked with.
    package var program: [String]
    /// Whether the terminal must be cut off: it would take typed words from the command as the user's.
    package var cutsTerminal: Bool

    /// The system's own folders, read-only.
    static let system = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/etc"]

    /// The options of `bwrap` up to the command.
    ///
    /// - Throws: ``ConfigurationError`` when what must be hidden holds what must be seen.
    package func arguments() throws(ConfigurationError) -> [String] {
        let seen = [workFolder] + writable + readable
        guard workFolder != "/", !(home + "/").hasPrefix(workFolder + "/") else {
            throw ConfigurationError("a sandbox needs a folder for its work: neither / nor the home folder")
        }
        for path in seen {
            guard !Self.system.contains(path), path != "/", path != home else {
                throw ConfigurationError("\(shown(path)) cannot be given to a sandbox whole")
            }
            for hidden in hidden where path == hidden || path.hasPrefix(hidden + "/") {
                throw ConfigurationError("\(shown(path)) lies in \(shown(hidden)), which a sandbox hides")
            }
        }
        var out = [
            "--die-with-parent", "--unshare-user-try", "--unshare-net", "--unshare-pid", "--unshare-ipc",
            "--unshare-uts", "--unshare-cgroup-try", "--cap-drop", "ALL", "--as-pid-1",
        ]
        if cutsTerminal { out.append("--new-session") }
        for path in Self.system { out += systemMount(path) }
        out += ["--proc", "/proc", "--dev", "/dev"]
        for path in ["/tmp", "/run", "/var/tmp", home] { out += ["--tmpfs", path] }
        out += ["--symlink", "/run", "/var/run"]
        for path in readable { out += ["--ro-bind", path, path] }
        for path in [workFolder] + writable { out += ["--bind", path, path] }
        for path in hidden + ["/etc/countersign"] where isVisible(path, in: seen + ["/etc"]) {
            out += isFolder(path) ? ["--tmpfs", path] : ["--ro-bind", "/dev/null", path]
        }
        for path in program where !Self.system.contains(where: { path.hasPrefix($0 + "/") }) {
            out += ["--ro-bind", path, path]
        }
        out += ["--ro-bind", runFolder, runFolder]
        if let agentSocket { out += ["--ro-bind", agentSocket, agentSocket] }
        return out + ["--chdir", workFolder]
    }

    private func isVisible(_ path: String, in seen: [String]) -> Bool {
        access(path, F_OK) == 0 && seen.contains { path.hasPrefix($0 + "/") }
    }

    private func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// A folder of the system as it is: a link to another stays one.
    private func systemMount(_ path: String) -> [String] {
        var status = stat()
        guard lstat(path, &status) == 0 else { return [] }
        guard status.st_mode & S_IFMT == S_IFLNK else { return ["--ro-bind", path, path] }
        var buffer = [CChar](repeating: 0, count: 4_096)
        let count = readlink(path, &buffer, buffer.count - 1)
        guard count > 0 else { return [] }
        return [
            "--symlink", String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self),
            path,
        ]
    }
}

extension Sandbox {
    /// The sandbox of a run in this process's work folder, beside the gate that `configuration` tells of.
    ///
    /// - Throws: ``ConfigurationError`` when one of `readable` and `writable` is not there.
    package static func ofRun(
        in runFolder: String, readable: [String], writable: [String], configuration: Configuration
    ) throws(ConfigurationError) -> Sandbox {
        let environment = processEnvironment()
        let home = real(environment["HOME"] ?? "/") ?? "/"
        func given(_ path: String) throws(ConfigurationError) -> String {
            guard let found = real(path) else { throw ConfigurationError("\(shown(path)) is not there") }
            return found
        }
        guard let workFolder = real(".") else { throw ConfigurationError("the work folder is not there") }
        let own = [
            "\(home)/.aws", environment["AWS_CONFIG_FILE"], environment["AWS_SHARED_CREDENTIALS_FILE"],
            environment["AWS_WEB_IDENTITY_TOKEN_FILE"], configuration.state, configuration.policies,
            configuration.controlSocket,
        ]
        // A terminal that takes input typed by programs (Linux before 6.2, or as the host has it set).
        let setting = try? readFile("/proc/sys/dev/tty/legacy_tiocsti", limit: 16, isGuarded: false)
        return Sandbox(
            workFolder: workFolder, home: home, readable: try readable.map(given),
            writable: try writable.map(given),
            hidden: own.compactMap { $0.flatMap(real) }.filter { $0 != "/dev/null" }, runFolder: runFolder,
            agentSocket: real(configuration.agentSocket), program: ownFiles(),
            cutsTerminal: isatty(STDIN_FILENO) != 0 && setting?.first != UInt8(ascii: "0"))
    }

    /// This program, and the libraries that it has loaded.
    private static func ownFiles() -> [String] {
        let maps = (try? readFile("/proc/self/maps", limit: 1 << 20, isGuarded: false)) ?? []
        let paths = String(decoding: maps, as: UTF8.self).split(separator: "\n").compactMap {
            line -> String? in
            line.firstIndex(of: "/").map { String(line[$0...]) }
        }
        return Set(paths.filter { access($0, R_OK) == 0 }).sorted()
    }
}

/// `path` without links; nil when it is not there.
private func real(_ path: String) -> String? {
    guard let found = realpath(path, nil) else { return nil }
    defer { free(found) }
    return String(cString: found)
}

/// This program's own file.
package func ownProgram() -> String { real("/proc/self/exe") ?? "countersign" }

/// Why no sandbox can be made here; nil when one can.
package func sandboxFault() -> String? {
    let probe = [
        "bwrap", "--unshare-user-try", "--unshare-net", "--unshare-pid", "--ro-bind", "/", "/", "true",
    ]
    let child: ChildProcess
    do { child = try ChildProcess(probe, keepsErrors: true) } catch {
        return "--sandbox needs bubblewrap (`apt install bubblewrap`): \(error.why)"
    }
    var said: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while case let count = read(child.output, &buffer, buffer.count), count > 0 { said += buffer[..<count] }
    close(child.output)
    guard child.reap() != 0 else { return nil }
    let line = String(decoding: said.prefix { $0 != 0x0A }, as: UTF8.self)
    return "the kernel lets this user make no sandbox: \(shown(line))"
}
