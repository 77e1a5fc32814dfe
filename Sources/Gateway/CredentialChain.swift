import SigV4
import Vocabulary

/// Where the gateway's credentials are looked for, and with whose help they are got.
package struct CredentialSearch: Sendable {
    /// The variables of the process.
    let environment: [String: String]
    /// The profile that was named outright (`--profile`, `accounts.yaml`): keys in the environment do not go
    /// before it.
    var profile: String?
    /// The command of `--credential-process`; it goes before everything else.
    var process: String?
    /// What asks STS and the portal of IAM Identity Center; nil where nobody may be asked.
    let ownCalls: OwnCalls?
    /// The file of trusted authorities for metadata over https.
    let trustFile: String
    /// What a role's session is called where the profile does not say.
    let sessionName: String
    let now: @Sendable () -> Instant

    /// The profile to read: the one that was named, else that of the environment.
    var profileName: (name: String, isNamed: Bool) {
        let variable = environment["AWS_PROFILE"] ?? environment["AWS_DEFAULT_PROFILE"] ?? ""
        let named = profile ?? (variable.isEmpty ? nil : variable)
        return (named ?? "default", named != nil)
    }
}

extension CredentialSearch {
    /// The search that `configuration` asks for, in this process's environment.
    init(_ configuration: Configuration, _ ownCalls: OwnCalls) {
        let host = (hostName() ?? "").utf8.filter { $0.isAlphanumeric || $0 == 0x2D || $0 == 0x2E }
        let clock = ownCalls.clock
        self.init(
            environment: processEnvironment(), profile: configuration.profile,
            process: configuration.credentialProcess, ownCalls: ownCalls, trustFile: ownCalls.trustFile,
            // As CloudTrail shows it: at most 64 characters.
            sessionName: String(decoding: Array("countersign@".utf8) + host.prefix(52), as: UTF8.self),
            now: { clock.wall })
    }
}

/// One way to credentials, as environment and files describe it.
indirect enum CredentialWay: Sendable {
    /// Keys as they stand in `place`. Those of a file may change.
    case keys(Credentials, place: String, isInFile: Bool)
    case process(String, place: String)
    case role(AssumeRole, place: String, by: CredentialWay)
    case webIdentity(WebIdentity, place: String)
    case signOn(SignOn)
    case container(ContainerMetadata)
    /// The metadata of the instance; `isChosen`: the profile names it, it is not only the last resort.
    case instance(InstanceMetadata, isChosen: Bool)

    /// Where the credentials come from, in an operator's words. Holds no secret.
    var place: String {
        switch self {
        case .keys(_, let place, _), .process(_, let place), .webIdentity(_, let place): place
        case .role(let role, let place, let source): "role \(shown(role.role)) (\(place)), by \(source.place)"
        case .signOn(let signOn): signOn.place
        case .container(let container): container.place
        case .instance(let instance, _): instance.place
        }
    }
}

/// A role that a token of an identity provider opens.
struct WebIdentity: Sendable {
    let role: String
    let sessionName: String
    let tokenFile: String
}

extension CredentialSearch {
    /// The first way that is there, in the order in which AWS's own tools look: environment; the profile's
    /// role; web identity; IAM Identity Center; the keys of the credentials file; the profile's process; the
    /// keys of the config file; the container's metadata; the instance's.
    ///
    /// Reads files and asks nobody.
    ///
    /// - SeeAlso: botocore's `create_credential_resolver`.
    func way() throws(CredentialError) -> CredentialWay {
        if let process { return .process(process, place: "the credential process") }
        if profile == nil, let keys = try credentials(in: environment) {
            return .keys(keys, place: "the environment", isInFile: false)
        }
        let files = try SharedFiles(environment: environment)
        let (name, isNamed) = profileName
        guard files.has(name) || !isNamed else { throw .profileMissing(profile: name) }
        if let role = try assumedRole(name, files, after: []) { return role }
        if let found = try ownWay(name, files, readsEnvironment: profile == nil) { return found }
        if let container = try ContainerMetadata(environment: environment, trustFile: trustFile) {
            return .container(container)
        }
        guard let instance = try InstanceMetadata(environment: environment, trustFile: trustFile) else {
            throw .none(profile: name)
        }
        return .instance(instance, isChosen: false)
    }

