import Vocabulary

extension PolicyDraft {
    /// Stands where a human puts who is to be asked. No group can have that name, so that the draft does not
    /// load before.
    package static let placeholder = "NAME A GROUP"

    /// One statement of the draft.
    private struct Drafted {
        let sid: String
        let mode: Mode
        var asks: Bool { mode == .ask }
        let actions: [String]
        let resources: [String]
        let sum: Sum
        /// What a reader must know of it; it is then written as a comment, for a human to uncomment.
        let doubt: String?
        /// What is not as it should be, and does not make it a comment.
        let warning: String?
    }

    /// The draft as YAML, with everything that was not drafted in comments.
    ///
    /// `approvers` are the groups or people to ask; nil leaves the placeholder.
    package func text(approvers: [String]?) -> String {
        let drafted = drafted
        var lines = [
            "# Drafted by `countersign policy learn` from \(all.count == 0 ? "no call" : all.told).",
            "# A draft opens what was done and no more: read it before you load it.",
        ]
        if approvers == nil, drafted.contains(where: { $0.asks && $0.doubt == nil }) {
            lines.append("# It does not load yet: name a group of approvers.yaml for `\(Self.placeholder)`.")
        }
        lines += ["Countersign: 1", "Id: learned-\(identifier)", "Agents: [\(Self.quoted(agents))]"]
        let hasStatement = drafted.contains { $0.doubt == nil }
        lines.append(hasStatement ? "Statement:" : "Statement: []")
        for one in drafted { lines += Self.lines(of: one, approvers ?? [Self.placeholder]) }
        let untaught = untaughtLines
        if !untaught.isEmpty { lines += ["# Not drafted:"] + untaught }
        return lines.joined(separator: "\n")
    }

    /// The draft as one object: `policy`, as it would be loaded; `doubtful`, statements that a human must
    /// look at first; `not_drafted`.
    package func json(approvers: [String]?) -> JSON {
        func statement(_ one: Drafted) -> JSON {
            var members = [
                JSON.Member("Sid", .string(one.sid)),
                .init("Effect", .string(one.asks ? "AllowWithApproval" : "Allow")),
                .init("Action", .strings(one.actions)), .init("Resource", .strings(one.resources)),
            ]
            let conditions = one.mode.conditions
            if !conditions.isEmpty {
                members.append(
                    .init(
                        "Condition",
                        .object(
                            conditions.map { operation, key, value in
                                .init(operation, .object([.init(key, .string(value))]))
                            })))
            }
            if one.asks {
                members.append(
                    .init("Approval", ["Approvers": .strings(approvers ?? [Self.placeholder])]))
            }
            return .object(members)
        }
        let drafted = drafted
        let policy: JSON = [
            "Countersign": "1", "Id": .string("learned-\(identifier)"), "Agents": [.string(agents)],
            "Statement": .array(drafted.filter { $0.doubt == nil }.map(statement)),
        ]
        let doubtful = drafted.compactMap { one in
            one.doubt.map { ["why": .string($0), "statement": statement(one)] as JSON }
        }
        let others = rows.map { row, sum -> JSON in
            [
                "why": .string(row.why), "action": .string(row.action), "resource": .string(row.resource),
                "count": .integer(sum.count), "first": .string(sum.first.description),
                "last": .string(sum.last.description),
            ]
        }
        return [
            "calls": .integer(all.count), "policy": policy, "doubtful": .array(doubtful),
            "not_drafted": .array(others), "more_not_drafted": .integer(untoldUntaughtCount),
        ]
    }

    // MARK: - Statements

    /// Actions of one service and mode with the same resources make one statement.
    private var drafted: [Drafted] {
        struct Shape: Hashable {
            let prefix: String
            let mode: Mode
            let resources: [String]
            let doubt: String?
            let warning: String?
        }
        var byShape: [Shape: (actions: [String], sum: Sum)] = [:]
        for (use, one) in learned {
            let isExact = use.mode == .dataRead && one.shapes.count <= Self.dataCountMax
            let shape = Shape(
                prefix: use.action.prefix, mode: use.mode,
                resources: isExact ? one.shapes.exact : one.shapes.patterns,
                doubt: doubt(use.mode, one.shapes),
                warning: one.shapes.isCut ? "more resources than are kept: some are not covered" : nil)
            byShape[shape, default: ([], Sum())].actions.append(use.action.description)
            byShape[shape]?.sum.add(one.sum)
        }
        let sorted = byShape.sorted { left, right in
            let (one, other) = (left.key, right.key)
            if one.prefix != other.prefix { return one.prefix < other.prefix }
            if one.mode != other.mode { return one.mode.rawValue < other.mode.rawValue }
            return left.value.actions.sorted().joined() < right.value.actions.sorted().joined()
        }
        var count: [String: Int] = [:]
        return sorted.map { shape, found in
            let name = Self.sid(shape.prefix, shape.mode)
            count[name, default: 0] += 1
            let number = count[name] ?? 1
            return Drafted(
                sid: number == 1 ? name : "\(name)\(number)", mode: shape.mode,
                actions: found.actions.sorted(), resources: shape.resources, sum: found.sum,
                doubt: shape.doubt, warning: shape.warning)
        }
    }

