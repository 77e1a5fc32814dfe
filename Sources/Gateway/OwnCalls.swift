import Forwarding
import Recognizing
import Recording
import SigV4
import Signing
import Synchronization
import Vocabulary

/// Why a call that the gateway made for itself came to nothing. No case holds a secret.
package enum OwnCallError: Error, Sendable, Hashable {
    /// The call could not be made up, or the gateway may not make it.
    case unmade(String)
    /// It could not be written down, so it was not made.
    case unrecorded(LogError)
    /// The credentials cannot sign.
    case unsigned(SigningError)
    /// No whole answer came.
    case unanswered(String)
    /// AWS refused, with `code`; `text` is what it said besides.
    case refused(code: String, text: String?, status: Int)
    /// The answer is not what it should be.
    case unreadable(String)

    /// What is wrong, on one line.
    package var message: String {
        switch self {
        case .unmade(let why): why
        case .unrecorded(let error): "it could not be recorded: \(error)"
        case .unsigned(.credentialsExpired(let end)): "the credentials ended at \(end)"
        case .unsigned(.credentialsEmpty): "there is no key to sign with"
        case .unanswered(let why): why
        case .refused(let code, let text, _):
            "AWS answered \(shown(code))" + (text.map { ": " + shown(String($0.prefix(500))) } ?? "")
        case .unreadable(let why): "the answer cannot be read: \(why)"
        }
    }
}

/// The calls that the gateway makes for itself: each is recognized, written down, signed where it needs to
/// be, sent, and its outcome written down, like any other. Blocks the thread that asks: never the loop's.
package struct OwnCalls: Sendable {
    /// How long AWS may take for one.
    static let limit = Duration.seconds(20)

    let log: RequestLog
    let forwarder: Forwarder
    let signingKeys: SigningKeys
    let clock: Clock
    let trustFile: String
    /// Where STS is, and in which region when nothing else says.
    let sts: RecognitionSetting
    /// Where the portal of IAM Identity Center is.
    let sso: RecognitionSetting

    /// What AWS answered with a status below 300.
    struct Answer {
        let reply: StoredReply
        /// AWS's own clock when it answered; nil when it did not say.
        let date: String?
        let awsRequestID: String?
    }

    /// Makes the call of `request` and waits for its answer. `credentials` nil: it goes unsigned, with a
    /// token of its own.
    func ask(
        _ request: InboundRequest, of setting: RecognitionSetting, purpose: String,
        with credentials: Credentials?
    ) throws(OwnCallError) -> Answer {
        let call: Call
        do {
            let agent = try AgentName(parsing: "countersign")
            let caller = Caller(
                agent: agent, session: SessionID(random: 0), strength: .listener, task: nil, reason: nil,
                scope: nil)
            call = try recognize(request, caller: caller, setting: setting)
        } catch { throw .unmade("the call cannot be made up: \(error)") }
        let name = RequestID(random: Clock.randomBits())
        let own: OwnCall
        do {
            own = try OwnCall(
                call, request: name,
                signature: credentials.map { .signed(accessKeyID: $0.accessKeyID) } ?? .none,
                purpose: purpose)
        } catch { throw .unmade("\(error)") }
        let entry = try record(own)
        let (reply, outcome) = try send(call.sealed, entry, name, with: credentials)
        note(outcome, of: entry, name)
        guard let reply, outcome.kind == .answered || outcome.kind == .throttled else {
            throw .unanswered(outcome.error ?? "no answer came")
        }
        guard (200..<300).contains(reply.status) else {
            // What an unsigned call was answered could quote its token, which nobody took out.
            throw .refused(
                code: errorCode(reply) ?? "status \(reply.status)",
                text: credentials == nil ? nil : errorText(reply), status: reply.status)
        }
        return Answer(
            reply: reply, date: reply.fields.first { $0.name == "date" }?.value,
            awsRequestID: outcome.awsRequestID)
    }

    private func record(_ own: OwnCall) throws(OwnCallError) -> EntryID {
        let written = Waiter<Result<EntryID, LogError>>()
        log.append(own, at: clock.now) { written.give($0) }
        do { return try written.take().get() } catch { throw .unrecorded(error) }
    }

    private func note(_ outcome: Outcome, of entry: EntryID, _ name: RequestID) {
        // That it holds keys is what it was made for.
        let known = outcome.with(holdsCredentials: false)
        log.append(.outcome(known, of: entry, request: name, at: clock.now), durability: .written)
    }

    private func send(
        _ sealed: SealedRequest, _ entry: EntryID, _ name: RequestID, with credentials: Credentials?
    ) throws(OwnCallError) -> (StoredReply?, Outcome) {
        guard let credentials else { return fetch(sealed) }
        let signed: SignedRequest
        do {
            signed = try sign(log.clear(entry), with: credentials, at: clock.wall, keys: signingKeys)
        } catch let error as SigningError {
            note(.notSent("\(error)"), of: entry, name)
            throw .unsigned(error)
        } catch let error as LogError {
            throw .unrecorded(error)
        } catch { throw .unmade("\(error)") }
        let sink = WholeReply()
        let transfer = forwarder.submit(signed, sink: sink)
        if let done = sink.done.take(within: Self.limit) { return done }
        transfer.cancel()
        let (reply, outcome) = sink.done.take()
        return outcome.kind == .answered ? (reply, outcome) : (nil, outcome.with(error: "no answer in time"))
    }

    private func fetch(_ sealed: SealedRequest) -> (StoredReply?, Outcome) {
        let began = loopNanoseconds()
        let target = sealed.query.isEmpty ? sealed.path : sealed.path + "?" + sealed.query
        var body: [UInt8] = []
        if case .bytes(let bytes) = sealed.body { body = bytes }
        do throws(FetchError) {
            let origin = try Origin(authority: sealed.authority, usesTLS: sealed.usesTLS)
            let reply = try Fetch(sealed.method, target, at: origin, fields: sealed.fields, body: body)
                .perform(limit: Self.limit, trustFile: trustFile)
            let id = reply.fields.first { $0.name == "x-amzn-requestid" }?.value
            return (
                StoredReply(status: reply.status, fields: reply.fields, body: reply.body),
                Outcome(
                    kind: .answered, status: reply.status, awsRequestID: id, awsExtendedRequestID: nil,
                    error: nil, bytesSent: body.count, bytesReceived: reply.body.count,
                    elapsed: .nanoseconds(loopNanoseconds() - began))
            )
        } catch {
            switch error {
            case .badOrigin, .plainElsewhere, .unsafe, .unreachable, .untrusted:
                return (nil, .notSent(error.message))
            case .timedOut, .badReply:
                return (
                    nil,
                    Outcome(
                        kind: .unknown, status: nil, awsRequestID: nil, awsExtendedRequestID: nil,
                        error: error.message, bytesSent: body.count, bytesReceived: 0,
                        elapsed: .nanoseconds(loopNanoseconds() - began))
                )
            }
        }
    }
}

