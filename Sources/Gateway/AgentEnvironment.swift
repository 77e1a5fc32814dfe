import Vocabulary

/// The environment that points an agent's AWS clients at the gate (`notes/clients.md`, section 8).
///
/// `listeners` is what the agents' socket says. Without `agent` there must be exactly one listener. With a
/// task or reason, or where a region is known, the documented dummy key carries them; it opens nothing.
///
/// - Throws: ``ConfigurationError`` when the agent has no TCP listener, or none is named and there are
///   several.
package func agentEnvironment(
    listeners: JSON, agent: String?, task: String?, reason: String?
) throws(ConfigurationError) -> (set: [(name: String, value: String)], unset: [String]) {
    let known = listeners["listeners"]?.array ?? []
    let names = known.compactMap { $0["agent"]?.string }
    let chosen = agent ?? (names.count == 1 ? names[0] : nil)
    guard let chosen else {
        throw ConfigurationError("--agent is needed: the gate has listeners for \(list(names, last: "and"))")
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
    var set = [
        ("AWS_ENDPOINT_URL", "http://\(address)"), ("AWS_ACCESS_KEY_ID", "unsigned"),
        ("AWS_SECRET_ACCESS_KEY", "unsigned"), ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_DISABLE_HOST_PREFIX_INJECTION", "true"), ("AWS_S3_DISABLE_EXPRESS_SESSION_AUTH", "true"),
        ("NO_PROXY", "127.0.0.1"), ("no_proxy", "127.0.0.1"),
    ]
    if let region = listener["region"]?.string {
        set += [("AWS_REGION", region), ("AWS_DEFAULT_REGION", region)]
    }
    let claims = [task.map { "task=\(percentEncoded($0))" }, reason.map { "reason=\(percentEncoded($0))" }]
        .compactMap { $0 }
    if !claims.isEmpty { set.append(("AWS_SESSION_TOKEN", claims.joined(separator: ";"))) }
    return (set, ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"] + (claims.isEmpty ? ["AWS_SESSION_TOKEN"] : []))
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
