import Vocabulary

/// Reads a policy folder's files into a set, and every fault on the way.
struct PolicyLoader {
    private let actions: ActionPatterns
    private let heads = ARNHeads()
    private var issues = IssueList()
    private var approvers = ApproverBook()
    /// The documents read: each `Id`, its file, and its statements.
    private var documents: [(id: String, file: String, statements: [Statement])] = []

    init(actions: ActionNames) { self.actions = ActionPatterns(actions) }

    /// The set that `files`, sorted by name, make.
    mutating func load(_ files: [PolicyFile]) throws(PolicyError) -> PolicySet {
        if files.count > PolicySet.fileCountMax {
            issues.add(files[0].name, .start, "more than \(PolicySet.fileCountMax) files")
            throw PolicyError(issues: issues.issues)
        }
        var roots: [(file: String, root: Node)] = []
        for (index, file) in files.enumerated() {
            if index > 0, file.name.utf8.elementsEqual(files[index - 1].name.utf8) {
                issues.add(file.name, .start, "the file is here twice", .duplicateName)
            }
            if let root = read(file) { roots.append((file.name, root)) }
        }
        func root(_ name: String) -> Node? { roots.first { $0.file.utf8.elementsEqual(name.utf8) }?.root }

        // The books come first: statements name the people in them.
        if let root = root("approvers.yaml") {
            approvers = readApprovers(root, in: "approvers.yaml", issues: &issues)
        }
        var (agents, attachments) = (AgentBook(), [Attachment]())
        if let root = root("agents.yaml") {
            agents = readAgents(root, in: "agents.yaml", attachments: &attachments, issues: &issues)
        }
        var accounts = AccountBook()
        if let root = root("accounts.yaml") {
            accounts = readAccounts(root, in: "accounts.yaml", issues: &issues)
        }
        for attachment in attachments
        where !files.contains(where: { $0.name.utf8.elementsEqual(attachment.file.utf8) }) {
            let near = hint(attachment.file, files.map(\.name).filter { !isBook($0) })
            issues.add("agents.yaml", attachment.place, "there is no file `\(shown(attachment.file))`" + near)
        }
        for (file, root) in roots where !isBook(file) {
            readDocument(
                root, in: file, attached: attachments.filter { $0.file.utf8.elementsEqual(file.utf8) })
        }
        guard issues.issues.isEmpty else { throw PolicyError(issues: issues.issues) }
        // Each document's own first: sorting all of them at once takes many more comparisons.
        let statements = documents.sorted { $0.id.precedes($1.id) }.flatMap { document in
            document.statements.sorted { $0.id.sid.precedes($1.id.sid) }
        }
        return PolicySet(
            digest: PolicySet.digest(of: files), statements: statements, agents: agents, approvers: approvers,
            accounts: accounts)
    }

    private func isBook(_ name: String) -> Bool {
        ["agents.yaml", "approvers.yaml", "accounts.yaml"].contains { $0.utf8.elementsEqual(name.utf8) }
    }

    private mutating func read(_ file: PolicyFile) -> Node? {
        guard PolicyFile.isRead(file.name) else {
            issues.add(file.name, .start, "a policy file ends in .yaml, .yml or .json")
            return nil
        }
        do { return try Deciding.readDocument(named: file.name, file.bytes) } catch {
            issues.add(file.name, error.place, error.message, error.rule)
            return nil
        }
    }

    // MARK: - Documents

    private mutating func readDocument(_ root: Node, in file: String, attached: [Attachment]) {
        let keys = ["Countersign", "Version", "Id", "Agents", "Statement"]
        guard let top = Fields(root, of: "a policy", in: file, keys: keys, issues: &issues) else { return }
        // Plain IAM: a JSON document as AWS writes it, with none of our keys.
        let isPlain = file.utf8.reversed().starts(with: ".json".utf8.reversed()) && top["Countersign"] == nil
        if isPlain {
            if top["Version"] == nil {
                issues.add(file, top.place, "`\"Version\": \"2012-10-17\"` must be stated", .missingField)
            }
        } else {
            checkVersion(top, issues: &issues)
        }
        if let version = top.text("Version", issues: &issues),
            !version.text.utf8.elementsEqual("2012-10-17".utf8)
        {
            issues.add(
                file, version.place, "version `\(shown(version.text))` is not read: only 2012-10-17 is")
        }
        guard let id = documentID(top, in: file, isPlain: isPlain) else { return }
        let agents = documentAgents(top, attached: attached)
        guard let node = top["Statement"] else {
            issues.add(file, top.place, "`Statement` must be stated", .missingField)
            return
        }
        var nodes = [node]
        if case .list(let elements) = node.content { nodes = elements }
        var reader = StatementReader(
            document: id, file: file, isPlain: isPlain, agents: agents, actions: actions, heads: heads,
            approvers: approvers, issues: &issues)
        var statements: [Statement] = []
        for (index, node) in nodes.enumerated() {
            guard let statement = reader.read(node, number: index + 1, issues: &issues) else { continue }
            statements.append(statement)
        }
        documents.append((id, file, statements))
        if documents.reduce(0, { $0 + $1.statements.count }) > PolicySet.statementCountMax {
            issues.add(file, node.place, "more than \(PolicySet.statementCountMax) statements in all files")
            for index in documents.indices { documents[index].statements = [] }
        }
    }

    private mutating func documentID(_ top: Fields, in file: String, isPlain: Bool) -> String? {
        let text: Fields.Text
        if let stated = top.text("Id", issues: &issues) {
            text = stated
        } else {
            guard top["Id"] == nil else { return nil }
            guard isPlain else {
                issues.add(
                    file, top.place, "`Id` must be stated: decisions name their statements by it",
                    .missingField)
                return nil
            }
            text = Fields.Text(
                text: String(file.split(separator: ".", maxSplits: 1).first ?? ""), place: top.place)
        }
        guard isIdentifier(text.text) else {
            issues.add(
                file, text.place, "`\(shown(text.text))` is no `Id`: 1 to 128 of letters, digits and - _ .")
            return nil
        }
        if let other = documents.first(where: { $0.id.hasBytes(of: text.text) }) {
            issues.add(file, text.place, "`Id` `\(text.text)` is also that of \(other.file)", .duplicateName)
            return nil
        }
        return text.text
    }

    private mutating func documentAgents(_ top: Fields, attached: [Attachment]) -> [Fields.Text] {
        let stated = top.texts("Agents", issues: &issues)
        if let entry = top.entry("Agents") {
            if let attachment = attached.first {
                issues.add(
                    top.file, entry.place,
                    "`Agents` is stated, and agents.yaml gives the file to `\(attachment.agent)`: keep one"
                )
            }
            return stated
        }
        if attached.isEmpty {
            issues.add(
                top.file, top.place,
                "`Agents` must be stated: `[\"*\"]` for all, or attach the file to an agent in agents.yaml",
                .missingField
            )
        }
        return attached.map { Fields.Text(text: $0.agent.text, place: top.place) }
    }
}

/// Whether `text` can name a document or statement.
func isIdentifier(_ text: String) -> Bool {
    (1...128).contains(text.utf8.count)
        && text.utf8.allSatisfy { $0.isAlphanumeric || [0x2D, 0x2E, 0x5F].contains($0) }
}
