import Recognizing
import Vocabulary

/// A call as the log holds it: what policy judged it by, as far as that was written down.
///
/// It is no call and makes none, so nothing can ever be sent for it; ``replayed(under:)`` says what a policy
/// set would have said.
package struct RecordedCall: Sendable {
    /// One pair, with the condition keys that were recorded of it.
    package struct JudgedPair: Hashable, Sendable {
        package let pair: Pair
        package let keys: RecordedKeys
        /// Names of keys, in lower case, that had a value that was not recorded.
        package let unrecorded: Set<String>

        /// The pair as its entry holds it.
        package init(pair: Pair, keys: RecordedKeys, unrecorded: Set<String>) {
            (self.pair, self.keys, self.unrecorded) = (pair, keys, unrecorded)
        }
    }

    /// What the entry leaves out.
    package struct Gaps: Hashable, Sendable {
        /// How many of its pairs are not in the entry; nil: nobody knows how many.
        package var missingPairCount: Int? = 0
        /// Any key that the entry does not have may have had a value.
        package var areKeysCut = false
        /// The task is cut.
        package var isTaskCut = false

        package init() {}

        fileprivate var hasAllPairs: Bool { missingPairCount == 0 }
    }

    package let caller: Caller
    /// When it was decided.
    package let at: Instant
    package let service: String
    package let operation: String
    package let account: String
    package let region: String
    /// Nil when it was not recorded.
    package let wireProtocol: WireProtocol?
    package let pairs: [JudgedPair]
    package let itemCount: Int
    package let bodyByteCount: Int
    package let vendsCredentials: Bool
    package let bar: SendingBar?
    /// The digest of the call that was made: what tells a repeat from another call.
    package let digest: Digest
    package let gaps: Gaps
    /// The host of the gate that judged it, as its `start` entry says; nil where the log does not say.
    package let host: String?

    package init(
        caller: Caller, at: Instant, service: String, operation: String, account: String, region: String,
        wireProtocol: WireProtocol?, pairs: [JudgedPair], itemCount: Int, bodyByteCount: Int,
        vendsCredentials: Bool, bar: SendingBar?, digest: Digest, gaps: Gaps, host: String? = nil
    ) {
        self.caller = caller
        self.at = at
        self.service = service
        self.operation = operation
        self.account = account
        self.region = region
        self.wireProtocol = wireProtocol
        self.pairs = pairs
        self.itemCount = itemCount
        self.bodyByteCount = bodyByteCount
        self.vendsCredentials = vendsCredentials
        self.bar = bar
        self.digest = digest
        self.gaps = gaps
        self.host = host
    }

    /// Whether `key` may have had a value, for a pair with `keys`, that the entry does not say.
    func isUnrecorded(_ key: Condition.Key, of keys: RecordedKeys, _ unrecorded: Set<String>) -> Bool {
        switch key {
        case .own(.task): gaps.isTaskCut
        case .own(.wireProtocol): wireProtocol == nil
        case .own(.host): host == nil
        case .own: false
        case .request(let name):
            unrecorded.contains(name)
                || gaps.areKeysCut && !Self.told.contains(name)
                    && !keys.has(name)
        }
    }

    /// Keys that follow from the other members of every entry.
    private static let told: Set<String> = ["aws:currenttime", "aws:epochtime"]

    /// The pairs of each kind: those with the same keys are judged together.
    var groups: [Group] {
        var groups: [Group] = []
        for one in pairs {
            if let last = groups.indices.last, groups[last].keys == one.keys,
                groups[last].unrecorded == one.unrecorded
            {
                groups[last].pairs.append(one.pair)
            } else {
                groups.append(Group(pairs: [one.pair], keys: one.keys, unrecorded: one.unrecorded))
            }
        }
        return groups.isEmpty ? [Group(pairs: [], keys: RecordedKeys(), unrecorded: [])] : groups
    }

    struct Group {
        var pairs: [Pair]
        let keys: RecordedKeys
        let unrecorded: Set<String>
    }

    /// What the pairs of `group` mean, as a call of their own. Its digest is no call's.
    func meaning(of group: Group) -> Meaning {
        let keys = ConditionKeys(
            group.keys, account: account, region: region, wireProtocol: wireProtocol ?? .awsJSON10,
            itemCount: itemCount, bodyByteCount: bodyByteCount)
        return Meaning.supposed(
            group.pairs, of: (service, operation, account, region), keys: keys, vends: vendsCredentials,
            bar: bar, wireProtocol: wireProtocol ?? .awsJSON10, itemCount: itemCount,
            bodyByteCount: bodyByteCount)
    }
}

extension RecordedKeys {
    /// Whether something is known of `name`, in lower case, whatever else was cut.
    fileprivate func has(_ name: String) -> Bool {
        keys.contains { $0.name.hasBytes(of: name) } || absent.contains { $0.hasBytes(of: name) }
            || families.contains { name.utf8.starts(with: $0.utf8) }
    }
}

