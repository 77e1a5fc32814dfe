import Recognizing
import Vocabulary

/// Compares what two sets say of one action in one facet, called by one agent: on which resources and in
/// which situations it differs.
struct PairComparison {
    /// What was found.
    struct Outcome {
        var findings: [Finding] = []
        /// Why something may be missing.
        var gaps: Set<String> = []
    }

    /// One way in which the sets differ.
    struct Finding {
        let kind: PolicyDiff.Kind
        let before: PolicyDiff.Verdict
        let after: PolicyDiff.Verdict
        let terms: [String]
        /// The clauses that only one set has and that were there.
        var causes: Set<Cause>
        /// What the narrowest of them name.
        var resources: [String] = []
        var isForAllOfThem = true
        var witness: PolicyDiff.Witness
    }

    /// A statement of the set before, or of that after.
    struct Cause: Hashable {
        let side: Int
        let statement: StatementID
    }

    /// A clause without what action, facet and agent settle.
    private struct Piece {
        let statement: Statement
        let side: Int
        let isDifferent: Bool
        /// What is left of its conditions: aspect, and the condition's place in it.
        let conditions: [(aspect: Int, condition: Int)]
    }

    /// One resource to try.
    private struct Trial {
        let resource: Resource
        /// Whether an answer for it says something of what the patterns cover.
        let isOrdinary: Bool
        var live: Set<Int> = []
        var hits: Set<Int> = []
    }

    /// The most calls that are decided.
    private static let callCountMax = 5_000

    private let sets: [PolicySet]
    private let pair: Pair
    private let vends: Bool
    private let agent: AgentName
    private var pieces: [Piece] = []
    private var aspects: [SituationAspect] = []
    private var outcome = Outcome()
    private var callCount = 0
    private var trials: [Trial] = []
    /// Of each finding, the pieces that took effect together: those of one set only, and those that decided.
    private var together: [Set<[Int]>] = []

    init(sets: [PolicySet], clauses: [[SetComparison.Clause]], pair: Pair, vends: Bool, agent: AgentName) {
        (self.sets, self.pair, self.vends, self.agent) = (sets, pair, vends, agent)
        let context = Situation().context(of: pair, agent: agent)
        let reduced = clauses.map { $0.compactMap { reduce($0.statement, in: context) } }
        let sayings = reduced.map { side in Set(side.map { saying($0) }) }
        guard sayings[0] != sayings[1] else { return }
        let shared = sayings[0].intersection(sayings[1])
        var grouped: [Situation.Aspect: [Condition]] = [:]
        for condition in Set(reduced.flatMap(\.self).flatMap(\.scope.conditions)) {
            guard let aspect = Situation.Aspect(of: condition.key) else { continue }
            grouped[aspect, default: []].append(condition)
        }
        aspects = grouped.map { SituationAspect($0.key, $0.value, pair: pair, agent: agent) }
            .sorted { "\($0.aspect)" < "\($1.aspect)" }
        let sided = reduced.enumerated().flatMap { side, all in all.map { (side, $0) } }
        pieces = sided.map { side, statement in
            Piece(
                statement: statement, side: side, isDifferent: !shared.contains(saying(statement)),
                conditions: statement.scope.conditions.compactMap { condition in
                    for (at, aspect) in aspects.enumerated() {
                        if let place = aspect.conditions.firstIndex(of: condition) { return (at, place) }
                    }
                    return nil
                })
        }
    }

    private func saying(_ statement: Statement) -> Saying {
        Saying(statement, names: vends && statement.names(pair.action))
    }

    /// The clause without the conditions that hold whatever the situation; nil where it cannot match.
    private func reduce(_ clause: Statement, in context: ConditionContext) -> Statement? {
        // Where the reply holds credentials, what permits must name the action.
        if vends, clause.onlyPermits, !clause.names(pair.action) { return nil }
        var scope = clause.scope
        scope.conditions = []
        for condition in clause.scope.conditions {
            guard Situation.Aspect(of: condition.key) == nil, !condition.hasVariables else {
                scope.conditions.append(condition)
                continue
            }
            switch (condition.holds(in: context), clause.onlyPermits) {
            case (.no, _), (.unknown, true): return nil
            case (.yes, _), (.unknown, false): continue
            }
        }
        return clause.with(scope)
    }

    // MARK: - Trying

