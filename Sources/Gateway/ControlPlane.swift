import Approving
import Deciding
import Hashing
import Vocabulary

/// One request on the control socket or the agents' socket.
struct ControlRequest {
    let method: String
    /// The path's segments: `["v1", "approvals", "apr-…", "review"]`.
    let path: [String]
    /// The query's names and values; none of ours needs percent-escapes.
    let query: [String: String]
    let body: JSON
    /// Who is at the other end, as the kernel says.
    let uid: UInt32
    /// The groups of that process, as far as the kernel says.
    let groups: [UInt32]
}

/// Its answer.
struct ControlReply {
    let status: Int
    let body: JSON

    static func ok(_ body: JSON) -> ControlReply { ControlReply(status: 200, body: body) }

    static func error(_ status: Int, _ code: String, _ message: String) -> ControlReply {
        ControlReply(
            status: status,
            body: .object([
                .init("error", .object([.init("code", .string(code)), .init("message", .string(message))]))
            ]))
    }

    static let notFound = error(404, "NotFound", "no such route or id")
}

/// A card's nonce: which approver was shown which card, and when. A review must quote it.
struct ShownCard: Hashable {
    let approver: ApproverName
    let approval: ApprovalID
    let card: Digest
    let at: Instant
}

/// The approvers' side: routes of the control socket (docs/control.md). Runs on the loop.
extension Gateway {
    func control(_ request: ControlRequest, reply: @escaping @Sendable (ControlReply) -> Void) {
        guard request.path.first == "v1", request.path.count >= 2 else { return reply(.notFound) }
        let rest = Array(request.path.dropFirst(2))
        switch (request.method, request.path[1], rest.count) {
        case ("GET", "inbox", 0): reply(.ok(inbox()))
        case ("GET", "grants", 0): reply(.ok(grantList()))
        case ("GET", "approvals", 1): reply(show(rest[0], to: request.uid))
        case ("GET", "sessions", 0): reply(.ok(sessionList(desk.sessions.open(at: clock.now))))
        case ("GET", "story", 1): story(of: rest[0], reply: reply)
        case ("POST", "approvals", 2) where rest[1] == "review": review(rest[0], request, reply: reply)
        case ("POST", "grants", 2) where rest[1] == "revoke": revoke(rest[0], request, reply: reply)
        case ("POST", "sessions", 2) where rest[1] == "close": close(rest[0], request, reply: reply)
        default: reply(.notFound)
        }
    }

    private func close(
        _ text: String, _ request: ControlRequest, reply: @escaping @Sendable (ControlReply) -> Void
    ) {
        guard let approver = desk.policy.approvers.approver(forUID: request.uid) else {
            return reply(
                .error(
                    403, "NotAnApprover",
                    "uid \(request.uid) is no approver: approvers.yaml names none with it"))
        }
        closeSession(text, request, approver: approver, reply: reply)
    }

    private func inbox() -> JSON {
        let now = clock.now
        let waiting = JSON.Member("approvals", .array(desk.room.waiting.map { card($0, now: now) }))
        switch desk.mode {
        case .enforce: return .object([waiting])
        case .observe: return .object([waiting, .init("mode", .string(desk.mode.rawValue))])
        }
    }

    /// The card as every surface gets it: what was recorded, and how it stands now.
    func card(_ approval: Approval, now: Instant) -> JSON {
        let open = approval.state == .pending ? max(.zero, approval.expires.since(now)) : .zero
        return .object(
            approval.record + [
                .init("state", .string(approval.state.rawValue)),
                .init("open_s", .integer(open.components.seconds)),
                .init(
                    "account_name",
                    desk.policy.accounts[approval.asked.account].map { .string($0.title) } ?? .null),
                .init("grant", approval.grant.map { .string($0.text) } ?? .null),
                .init(
                    "confirm",
                    approval.question.terms.confirmsTyped ? .string(approval.confirmation) : .null),
                .init("reviews", .array(approval.reviews.map { .object($0.record) })),
            ])
    }

