import Vocabulary

/// With whose power a call is signed: what AWS lets the credentials do, and under whose name it records them.
package struct SignedAs: Hashable, Sendable {
    /// What the session policy of the credentials lets through.
    package enum Extent: String, Hashable, Sendable, CaseIterable {
        /// What the `Allow` statements of the agent cover, of the services of the call.
        case statements
        /// The pairs of the call, under its grant.
        case grant
        /// The pairs of the call.
        case call
        /// All that the role may do.
        case none
    }

    package let extent: Extent
    /// Why there is no session policy; nil where there is one, and where none was asked for.
    package let why: String?
    /// The role's ARN; nil for the gateway's own credentials.
    package let role: String?
    /// `support-7@ses-9F31AAAA`, as CloudTrail shows it.
    package let sessionName: String?
    package let sourceIdentity: String?
    /// SHA-256 of the session policy; its text is in the `own-call` entry that asked for the session.
    package let sessionPolicy: Digest?

    package init(
        extent: Extent, why: String? = nil, role: String? = nil, sessionName: String? = nil,
        sourceIdentity: String? = nil, sessionPolicy: Digest? = nil
    ) {
        self.extent = extent
        self.why = why
        self.role = role
        self.sessionName = sessionName
        self.sourceIdentity = sourceIdentity
        self.sessionPolicy = sessionPolicy
    }

    /// The same, with the reason why it is no narrower.
    package func because(_ why: String) -> SignedAs {
        SignedAs(
            extent: extent, why: why, role: role, sessionName: sessionName, sourceIdentity: sourceIdentity,
            sessionPolicy: sessionPolicy)
    }

    /// As the entry of a request has it.
    package var logged: JSON {
        .object(
            [
                .text("to", extent.rawValue), .text("why", why, byteCountMax: 512),
                .text("role", role, byteCountMax: 2_048),
                .text("role_session", sessionName, byteCountMax: 64),
                .text("source_identity", sourceIdentity, byteCountMax: 64),
                sessionPolicy.map { .digest("session_policy", $0) },
            ].compactMap(\.self))
    }
}
