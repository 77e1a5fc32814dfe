import Recognizing
import Vocabulary

// Agents, approvers, and what gets past a statement that asks or denies. One function a rule.

extension Lint {
    /// A pattern of agents that no agent of agents.yaml has.
    static func unknownAgent(_ lint: Lint) -> [Remark] {
        let known = lint.policy.agents.agents.map(\.name.text)
        guard !known.isEmpty else { return [] }
        var told: Set<String> = []
        return lint.each { one in
            let own = one.source.agents.map { ($0, true) }
            return (own + one.source.documentAgents.map { ($0, false) }).compactMap { text, isOwn in
                guard !known.contains(where: Pattern(text.text[...]).matches) else { return nil }
                // A document's agents are said once, not for each of its statements.
                guard
                    isOwn
                        || told.insert("\(one.statement.file):\(text.place.line):\(text.place.column)")
                            .inserted
                else { return nil }
                return one.remark(
                    at: text,
                    "no agent of agents.yaml is `\(shown(text.text))`" + hint(text.text, known),
                    mend: "add the agent to agents.yaml, or mend the name")
            }
        }
    }

    /// A statement whose own agents are none of its document's.
    static func agentExcluded(_ lint: Lint) -> [Remark] {
        lint.each { one in
            guard !one.source.agents.isEmpty, !one.agentsMeet(one), let first = one.source.agents.first else {
                return []
            }
            return [
                one.remark(
                    at: first,
                    "`Agents` of a statement narrows those of its document, and these are none of them: "
                        + "`\(one.statement.id)` never matches",
                    mend: "name the agent at the top of the document, too")
            ]
        }
    }

    /// Approvers that cannot be met without the person who answers for the agent.
    static func selfApproval(_ lint: Lint) -> [Remark] {
        let approvers = lint.policy.approvers
        let owned = lint.policy.agents.agents.filter { agent in
            agent.owner.map { owner in approvers.people.contains { $0.name.text == owner } } ?? false
        }
        // What the same approvers mean is said once, at their first statement.
        var found: [String: (remark: Remark, count: Int)] = [:]
        for one in lint.statements {
            guard let terms = one.statement.terms, let source = one.source.approvers else { continue }
            let agent = owned.first { agent in
                let others = approvers.people.map(\.name).filter { $0.text != agent.owner }
                return !approvers.fulfils(terms.quorums, by: others)
                    && one.statement.agents.allSatisfy { $0.contains { $0.matches(agent.name.text) } }
            }
            guard let agent, let owner = agent.owner else { continue }
            let remark = one.remark(
                at: source,
                "nobody but `\(owner)`, who owns the agent `\(agent.name)`, can approve: one person asks and "
                    + "answers",
                mend: "add a second person to the approvers")
            let key = "\(one.statement.file) \(source.text) \(agent.name)"
            found[key] = (found[key]?.remark ?? remark, (found[key]?.count ?? 0) + 1)
        }
        return found.values.map { remark, count in
            var remark = remark
            if count > 1 { remark.message += "; so in \(count - 1) more of its statements" }
            return remark
        }
    }

    /// A quorum that takes everybody of its group.
    static func quorumOfAll(_ lint: Lint) -> [Remark] {
        lint.each { one in
            guard let terms = one.statement.terms, let source = one.source.approvers else { return [] }
            let needs = terms.quorums.filter { !$0.anyOne }.flatMap(\.needs)
            return needs.compactMap { need in
                guard need.count > 1, lint.policy.approvers.groups[need.name]?.count == need.count else {
                    return nil
                }
                return one.remark(
                    at: source,
                    "`\(need.name): \(need.count)` takes everybody of the group: with one away "
                        + "nothing is approved",
                    mend: "add people to the group, or ask for fewer")
            }
        }
    }