    /// The role that profile `name` assumes; nil when it assumes none. `visited` are the profiles that led
    /// here.
    private func assumedRole(
        _ name: String, _ files: SharedFiles, after visited: [String]
    ) throws(CredentialError) -> CredentialWay? {
        let profile = files.merged(name)
        guard let arn = profile["role_arn"], profile["web_identity_token_file"] == nil else { return nil }
        func bad(_ why: String) -> CredentialError { .badProfile(profile: name, why: why) }
        guard profile["mfa_serial"] == nil else {
            throw bad("it asks for a code of an MFA device, which nobody is there to type")
        }
        var role = AssumeRole(role: arn, sessionName: profile["role_session_name"] ?? sessionName)
        role.externalID = profile["external_id"]
        if let text = profile["duration_seconds"] {
            guard let seconds = Int(text), (900...43_200).contains(seconds) else {
                throw bad("`duration_seconds` is 900 to 43200")
            }
            role.duration = .seconds(seconds)
        }
        let place = "profile `\(shown(name))`"
        switch (profile["source_profile"], profile["credential_source"]) {
        case (nil, nil): throw bad("`role_arn` needs `source_profile` or `credential_source`")
        case (_?, _?): throw bad("it has both `source_profile` and `credential_source`")
        case (nil, let source?):
            return .role(role, place: place, by: try namedSource(source, of: name))
        case (let source?, nil):
            return .role(
                role, place: place, by: try sourceWay(source, files, after: visited + [name]))
        }
    }

    /// The way of profile `source`, from which the last of `visited` gets its credentials.
    private func sourceWay(
        _ source: String, _ files: SharedFiles, after visited: [String]
    ) throws(CredentialError) -> CredentialWay {
        let name = visited.last ?? source
        guard files.has(source) else {
            throw .badProfile(
                profile: name, why: "its source profile `\(shown(source))` is in neither file")
        }
        let hasKeys = files.hasKeys(source)
        // Only the first may name itself, for its own keys: AWS's tools have it so.
        guard !visited.contains(source) || visited == [source] && hasKeys else {
            throw .profileLoop(visited + [source])
        }
        if !hasKeys, let role = try assumedRole(source, files, after: visited) { return role }
        guard let way = try ownWay(source, files, readsEnvironment: false) else {
            throw .badProfile(
                profile: name, why: "its source profile `\(shown(source))` holds no credentials")
        }
        return way
    }

    private func namedSource(
        _ source: String, of profile: String
    ) throws(CredentialError) -> CredentialWay {
        func missing(_ what: String) -> CredentialError {
            .badProfile(profile: profile, why: "`credential_source = \(source)`, and \(what)")
        }
        switch source {
        case "Environment":
            guard let keys = try credentials(in: environment) else {
                throw missing("the environment has no keys")
            }
            return .keys(keys, place: "the environment", isInFile: false)
        case "EcsContainer":
            guard let container = try ContainerMetadata(environment: environment, trustFile: trustFile)
            else { throw missing("the environment names no metadata of a container") }
            return .container(container)
        case "Ec2InstanceMetadata":
            guard let instance = try InstanceMetadata(environment: environment, trustFile: trustFile) else {
                throw missing("`AWS_EC2_METADATA_DISABLED` is set")
            }
            return .instance(instance, isChosen: true)
        default:
            throw .badProfile(
                profile: profile,
                why: "`credential_source` is `\(shown(source))`, and neither Environment, EcsContainer nor "
                    + "Ec2InstanceMetadata")
        }
    }

    /// What profile `name` says of its own; nil when it says nothing.
    private func ownWay(
        _ name: String, _ files: SharedFiles, readsEnvironment: Bool
    ) throws(CredentialError) -> CredentialWay? {
        let profile = files.merged(name)
        if let identity = try webIdentity(profile, of: name, readsEnvironment: readsEnvironment) {
            return identity
        }
        if let signOn = try SignOn(profile: name, files: files, environment: environment) {
            return .signOn(signOn)
        }
        if let (keys, place) = try files.keys(name, in: .credentials) {
            return .keys(keys, place: place, isInFile: true)
        }
        guard profile["login_session"] == nil else { throw .unsupported(profile: name, way: "`aws login`") }
        let place = "profile `\(shown(name))`"
        if let command = profile["credential_process"] {
            return .process(command, place: "the credential process of \(place)")
        }
        if let (keys, place) = try files.keys(name, in: .config) {
            return .keys(keys, place: place, isInFile: true)
        }
        return nil
    }