    private func show(_ text: String, to uid: UInt32) -> ControlReply {
        guard let id = try? ApprovalID(parsing: text), let approval = desk.room[id] else { return .notFound }
        let now = clock.now
        let card = card(approval, now: now)
        var members = card.members ?? []
        if let approver = desk.policy.approvers.approver(forUID: uid), approval.state == .pending {
            let nonce = Gateway.randomHex()
            forgetOldCards(now: now)
            shownCards[nonce] = ShownCard(
                approver: approver, approval: id, card: sha256(JSON.object(approval.record).canonical),
                at: now)
            members.append(.init("nonce", .string(nonce)))
            members.append(.init("approver", .string(approver.text)))
        }
        return .ok(.object(members))
    }

    private func forgetOldCards(now: Instant) {
        shownCards = shownCards.filter { now.since($0.value.at) < .seconds(86_400) }
        // A flood of shows forgets the oldest cards; their reviews are answered "show it again".
        while shownCards.count >= 4_096, let oldest = shownCards.min(by: { $0.value.at < $1.value.at }) {
            shownCards[oldest.key] = nil
        }
    }

    private func review(
        _ text: String, _ request: ControlRequest, reply: @escaping @Sendable (ControlReply) -> Void
    ) {
        guard let id = try? ApprovalID(parsing: text), let approval = desk.room[id] else {
            return reply(.notFound)
        }
        guard let approver = desk.policy.approvers.approver(forUID: request.uid) else {
            return reply(
                .error(
                    403, "NotAnApprover",
                    "uid \(request.uid) is no approver: approvers.yaml names none with it"))
        }
        guard let verdict = request.body["verdict"]?.string.flatMap(Review.Verdict.init(rawValue:)) else {
            return reply(.error(400, "BadRequest", "`verdict` must be approve or deny"))
        }
        let now = clock.now
        guard let nonce = request.body["nonce"]?.string, let shown = shownCards[nonce],
            shown.approver == approver,
            shown.approval == id
        else {
            return reply(
                .error(
                    409, "ShowFirst",
                    "the review quotes no card that was shown to \(approver); show \(id) first"))
        }
        let requester = approval.requester.uid
        let review = Review(
            approver: approver, verdict: verdict,
            reason: request.body["reason"]?.string.map { String($0.prefix(500)) },
            shown: shown.card, seen: now.since(shown.at), at: now, uid: request.uid,
            // A person who runs the agent under another uid of theirs is the requester all the same.
            isSameUID: requester.map {
                $0 == request.uid || desk.policy.approvers.approver(forUID: $0) == approver
            } ?? true)
        do {
            try desk.room.check(
                review, of: id, typed: request.body["typed"]?.string, approvers: desk.policy.approvers,
                allowsSameUID: configuration.allowsSameUID)
        } catch { return reply(.error(error.status, error.code, error.text)) }
        shownCards[nonce] = nil
        if verdict == .deny { denying[id, default: 0] += 1 }
        record(.reviewed(id, review)) { [self] durable in
            if verdict == .deny { denying[id] = denying[id].flatMap { $0 > 1 ? $0 - 1 : nil } }
            // Also when this one failed: a grant may have waited for it.
            settle(id) { [self] in
                guard durable else {
                    return reply(
                        .error(503, "LogUnwritable", "the log cannot be written, so nothing was decided"))
                }
                conclude(review, of: id, reply: reply)
            }
        }
    }

