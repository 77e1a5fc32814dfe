import Deciding
import Recognizing
import Vocabulary

/// Pairs of one call that are printed, strictest first; `--all` prints all.
private let pairCountShown = 10

/// Statements of one pair that are printed, of each standing to its decision; `--all` prints all.
private let statementCountShown = 20

extension PolicyExplanation {
    /// For people, without the last line break.
    ///
    /// `listsAll` prints every pair and every statement, also those about other actions and agents; `verbose`
    /// prints what the client wrote whatever came of it.
    package func text(listsAll: Bool, verbose: Bool) -> String {
        let strength = question.strength == .listener ? "" : " (\(question.strength.rawValue))"
        let task = question.task.map { ", task \(quoted($0))" } ?? ""
        let host = question.host.map { ", on host \(quoted($0))" } ?? ""
        var blocks = [
            "agent \(agent)\(strength)\(task)\(host), at \(question.at), under \(policy.statements.count) "
                + "statements of `\(question.policies)`"
        ]
        for (number, call) in calls.enumerated() {
            blocks.append(text(call, number: number + 1, listsAll: listsAll))
        }
        blocks.append((notes + summary + [conclusion]).joined(separator: "\n"))
        if let said = clientSaid(verbose: verbose) { blocks.append(said) }
        return blocks.joined(separator: "\n\n")
    }

    private func text(_ call: ExplainedCall, number: Int, listsAll: Bool) -> String {
        let times = call.count == 1 ? "" : ", called \(call.count) times"
        switch call.what {
        case .refused(let refusal):
            let what = refusal.isIdentity ? "refused whatever policy says" : "not recognized"
            return
                "call \(number): \(refusal.request)\(times)\n  \(what): \(refusal.status) \(refusal.code)\n"
                + "  \(refusal.message)"
        case .recognized(let explanation, _):
            let meaning = explanation.meaning
            let account = meaning.account.isEmpty ? "account not known" : "account \(meaning.account)"
            let head =
                "call \(number): \(meaning.service):\(brief(meaning.operation)) in \(meaning.region), "
                + account + times
            let pairs = explanation.pairs.sorted { $0.strictness > $1.strictness }
            let shownPairs = listsAll ? pairs[...] : pairs.prefix(pairCountShown)
            var blocks = [head]
            blocks += shownPairs.map { text($0, listsAll: listsAll, saysOutcome: pairs.count > 1) }
            if pairs.count > shownPairs.count {
                blocks.append(
                    "  \(pairs.count - shownPairs.count) more pairs, none decided more strictly "
                        + "(--all lists them)"
                )
            }
            blocks.append(
                rows(of: explanation.decision).map { "  \(padded($0.title, 11))\($0.text)" }
                    .joined(separator: "\n"))
            return blocks.joined(separator: "\n\n")
        }
    }

    // MARK: - A pair

    private func text(_ pair: Explanation.PairTrial, listsAll: Bool, saysOutcome: Bool) -> String {
        var lines = [
            "  \(pair.pair.action) on \(brief(pair.pair.resource.description))  "
                + "[\(pair.pair.level), \(pair.pair.sensitivity)]"
        ]
        let near = pair.isForStatements ? pair.trials.filter { $0.coversAgent && $0.coversAction } : []
        let listed = listsAll ? pair.trials : near
        for rank in Explanation.PairTrial.Rank.allCases {
            let alike = listed.filter { pair.rank(of: $0) == rank }
            // Those about this resource first: they are what its author looks for.
            let sorted = alike.filter { $0.resource != .no } + alike.filter { $0.resource == .no }
            let shownTrials = listsAll ? sorted[...] : sorted.prefix(statementCountShown)
            for trial in shownTrials { lines += text(trial, rank) }
            if sorted.count > shownTrials.count {
                let more = sorted.count - shownTrials.count
                lines.append("    \(padded(rank.rawValue, 9))\(more) more (--all lists them)")
            }
        }
        let left = pair.trials.count - listed.count
        if left > 0, !pair.isForStatements {
            lines.append("    no statement has a say (--all lists them)")
        } else if left > 0 {
            let other = pair.trials.filter { !$0.coversAction }.count
            let parts = [
                other > 0 ? "\(other) about other actions" : nil,
                left - other > 0 ? "\(left - other) for other agents" : nil,
            ].compactMap { $0 }
            lines.append("    not tried further: \(list(parts, last: "and")) (--all lists them)")
        }
        if saysOutcome { lines.append("    -> " + outcome(pair.decision)) }
        return lines.joined(separator: "\n")
    }

    private func outcome(_ decision: Explanation.PairDecision) -> String {
        switch decision {
        case .allow(let id): "allow, by \(place(id))"
        case .ask(let ids, _): "ask, by \(list(ids.map(place), last: "and"))"
        case .deny(let reason): "deny: \(why(reason))"
        case .alwaysAnswered: "allow: IAM never asks permission for it"
        }
    }

