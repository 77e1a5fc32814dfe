import Deciding
import Recognizing
import Vocabulary

/// Why a call that asks cannot wait.
package enum AskError: Error, Sendable, Hashable {
    /// ``WaitingRoom/pendingMax`` calls of the agent wait already, or would, had it not withdrawn them.
    case tooManyPending(limit: Int)
    /// The statement demands a reason from the agent, and the call carries none.
    case reasonMissing([StatementID])
}

/// Why a review is refused.
package enum ReviewError: Error, Sendable, Hashable {
    case unknownApproval(ApprovalID)
    /// It is not pending any more.
    case alreadyEnded(ApprovalID, Approval.State)
    /// None of the statements lets this person answer.
    case notAnApprover(ApproverName)
    /// This person has answered already.
    case alreadyReviewed(ApproverName)
    /// The review comes from the agent's own uid, or the agent's uid is not known.
    case sameUID(UInt32)
    /// The statement says `Confirm: typed`, and what was typed is not `expected`.
    case notConfirmed(expected: String)
    /// The statement says `ReviewReason: required`.
    case reasonMissing
}

/// Every approval that waits, or waited: the fold of its changes.
///
/// A value: commands look at it and give what should become an entry; only ``apply(_:)`` changes it, once the
/// entry is synced, and the same way again when the log is folded at start.
package struct WaitingRoom: Hashable, Sendable {
    /// Pending approvals of one agent.
    package static let pendingMax = 64
    /// Ended approvals that are kept in memory, each with parameters of up to 48 KiB; the log keeps all.
    package static let endedMax = 1_000

    package private(set) var approvals: [ApprovalID: Approval] = [:]
    private var pending: [AgentName: [ApprovalID]] = [:]
    /// Those that their agent took back: they count against it until they would have expired, or asking and
    /// withdrawing in turn would flood approvers and the log.
    private var withdrawn: [AgentName: [ApprovalID]] = [:]
    private var latest: [CallKey: ApprovalID] = [:]
    /// Calls whose approval is on its way into the log: no part of the fold.
    private var coming: Set<CallKey> = []
    private var endedInOrder: [ApprovalID] = []

    /// What makes two calls of one session the same.
    package struct CallKey: Hashable, Sendable {
        let agent: AgentName
        let session: SessionID
        let digest: Digest

        /// The key of a call by `caller` that means `meaning`.
        package init(_ meaning: Meaning, caller: Caller) {
            self.init(agent: caller.agent, session: caller.session, digest: meaning.digest)
        }

        init(agent: AgentName, session: SessionID, digest: Digest) {
            self.agent = agent
            self.session = session
            self.digest = digest
        }
    }

    package init() {}

    /// The approval `id`; nil when the room does not know it (any more).
    package subscript(id: ApprovalID) -> Approval? { approvals[id] }

    /// Those that wait for an answer, oldest first.
    package var waiting: [Approval] {
        pending.values.joined().compactMap { approvals[$0] }.sorted {
            ($0.created, $0.id.text) < ($1.created, $1.id.text)
        }
    }

    // MARK: Asking

    /// What the room knows of a call that asks.
    package enum Answer: Hashable, Sendable {
        /// The same call waits already: join it.
        case waits(Approval)
        /// The same call was denied, and that approval would still be open: the denial stands until then.
        case denied(Approval)
        /// The same call is being requested at this moment: wait until it is.
        case comes
        /// Nobody has asked: request it. `superseding` waits for the same call under statements that have
        /// changed since, and is to be withdrawn.
        case new(superseding: ApprovalID?)
    }

    /// Whether the same call, by meaning and under the same statements, waits or was denied in this session.
    ///
    /// - Throws: ``AskError`` when it would be new and cannot wait.
    package func ask(_ question: Question, meaning: Meaning, caller: Caller, at now: Instant) throws(AskError)
        -> Answer
    {
        let key = CallKey(meaning, caller: caller)
        if coming.contains(key) { return .comes }
        var superseded: ApprovalID?
        if let id = latest[key], let approval = approvals[id], now < approval.expires {
            let isSame = approval.question.fingerprint == question.fingerprint
            switch approval.state {
            case .pending:
                if isSame { return .waits(approval) }
                superseded = id
            case .denied: if isSame { return .denied(approval) }
            case .approved, .expired, .withdrawn: break
            }
        }
        if question.terms.needsAgentReason, caller.reason == nil { throw .reasonMissing(question.statements) }
        guard openCount(of: caller.agent, at: now) < Self.pendingMax else {
            throw .tooManyPending(limit: Self.pendingMax)
        }
        return .new(superseding: superseded)
    }

    /// How many of the agent's calls wait, are about to, or would had they not been withdrawn.
    private func openCount(of agent: AgentName, at now: Instant) -> Int {
        let takenBack = withdrawn[agent, default: []].count { id in
            approvals[id].map { now < $0.expires } ?? false
        }
        return pending[agent, default: []].count + takenBack + coming.count { $0.agent == agent }
    }

    /// The approval of `key` is on its way into the log: until it is applied, or ``giveUp(_:)``, the same
    /// call waits for it, and it counts as pending.
    package mutating func expect(_ key: CallKey) { coming.insert(key) }

    /// The approval of `key` did not get into the log.
    package mutating func giveUp(_ key: CallKey) { coming.remove(key) }

    // MARK: Reviewing

    /// Whether `review` may be recorded: its approver may answer, has not yet, and meets the statement's
    /// terms.
    ///
    /// `allowsSameUID` is the operator's `--allow-same-uid`; `approvers` says who may answer what.
    ///
    /// - Throws: ``ReviewError``. Nothing changes until the review's entry is synced and applied.
    package func check(
        _ review: Review, of id: ApprovalID, typed: String?, approvers: ApproverBook, allowsSameUID: Bool
    ) throws(ReviewError) {
        guard let approval = approvals[id] else { throw .unknownApproval(id) }
        guard approval.state == .pending, review.at < approval.expires else {
            throw .alreadyEnded(id, approval.state == .pending ? .expired : approval.state)
        }
        let terms = approval.question.terms
        guard approvers.mayReview(review.approver, for: terms.quorums) else {
            throw .notAnApprover(review.approver)
        }
        guard !approval.reviews.contains(where: { $0.approver == review.approver }) else {
            throw .alreadyReviewed(review.approver)
        }
        if review.isSameUID, !allowsSameUID { throw .sameUID(review.uid) }
        if terms.needsReviewReason, review.reason?.isEmpty ?? true { throw .reasonMissing }
        if terms.confirmsTyped, review.verdict == .approve,
            typed?.asciiLowercased != approval.confirmation.asciiLowercased
        {
            throw .notConfirmed(expected: approval.confirmation)
        }
    }

    /// The grant that `id` has earned: every quorum met, no denial, still pending. Lifetimes start at `now`.
    package func earnedGrant(_ id: ApprovalID, grantID: GrantID, approvers: ApproverBook, at now: Instant)
        -> Grant?
    {
        guard let approval = approvals[id], approval.state == .pending, approval.grant == nil,
            now < approval.expires
        else { return nil }
        let agreed = approval.reviews.filter { $0.verdict == .approve }.map(\.approver)
        let terms = approval.question.terms
        guard approvers.fulfils(terms.quorums, by: agreed) else { return nil }
        let caller = approval.requester.caller
        return Grant(
            id: grantID, approval: id, agent: caller.agent, session: caller.session,
            digest: approval.asked.digest,
            statements: approval.question.statements, fingerprint: approval.question.fingerprint, start: now,
            end: now.advanced(by: terms.grantTTL),
            firstUseBy: terms.firstUseWithin.map { now.advanced(by: $0) }, maxUses: terms.maxUses,
            decidedBy: agreed)
    }

    // MARK: Expiring

    /// The pending approvals whose time is over at `now`.
    package func expired(at now: Instant) -> [ApprovalID] {
        pending.values.joined().filter { id in approvals[id].map { $0.expires <= now } ?? false }
    }

    /// The next moment at which the time of a pending approval is over, those in `ending` aside.
    package func nextExpiry(except ending: Set<ApprovalID>) -> Instant? {
        pending.values.joined().filter { !ending.contains($0) }.compactMap { approvals[$0]?.expires }.min()
    }

    // MARK: Folding

    /// Takes `change` in. Changes that no longer apply (a grant for an approval denied meanwhile) do nothing;
    /// the result says whether it took effect.
    @discardableResult
    package mutating func apply(_ change: ApprovalChange) -> Bool {
        switch change {
        case .requested(let approval):
            guard approvals[approval.id] == nil else { return false }
            approvals[approval.id] = approval
            pending[approval.requester.caller.agent, default: []].append(approval.id)
            latest[key(of: approval)] = approval.id
            coming.remove(key(of: approval))
            return true
        case .reviewed(let id, let review):
            guard approvals[id]?.state == .pending,
                !(approvals[id]?.reviews.contains { $0.approver == review.approver } ?? true)
            else { return false }
            approvals[id]?.reviews.append(review)
            if review.verdict == .deny { end(id, as: .denied, at: review.at) }
            return true
        case .granted(let grant):
            guard approvals[grant.approval]?.state == .pending else { return false }
            approvals[grant.approval]?.grant = grant.id
            end(grant.approval, as: .approved, at: grant.start)
            return true
        case .ended(let id, let state, let at):
            guard approvals[id]?.state == .pending else { return false }
            end(id, as: state, at: at)
            return true
        }
    }

    private mutating func end(_ id: ApprovalID, as state: Approval.State, at: Instant) {
        guard let approval = approvals[id] else { return }
        approvals[id]?.state = state
        approvals[id]?.ended = at
        let agent = approval.requester.caller.agent
        pending[agent]?.removeAll { $0 == id }
        if state == .withdrawn {
            withdrawn[agent, default: []].removeAll { id in approvals[id].map { $0.expires <= at } ?? true }
            withdrawn[agent, default: []].append(id)
        }
        endedInOrder.append(id)
        guard endedInOrder.count > Self.endedMax else { return }
        let oldest = endedInOrder.removeFirst()
        if let forgotten = approvals.removeValue(forKey: oldest), latest[key(of: forgotten)] == oldest {
            latest[key(of: forgotten)] = nil
        }
    }

    private func key(of approval: Approval) -> CallKey {
        let caller = approval.requester.caller
        return CallKey(agent: caller.agent, session: caller.session, digest: approval.asked.digest)
    }
}