    /// A statement that asks for objects of Terraform's state.
    static func stateCanAsk(_ lint: Lint) -> [Remark] {
        func isState(_ text: String) -> Bool {
            let text = text.asciiLowercased
            return text.contains("tfstate") || text.contains("tflock")
        }
        let mend = "open state and lock objects with `Allow`, and leave them out here"
        let states = lint.statements.filter { one in
            one.statement.effect == .allow && one.resourcePatterns.contains { isState($0.pattern.text) }
        }.prefix(100)
        return lint.each { one in
            guard one.statement.effect.asks else { return [] }
            if let own = one.resourcePatterns.first(where: { isState($0.pattern.text) }) {
                return [
                    one.remark(
                        at: own.source,
                        "Terraform's state and lock objects can ask here: each lock has an id "
                            + "of its own, which "
                            + "no approval of an earlier one covers",
                        mend: mend)
                ]
            }
            guard one.statement.effect == .requireApproval else { return [] }
            let other = states.first { state in
                one.agentsMeet(state) && state.actions.numbers.contains(where: one.actions.contains)
                    && state.resourcePatterns.contains { narrow in
                        isState(narrow.pattern.text)
                            && one.resourcePatterns.contains {
                                $0.pattern.covers(narrow.pattern, thatPermits: true)
                            }
                    }
                    && state.actions.numbers.contains { number in
                        one.actions.contains(number)
                            && lint.catalog.actions[number].sensitivities.contains {
                                one.grades[lint.catalog.actions[number].level, $0] != .no
                            }
                    }
            }
            return other.map {
                [
                    one.remark(
                        at: one.source.effect,
                        "this asks for Terraform's state and lock objects although "
                            + "\($0.reference) allows them: "
                            + "each lock has an id of its own, which no approval of an earlier one covers",
                        mend: mend)
                ]
            } ?? []
        }
    }
}

// MARK: - Past the gate

extension Lint {
    /// Actions that show or do the same as one another, by another name. Written by hand and read like code;
    /// those that need one another's permission in AWS are left out.
    static let siblings: [[String]] = [
        [
            "dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:Scan",
            "dynamodb:PartiQLSelect", "dynamodb:ExportTableToPointInTime",
        ],
        ["dynamodb:DeleteItem", "dynamodb:BatchWriteItem", "dynamodb:PartiQLDelete"],
        ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:BatchWriteItem", "dynamodb:PartiQLInsert"],
        ["ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath", "ssm:GetParameterHistory"],
        ["kms:Decrypt", "kms:ReEncryptFrom"],
        [
            "logs:GetLogEvents", "logs:FilterLogEvents", "logs:StartQuery", "logs:StartLiveTail",
            "logs:CreateExportTask",
        ],
        ["lambda:InvokeFunction", "lambda:InvokeAsync"],
        ["iam:AttachRolePolicy", "iam:PutRolePolicy"], ["iam:AttachUserPolicy", "iam:PutUserPolicy"],
        ["iam:AttachGroupPolicy", "iam:PutGroupPolicy"],
        ["iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion"],
        ["ec2:RunInstances", "ec2:RequestSpotInstances", "ec2:RequestSpotFleet", "ec2:CreateFleet"],
        ["cloudformation:UpdateStack", "cloudformation:ExecuteChangeSet"],
        ["ssm:SendCommand", "ssm:StartSession", "ssm:StartAutomationExecution"],
        ["rds-data:ExecuteStatement", "rds-data:BatchExecuteStatement"],
        ["redshift-data:ExecuteStatement", "redshift-data:BatchExecuteStatement"],
        ["kinesis:GetRecords", "kinesis:SubscribeToShard"],
    ]

    /// Actions that do what the first of their line does and more: past a gate on the first, which is none on
    /// them.
    static let stronger: [[String]] = [
        ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTorrent"],
        ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutLifecycleConfiguration"],
        ["s3:PutObjectAcl", "s3:PutObjectVersionAcl"],
    ]

    /// A gate on an action while an `Allow` opens another that does the same.
    static func gateBypassed(_ lint: Lint) -> [Remark] {
        var around: [Int: Set<Int>] = [:]
        for names in siblings + stronger {
            let group = names.compactMap(lint.catalog.number(of:))
            let gates = siblings.contains(names) ? group : Array(group.prefix(1))
            for number in gates { around[number, default: []].formUnion(group) }
        }
        let ways = around.values.reduce(into: Set()) { $0.formUnion($1) }
        var openers: [Int: [LintedStatement]] = [:]
        for one in lint.statements where one.statement.effect == .allow {
            for number in ways where one.actions.contains(number) {
                openers[number, default: []].append(one)
            }
        }
        return lint.each { one in
            guard one.statement.effect != .allow else { return [] }
            return one.actionPatterns.flatMap { pattern, source -> [Remark] in
                guard pattern.literal != nil, let own = lint.catalog.numbers(of: pattern).first else {
                    return []
                }
                let others = (around[own] ?? []).filter { !one.actions.contains($0) }
                return others.sorted().compactMap { number in
                    let opener = openers[number]?.prefix(CoveringIndex.candidateCountMax).first { other in
                        (one.permits ? !other.actions.contains(own) : true)
                            && other.grades.opens(lint.catalog.actions[number])
                            && other.agentsMeet(one) && other.resourcesMeet(one)
                            && !lint.isGated(other, number)
                    }
                    guard let opener else { return nil }
                    let verb = one.statement.effect == .deny ? "is denied" : "asks"
                    return one.remark(
                        at: source,
                        "`\(shown(source.text))` \(verb) here, and "
                            + "`\(lint.catalog.actions[number].action)`, which "
                            + "does the same, is allowed by \(opener.reference)",
                        mend: "add `\(lint.catalog.actions[number].action)` here, or take it out there")
                }
            }
        }
    }