    /// What differs, and why something may be missing.
    mutating func run(_ classes: inout ResourceClasses) -> Outcome {
        guard pieces.contains(where: \.isDifferent) else { return outcome }
        noteGaps()
        let context = Situation().context(of: pair, agent: agent)
        var shapes: [TextClasses.Shape] = []
        var about: Set<Int>? = []
        for piece in pieces {
            for pattern in piece.statement.scope.resources {
                let shape = pattern.shape(in: context)
                if let shape, !shapes.contains(shape) { shapes.append(shape) }
                if piece.isDifferent, !piece.statement.scope.exceptsResources, let shape,
                    let place = shapes.firstIndex(of: shape)
                {
                    about?.insert(place)
                } else if piece.isDifferent {
                    about = nil
                }
            }
        }
        if pieces.contains(where: { $0.isDifferent && $0.statement.isForEveryResource }) { about = nil }
        let known = classes.texts(of: shapes, .any, about: about)
        if !known.isComplete {
            outcome.gaps.insert("more ways to match the resource patterns than are tried")
        }
        for text in known.known where !text.isEmpty {
            attempt(Resource(fuller(text, shapes)), isOrdinary: true)
        }
        // A text that no pattern is about, then what is no ARN, and so stands for every other such text.
        attempt(Resource("arn:aws:\(pair.action.prefix):us-east-1:111122223333:x"), isOrdinary: false)
        attempt(.star, isOrdinary: false)
        attempt(.unknown, isOrdinary: false)
        let named = EntitiesByName(shapes)
        if !named.isComplete {
            outcome.gaps.insert("roles and users that a request names without their path")
        }
        for resource in named.resources { attempt(resource, isOrdinary: false) }
        if !outcome.findings.contains(where: \.kind.widens) {
            let partly = classes.texts(of: shapes, .withUnknown, about: about)
            if !partly.isComplete { outcome.gaps.insert("resources that a request names only in part") }
            for symbols in partly.texts { attempt(Resource(symbols: symbols), isOrdinary: false) }
        }
        for index in outcome.findings.indices { settleResources(of: index) }
        if let limits = limitFinding() { outcome.findings.append(limits) }
        return outcome
    }

    /// How the limits differ: what they do depends on what went before, so no call of its own shows it.
    private func limitFinding() -> Finding? {
        let limited = pieces.filter { $0.isDifferent && $0.statement.limit != nil }
        let sides = [0, 1].map { side in limited.filter { $0.side == side }.map(\.statement) }
        guard !limited.isEmpty else { return nil }
        // Each limit that there was is kept, at least as narrow, by a statement that else says the same.
        let isKept = sides[0].allSatisfy { old in sides[1].contains { $0.isLimited(atLeastAs: old) } }
        let named = sides.map { side in
            Set(side.map { "\($0.id): \($0.limit?.description ?? "")" }).sorted().joined(separator: "; ")
        }
        return Finding(
            kind: isKept ? .newLimit : .lostLimit, before: .init(limitsOf: sides[0]),
            after: .init(limitsOf: sides[1]),
            terms: ["\(named[0].isEmpty ? "none" : named[0]) -> \(named[1].isEmpty ? "none" : named[1])"],
            causes: Set(limited.map { Cause(side: $0.side, statement: $0.statement.id) }),
            resources: Set(limited.map(\.statement.resourceLabel)).sorted(), witness: witness([]))
    }

    /// `text` with a letter more where a `*` was taken to be nothing and need not be.
    private func fuller(_ text: String, _ shapes: [TextClasses.Shape]) -> String {
        let longer = text + "x"
        guard let last = text.utf8.last, !last.isAlphanumeric else { return text }
        return shapes.allSatisfy { $0.truth(of: text) == $0.truth(of: longer) } ? longer : text
    }

    private mutating func noteGaps() {
        let patterns = pieces.flatMap(\.statement.scope.resources)
        for pattern in patterns where pattern.hasVariables && !isApart(pattern, from: patterns) {
            outcome.gaps.insert("the policy variable in `\(pattern.text)`")
        }
        for aspect in aspects where !aspect.isComplete {
            outcome.gaps.insert("values of \(aspect.name) that are not tried")
        }
        let isTied = pieces.flatMap(\.statement.scope.conditions).contains {
            Situation.Aspect(of: $0.key) == nil && $0.hasVariables
        }
        if isTied { outcome.gaps.insert("a policy variable in a condition on the agent or the action") }
    }

