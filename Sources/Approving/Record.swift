import Vocabulary

/// Reads the members of an entry's body into types.
struct Record {
    let json: JSON

    func text(_ name: String) throws(ChangeRecordError) -> String {
        guard let text = json[name]?.string else { throw ChangeRecordError(member: name) }
        return text
    }

    func texts(_ name: String) throws(ChangeRecordError) -> [String] {
        guard let elements = json[name]?.array else { throw ChangeRecordError(member: name) }
        let texts = elements.compactMap(\.string)
        guard texts.count == elements.count else { throw ChangeRecordError(member: name) }
        return texts
    }

    func integer(_ name: String) throws(ChangeRecordError) -> Int64 {
        guard let value = json[name]?.integer else { throw ChangeRecordError(member: name) }
        return value
    }

    func count(_ name: String) throws(ChangeRecordError) -> Int {
        guard let value = Int(exactly: try integer(name)), value >= 0 else {
            throw ChangeRecordError(member: name)
        }
        return value
    }

    func object(_ name: String) throws(ChangeRecordError) -> Record {
        guard let value = json[name], value.members != nil else { throw ChangeRecordError(member: name) }
        return Record(json: value)
    }

    func instant(_ name: String) throws(ChangeRecordError) -> Instant {
        guard let instant = Instant(parsing: try text(name)) else { throw ChangeRecordError(member: name) }
        return instant
    }

    func optionalInstant(_ name: String) throws(ChangeRecordError) -> Instant? {
        guard let value = json[name], value != .null else { return nil }
        return try instant(name)
    }

    func digest(_ name: String) throws(ChangeRecordError) -> Digest {
        guard let digest = Digest(parsing: try text(name)) else { throw ChangeRecordError(member: name) }
        return digest
    }

    /// The members that stand after `name`, in their order.
    func members(after name: String) -> [JSON.Member] {
        Array((json.members ?? []).drop { !$0.name.utf8.elementsEqual(name.utf8) }.dropFirst())
    }

    func claim(_ name: String) -> ClaimedText? {
        guard let claim = json[name], let text = claim["text"]?.string,
            let source = claim["source"]?.string.flatMap(ClaimedText.Source.init(rawValue:))
        else { return nil }
        return ClaimedText(text, source: source)
    }

    func agent(_ name: String) throws(ChangeRecordError) -> AgentName {
        try named(name, AgentName.init(parsing:))
    }

    func session(_ name: String) throws(ChangeRecordError) -> SessionID {
        try named(name, SessionID.init(parsing:))
    }

    func approvalID(_ name: String) throws(ChangeRecordError) -> ApprovalID {
        try named(name, ApprovalID.init(parsing:))
    }

    func grantID(_ name: String) throws(ChangeRecordError) -> GrantID {
        try named(name, GrantID.init(parsing:))
    }

    func approver(_ name: String) throws(ChangeRecordError) -> ApproverName {
        try named(name, ApproverName.init(parsing:))
    }

    func statements(_ name: String) throws(ChangeRecordError) -> [StatementID] {
        var ids: [StatementID] = []
        for text in try texts(name) {
            guard let slash = text.lastIndex(of: "/") else { throw ChangeRecordError(member: name) }
            ids.append(
                StatementID(document: String(text[..<slash]), sid: String(text[text.index(after: slash)...])))
        }
        return ids
    }

    func pairs(_ name: String) throws(ChangeRecordError) -> [Pair] {
        guard let elements = json[name]?.array else { throw ChangeRecordError(member: name) }
        var pairs: [Pair] = []
        for element in elements {
            let record = Record(json: element)
            let action = try record.text("action").split(separator: ":", maxSplits: 1)
            let level = try record.text("level")
            let sensitivity = try record.text("sensitivity")
            guard action.count == 2,
                let level = AccessLevel.allCases.first(where: { $0.description == level }),
                let sensitivity = Sensitivity.allCases.last(where: { $0.description == sensitivity }),
                let resource = Resource(recorded: element)
            else { throw ChangeRecordError(member: name) }
            pairs.append(
                Pair(
                    action: Action(prefix: String(action[0]), name: String(action[1])),
                    resource: resource, level: level, sensitivity: sensitivity))
        }
        return pairs
    }

    private func named<Name>(_ name: String, _ parse: (String) throws(NameError) -> Name)
        throws(ChangeRecordError) -> Name
    {
        do { return try parse(try text(name)) } catch { throw ChangeRecordError(member: name) }
    }
}

extension Resource {
    /// The resource of a recorded pair. One written before `parts` were is read for showing: `<unknown>`
    /// becomes an unknown run.
    fileprivate init?(recorded pair: JSON) {
        guard let text = pair["resource"]?.string else { return nil }
        let mark = "<unknown>"
        guard pair["parts"] == nil, text.contains(mark) else {
            self.init(text, recorded: pair)
            return
        }
        let known = text.split(separator: mark, omittingEmptySubsequences: false)
        self.init(Array(known.map { [Part.known(String($0))] }.joined(separator: [.unknown])))
    }
}