    /// A gate on an action that operations need which show metadata alone, or answer to `HEAD`.
    static func headBesideGate(_ lint: Lint) -> [Remark] {
        lint.each { one in
            guard one.statement.effect.asks else { return [] }
            return one.actionPatterns.compactMap { pattern, source in
                guard pattern.literal != nil, let number = lint.catalog.numbers(of: pattern).first else {
                    return nil
                }
                let known = lint.catalog.actions[number]
                let showing = known.uses.filter { $0.operation.sensitivity == .metadata }
                guard !known.level.mutates, showing.count < known.uses.count, let first = showing.first else {
                    return nil
                }
                let names = "`\(first.name)`" + (showing.count > 1 ? " and \(showing.count - 1) more" : "")
                let opener = lint.opener(of: number, showing: .metadata, for: one)
                if one.permits || one.grades[known.level, .metadata] == .no, let opener {
                    return one.remark(
                        at: source,
                        "\(names), which \(showing.count > 1 ? "need" : "needs") "
                            + "`\(shown(source.text))` too, "
                            + "\(showing.count > 1 ? "are" : "is") let through by "
                            + "\(opener.reference): sizes, dates "
                            + "and whether it is there are shown without asking",
                        mend:
                            "ask with `RequireApproval` and no condition on sensitivity, if that is too much")
                }
                guard one.grades[known.level, .metadata] != .no,
                    let head = showing.first(where: { $0.operation.method == "HEAD" })
                else { return nil }
                return one.remark(
                    at: source,
                    "`\(head.name)` asks here, too: the answer to `HEAD` has no text, so the "
                        + "agent sees a bare 403",
                    mend:
                        "let metadata pass with `StringEquals: {countersign:Sensitivity: "
                        + "metadata}`, or leave it"
                )
            }
        }
    }

    private func opener(
        of number: Int, showing sensitivity: Sensitivity, for one: LintedStatement
    ) -> LintedStatement? {
        covering.candidates(for: one, of: number, with: [.allow], in: catalog).lazy.map { statements[$0] }
            .first { other in
                other.statement.effect == .allow && other.actions.contains(number)
                    && !other.hasFurtherConditions
                    && other.grades[catalog.actions[number].level, sensitivity] == .yes
                    && other.agentsMeet(one) && other.resourcesMeet(one)
            }
    }

    /// Whether a `Deny` or `RequireApproval` holds back action `number` wherever `one` allows it.
    private func isGated(_ one: LintedStatement, _ number: Int) -> Bool {
        covering.candidates(for: one, of: number, with: [.deny, .requireApproval], in: catalog).contains {
            place in
            let other = statements[place]
            guard !other.permits, !other.hasFurtherConditions, other.actions.contains(number) else {
                return false
            }
            return catalog.actions[number].sensitivities.allSatisfy {
                other.grades[catalog.actions[number].level, $0] != .no
            }
                && other.agentsCover(one) && other.resourcesCover(one)
        }
    }
}

extension Grades {
    /// Whether some operation of the action gets through.
    fileprivate func opens(_ known: LintCatalog.KnownAction) -> Bool {
        known.sensitivities.contains { self[known.level, $0] == .yes }
    }
}

extension LintCatalog {
    /// The number of the action `name`, `s3:GetObject`; nil where AWS has none.
    func number(of name: String) -> Int? {
        let parts = name.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, let range = ranges[String(parts[0])] else { return nil }
        return range.first { actions[$0].action.name.utf8.elementsEqual(parts[1].utf8) }
    }
}

extension LintedStatement {
    /// Whether some resource may be one of both; in doubt it is.
    func resourcesMeet(_ other: LintedStatement) -> Bool {
        if scope.exceptsResources || other.scope.exceptsResources { return true }
        return scope.resources.contains { one in other.scope.resources.contains { one.meets($0) } }
    }
}
