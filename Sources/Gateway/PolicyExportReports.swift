import Deciding
import Vocabulary

/// What `countersign policy export` prints, and whether it fits.
package struct PolicyExportReport: Sendable {
    /// The policy, or the list of policies, for IAM.
    package let policy: String
    /// What it says otherwise than the set, and how large it is, one line each.
    package let notes: [String]
    /// All of it as one object.
    package let json: JSON
    package let fits: Bool
}

/// How large a policy may be where it is to go.
package enum PolicyRoom: String, CaseIterable, Sendable {
    case managed
    case inline
    case session

    /// Characters, white space not counted.
    ///
    /// - SeeAlso: IAM User Guide, "IAM and AWS STS quotas".
    package var limit: Int {
        switch self {
        case .managed: 6_144
        case .inline: 10_240
        case .session: 2_048
        }
    }
}

/// The permission boundary for the gateway's role under the policies of the folder `policies`.
///
/// `splits` makes several policies of what one cannot hold.
///
/// - Throws: ``ConfigurationError`` for policies that cannot be read, with every fault found.
package func exportBoundary(
    of policies: String, room: PolicyRoom, isCompact: Bool, splits: Bool
) throws(ConfigurationError) -> PolicyExportReport {
    let boundary = Boundary(
        for: try loadPolicies(policies), isCompact: isCompact, limit: splits ? .max : room.limit)
    let parts = splits ? boundary.parts(limit: room.limit) : nil
    let isWhole = boundary.size <= room.limit
    var notes = boundary.notes
    let size = "\(boundary.size) of \(room.limit) characters (\(room.rawValue))"
    switch (isWhole, parts) {
    case (true, _): notes.append(size)
    case (false, let parts?):
        notes.append(
            "\(size): split into \(parts.count) policies to attach to the role together; "
                + "a permission boundary is one policy, so this is none")
    case (false, nil):
        let ways = isCompact ? "--split" : "--compact or --split"
        notes.append("\(size): \(boundary.size - room.limit) too many; try \(ways), or fewer statements")
    }
    let split = isWhole ? nil : parts
    return PolicyExportReport(
        policy: split.map { indented(.array($0)) } ?? indented(boundary.document), notes: notes,
        json: [
            "policies": .array(split ?? [boundary.document]), "size": .integer(boundary.size),
            "limit": .integer(room.limit), "fits": .bool(isWhole), "notes": .strings(boundary.notes),
        ], fits: isWhole || split != nil)
}

/// `value` over several lines, one value of a list or member of an object each.
private func indented(_ value: JSON, by depth: Int = 0) -> String {
    let pad = String(repeating: "  ", count: depth + 1)
    let end = "\n" + String(repeating: "  ", count: depth)
    switch value {
    case .array(let elements) where !elements.isEmpty:
        return "[\n" + elements.map { pad + indented($0, by: depth + 1) }.joined(separator: ",\n") + end + "]"
    case .object(let members) where !members.isEmpty:
        return "{\n"
            + members.map { "\(pad)\(JSON.string($0.name).text): \(indented($0.value, by: depth + 1))" }
            .joined(separator: ",\n") + end + "}"
    case .null, .bool, .number, .string, .array, .object: return value.text
    }
}
