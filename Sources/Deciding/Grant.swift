import Recognizing
import Vocabulary

/// The scope, lifetime and count that an approval became.
package struct Grant: Hashable, Sendable {
    package let id: GrantID
    package let approval: ApprovalID
    package let agent: AgentName
    package let session: SessionID
    /// What it covers. Only calls of this digest (scope `exact`).
    package let digest: Digest
    /// The asking statements that it answers, and the SHA-256 of their text then.
    package let statements: [StatementID]
    package let fingerprint: Digest
    package let start: Instant
    /// The first moment at which it no longer covers anything.
    package let end: Instant
    /// Unused by then it lapses.
    package let firstUseBy: Instant?
    package let maxUses: Int
    package let decidedBy: [ApproverName]

    package init(
        id: GrantID, approval: ApprovalID, agent: AgentName, session: SessionID, digest: Digest,
        statements: [StatementID], fingerprint: Digest, start: Instant, end: Instant, firstUseBy: Instant?,
        maxUses: Int, decidedBy: [ApproverName]
    ) {
        self.id = id
        self.approval = approval
        self.agent = agent
        self.session = session
        self.digest = digest
        self.statements = statements
        self.fingerprint = fingerprint
        self.start = start
        self.end = end
        self.firstUseBy = firstUseBy
        self.maxUses = maxUses
        self.decidedBy = decidedBy
    }
}

/// One claim on a grant: its `number` of `maxUses`.
package struct Use: Hashable, Sendable {
    package let grant: GrantID
    package let approval: ApprovalID
    /// From 1.
    package let number: Int
    package let maxUses: Int

    package init(grant: GrantID, approval: ApprovalID, number: Int, maxUses: Int) {
        self.grant = grant
        self.approval = approval
        self.number = number
        self.maxUses = maxUses
    }
}

/// An allowed call's one claim to be sent.
///
/// Only ``GrantBook/reserve(_:for:caller:request:policy:counting:at:)`` makes one, from a decision that
/// allows; it takes the uses and counts against the limits in the same step. It holds the exact request; the
/// log consumes it.
package struct Reservation: ~Copyable, Sendable {
    package let call: Call
    package let caller: Caller
    package let allowance: Allowance
    package let request: RequestID
    package let uses: [Use]
    /// How the limits that it meets stand with it.
    package let limits: [LimitStanding]
    /// The digest of the policy set that allowed it.
    package let policy: Digest
    package let at: Instant

    init(
        call: Call, caller: Caller, allowance: Allowance, request: RequestID, uses: [Use],
        limits: [LimitStanding], policy: Digest, at: Instant
    ) {
        self.call = call
        self.caller = caller
        self.allowance = allowance
        self.request = request
        self.uses = uses
        self.limits = limits
        self.policy = policy
        self.at = at
    }

    /// Whether the log must have synced the entry before the call may leave: a write, a call under a grant,
    /// or one that only an observing gate lets through.
    package var needsSync: Bool { call.meaning.mutates || !uses.isEmpty || allowance.would != nil }
}
