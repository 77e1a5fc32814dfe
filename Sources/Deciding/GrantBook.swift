import Recognizing
import Vocabulary

/// Why a use of a grant is refused.
package enum GrantError: Error, Sendable, Hashable {
    /// The book holds another grant of this id.
    case duplicate(GrantID)
    /// The book has no such grant.
    case unknown(GrantID)
    /// The grant is `state` and covers nothing any more.
    case over(GrantID, state: GrantBook.State)
    /// Its lifetime has not begun.
    case early(GrantID)
    /// The grant is another agent's, another session's, or for another call.
    case mismatch(GrantID)
    /// A statement that the grant answers has changed since.
    case statementChanged(GrantID)
    /// The allowance is of another call than the one to be sent.
    case otherCall
    /// Others have taken what was left of the statement's limit.
    case limitReached(StatementID)
}

/// All grants, with the uses taken of each: what `decide` asks and
/// ``reserve(_:for:caller:request:policy:counting:at:)`` takes from.
///
/// A value without clock or storage: a fold of what the log holds. The moment comes in with every question.
package struct GrantBook: Hashable, Sendable {
    /// What a grant is at a moment.
    package enum State: String, Hashable, Sendable, CaseIterable {
        /// It has uses left and its lifetime is not over.
        case active
        case exhausted
        case expired
        /// Unused by the moment at which its first use was due.
        case lapsed
        case revoked
    }

    private struct Record: Hashable {
        let grant: Grant
        /// Numbers of the uses taken, from 1.
        var taken: Set<Int> = []
        var isRevoked = false

        func state(at now: Instant) -> State {
            if isRevoked { return .revoked }
            if taken.count >= grant.maxUses { return .exhausted }
            if now >= grant.end { return .expired }
            if let due = grant.firstUseBy, taken.isEmpty, now >= due { return .lapsed }
            return .active
        }

        /// The lowest number that is free; nil when none is.
        var freeNumber: Int? {
            taken.count < grant.maxUses ? (1...grant.maxUses).first { !taken.contains($0) } : nil
        }
    }

    private var records: [GrantID: Record] = [:]
    /// The grants of each call's digest.
    private var byCall: [Digest: [GrantID]] = [:]

    package init() {}

    // MARK: - Reading

    /// The grant `id`; nil when the book has none.
    package subscript(id: GrantID) -> Grant? { records[id]?.grant }

    /// What grant `id` is at `now`; nil when the book has none.
    package func state(of id: GrantID, at now: Instant) -> State? { records[id]?.state(at: now) }

    /// How many uses of grant `id` are left, whatever its state; 0 when the book has none.
    package func usesLeft(of id: GrantID) -> Int {
        records[id].map { max(0, $0.grant.maxUses - $0.taken.count) } ?? 0
    }

    /// Every grant with its state at `now`, the latest start first.
    package func states(at now: Instant) -> [(grant: Grant, state: State, usesLeft: Int)] {
        records.values.sorted { ($1.grant.start, $1.grant.id.text) < ($0.grant.start, $0.grant.id.text) }
            .map { ($0.grant, $0.state(at: now), max(0, $0.grant.maxUses - $0.taken.count)) }
    }

    /// The grant that answers `question` for the call of `digest` by `caller` at `now`: of several the one
    /// that ends first.
    func covering(_ question: Question, of digest: Digest, for caller: Caller, at now: Instant) -> GrantID? {
        let live = (byCall[digest] ?? []).filter { id in
            do throws(GrantError) {
                _ = try check(id, digest: digest, fingerprint: question.fingerprint, caller: caller, at: now)
                return true
            } catch {
                // A grant that does not cover the call is none; the reason is told where a use is taken.
                return false
            }
        }
        return live.compactMap { records[$0]?.grant }.min { ($0.end, $0.id.text) < ($1.end, $1.id.text) }?.id
    }

    private func check(
        _ id: GrantID, digest: Digest, fingerprint: Digest?, caller: Caller, at now: Instant
    ) throws(GrantError) -> (grant: Grant, number: Int) {
        guard let record = records[id] else { throw .unknown(id) }
        let (grant, state) = (record.grant, record.state(at: now))
        guard state == .active, let number = record.freeNumber else { throw .over(id, state: state) }
        guard now >= grant.start else { throw .early(id) }
        guard grant.agent == caller.agent, grant.session == caller.session, grant.digest == digest else {
            throw .mismatch(id)
        }
        guard grant.fingerprint == fingerprint else { throw .statementChanged(id) }
        return (grant, number)
    }

    // MARK: - Changing

    /// Takes `grant` into the book. The same grant twice is one.
    ///
    /// - Throws: ``GrantError/duplicate(_:)`` when the id is another grant's.
    package mutating func add(_ grant: Grant) throws(GrantError) {
        if let held = records[grant.id] {
            guard held.grant == grant else { throw .duplicate(grant.id) }
            return
        }
        records[grant.id] = Record(grant: grant)
        byCall[grant.digest, default: []].append(grant.id)
    }

    /// Ends grant `id` for good. Uses already taken stay taken.
    ///
    /// - Throws: ``GrantError/unknown(_:)``.
    package mutating func revoke(_ id: GrantID) throws(GrantError) {
        guard records[id] != nil else { throw .unknown(id) }
        records[id]?.isRevoked = true
    }

    /// Revokes every grant of `session` that is active at `now`; returns them, sorted.
    package mutating func revokeAll(of session: SessionID, at now: Instant) -> [GrantID] {
        let ids = records.values.filter { $0.grant.session == session && $0.state(at: now) == .active }.map(
            \.grant.id)
        for id in ids { records[id]?.isRevoked = true }
        return ids.sorted { $0.text < $1.text }
    }

    /// Takes the uses that `allowance` needs, counts the call in `limits`, and makes its one claim to be
    /// sent; all or none.
    ///
    /// Every grant is checked again at `now`: agent, session, call, statements, lifetime, uses left. So is
    /// the room under each limit.
    ///
    /// - Throws: the first ``GrantError`` found; then nothing was taken.
    package mutating func reserve(
        _ call: Call, for allowance: Allowance, caller: Caller, request: RequestID, policy: Digest,
        counting limits: inout LimitBook, at now: Instant
    ) throws(GrantError) -> Reservation {
        guard allowance.call == call.meaning.digest else { throw .otherCall }
        var uses: [Use] = []
        for id in allowance.grants {
            let (grant, number) = try check(
                id, digest: call.meaning.digest, fingerprint: allowance.fingerprint, caller: caller, at: now)
            uses.append(Use(grant: id, approval: grant.approval, number: number, maxUses: grant.maxUses))
        }
        let standings = try limits.count(allowance.limits, by: caller, at: now)
        for use in uses { records[use.grant]?.taken.insert(use.number) }
        return Reservation(
            call: call, caller: caller, allowance: allowance, request: request, uses: uses, limits: standings,
            policy: policy, at: now)
    }

    /// Gives `use` back: only where AWS certainly did not act. A use that is not taken changes nothing.
    package mutating func release(_ use: Use) { records[use.grant]?.taken.remove(use.number) }

    /// Takes `use` as the log says it was taken, when the book is rebuilt. The lifetime is not asked: it was
    /// then.
    ///
    /// - Throws: ``GrantError/unknown(_:)``; ``GrantError/mismatch(_:)`` when the use is taken already or is
    ///   no number of the grant.
    package mutating func restore(_ use: Use) throws(GrantError) {
        guard let record = records[use.grant] else { throw .unknown(use.grant) }
        guard use.approval == record.grant.approval, use.number >= 1, use.number <= record.grant.maxUses,
            !record.taken.contains(use.number)
        else { throw .mismatch(use.grant) }
        records[use.grant]?.taken.insert(use.number)
    }

    /// Drops grants that have been over for `age` at `now`, so that the book does not grow for ever.
    package mutating func forget(olderThan age: Duration, at now: Instant) {
        let old = records.values.filter { $0.grant.end.advanced(by: age) <= now }.map(\.grant)
        for grant in old {
            records[grant.id] = nil
            byCall[grant.digest]?.removeAll { $0 == grant.id }
            if byCall[grant.digest]?.isEmpty == true { byCall[grant.digest] = nil }
        }
    }
}
