/// Text that an agent wrote about itself: at most 500 characters, quoted wherever it is shown, never trusted.
package struct ClaimedText: Hashable, Sendable {
    /// The most characters that are kept.
    package static let lengthMax = 500

    /// Where the text came from.
    package enum Source: String, Hashable, Sendable {
        case sessionToken = "session-token"
        case header = "header"
        case userAgent = "user-agent"
    }

    package let text: String
    package let source: Source

    /// `text`, cut to ``lengthMax`` characters and marked with `…` when it was longer.
    package init(_ text: String, source: Source) {
        self.text = text.count > Self.lengthMax ? text.prefix(Self.lengthMax - 1) + "…" : text
        self.source = source
    }
}

/// How sure we are of who calls.
package enum IdentityStrength: String, Hashable, Sendable, CaseIterable {
    /// The listener it came in by says who; any process that reaches the listener can be it.
    case listener
    /// The same, and the kernel says that the process runs under a uid that `agents.yaml` names for the
    /// agent.
    case uid
    /// The call carries a verified signature by a key we issued.
    case signed
}

/// The credential scope that a request claims, verified or not. It only routes: the service judged is the
/// service signed for and the host dialled, so a lie gains nothing.
package struct CredentialScope: Hashable, Sendable {
    package let region: String
    /// The signing name, lower case: `dynamodb`.
    package let service: String

    package init(region: String, service: String) {
        self.region = region
        self.service = service
    }
}

/// What a verified key of ours says beyond who calls on which task.
package struct IssuedPower: Hashable, Sendable {
    /// `CSAK…`: which key it was.
    package let accessKeyID: String
    /// Whom the agent belongs to.
    package let owner: String?
    /// The account that its calls are for, 12 digits; nil for the gateway's own.
    package let account: String?
    /// The ARN of the role that its calls are signed as; nil for the gateway's own credentials.
    package let role: String?
    /// When the key ends; nothing that it is given may outlive it.
    package let expires: Instant

    package init(accessKeyID: String, owner: String?, account: String?, role: String?, expires: Instant) {
        self.accessKeyID = accessKeyID
        self.owner = owner
        self.account = account
        self.role = role
        self.expires = expires
    }
}

/// Who calls, as Identifying found it.
package struct Caller: Hashable, Sendable {
    package let agent: AgentName
    package let session: SessionID
    package let strength: IdentityStrength
    package let task: ClaimedText?
    package let reason: ClaimedText?
    package let scope: CredentialScope?
    /// What its key says; nil unless ``strength`` is ``IdentityStrength/signed``.
    package let issued: IssuedPower?

    package init(
        agent: AgentName, session: SessionID, strength: IdentityStrength, task: ClaimedText?,
        reason: ClaimedText?, scope: CredentialScope?, issued: IssuedPower? = nil
    ) {
        self.agent = agent
        self.session = session
        self.strength = strength
        self.task = task
        self.reason = reason
        self.scope = scope
        self.issued = issued
    }
}
