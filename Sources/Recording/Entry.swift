import Deciding
import Vocabulary

/// What an entry is of: the word in its `type`. `docs/log.md` says what each holds.
package enum EntryType: String, Hashable, Sendable, CaseIterable {
    /// The sidecar began to serve.
    case start
    /// A policy set was loaded, or refused.
    case policy
    /// A session was opened, joined, opened again or closed.
    case session
    /// An approval was asked for.
    case approval
    /// An approval ended without an answer: expired or withdrawn.
    case approvalEnd = "approval-end"
    /// One approver's answer.
    case review
    /// A grant was made.
    case grant
    /// A grant was revoked.
    case grantEnd = "grant-end"
    /// A call is about to be signed and sent. Written before it is.
    case request
    /// A call that the gateway makes for itself. Written before it is made.
    case ownCall = "own-call"
    /// What became of a request.
    case outcome
    /// A call that policy or a human refused.
    case denied
    /// A request that could not be read, or came from nobody we know.
    case rejected
    /// The sidecar could not do its work.
    case fault
    /// What stands before may not be whole: the last sure entry, by number and hash.
    case gap
    /// The sidecar stopped in good order.
    case stop
}

/// An entry to be written: all but its place.
package struct Entry: Hashable, Sendable {
    package let type: EntryType
    package let at: Instant
    /// The members after `type`, in order; their names are distinct.
    let members: [JSON.Member]

    init(_ type: EntryType, at: Instant, _ members: [JSON.Member?]) {
        self.type = type
        self.at = at
        self.members = members.compactMap { $0 }
    }
}

extension EntryType {
    /// Whether it may use the space that the log keeps in reserve: what closes something that was let go
    /// before, or takes leave away.
    var mayUseReserve: Bool {
        switch self {
        case .outcome, .approvalEnd, .grantEnd, .gap, .stop: true
        case .start, .policy, .session, .approval, .review, .grant, .request, .ownCall, .denied, .rejected,
            .fault:
            false
        }
    }

    /// Whether its members come from another room as JSON, and may hold what a body held.
    var holdsOutsideStructure: Bool {
        switch self {
        case .approval, .approvalEnd, .review, .grant, .ownCall: true
        case .start, .policy, .session, .grantEnd, .request, .outcome, .denied, .rejected, .fault, .gap,
            .stop:
            false
        }
    }
}

/// How durable an entry must be before its writer is told so.
package enum Durability: Hashable, Sendable {
    /// Handed to the operating system: survives our crash.
    case written
    /// On the disk: survives the machine's.
    case synced
}

// MARK: - The sidecar's own entries

extension Entry {
    /// The sidecar begins to serve: its version, its host's name, the SHA-256 of its configuration and of its
    /// policy set, and whether that only observes.
    package static func start(
        at: Instant, version: String, host: String, configuration: Digest, policy: Digest,
        mode: Mode = .enforce
    ) -> Entry {
        Entry(
            .start, at: at,
            [
                .text("version", version), .text("host", host), .digest("config", configuration),
                .digest("policy", policy), modeMember(mode),
            ])
    }

    /// The sidecar stops in good order.
    package static func stop(at: Instant, reason: String) -> Entry {
        Entry(.stop, at: at, [.text("reason", reason)])
    }

    /// The policy set `policy`, of `statementCount` statements, is the one that judges from here on.
    package static func policyLoaded(at: Instant, policy: Digest, statementCount: Int) -> Entry {
        Entry(
            .policy, at: at,
            [.text("event", "loaded"), .digest("policy", policy), .count("statements", statementCount)])
    }

    /// A new policy set was refused for `error`; `kept` still judges.
    package static func policyFailed(at: Instant, kept: Digest, error: String) -> Entry {
        Entry(
            .policy, at: at,
            [.text("event", "failed"), .digest("policy", kept), .text("error", error, byteCountMax: 4_096)])
    }

    /// A change of an approval or a grant, under the member names of `docs/log.md`. To be synced.
    ///
    /// `type` is `approval`, `approval-end`, `review` or `grant`; nil for any other. What would not fit on a
    /// line is shortened: the parameters to their count and SHA-256, then lists of pairs to their first ones
    /// and `pair_count`.
    package static func change(_ type: String, at: Instant, body: [JSON.Member]) -> Entry? {
        guard let type = EntryType(rawValue: type), type.holdsOutsideStructure else { return nil }
        return Entry(type, at: at, fitted(body))
    }

    /// Grant `grant` of `approval` was revoked by `by`; nil when the sidecar did it, for `why`.
    package static func grantRevoked(
        at: Instant, grant: GrantID, approval: ApprovalID, by: ApproverName?, why: String?
    ) -> Entry {
        Entry(
            .grantEnd, at: at,
            [
                .text("grant", grant.text), .text("approval", approval.text), .text("state", "revoked"),
                .text("by", by?.text), .text("why", why),
            ])
    }

    /// The sidecar could not do `step`: `error`. `request` is the call that met it, if one did.
    package static func fault(
        at: Instant, step: String, error: String, request: RequestID? = nil, agent: AgentName? = nil
    ) -> Entry {
        Entry(
            .fault, at: at,
            [
                request.map { .text("req", $0.text) }, agent.map { .text("agent", $0.text) },
                .text("step", step),
                .text("error", error, byteCountMax: 4_096),
            ])
    }
}

// MARK: - Members

extension JSON.Member {
    /// The most bytes of a text that came from outside, unless said otherwise.
    static let textByteCountMax = 2_048

    /// The text, cut to `byteCountMax` bytes.
    static func text(_ name: String, _ text: String, byteCountMax: Int = textByteCountMax) -> JSON.Member {
        JSON.Member(name, .string(cut(text, toByteCount: byteCountMax)))
    }

    /// The text, if there is one.
    static func text(_ name: String, _ text: String?, byteCountMax: Int = textByteCountMax) -> JSON.Member? {
        text.map { .text(name, $0, byteCountMax: byteCountMax) }
    }

    static func digest(_ name: String, _ digest: Digest) -> JSON.Member {
        JSON.Member(name, .string(digest.description))
    }

    static func count(_ name: String, _ count: some BinaryInteger) -> JSON.Member {
        JSON.Member(name, .integer(count))
    }

    static func moment(_ name: String, _ instant: Instant) -> JSON.Member {
        JSON.Member(name, .string(instant.description))
    }

    /// `{"text":…,"source":…}`: what the agent said of itself, and where it said it.
    static func claimed(_ name: String, _ claim: ClaimedText?) -> JSON.Member? {
        claim.map { claim in
            JSON.Member(
                name,
                .object([.text("text", claim.text), .text("source", claim.source.rawValue)]))
        }
    }
}

/// `text`, or as much of it as fits into `byteCountMax` bytes with a closing `…`; cut between characters of
/// Unicode, never in one.
func cut(_ text: String, toByteCount byteCountMax: Int) -> String {
    guard text.utf8.count > byteCountMax else { return text }
    var kept = ""
    var count = 3
    for scalar in text.unicodeScalars {
        count += UTF8.width(scalar)
        if count > byteCountMax { break }
        kept.unicodeScalars.append(scalar)
    }
    return kept + "…"
}
