import Vocabulary

/// What a record holds of the condition keys of a call, of all its pairs or of one.
///
/// A name that is neither here nor begins as one of the families is one that nothing is known of.
package struct RecordedKeys: Hashable, Sendable {
    /// One key and its values.
    package struct Key: Hashable, Sendable {
        /// In lower case.
        package let name: String
        /// Nil for one that is unknown where it would otherwise be taken for absent.
        package let values: [String]?

        /// `name` is in lower case.
        package init(name: String, values: [String]?) {
            (self.name, self.values) = (name, values)
        }
    }

    /// Each name once.
    package var keys: [Key]
    /// The names, in lower case, that the request is known not to carry.
    package var absent: [String]
    /// Beginnings of names, in lower case, of which ``keys`` holds all: any other that begins so is absent.
    package var families: [String]

    /// Nothing is known.
    package init(keys: [Key] = [], absent: [String] = [], families: [String] = []) {
        (self.keys, self.absent, self.families) = (keys, absent, families)
    }

    /// Whether nothing is known.
    package var isEmpty: Bool { keys.isEmpty && absent.isEmpty && families.isEmpty }

    fileprivate mutating func add(_ name: String, _ value: ConditionKeys.Value, isOfFamily: Bool) {
        switch value {
        case .filled(let values) where values.isEmpty: absent.append(name)
        case .filled(let values): keys.append(Key(name: name, values: values))
        case .absent: absent.append(name)
        case .unknown: if isOfFamily { keys.append(Key(name: name, values: nil)) }
        }
    }
}

extension Meaning {
    /// What is known of the condition keys of all of `pairs` alike, and what else of each of them, if
    /// anything.
    ///
    /// Without the keys that the way through the gateway fills, as far as they follow from the rest of the
    /// call: `aws:principalaccount` and `aws:requestedregion` are there when they are not ``account`` and
    /// ``region``, `aws:useragent` if `hasUserAgent`.
    package func recordedKeys(
        of pairs: [Pair], hasUserAgent: Bool
    ) -> (ofAll: RecordedKeys, ofEach: [RecordedKeys]) {
        var (all, each) = keys.recorded(of: pairs)
        guard let gateway = keys.gateway else { return (all, each) }
        if !(gateway.account ?? "").hasBytes(of: account) {
            all.keys.append(
                RecordedKeys.Key(name: "aws:principalaccount", values: gateway.account.map { [$0] }))
        }
        if !gateway.region.hasBytes(of: region) {
            all.keys.append(RecordedKeys.Key(name: "aws:requestedregion", values: [gateway.region]))
        }
        if hasUserAgent, let userAgent = gateway.userAgent {
            all.keys.append(RecordedKeys.Key(name: "aws:useragent", values: [userAgent]))
        }
        return (all, each)
    }
}

extension ConditionKeys {
    fileprivate func recorded(of pairs: [Pair]) -> (ofAll: RecordedKeys, ofEach: [RecordedKeys]) {
        var all = RecordedKeys()
        var each: [RecordedKeys] = []
        func ofEach(_ add: (Int, inout RecordedKeys) -> Void) {
            if each.isEmpty { each = [RecordedKeys](repeating: RecordedKeys(), count: pairs.count) }
            for index in pairs.indices { add(index, &each[index]) }
        }
        for family in families {
            let isMeant = pairs.map { family.scope?.covers($0) ?? true }
            if isMeant.allSatisfy({ $0 }) {
                all.families.append(family.prefix)
            } else {
                ofEach { if isMeant[$0] { $1.families.append(family.prefix) } }
            }
        }
        let names = saidNames()
        for name in names {
            let isOfFamily = families.contains { name.utf8.starts(with: $0.prefix.utf8) }
            if let value = values[name] {
                all.add(name, value, isOfFamily: isOfFamily)
                continue
            }
            let values = pairs.map { value(of: name, for: $0) }
            if let first = values.first, values.allSatisfy({ $0.hasBytes(of: first) }) {
                all.add(name, first, isOfFamily: isOfFamily)
            } else {
                ofEach { $1.add(name, values[$0], isOfFamily: isOfFamily) }
            }
        }
        let others = absent.sorted
        all.absent += names.isEmpty ? others : others.filter { !isSaidOfSome($0) }
        return (all, each)
    }

    /// The names that something more is said of than that they are absent, sorted, without the gateway's own.
    private func saidNames() -> [String] {
        var names = Array(values.keys)
        for name in said.keys where values[name] == nil { names.append(name) }
        for name in ofResource.keys where values[name] == nil && said[name] == nil { names.append(name) }
        if let gateway { names.removeAll { $0.utf8.first == 0x61 && gateway[$0] != nil } }
        if names.count > 1 { names.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) } }
        return names
    }

    /// The keys of one pair of a call as `recorded`, with those that the way through the gateway fills.
    ///
    /// `account` and `region` are where the call goes: the gateway's own account and the region that it signs
    /// for, unless `recorded` has others. An empty account is one that is not known.
    package init(
        _ recorded: RecordedKeys, account: String, region: String, wireProtocol: WireProtocol, itemCount: Int,
        bodyByteCount: Int
    ) {
        self.init()
        func text(_ name: String, else other: String?) -> String? {
            guard let key = recorded.keys.first(where: { $0.name.isSame(as: name) }) else { return other }
            return key.values?.first
        }
        for key in recorded.keys { self[key.name] = key.values.map { .filled($0) } ?? .unknown }
        for name in recorded.absent { self[name] = .absent }
        for family in recorded.families { say(family: family, [], of: nil) }
        gateway = GatewayKeys(
            account: text("aws:principalaccount", else: account.isEmpty ? nil : account),
            region: text("aws:requestedregion", else: nil) ?? region,
            userAgent: text("aws:useragent", else: nil), wireProtocol: wireProtocol, itemCount: itemCount,
            bodyByteCount: bodyByteCount)
    }
}

extension ConditionKeys.Value {
    /// Whether both say the same, texts compared by their bytes.
    fileprivate func hasBytes(of other: Self) -> Bool {
        switch (self, other) {
        case (.filled(let left), .filled(let right)):
            left.count == right.count && zip(left, right).allSatisfy { $0.hasBytes(of: $1) }
        case (.absent, .absent), (.unknown, .unknown): true
        case (.filled, _), (.absent, _), (.unknown, _): false
        }
    }
}
