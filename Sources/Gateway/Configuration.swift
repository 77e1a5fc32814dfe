import Deciding
import Recognizing
import Vocabulary

/// Why the configuration cannot be used, in one line that names the setting and where it came from.
package struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// Everything `serve` is told: flags over environment (`COUNTERSIGN_…`) over `config.yaml` over defaults. The
/// keys of `config.yaml` are the long flag names.
package struct Configuration: Sendable, Hashable {
    /// Where a listener binds.
    package enum Address: Sendable, Hashable, CustomStringConvertible {
        /// A loopback address and a port, 0 for any free one.
        case tcp(host: String, port: Int)
        case unix(path: String)

        package var description: String {
            switch self {
            case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
            case .unix(let path): "unix:\(path)"
            }
        }
    }

    /// One listener for one agent.
    package struct Door: Sendable, Hashable {
        package let agent: AgentName
        package let address: Address
    }

    /// The settings by their long flag names; a list only for `listen` and `resource-host`.
    package static let keys = [
        "account", "agent", "agent-socket", "allow-same-uid", "ca-bundle", "control-group", "control-socket",
        "credential-process", "downscope", "key-lifetime", "laptop", "listen", "log-durability",
        "log-reserve",
        "mode",
        "policies",
        "profile",
        "region",
        "resource-host", "role", "state", "upstream", "use-dual-stack", "use-fips",
    ]

    package let doors: [Door]
    /// Whether policy holds, or is only observed.
    package let mode: Mode
    package let policies: String
    package let state: String
    package let controlSocket: String
    /// The group that may use the control socket; nil leaves it to this process's own.
    package let controlGroup: String?
    package let agentSocket: String
    package let allowsSameUID: Bool
    /// One person on their own machine.
    package let isLaptop: Bool
    package let upstream: RecognitionSetting.Upstream
    /// Which of AWS's hosts are dialled.
    package let variant: EndpointVariant
    /// The hosts of single resources that may be dialled.
    package let resourceHosts: [ResourceHost]
    package let region: String?
    package let account: String?
    package let profile: String?
    package let credentialProcess: String?
    /// Whether calls are signed with credentials cut down to them.
    package let downscope: Downscope
    /// The role that calls are signed as; nil for the gateway's own, if it is one.
    package let role: String?
    package let caBundle: String?
    package let demandsSync: Bool
    package let logReserveBytes: Int
    /// How long issued keys are good at most, and unless a run asks for less.
    package let keyLifetime: Duration

    /// What ``keyLifetime`` may be: shorter, and clients renew all the time; longer, and a lost key lives on.
    package static let keyLifetimes: ClosedRange<Duration> = .seconds(900)...(.seconds(86_400))

    /// The configuration that `flags`, `environment` and `file` make together.
    ///
    /// - Throws: ``ConfigurationError`` for an unknown key in `file` and for any value that is not what its
    ///   key takes.
    package init(
        flags: [String: [String]], environment: [String: String], file: [String: [String]]
    ) throws(ConfigurationError) {
        let settings = Settings(flags: flags, environment: environment, file: file)
        for key in file.keys.sorted() where !Self.keys.contains(key) {
            throw ConfigurationError(
                "config.yaml: unknown key `\(shown(key))`; the keys are \(list(Self.keys, atMost: 99))")
        }
        let agent = try agentName(settings.text("agent") ?? "local", key: "agent")
        var doors: [Door] = []
        for text in settings.texts("listen") ?? ["127.0.0.1:8990"] {
            doors.append(try Door(text, agent: agent))
        }
        self.doors = doors
        let home = environment["HOME"] ?? "/"
        isLaptop = try settings.flag("laptop")
        policies = settings.text("policies") ?? standardPolicies(isLaptop, environment)
        state =
            settings.text("state") ?? environment["STATE_DIRECTORY"]
            ?? (environment["XDG_STATE_HOME"] ?? "\(home)/.local/state") + "/countersign"
        let run = environment["XDG_RUNTIME_DIR"].map { "\($0)/countersign" } ?? state + "/run"
        controlSocket = settings.text("control-socket") ?? "\(run)/control.sock"
        agentSocket = settings.text("agent-socket") ?? "\(run)/agent.sock"
        controlGroup = settings.text("control-group")
        switch settings.text("mode") ?? Mode.enforce.rawValue {
        case Mode.enforce.rawValue: mode = .enforce
        case Mode.observe.rawValue: mode = .observe
        case let other:
            throw ConfigurationError("mode: `\(shown(other))` is neither enforce nor observe")
        }
        allowsSameUID = try settings.flag("allow-same-uid") || isLaptop
        upstream =
            try settings.text("upstream").map { text throws(ConfigurationError) in
                try upstreamSetting(text, key: "upstream")
            } ?? .aws
        variant = try endpointVariant(settings, environment: environment)
        resourceHosts = try (settings.texts("resource-host") ?? []).map { text throws(ConfigurationError) in
            do { return try ResourceHost(parsing: text) } catch {
                throw ConfigurationError("resource-host: \(error)")
            }
        }
        region = settings.text("region") ?? environment["AWS_REGION"] ?? environment["AWS_DEFAULT_REGION"]
        account = settings.text("account")
        if let account, account.utf8.count != 12 || !account.utf8.allSatisfy(\.isDigit) {
            throw ConfigurationError("account: `\(shown(account))` is not 12 digits")
        }
        if let region, !region.utf8.allSatisfy({ $0.isLowerAlphanumeric || $0 == 0x2D }) || region.isEmpty {
            throw ConfigurationError("region: `\(shown(region))` is no region name")
        }
        profile = settings.text("profile")
        credentialProcess = settings.text("credential-process")
        downscope = try downscopeMode(settings.text("downscope"))
        role = try settings.text("role").map(statedRole)
        caBundle = settings.text("ca-bundle")
        switch settings.text("log-durability") ?? "written" {
        case "written": demandsSync = false
        case "synced": demandsSync = true
        case let other:
            throw ConfigurationError("log-durability: `\(shown(other))` is neither written nor synced")
        }
        logReserveBytes = try settings.text("log-reserve").map(byteCount) ?? 64 << 20
        keyLifetime = try lifetime(settings.text("key-lifetime") ?? "12h")
    }
}

