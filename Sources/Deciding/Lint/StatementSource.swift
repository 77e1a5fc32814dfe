import Vocabulary

/// A statement as its file writes it, with the place of each piece.
///
/// A ``Statement`` keeps what decides and nothing else; where its pieces stand is read anew from the file
/// when somebody asks.
struct StatementSource {
    /// One line of the `Condition` block. They stand in the order of the statement's own conditions.
    struct Line {
        let name: Fields.Text
        let key: Fields.Text
        let values: [Fields.Text]
    }

    let place: Place
    let effect: Fields.Text
    /// `Action` or `NotAction`, and its patterns.
    let actionKey: Fields.Text
    let actions: [Fields.Text]
    /// `Resource` or `NotResource`, and its patterns.
    let resourceKey: Fields.Text
    let resources: [Fields.Text]
    let lines: [Line]
    /// The statement's own, and those of its document.
    let agents: [Fields.Text]
    let documentAgents: [Fields.Text]
    let approvers: Fields.Text?

    fileprivate init(_ node: Node, documentAgents: [Fields.Text]) {
        func key(_ names: [String]) -> Node.Entry? { names.lazy.compactMap { node.entry($0) }.first }
        func texts(_ entry: Node.Entry?) -> [Fields.Text] { entry?.value.texts ?? [] }
        func named(_ entry: Node.Entry?) -> Fields.Text {
            Fields.Text(text: entry?.key ?? "", place: entry?.place ?? node.place)
        }
        let (action, resource) = (key(["Action", "NotAction"]), key(["Resource", "NotResource"]))
        place = node.place
        effect = texts(node.entry("Effect")).first ?? Fields.Text(text: "", place: node.place)
        (actionKey, actions) = (named(action), texts(action))
        (resourceKey, resources) = (named(resource), texts(resource))
        lines = (node.entry("Condition")?.value.entries ?? []).flatMap { comparison in
            comparison.value.entries.map { key in
                Line(
                    name: Fields.Text(text: comparison.key, place: comparison.place),
                    key: Fields.Text(text: key.key, place: key.place), values: key.value.texts)
            }
        }
        agents = texts(node.entry("Agents"))
        self.documentAgents = documentAgents
        approvers = node.entry("Approval")?.value.entry("Approvers").map {
            Fields.Text(text: $0.value.brief, place: $0.place)
        }
    }

    /// Every statement of `files`, which make a set, by id. What cannot be read is left out: loading told it.
    static func all(in files: [PolicyFile]) -> [StatementID: StatementSource] {
        var found: [StatementID: StatementSource] = [:]
        for file in files {
            guard let root = try? readDocument(named: file.name, file.bytes) else { continue }
            let fileID = String(file.name.split(separator: ".", maxSplits: 1).first ?? "")
            let document = root.entry("Id")?.value.texts.first?.text ?? fileID
            let agents = root.entry("Agents")?.value.texts ?? []
            guard let node = root.entry("Statement")?.value else { continue }
            var nodes = [node]
            if case .list(let elements) = node.content { nodes = elements }
            for (index, node) in nodes.enumerated() {
                let sid = node.entry("Sid")?.value.texts.first.map(\.text) ?? ""
                let id = StatementID(document: document, sid: sid.isEmpty ? "statement-\(index + 1)" : sid)
                found[id] = StatementSource(node, documentAgents: agents)
            }
        }
        return found
    }
}

extension Node {
    /// The entries of a map; none for anything else.
    var entries: [Entry] {
        guard case .map(let entries) = content else { return [] }
        return entries
    }

    /// The entry `key` of a map; nil where there is none.
    func entry(_ key: String) -> Entry? { entries.first { $0.key.utf8.elementsEqual(key.utf8) } }

    /// The text, or the texts of a list.
    var texts: [Fields.Text] {
        switch content {
        case .text(let text, _): [Fields.Text(text: text, place: place)]
        case .list(let elements): elements.flatMap(\.texts)
        case .map: []
        }
    }

    /// The value in a few words: `secops`, `oncall, secops`, `oncall: 2`.
    fileprivate var brief: String {
        let counts = entries.map { "\($0.key): \($0.value.texts.first?.text ?? "")" }
        return (counts.isEmpty ? texts.map(\.text) : counts).joined(separator: ", ")
    }
}
