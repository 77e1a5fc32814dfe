import Hashing
import SigV4
import Vocabulary

/// A role that a person's sign-in to IAM Identity Center opens, by the token that `aws sso login` keeps.
///
/// - SeeAlso: AWS SDKs and Tools Reference Guide, "IAM Identity Center credential provider".
struct SignOn: Sendable {
    let profile: String
    let account: String
    let role: String
    let region: String
    /// Where the token is kept.
    let tokenFile: String

    /// What profile `name` says of it; nil when it says nothing.
    init?(
        profile name: String, files: SharedFiles, environment: [String: String]
    ) throws(CredentialError) {
        var settings = files.merged(name)
        func bad(_ why: String) -> CredentialError { .badProfile(profile: name, why: why) }
        guard settings["sso_account_id"] != nil || settings["sso_role_name"] != nil else {
            guard settings["sso_session"] == nil, settings["sso_start_url"] == nil else {
                throw bad("it signs in to IAM Identity Center and names no `sso_account_id`")
            }
            return nil
        }
        if let session = settings["sso_session"] {
            guard let shared = files.signInSession(session) else {
                throw bad("there is no `[sso-session \(shown(session))]`")
            }
            for (key, value) in shared {
                guard settings[key] ?? value == value else {
                    throw bad("`\(key)` is not what its sso-session says")
                }
                settings[key] = value
            }
        }
        func setting(_ key: String) throws(CredentialError) -> String {
            guard let value = settings[key], !value.isEmpty else { throw bad("it has no `\(key)`") }
            return value
        }
        profile = name
        account = try setting("sso_account_id")
        role = try setting("sso_role_name")
        region = try setting("sso_region")
        let start = try setting("sso_start_url")
        guard account.utf8.count == 12, account.utf8.allSatisfy(\.isDigit) else {
            throw bad("`sso_account_id` is not 12 digits")
        }
        guard region.utf8.allSatisfy({ $0.isLowerAlphanumeric || $0 == 0x2D }) else {
            throw bad("`sso_region` is no region")
        }
        guard let home = environment["HOME"], !home.isEmpty else {
            throw bad("the token of `aws sso login` is looked for in HOME, which is not set")
        }
        guard let hash = Checksum.sha1.of(Array((settings["sso_session"] ?? start).utf8)) else {
            throw bad("the name of its token's file is a SHA-1, which OpenSSL does not make here")
        }
        let hex = String(decoding: hash.lowercaseHex, as: UTF8.self)
        tokenFile = "\(home)/.aws/sso/cache/\(hex).json"
    }

    var place: String { "IAM Identity Center (profile `\(shown(profile))`)" }

    private var signIn: String {
        let isPlain = profile.utf8.allSatisfy { $0.isAlphanumeric || "-_.@+".utf8.contains($0) }
        return "aws sso login --profile \(isPlain ? profile : shellQuoted(profile))"
    }

    /// Asks the portal for the role's credentials, with the token as it is kept now.
    func credentials(by calls: OwnCalls, at now: Instant) throws(CredentialError) -> Credentials {
        let token = try token(at: now)
        let query = "role_name=\(percentEncoded(role))&account_id=\(account)"
        let head = RequestHead(
            method: "GET", target: "/_aws/sso/\(region)/federation/credentials?\(query)",
            fields: [HeaderField("host", "127.0.0.1"), HeaderField("x-amz-sso_bearer_token", token)])
        let answer: OwnCalls.Answer
        do {
            answer = try calls.ask(
                InboundRequest(head: head, body: []), of: calls.sso, purpose: "the gateway's credentials",
                with: nil)
        } catch {
            if case .refused(_, _, 401) = error { throw .signInOver(place: place, signIn: signIn) }
            throw .notGiven(place: place, why: error.message)
        }
        guard let keys = (try? JSON(parsing: answer.reply.body))?["roleCredentials"],
            let id = keys["accessKeyId"]?.string, let secret = keys["secretAccessKey"]?.string,
            let session = keys["sessionToken"]?.string, let end = keys["expiration"]?.integer, end > 0
        else { throw .notGiven(place: place, why: "the portal's answer holds no credentials") }
        let (nanoseconds, isTooLarge) = end.multipliedReportingOverflow(by: 1_000_000)
        return try soundCredentials(
            id: id, secret: secret, token: session,
            expiration: Instant(nanosecondsSinceEpoch: isTooLarge ? .max : nanoseconds), from: place)
    }

    private func token(at now: Instant) throws(CredentialError) -> String {
        let bytes: [UInt8]
        do { bytes = try readPrivateFile(tokenFile, limit: 65_536) } catch {
            throw .noSignIn(place: place, why: error.description, signIn: signIn)
        }
        guard let json = try? JSON(parsing: bytes), let token = json["accessToken"]?.string,
            var text = json["expiresAt"]?.string
        else { throw .noSignIn(place: place, why: "`\(tokenFile)` holds no token", signIn: signIn) }
        // Older tools wrote so.
        if text.hasSuffix("UTC") { text = text.dropLast(3) + "Z" }
        guard let end = Instant(parsingWithOffset: text) else {
            throw .noSignIn(
                place: place, why: "`\(tokenFile)` does not say until when it is good", signIn: signIn)
        }
        guard now < end else { throw .signInOver(place: place, signIn: signIn) }
        guard (1...16_384).contains(token.utf8.count), token.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw .malformed(place: "`\(tokenFile)`", part: "access token") }
        return token
    }
}
