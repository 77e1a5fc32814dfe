import Vocabulary

/// Fills the condition keys of a call that the catalog's rows say, after naming has said what it knows
/// better.
///
/// What a row does not read, such as a structure where a text should be, stays unknown: a key that is
/// wrongly filled or wrongly absent lifts a denial.
///
/// - SeeAlso: scripts/catalog.d/keying.py, which says what rows mean.
struct KeyFilling {
    let facts: CallFacts
    let pairs: [Pair]
    var keys: ConditionKeys

    init(facts: CallFacts, pairs: [Pair], keys: ConditionKeys) {
        (self.facts, self.pairs, self.keys) = (facts, pairs, keys)
    }

    /// Says of every key that the catalog knows a source of what the request says of it.
    mutating func fillAll() {
        if facts.service == "dynamodb" {
            fillLeadingKey()
            fillAttributes()
        }
        let fills = facts.model.keyFills
        guard !fills.isEmpty else { return }
        let actions = facts.model.actions.map(\.action)
        var asked: [Action] = []
        for pair in pairs where asked.last != pair.action && !asked.contains(pair.action) {
            asked.append(pair.action)
        }
        // The numbers that each has among the operation's actions.
        let numbers = asked.map { action in actions.indices.filter { actions[$0] == action } }
        for fill in fills where !fill.isComputed {
            let key = fill.key
            let family = family(of: key)
            if keys.isSaid(family ?? key) { continue }
            let isOfAll = numbers.allSatisfy { $0.contains(where: fill.isListed) }
            func scope(_ kind: String? = nil) -> ConditionKeys.Scope {
                let listed = actions.indices.filter(fill.isListed)
                return ConditionKeys.Scope(
                    actions: listed.map { actions[$0].description.asciiLowercased }, resource: kind)
            }
            let kinds = fill.kinds
            guard kinds.isEmpty else {
                for kind in kinds { say(key, family, fill.source, of: scope(kind)) }
                continue
            }
            if case .resource(let part) = fill.source {
                keys.say(key, part, of: scope())
            } else {
                say(key, family, fill.source, of: isOfAll ? nil : scope())
            }
        }
    }

    private mutating func say(
        _ key: String, _ family: String?, _ source: CatalogKeySource, of scope: ConditionKeys.Scope?
    ) {
        switch source {
        case .computed, .resource: return
        case .absent:
            if let family {
                keys.say(family: family, [], of: scope)
            } else {
                keys.say(key, .absent, of: scope)
            }
        case .region:
            if !facts.region.isEmpty { keys.say(key, .filled([facts.region]), of: scope) }
        case .literal(let text):
            // In other partitions some services' principals end otherwise.
            if facts.partition == "aws" || !text.ends(with: ".amazonaws.com") {
                keys.say(key, .filled([text]), of: scope)
            }
        case .member(let path):
            if let values = Self.values(of: path, in: facts.parameters) {
                keys.say(key, values.isEmpty ? .absent : .filled(values), of: scope)
            }
        case .memberIfAny(let text):
            if let values = Self.values(of: text, in: facts.parameters), !values.isEmpty {
                keys.say(key, .filled(values), of: scope)
            }
        case .tags(let text): sayTags(key, family, text, of: scope)
        case .account:
            if let account = facts.account { keys.say(key, .filled([account]), of: scope) }
        case .text(let text, let isElseAbsent):
            if let value = value(of: text) {
                keys.say(key, .filled([value]), of: scope)
            } else if isElseAbsent, members(of: text).allSatisfy({ isNothing(at: $0) }) {
                keys.say(key, .absent, of: scope)
            }
        case .absentUnless(let members):
            if members.allSatisfy({ isNothing(at: $0) }) { keys.say(key, .absent, of: scope) }
        }
    }

    // MARK: - Values

    /// The texts at `path`, whose steps end in `[]` for the elements of a list; none when nothing is there,
    /// nil when something is that is no text, number or truth value, or an element lacks the member.
    static func texts(at path: String, in json: JSON) -> [String]? {
        if !path.utf8.contains(where: { $0 == 0x2E || $0 == 0x5B }) {
            // Most paths are one member.
            guard json.members != nil else { return nil }
            switch json[path] {
            case nil, .null?: return []
            case let value?: return text(value).map { [$0] }
            }
        }
        var found = [json]
        var isInList = false
        for step in path.parts(by: 0x2E) {
            let isList = step.ends(with: "[]")
            let name = isList ? String(decoding: step.utf8.dropLast(2), as: UTF8.self) : step
            var next: [JSON] = []
            for value in found {
                guard value.members != nil else { return nil }
                guard let inner = value[name], inner != .null else {
                    if isInList { return nil }
                    continue
                }
                if !isList {
                    next.append(inner)
                } else if let all = inner.array {
                    next += all
                } else {
                    return nil
                }
            }
            found = next
            isInList = isInList || isList
        }
        var texts: [String] = []
        for value in found {
            guard let text = text(value) else { return nil }
            texts.append(text)
        }
        return texts.count <= pairCountMax ? texts : nil
    }

