import SigV4
import Vocabulary

/// Where the gateway's own credentials come from.
package protocol CredentialSource: Sendable {
    /// The credentials to sign with at `now`. Never waits: a source that has to ask someone does so on a
    /// thread of its own.
    ///
    /// - Throws: ``CredentialError`` when there are none, or none that are still good. Nothing is signed
    ///   then.
    func current(at now: Instant) throws(CredentialError) -> Credentials
    /// Where they come from, in an operator's words.
    var origin: String { get }
    /// Why new ones did not come when they were last looked for; nil when they did.
    var failure: CredentialError? { get }
}

/// Why there are no credentials. No case holds a secret, and no message shows one.
package enum CredentialError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Nothing was found where AWS tools look.
    case none(profile: String)
    /// A variable or key is there without the other that it needs.
    case incomplete(place: String, missing: String)
    /// What was found cannot be a key id, secret or token.
    case malformed(place: String, part: String)
    /// The keys are those that Countersign hands to agents: they open nothing.
    case ownKeys(place: String)
    /// The file may be read or changed by others; `mode` is its mode, `fix` the one it should have.
    case openToOthers(path: String, mode: UInt16, fix: String)
    /// The file is there and cannot be read, or is no regular file of ours.
    case unreadable(path: String, why: String)
    /// A line of a file is not what it should be.
    case malformedFile(path: String, line: Int, why: String)
    /// A profile was named and is in neither file.
    case profileMissing(profile: String)
    /// The profile says something that cannot be.
    case badProfile(profile: String, why: String)
    /// Each of these profiles gets its credentials from the next, and the last is among those before.
    case profileLoop([String])
    /// A variable of the environment says something that cannot be.
    case badVariable(String, why: String)
    /// The profile needs a way of signing in that is not built.
    case unsupported(profile: String, way: String)
    /// Nobody is signed in, or what says so cannot be used; `signIn` is the command that mends it.
    case noSignIn(place: String, why: String, signIn: String)
    /// The person's sign-in is over.
    case signInOver(place: String, signIn: String)
    /// Nobody answers at `place`.
    case unreachable(place: String, why: String)
    /// They were asked for at `place` and did not come.
    case notGiven(place: String, why: String)
    /// They are being looked for.
    case notYet(place: String)
    /// `credential_process` did not give credentials; `why` says how, never with its output.
    case processFailed(why: String)
    /// The gate has none of that account.
    case noAccount(String)
    /// They ended, and no new ones came.
    case expired(end: Instant)

    package var description: String { message }

    /// Whether asking again at once may help.
    var mayPass: Bool {
        if case .unreachable = self { return true }
        if case .notGiven = self { return true }
        return false
    }

    /// What is wrong and the way out, on one line.
    package var message: String {
        switch self {
        case .none(let profile):
            "no AWS credentials for the gateway: set `AWS_ACCESS_KEY_ID` and "
                + "`AWS_SECRET_ACCESS_KEY`, fill profile "
                + "`\(shown(profile))` of the shared files, or give `--credential-process CMD`; no metadata "
                + "of a container or instance answered either"
        case .incomplete(let place, let missing): "\(place) has no `\(missing)`"
        case .malformed(let place, let part): "the \(part) in \(place) is not one"
        case .ownKeys(let place):
            "the key in \(place) is one that Countersign gives to agents: the gateway needs its own"
        case .openToOthers(let path, let mode, let fix):
            "`\(path)` has mode \(String(mode, radix: 8)) and is open to others: run `chmod \(fix) \(path)`"
        case .unreadable(let path, let why): "`\(path)` cannot be read: \(why)"
        case .malformedFile(let path, let line, let why): "`\(path)`, line \(line): \(why)"
        case .profileMissing(let profile):
            "there is no profile `\(shown(profile))` in the shared config and credentials files"
        case .badProfile(let profile, let why): "profile `\(shown(profile))`: \(why)"
        case .profileLoop(let profiles):
            "profiles that name each other as `source_profile`: "
                + profiles.map { "`\(shown($0))`" }.joined(separator: " -> ")
        case .badVariable(let name, let why): "`\(name)`: \(why)"
        case .noSignIn(let place, let why, let signIn): "\(place): \(why); `\(signIn)` mends it"
        case .signInOver(let place, let signIn): "\(place): the sign-in is over; run `\(signIn)`"
        case .unreachable(let place, let why), .notGiven(let place, let why): "\(place): \(why)"
        case .notYet(let place): "\(place): the credentials are on their way"
        case .unsupported(let profile, let way):
            "profile `\(profile)` signs in by \(way), which Countersign cannot do itself yet: start it with "
                + "`--credential-process '\(exportCommand(for: profile))'`"
        case .processFailed(let why): "the credential process gave no credentials: \(why)"
        case .noAccount(let id): "account \(id) is not in accounts.yaml, or has no credentials there"
        case .expired(let end): "the gateway's credentials ended at \(end) and no new ones came"
        }
    }

    private func exportCommand(for profile: String) -> String {
        let isPlain = profile.utf8.allSatisfy { $0.isAlphanumeric || "-_.@+".utf8.contains($0) }
        let name = isPlain ? profile : "\"" + profile.filter { $0 != "'" && $0 != "\"" && $0 != "\\" } + "\""
        return "aws configure export-credentials --profile \(name) --format process"
    }
}

