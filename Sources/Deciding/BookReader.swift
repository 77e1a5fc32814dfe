import Hashing
import Vocabulary

/// Reads `approvers.yaml`.
func readApprovers(_ root: Node, in file: String, issues: inout IssueList) -> ApproverBook {
    guard
        let top = Fields(
            root, of: "the file", in: file, keys: ["Countersign", "People", "Groups"], issues: &issues)
    else { return ApproverBook() }
    checkVersion(top, issues: &issues)
    var people: [ApproverBook.Person] = []
    for node in elements(top["People"], of: "`People`", in: file, issues: &issues) {
        guard let person = readPerson(node, in: file, issues: &issues) else { continue }
        if people.contains(where: { $0.name == person.name }) {
            issues.add(file, node.place, "person `\(person.name)` is here twice", .duplicateName)
        }
        for uid in person.uids where people.contains(where: { $0.uids.contains(uid) }) {
            issues.add(
                file, node.place, "uid \(uid) is two people's: a review must say whose it is", .duplicateName)
        }
        for key in person.keys {
            let other = people.first { $0.keys.contains { $0.blob == key.blob } }
            guard let other else { continue }
            issues.add(
                file, node.place,
                "key \(key.fingerprint) is also that of `\(other.name)`: a signature must say whose it is",
                .duplicateName)
        }
        people.append(person)
    }
    return ApproverBook(people: people, groups: readGroups(top, of: people, issues: &issues))
}

private func readPerson(_ node: Node, in file: String, issues: inout IssueList) -> ApproverBook.Person? {
    guard
        let fields = Fields(node, of: "a person", in: file, keys: ["Name", "Uids", "Keys"], issues: &issues)
    else {
        return nil
    }
    guard let text = fields.text("Name", issues: &issues) else {
        if fields["Name"] == nil { issues.add(file, node.place, "a person has no `Name`", .missingField) }
        return nil
    }
    guard let name = approverName(text, in: file, issues: &issues) else { return nil }
    let uids = readUIDs(fields, issues: &issues)
    let keys = readKeys(fields, issues: &issues)
    return ApproverBook.Person(name: name, uids: uids, keys: keys)
}

private func readKeys(_ fields: Fields, issues: inout IssueList) -> [SSHPublicKey] {
    var keys: [SSHPublicKey] = []
    for text in fields.texts("Keys", issues: &issues) {
        do throws(SSHKeyFault) {
            let key = try SSHPublicKey(parsing: text.text)
            if keys.contains(where: { $0.blob == key.blob }) {
                issues.add(fields.file, text.place, "key \(key.fingerprint) is here twice", .duplicateName)
            }
            keys.append(key)
        } catch { issues.add(fields.file, text.place, error.description, .badKey) }
    }
    return keys
}

extension SSHPublicKey {
    /// `SHA256:` and the hash of the key in base 64 without padding, as `ssh-keygen -l` prints it.
    package var fingerprint: String {
        var text = Base64.encode(sha256(blob).bytes)
        while text.hasSuffix("=") { text.removeLast() }
        return "SHA256:" + text
    }
}

private func readGroups(
    _ top: Fields, of people: [ApproverBook.Person], issues: inout IssueList
) -> [String: [ApproverName]] {
    guard let node = top["Groups"] else { return [:] }
    guard case .map(let entries) = node.content else {
        issues.add(
            top.file, node.place, "`Groups` is a map of group names to lists of people, not \(node.kind)",
            .wrongType)
        return [:]
    }
    var groups: [String: [ApproverName]] = [:]
    for entry in entries {
        let key = Fields.Text(text: entry.key, place: entry.place)
        guard let group = approverName(key, in: top.file, issues: &issues) else { continue }
        if people.contains(where: { $0.name == group }) {
            issues.add(
                top.file, entry.place, "`\(group)` is a person: a group needs a name of its own",
                .duplicateName)
        }
        var members: Set<ApproverName> = []
        let what = "group `\(group)`"
        for text in Fields.texts(entry.value, of: what, in: top.file, issues: &issues) {
            guard let person = people.first(where: { $0.name.text.utf8.elementsEqual(text.text.utf8) }) else {
                let near = hint(text.text, people.map(\.name.text))
                issues.add(
                    top.file, text.place, "`\(shown(text.text))` is not among `People`" + near,
                    .unknownApprover)
                continue
            }
            members.insert(person.name)
        }
        groups[group.text] = members.sorted { $0.text < $1.text }
    }
    return groups
}

