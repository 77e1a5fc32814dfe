import Glibc
import SigV4
import Vocabulary

/// The shared credentials and config files of AWS tools.
struct SharedFiles {
    /// Which of the two files.
    enum Kind {
        case credentials, config
    }

    private let credentialsFile: SettingsFile?
    private let configFile: SettingsFile?

    /// Reads the files that `environment` points to, or those of its `HOME`; a file that is not there is
    /// empty.
    ///
    /// - Throws: ``CredentialError`` for a file that is open to others, unreadable or malformed.
    init(environment: [String: String]) throws(CredentialError) {
        let home = environment["HOME"] ?? ""
        func path(_ variable: String, _ name: String) -> String? {
            let set = environment[variable] ?? ""
            if set.hasPrefix("~/") { return home.isEmpty ? nil : home + set.dropFirst() }
            if !set.isEmpty { return set }
            return home.isEmpty ? nil : "\(home)/.aws/\(name)"
        }
        let credentialsPath = path("AWS_SHARED_CREDENTIALS_FILE", "credentials")
        let configPath = path("AWS_CONFIG_FILE", "config")
        credentialsFile =
            if let credentialsPath { try SettingsFile(path: credentialsPath, isSecret: true) } else { nil }
        configFile = if let configPath { try SettingsFile(path: configPath, isSecret: false) } else { nil }
    }

    private func section(_ profile: String, in kind: Kind) -> [String: String]? {
        switch kind {
        case .credentials: return credentialsFile?.sections[profile]
        case .config:
            let isDefault = profile == "default"
            return configFile?.sections[isDefault ? "default" : "profile \(profile)"]
                ?? (isDefault ? configFile?.sections["profile default"] : nil)
        }
    }

    /// Whether either file has the profile.
    func has(_ profile: String) -> Bool {
        section(profile, in: .credentials) != nil || section(profile, in: .config) != nil
    }

    /// What both files say of the profile; what the credentials file says goes before.
    func merged(_ profile: String) -> [String: String] {
        (section(profile, in: .config) ?? [:]).merging(section(profile, in: .credentials) ?? [:]) { $1 }
    }

    /// Whether the profile has a key, or half of one, of its own.
    func hasKeys(_ profile: String) -> Bool {
        let settings = merged(profile)
        return settings["aws_access_key_id"] != nil || settings["aws_secret_access_key"] != nil
    }

    /// The settings of `[sso-session NAME]`; nil when there is none.
    func signInSession(_ name: String) -> [String: String]? { configFile?.sections["sso-session \(name)"] }

    /// The keys that the profile has in that file, and where they stand; nil when it has none there.
    func keys(
        _ profile: String, in kind: Kind
    ) throws(CredentialError) -> (credentials: Credentials, place: String)? {
        guard let section = section(profile, in: kind),
            let file = kind == .credentials ? credentialsFile : configFile
        else { return nil }
        let id = section["aws_access_key_id"] ?? ""
        let secret = section["aws_secret_access_key"] ?? ""
        guard !id.isEmpty || !secret.isEmpty else { return nil }
        // The config file need not be private until it holds a secret.
        if let fault = file.fault(isSecret: true) { throw fault }
        let place = "profile `\(shown(profile))` of `\(file.path)`"
        guard !id.isEmpty else { throw .incomplete(place: place, missing: "aws_access_key_id") }
        guard !secret.isEmpty else { throw .incomplete(place: place, missing: "aws_secret_access_key") }
        let token = section["aws_session_token"] ?? section["aws_security_token"] ?? ""
        return (
            try soundCredentials(id: id, secret: secret, token: token, expiration: nil, from: place), place
        )
    }
}

/// A file of `[section]` and `key = value` lines, as AWS tools write it.
struct SettingsFile {
    /// The largest file that is read.
    static let byteCountMax = 1_048_576

