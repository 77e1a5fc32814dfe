import Accepting
import Deciding
import Forwarding
import Identifying
import Recognizing
import Recording
import Signing
import Synchronization
import Vocabulary

extension Gateway {
    /// Asks STS once for the account that the gateway's own credentials belong to: through the same
    /// corridor's rooms as every call, so it is in the log like them. Not from the loop.
    ///
    /// - Throws: ``ConfigurationError`` when AWS does not say; `--account` spares the question.
    func learnAccount() throws(ConfigurationError) {
        let answer: StoredReply
        do { answer = try askOwnIdentity() } catch {
            throw ConfigurationError(
                "the gateway's account is not known (sts:GetCallerIdentity: \(error)); --account states it")
        }
        let text = String(decoding: answer.body, as: UTF8.self)
        guard answer.status == 200, let start = text.firstRange(of: "<Account>"),
            let end = text[start.upperBound...].firstRange(of: "</Account>")
        else {
            let code = errorCode(answer) ?? "status \(answer.status)"
            throw ConfigurationError(
                "the gateway's account is not known: sts:GetCallerIdentity is answered \(code); "
                    + "--account states it"
            )
        }
        let account = String(text[start.upperBound..<end.lowerBound])
        guard account.utf8.count == 12, account.utf8.allSatisfy(\.isDigit) else {
            throw ConfigurationError("sts:GetCallerIdentity names no account; --account states it")
        }
        desk.recognition = desk.recognition.with(account: account, region: desk.recognition.region)
    }

    private func askOwnIdentity() throws -> StoredReply {
        let agent = try AgentName(parsing: "countersign")
        let caller = Caller(
            agent: agent, session: SessionID(random: Clock.randomBits()), strength: .listener, task: nil,
            reason: nil,
            scope: nil)
        let head = RequestHead(
            method: "POST", target: "/",
            fields: [
                HeaderField("host", "127.0.0.1"),
                HeaderField("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ])
        let request = InboundRequest(
            head: head, body: Array("Action=GetCallerIdentity&Version=2011-06-15".utf8))
        let setting = desk.recognition
        let place = setting.with(account: nil, region: setting.region ?? "us-east-1")
        let call = try recognize(request, caller: caller, setting: place)
        guard case .allow(let allowance) = desk.decide(call.meaning, caller: caller, at: clock.now) else {
            throw ConfigurationError("policy refuses it")
        }
        let credentials = try self.credentials.current(at: clock.wall)
        let name = RequestID(random: Clock.randomBits())
        let reservation = try desk.reserve(call, allowance, caller: caller, request: name, at: clock.now)
        let written = Waiter<Result<EntryID, LogError>>()
        log.append(
            reservation, facts: RequestFacts(peer: "countersign", accessKeyID: credentials.accessKeyID)
        ) {
            written.give($0)
        }
        let entry = try written.take().get()
        let signed = try sign(log.clear(entry), with: credentials, at: clock.wall, keys: signingKeys)
        let sink = WholeReply()
        _ = forwarder.submit(signed, sink: sink)
        let (reply, outcome) = sink.done.take()
        note(.outcome(outcome, of: entry, request: name, at: clock.now))
        guard let reply, outcome.kind == .answered else {
            throw ConfigurationError(outcome.error ?? "no answer")
        }
        return reply
    }
}

/// Hands one value from one thread to another that waits for it.
private final class Waiter<Value: Sendable>: Sendable {
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
