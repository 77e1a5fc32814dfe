import Approving
import Deciding
import Recognizing
import Vocabulary

extension PolicyExplanation {
    /// All of it as one object; with what the client wrote where ``text(listsAll:verbose:)`` has it.
    package func json(verbose: Bool) -> JSON {
        [
            "verdict": .string(verdict.rawValue), "agent": .string(agent.text),
            "strength": .string(question.strength.rawValue),
            "task": question.task.map { .string($0) } ?? .null, "at": .string(question.at.description),
            "host": question.host.map { .string($0) } ?? .null,
            "policies": .string(question.policies), "policy_digest": .string(policy.digest.hex),
            "account": recognition.account.map { .string($0) } ?? .null,
            "region": recognition.region.map { .string($0) } ?? .null,
            "calls": .array(calls.map(json)), "client": end.map { json($0, verbose: verbose) } ?? .null,
        ]
    }

    private func json(_ end: ClientEnd, verbose: Bool) -> JSON {
        var members: [JSON.Member] = []
        if case .client(let command) = question.subject {
            members.append(.init("command", .strings(command)))
        }
        switch end.how {
        case .exited(let code): members.append(.init("exit", .integer(code)))
        case .signal(let number): members.append(.init("signal", .integer(number)))
        case .timedOut: members.append(.init("ended", "timeout"))
        case .tooManyCalls: members.append(.init("ended", "too many calls"))
        case .interrupted: members.append(.init("ended", "interrupted"))
        }
        if let lines = clientLines(verbose: verbose) { members.append(.init("said", .strings(lines))) }
        return .object(members)
    }

    private func json(_ call: ExplainedCall) -> JSON {
        switch call.what {
        case .refused(let refusal):
            return [
                "request": .string(refusal.request), "count": .integer(call.count),
                "decision": refusal.isIdentity ? "refused" : "unrecognized",
                "error": [
                    "status": .integer(refusal.status), "code": .string(refusal.code),
                    "message": .string(refusal.message),
                ],
            ]
        case .recognized(let explanation, let isAnswered):
            let meaning = explanation.meaning
            var members: [JSON.Member] = [
                .init("service", .string(meaning.service)), .init("operation", .string(meaning.operation)),
                .init("protocol", .string(meaning.wireProtocol.description)),
                .init("account", meaning.account.isEmpty ? .null : .string(meaning.account)),
                .init("region", .string(meaning.region)), .init("count", .integer(call.count)),
                .init("digest", .string(meaning.digest.hex)), .init("answered", .bool(isAnswered)),
                .init("pairs", .array(explanation.pairs.map(json))),
            ]
            let decision = explanation.decision
            members += [
                .init("decision", .string(String(decision.word.utf8.prefix { $0 != 0x20 }) ?? "")),
                .init("says", .string(decision.word)),
                .init("decided_by", .array(decision.statements.map(json))),
            ]
            if case .ask(let question) = decision { members.append(.init("terms", question.terms.json)) }
            return .object(members)
        }
    }

    private func json(_ id: StatementID) -> JSON {
        guard let statement = policy[id] else { return ["statement": .string(id.description)] }
        return [
            "statement": .string(id.description), "effect": .string(statement.effect.rawValue),
            "file": .string(statement.file), "line": .integer(statement.line),
        ]
    }

    private func json(_ pair: Explanation.PairTrial) -> JSON {
        var members: [JSON.Member] = [
            .init("action", .string(pair.pair.action.description)),
            .init("resource", .string(pair.pair.resource.description)),
            .init("level", .string(pair.pair.level.description)),
            .init("sensitivity", .string(pair.pair.sensitivity.description)),
        ]
        switch pair.decision {
        case .allow(let id): members += decided("allow", [id])
        case .ask(let ids, _): members += decided("ask", ids)
        case .deny(.statement(let id)): members += decided("deny", [id])
        case .deny(.limit(let reach)):
            members += decided("deny", [reach.statement]) + [.init("why", .string(reach.advice))]
        case .deny(let reason): members += decided("deny", []) + [.init("why", .string(words(reason)))]
        case .alwaysAnswered: members += decided("allow", []) + [.init("why", "always answered")]
        }
        members.append(.init("statements", .array(pair.trials.map(json))))
        return .object(members)
    }

    private func decided(_ word: String, _ by: [StatementID]) -> [JSON.Member] {
        [.init("decision", .string(word)), .init("decided_by", .strings(by.map(\.description)))]
    }

    private func json(_ trial: Explanation.Trial) -> JSON {
        guard case .object(let place) = json(trial.statement.id) else { return .null }
        return .object(
            place + [
                .init("applies", .bool(trial.applies)), .init("agent", .bool(trial.coversAgent)),
                .init("action", .bool(trial.coversAction)), .init("resource", .string(trial.resource.word)),
                .init(trial.exceptsResources ? "not_resources" : "resources", .strings(trial.resources)),
                .init("variables", json(trial.variables)),
                .init("conditions", .array(trial.conditions.map(json))),
            ] + (trial.limit.map { [.init("limit", json($0))] } ?? []))
    }

    private func json(_ limit: Explanation.LimitTrial) -> JSON {
        [
            "text": .string(limit.text), "binds": .bool(limit.binds),
            "reached": limit.reach.map { .string($0.advice) } ?? .null,
        ]
    }

    private func json(_ condition: Explanation.ConditionTrial) -> JSON {
        .object(
            [
                .init("operator", .string(condition.comparator)), .init("key", .string(condition.key)),
                .init("values", .strings(condition.values)), .init("truth", .string(condition.truth.word)),
            ] + members(condition.fact) + (condition.why.map { [.init("why", .string($0))] } ?? [])
                + [.init("variables", json(condition.variables))])
    }

    private func json(_ variables: [Explanation.Variable]) -> JSON {
        .array(variables.map { .object([.init("key", .string($0.key))] + members($0.fact)) })
    }

    private func members(_ fact: Explanation.Fact) -> [JSON.Member] {
        switch fact {
        case .filled(let values): [.init("state", "filled"), .init("holds", .strings(values))]
        case .absent(let why): [.init("state", "absent"), .init("why", .string(why))]
        case .unknown(let why): [.init("state", "unknown"), .init("why", .string(why))]
        }
    }
}
