import Deciding
import Hashing
import Recognizing
import Vocabulary

/// What Gateway knows of a call besides its meaning and its caller.
package struct RequestFacts: Hashable, Sendable {
    /// `amz-sdk-invocation-id`, the same over all attempts of one call.
    package let invocation: String?
    /// `amz-sdk-request`'s attempt, from 1.
    package let attempt: Int?
    /// Address and port that the call came from, or the socket and its peer's uid.
    package let peer: String
    package let userAgent: String?
    /// The id of the access key that will sign; never the key.
    package let accessKeyID: String?
    /// What `accounts.yaml` calls the account; nil where it does not name it.
    package let accountName: String?
    /// With whose power it is signed; nil where nothing is scoped down.
    package let signedAs: SignedAs?

    package init(
        invocation: String? = nil, attempt: Int? = nil, peer: String, userAgent: String? = nil,
        accessKeyID: String? = nil, accountName: String? = nil, signedAs: SignedAs? = nil
    ) {
        self.invocation = invocation
        self.attempt = attempt
        self.peer = peer
        self.userAgent = userAgent
        self.accessKeyID = accessKeyID
        self.accountName = accountName
        self.signedAs = signedAs
    }
}

extension Entry {
    /// The entry of a call that is about to be signed: who, what, why, by which statement or grant, and the
    /// digests of what is sent.
    static func request(_ reservation: borrowing Reservation, facts: RequestFacts) -> Entry {
        let caller = reservation.caller
        let meaning = reservation.call.meaning
        let sealed = reservation.call.sealed
        let isAlwaysAnswered = reservation.allowance.grounds.contains(.alwaysAnswered)
        var members: [JSON.Member?] = [.text("req", reservation.request.text)]
        members += callerMembers(caller)
        members += meaningMembers(meaning, pairs: meaning.pairs)
        members += keyMembers(meaning, pairs: meaning.pairs, saysUserAgent: true)
        members += [
            .digest("wire", sealed.wireDigest),
            .text("host", sealed.awsHost),
            sealed.authority == sealed.awsHost ? nil : .text("upstream", sealed.authority),
            statementsMember(reservation.allowance.statements),
            isAlwaysAnswered ? JSON.Member("always_answered", .bool(true)) : nil,
        ]
        members += observation(reservation.allowance)
        members += [
            .digest("policy", reservation.policy),
            reservation.uses.isEmpty ? nil : JSON.Member("uses", .array(reservation.uses.map(\.logged))),
            // Whole: at most LimitBook.limitsPerCallMax, and the counters are rebuilt from them.
            reservation.limits.isEmpty
                ? nil : JSON.Member("limits", .array(reservation.limits.map(\.logged))),
            .text("invocation", facts.invocation, byteCountMax: 128),
            facts.attempt.map { .count("attempt", $0) },
            .text("peer", facts.peer, byteCountMax: 256),
            .text("user_agent", facts.userAgent, byteCountMax: userAgentByteCountMax),
            .text("access_key_id", facts.accessKeyID, byteCountMax: 128),
            .text("account_name", facts.accountName),
            facts.signedAs.map { JSON.Member("downscope", $0.logged) },
        ]
        return Entry(.request, at: reservation.at, members)
    }

    /// What became of the request of entry `entry`.
    package static func outcome(
        _ outcome: Outcome, of entry: EntryID, request: RequestID, at: Instant
    ) -> Entry {
        Entry(
            .outcome, at: at,
            [
                .count("entry", entry.seq), .text("req", request.text), .text("kind", outcome.kind.rawValue),
                outcome.status.map { .count("status", $0) },
                .text("aws_request_id", outcome.awsRequestID, byteCountMax: 256),
                .text("aws_extended_request_id", outcome.awsExtendedRequestID, byteCountMax: 256),
                .text("error", outcome.error),
                .count("bytes_sent", outcome.bytesSent), .count("bytes_received", outcome.bytesReceived),
                .count("ms", outcome.elapsed.wholeNanoseconds / 1_000_000),
                outcome.holdsCredentials ? .init("holds_credentials", true) : nil,
            ])
    }
}

