import Deciding
import Recognizing
import Vocabulary

/// An entry of the log that should hold an approval's change, and does not.
package struct ChangeRecordError: Error, Sendable, Hashable {
    /// The member that is missing or cannot be read.
    package let member: String
}

extension ApprovalChange {
    /// The type of the entry that holds the change: `approval`, `review`, `grant` or `approval-end`.
    package var entryType: String {
        switch self {
        case .requested: "approval"
        case .reviewed: "review"
        case .granted: "grant"
        case .ended: "approval-end"
        }
    }

    /// What the entry holds of the change, under the names of docs/log.md.
    package var body: [JSON.Member] {
        switch self {
        case .requested(let approval): approval.record
        case .reviewed(let id, let review): [.init("approval", .string(id.text))] + review.record
        case .granted(let grant): grant.record
        case .ended(let id, let state, let at):
            [
                .init("approval", .string(id.text)), .init("state", .string(state.rawValue)),
                .init("at", .string(at.precise)),
            ]
        }
    }

    /// The change that an entry of `type` holds; nil for a type that holds none.
    ///
    /// - Throws: ``ChangeRecordError`` naming the member at fault.
    package init?(entryType type: String, body: JSON) throws(ChangeRecordError) {
        let record = Record(json: body)
        switch type {
        case "approval": self = .requested(try Approval(record))
        case "review": self = .reviewed(try record.approvalID("approval"), try Review(record))
        case "grant": self = .granted(try Grant(record))
        case "approval-end":
            guard let state = Approval.State(rawValue: try record.text("state")) else {
                throw ChangeRecordError(member: "state")
            }
            self = .ended(try record.approvalID("approval"), state, at: try record.instant("at"))
        default: return nil
        }
    }
}

// MARK: - Approval

extension Approval {
    /// The approval as it was requested: what its entry and its card hold.
    package var record: [JSON.Member] {
        [
            .init("approval", .string(id.text)), .init("created", .string(created.precise)),
            .init("expires", .string(expires.precise)), .init("requester", requester.json),
            .init("what", asked.json),
            .init("pairs", .array(question.pairs.map(\.json))),
            .init("statements", .strings(question.statements.map(\.description))),
            .init("terms", question.terms.json),
            .init("fingerprint", .string(question.fingerprint.description)),
            .init("policy", .string(policy.description)),
        ] + (question.limits.isEmpty ? [] : [.init("limits", .strings(question.limits))])
    }

    fileprivate init(_ record: Record) throws(ChangeRecordError) {
        let requester = try record.object("requester")
        let caller = Caller(
            agent: try requester.agent("agent"), session: try requester.session("session"),
            strength: IdentityStrength(rawValue: try requester.text("strength")) ?? .listener,
            task: requester.claim("task"), reason: requester.claim("reason"), scope: nil)
        let what = try record.object("what")
        let question = Question(
            pairs: try record.pairs("pairs"), statements: try record.statements("statements"),
            terms: try ApprovalTerms(try record.object("terms")),
            fingerprint: try record.digest("fingerprint"),
            limits: record.json["limits"] == nil ? [] : try record.texts("limits"))
        self.init(
            id: try record.approvalID("approval"), created: try record.instant("created"),
            requester: Requester(
                caller: caller, uid: requester.json["uid"]?.integer.flatMap { UInt32(exactly: $0) },
                peer: try requester.text("peer")),
            asked: Asked(
                service: try what.text("service"), operation: try what.text("operation"),
                account: try what.text("account"), region: try what.text("region"),
                pairs: try what.pairs("pairs"),
                parameters: what.json["parameters"] ?? .null, itemCount: try what.count("items"),
                bodyByteCount: what.json["bytes"].flatMap(\.integer).flatMap { Int(exactly: $0) } ?? 0,
                digest: try what.digest("digest"), wireDigest: try what.digest("wire"),
                judged: what.members(after: "wire")),
            question: question, policy: try record.digest("policy"))
    }
}

extension Approval.Requester {
    fileprivate var json: JSON {
        .object([
            .init("agent", .string(caller.agent.text)), .init("session", .string(caller.session.text)),
            .init("strength", .string(caller.strength.rawValue)), .init("task", caller.task?.json ?? .null),
            .init("reason", caller.reason?.json ?? .null), .init("uid", uid.map { .integer($0) } ?? .null),
            .init("peer", .string(peer)),
        ])
    }
}

extension Approval.Asked {
    fileprivate var json: JSON {
        .object(
            [
                .init("service", .string(service)), .init("operation", .string(operation)),
                .init("account", .string(account)), .init("region", .string(region)),
                .init("pairs", .array(pairs.map(\.json))), .init("parameters", parameters),
                .init("items", .integer(itemCount)), .init("bytes", .integer(bodyByteCount)),
                .init("digest", .string(digest.description)), .init("wire", .string(wireDigest.description)),
            ] + judged)
    }
}

extension ClaimedText {
    /// The agent's text and where it came from.
    package var json: JSON {
        .object([.init("text", .string(text)), .init("source", .string(source.rawValue))])
    }
}

extension Pair {
    /// The pair with its level and sensitivity; unknown parts of the resource read `<unknown>`, and `parts`
    /// tells them exactly.
    package var json: JSON {
        .object(
            [
                .init("action", .string(action.description)),
                .init("resource", .string(resource.description)),
                .init("level", .string(level.description)),
                .init("sensitivity", .string(sensitivity.description)),
            ] + resource.recorded)
    }
}

// MARK: - Review and grant