    private func doubt(_ mode: Mode, _ shapes: ResourceShapes) -> String? {
        switch mode {
        case .read, .ask: nil
        case .dataRead:
            shapes.count <= Self.dataCountMax
                ? nil : "reads data, more of it than can be named one by one: uncomment if all of it is meant"
        case .credentialRead: "reads secrets: uncomment, or better let it ask"
        }
    }

    private static func sid(_ prefix: String, _ mode: Mode) -> String {
        let service = prefix.prefix(1).uppercased() + prefix.dropFirst()
        switch mode {
        case .read: return service + "Read"
        case .dataRead: return service + "ReadData"
        case .ask: return service + "Asks"
        case .credentialRead: return service + "ReadSecrets"
        }
    }

    // MARK: - Lines

    private static func lines(of one: Drafted, _ approvers: [String]) -> [String] {
        var lines = ["  # " + one.sum.told]
        for note in [one.doubt, one.warning].compactMap(\.self) { lines.append("  # " + note) }
        var body = ["- Sid: \(one.sid)", "  Effect: \(one.asks ? "AllowWithApproval" : "Allow")"]
        body += field("Action", one.actions.map { isPlainAction($0) ? $0 : quoted($0) })
        body += field("Resource", one.resources.map(quoted))
        let conditions = one.mode.conditions.map { operation, key, value in
            "\(operation): {\(key): \(quoted(value))}"
        }
        if !conditions.isEmpty { body.append("  Condition: {\(conditions.joined(separator: ", "))}") }
        if one.asks {
            body.append("  Approval: {Approvers: [\(approvers.map(quoted).joined(separator: ", "))]}")
        }
        return lines + body.map { (one.doubt == nil ? "  " : "  # ") + $0 }
    }

    private static func field(_ name: String, _ values: [String]) -> [String] {
        values.count == 1 ? ["  \(name): \(values[0])"] : ["  \(name):"] + values.map { "    - \($0)" }
    }

    private static func isPlainAction(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0.isAlphanumeric || $0 == 0x3A || $0 == 0x2D }
    }

    /// The text in double quotes, everything escaped that could end it or a line.
    private static func quoted(_ text: String) -> String { JSON.string(text).text }

    /// `support` of `support-*`, `all` of `*`.
    private var identifier: String {
        let words = agents.utf8.split { !$0.isAlphanumeric }.map { String(decoding: $0, as: UTF8.self) }
        return words.isEmpty ? "all" : words.joined(separator: "-")
    }

    private var rows: [(Untaught, Sum)] {
        untaught.sorted { left, right in
            let (one, other) = (left.key, right.key)
            if one.why != other.why { return one.why < other.why }
            return one.action == other.action ? one.resource < other.resource : one.action < other.action
        }
    }

    private var untaughtLines: [String] {
        var lines = rows.map { row, sum in
            "#   \(shown(row.why)): \(shown(row.action)) on \(shown(row.resource)), \(sum.told)"
        }
        if untoldUntaughtCount > 0 {
            lines.append("#   and \(untoldUntaughtCount) more calls of other kinds")
        }
        return lines
    }
}

extension PolicyDraft.Mode {
    /// What holds of the calls that were seen, and not of all calls of their actions: a HEAD of an object
    /// needs `s3:GetObject` and shows only metadata.
    fileprivate var conditions: [(operation: String, key: String, value: String)] {
        let reads = ("Bool", "countersign:Mutates", "false")
        switch self {
        case .read: return [("StringEquals", "countersign:Sensitivity", "metadata"), reads]
        case .dataRead, .credentialRead: return [reads]
        case .ask: return []
        }
    }
}