/// That the gate only observes, and what policy would have done with the call; nothing where policy holds.
private func observation(_ allowance: Allowance) -> [JSON.Member?] {
    guard let mode = modeMember(allowance.mode) else { return [] }
    switch allowance.would {
    case nil: return [mode]
    case .ask(let question)?:
        return [mode, .text("would", "ask"), statementsMember(question.statements)]
    case .deny(let denial)?:
        var reasons: [String] = []
        for reason in denial.items.map(\.reason.logged) where !reasons.contains(reason) {
            reasons.append(reason)
        }
        let (listed, isWhole) = listed(reasons.map { .string($0) }, byteCountMax: 8_192)
        return [
            mode, .text("would", "deny"), JSON.Member("reasons", .array(isWhole ? listed : listed + ["…"])),
        ]
    }
}

/// `"mode":"observe"`; nil where policy holds.
func modeMember(_ mode: Mode) -> JSON.Member? {
    switch mode {
    case .enforce: nil
    case .observe: .text("mode", mode.rawValue)
    }
}

/// Who calls, on whose authority, and what they say about why.
func callerMembers(_ caller: Caller) -> [JSON.Member?] {
    [
        .text("agent", caller.agent.text), .text("session", caller.session.text),
        .text("strength", caller.strength.rawValue), .text("key", caller.issued?.accessKeyID),
        .claimed("task", caller.task),
        .claimed("reason", caller.reason),
    ]
}

/// What a call means; `pairs` as many as fit, with their count and SHA-256 when there are more.
///
/// A call without any has the count 0, whatever stands in `pairs`.
func meaningMembers(_ meaning: Meaning, pairs: [Pair]) -> [JSON.Member?] {
    let (listed, isWhole) = listed(pairs.map(\.logged), byteCountMax: pairsByteCountMax)
    return [
        .text("service", meaning.service, byteCountMax: 128),
        .text("operation", meaning.operation, byteCountMax: 256),
        .text("account", meaning.account, byteCountMax: 64),
        .text("region", meaning.region, byteCountMax: 64),
        JSON.Member("pairs", .array(listed)),
        isWhole ? nil : .count("pair_count", pairs.count),
        isWhole ? nil : .digest("pairs_digest", sha256(JSON.array(pairs.map(\.logged)).line)),
        meaning.pairs.isEmpty ? .count("pair_count", 0) : nil,
        meaning.itemCount == 1 ? nil : .count("items", meaning.itemCount),
        meaning.bodyByteCount == 0 ? nil : .count("bytes", meaning.bodyByteCount),
        .digest("digest", meaning.digest),
    ]
}

/// The pairs of a call beside those that its entry has in `pairs`: all of them if they fit, else their count.
func otherPairsMember(_ others: [Pair], beside pairs: [Pair]) -> JSON.Member? {
    guard !others.isEmpty else { return nil }
    let isWhole = listed((pairs + others).map(\.logged), byteCountMax: pairsByteCountMax).isWhole
    return isWhole
        ? JSON.Member("other_pairs", .array(others.map(\.logged))) : .count("other_pair_count", others.count)
}

/// The statements that led to a decision, as many as fit; nil when there are none.
func statementsMember(_ statements: [StatementID]) -> JSON.Member? {
    guard !statements.isEmpty else { return nil }
    let names = statements.map { JSON.string(cut($0.description, toByteCount: 512)) }
    let (listed, isWhole) = listed(names, byteCountMax: statementsByteCountMax)
    return JSON.Member("statements", .array(isWhole ? listed : listed + ["…"]))
}

/// Bytes of what a client calls itself.
let userAgentByteCountMax = 512
/// Bytes that the pairs of one entry may take.
private let pairsByteCountMax = 32 * 1_024
/// Bytes that the statements of one entry may take.
private let statementsByteCountMax = 8 * 1_024

