import Recognizing
import Vocabulary

/// What policy says of a call, with what led to it.
package enum Decision: Hashable, Sendable {
    case allow(Allowance)
    case ask(Question)
    case deny(Denial)
}

/// Why a call may be sent: one ground a pair, in the order of the call's pairs. Only `decide` makes one.
package struct Allowance: Hashable, Sendable {
    /// What opens one pair.
    package enum Ground: Hashable, Sendable {
        case statement(StatementID)
        /// A live grant covers the pair, which `statements` ask for.
        case grant(GrantID, statements: [StatementID])
        /// `sts:GetCallerIdentity`.
        case alwaysAnswered
        /// Nothing in policy: the gate only observes.
        case observed
    }

    package let grounds: [Ground]
    /// What the call counts against, once sent: the limits of all statements that match it, whichever opened
    /// it; by statement.
    package let limits: [LimitClaim]

    /// The grants that the call would use, without doubles.
    package var grants: [GrantID] {
        var ids: [GrantID] = []
        for case .grant(let id, _) in grounds where !ids.contains(id) { ids.append(id) }
        return ids
    }

    /// The statements that led to it, without doubles.
    package var statements: [StatementID] {
        var ids: [StatementID] = []
        for ground in grounds {
            switch ground {
            case .statement(let id): if !ids.contains(id) { ids.append(id) }
            case .grant(_, let statements): for id in statements where !ids.contains(id) { ids.append(id) }
            case .alwaysAnswered, .observed: continue
            }
        }
        return ids
    }

    /// Whether policy holds, or is only observed.
    package private(set) var mode = Mode.enforce
    /// What policy would have done with a call whose ground is that it is only observed; nil for any other.
    package let would: Would?
    /// The digest of the call that was decided.
    package let call: Digest
    /// The fingerprint of the question that the grants answer; nil when none was needed.
    let fingerprint: Digest?

    /// Only ``decide(_:caller:under:grants:limits:mode:at:)`` makes one: no other room can allow anything.
    init(_ meaning: Meaning, grounds: [Ground], fingerprint: Digest?, limits: [LimitClaim] = []) {
        call = meaning.digest
        self.grounds = grounds
        self.limits = limits
        would = nil
        self.fingerprint = fingerprint
    }
}

extension Allowance {
    /// Why a call may be sent that policy `would` not let through: only in mode `observe`.
    init(_ meaning: Meaning, observing would: Would) {
        call = meaning.digest
        grounds = meaning.pairs.map { _ in .observed }
        // Policy would not have let it go, so it does not count: the next calls meet the limits as they would
        // have.
        limits = []
        self.would = would
        mode = .observe
        fingerprint = nil
    }

    /// The same, in a gate that only observes.
    var observing: Allowance {
        var copy = self
        copy.mode = .observe
        return copy
    }
}

/// What humans must be asked before a call may be sent.
package struct Question: Hashable, Sendable {
    /// The pairs that ask.
    package let pairs: [Pair]
    /// The asking statements that decided, sorted; all of them must be met.
    package let statements: [StatementID]
    /// Their terms, merged to the strictest.
    package let terms: ApprovalTerms
    /// SHA-256 over the text of ``statements``: a grant whose statement changed asks anew.
    package let fingerprint: Digest
    /// The limits that make it ask, in words: `limit of 100 calls a minute of orders/Read reached …`.
    package let limits: [String]

    package init(
        pairs: [Pair], statements: [StatementID], terms: ApprovalTerms, fingerprint: Digest,
        limits: [String] = []
    ) {
        self.limits = limits
        self.pairs = pairs
        self.statements = statements
        self.terms = terms
        self.fingerprint = fingerprint
    }
}

/// Why a call is refused: every failing pair.
package struct Denial: Hashable, Sendable {
    /// Why one pair is refused.
    package enum Reason: Hashable, Sendable {
        /// A `Deny` statement matches.
        case statement(StatementID)
        /// No statement matches.
        case byDefault
        /// Nothing is known of the resource and no asking statement on `"*"` matches.
        case unknownResource
        /// The reply holds credentials and no statement names the action literally.
        case vendsCredentials
        /// The statement's limit is reached, and beyond it stands `deny`.
        case limit(LimitReach)
        /// No policy can let it through.
        case barred(SendingBar)
    }

    /// One failing pair.
    package struct Item: Hashable, Sendable {
        package let pair: Pair
        package let reason: Reason

        package init(pair: Pair, reason: Reason) {
            self.pair = pair
            self.reason = reason
        }
    }

    package let items: [Item]

    package init(items: [Item]) { self.items = items }
}