    let path: String
    /// Values by section, then by key in lower case. Section names have single blanks and no quotes: `profile
    /// dev`.
    private(set) var sections: [String: [String: String]] = [:]
    private let mode: UInt16

    /// The file at `path`; nil when there is none.
    ///
    /// - Throws: ``CredentialError/openToOthers(path:mode:fix:)`` when others may read it (`isSecret`) or
    ///   change it, and others of its cases for what cannot be read.
    init?(path: String, isSecret: Bool) throws(CredentialError) {
        self.path = path
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw .unreadable(path: path, why: String(cString: strerror(errno)))
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw .unreadable(path: path, why: "it is no regular file")
        }
        guard status.st_uid == geteuid() || status.st_uid == 0 else {
            throw .unreadable(path: path, why: "it belongs to another user")
        }
        mode = UInt16(truncatingIfNeeded: status.st_mode & 0o7777)
        if let fault = fault(isSecret: isSecret) { throw fault }
        try parse(try contents(of: descriptor))
    }

    /// What is wrong with the file's mode: nobody else may change it, and nobody else may read a secret.
    func fault(isSecret: Bool) -> CredentialError? {
        let closed = mode & (isSecret ? 0o077 : 0o022) == 0
        return closed ? nil : .openToOthers(path: path, mode: mode, fix: isSecret ? "600" : "go-w")
    }

    private func contents(of descriptor: Int32) throws(CredentialError) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .unreadable(path: path, why: String(cString: strerror(errno))) }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
            guard bytes.count <= Self.byteCountMax else {
                throw .unreadable(path: path, why: "it is larger than \(Self.byteCountMax) bytes")
            }
        }
    }

    private mutating func parse(_ bytes: [UInt8]) throws(CredentialError) {
        var section: String?
        var lastValue: String?
        for (index, slice) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            func fault(_ why: String) -> CredentialError {
                .malformedFile(path: path, line: index + 1, why: why)
            }
            guard let line = String(validating: slice, as: UTF8.self) else { throw fault("it is not UTF-8") }
            let text = line.trimmingBlanks
            guard !text.isEmpty, !text.hasPrefix("#"), !text.hasPrefix(";") else { continue }
            if line.hasPrefix(" ") || line.hasPrefix("\t") {
                // Nested settings, like those under `s3 =`; a value that goes on would be cut silently.
                guard lastValue == "" else { throw fault("a value must not go on in the next line") }
                continue
            }
            if text.hasPrefix("[") {
                guard text.hasSuffix("]") else { throw fault("a section is written `[name]`") }
                let name = sectionName(String(text.dropFirst().dropLast()))
                guard sections[name] == nil else { throw fault("section `\(name)` is there twice") }
                sections[name] = [:]
                (section, lastValue) = (name, nil)
                continue
            }
            guard let mark = text.firstIndex(where: { $0 == "=" || $0 == ":" }), mark > text.startIndex else {
                throw fault("a setting is written `key = value`")
            }
            guard let section else { throw fault("a setting stands before the first section") }
            let key = String(text[..<mark]).trimmingBlanks.asciiLowercased
            let value = String(text[text.index(after: mark)...]).trimmingBlanks
            guard sections[section]?[key] == nil else { throw fault("`\(key)` is there twice") }
            sections[section]?[key] = value
            lastValue = value
        }
    }

    private func sectionName(_ text: String) -> String {
        let words = text.split(whereSeparator: { $0 == " " || $0 == "\t" })
        guard let kind = words.first, kind == "profile" || kind == "sso-session", words.count > 1 else {
            return text.trimmingBlanks
        }
        let name = text.trimmingBlanks.dropFirst(kind.count)
        return "\(kind) " + String(name).trimmingBlanks.filter { $0 != "\"" && $0 != "'" }
    }
}

extension String {
    /// The text without blanks, tabs and carriage returns at its ends.
    fileprivate var trimmingBlanks: String {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" }
        return String(drop(while: isBlank).reversed().drop(while: isBlank).reversed())
    }
}