/// A setting's value from the first place that has one.
private struct Settings {
    let flags: [String: [String]]
    let environment: [String: String]
    let file: [String: [String]]

    func texts(_ key: String) -> [String]? {
        if let values = flags[key], !values.isEmpty { return values }
        let variable = "COUNTERSIGN_" + key.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
        if let value = environment[variable], !value.isEmpty {
            return key == "listen" || key == "resource-host"
                ? value.split(separator: ",").map(String.init) : [value]
        }
        return file[key]
    }

    func text(_ key: String) -> String? { texts(key)?.first }

    func flag(_ key: String) throws(ConfigurationError) -> Bool {
        switch text(key) {
        case nil, "false": false
        case "true": true
        case .some(let other): throw ConfigurationError("\(key): `\(shown(other))` is neither true nor false")
        }
    }
}

private func statedRole(_ text: String) throws(ConfigurationError) -> String {
    guard roleARN(of: text) == text else {
        throw ConfigurationError("role: `\(shown(text))` is no ARN of a role")
    }
    return text
}

private func downscopeMode(_ text: String?) throws(ConfigurationError) -> Downscope {
    guard let text else { return .prefer }
    guard let mode = Downscope(rawValue: text) else {
        throw ConfigurationError("downscope: `\(shown(text))` is none of require, prefer and off")
    }
    return mode
}

/// AWS's own environment variables count too: a machine that must use FIPS says it once.
private func endpointVariant(
    _ settings: Settings, environment: [String: String]
) throws(ConfigurationError) -> EndpointVariant {
    let keys: [(key: String, variable: String, variant: EndpointVariant)] = [
        ("use-fips", "AWS_USE_FIPS_ENDPOINT", .fips),
        ("use-dual-stack", "AWS_USE_DUALSTACK_ENDPOINT", .dualStack),
    ]
    var variant: EndpointVariant = []
    for (key, variable, one) in keys {
        let isSet = settings.texts(key) != nil
        let text = isSet ? settings.text(key) : environment[variable]?.lowercased()
        switch text {
        case nil, "", "false": continue
        case "true": variant.insert(one)
        case .some(let other):
            let name = isSet ? key : variable
            throw ConfigurationError("\(name): `\(shown(other))` is neither true nor false")
        }
    }
    return variant
}

