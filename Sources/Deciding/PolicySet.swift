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
    private let index: StatementIndex

    init(digest: Digest, statements: [Statement], agents: AgentBook, approvers: ApproverBook) {
        self.digest = digest
        self.statements = statements
        self.agents = agents
        self.approvers = approvers
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

    /// The statement `id`; nil when the set has none.
    package subscript(id: StatementID) -> Statement? { statements.first { $0.id == id } }

    /// The statements that may match `action`: all that do are among them, in the order of their ids.
    func candidates(for action: Action) -> [Statement] { index.places(for: action).map { statements[$0] } }

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

/// Where to look for statements by action, so that a call does not meet every rule of a large set.
private struct StatementIndex: Sendable {
    /// By one action, `s3:getobject`; by a service for patterns; and those that any action may meet.
    private var byAction: [String: [Int]] = [:]
    private var byPrefix: [String: [Int]] = [:]
    private var others: [Int] = []

    init(_ statements: [Statement]) {
        for (place, statement) in statements.enumerated() {
            let actions = statement.scope.actions
            if statement.scope.exceptsActions || actions.contains(where: { $0.prefix == nil }) {
                others.append(place)
                continue
            }
            for prefix in Set(actions.compactMap { $0.literal == nil ? $0.prefix : nil }) {
                byPrefix[prefix, default: []].append(place)
            }
            for action in Set(
                actions.compactMap { action in action.literal.map { "\(action.prefix ?? ""):\($0)" } })
            {
                byAction[action, default: []].append(place)
            }
        }
    }

    func places(for action: Action) -> [Int] {
        let literal = byAction["\(action.prefix):\(action.name.asciiLowercased)"] ?? []
        let prefixed = byPrefix[action.prefix] ?? []
        if literal.isEmpty, prefixed.isEmpty { return others }
        return Set(literal + prefixed + others).sorted()
    }
}
