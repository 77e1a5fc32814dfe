import Vocabulary

/// What an agent's clients need set, and what must not be there (`notes/clients.md`, section 8).
package struct AgentEnvironment: Hashable, Sendable {
    /// Names and values, keys among them.
    package private(set) var set: [(name: String, value: String)]

    package static func == (left: AgentEnvironment, right: AgentEnvironment) -> Bool {
        left.set.elementsEqual(right.set) { $0 == $1 }
    }

    package func hash(into hasher: inout Hasher) {
        for (name, value) in set {
            hasher.combine(name)
            hasher.combine(value)
        }
    }

    /// For unsigned calls at the listener of `agent`, as the agents' socket's `listeners` name it; without
    /// `agent` there must be exactly one. The documented dummy key carries region, task and reason; it opens
    /// nothing.
    ///
    /// - Throws: ``ConfigurationError`` when the agent has no TCP listener, or none is named and there are
    ///   several.
    package init(
        unsignedAt listeners: JSON, agent: String?, task: String?, reason: String?
    ) throws(ConfigurationError) {
        let known = listeners["listeners"]?.array ?? []
        let names = known.compactMap { $0["agent"]?.string }
        let chosen = agent ?? (names.count == 1 ? names[0] : nil)
        guard let chosen else {
            throw ConfigurationError(
                "--agent is needed: the gate has listeners for \(list(names, last: "and"))")
        }
        guard let listener = known.first(where: { $0["agent"]?.string == chosen }),
            let address = listener["address"]?.string,
            !address.hasPrefix("unix:")
        else {
            throw ConfigurationError(
                "the gate has no TCP listener for agent `\(shown(chosen))`; it has them for "
                    + "\(list(names, last: "and"))"
            )
        }
        set = Self.common(endpoint: "http://\(address)", region: listener["region"]?.string)
        set += [("AWS_ACCESS_KEY_ID", "unsigned"), ("AWS_SECRET_ACCESS_KEY", "unsigned")]
        let claims = [
            task.map { "task=\(percentEncoded($0))" }, reason.map { "reason=\(percentEncoded($0))" },
        ].compactMap { $0 }
        if !claims.isEmpty { set.append(("AWS_SESSION_TOKEN", claims.joined(separator: ";"))) }
    }

    /// With the keys of an opened session, as the agents' socket answered it; `files` is a private folder
    /// with an AWS configuration of this session's own, nil for none at all.
    ///
    /// `fetchesKeys`: clients fetch keys from the gate when they need them, and again before they expire.
    ///
    /// - Throws: ``ConfigurationError`` when the gate has no TCP listener.
    package init(session: JSON, files: String?, fetchesKeys: Bool) throws(ConfigurationError) {
        guard let endpoint = session["endpoint"]?.string else {
            throw ConfigurationError("the gate has no TCP listener, which AWS clients need")
        }
        set = Self.common(endpoint: endpoint, region: session["region"]?.string)
        let places =
            fetchesKeys
            ? [
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "credentials_url"),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "credentials_token"),
            ]
            : [
                ("AWS_ACCESS_KEY_ID", "access_key_id"), ("AWS_SECRET_ACCESS_KEY", "secret_access_key"),
                ("AWS_SESSION_TOKEN", "session_token"),
            ]
        for (name, member) in places {
            guard let value = session[member]?.string else {
                throw ConfigurationError("the gate's answer holds no `\(member)`")
            }
            set.append((name, value))
        }
        set += [
            ("AWS_CONFIG_FILE", files.map { "\($0)/config" } ?? "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", files.map { "\($0)/credentials" } ?? "/dev/null"),
        ]
        if let id = session["session"]?.string { set.append(("COUNTERSIGN_SESSION", id)) }
    }

    private static func common(endpoint: String, region: String?) -> [(name: String, value: String)] {
        let proxies = ("NO_PROXY", "127.0.0.1,::1")
        var set = [
            ("AWS_ENDPOINT_URL", endpoint), ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_DISABLE_HOST_PREFIX_INJECTION", "true"), ("AWS_S3_DISABLE_EXPRESS_SESSION_AUTH", "true"),
            proxies, ("no_proxy", proxies.1),
            // What Rust's object stores (polars, obstore) want for plain http, and s5cmd for the endpoint.
            ("AWS_ALLOW_HTTP", "true"), ("S3_ENDPOINT_URL", endpoint),
        ]
        // The AWS CLI of version 1 does not read AWS_REGION.
        if let region { set += [("AWS_REGION", region), ("AWS_DEFAULT_REGION", region)] }
        return set
    }

    /// The AWS configuration file of a run, for what has no variable.
    package static func configurationFile(session: JSON) -> String {
        let lines = [
            session["region"]?.string.map { "region = \($0)" },
            session["endpoint"]?.string.map { "endpoint_url = \($0)" },
            "s3 =", "    addressing_style = path",
        ]
        return "[default]\n" + lines.compactMap { $0 }.joined(separator: "\n") + "\n"
    }

    /// `others` with these set, and without what leads a client away from the gate.
    package func over(_ others: [String: String]) -> [String: String] {
        var environment = others.filter { isHarmless($0.key) }
        for (name, value) in set { environment[name] = value }
        return environment
    }

    /// The names in `others` that must not be there and are not set anew.
    package func unset(in others: [String: String]) -> [String] {
        let names = Set(set.map(\.name))
        return others.keys.filter { !isHarmless($0) && !names.contains($0) }.sorted()
    }
}

/// Whether a variable may stay: of AWS's own, only those that change the form of a call and nothing else.
///
/// All others hold keys, name who has them, or lead away from the gate.
func isHarmless(_ name: String) -> Bool {
    let kept = [
        "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_DEFAULT_OUTPUT", "AWS_CA_BUNDLE", "AWS_DATA_PATH",
        "AWS_CLI_FILE_ENCODING", "AWS_CLI_AUTO_PROMPT", "AWS_DEFAULTS_MODE", "AWS_STS_REGIONAL_ENDPOINTS",
        "AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION", "AWS_SDK_UA_APP_ID",
        "AWS_ACCOUNT_ID_ENDPOINT_MODE", "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES",
        "AWS_DISABLE_REQUEST_COMPRESSION", "AWS_PAGER", "AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE",
        "AWS_METADATA_SERVICE_TIMEOUT", "AWS_EXECUTION_ENV",
    ]
    // Tokens of a build service, which AWS takes for a role; settings of boto 2.
    let others = ["ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "BOTO_CONFIG"]
    return !name.hasPrefix("AWS_") && !others.contains(name) || kept.contains(name)
}

/// `text` for a POSIX shell, in single quotes.
package func shellQuoted(_ text: String) -> String {
    "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
}

/// `text` with everything but letters, digits and `-_.~` percent-encoded.
func percentEncoded(_ text: String) -> String {
    var out = ""
    for byte in text.utf8 {
        if byte.isAlphanumeric || "-_.~".utf8.contains(byte) {
            out.unicodeScalars.append(Unicode.Scalar(byte))
        } else {
            out += "%" + String(decoding: [byte].lowercaseHex, as: UTF8.self).uppercased()
        }
    }
    return out
}
