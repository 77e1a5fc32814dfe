import Vocabulary

/// An IAM action as the Service Authorization Reference lists it.
package struct ListedAction: Sendable, Hashable {
    package let action: Action
    package let level: AccessLevel
}

/// IAM's vocabulary, for the policy files: every action there is, whether or not an operation of ours needs
/// it.
extension Catalog {
    /// Whether IAM knows the action, in any case.
    package func isKnownAction(prefix: String, name: String) -> Bool {
        listedAction(prefix: prefix, name: name) != nil
    }

    /// The action of that name, in any case, spelled as AWS does and with its access level.
    package func listedAction(prefix: String, name: String) -> ListedAction? {
        let (prefix, name) = (prefix.asciiLowercased, name.asciiLowercased)
        var hash = CatalogHash()
        hash.add(prefix.utf8)
        hash.add(":".utf8)
        hash.add(name.utf8)
        var found: ListedAction?
        file.probe(.actionIndex, hash: hash.value) { index in
            let record = file.record(.actions, index)
            if record.text(0).equalsIgnoringCase(name), prefixRecord(record).text(0).equals(prefix) {
                found = listed(record)
            }
            return found != nil
        }
        return found
    }

    /// Every IAM service prefix, sorted.
    package var actionPrefixes: [String] {
        (0..<file.count(of: .prefixes)).map { file.record(.prefixes, $0) }
            // A prefix that IAM does not have, of an operation that it does not list, has no actions.
            .filter { !$0.longList(3).isEmpty }.map { $0.text(0).string }
    }

    /// Every action of a prefix (any case), by name; empty for an unknown prefix.
    package func listedActions(prefix: String) -> [ListedAction] {
        let all = 0..<file.count(of: .prefixes)
        guard let number = file.search(.prefixes, in: all, for: prefix.asciiLowercased) else { return [] }
        return file.record(.prefixes, number).longList(3).map { listed(file.record(.actions, $0)) }
    }

    /// Every action that `pattern` matches: `s3:Get*`, `*`, `kms:?ecrypt`; `*` is any run, `?` any one
    /// character, any case.
    package func listedActions(matching pattern: String) -> [ListedAction] {
        let pattern = Array(pattern.asciiLowercased.utf8)
        let parts = pattern.split(separator: 0x3A, maxSplits: 1, omittingEmptySubsequences: false)
        let isPlainPrefix = parts.count == 2 && !parts[0].contains { $0 == 0x2A || $0 == 0x3F }
        let prefixes = isPlainPrefix ? [String(decoding: parts[0], as: UTF8.self)] : actionPrefixes
        return prefixes.flatMap { prefix in
            listedActions(prefix: prefix).filter { listed in
                matches(Array(listed.action.description.asciiLowercased.utf8), pattern: pattern)
            }
        }
    }

    /// Up to `count` actions spelled most like `text` (`prefix:Name`), nearest first: for "did you mean".
    /// Empty when nothing is near: more than a third of the letters differ.
    package func actionsNear(_ text: String, count: Int = 3) -> [Action] {
        let wanted = Array(text.asciiLowercased.utf8.prefix(200))
        let prefix = String(decoding: wanted.prefix { $0 != 0x3A }, as: UTF8.self)
        let own = listedActions(prefix: prefix)
        let pool = own.isEmpty ? actionPrefixes.flatMap { listedActions(prefix: $0) } : own
        let limit = max(1, wanted.count / 3)
        let near = pool.compactMap { listed -> (distance: Int, action: Action)? in
            let spelled = Array(listed.action.description.asciiLowercased.utf8)
            guard abs(spelled.count - wanted.count) <= limit else { return nil }
            let distance = editDistance(spelled, wanted)
            return distance <= limit ? (distance, listed.action) : nil
        }
        return near.sorted { ($0.distance, $0.action.description) < ($1.distance, $1.action.description) }
            .prefix(count).map(\.action)
    }

    /// Whether a service has that condition key, in any case: `s3:prefix`, `aws:RequestTag/team`. Of the
    /// global `aws:` keys only those that services list are here.
    package func isKnownConditionKey(_ key: String) -> Bool {
        let key = key.asciiLowercased
        let all = 0..<file.count(of: .conditionKeys)
        if file.search(.conditionKeys, in: all, for: key) != nil { return true }
        let bytes = Array(key.utf8)
        return all.contains { number in
            let known = file.record(.conditionKeys, number).text(0).string.utf8
            return known.contains(0x2A) && matches(bytes, pattern: Array(known))
        }
    }

    private func listed(_ record: CatalogRecord) -> ListedAction {
        ListedAction(
            action: Action(prefix: prefixRecord(record).text(0).string, name: record.text(0).string),
            level: AccessLevel(rawValue: file.record(.ratings, record.short(5)).byte(0)) ?? .unknown)
    }

    private func prefixRecord(_ action: CatalogRecord) -> CatalogRecord {
        file.record(.prefixes, action.short(3))
    }
}

/// Whether `text` is one that `pattern` means, in time linear in both but for a repeat at each `*`.
private func matches(_ text: [UInt8], pattern: [UInt8]) -> Bool {
    var (at, mark) = (0, 0)
    var (star, retry) = (-1, 0)
    while at < text.count {
        if mark < pattern.count, pattern[mark] == 0x2A {
            (star, retry) = (mark, at)
            mark += 1
        } else if mark < pattern.count, pattern[mark] == 0x3F || pattern[mark] == text[at] {
            at += 1
            mark += 1
        } else if star >= 0 {
            retry += 1
            (at, mark) = (retry, star + 1)
        } else {
            return false
        }
    }
    return pattern[mark...].allSatisfy { $0 == 0x2A }
}

/// How many letters must be put in, taken out or changed to make `right` of `left`.
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var row = Array(0...right.count)
    for (above, letter) in left.enumerated() {
        var corner = row[0]
        row[0] = above + 1
        for (index, other) in right.enumerated() {
            let next = min(row[index] + 1, row[index + 1] + 1, corner + (letter == other ? 0 : 1))
            corner = row[index + 1]
            row[index + 1] = next
        }
    }
    return row[right.count]
}