/// The `Approval` block of an asking statement, or of several merged.
package struct ApprovalTerms: Hashable, Sendable {
    /// One statement's approvers: so many of each group or person.
    package struct Quorum: Hashable, Sendable {
        /// The names, sorted, and how many reviews each must give; any one of them when `anyOne`.
        package let needs: [Need]
        package let anyOne: Bool

        /// So many reviews by members of one group, or by one person.
        package struct Need: Hashable, Sendable {
            /// A group or person of `approvers.yaml`.
            package let name: String
            package let count: Int

            package init(name: String, count: Int) {
                self.name = name
                self.count = count
            }
        }

        /// In any order: two statements that say the same in another one ask for one quorum.
        package init(needs: [Need], anyOne: Bool) {
            self.needs = needs.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
            self.anyOne = anyOne
        }
    }

    /// Which calls a grant covers.
    package enum Scope: String, Hashable, Sendable {
        case exact
        case resource
        case prefix
        case statement
    }

    /// How long the call is held for an answer before the agent is told to come back.
    package enum Hold: Hashable, Sendable {
        /// By the client that calls (`notes/clients.md` section 5).
        case auto
        case fixed(Duration)
    }

    /// All must be met.
    package let quorums: [Quorum]
    package let scope: Scope
    package let grantTTL: Duration
    package let maxUses: Int
    package let pendingTTL: Duration
    package let firstUseWithin: Duration?
    package let hold: Hold
    package let confirmsTyped: Bool
    package let needsAgentReason: Bool
    package let needsReviewReason: Bool
    package let needsSignedEvidence: Bool
    package let needsPostReview: Bool

    package init(
        quorums: [Quorum], scope: Scope = .exact, grantTTL: Duration = .seconds(900), maxUses: Int = 1,
        pendingTTL: Duration = .seconds(1800), firstUseWithin: Duration? = nil, hold: Hold = .auto,
        confirmsTyped: Bool = false, needsAgentReason: Bool = false, needsReviewReason: Bool = false,
        needsSignedEvidence: Bool = false, needsPostReview: Bool = false
    ) {
        self.quorums = quorums
        self.scope = scope
        self.grantTTL = grantTTL
        self.maxUses = maxUses
        self.pendingTTL = pendingTTL
        self.firstUseWithin = firstUseWithin
        self.hold = hold
        self.confirmsTyped = confirmsTyped
        self.needsAgentReason = needsAgentReason
        self.needsReviewReason = needsReviewReason
        self.needsSignedEvidence = needsSignedEvidence
        self.needsPostReview = needsPostReview
    }
}

extension ApprovalTerms {
    /// Both terms at once: every quorum, the shortest lifetimes, the fewest uses, the narrowest scope, every
    /// duty.
    package func merged(with other: ApprovalTerms) -> ApprovalTerms {
        ApprovalTerms(
            quorums: quorums + other.quorums.filter { !quorums.contains($0) },
            scope: min(scope, other.scope),
            grantTTL: min(grantTTL, other.grantTTL),
            maxUses: min(maxUses, other.maxUses),
            pendingTTL: min(pendingTTL, other.pendingTTL),
            firstUseWithin: [firstUseWithin, other.firstUseWithin].compactMap(\.self).min(),
            hold: hold.merged(with: other.hold),
            confirmsTyped: confirmsTyped || other.confirmsTyped,
            needsAgentReason: needsAgentReason || other.needsAgentReason,
            needsReviewReason: needsReviewReason || other.needsReviewReason,
            needsSignedEvidence: needsSignedEvidence || other.needsSignedEvidence,
            needsPostReview: needsPostReview || other.needsPostReview)
    }
}

extension ApprovalTerms.Scope: Comparable {
    /// Narrower scopes are less.
    package static func < (left: Self, right: Self) -> Bool { left.width < right.width }

    private var width: Int {
        switch self {
        case .exact: 0
        case .resource: 1
        case .prefix: 2
        case .statement: 3
        }
    }
}

extension ApprovalTerms.Hold {
    /// The shorter; a stated one before `auto`.
    fileprivate func merged(with other: Self) -> Self {
        switch (self, other) {
        case (.auto, let stated), (let stated, .auto): stated
        case (.fixed(let left), .fixed(let right)): .fixed(min(left, right))
        }
    }
}

extension StatementID: Comparable {
    /// By the bytes of document, then Sid.
    package static func < (left: Self, right: Self) -> Bool {
        left.document.utf8.elementsEqual(right.document.utf8)
            ? left.sid.utf8.lexicographicallyPrecedes(right.sid.utf8)
            : left.document.utf8.lexicographicallyPrecedes(right.document.utf8)
    }
}
