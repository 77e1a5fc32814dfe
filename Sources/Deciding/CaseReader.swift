import Hashing
import Recognizing
import Vocabulary

/// Reads the cases of one file.
struct CaseReader {
    let file: String
    let catalog: Catalog

    /// The case that `node` writes; nil with a fault when it is none.
    func read(_ node: Node, issues: inout IssueList) -> PolicyCase? {
        guard let fields = Fields(node, of: "a case", in: file, keys: Self.keys, issues: &issues) else {
            return nil
        }
        guard let says = readSays(fields, issues: &issues),
            let subject = readSubject(fields, issues: &issues),
            let agent = readAgent(fields, issues: &issues), let at = readMoment(fields, issues: &issues),
            let strength = readStrength(fields, issues: &issues)
        else { return nil }
        return PolicyCase(
            file: file, line: node.place.line, agent: agent, subject: subject, says: says,
            strength: strength, task: fields.text("Task", issues: &issues)?.text,
            host: fields.text("Host", issues: &issues)?.text, at: at,
            used: readUsed(fields["Used"], issues: &issues))
    }

    /// What a case may hold: its subject in one of three forms, what goes with the form, and what goes with
    /// all.
    private static let forms = [
        ("Action", ["Operation", "Resource", "Keys"]), ("Run", ["Account", "Region"]),
        ("Request", ["Account", "Region"]),
    ]
    private static let keys =
        ["Agent", "Action", "Operation", "Resource", "Keys", "Run", "Request", "Account", "Region"]
        + ["Strength", "Task", "Host", "At", "Used", "Says"]

    // MARK: - The subject

    private func readSubject(_ fields: Fields, issues: inout IssueList) -> PolicyCase.Subject? {
        let stated = Self.forms.filter { fields[$0.0] != nil }
        guard let (form, own) = stated.first else {
            issues.add(file, fields.place, "`Action`, `Run` or `Request` must be stated")
            return nil
        }
        if stated.count > 1, let second = fields.entry(stated[1].0) {
            issues.add(file, second.place, "a case has `\(form)` or `\(second.key)`, not both")
            return nil
        }
        for key in Set(Self.forms.flatMap(\.1)).subtracting(own).sorted() {
            guard let entry = fields.entry(key) else { continue }
            issues.add(file, entry.place, "`\(key)` does not go with `\(form)`")
            return nil
        }
        guard let text = fields.text(form, issues: &issues) else { return nil }
        switch form {
        case "Run": return readRun(text, fields, issues: &issues)
        case "Request": return readRequest(text, fields, issues: &issues)
        default: return readSupposed(text, fields, issues: &issues).map { .supposed($0) }
        }
    }

    private func readSupposed(
        _ action: Fields.Text, _ fields: Fields, issues: inout IssueList
    ) -> PolicyCase.Supposed? {
        let operation = fields.text("Operation", issues: &issues)
        guard let (pair, facts) = readPair(action, operation, fields, issues: &issues) else { return nil }
        return PolicyCase.Supposed(
            action: action.text, resource: fields.text("Resource", issues: &issues)?.text ?? "*", pair: pair,
            keys: readKeys(fields["Keys"], issues: &issues), facts: facts)
    }

    private func readRun(
        _ text: Fields.Text, _ fields: Fields, issues: inout IssueList
    ) -> PolicyCase.Subject? {
        guard let words = commandWords(text.text) else {
            issues.add(file, text.place, "a quote in `Run` does not close")
            return nil
        }
        // Cases are data: a folder of them must not be able to run anything else.
        guard words.count > 1, words[0].utf8.elementsEqual("aws".utf8) else {
            issues.add(
                file, text.place, "`Run` is an `aws …` command line, such as `aws s3 rm s3://bucket/key`")
            return nil
        }
        return readPlace(fields, issues: &issues).map { .run(words, $0) }
    }

    private func readRequest(
        _ text: Fields.Text, _ fields: Fields, issues: inout IssueList
    ) -> PolicyCase.Subject? {
        let segments = text.text.utf8.split(separator: 0x2F, omittingEmptySubsequences: false)
        guard segments.allSatisfy({ !$0.isEmpty && !$0.elementsEqual("..".utf8) }) else {
            issues.add(
                file, text.place,
                "`Request` names a file in the folder of cases, without `..` and a first `/`")
            return nil
        }
        return readPlace(fields, issues: &issues).map { .request(file: text.text, $0) }
    }