extension Review {
    /// The review as its entry and the card hold it.
    package var record: [JSON.Member] {
        [
            .init("by", .string(approver.text)), .init("verdict", .string(verdict.rawValue)),
            .init("reason", reason.map { .string($0) } ?? .null), .init("shown", .string(shown.description)),
            .init("seen_ms", .integer(seen.wholeNanoseconds / 1_000_000)), .init("at", .string(at.precise)),
            .init("uid", .integer(uid)), .init("same_uid", .bool(isSameUID)),
        ]
    }

    fileprivate init(_ record: Record) throws(ChangeRecordError) {
        guard let verdict = Verdict(rawValue: try record.text("verdict")) else {
            throw ChangeRecordError(member: "verdict")
        }
        guard let uid = UInt32(exactly: try record.integer("uid")) else {
            throw ChangeRecordError(member: "uid")
        }
        self.init(
            approver: try record.approver("by"), verdict: verdict, reason: record.json["reason"]?.string,
            shown: try record.digest("shown"), seen: .milliseconds(try record.integer("seen_ms")),
            at: try record.instant("at"), uid: uid, isSameUID: record.json["same_uid"]?.bool ?? true)
    }
}

extension Grant {
    /// The grant as its entry holds it.
    package var record: [JSON.Member] {
        [
            .init("grant", .string(id.text)), .init("approval", .string(approval.text)),
            .init("agent", .string(agent.text)), .init("session", .string(session.text)),
            .init("scope", .string("exact")), .init("digest", .string(digest.description)),
            .init("statements", .strings(statements.map(\.description))),
            .init("fingerprint", .string(fingerprint.description)), .init("start", .string(start.precise)),
            .init("end", .string(end.precise)),
            .init("first_use_by", firstUseBy.map { .string($0.precise) } ?? .null),
            .init("max_uses", .integer(maxUses)), .init("decided_by", .strings(decidedBy.map(\.text))),
        ]
    }

    fileprivate init(_ record: Record) throws(ChangeRecordError) {
        var decidedBy: [ApproverName] = []
        for name in try record.texts("decided_by") {
            guard let approver = try? ApproverName(parsing: name) else {
                throw ChangeRecordError(member: "decided_by")
            }
            decidedBy.append(approver)
        }
        self.init(
            id: try record.grantID("grant"), approval: try record.approvalID("approval"),
            agent: try record.agent("agent"),
            session: try record.session("session"), digest: try record.digest("digest"),
            statements: try record.statements("statements"), fingerprint: try record.digest("fingerprint"),
            start: try record.instant("start"), end: try record.instant("end"),
            firstUseBy: try record.optionalInstant("first_use_by"), maxUses: try record.count("max_uses"),
            decidedBy: decidedBy)
    }
}

// MARK: - Terms

extension ApprovalTerms {
    /// The terms as the card and the entry hold them; durations in seconds.
    package var json: JSON {
        let holdText: JSON =
            switch hold {
            case .auto: "auto"
            case .fixed(let wait): .integer(wait.components.seconds)
            }
        return .object([
            .init("quorums", .array(quorums.map(\.json))), .init("scope", .string(scope.rawValue)),
            .init("grant_ttl_s", .integer(grantTTL.components.seconds)), .init("max_uses", .integer(maxUses)),
            .init("pending_ttl_s", .integer(pendingTTL.components.seconds)),
            .init("first_use_within_s", firstUseWithin.map { .integer($0.components.seconds) } ?? .null),
            .init("hold", holdText), .init("confirm_typed", .bool(confirmsTyped)),
            .init("agent_reason", .bool(needsAgentReason)), .init("review_reason", .bool(needsReviewReason)),
        ])
    }

    fileprivate init(_ record: Record) throws(ChangeRecordError) {
        guard let scope = Scope(rawValue: try record.text("scope")),
            let quorums = record.json["quorums"]?.array
        else {
            throw ChangeRecordError(member: "terms")
        }
        var parsed: [Quorum] = []
        for quorum in quorums { parsed.append(try Quorum(Record(json: quorum))) }
        let first = record.json["first_use_within_s"]?.integer
        self.init(
            quorums: parsed, scope: scope, grantTTL: .seconds(try record.integer("grant_ttl_s")),
            maxUses: try record.count("max_uses"), pendingTTL: .seconds(try record.integer("pending_ttl_s")),
            firstUseWithin: first.map { .seconds($0) },
            hold: record.json["hold"]?.integer.map { .fixed(.seconds($0)) } ?? .auto,
            confirmsTyped: record.json["confirm_typed"]?.bool ?? true,
            needsAgentReason: record.json["agent_reason"]?.bool ?? true,
            needsReviewReason: record.json["review_reason"]?.bool ?? true)
    }
}

extension ApprovalTerms.Quorum {
    /// `{"any_of": […]}`, or `{"all_of": {name: count}}`.
    package var json: JSON {
        anyOne
            ? .object([.init("any_of", .strings(needs.map(\.name)))])
            : .object([.init("all_of", .object(needs.map { .init($0.name, .integer($0.count)) }))])
    }

    fileprivate init(_ record: Record) throws(ChangeRecordError) {
        if record.json["any_of"] != nil {
            self.init(needs: try record.texts("any_of").map { Need(name: $0, count: 1) }, anyOne: true)
            return
        }
        var needs: [Need] = []
        for member in try record.object("all_of").json.members ?? [] {
            guard let count = member.value.integer.flatMap({ Int(exactly: $0) }) else {
                throw ChangeRecordError(member: "all_of")
            }
            needs.append(Need(name: member.name, count: count))
        }
        self.init(needs: needs, anyOne: false)
    }
}
