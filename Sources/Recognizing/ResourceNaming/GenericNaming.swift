import Vocabulary

/// What naming found: the pairs of a call in order, without doubles, how many things it touches, and condition keys that it fills.
package struct NamedPairs: Hashable, Sendable {
    package var pairs: [Pair]
    package var itemCount: Int
    package var keys: ConditionKeys

    package init(pairs: [Pair], itemCount: Int = 1, keys: ConditionKeys = ConditionKeys()) {
        self.pairs = pairs
        self.itemCount = itemCount
        self.keys = keys
    }
}

/// The pairs of any operation by the catalog alone: each action that it needs, on the resources that its parameters fill.
///
/// A variable that no parameter fills is an unknown run; an ARN-valued parameter counts only if it fits the format of the resource type.
func genericPairs(_ facts: CallFacts) throws(RecognitionError) -> NamedPairs {
    var pairs: [Pair] = []
    for action in facts.model.actions {
        if let condition = action.condition, values(at: condition, in: facts.parameters).isEmpty { continue }
        for resource in resources(of: action, facts) {
            let pair = Pair(action: action.action, resource: resource, level: action.level, sensitivity: action.sensitivity)
            if !pairs.contains(pair) { pairs.append(pair) }
        }
    }
    return NamedPairs(pairs: pairs)
}

private func resources(of action: CatalogAction, _ facts: CallFacts) -> [Resource] {
    if action.isStar { return [.star] }
    let types = action.resources
    let required = types.filter(\.isRequired)
    var found: [Resource] = []
    for type in required.isEmpty ? types : required {
        let filled = fill(type, facts)
        // Of types none of which is required only those count that the request says something of.
        if required.isEmpty, filled.allSatisfy({ !$0.isKnown }) { continue }
        found += filled
    }
    if found.isEmpty, types.count == 1 { found = fill(types[0], facts) }
    return found.isEmpty ? [.unknown] : found
}

private func fill(_ type: CatalogResource, _ facts: CallFacts) -> [Resource] {
    if let path = type.arnPath {
        let texts = values(at: path, in: facts.parameters).compactMap(\.string)
        let arns = texts.filter { fits($0, type.arnFormat) }
        if !arns.isEmpty, arns.count == texts.count { return arns.map { Resource($0) } }
        if !texts.isEmpty, !type.arnMayBeName { return [.unknown] }
    }
    let lists = type.variables.map { variable in
        (variable.name, variable.path.map { values(at: $0, in: facts.parameters).compactMap(\.plainText) } ?? [])
    }
    // One list-valued variable makes several resources; two that would have to be paired are not guessed at.
    let long = lists.filter { $0.1.count > 1 }
    guard long.count <= 1 else { return [.unknown] }
    let count = long.first?.1.count ?? 1
    return (0..<count).map { index in
        Resource(parts(of: type.arnFormat) { name in
            switch name {
            case "Partition": return facts.partition
            case "Region": return facts.region
            case "Account": return facts.account
            default:
                guard let values = lists.first(where: { $0.0 == name })?.1, !values.isEmpty else { return nil }
                return values.count > 1 ? values[index] : values[0]
            }
        })
    }
}

/// The runs of `format` with each `${Name}` replaced by what `value` says, unknown where it says nothing.
private func parts(of format: String, value: (String) -> String?) -> [Resource.Part] {
    var parts: [Resource.Part] = []
    var rest = Substring(format)
    while let start = rest.firstRange(of: "${") {
        parts.append(.known(String(rest[..<start.lowerBound])))
        let after = rest[start.upperBound...]
        guard let end = after.firstIndex(of: "}") else { return [.unknown] }
        parts.append(value(String(after[..<end])).map { .known($0) } ?? .unknown)
        rest = after[after.index(after: end)...]
    }
    parts.append(.known(String(rest)))
    return parts
}

/// Whether `text` is an ARN of `format`: every literal of the format stands where it should, every variable holds something.
private func fits(_ text: String, _ format: String) -> Bool {
    let wanted = format.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
    let given = text.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
    guard wanted.count == 6, given.count == 6 else { return false }
    for (want, have) in zip(wanted.dropLast(), given.dropLast()) where !want.contains("${") {
        guard want.utf8.elementsEqual(have.utf8) else { return false }
    }
    let literals = parts(of: String(wanted[5])) { _ in nil }
    var rest = given[5].utf8[...]
    for (index, part) in literals.enumerated() {
        guard case .known(let literal) = part else { continue }
        if index == 0 {
            guard rest.starts(with: literal.utf8) else { return false }
            rest = rest.dropFirst(literal.utf8.count)
        } else {
            guard let found = Array(rest).firstRange(of: Array(literal.utf8)), found.lowerBound > 0 else { return false }
            rest = rest.dropFirst(found.upperBound)
        }
    }
    if case .unknown? = literals.last { return !rest.isEmpty }
    return rest.isEmpty
}

/// The values at `path` (`TableName`, `Entries[].Id`, `Map{}.Arn`) in `json`.
func values(at path: String, in json: JSON) -> [JSON] {
    var found = [json]
    for step in path.split(separator: ".") {
        var name = step
        var kind: Substring = ""
        if step.hasSuffix("[]") || step.hasSuffix("{}") {
            name = step.dropLast(2)
            kind = step.suffix(2)
        }
        found = found.compactMap { name.isEmpty ? $0 : $0[String(name)] }.filter { $0 != .null }
        switch kind {
        case "[]": found = found.flatMap { $0.array ?? [] }
        case "{}": found = found.flatMap { ($0.members ?? []).map(\.value) }
        default: break
        }
    }
    return found
}

extension JSON {
    /// The text of a string or number that is not empty.
    fileprivate var plainText: String? {
        switch self {
        case .string(let text): text.isEmpty ? nil : text
        case .number(let text): text
        case .null, .bool, .array, .object: nil
        }
    }
}