    private func why(_ reason: Denial.Reason) -> String {
        switch reason {
        case .statement(let id): "by \(place(id))"
        case .limit(let reach): "\(words(reason)), by \(place(reach.statement))"
        case .byDefault, .unknownResource, .vendsCredentials, .barred: words(reason)
        }
    }

    /// `orders/Read (orders.yaml:5)`.
    private func place(_ id: StatementID) -> String {
        guard let statement = policy[id] else { return "\(id)" }
        return "\(id) (\(statement.file):\(statement.line))"
    }

    // MARK: - A statement

    private func text(_ trial: Explanation.Trial, _ rank: Explanation.PairTrial.Rank) -> [String] {
        let statement = trial.statement
        var lines = ["    \(padded(rank.rawValue, 9))\(statement.effect.rawValue) \(place(statement.id))"]
        func part(_ title: String, _ truth: Truth, _ text: String) {
            lines.append("             \(padded(title, 11))\(padded(truth.word, 9))\(text)")
        }
        if !trial.coversAgent { part("agent", .no, "\(agent) is none of its agents") }
        if !trial.coversAction { part("action", .no, "it is about other actions") }
        let key = trial.exceptsResources ? "not " : ""
        part(
            "resource", trial.resource,
            key + list(trial.resources.map(brief), atMost: 3, last: "or") + meanings(of: trial.variables))
        for condition in trial.conditions { part("condition", condition.truth, text(condition)) }
        if let limit = trial.limit { lines.append(text(limit)) }
        return lines
    }

    private func text(_ limit: Explanation.LimitTrial) -> String {
        let state = limit.binds ? limit.reach == nil ? "room" : "reached" : "not met"
        let why = limit.reach.map { ": \($0.advice)" } ?? "; here nothing was sent before"
        return "             \(padded("limit", 11))\(padded(state, 9))\(limit.text)\(why)"
    }

    private func text(_ condition: Explanation.ConditionTrial) -> String {
        let wanted = list(condition.values.map(quoted), atMost: 5, last: "or")
        let held: String =
            switch condition.fact {
            case .filled(let values): "it is " + list(values.map(quoted), atMost: 5, last: "and")
            case .absent(let why): "absent: \(why)"
            case .unknown(let why): "unknown: \(why)"
            }
        return "\(shown(condition.comparator)) \(shown(condition.key)) \(wanted); \(held)"
            + (condition.why.map { ": \($0)" } ?? "") + meanings(of: condition.variables)
    }

    private func meanings(of variables: [Explanation.Variable]) -> String {
        let each = variables.map { variable in
            let held: String =
                switch variable.fact {
                case .filled(let values): "is " + list(values.map(quoted), atMost: 5, last: "and")
                case .absent(let why): "is absent: \(why)"
                case .unknown(let why): "is unknown: \(why)"
                }
            return "${\(shown(variable.key))} \(held)"
        }
        return each.isEmpty ? "" : " (\(each.joined(separator: "; ")))"
    }

    // MARK: - The decision

    private func rows(of decision: Decision) -> [(title: String, text: String)] {
        let by = list(decision.statements.map(place), last: "and")
        switch decision {
        case .allow:
            return [("decision", by.isEmpty ? "allow: IAM never asks permission for it" : "allow, by \(by)")]
        case .deny(let denial):
            guard denial.items.count > 1 else {
                return [("decision", "deny: \(list(denial.items.map { why($0.reason) }))")]
            }
            let reasons = denial.items.map {
                "\($0.pair.action) on \(short($0.pair.resource)), \(why($0.reason))"
            }
            return [("decision", "deny: \(list(reasons, atMost: 5))")]
        case .ask(let question):
            let terms = question.terms.json
            let duties = [
                question.terms.confirmsTyped ? "the approver types a few characters of the card" : nil,
                question.terms.needsAgentReason ? "the agent states a reason" : nil,
                question.terms.needsReviewReason ? "the review states a reason" : nil,
            ].compactMap { $0 }
            return [
                ("decision", "ask, by \(by)"), ("approvers", quorums(terms)), ("allows", allows(terms)),
                ("waits", minutes(question.terms.pendingTTL) + " for an answer"),
            ] + (question.limits.isEmpty ? [] : [("because", list(question.limits, last: "and"))])
                + (duties.isEmpty ? [] : [("needs", list(duties, last: "and"))])
        }
    }

    private var conclusion: String {
        let count = calls.count == 1 ? "the call" : "\(calls.count) calls"
        switch verdict {
        case .allowed: return "\(count == "the call" ? "The call is" : "All \(count) are") allowed."
        case .asks: return calls.count == 1 ? "The call asks." : "At least one of \(count) asks."
        case .denied: return calls.count == 1 ? "The call is denied." : "At least one of \(count) is denied."
        case .unknown:
            return calls.isEmpty ? "No call came." : "A call is not recognized: the gate does not take it."
        }
    }

