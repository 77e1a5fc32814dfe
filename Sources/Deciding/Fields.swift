import Vocabulary

/// The keys of one map of a file, all known, each read by name. What is wrong is added to the list of faults,
/// and reading goes on.
struct Fields {
    /// Text with the place it stands at.
    struct Text {
        let text: String
        let place: Place
    }

    let file: String
    let place: Place
    private let entries: [Node.Entry]

    /// The keys of `node`, which is `what` (`a statement`); nil when it is no map.
    ///
    /// Keys that are not among `keys` are faults; those of `later` are told to be not in this version.
    init?(
        _ node: Node, of what: String, in file: String, keys: [String], later: [String] = [],
        issues: inout IssueList
    ) {
        guard case .map(let entries) = node.content else {
            issues.add(file, node.place, "\(what) is a map of keys, not \(node.kind)", .wrongType)
            return nil
        }
        for index in entries.indices where !keys.contains(where: { $0.hasBytes(of: entries[index].key) }) {
            let entry = entries[index]
            let isLater = later.contains { $0.hasBytes(of: entry.key) }
            let fault =
                isLater
                ? "`\(entry.key)` is not in this version"
                : "\(what) has no key `\(shown(entry.key))`" + hint(entry.key, keys)
            issues.add(file, entry.place, fault, isLater ? .laterVersion : .unknownField)
        }
        (self.file, self.place, self.entries) = (file, node.place, entries)
    }

    /// The value of `key`; nil when the map does not have it.
    subscript(key: String) -> Node? { entry(key)?.value }

    /// The key and value of `key`; nil when the map does not have it.
    func entry(_ key: String) -> Node.Entry? {
        // By index: of an entry that is only looked at, no copy is made.
        entries.indices.first { entries[$0].key.hasBytes(of: key) }.map { entries[$0] }
    }

    /// The text of `key`; nil when it is not there, or not text, which is a fault.
    func text(_ key: String, issues: inout IssueList) -> Text? {
        guard let node = self[key] else { return nil }
        return Fields.text(node, of: "`\(key)`", in: file, issues: &issues)
    }

    /// One text or a list of texts, none empty; empty when not there, or when there is a fault.
    func texts(_ key: String, issues: inout IssueList) -> [Text] {
        guard let node = self[key] else { return [] }
        return Fields.texts(node, of: "`\(key)`", in: file, issues: &issues)
    }

    /// The text of `node`, the value of `what`; nil with a fault when it is none.
    static func text(
        _ node: Node, of what: @autoclosure () -> String, in file: String, issues: inout IssueList
    ) -> Text? {
        switch node.content {
        case .text(let text, _) where !text.isEmpty: return Text(text: text, place: node.place)
        case .text: issues.add(file, node.place, "\(what()) is empty", .wrongType)
        case .map(let entries) where entries.count == 1 && entries[0].value.kind == "nothing":
            issues.add(
                file, node.place, "`\(shown(entries[0].key)):` ends in a colon: put it in quotes", .wrongType)
        case .list, .map: issues.add(file, node.place, "\(what()) is text, not \(node.kind)", .wrongType)
        }
        return nil
    }

    /// The texts of `node`, one or a list of them; empty with a fault when it is neither. A quoted empty text
    /// is one where `mayBeEmpty`.
    static func texts(
        _ node: Node, of what: @autoclosure () -> String, in file: String, mayBeEmpty: Bool = false,
        issues: inout IssueList
    ) -> [Text] {
        func one(_ node: Node) -> Text? {
            if mayBeEmpty, case .text("", quoted: true) = node.content {
                return Text(text: "", place: node.place)
            }
            return text(node, of: what(), in: file, issues: &issues)
        }
        guard case .list(let elements) = node.content else { return one(node).map { [$0] } ?? [] }
        if elements.isEmpty { issues.add(file, node.place, "\(what()) is an empty list", .wrongType) }
        return elements.compactMap(one)
    }
}

/// The whole number that `text` spells in decimal, without sign or leading zeros, within `range`; nil for
/// anything else.
func wholeNumber(_ text: String, in range: ClosedRange<Int>) -> Int? {
    guard !text.isEmpty, text.utf8.allSatisfy(\.isDigit), text.utf8.count == 1 || text.utf8.first != 0x30,
        let value = Int(text), range.contains(value)
    else { return nil }
    return value
}

/// The duration that `text` spells: a whole number and `s`, `m`, `h` or `d`; nil for anything else.
package func duration(_ text: String) -> Duration? {
    let units: [UInt8: Int] = [0x73: 1, 0x6D: 60, 0x68: 3_600, 0x64: 86_400]
    guard let last = text.utf8.last, let unit = units[last],
        let count = wholeNumber(String(text.unicodeScalars.dropLast()), in: 0...1_000_000)
    else { return nil }
    return .seconds(count * unit)
}