/// The first of `values` whose JSON fits into `byteCountMax` bytes, and whether that is all of them.
func listed(_ values: [JSON], byteCountMax: Int) -> (values: [JSON], isWhole: Bool) {
    var count = 0
    var kept: [JSON] = []
    for value in values {
        count += value.line.count + 1
        if count > byteCountMax { return (kept, false) }
        kept.append(value)
    }
    return (kept, true)
}

extension Pair {
    /// The most bytes of a resource that are written out; a longer one is cut, with its length and SHA-256
    /// beside it.
    static let resourceByteCountMax = 4_096

    /// `{"action":…,"resource":…,"level":…,"sensitivity":…}`, with `<unknown>` for what the request does not
    /// say, and then `parts`.
    package var logged: JSON {
        let text = resource.description
        let isLong = text.utf8.count > Self.resourceByteCountMax
        let members: [JSON.Member?] = [
            .text("action", action.description, byteCountMax: 256),
            .text("resource", text, byteCountMax: Self.resourceByteCountMax),
            isLong ? .count("resource_bytes", text.utf8.count) : nil,
            isLong ? .digest("resource_digest", sha256(text)) : nil,
            .text("level", level.description), .text("sensitivity", sensitivity.description),
        ]
        return .object(members.compactMap { $0 } + (isLong ? [] : resource.recorded))
    }
}

extension LimitStanding {
    /// `{"statement":…,"by":"agent","per_s":60,"calls":{"used":37,"of":100}}`, with each stated unit.
    package var logged: JSON {
        .object(
            [
                .text("statement", statement.description), .text("by", limit.by.rawValue),
                .count("per_s", limit.per.components.seconds),
            ]
                + limit.bounds.map { unit, most in
                    JSON.Member(unit.rawValue, ["used": .integer(used[unit]), "of": .integer(most)])
                })
    }
}

extension LimitBook {
    /// Counts what the request `entry` counted, by its member `limits`; nil when that is not what was
    /// written.
    package mutating func restore(_ entry: StoredEntry) -> [LimitCount]? {
        guard let standings = entry["limits"]?.array else { return entry["limits"] == nil ? [] : nil }
        guard let agent = entry["agent"]?.string.flatMap({ try? AgentName(parsing: $0) }),
            let session = entry["session"]?.string.flatMap({ try? SessionID(parsing: $0) })
        else { return nil }
        let amount = Limit.Amount(
            calls: 1, items: entry["items"]?.integer.flatMap { Int(exactly: $0) } ?? 1,
            bytes: entry["bytes"]?.integer.flatMap { Int(exactly: $0) } ?? 0)
        // The log cuts moments to milliseconds: the later end of them lets nothing go early.
        let at = entry.at.advanced(by: .milliseconds(1))
        var counts: [LimitCount] = []
        for standing in standings {
            let name = standing["statement"]?.string?.split(separator: "/", omittingEmptySubsequences: false)
            guard let name, name.count == 2, let seconds = standing["per_s"]?.integer, seconds > 0,
                let by = standing["by"]?.string.flatMap(Limit.Counted.init(rawValue:))
            else { return nil }
            counts.append(
                restore(
                    amount, of: StatementID(document: String(name[0]), sid: String(name[1])),
                    per: .seconds(seconds), agent: agent, session: by == .session ? session : nil, at: at))
        }
        return counts
    }
}

extension Use {
    /// `{"grant":…,"approval":…,"use":n,"of":m}`.
    package var logged: JSON {
        .object([
            .text("grant", grant.text), .text("approval", approval.text), .count("use", number),
            .count("of", maxUses),
        ])
    }

    /// The use written as ``logged`` writes it; nil for anything else.
    package init?(logged json: JSON) {
        guard let grant = json["grant"]?.string.flatMap({ try? GrantID(parsing: $0) }),
            let approval = json["approval"]?.string.flatMap({ try? ApprovalID(parsing: $0) }),
            let number = json["use"]?.integer, let maxUses = json["of"]?.integer, number >= 1,
            maxUses >= number
        else { return nil }
        self.init(grant: grant, approval: approval, number: Int(number), maxUses: Int(maxUses))
    }
}