    /// The texts of `source`, a path and maybe the form that they must have and the members that must not be
    /// there (``CatalogKeySource/member(_:)``); nil when one has not, or one is.
    static func values(of source: String, in json: JSON) -> [String]? {
        if !source.utf8.contains(0x20) { return texts(at: source, in: json) }
        var words = source.parts(by: 0x20)
        if let unless = words.firstIndex(where: { $0.utf8.elementsEqual("unless".utf8) }) {
            guard words[(unless + 1)...].allSatisfy({ found(at: $0, in: json) == .null }) else { return nil }
            words.removeSubrange(unless...)
        }
        guard let texts = texts(at: words[0], in: json) else { return nil }
        guard words.count == 3, !texts.isEmpty else { return texts }
        return inForm(words[2], texts)
    }

    /// `texts` as AWS compares them, if they are all in the form of that name; else nil.
    private static func inForm(_ form: String, _ texts: [String]) -> [String]? {
        switch form {
        case "arn": return texts.allSatisfy { ARN(parsing: $0) != nil } ? texts : nil
        case "name": return texts.contains { $0.begins(with: "arn:") } ? nil : texts
        case "one": return Set(texts.map { Array($0.utf8) }).count == 1 ? [texts[0]] : nil
        case "key":
            // An alias may lead to another key tomorrow, and which one it is today is not said.
            let isKey = texts.allSatisfy { text in
                ARN(parsing: text).map { $0.service == "kms" && $0.resource.begins(with: "key/") } ?? false
            }
            return isKey ? texts : nil
        case _ where form.begins(with: "="):
            let wanted = form.utf8.dropFirst()
            return texts.allSatisfy { $0.utf8.elementsEqual(wanted) } ? texts : nil
        case "dns":
            let names = texts.map { text in
                String(
                    decoding: text.asciiLowercased.utf8.dropLast(text.ends(with: ".") ? 1 : 0), as: UTF8.self)
            }
            return names.allSatisfy { $0.isName(others: "-_.") } ? names : nil
        case "path":
            // A sign that escapes, or names a version or an access point, is not what AWS compares.
            let isPlain = texts.allSatisfy { text in
                !text.begins(with: "/") && !text.begins(with: "arn:")
                    && !text.utf8.contains { [0x25, 0x2B, 0x3F].contains($0) }
            }
            return isPlain ? texts : nil
        case "address":
            // With a name before it, or encoded words in it, it is not what AWS compares.
            let isPlain = texts.allSatisfy { text in
                let halves = text.parts(by: 0x40)
                return halves.count == 2
                    && halves.allSatisfy { !$0.isEmpty && $0.isName(others: "-_.+") }
            }
            return isPlain ? texts : nil
        // INVARIANT: the generator refuses every other form. Were one to come here, nothing is said.
        default: return nil
        }
    }

    /// A whole number as it is spelled, if there is one spelling of it. Whether a service takes an empty
    /// text for a value is its own affair.
    private static func text(_ value: JSON) -> String? {
        switch value {
        case .string(let text): text.isEmpty ? nil : text
        case .bool(let truth): truth ? "true" : "false"
        case .number(let text): Int64(text).flatMap { String($0) == text ? text : nil }
        case .null, .array, .object: nil
        }
    }

    private func isNothing(at path: String) -> Bool { Self.found(at: path, in: facts.parameters) == .null }

    /// `text` with what stands in braces replaced: a member's one text, or a part of the place. Nil when one
    /// is not there, or holds a sign that could be taken for one of the text's own.
    private func value(of text: String) -> String? {
        var value = ""
        for (number, part) in text.parts(by: 0x7B).enumerated() {
            let halves = number == 0 ? ["", part] : part.parts(by: 0x7D, maxSplits: 1)
            guard halves.count == 2, let inner = number == 0 ? "" : inserted(halves[0]) else { return nil }
            value += inner + halves[1]
        }
        return value
    }