    /// Whether it does not matter what the one variable of `pattern`, the agent's name, is: every other
    /// pattern covers all that it can cover, or nothing of it.
    private func isApart(_ pattern: ResourcePattern, from others: [ResourcePattern]) -> Bool {
        guard pattern.variables == [.own(.agent)], let own = pattern.openShape else { return false }
        let shapes = others.filter { $0 != pattern }.compactMap(\.openShape)
        let classes = TextClasses([own] + shapes, of: .any, about: [0])
        let texts = classes.known.filter { own.truth(of: $0) != .no }
        return classes.isComplete
            && shapes.allSatisfy { shape in Set(texts.map { shape.truth(of: $0) }).count <= 1 }
    }

    private mutating func attempt(_ resource: Resource, isOrdinary: Bool) {
        if trials.contains(where: { $0.resource == resource }) { return }
        let own = Pair(
            action: pair.action, resource: resource, level: pair.level, sensitivity: pair.sensitivity)
        let context = Situation().context(of: own, agent: agent)
        let text = ResourceText(resource)
        var trial = Trial(resource: resource, isOrdinary: isOrdinary)
        for (index, piece) in pieces.enumerated() {
            let truth = piece.statement.covers(text, in: context)
            if piece.statement.onlyPermits ? truth == .yes : truth != .no { trial.live.insert(index) }
        }
        trials.append(trial)
        var chosen = [Int?](repeating: nil, count: aspects.count)
        explore(&chosen, trial.live.sorted())
    }

    /// Sets one aspect after the other, as long as a clause that only one set has may match.
    private mutating func explore(_ chosen: inout [Int?], _ pieces: [Int]) {
        let live = pieces.filter { !fails($0, chosen) }
        let different = live.filter { self.pieces[$0].isDifferent }
        if different.isEmpty { return }
        // A denial that both have ends it.
        let isDenied = live.contains { index in
            let piece = self.pieces[index]
            return piece.statement.effect == .deny && !piece.isDifferent
                && piece.conditions.allSatisfy { chosen[$0.aspect] != nil }
        }
        if isDenied { return }
        let open = (different + live).flatMap { self.pieces[$0].conditions }.first {
            chosen[$0.aspect] == nil
        }
        guard let open else { return decideBoth(chosen, live) }
        for setting in aspects[open.aspect].settings.indices {
            guard callCount < Self.callCountMax else {
                outcome.gaps.insert("more combinations of conditions than are tried")
                break
            }
            chosen[open.aspect] = setting
            explore(&chosen, live)
        }
        chosen[open.aspect] = nil
    }

    /// Whether the situation rules the clause out.
    private func fails(_ index: Int, _ chosen: [Int?]) -> Bool {
        let piece = pieces[index]
        return piece.conditions.contains { place in
            guard let setting = chosen[place.aspect] else { return false }
            switch aspects[place.aspect].truths[setting][place.condition] {
            case .yes: return false
            case .unknown: return piece.statement.onlyPermits
            case .no: return true
            }
        }
    }

    // MARK: - Deciding

    private func verdicts(_ settings: [Situation.Setting]) -> (PolicyDiff.Verdict, PolicyDiff.Verdict) {
        let witness = witness(settings)
        return (
            PolicyDiff.Verdict(witness.decided(by: sets[0])), PolicyDiff.Verdict(witness.decided(by: sets[1]))
        )
    }

    private func witness(
        _ settings: [Situation.Setting], circumstances: [String] = []
    ) -> PolicyDiff.Witness {
        PolicyDiff.Witness(
            agent: agent, action: pair.action, resource: trials.last?.resource ?? .unknown,
            circumstances: circumstances, level: pair.level, sensitivity: pair.sensitivity, vends: vends,
            settings: settings)
    }