/// What an error reply in XML or JSON says besides its code.
private func errorText(_ reply: StoredReply) -> String? {
    if reply.body.first == 0x7B {
        // An answer that cannot be read says nothing.
        guard let json = try? JSON(parsing: reply.body) else { return nil }
        return json["message"]?.string ?? json["Message"]?.string
    }
    return (try? XMLReply(parsing: reply.body))?.text("ErrorResponse", "Error", "Message")
}

/// Hands one value from one thread to another that waits for it.
final class Waiter<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let gate = Gate()

    func give(_ value: Value) {
        self.value.withLock { $0 = value }
        gate.open()
    }

    func take() -> Value {
        while true {
            if let value = value.withLock({ $0 }) { return value }
            gate.wait()
        }
    }

    /// The value, if it comes within `limit`.
    func take(within limit: Duration) -> Value? {
        gate.wait(atMost: limit)
        return value.withLock { $0 }
    }
}

/// A reply read whole, at most ``StoredReply/byteCountMax`` bytes.
private final class WholeReply: ReplySink {
    let done = Waiter<(StoredReply?, Outcome)>()
    private let state = Mutex<(head: ReplyHead?, body: [UInt8])>((nil, []))

    func head(_ head: ReplyHead) { state.withLock { $0.head = head } }

    func chunk(_ bytes: [UInt8]) -> Appetite {
        state.withLock { state in
            if state.body.count < StoredReply.byteCountMax { state.body += bytes }
        }
        return .more
    }

    func end(_ outcome: Outcome) {
        let (head, body) = state.withLock { ($0.head, $0.body) }
        done.give((head.map { StoredReply(status: $0.status, fields: $0.fields, body: body) }, outcome))
    }
}

extension OwnCalls {
    /// Those that go where `recognition` sends calls, or for STS and the portal of IAM Identity Center where
    /// `AWS_ENDPOINT_URL_STS` and `AWS_ENDPOINT_URL_SSO` say.
    ///
    /// A token of the portal goes to no `--upstream`: it would open it everything that the person may do.
    init(
        log: RequestLog, forwarder: Forwarder, signingKeys: SigningKeys, clock: Clock, trustFile: String,
        recognition: RecognitionSetting, environment: [String: String]
    ) throws(ConfigurationError) {
        func setting(_ variable: String, else upstream: RecognitionSetting.Upstream)
            throws(ConfigurationError) -> RecognitionSetting
        {
            var upstream = upstream
            if let url = environment[variable], !url.isEmpty {
                upstream = try upstreamSetting(url, key: variable)
            }
            return RecognitionSetting(
                account: nil, region: recognition.region, upstream: upstream, variant: recognition.variant)
        }
        self.init(
            log: log, forwarder: forwarder, signingKeys: signingKeys, clock: clock, trustFile: trustFile,
            sts: try setting("AWS_ENDPOINT_URL_STS", else: recognition.upstream),
            sso: try setting("AWS_ENDPOINT_URL_SSO", else: .aws))
    }
}

extension Gateway {
    /// Asks STS once for the account that the gateway's own credentials belong to. Not from the loop.
    ///
    /// - Throws: ``ConfigurationError`` when AWS does not say; `--account` spares the question.
    func learnAccount() throws(ConfigurationError) {
        let identity: CallerIdentity
        do {
            identity = try ownCalls.callerIdentity(
                of: credentials.current(at: clock.wall), purpose: "the gateway's account")
        } catch let error as OwnCallError {
            throw ConfigurationError(
                "the gateway's account is not known: sts:GetCallerIdentity: \(error.message); "
                    + "--account states it")
        } catch let error as CredentialError { throw ConfigurationError(error.message) } catch {
            throw ConfigurationError("\(error)")
        }
        desk.recognition = desk.recognition.with(
            account: identity.account, region: desk.recognition.region)
    }
}