    private func readPlace(_ fields: Fields, issues: inout IssueList) -> PolicyCase.Subject.Place? {
        let account = fields.text("Account", issues: &issues)
        if let account, account.text.utf8.count != 12 || !account.text.utf8.allSatisfy(\.isDigit) {
            issues.add(file, account.place, "`\(shown(account.text))` is no account: 12 digits")
            return nil
        }
        let region = fields.text("Region", issues: &issues)
        if let region, !region.text.utf8.allSatisfy({ $0.isLowerAlphanumeric || $0 == 0x2D }) {
            issues.add(file, region.place, "`\(shown(region.text))` is no region name")
            return nil
        }
        return .init(
            account: account?.text ?? PolicyCase.usualPlace.account,
            region: region?.text ?? PolicyCase.usualPlace.region)
    }

    // MARK: - What goes with all

    /// `{orders/Read: {Calls: 100}}`: what the windows of these statements' limits hold already.
    private func readUsed(
        _ node: Node?, issues: inout IssueList
    ) -> [(statement: String, amount: Limit.Amount)] {
        guard let node else { return [] }
        guard case .map(let entries) = node.content else {
            issues.add(file, node.place, "`Used` is a map of statements, not \(node.kind)")
            return []
        }
        return entries.compactMap { entry in
            let what = "what `\(shown(entry.key))` used"
            let keys = ["Calls", "Items", "Bytes"]
            guard let fields = Fields(entry.value, of: what, in: file, keys: keys, issues: &issues) else {
                return nil
            }
            let counts = keys.map { key in
                guard let text = fields.text(key, issues: &issues) else { return 0 }
                if let count = wholeNumber(text.text, in: 0...LimitReader.Bound.bytes) { return count }
                issues.add(file, text.place, "`\(key)`: `\(shown(text.text))` is no count")
                return 0
            }
            return (entry.key, Limit.Amount(calls: counts[0], items: counts[1], bytes: counts[2]))
        }
    }

    private func readStrength(_ fields: Fields, issues: inout IssueList) -> IdentityStrength? {
        guard let text = fields.text("Strength", issues: &issues) else { return .listener }
        guard let strength = IdentityStrength(rawValue: text.text) else {
            issues.add(file, text.place, "`Strength` is listener, uid or signed, not `\(shown(text.text))`")
            return nil
        }
        return strength
    }

    private func readSays(_ fields: Fields, issues: inout IssueList) -> String? {
        guard let says = fields.text("Says", issues: &issues) else {
            if fields["Says"] == nil {
                issues.add(file, fields.place, "`Says` must be stated: `allow orders/Read`, `deny byDefault`")
            }
            return nil
        }
        let word = says.text.utf8.prefix { $0 != 0x20 }
        guard ["allow", "ask", "deny"].contains(where: { $0.utf8.elementsEqual(word) }) else {
            issues.add(file, says.place, "`Says` begins with allow, ask or deny, not `\(shown(says.text))`")
            return nil
        }
        return says.text
    }

    private func readAgent(_ fields: Fields, issues: inout IssueList) -> AgentName? {
        let text = fields.text("Agent", issues: &issues)
        do { return try AgentName(parsing: text?.text ?? "local") } catch {
            issues.add(file, text?.place ?? fields.place, nameFault(error))
            return nil
        }
    }

    private func readMoment(_ fields: Fields, issues: inout IssueList) -> Instant? {
        guard let text = fields.text("At", issues: &issues) else { return PolicyCase.usualMoment }
        guard let measure = Measure(date: text.text), let nanoseconds = Int64(exactly: measure.billionths),
            nanoseconds >= 0
        else {
            issues.add(file, text.place, "`\(shown(text.text))` is no moment: write `2026-11-24T08:30:00Z`")
            return nil
        }
        return Instant(nanosecondsSinceEpoch: nanoseconds)
    }

