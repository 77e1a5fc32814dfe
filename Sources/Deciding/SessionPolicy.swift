import Hashing
import Recognizing
import Vocabulary

/// Why there is no session policy that says what is wanted.
package enum SessionPolicyError: Error, Sendable, Hashable {
    /// It has `count` characters, more than ``SessionPolicy/characterCountMax``.
    case tooLarge(count: Int)
    /// A resource that cannot be written so that AWS takes it literally.
    case unwritable(resource: String)
    /// The call names nothing that could be allowed.
    case noPairs
}

/// An inline IAM policy for a session of the gateway's role.
///
/// AWS lets the session do what both the role and this policy allow, so that AWS itself enforces what the
/// gate decided. It is never wider than what it is made of: a policy of pairs allows those and no others, one
/// of statements (``AgentPolicy``) no pair that their set does not allow that agent.
///
/// Every one also has the ``rider``.
package struct SessionPolicy: Hashable, Sendable {
    /// - SeeAlso: AWS STS, AssumeRole, parameter `Policy`: 1 to 2 048 characters of U+0020 to U+00FF.
    package static let characterCountMax = 2_048

    /// As AWS takes it: JSON in ASCII without white space.
    package let text: String
    /// SHA-256 of ``text``.
    package let digest: Digest

    /// What AWS's services may do in the session's name to carry out a call that they took from it: S3 that
    /// asks KMS for an object's key. A request that comes from us is never such a one, and the role's own
    /// policies still bind it.
    ///
    /// - SeeAlso: IAM User Guide, "Forward access sessions".
    static let rider = Boundary.Rule(
        denies: false, actions: ["*"], exceptsActions: false, resources: ["*"], exceptsResources: false,
        conditions: [.init(comparator: "Bool", key: "aws:ViaAWSService", values: ["true"])])

    /// The policy that allows the actions of `pairs`, each on its own resource, and nothing else: what a
    /// grant covers, or one call.
    ///
    /// What the request leaves unknown of a resource is any text, as it was when the pair was judged.
    /// `isCompact` writes actions that begin alike as one pattern where IAM has no other such action.
    ///
    /// - Throws: ``SessionPolicyError``.
    package init(
        for pairs: [Pair], isCompact: Bool = false, catalog: Catalog = .builtIn
    ) throws(SessionPolicyError) {
        guard !pairs.isEmpty else { throw .noPairs }
        var rules: [Boundary.Rule] = []
        for pair in pairs {
            guard pair.action.isNamed else { throw .noPairs }
            rules.append(
                Boundary.Rule(
                    denies: false, actions: [pair.action.description], exceptsActions: false,
                    resources: try resourcePatterns(pair.resource), exceptsResources: false, conditions: []))
        }
        rules = Boundary.merged(rules)
        if isCompact {
            let prefixes = Set(pairs.map(\.action.prefix))
            let sharing = ActionSharing(FacetedAction.all(in: catalog, of: prefixes).map(\.action))
            for index in rules.indices {
                let wanted = pairs.map(\.action).filter { action in
                    rules[index].actions.contains { $0.utf8.elementsEqual(action.description.utf8) }
                }
                rules[index].actions = sharing.patterns(for: Set(wanted))
            }
        }
        try self.init(rules)
    }

    /// The policy of `rules` and the ``rider``.
    init(_ rules: [Boundary.Rule]) throws(SessionPolicyError) {
        let document = Boundary.document(of: rules + [Self.rider])
        text = asciiText(document)
        guard text.utf8.count <= Self.characterCountMax else { throw .tooLarge(count: text.utf8.count) }
        digest = sha256(text)
    }
}

