import Deciding
import Recognizing
import Vocabulary

/// A call that waits, or waited, for humans.
package struct Approval: Hashable, Sendable {
    /// Where an approval stands: `pending` until it ends in one of the others, for good.
    package enum State: String, Hashable, Sendable {
        case pending
        case approved
        case denied
        case expired
        case withdrawn
    }

    /// Who asked, as the gate knew it when the call came.
    package struct Requester: Hashable, Sendable {
        package let caller: Caller
        /// The uid of the process that called, where the kernel says; nil counts as the approver's own.
        package let uid: UInt32?
        /// Address and port, or the socket.
        package let peer: String

        package init(caller: Caller, uid: UInt32?, peer: String) {
            self.caller = caller
            self.uid = uid
            self.peer = peer
        }
    }

    /// What was asked for.
    package struct Asked: Hashable, Sendable {
        package let service: String
        package let operation: String
        package let account: String
        package let region: String
        /// Every pair of the call, as text; those that ask are in the question.
        package let pairs: [Pair]
        /// The parsed parameters, secrets redacted, as the card shows them.
        package let parameters: JSON
        package let itemCount: Int
        package let bodyByteCount: Int
        package let digest: Digest
        package let wireDigest: Digest
        /// What else policy judged the call by, as the log has it: its condition keys above all.
        package let judged: [JSON.Member]

        /// What `call` asks for; `parameters` are its own, redacted.
        package init(_ call: Call, parameters: JSON, judged: [JSON.Member]) {
            let meaning = call.meaning
            self.init(
                service: meaning.service, operation: meaning.operation, account: meaning.account,
                region: meaning.region, pairs: meaning.pairs, parameters: parameters,
                itemCount: meaning.itemCount, bodyByteCount: meaning.bodyByteCount,
                digest: meaning.digest, wireDigest: call.sealed.wireDigest, judged: judged)
        }

        init(
            service: String, operation: String, account: String, region: String, pairs: [Pair],
            parameters: JSON,
            itemCount: Int, bodyByteCount: Int, digest: Digest, wireDigest: Digest, judged: [JSON.Member]
        ) {
            self.service = service
            self.operation = operation
            self.account = account
            self.region = region
            self.pairs = pairs
            self.parameters = parameters
            self.itemCount = itemCount
            self.bodyByteCount = bodyByteCount
            self.digest = digest
            self.wireDigest = wireDigest
            self.judged = judged
        }
    }

    package let id: ApprovalID
    package internal(set) var state: State
    package let created: Instant
    /// The first moment at which nobody can answer any more.
    package let expires: Instant
    package let requester: Requester
    package let asked: Asked
    package let question: Question
    /// The policy set under which it asked.
    package let policy: Digest
    package internal(set) var reviews: [Review]
    package internal(set) var grant: GrantID?
    /// When it stopped being pending.
    package internal(set) var ended: Instant?

    /// A pending approval from `created` on, for as long as the terms of `question` say.
    package init(
        id: ApprovalID, created: Instant, requester: Requester, asked: Asked, question: Question,
        policy: Digest
    ) {
        self.id = id
        self.state = .pending
        self.created = created
        self.expires = created.advanced(by: question.terms.pendingTTL)
        self.requester = requester
        self.asked = asked
        self.question = question
        self.policy = policy
        self.reviews = []
        self.grant = nil
        self.ended = nil
    }

    /// What the approver types where the statement says `Confirm: typed`: the last four characters of the id.
    package var confirmation: String { String(id.text.suffix(4)) }
}

/// One approver's answer.
package struct Review: Hashable, Sendable {
    /// What an approver says; any `deny` is final.
    package enum Verdict: String, Hashable, Sendable {
        case approve
        case deny
    }

    package let approver: ApproverName
    package let verdict: Verdict
    package let reason: String?
    /// The SHA-256 of the card that the approver was shown.
    package let shown: Digest
    /// From the card's being shown to the answer.
    package let seen: Duration
    package let at: Instant
    package let uid: UInt32
    /// Whether the approver's uid is the agent's own, or the agent's is not known: the operator allowed it,
    /// and the record says so.
    package let isSameUID: Bool

    package init(
        approver: ApproverName, verdict: Verdict, reason: String?, shown: Digest, seen: Duration, at: Instant,
        uid: UInt32, isSameUID: Bool
    ) {
        self.approver = approver
        self.verdict = verdict
        self.reason = reason
        self.shown = shown
        self.seen = seen
        self.at = at
        self.uid = uid
        self.isSameUID = isSameUID
    }
}

/// One fact about approvals, true once its entry is synced. The waiting room is the fold of these.
package enum ApprovalChange: Hashable, Sendable {
    case requested(Approval)
    case reviewed(ApprovalID, Review)
    case granted(Grant)
    /// `expired` or `withdrawn`.
    case ended(ApprovalID, Approval.State, at: Instant)
}