    private mutating func decideBoth(_ chosen: [Int?], _ live: [Int]) {
        callCount += 1
        let settings = zip(aspects, chosen).compactMap { aspect, at in at.map { aspect.settings[$0] } }
        let (before, after) = verdicts(settings)
        guard let kind = PolicyDiff.Kind(from: before, to: after) else { return }
        let trial = trials.count - 1
        let known = outcome.findings.firstIndex {
            $0.kind == kind && $0.before == before && $0.after == after
        }
        let different = live.filter { pieces[$0].isDifferent }
        let deciding = live.filter { index in
            let piece = pieces[index]
            let verdict = piece.side == 0 ? before : after
            return piece.isDifferent || verdict.statements.contains(piece.statement.id)
        }
        let causes = different.map { Cause(side: pieces[$0].side, statement: pieces[$0].statement.id) }
        if let known {
            outcome.findings[known].causes.formUnion(causes)
            together[known].insert(deciding)
            // One call of each resource is told, the one with the least to say.
            let isNew = trials[trial].hits.insert(known).inserted
            guard isNew, !outcome.findings[known].witness.circumstances.isEmpty else { return }
            let other = told(chosen, kind)
            if other.circumstances.count < outcome.findings[known].witness.circumstances.count {
                outcome.findings[known].witness = other
            }
            return
        }
        trials[trial].hits.insert(outcome.findings.count)
        together.append([deciding])
        let terms = after.terms.flatMap { new in before.terms.map { new.differences(from: $0).map(\.text) } }
        outcome.findings.append(
            Finding(
                kind: kind, before: before, after: after, terms: terms ?? [], causes: Set(causes),
                witness: told(chosen, kind)))
    }

    /// The call with those of its circumstances that matter: any other value of theirs makes another answer.
    private func told(_ chosen: [Int?], _ kind: PolicyDiff.Kind) -> PolicyDiff.Witness {
        var circumstances: [String] = []
        var settings: [Situation.Setting] = []
        for (at, aspect) in aspects.enumerated() {
            guard let place = chosen[at] else { continue }
            settings.append(aspect.settings[place])
            let matters = aspect.settings.indices.contains { other in
                let others = zip(aspects, chosen).enumerated().compactMap { index, one in
                    one.1.map { one.0.settings[index == at ? other : $0] }
                }
                let (before, after) = verdicts(others)
                return PolicyDiff.Kind(from: before, to: after) != kind
            }
            if matters { circumstances.append(aspect.settings[place].told(as: aspect.name)) }
        }
        return witness(settings, circumstances: circumstances)
    }

    /// Names the finding's resources by the narrowest patterns that brought it about, and says whether it
    /// holds for all that these cover.
    private mutating func settleResources(of index: Int) {
        let ordinary = trials.filter(\.isOrdinary)
        func covered(_ piece: Int) -> Set<Int> {
            Set(ordinary.indices.filter { ordinary[$0].live.contains(piece) })
        }
        var narrow: Set<Int> = []
        for pieces in together[index] {
            let reaches = pieces.map(covered)
            for (piece, own) in zip(pieces, reaches) {
                let isWider = reaches.contains { $0.isStrictSubset(of: own) && !$0.isEmpty }
                if !isWider { narrow.insert(piece) }
            }
        }
        outcome.findings[index].resources = Set(narrow.map { pieces[$0].statement.resourceLabel }).sorted()
        outcome.findings[index].isForAllOfThem = trials.allSatisfy { trial in
            !trial.isOrdinary || trial.live.isDisjoint(with: narrow) || trial.hits.contains(index)
        }
    }
}

extension Statement {
    /// Whether what the request leaves unknown counts against it alone: a limit takes effect on what it may
    /// be about.
    fileprivate var onlyPermits: Bool { effect.permits && limit == nil }

    /// Whether it says what `other` says, with a limit that lets no more through.
    fileprivate func isLimited(atLeastAs other: Statement) -> Bool {
        guard let own = limit, let old = other.limit, own.per == old.per, own.by == old.by else {
            return false
        }
        let isAsNarrow = old.most.allSatisfy { unit, most in own.most[unit].map { $0 <= most } ?? false }
        return isAsNarrow && (own.beyond == .deny || own.beyond == old.beyond)
            && Saying(unlimited) == Saying(other.unlimited)
    }

    private var unlimited: Statement {
        Statement(
            id: id, rule: rule, file: file, line: line, digest: digest, callers: callers, scope: scope)
    }

    /// The resources it is for, as its file names them.
    fileprivate var resourceLabel: String {
        let texts = scope.resources.map(\.text).joined(separator: ", ")
        return scope.exceptsResources ? "all but \(texts)" : texts
    }
}
