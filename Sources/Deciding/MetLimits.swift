import Recognizing
import Vocabulary

/// The limits that one call meets while its pairs are judged: each is asked once, for the whole call.
struct MetLimits {
    private let caller: Caller
    private let book: LimitBook
    private let at: Instant
    private let amount: Limit.Amount
    /// The statements met so far, with why the call would be beyond; nil where there is room.
    private var reaches: [StatementID: (limit: Limit, reach: LimitReach?)] = [:]

    init(_ meaning: Meaning, caller: Caller, book: LimitBook, at: Instant) {
        (self.caller, self.book, self.at) = (caller, book, at)
        amount = Limit.Amount(calls: 1, items: meaning.itemCount, bytes: meaning.bodyByteCount)
    }

    /// `verdict` of the pair of `context`, made stricter where a limit is reached. A limit opens nothing:
    /// what is denied stays so.
    mutating func bounded(
        _ verdict: Verdict, _ context: ConditionContext, under policy: PolicySet
    ) -> Verdict {
        guard policy.hasLimits else { return verdict }
        var asked: [Statement]
        switch verdict {
        case .deny: return verdict
        case .allow: asked = []
        case .ask(let before): asked = before.statements
        }
        let resource = ResourceText(context.pair.resource)
        for place in policy.candidates(for: context.pair) {
            let statement = policy.statements[place]
            guard let limit = statement.limit, statement.limits(resource, in: context),
                let reach = reach(limit, of: statement.id)
            else { continue }
            switch limit.beyond {
            case .deny: return .deny(.limit(reach))
            case .ask: asked.append(statement)
            }
        }
        return Asked(asked).map(Verdict.ask) ?? verdict
    }

    private mutating func reach(_ limit: Limit, of statement: StatementID) -> LimitReach? {
        if let known = reaches[statement] { return known.reach }
        let found = book.reach(limit, in: statement, by: caller, adding: amount, at: at)
        reaches[statement] = (limit, found)
        return found
    }

    private var sorted: [(id: StatementID, limit: Limit, reach: LimitReach?)] {
        reaches.map { ($0.key, $0.value.limit, $0.value.reach) }.sorted { $0.id < $1.id }
    }

    /// What the call counts against, once sent.
    var claims: [LimitClaim] {
        sorted.map {
            LimitClaim(statement: $0.id, limit: $0.limit, amount: amount, mayExceed: $0.reach != nil)
        }
    }

    /// The limits that are reached, in words.
    var asking: [String] { sorted.compactMap(\.reach?.description) }

    /// Why the call meets more limits than one entry records; nil when it does not.
    var tooMany: LimitReach? {
        guard reaches.count > LimitBook.limitsPerCallMax, let one = sorted.first,
            let bound = one.limit.bounds.first
        else { return nil }
        return LimitReach(one.limit, of: one.id, bound.unit, bound.most, .uncounted)
    }
}
