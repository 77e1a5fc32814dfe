import Hashing
import Vocabulary

/// Reads the statements of one document.
struct StatementReader {
    let document: String
    let file: String
    /// Plain IAM JSON: AWS's own keys and effects only, and a Sid is no duty.
    let isPlain: Bool
    let actions: ActionPatterns
    let heads: ARNHeads
    let approvers: ApproverBook
    /// The document's agents.
    private let callers: Callers
    /// What every statement's digest is taken over, before the statement.
    private let digestOpening: [UInt8]
    private var sids: Set<ExactText> = []

    init(
        document: String, file: String, isPlain: Bool, agents: [Fields.Text], actions: ActionPatterns,
        heads: ARNHeads, approvers: ApproverBook, issues: inout IssueList
    ) {
        self.document = document
        self.file = file
        self.isPlain = isPlain
        self.actions = actions
        self.heads = heads
        self.approvers = approvers
        callers = Callers([Self.readAgents(agents, in: file, issues: &issues)])
        var opening = Array("{\"Agents\":".utf8)
        JSON.strings(agents.map(\.text)).writeCanonical(to: &opening)
        opening += ",\"Id\":".utf8
        JSON.write(document, to: &opening)
        digestOpening = opening + ",\"Statement\":".utf8
    }

    private static let keys = [
        "Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition", "Agents", "Approval",
        "Limit", "Log",
    ]
    private static let laterKeys = ["Principal", "NotPrincipal"]

    /// The statement that `node` writes, the `number`th of its document; nil with a fault when it is none.
    mutating func read(_ node: Node, number: Int, issues: inout IssueList) -> Statement? {
        guard
            let fields = Fields(
                node, of: "a statement", in: file, keys: Self.keys, later: Self.laterKeys, issues: &issues)
        else { return nil }
        let sid = readSid(fields, number: number, issues: &issues)
        var callers = self.callers
        if fields["Agents"] != nil {
            let own = Self.readAgents(fields.texts("Agents", issues: &issues), in: file, issues: &issues)
            callers = Callers(callers.lists + [own])
        }
        let scope = readScope(fields, issues: &issues)
        checkLog(fields, issues: &issues)
        guard let (rule, limit) = readRule(fields, issues: &issues), let sid else { return nil }
        var text = digestOpening
        text.reserveCapacity(text.count + 1_024)
        node.writeCanonical(to: &text)
        text.append(0x7D)
        return Statement(
            id: StatementID(document: document, sid: sid), rule: rule, file: file, line: node.place.line,
            digest: sha256(text), callers: callers, scope: scope, limit: limit)
    }

    private mutating func readSid(_ fields: Fields, number: Int, issues: inout IssueList) -> String? {
        let isEmpty = fields["Sid"].map { $0.kind == "nothing" } ?? true
        guard !(isPlain && isEmpty) else {
            // Plain IAM needs no Sid: its place in the file is its name.
            let sid = "statement-\(number)"
            return sids.insert(ExactText(sid)).inserted ? sid : nil
        }
        guard let text = fields.text("Sid", issues: &issues) else {
            if fields["Sid"] == nil {
                issues.add(
                    file, fields.place, "`Sid` must be stated: decisions name the statement by it",
                    .missingField)
            }
            return nil
        }
        guard isIdentifier(text.text) else {
            issues.add(
                file, text.place, "`\(shown(text.text))` is no `Sid`: 1 to 128 of letters, digits and - _ .")
            return nil
        }
        guard sids.insert(ExactText(text.text)).inserted else {
            issues.add(file, text.place, "`Sid` `\(text.text)` is here twice", .duplicateName)
            return nil
        }
        return text.text
    }

