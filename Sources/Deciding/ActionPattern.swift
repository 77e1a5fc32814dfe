import Recognizing
import Vocabulary

/// The IAM actions that exist, by service prefix: what action patterns are checked against when a set is
/// loaded.
///
/// Deciding holds no catalog of its own; Gateway hands this in.
package struct ActionNames: Sendable {
    /// Every prefix, lower case: `s3`.
    let prefixes: [String]
    /// Whether there is an action of that name, in any case.
    let contains: @Sendable (_ prefix: String, _ name: String) -> Bool
    /// The action names of one prefix, as AWS spells them; empty for a prefix that does not exist.
    let names: @Sendable (_ prefix: String) -> [String]

    /// The actions of `table`: names by prefix.
    package init(_ table: [String: [String]]) {
        prefixes = table.keys.sorted()
        names = { table[$0] ?? [] }
        contains = { prefix, name in
            let folded = name.asciiLowercased
            return table[prefix]?.contains { $0.asciiLowercased.utf8.elementsEqual(folded.utf8) } ?? false
        }
    }

    /// The actions that `catalog` lists.
    package init(_ catalog: Catalog) {
        prefixes = catalog.actionPrefixes
        names = { prefix in catalog.listedActions(prefix: prefix).map(\.action.name) }
        contains = { prefix, name in catalog.isKnownAction(prefix: prefix, name: name) }
    }
}

/// The action patterns of a set, each looked up among the actions once: many statements have the same.
final class ActionPatterns {
    let names: ActionNames
    private var read: [ExactText: ActionPattern] = [:]
    /// The actions of the services that patterns with wildcards were looked up in.
    private var listed: [ExactText: [String]] = [:]

    init(_ names: ActionNames) { self.names = names }

    /// The action names of `prefix`, listed once.
    fileprivate func names(of prefix: String) -> [String] {
        if let known = listed[ExactText(prefix)] { return known }
        let found = names.names(prefix)
        listed[ExactText(prefix)] = found
        return found
    }

    /// The pattern `text`.
    ///
    /// - Throws: what is wrong with it, as ``ActionPattern/init(parsing:in:)``.
    func pattern(_ text: String) throws(PatternFault) -> ActionPattern {
        if let known = read[ExactText(text)] { return known }
        let pattern = try ActionPattern(parsing: text, in: self)
        read[ExactText(text)] = pattern
        return pattern
    }
}

/// One pattern of a statement's `Action` or `NotAction`, compared without regard to case.
///
/// A class, since many statements of a set have the same one.
final class ActionPattern: Hashable, Sendable {
    /// As the file has it.
    let text: String
    /// The service, lower case; nil for `*`, every action of every service.
    let prefix: String?
    let name: Pattern
    /// The action in lower case when the pattern names exactly one.
    let literal: String?

    /// The pattern `text`: `*`, or `service:Name` with wildcards in the name alone.
    ///
    /// - Throws: what is wrong with it, with the nearest name when it matches none of the actions.
    init(parsing text: String, in actions: ActionPatterns) throws(PatternFault) {
        self.text = text
        if text.utf8.elementsEqual("*".utf8) || text.utf8.elementsEqual("*:*".utf8) {
            (prefix, name, literal) = (nil, .everything, nil)
            return
        }
        let split = text.utf8.split(separator: 0x3A, omittingEmptySubsequences: false)
        guard split.count == 2, !split[0].isEmpty, !split[1].isEmpty else {
            throw PatternFault("an action is written `service:Name`, or `*` for all")
        }
        let service = (String(split[0]) ?? "").asciiLowercased
        guard !service.utf8.contains(where: { $0 == 0x2A || $0 == 0x3F }) else {
            throw PatternFault("the service of an action must be named, without a wildcard")
        }
        let nameText = String(split[1]) ?? ""
        let name = Pattern(Substring(nameText), foldsCase: true)
        self.prefix = service
        self.name = name
        literal = name.isLiteral ? nameText.asciiLowercased : nil
        if name.isLiteral, actions.names.contains(service, nameText) { return }
        let names = actions.names(of: service)
        guard !names.isEmpty else {
            throw PatternFault(
                "no IAM service has the prefix `\(shown(service))`" + hint(service, actions.names.prefixes))
        }
        guard names.contains(where: { name.matches($0) }) else {
            throw PatternFault("no IAM action matches" + hint(text, names.map { "\(service):\($0)" }))
        }
    }

    static func == (left: ActionPattern, right: ActionPattern) -> Bool {
        left === right || left.text.hasBytes(of: right.text)
    }

    func hash(into hasher: inout Hasher) { hasher.combine(exactly: text) }

    /// Whether the pattern matches `action`.
    func matches(_ action: Action) -> Bool {
        guard let prefix else { return true }
        guard prefix.hasBytes(of: action.prefix) else { return false }
        if let literal { return literal.utf8.elementsEqual(action.name.utf8) { $0 == $1.lowercased } }
        return name.matches(action.name)
    }

    /// Whether the pattern names `action` and nothing else.
    func names(_ action: Action) -> Bool { literal != nil && matches(action) }
}

/// `: did you mean …?` with the one of `names` that is nearest to `text`, if any is near.
func hint(_ text: String, _ names: [String]) -> String {
    let wanted = Array(text.asciiLowercased.utf8.prefix(128))
    var best: (name: String, distance: Int)?
    for name in names {
        let candidate = Array(name.asciiLowercased.utf8.prefix(128))
        let limit = min(max(1, wanted.count / 3), best.map { $0.distance - 1 } ?? .max)
        guard abs(candidate.count - wanted.count) <= limit else { continue }
        let distance = editDistance(wanted, candidate)
        if distance <= limit { best = (name, distance) }
    }
    return best.map { ": did you mean `\(shown($0.name))`?" } ?? ""
}

/// How many single characters must be put in, taken out, changed, or swapped with their neighbor.
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for (row, byte) in left.enumerated() {
        var current = [row + 1]
        for (column, other) in right.enumerated() {
            var cost = min(last[column + 1] + 1, current[column] + 1, last[column] + (byte == other ? 0 : 1))
            if row > 0, column > 0, byte == right[column - 1], left[row - 1] == other {
                cost = min(cost, beforeLast[column - 1] + 1)
            }
            current.append(cost)
        }
        (beforeLast, last) = (last, current)
    }
    return last[right.count]
}
