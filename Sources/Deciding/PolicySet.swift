import Hashing
import Vocabulary

/// One file of the policy folder, as Gateway read it.
package struct PolicyFile: Hashable, Sendable {
    /// Relative to the folder: `orders.yaml`.
    package let name: String
    package let bytes: [UInt8]

    package init(name: String, bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }

    /// Whether a file of the policy folder is part of the set by its name: one that ends in `.yaml`, `.yml`
    /// or `.json` and is not hidden.
    package static func isRead(_ name: String) -> Bool {
        let endings = [".yaml", ".yml", ".json"]
        return name.utf8.first != 0x2E
            && endings.contains { name.utf8.reversed().starts(with: $0.utf8.reversed()) }
    }
}

/// All statements of the policy folder, with its agents and approvers. Right by construction: only
/// ``load(files:actions:)`` makes one.
package struct PolicySet: Sendable {
    /// The most files, and the most statements over all of them.
    package static let (fileCountMax, statementCountMax) = (1_000, 20_000)

    /// SHA-256 over names and contents of all files, sorted by name.
    package let digest: Digest
    /// Sorted by id, so that the order of files and statements never matters.
    package let statements: [Statement]
    package let agents: AgentBook
    package let approvers: ApproverBook
    /// Whether a statement has a `Limit`: a set without any asks no counters.
    let hasLimits: Bool
    private let index: StatementIndex

    init(digest: Digest, statements: [Statement], agents: AgentBook, approvers: ApproverBook) {
        self.digest = digest
        self.statements = statements
        self.agents = agents
        self.approvers = approvers
        hasLimits = statements.contains { $0.limit != nil }
        index = StatementIndex(statements)
    }

    /// The set that `files` make, whole or not at all. No file is the empty set, which denies everything.
    ///
    /// `agents.yaml` and `approvers.yaml` are the books; every other `.yaml`, `.yml` or `.json` is a policy.
    /// `actions` says which IAM actions exist.
    ///
    /// - Throws: ``PolicyError`` with everything found wrong.
    package static func load(files: [PolicyFile], actions: ActionNames) throws(PolicyError) -> PolicySet {
        var loader = PolicyLoader(actions: actions)
        return try loader.load(files.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) })
    }

    /// The same set with `statements` alone, sorted by id: to try what a few of them say.
    func only(_ statements: [Statement]) -> PolicySet {
        PolicySet(digest: digest, statements: statements, agents: agents, approvers: approvers)
    }

    /// The statement `id`; nil when the set has none.
    package subscript(id: StatementID) -> Statement? { statements.first { $0.id == id } }

    /// The places of the statements that may match `pair`: all that do are among them, in the order of their
    /// ids.
    func candidates(for pair: Pair) -> [Int] { index.places(for: pair) }

    /// SHA-256 over the names and contents of `files`, in the order given.
    static func digest(of files: [PolicyFile]) -> Digest {
        var hasher = SHA256Hasher()
        for file in files {
            // Counts before texts: no two folders write the same bytes.
            hasher.update("\(file.name.utf8.count):\(file.bytes.count):".utf8)
            hasher.update(file.name.utf8)
            hasher.update(file.bytes)
        }
        return hasher.finish()
    }
}

/// Where to look for statements, so that a call does not meet every rule of a large set: by action, and among
/// those of one action by resource.
private struct StatementIndex: Sendable {
    /// Statements of one action or service.
    private struct Shelf: Sendable {
        /// Those whose every resource is spelled out, by each of them in lower case: a resource of another
        /// spelling cannot match them.
        var byResource: [String: [Int]] = [:]
        /// Those with a wildcard, a variable or `NotResource`.
        var open: [Int] = []
        var all: [Int] = []

        mutating func add(_ place: Int, _ scope: Statement.Scope) {
            all.append(place)
            let texts = scope.resources.map(\.text)
            guard !scope.exceptsResources, texts.allSatisfy(isSpelledOut) else { return open.append(place) }
            for text in Set(texts.map(\.asciiLowercased)) { byResource[text, default: []].append(place) }
        }

        /// `resource` in lower case; nil when parts of it are unknown, and any statement may be about it.
        func places(for resource: String?) -> [Int] {
            guard let resource else { return all }
            guard let named = byResource[resource] else { return open }
            return open.isEmpty ? named : (named + open).sorted()
        }
    }

    /// By one action, `s3:getobject`; by a service for patterns; and those that any action may meet.
    private var byAction: [String: Shelf] = [:]
    private var byPrefix: [String: Shelf] = [:]
    private var others = Shelf()

    init(_ statements: [Statement]) {
        for (place, statement) in statements.enumerated() {
            let scope = statement.scope
            if scope.exceptsActions || scope.actions.contains(where: { $0.prefix == nil }) {
                others.add(place, scope)
                continue
            }
            for prefix in Set(scope.actions.compactMap { $0.literal == nil ? $0.prefix : nil }) {
                byPrefix[prefix, default: Shelf()].add(place, scope)
            }
            for action in Set(
                scope.actions.compactMap { action in action.literal.map { "\(action.prefix ?? ""):\($0)" } })
            {
                byAction[action, default: Shelf()].add(place, scope)
            }
        }
    }

    func places(for pair: Pair) -> [Int] {
        let action = pair.action
        let resource = pair.resource.text?.asciiLowercased
        let literal = byAction["\(action.prefix):\(action.name.asciiLowercased)"]?.places(for: resource) ?? []
        let prefixed = byPrefix[action.prefix]?.places(for: resource) ?? []
        let wide = others.places(for: resource)
        if literal.isEmpty, prefixed.isEmpty { return wide }
        var places = (literal + prefixed + wide).sorted()
        // A statement with actions spelled out and patterns stands on two shelves.
        var kept = 1
        for place in places.dropFirst() where place != places[kept - 1] {
            places[kept] = place
            kept += 1
        }
        places.removeLast(places.count - kept)
        return places
    }
}

/// Whether the text of a resource pattern matches nothing but itself, but for the case of its letters.
private func isSpelledOut(_ text: String) -> Bool {
    !text.utf8.contains { $0 == 0x2A || $0 == 0x3F || $0 == 0x24 }
}