/// Credentials that stay as they are.
struct FixedCredentials: CredentialSource {
    private let credentials: Credentials
    let origin: String
    var failure: CredentialError? { nil }

    init(_ credentials: Credentials, origin: String) {
        (self.credentials, self.origin) = (credentials, origin)
    }

    func current(at now: Instant) throws(CredentialError) -> Credentials { credentials }
}

/// The credentials in the variables `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`; nil
/// when none of the first two is set.
func credentials(in environment: [String: String]) throws(CredentialError) -> Credentials? {
    let id = environment["AWS_ACCESS_KEY_ID"] ?? ""
    let secret = environment["AWS_SECRET_ACCESS_KEY"] ?? ""
    let token = environment["AWS_SESSION_TOKEN"] ?? environment["AWS_SECURITY_TOKEN"] ?? ""
    guard !id.isEmpty || !secret.isEmpty else { return nil }
    let place = "the environment"
    guard !id.isEmpty else { throw .incomplete(place: place, missing: "AWS_ACCESS_KEY_ID") }
    guard !secret.isEmpty else { throw .incomplete(place: place, missing: "AWS_SECRET_ACCESS_KEY") }
    return try soundCredentials(id: id, secret: secret, token: token, expiration: nil, from: place)
}

/// The credentials made of these parts, each checked: they go into a header line.
func soundCredentials(
    id: String, secret: String, token: String, expiration: Instant?, from place: String
) throws(CredentialError) -> Credentials {
    let isID =
        (1...128).contains(id.utf8.count) && id.utf8.allSatisfy { isVisible($0) && !"/,=".utf8.contains($0) }
    guard isID else { throw .malformed(place: place, part: "access key id") }
    guard !id.hasPrefix("CSAK"), id != "unsigned" else { throw .ownKeys(place: place) }
    guard (1...1_024).contains(secret.utf8.count), secret.utf8.allSatisfy(isVisible) else {
        throw .malformed(place: place, part: "secret access key")
    }
    guard token.utf8.count <= 16_384, token.utf8.allSatisfy(isVisible) else {
        throw .malformed(place: place, part: "session token")
    }
    return Credentials(
        accessKeyID: id, secretKey: Secret(Array(secret.utf8)),
        sessionToken: token.isEmpty ? nil : Secret(Array(token.utf8)), expiration: expiration)
}

private func isVisible(_ byte: UInt8) -> Bool { (0x21...0x7E).contains(byte) }
