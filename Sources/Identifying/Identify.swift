import Vocabulary

/// What a listener says of those who come in by it.
package struct ListenerBinding: Hashable, Sendable {
    /// The agent that the listener is configured for.
    package let agent: AgentName
    /// Its standing session, kept over restarts, ended by the operator.
    package let session: SessionID
    /// Whom the kernel names at the other end, and who may be the agent; nil where `agents.yaml` names no
    /// uids for it: then anyone may.
    package let owner: OwnerCheck?

    /// What the kernel says of a connection's owner, beside who it must be.
    package struct OwnerCheck: Hashable, Sendable {
        /// The agent's uids.
        package let uids: [UInt32]
        /// The owner's; nil: not known.
        package let uid: UInt32?

        package init(uids: [UInt32], uid: UInt32?) {
            self.uids = uids
            self.uid = uid
        }
    }

    package init(agent: AgentName, session: SessionID, owner: OwnerCheck? = nil) {
        self.agent = agent
        self.session = session
        self.owner = owner
    }

    /// How sure it is that an unsigned call is the agent's.
    ///
    /// - Throws: ``IdentificationError/foreignUID(agent:uid:uids:)``.
    func strength() throws(IdentificationError) -> IdentityStrength {
        guard let owner else { return .listener }
        guard let uid = owner.uid, owner.uids.contains(uid) else {
            throw .foreignUID(agent: agent, uid: owner.uid, uids: owner.uids)
        }
        return .uid
    }
}

/// Why a request's credential is refused. Every case is answered 403 and recorded; none is ever taken for
/// an unsigned call instead.
package enum IdentificationError: Error, Sendable, Hashable {
    /// What looks like a real AWS key (`AKIA…`, `ASIA…`): the agent holds a key it should not have. `id` is
    /// the key id, cut to its first and last four characters.
    case realKey(id: String)
    /// A credential that is neither absent, nor the dummy key `unsigned`, nor a key of ours.
    case foreignCredential(String)
    /// An unsigned call from another uid than those of the listener's agent; `uid` nil: the kernel names
    /// none.
    case foreignUID(agent: AgentName, uid: UInt32?, uids: [UInt32])
    /// A credential that cannot be read, or that leaves out of its signature what must be in it; `why` says
    /// what is wrong with it.
    case malformed(why: String)
    /// The session token of an issued key is not good; `why` says what is wrong with it, never what it holds.
    case badToken(why: String)
    /// The issued key was good before this moment.
    case keyExpired(Instant)
    /// The presigned request was good before this moment.
    case presignedExpired(Instant)
    /// The request was signed so long before now, or after it when negative.
    case skewedClock(by: Duration)
    /// The signature is not the one that the key makes of this request.
    case wrongSignature
    /// The body is not the one that was signed.
    case wrongBody
}

/// Who calls: whoever the issued key was issued to, if the request is signed by one; the listener's agent, if
/// it is unsigned or signed with the dummy key `unsigned`. Final only with the body:
/// ``Identification/caller(sending:content:chunks:)``.
///
/// The dummy key's signature proves nothing and is not checked. Its scope carries region and service; its
/// session token may be `task=…;reason=…`, percent-encoded. An issued key's signature is checked in full:
/// THREATS.md section 4 is the contract.
///
/// Task and reason come from the token, else from `X-Countersign-Task` and `-Reason`, else the task from the
/// SDK's application id (`app/…` in User-Agent).
///
/// - Parameters:
///   - listener: Whose calls the unsigned ones are.
///   - keys: This host's keys; nil where none are issued.
///   - now: The time by which issued keys end.
///   - wall: The time of the wall clock, by which clients date what they sign.
/// - Throws: ``IdentificationError`` for every other credential, in the header or the query, and for two at
///   once.
package func identify(
    _ head: RequestHead, at listener: ListenerBinding, keys: inout KeyRing, now: Instant, wall: Instant
) throws(IdentificationError) -> Identification {
    let fields = try CredentialFields(head)
    var claims = Claims()
    var scope: CredentialScope?
    switch try PresentedCredential(head, fields, known: &keys.authorizations) {
    case .none: break
    case .dummy(let claimedScope, let token):
        scope = claimedScope
        if let token { claims = try Claims(sessionToken: token) }
    case .issued(let signature):
        return try Identification(signature, head, keys: &keys, now: now, wall: wall)
    case .issuedOldURL(let signature):
        return try Identification(signature, head, keys: &keys, now: now, wall: wall)
    }
    claims.complete(from: head)
    return Identification(
        Caller(
            agent: listener.agent, session: listener.session, strength: try listener.strength(),
            task: claims.task, reason: claims.reason, scope: scope))
}

/// What the agent says of itself.
struct Claims {
    var task: ClaimedText?
    var reason: ClaimedText?

    init() {}

    /// The claims of a dummy session token: `task=…;reason=…`, each at most once, in any order.
    init(sessionToken token: String) throws(IdentificationError) {
        for field in token.split(separator: ";", omittingEmptySubsequences: false) {
            let parts = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let text = percentDecoded(parts[1]) else {
                throw .malformed(
                    why:
                        "the session token of key `unsigned` must read `task=...;reason=...`, percent-encoded"
                )
            }
            switch parts[0] {
            case "task" where task == nil: task = ClaimedText(text, source: .sessionToken)
            case "reason" where reason == nil: reason = ClaimedText(text, source: .sessionToken)
            default:
                throw .malformed(
                    why: "the session token of key `unsigned` may hold `task` and `reason`, each once")
            }
        }
    }

    mutating func complete(from head: RequestHead) {
        if task == nil { task = head["x-countersign-task"].map { ClaimedText($0, source: .header) } }
        if reason == nil { reason = head["x-countersign-reason"].map { ClaimedText($0, source: .header) } }
        guard task == nil, let agentText = head["user-agent"] else { return }
        let application = agentText.split(separator: " ").first { $0.hasPrefix("app/") && $0.utf8.count > 4 }
        task = application.map { ClaimedText(String($0.dropFirst(4)), source: .userAgent) }
    }
}

/// `text` with each `%XX` decoded once; nil for a bad escape or bad UTF-8. `+` stays: nothing here holds a
/// blank.
func percentDecoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8.makeIterator()
    while let byte = rest.next() {
        guard byte == 0x25 else {
            bytes.append(byte)
            continue
        }
        guard let high = rest.next(), let low = rest.next(),
            let value = [UInt8](lowercaseHex: [high.lowercased, low.lowercased])
        else { return nil }
        bytes += value
    }
    return String(validating: bytes, as: UTF8.self)
}