/// The agent named `text`, the value of the setting `key`.
func agentName(_ text: String, key: String) throws(ConfigurationError) -> AgentName {
    do { return try AgentName(parsing: text) } catch {
        throw ConfigurationError("\(key): `\(shown(text))` is no agent name (1 to 64 of a-z, 0-9 and -)")
    }
}

extension Configuration.Door {
    /// `[AGENT=]HOST:PORT` or `[AGENT=]unix:PATH`.
    fileprivate init(_ text: String, agent: AgentName) throws(ConfigurationError) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(
            String.init)
        let named = parts.count == 2
        let place = named ? parts[1] : text
        self.agent = named ? try agentName(parts[0], key: "listen") : agent
        if place.hasPrefix("unix:/") {
            address = .unix(path: String(place.dropFirst(5)))
            return
        }
        guard let colon = place.lastIndex(of: ":"), let port = Int(place[place.index(after: colon)...]),
            (0...65_535).contains(port)
        else {
            throw ConfigurationError(
                "listen: `\(shown(text))` is not [AGENT=]127.0.0.1:PORT, [AGENT=][::1]:PORT or "
                    + "[AGENT=]unix:/PATH"
            )
        }
        var host = String(place[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard isLoopback(host) else {
            throw ConfigurationError(
                "listen: `\(shown(host))` is not a loopback address; agents reach the gate from "
                    + "this host only"
            )
        }
        address = .tcp(host: host, port: port)
    }
}

/// `http://127.0.0.1:5000` or `https://HOST[:PORT]`, the value of the setting or variable `key`.
func upstreamSetting(
    _ text: String, key: String
) throws(ConfigurationError) -> RecognitionSetting.Upstream {
    let secure = text.hasPrefix("https://")
    guard secure || text.hasPrefix("http://") else {
        throw ConfigurationError("\(key): `\(shown(text))` begins with neither https:// nor http://")
    }
    var authority = String(text.dropFirst(secure ? 8 : 7))
    if authority.hasSuffix("/") { authority.removeLast() }
    let allowed = authority.utf8.allSatisfy { $0.isAlphanumeric || "-.:[]".utf8.contains($0) }
    guard allowed, !authority.isEmpty else {
        throw ConfigurationError(
            "\(key): `\(shown(text))` must be a scheme, a host and perhaps a port, and nothing else")
    }
    var host = authority
    if let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") {
        guard let port = Int(authority[authority.index(after: colon)...]), (1...65_535).contains(port) else {
            throw ConfigurationError("\(key): `\(shown(text))` has no usable port")
        }
        host = String(authority[..<colon])
        if port == (secure ? 443 : 80) { authority = host }
    }
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    guard secure || isLoopback(host) || host == "localhost" else {
        throw ConfigurationError(
            "\(key): plain http goes to loopback only; `\(shown(host))` needs https://")
    }
    return .fixed(authority: authority, usesTLS: secure)
}

private func isLoopback(_ host: String) -> Bool {
    let octets = host.split(separator: ".", omittingEmptySubsequences: false)
    if octets.count == 4, octets.allSatisfy({ UInt8($0) != nil }) { return octets[0] == "127" }
    return host == "::1"
}

/// The policies' folder where none is named.
private func standardPolicies(_ isLaptop: Bool, _ environment: [String: String]) -> String {
    guard isLaptop else { return "/etc/countersign/policies" }
    let settings = environment["XDG_CONFIG_HOME"] ?? (environment["HOME"] ?? "") + "/.config"
    return "\(settings)/countersign/policies"
}

private func lifetime(_ text: String) throws(ConfigurationError) -> Duration {
    guard let asked = duration(text), Configuration.keyLifetimes.contains(asked) else {
        throw ConfigurationError("key-lifetime: `\(shown(text))` is not a time from 15m to 24h, such as 8h")
    }
    return asked
}

private func byteCount(_ text: String) throws(ConfigurationError) -> Int {
    let units: [(String, Int)] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)]
    for (unit, size) in units where text.hasSuffix(unit) {
        if let count = Int(text.dropLast(unit.count)), (0...1_000_000).contains(count) { return count * size }
    }
    if let count = Int(text), (0...(1 << 50)).contains(count) { return count }
    throw ConfigurationError("log-reserve: `\(shown(text))` is not a byte count such as 64MiB")
}
