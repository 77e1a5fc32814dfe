import Accepting
import Identifying
import Recording
import Vocabulary

/// Where SDKs fetch keys of a session anew, in the form of ECS: `AWS_CONTAINER_CREDENTIALS_FULL_URI` with
/// `AWS_CONTAINER_AUTHORIZATION_TOKEN`. A path of the agents' listeners that no call of AWS has.
enum CredentialDoor {
    static let path = "/_countersign/credentials"
    /// How long keys from here are good: clients come again before.
    static let lifetime = Duration.seconds(3_600)
    /// Keys of one session that are handed out in a minute. A shell loop of AWS CLI calls asks each time.
    static let aMinuteMax = 3_000
}

extension Gateway {
    /// Answers `exchange`, which asks for keys, at the listener of `agent`.
    ///
    /// The token names its session and is good while that is open. Pages of a browser, and what comes by
    /// another name than the listener's own address, get nothing.
    func handOutCredentials(_ exchange: Exchange, at agent: AgentName) {
        let head = exchange.head
        func refuse(_ status: Int, _ code: String, _ message: String) {
            log.record(
                .rejected(
                    at: clock.now, request: RequestID(random: Clock.randomBits()), agent: agent,
                    status: status, code: code, message: message, peer: peerText(exchange.peer)))
            reply(exchange, status, ["code": .string(code), "message": .string(message)])
        }
        guard head.method == "GET", head.rawQuery == nil else {
            return refuse(400, "BadRequest", "credentials are fetched by GET without a query")
        }
        let isPage = head["origin"] != nil || head.fields.contains { $0.name.hasPrefix("sec-fetch-") }
        guard !isPage, let host = head["host"], addresses.values.contains(host) else {
            return refuse(
                403, "Forbidden", "credentials are for local clients that call the listener's address")
        }
        let presented = head.values(of: "authorization")
        guard presented.count == 1, let (id, account) = hostKey.session(ofCredentialsToken: presented[0])
        else {
            return refuse(403, "BadToken", "the authorization token is none that this gate gave out")
        }
        let now = clock.now
        guard let session = desk.sessions[id], desk.sessions.isOpen(id, at: now) else {
            let how = desk.sessions.closing(of: id, at: now)?.words ?? "is not one of this gate's"
            return refuse(403, "SessionClosed", "session \(id) \(how); `countersign run` opens another")
        }
        guard handOuts.admits(id, most: CredentialDoor.aMinuteMax, at: now) else {
            return refuse(
                429, "TooManyRequests", "\(CredentialDoor.aMinuteMax) keys were handed out in this minute")
        }
        do {
            let lifetime = min(CredentialDoor.lifetime, configuration.keyLifetime)
            let seconds = Int(lifetime.components.seconds)
            let keys = try issue(session, seconds: seconds, account: account)
            reply(
                exchange, 200,
                [
                    "AccessKeyId": .string(keys.accessKeyID),
                    "SecretAccessKey": .string(spelled(keys.secretKey)),
                    "Token": .string(spelled(keys.sessionToken)),
                    "Expiration": .string(keys.expires.description),
                ])
        } catch { refuse(500, "BadSession", "no keys can carry what the session holds: \(error)") }
    }

    private func reply(_ exchange: Exchange, _ status: Int, _ body: JSON) {
        exchange.answer(
            status: status,
            fields: [
                HeaderField("content-type", "application/json"), HeaderField("cache-control", "no-store"),
            ], body: body.line)
    }
}