    private func inserted(_ name: String) -> String? {
        switch name {
        case "partition": return facts.partition
        case "region": return facts.region.isEmpty ? nil : facts.region
        case "account": return facts.account
        default:
            guard let texts = Self.texts(at: name, in: facts.parameters), texts.count == 1,
                texts[0].isName(others: "-_. ")
            else { return nil }
            return texts[0]
        }
    }

    /// The members in the braces of `text`.
    private func members(of text: String) -> [String] {
        text.parts(by: 0x7B).dropFirst().map { $0.parts(by: 0x7D)[0] }.filter {
            !["partition", "region", "account"].contains($0)
        }
    }

    // MARK: - Tags

    private struct Tag {
        let name: String
        /// Nil when it is no text.
        let value: String?
    }

    private mutating func sayTags(
        _ key: String, _ family: String?, _ source: String, of scope: ConditionKeys.Scope?
    ) {
        let words = source.parts(by: 0x20)
        let parameters = Parameters(facts.parameters)
        for other in words.dropFirst(2) where parameters.has(other) { return }
        guard let found = Self.found(at: words[0], in: facts.parameters) else { return }
        if let specifications = Self.specifications(found) {
            // For the resources that are named in none of them nothing is said.
            let listed = scope?.actions ?? pairs.map { $0.action.description.asciiLowercased }
            for (type, tags) in specifications {
                say(key, family, tags, of: ConditionKeys.Scope(actions: listed, resource: type + "/"))
            }
        } else if let tags = Self.tags(found) {
            say(key, family, tags, of: scope)
        }
    }

    private mutating func say(_ key: String, _ family: String?, _ tags: [Tag], of scope: ConditionKeys.Scope?)
    {
        if let family {
            keys.say(family: family, tags.map { ($0.name, $0.value) }, of: scope)
        } else {
            keys.say(key, tags.isEmpty ? .absent : .filled(tags.map(\.name)), of: scope)
        }
    }

    /// The value at a path of structures; `.null` when nothing is there, nil when something else is on the
    /// way.
    private static func found(at path: String, in json: JSON) -> JSON? {
        var value = json
        for step in path.parts(by: 0x2E) {
            guard value.members != nil else { return value == .null ? .null : nil }
            value = value[step] ?? .null
        }
        return value
    }

    /// The tags of a map or of a list of keys and values; nil when it is neither.
    private static func tags(_ json: JSON) -> [Tag]? {
        if json == .null { return [] }
        if let text = json.string { return headerTags(text) }
        if let members = json.members { return members.map { Tag(name: $0.name, value: $0.value.string) } }
        guard let elements = json.array, elements.count <= pairCountMax else { return nil }
        var tags: [Tag] = []
        for element in elements {
            func member(_ names: [String]) -> JSON? {
                element.members?.first { names.contains($0.name.asciiLowercased) }?.value
            }
            guard let name = member(["key", "tagkey"])?.string else { return nil }
            tags.append(Tag(name: name, value: member(["value", "tagvalue"])?.string))
        }
        return tags
    }

    /// The tags of S3's header, `a=1&b=2`; nil when a sign is escaped.
    private static func headerTags(_ text: String) -> [Tag]? {
        guard !text.isEmpty, !text.utf8.contains(where: { $0 == 0x25 || $0 == 0x2B }) else { return nil }
        return text.parts(by: 0x26).map { pair in
            let halves = pair.parts(by: 0x3D, maxSplits: 1)
            return Tag(name: halves[0], value: halves.count == 2 ? halves[1] : nil)
        }
    }

    /// EC2's tag specifications by resource type; nil when it is no list of them. Of a type named twice
    /// nothing is said.
    private static func specifications(_ json: JSON) -> [(type: String, tags: [Tag])]? {
        guard let elements = json.array, let first = elements.first,
            first["Tags"] != nil || first["ResourceType"] != nil,
            first["Key"] == nil
        else { return nil }
        var found: [(type: String, tags: [Tag])] = []
        var seen: Set<String> = []
        for element in elements {
            guard let type = element["ResourceType"]?.string, let tags = tags(element["Tags"] ?? .null) else {
                continue
            }
            if seen.insert(type).inserted {
                found.append((type, tags))
            } else {
                found.removeAll { $0.type == type }
            }
        }
        return found
    }

    /// What stands before the part that a key leaves open: `aws:RequestTag/` of `aws:RequestTag/${TagKey}`.
    private func family(of key: String) -> String? {
        let bytes = key.utf8
        guard bytes.last == 0x7D || bytes.last == 0x3E,
            let open = bytes.firstIndex(where: { $0 == 0x24 || $0 == 0x3C })
        else { return nil }
        return String(decoding: bytes[..<open], as: UTF8.self)
    }
}