    /// Unquoted or not, a value is text; a key with an empty list is absent, one that is not here unknown.
    private func readKeys(_ node: Node?, issues: inout IssueList) -> ConditionKeys {
        var keys = ConditionKeys()
        guard let node else { return keys }
        guard case .map(let entries) = node.content else {
            issues.add(file, node.place, "`Keys` is a map of condition keys, not \(node.kind)")
            return keys
        }
        for entry in entries {
            if case .failure(let fault) = Condition.Key.reading(entry.key) {
                issues.add(file, entry.place, fault.message)
                continue
            }
            if case .list(let elements) = entry.value.content, elements.isEmpty {
                keys[entry.key] = .absent
                continue
            }
            let texts = Fields.texts(
                entry.value, of: "`\(shown(entry.key))`", in: file, mayBeEmpty: true, issues: &issues)
            keys[entry.key] = .filled(texts.map(\.text))
        }
        return keys
    }

    // MARK: - The pair

    private func readPair(
        _ text: Fields.Text, _ operation: Fields.Text?, _ fields: Fields, issues: inout IssueList
    ) -> (Pair, PolicyCase.Facts)? {
        let parts = text.text.utf8.split(separator: 0x3A, omittingEmptySubsequences: false)
            .map { String($0) ?? "" }
        guard parts.count == 2, let listed = catalog.listedAction(prefix: parts[0], name: parts[1]) else {
            let near = hint(
                text.text,
                catalog.listedActions(prefix: parts[0].asciiLowercased).map(\.action.description))
            issues.add(file, text.place, "`\(shown(text.text))` is no IAM action" + near)
            return nil
        }
        let services = catalog.services.filter { $0.iamPrefix.utf8.elementsEqual(listed.action.prefix.utf8) }
        let name = operation?.text ?? listed.action.name
        let found = services.lazy.compactMap { $0.operation(named: name) }.first
        if let operation, found == nil {
            issues.add(
                file, operation.place,
                "no service of `\(listed.action.prefix)` has `\(shown(operation.text))`")
            return nil
        }
        let own = found?.actions.first { $0.action == listed.action }
        let pair = Pair(
            action: listed.action,
            resource: Self.resource(fields.text("Resource", issues: &issues)?.text ?? "*"),
            level: listed.level, sensitivity: own?.sensitivity ?? found?.sensitivity ?? .unrated)
        let facts = PolicyCase.Facts(
            vends: found?.vendsCredentials ?? false,
            bar: found?.isUnsignedByModel ?? false ? .unsignedByModel : nil)
        return (pair, facts)
    }

    /// The resource that `text` writes, with `<unknown>` for what a request does not say and `<six>` for the
    /// ending of a secret's ARN.
    private static func resource(_ text: String) -> Resource {
        var parts: [Resource.Part] = []
        for run in text.split(separator: "<", omittingEmptySubsequences: false) {
            let halves = run.split(separator: ">", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2, halves[0] == "six" || halves[0] == "unknown" else {
                parts.append(.known(parts.isEmpty ? String(run) : "<" + run))
                continue
            }
            parts.append(halves[0] == "six" ? .unknownCharacters(count: 6) : .unknown)
            parts.append(.known(String(halves[1])))
        }
        return Resource(parts)
    }
}

extension Meaning {
    /// What a call would mean that nobody made: for policies to be tried on. Nothing can be sent for it, and
    /// its digest is no call's, so that no leave given to it fits one.
    static func supposed(
        _ pairs: [Pair],
        of place: (service: String, operation: String, account: String, region: String)? = nil,
        keys: ConditionKeys, vends: Bool, bar: SendingBar? = nil, wireProtocol: WireProtocol = .awsJSON10,
        itemCount: Int = 1, bodyByteCount: Int = 0
    ) -> Meaning {
        let action = pairs.first?.action
        let identity = Action(prefix: "sts", name: "GetCallerIdentity")
        return Meaning(
            service: place?.service ?? action?.prefix ?? "",
            operation: place?.operation ?? action?.name ?? "",
            wireProtocol: wireProtocol, account: place?.account ?? PolicyCase.usualPlace.account,
            region: place?.region ?? PolicyCase.usualPlace.region, pairs: pairs, parameters: .null,
            keys: keys,
            vendsCredentials: vends,
            isAlwaysAnswered: place.map { $0.service == identity.prefix && $0.operation == identity.name }
                ?? (action == identity),
            bar: bar, itemCount: itemCount, bodyByteCount: bodyByteCount, digest: sha256([]))
    }
}