    private func webIdentity(
        _ profile: [String: String], of name: String, readsEnvironment: Bool
    ) throws(CredentialError) -> CredentialWay? {
        func setting(_ key: String, _ variable: String) -> String? {
            (readsEnvironment ? environment[variable] : nil) ?? profile[key]
        }
        let file = setting("web_identity_token_file", "AWS_WEB_IDENTITY_TOKEN_FILE") ?? ""
        guard !file.isEmpty else { return nil }
        guard let role = setting("role_arn", "AWS_ROLE_ARN"), !role.isEmpty else {
            throw .badProfile(
                profile: name,
                why: "there is a web identity token and no role: set `AWS_ROLE_ARN` or `role_arn`")
        }
        let session = setting("role_session_name", "AWS_ROLE_SESSION_NAME") ?? sessionName
        return .webIdentity(
            WebIdentity(role: role, sessionName: session, tokenFile: file),
            place: "role \(shown(role)) by the web identity token in `\(shown(file))`")
    }
}

// MARK: - Getting them

extension CredentialSearch {
    /// The credentials that `way` leads to now. Blocks; not for the loop.
    func load(_ way: CredentialWay) throws(CredentialError) -> Credentials {
        switch way {
        case .keys(let credentials, _, _): return credentials
        case .process(let command, _): return try runCredentialProcess(command)
        case .role(let role, _, let source):
            let sourceCredentials = try load(source)
            let calls = try asking(way)
            do {
                return try calls.assumeRole(
                    role, with: sourceCredentials, purpose: "the gateway's credentials"
                ).credentials
            } catch { throw .notGiven(place: "role \(shown(role.role))", why: error.message) }
        case .webIdentity(let identity, _):
            let token = try readToken(identity.tokenFile, limit: 20_000)
            let calls = try asking(way)
            do {
                return try calls.assumeRole(
                    identity.role, sessionName: identity.sessionName, webIdentity: token,
                    purpose: "the gateway's credentials"
                ).credentials
            } catch { throw .notGiven(place: "role \(shown(identity.role))", why: error.message) }
        case .signOn(let signOn): return try signOn.credentials(by: asking(way), at: now())
        case .container(let container): return try container.credentials()
        case .instance(let instance, _): return try instance.credentials()
        }
    }

    private func asking(_ way: CredentialWay) throws(CredentialError) -> OwnCalls {
        guard let ownCalls else { throw .notGiven(place: way.place, why: "nobody may be asked here") }
        return ownCalls
    }
}

/// Finds the gateway's credentials the way AWS's own tools do, and keeps them fresh. Asks whom it must: for
/// the start, not for a call's path.
///
/// - Throws: ``CredentialError`` when there are none: the gate must not start to serve.
package func findCredentials(_ search: CredentialSearch) throws(CredentialError) -> any CredentialSource {
    let way = try search.way()
    if case .keys(let credentials, let place, false) = way {
        return FixedCredentials(credentials, origin: place)
    }
    var reloadEvery: Duration?
    // Tools that rotate keys rewrite the file.
    if case .keys = way { reloadEvery = .seconds(60) }
    do throws(CredentialError) {
        // Each time from the files anew: a profile that was mended helps without a restart.
        return try RefreshingCredentials(origin: way.place, at: search.now(), reloadEvery: reloadEvery) {
            () throws(CredentialError) -> Credentials in
            try search.load(try search.way())
        }
    } catch {
        // Most machines are no instances of EC2: then there are none, rather than some that did not come.
        if case .instance(_, false) = way, case .unreachable = error {
            throw .none(profile: search.profileName.name)
        }
        throw error
    }
}

/// The token in the file at `path`: one line of visible ASCII, which goes into a header line or a form.
func readToken(_ path: String, limit: Int) throws(CredentialError) -> Secret {
    let bytes: [UInt8]
    do { bytes = try readFile(path, limit: limit, isGuarded: true) } catch {
        throw .notGiven(place: "the token in `\(shown(path))`", why: error.description)
    }
    guard !bytes.isEmpty, bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else {
        throw .malformed(place: "`\(shown(path))`", part: "token")
    }
    return Secret(bytes)
}
