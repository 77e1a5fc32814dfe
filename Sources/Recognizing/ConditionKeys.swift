import Vocabulary

/// The condition keys that a request fills, names in lower case: `aws:requestedregion`.
///
/// What is said of a key may hold for some pairs only: AWS evaluates each action with its own keys, and EC2
/// each resource with the tags meant for it. For all other pairs the key is unknown.
package struct ConditionKeys: Hashable, Sendable {
    /// What is known of one key.
    package enum Value: Hashable, Sendable {
        case filled([String])
        /// The request is known not to carry it.
        case absent
        /// The sidecar cannot know it (`aws:ResourceTag/*` and the like).
        case unknown
    }

    /// The pairs that something is said of.
    package struct Scope: Hashable, Sendable {
        /// In lower case: `iam:passrole`.
        let actions: [String]
        /// How the sixth part of the resource begins: `instance/`; nil: any.
        var resource: String?

        func covers(_ pair: Pair) -> Bool {
            isOf(pair.action) && (resource.map { begins(pair.resource, with: $0) } ?? true)
        }

        func isOf(_ action: Action) -> Bool {
            let action = action.description.asciiLowercased
            return actions.contains { $0.utf8.elementsEqual(action.utf8) }
        }

        /// An unknown run in the first five parts holds no colon.
        private func begins(_ resource: Resource, with prefix: String) -> Bool {
            var colonCount = 0
            for part in resource.parts {
                guard case .known(let text) = part else {
                    if colonCount == 5 { return false }
                    continue
                }
                for (offset, byte) in text.utf8.enumerated() {
                    if colonCount == 5 { return text.utf8.dropFirst(offset).starts(with: prefix.utf8) }
                    if byte == 0x3A { colonCount += 1 }
                }
            }
            return false
        }
    }

    /// Which part of a pair's own ARN a key's value is.
    package enum ResourcePart: Hashable, Sendable {
        /// What follows this beginning of the ARN's sixth part, up to the next `/` or `:`.
        case id(after: String)
        /// All of it, if its sixth part begins so.
        case whole(of: String)

        /// Nil where the ARN is of another kind, or not known whole.
        func value(in resource: Resource) -> String? {
            guard let text = resource.text else { return nil }
            let parts = text.utf8.split(separator: 0x3A, maxSplits: 5, omittingEmptySubsequences: false)
            guard parts.count == 6 else { return nil }
            switch self {
            case .whole(let prefix): return parts[5].starts(with: prefix.utf8) ? text : nil
            case .id(let prefix):
                guard parts[5].starts(with: prefix.utf8) else { return nil }
                let id = parts[5].dropFirst(prefix.utf8.count).prefix { $0 != 0x2F && $0 != 0x3A }
                return id.isEmpty ? nil : String(decoding: id, as: UTF8.self)
            }
        }
    }

    struct OfResource: Hashable {
        let scope: Scope
        let part: ResourcePart
    }

    struct Said: Hashable {
        let scope: Scope
        let value: Value
    }

    struct Family: Hashable {
        let prefix: String
        let scope: Scope?
    }

    /// Of all pairs.
    private(set) var values: [String: Value] = [:]
    private(set) var said: [String: [Said]] = [:]
    /// Whose value each pair's own resource is.
    private(set) var ofResource: [String: [OfResource]] = [:]
    /// Of all pairs, unless something else is said.
    private(set) var absent = KeyNames([])
    /// Beginnings of names of which all are said: any other that begins so is absent.
    private(set) var families: [Family] = []

    /// What is known of every call; nil for keys that are not a call's yet.
    var gateway: GatewayKeys?

    package init() {}

    /// What is known of `name`, in any case, of all pairs; a name that nothing was said of is unknown.
    package subscript(name: String) -> Value {
        get {
            let name = name.asciiLowercased
            return gateway?[name] ?? values[name] ?? (isAbsent(name) { $0 == nil } ? .absent : .unknown)
        }
        set { values[name.asciiLowercased] = newValue }
    }

    /// What is known of `name`, in any case, for `pair`.
    package func value(of name: String, for pair: Pair) -> Value {
        let name = name.asciiLowercased
        if let value = gateway?[name] ?? values[name] { return value }
        if let one = said[name]?.first(where: { $0.scope.covers(pair) }) { return one.value }
        for one in ofResource[name] ?? [] where one.scope.isOf(pair.action) {
            if let value = one.part.value(in: pair.resource) { return .filled([value]) }
        }
        return isAbsent(name) { $0.map { $0.covers(pair) } ?? true } ? .absent : .unknown
    }

    /// Whether what is known of `name`, in lower case, depends on a pair's resource and not on its action
    /// alone.
    package func isOfResource(_ name: String) -> Bool {
        ofResource[name] != nil || said[name]?.contains { $0.scope.resource != nil } ?? false
            || families.contains { $0.scope?.resource != nil && name.utf8.starts(with: $0.prefix.utf8) }
    }

    /// The names something is known of, sorted.
    package var names: [String] {
        Set(Array(values.keys) + said.keys + ofResource.keys + absent.names + (gateway?.names ?? [])).sorted()
    }

    private func isAbsent(_ name: String, where isMeant: (Scope?) -> Bool) -> Bool {
        absent.names.contains(name) || isOfFamily(name, where: isMeant)
    }

    private func isOfFamily(_ name: String, where isMeant: (Scope?) -> Bool) -> Bool {
        families.contains { name.utf8.starts(with: $0.prefix.utf8) && isMeant($0.scope) }
    }
}