    private func readRule(_ fields: Fields, issues: inout IssueList) -> (Statement.Rule, Limit?)? {
        guard let text = fields.text("Effect", issues: &issues) else {
            if fields["Effect"] == nil {
                issues.add(file, fields.place, "`Effect` must be stated", .missingField)
            }
            return nil
        }
        guard let effect = Effect.allCases.first(where: { $0.rawValue.hasBytes(of: text.text) }) else {
            let names = Effect.allCases.map(\.rawValue)
            let known = names.joined(separator: ", ")
            let near = hint(text.text, names)
            issues.add(file, text.place, "`\(shown(text.text))` is no `Effect`, which is \(known)" + near)
            return nil
        }
        let limitEntry = fields.entry("Limit")
        let beyondIAM: [(String?, Place?)] = [
            (effect.asks ? effect.rawValue : nil, text.place), ("Limit", limitEntry?.place),
        ]
        for (name, place) in isPlain ? beyondIAM : [] {
            guard let name, let place else { continue }
            issues.add(file, place, "`\(name)` needs `\"Countersign\": 1` at the top of the file")
            return nil
        }
        let approval = fields.entry("Approval")
        let terms = approval.flatMap {
            ApprovalReader(file: file, approvers: approvers).read($0.value, issues: &issues)
        }
        var limit: Limit?
        if let limitEntry {
            let reader = LimitReader(file: file, effect: effect, approval: (terms, approval != nil))
            guard let found = reader.read(limitEntry, issues: &issues) else { return nil }
            limit = found
        }
        switch effect {
        case .allow, .deny:
            if let approval, limit.map({ $0.beyond == .deny }) ?? true {
                issues.add(
                    file, approval.place,
                    "`Approval` belongs to effects that ask, not to `\(effect.rawValue)`"
                        + (effect == .allow ? " without a `Limit` with `Beyond: ask`" : ""))
            }
            return (effect == .allow ? .allow : .deny, limit)
        case .allowWithApproval, .requireApproval:
            if approval == nil {
                issues.add(
                    file, text.place, "`\(effect.rawValue)` needs an `Approval` that says who may approve",
                    .missingField)
            }
            guard let terms else { return nil }
            return (effect == .allowWithApproval ? .allowWithApproval(terms) : .requireApproval(terms), limit)
        }
    }

    private static func readAgents(
        _ texts: [Fields.Text], in file: String, issues: inout IssueList
    ) -> [Pattern] {
        texts.compactMap { text in
            let bytes = text.text.utf8
            let isPattern =
                bytes.count <= 64
                && bytes.allSatisfy { $0.isLowerAlphanumeric || [0x2D, 0x2A, 0x3F].contains($0) }
            guard isPattern else {
                issues.add(
                    file, text.place,
                    "`\(shown(text.text))` is no agent: 1 to 64 of a-z, 0-9, - and wildcards")
                return nil
            }
            return Pattern(text.text[...])
        }
    }

    /// The log writes every entry in full: only that can be asked of it.
    private func checkLog(_ fields: Fields, issues: inout IssueList) {
        guard let text = fields.text("Log", issues: &issues) else { return }
        if text.text.utf8.elementsEqual("digest".utf8) {
            issues.add(
                file, text.place, "`Log: digest` is not in this version: entries are full", .laterVersion)
        } else if !text.text.utf8.elementsEqual("full".utf8) {
            issues.add(file, text.place, "`Log` is `full`, not `\(shown(text.text))`")
        }
    }

    // MARK: - Scope

    private func readScope(_ fields: Fields, issues: inout IssueList) -> Statement.Scope {
        var scope = Statement.Scope()
        if let key = oneOf(("Action", "NotAction"), fields, issues: &issues) {
            scope.exceptsActions = key.hasBytes(of: "NotAction")
            scope.actions = fields.texts(key, issues: &issues).compactMap { text in
                do throws(PatternFault) { return try actions.pattern(text.text) } catch {
                    issues.add(
                        file, text.place, "action `\(shown(text.text))`: \(error.message)", .unknownAction)
                    return nil
                }
            }
        }
        if let key = oneOf(("Resource", "NotResource"), fields, issues: &issues) {
            scope.exceptsResources = key.hasBytes(of: "NotResource")
            scope.resources = fields.texts(key, issues: &issues).compactMap { text in
                do throws(PatternFault) { return try ResourcePattern(parsing: text.text, heads: heads) } catch
                {
                    issues.add(
                        file, text.place, "resource `\(shown(text.text))`: \(error.message)",
                        .malformedResource)
                    return nil
                }
            }
        }
        if let node = fields["Condition"] {
            scope.conditions = ConditionReader(file: file).read(node, issues: &issues)
        }
        return scope
    }

    private func oneOf(_ keys: (String, String), _ fields: Fields, issues: inout IssueList) -> String? {
        switch (fields[keys.0], fields[keys.1]) {
        case (.some, nil): return keys.0
        case (nil, .some): return keys.1
        case (nil, nil):
            issues.add(file, fields.place, "`\(keys.0)` or `\(keys.1)` must be stated", .missingField)
        case (.some, .some): issues.add(file, fields.place, "`\(keys.0)` and `\(keys.1)` exclude each other")
        }
        return nil
    }
}