    /// What the approver is told of a review that is in the log. One that came too late changed nothing;
    /// but a denial that lost against a grant by a moment still takes that grant away.
    private func conclude(
        _ review: Review, of id: ApprovalID, reply: @escaping @Sendable (ControlReply) -> Void
    ) {
        guard let settled = desk.room[id] else { return reply(.notFound) }
        guard !settled.reviews.contains(review) else { return reply(.ok(card(settled, now: clock.now))) }
        let late = ReviewError.alreadyEnded(id, settled.state)
        guard review.verdict == .deny, let grant = settled.grant else {
            return reply(.error(late.status, late.code, late.text))
        }
        do { try desk.grants.revoke(grant) } catch {
            return reply(.error(late.status, late.code, late.text))
        }
        let why = "denied at the same moment"
        record(.grantRevoked(at: clock.now, grant: grant, approval: id, by: review.approver, why: why)) { _ in
            reply(.error(late.status, late.code, "\(late.text); your denial revoked its grant \(grant)"))
        }
    }

    private func revoke(
        _ text: String, _ request: ControlRequest, reply: @escaping @Sendable (ControlReply) -> Void
    ) {
        guard let id = try? GrantID(parsing: text), let grant = desk.grants[id] else {
            return reply(.error(404, "NotFound", "there is no grant \(quoted(text))"))
        }
        guard let approver = desk.policy.approvers.approver(forUID: request.uid) else {
            return reply(
                .error(
                    403, "NotAnApprover",
                    "uid \(request.uid) is no approver: approvers.yaml names none with it"))
        }
        // Revoked at once, whatever the log does: taking power away never waits.
        do { try desk.grants.revoke(id) } catch { return reply(.notFound) }
        desk.roleSessions.prune(desk.grants, at: clock.now)
        let why = request.body["reason"]?.string.map { String($0.prefix(500)) }
        record(.grantRevoked(at: clock.now, grant: id, approval: grant.approval, by: approver, why: why)) {
            durable in
            reply(
                durable
                    ? .ok(.object([.init("grant", .string(id.text)), .init("state", "revoked")]))
                    : .error(
                        503, "LogUnwritable",
                        "revoked, but the log cannot be written: a restart would bring the grant back"))
        }
    }

    private func grantList() -> JSON {
        let now = clock.now
        return .object([
            .init(
                "grants",
                .array(
                    desk.grants.states(at: now).map { grant, state, usesLeft in
                        .object(
                            grant.record + [
                                .init("uses", .integer(grant.maxUses - usesLeft)),
                                .init("state", .string(state.rawValue)),
                            ])
                    }))
        ])
    }

    static func randomHex() -> String {
        let words = [Clock.randomBits(), Clock.randomBits()]
        return String(
            decoding: words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
                .lowercaseHex, as: UTF8.self)
    }
}

extension ReviewError {
    fileprivate var status: Int {
        switch self {
        case .unknownApproval: 404
        case .alreadyEnded, .alreadyReviewed, .notConfirmed: 409
        case .notAnApprover, .sameUID: 403
        case .reasonMissing: 400
        }
    }

    fileprivate var code: String {
        switch self {
        case .unknownApproval: "NotFound"
        case .alreadyEnded: "AlreadyEnded"
        case .alreadyReviewed: "AlreadyReviewed"
        case .notConfirmed: "NotConfirmed"
        case .notAnApprover: "NotAnApprover"
        case .sameUID: "SameUID"
        case .reasonMissing: "ReasonMissing"
        }
    }

    fileprivate var text: String {
        switch self {
        case .unknownApproval(let id): "there is no approval \(id)"
        case .alreadyEnded(let id, let state): "\(id) is \(state.rawValue) already"
        case .notAnApprover(let name): "no statement that asked names \(name) or a group of theirs"
        case .alreadyReviewed(let name): "\(name) has answered already; one person counts once"
        case .sameUID(let uid):
            "the call came from uid \(uid) as well, or its uid is not known, so the agent itself "
                + "could be answering: review from "
                + "another uid, or start serve with --allow-same-uid (for a laptop)"
        case .notConfirmed(let expected): "this approval is confirmed by typing `\(expected)`"
        case .reasonMissing: "the statement demands a reason from the approver: --reason \"…\""
        }
    }
}