/// The patterns that match what `resource` may be, and no more.
///
/// A `*`, `?` or `$` of a request's value is that character: a request value is never a pattern.
private func resourcePatterns(_ resource: Resource) throws(SessionPolicyError) -> [String] {
    // An action without resource types, and one whose resource the request does not name at all.
    if resource.parts == Resource.star.parts || resource.parts == [.unknown] { return ["*"] }
    let parts = resource.parts
    // By its name alone an IAM role may have any path, and a path ends with a slash.
    if resource.presumed != nil, parts.count == 3, case .known(let type) = parts[0], parts[1] == .unknown,
        case .known(let name) = parts[2], type.utf8.last == 0x2F
    {
        return [
            try resourcePattern(Resource([.known(type), .known(name)])),
            try resourcePattern(Resource([.known(type), .unknown, .known("/" + name)])),
        ]
    }
    return [try resourcePattern(resource)]
}

private func resourcePattern(_ resource: Resource) throws(SessionPolicyError) -> String {
    var (text, colonCount) = (String.UnicodeScalarView(), 0)
    for part in resource.parts {
        switch part {
        case .known(let known):
            for scalar in known.unicodeScalars {
                let isSpecial = scalar == "*" || scalar == "?" || scalar == "$"
                if scalar == ":" { colonCount += 1 }
                // Only the sixth part of an ARN may hold a variable, `${*}` too.
                guard colonCount >= 5 || !isSpecial else {
                    throw .unwritable(resource: resource.description)
                }
                if isSpecial { text += "${".unicodeScalars }
                text.append(scalar)
                if isSpecial { text += "}".unicodeScalars }
            }
        case .unknown:
            // Which service an ARN is of must be said.
            guard colonCount >= 3 else { throw .unwritable(resource: resource.description) }
            text.append("*")
        case .unknownCharacters(let count):
            guard colonCount >= 5 else { throw .unwritable(resource: resource.description) }
            text += String(repeating: "?", count: count).unicodeScalars
        }
    }
    guard colonCount >= 5, text.starts(with: "arn:".unicodeScalars) else {
        throw .unwritable(resource: resource.description)
    }
    return String(text)
}

/// `json` with every character beyond ASCII written as JSON's escape of it.
private func asciiText(_ json: JSON) -> String {
    var text = String.UnicodeScalarView()
    for scalar in json.text.unicodeScalars {
        guard !scalar.isASCII else {
            text.append(scalar)
            continue
        }
        for unit in String(scalar).utf16 {
            let digits = String(unit, radix: 16)
            text += ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).unicodeScalars
        }
    }
    return String(text)
}

/// Writes sets of actions as few patterns, that match no other action of the catalog.
struct ActionSharing {
    private let all: [String: [Name]]

    private struct Name {
        let action: Action
        /// The name in lower case.
        let bytes: [UInt8]
    }

    init(_ actions: [Action]) {
        all = Dictionary(
            grouping: actions.map { Name(action: $0, bytes: Array($0.name.asciiLowercased.utf8)) },
            by: \.action.prefix)
    }

    /// Patterns that match all of `wanted` and nothing else.
    func patterns(for wanted: Set<Action>) -> [String] {
        var patterns: [String] = []
        for (prefix, own) in Dictionary(grouping: wanted, by: \.prefix) {
            let known = all[prefix] ?? []
            let listed = Set(known.map(\.action))
            // One that the catalog does not list stands for itself.
            patterns += own.filter { !listed.contains($0) }.map(\.description)
            patterns += shared(known, from: 0, wanted)
        }
        return patterns.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// `names`, which begin with the same `count` characters: as one pattern if all are wanted.
    private func shared(_ names: [Name], from count: Int, _ wanted: Set<Action>) -> [String] {
        let kept = names.filter { wanted.contains($0.action) }
        guard let first = kept.first else { return [] }
        if names.count == 1 { return [first.action.description] }
        if kept.count == names.count {
            return [first.action.prefix + ":" + String(first.action.name.unicodeScalars.prefix(count)) + "*"]
        }
        let next = Dictionary(grouping: names) { $0.bytes.count > count ? $0.bytes[count] : 0 }
        return next.values.flatMap { shared($0, from: count + 1, wanted) }
    }
}