/// Reads `agents.yaml`; the places of the policy files it names go to `attachments`.
func readAgents(
    _ root: Node, in file: String, attachments: inout [Attachment], issues: inout IssueList
) -> AgentBook {
    guard let top = Fields(root, of: "the file", in: file, keys: ["Countersign", "Agents"], issues: &issues)
    else {
        return AgentBook()
    }
    checkVersion(top, issues: &issues)
    var agents: [AgentBook.Agent] = []
    let keys = ["Name", "Owner", "Uids", "Groups", "Policies"]
    for node in elements(top["Agents"], of: "`Agents`", in: file, issues: &issues) {
        guard let fields = Fields(node, of: "an agent", in: file, keys: keys, issues: &issues) else {
            continue
        }
        guard let text = fields.text("Name", issues: &issues) else {
            if fields["Name"] == nil { issues.add(file, node.place, "an agent has no `Name`", .missingField) }
            continue
        }
        let name: AgentName
        do { name = try AgentName(parsing: text.text) } catch {
            issues.add(file, text.place, nameFault(error))
            continue
        }
        if agents.contains(where: { $0.name == name }) {
            issues.add(file, node.place, "agent `\(name)` is here twice", .duplicateName)
        }
        let policies = fields.texts("Policies", issues: &issues)
        attachments += policies.map { Attachment(file: $0.text, place: $0.place, agent: name) }
        agents.append(
            .init(
                name: name, owner: fields.text("Owner", issues: &issues)?.text,
                uids: readUIDs(fields, issues: &issues), groups: readHostGroups(fields, issues: &issues),
                policies: policies.map(\.text)))
    }
    return AgentBook(agents: agents)
}

/// A policy file that `agents.yaml` gives to an agent.
struct Attachment {
    let file: String
    /// Where `agents.yaml` says so.
    let place: Place
    let agent: AgentName
}

/// Adds a fault unless the map says `Countersign: 1`.
func checkVersion(_ top: Fields, issues: inout IssueList) {
    guard let version = top["Countersign"] else {
        issues.add(top.file, top.place, "`Countersign: 1` must be stated at the top", .missingField)
        return
    }
    guard let text = Fields.text(version, of: "`Countersign`", in: top.file, issues: &issues) else { return }
    if !text.text.utf8.elementsEqual("1".utf8) {
        issues.add(
            top.file, text.place, "`Countersign: \(shown(text.text))` is not known: this version reads 1")
    }
}

/// The elements of a list; empty with a fault when `node` is something else.
func elements(_ node: Node?, of what: String, in file: String, issues: inout IssueList) -> [Node] {
    guard let node else { return [] }
    if case .list(let elements) = node.content { return elements }
    issues.add(file, node.place, "\(what) is a list, not \(node.kind)", .wrongType)
    return []
}

/// What a malformed name's error says.
func nameFault(_ error: NameError) -> String {
    switch error {
    case .malformed(let kind, let text, let rule): "`\(shown(text))` is no \(kind) name: \(rule)"
    }
}

private func approverName(_ text: Fields.Text, in file: String, issues: inout IssueList) -> ApproverName? {
    do { return try ApproverName(parsing: text.text) } catch {
        issues.add(file, text.place, nameFault(error))
        return nil
    }
}

/// Names of the host's groups, or gids. Whether there is such a group is asked when it matters.
private func readHostGroups(_ fields: Fields, issues: inout IssueList) -> [String] {
    fields.texts("Groups", issues: &issues).compactMap { text in
        let isNumber = text.text.utf8.allSatisfy(\.isDigit)
        let isName =
            (1...32).contains(text.text.utf8.count)
            && text.text.utf8.allSatisfy { $0.isAlphanumeric || "-_.".utf8.contains($0) }
        guard isNumber ? wholeNumber(text.text, in: 0...Int(UInt32.max) - 1) != nil : isName else {
            issues.add(
                fields.file, text.place,
                "`\(shown(text.text))` is no group: a name of up to 32 letters, digits and - _ ., or a gid")
            return nil
        }
        return text.text
    }
}

private func readUIDs(_ fields: Fields, issues: inout IssueList) -> [UInt32] {
    fields.texts("Uids", issues: &issues).compactMap { text in
        // The last uid, 2^32 - 1, means "no change" to the kernel and is nobody's.
        guard let uid = wholeNumber(text.text, in: 0...Int(UInt32.max) - 1) else {
            issues.add(fields.file, text.place, "`\(shown(text.text))` is no uid: a whole number")
            return nil
        }
        return UInt32(uid)
    }
}