// MARK: - Saying

extension ConditionKeys {
    /// Whether something is said of `name`, of any pair.
    func isSaid(_ name: String) -> Bool {
        let name = name.asciiLowercased
        return isSaidOfSome(name) || absent.names.contains(name)
            || families.contains { $0.prefix.utf8.elementsEqual(name.utf8) }
    }

    /// Whether more is said of `name`, in lower case, than that it is absent or one of a family.
    func isSaidOfSome(_ name: String) -> Bool {
        values[name] != nil || said[name] != nil || ofResource[name] != nil
    }

    /// `value` is what is known of `name` for the pairs of `scope`; nil: of all.
    mutating func say(_ name: String, _ value: Value, of scope: Scope?) {
        guard let scope else {
            self[name] = value
            return
        }
        said[name.asciiLowercased, default: []].append(Said(scope: scope, value: value))
    }

    /// Of each pair of `scope`, `name` is that part of its resource, where the resource has it.
    mutating func say(_ name: String, _ part: ResourcePart, of scope: Scope) {
        ofResource[name.asciiLowercased, default: []].append(OfResource(scope: scope, part: part))
    }

    /// Of all pairs, each of `names`, in lower case, is absent unless something else is said of it.
    mutating func say(absent names: KeyNames) { absent = names }

    /// The keys that begin with `prefix` and go on with a name of `tags` have its value, all others are
    /// absent.
    ///
    /// AWS compares names of keys in any case. What names that differ in case only are worth depends on
    /// which of them it takes, and how it folds letters beyond ASCII is not documented: neither is said.
    mutating func say(family prefix: String, _ tags: [(name: String, value: String?)], of scope: Scope?) {
        let prefix = prefix.asciiLowercased
        var count: [String: Int] = [:]
        for tag in tags { count[tag.name.asciiLowercased, default: 0] += 1 }
        for tag in tags where tag.name.isASCII {
            let isPlain = count[tag.name.asciiLowercased] == 1
            let value: Value? = isPlain ? tag.value.map { .filled([$0]) } : nil
            say(prefix + tag.name, value ?? .unknown, of: scope)
        }
        guard tags.allSatisfy(\.name.isASCII) else { return }
        families.append(Family(prefix: prefix, scope: scope))
    }

    /// What both say alike.
    func agreed(with other: ConditionKeys) -> ConditionKeys {
        guard self != other else { return self }
        var both = ConditionKeys()
        both.values = values.filter { other.values[$0.key] == $0.value }
        both.said = said.filter { other.said[$0.key] == $0.value }
        both.ofResource = ofResource.filter { other.ofResource[$0.key] == $0.value }
        both.absent = KeyNames(
            absent.names.intersection(other.absent.names).filter { name in
                !isSaidOfSome(name) && !other.isSaidOfSome(name)
            })
        return both
    }
}

/// Names of condition keys in lower case, with their order: worked out once, since it is written with every
/// call.
struct KeyNames: Hashable, Sendable {
    let names: Set<String>
    /// By their bytes.
    let sorted: [String]

    init(_ names: Set<String>) {
        self.names = names
        sorted = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}

extension String {
    fileprivate var isASCII: Bool { utf8.allSatisfy { $0 < 0x80 } }
}