    /// Each call in a line, where there are several.
    private var summary: [String] {
        guard calls.count > 1 else { return [] }
        return table(
            calls.enumerated().map { number, call in
                switch call.what {
                case .refused(let refusal):
                    return ["call \(number + 1)", refusal.request, "\(refusal.status) \(refusal.code)"]
                case .recognized(let explanation, _):
                    let meaning = explanation.meaning
                    return [
                        "call \(number + 1)", "\(meaning.service):\(brief(meaning.operation))",
                        explanation.decision.word,
                    ]
                }
            })
    }

    private var notes: [String] {
        var notes: [String] = []
        let known = calls.compactMap { call in
            if case .recognized(let explanation, let isAnswered) = call.what {
                (meaning: explanation.meaning, isAnswered: isAnswered)
            } else {
                nil
            }
        }
        let lacksAccount = known.contains { one in
            one.meaning.account.isEmpty
                && (one.meaning.isAlwaysAnswered || one.meaning.pairs.contains { !$0.resource.isKnown })
        }
        if recognition.account == nil, lacksAccount {
            notes.append(
                "No account is given (--account): where an ARN holds the account it is <unknown> here, and "
                    + "sts:GetCallerIdentity is not answered. The gate, which knows its own, may decide "
                    + "otherwise.")
        }
        guard let end else { return notes }
        if let last = known.last(where: { !$0.isAnswered })?.meaning {
            notes.append(
                "Nothing was sent to AWS. \(program) got no answer to \(last.service):"
                    + "\(brief(last.operation)), so calls that depend on it are not here.")
        }
        switch end.how {
        case .exited, .signal, .interrupted: break
        case .timedOut(let limit): notes.append("\(program) was ended after \(minutes(limit)) (--timeout).")
        case .tooManyCalls:
            notes.append("\(program) was ended: of more than \(DryRun.callCountMax) calls none are kept.")
        }
        return notes
    }

    // MARK: - The client

    private var program: String {
        guard case .client(let command) = question.subject, let name = command.first else { return "it" }
        return brief(String(name.split(separator: "/").last ?? "it"))
    }

    /// The lines that the client wrote, each safe to show: all where they are asked for, and the last where
    /// it did not end for what it was told here; else nil.
    func clientLines(verbose: Bool) -> [String]? {
        guard let end else { return nil }
        let output = String(decoding: end.output, as: UTF8.self)
        let isExpected = !calls.isEmpty && (end.how == .exited(code: 0) || output.contains(DryRun.code))
        guard verbose || !isExpected else { return nil }
        let lines = output.split(whereSeparator: \.isNewline)
        return (verbose ? lines[...] : lines.suffix(20)).map { shown(String($0)) }
    }

    private func clientSaid(verbose: Bool) -> String? {
        guard let end, let lines = clientLines(verbose: verbose) else { return nil }
        let how: String =
            switch end.how {
            case .exited(let code): "ended with code \(code)"
            case .signal(let number): "was ended by signal \(number)"
            case .timedOut, .tooManyCalls, .interrupted: "was ended"
            }
        guard !lines.isEmpty else { return "\(program) \(how) and said nothing." }
        return (["\(program) \(how) and said:"] + lines.map { "  " + $0 }).joined(separator: "\n")
    }
}

extension Truth {
    /// As people and programs read it.
    var word: String {
        switch self {
        case .yes: "true"
        case .no: "false"
        case .unknown: "unknown"
        }
    }
}

extension Explanation.PairTrial {
    /// What a statement has to do with the decision.
    fileprivate enum Rank: String, CaseIterable {
        case decides
        /// It applies, and a stricter effect, or another of its own, decides.
        case applies
        case no
    }

    fileprivate func rank(of trial: Explanation.Trial) -> Rank {
        let deciding: [StatementID] =
            switch decision {
            case .allow(let id), .deny(.statement(let id)): [id]
            case .deny(.limit(let reach)): [reach.statement]
            case .ask(let ids, _): ids
            case .deny, .alwaysAnswered: []
            }
        if deciding.contains(trial.statement.id) { return .decides }
        return trial.applies ? .applies : .no
    }

    /// Whether statements decide it; else the gate does, whatever they say.
    fileprivate var isForStatements: Bool {
        switch decision {
        case .alwaysAnswered, .deny(.barred): false
        case .allow, .ask, .deny: true
        }
    }

    /// The stricter, the higher.
    fileprivate var strictness: Int {
        switch decision {
        case .allow, .alwaysAnswered: 0
        case .ask: 1
        case .deny: 2
        }
    }
}