/// What a policy set would have said of a recorded call, with no grant at hand.
package struct Replayed: Hashable, Sendable {
    /// The answer in a word.
    package enum Word: String, Hashable, Sendable, CaseIterable {
        case allow
        case ask
        case deny
        /// What the log leaves out would decide.
        case cannotTell = "cannot tell"
    }

    package let word: Word
    /// The statements that led to it, sorted.
    package let statements: [StatementID]
    /// Why it is denied without a statement, or why nobody can tell.
    package let why: [String]
    /// The terms of an ask.
    package let terms: ApprovalTerms?

    /// `allow orders/Read`, `deny by default`, `cannot tell: s3:prefix is not recorded`.
    package var description: String {
        let words = statements.map(\.description) + why
        return words.isEmpty ? word.rawValue : "\(word.rawValue) \(words.joined(separator: ", "))"
    }

    /// Who must answer an ask: `oncall or secops`; empty for anything else.
    package var approvers: String { (terms?.quorums ?? []).map(\.described).joined(separator: "; and ") }

    fileprivate init(_ decision: Decision) {
        switch decision {
        case .allow(let allowance):
            let isAlways = allowance.statements.isEmpty
            self.init(.allow, allowance.statements, why: isAlways ? ["always answered"] : [])
        case .ask(let question): self.init(.ask, question.statements, terms: question.terms)
        case .deny(let denial): self.init(.deny, decision.statements, why: unique(denial.items.map(\.reason)))
        }
    }

    fileprivate init(
        _ word: Word, _ statements: [StatementID] = [], why: [String] = [], terms: ApprovalTerms? = nil
    ) {
        self.word = word
        self.statements = Array(Set(statements)).sorted()
        self.why = why
        self.terms = terms
    }

    /// The stricter of both, or both at once when they are alike: what decides of a call when this and
    /// `other` are of different pairs of it.
    fileprivate func and(_ other: Replayed) -> Replayed {
        guard word == other.word else { return strictness > other.strictness ? self : other }
        let terms = self.terms.flatMap { own in other.terms.map(own.merged) }
        return Replayed(
            word, statements + other.statements, why: why + other.why.filter { !why.contains($0) },
            terms: terms)
    }

    private var strictness: Int {
        switch word {
        case .allow: 0
        case .ask: 1
        // It may be a denial.
        case .cannotTell: 2
        case .deny: 3
        }
    }
}

private func unique(_ reasons: [Denial.Reason]) -> [String] {
    var words: [String] = []
    for reason in reasons {
        let word: String
        switch reason {
        case .statement: continue
        case .byDefault: word = "by default"
        case .unknownResource: word = "unknown resource"
        case .vendsCredentials: word = "vends credentials"
        case .limit(let reach): word = reach.description
        case .barred(let bar): word = bar.rawValue
        }
        if !words.contains(word) { words.append(word) }
    }
    return words
}

// MARK: - Replaying

extension RecordedCall {
    /// What `policy` would have said of it, at the time it was made and with no grant at hand.
    ///
    /// A key whose value was not recorded is tried both ways: where it makes a difference, nobody can tell.
    package func replayed(under policy: PolicySet) -> Replayed {
        // Only a call that really has no pairs is judged, and denied, as one without.
        let groups = gaps.hasAllPairs || !pairs.isEmpty ? groups : []
        var said: Replayed?
        for group in groups {
            let more = self.said(of: group, under: policy)
            said = said?.and(more) ?? more
        }
        if let said, gaps.hasAllPairs || said.word == .deny { return said }
        let missing =
            gaps.missingPairCount.map { "\($0) of its pairs are not recorded" }
            ?? "not all of its pairs are recorded"
        return Replayed(.cannotTell, why: [missing])
    }

    private func said(of group: Group, under policy: PolicySet) -> Replayed {
        let meaning = meaning(of: group)
        func decided(by set: PolicySet) -> Replayed {
            Replayed(decide(meaning, caller: caller, under: set, grants: GrantBook(), host: host, at: at))
        }
        let (doubtful, others) = doubtful(group, meaning, under: policy)
        if doubtful.isEmpty { return decided(by: policy) }
        var answers: [Replayed] = []
        // A statement with such a condition may have matched or not: each effect is tried both ways, so that
        // the strictest and the loosest outcome are among the answers.
        let effects = Effect.allCases.filter { effect in doubtful.contains { $0.statement.effect == effect } }
        for choice in 0..<(1 << effects.count) {
            let chosen = effects.indices.filter { choice & (1 << $0) != 0 }.map { effects[$0] }
            let taken = doubtful.map(\.statement).filter { chosen.contains($0.effect) }
            answers.append(decided(by: policy.only((others + taken).sorted { $0.id < $1.id })))
        }
        if Set(answers.map(\.word)).count == 1 { return answers[0] }
        let keys = Set(doubtful.flatMap(\.keys)).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        return Replayed(.cannotTell, why: keys.map { "\($0) is not recorded" })
    }

    /// The statements that may concern a pair of `group` and hang on a key whose value was not recorded, each
    /// as if that key's conditions held, with the names of those keys; and all others that may concern one.
    private func doubtful(
        _ group: Group, _ meaning: Meaning, under policy: PolicySet
    ) -> (doubtful: [(statement: Statement, keys: [String])], others: [Statement]) {
        let hasGaps =
            gaps.areKeysCut || gaps.isTaskCut || wireProtocol == nil || !group.unrecorded.isEmpty
            || policy.asksHost && host == nil
        guard hasGaps else { return ([], []) }
        let contexts = meaning.pairs.map {
            (
                ConditionContext(meaning: meaning, caller: caller, at: at, pair: $0, host: host),
                ResourceText($0.resource)
            )
        }
        var places: Set<Int> = []
        for pair in meaning.pairs { places.formUnion(policy.candidates(for: pair)) }
        var (found, others): ([(statement: Statement, keys: [String])], [Statement]) = ([], [])
        for statement in places.sorted().map({ policy.statements[$0] }) {
            let (assumed, keys) = statement.assuming {
                isUnrecorded($0, of: group.keys, group.unrecorded)
            }
            if keys.isEmpty {
                others.append(statement)
            } else if contexts.contains(where: { assumed.applies(to: $0.1, in: $0.0) }) {
                found.append((assumed, keys))
            }
        }
        return (found, others)
    }
}
