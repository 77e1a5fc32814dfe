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
    package let accounts: AccountBook
    /// Whether a statement has a `Limit`: a set without any asks no counters.
    let hasLimits: Bool
    /// Whether a statement asks for the gate's host.
    let asksHost: Bool
    /// Nil: every statement is tried on every pair.
    private(set) var index: StatementIndex?

    init(
        digest: Digest, statements: [Statement], agents: AgentBook, approvers: ApproverBook,
        accounts: AccountBook
    ) {
        self.digest = digest
        self.statements = statements
        self.agents = agents
        self.approvers = approvers
        self.accounts = accounts
        asksHost = statements.contains { statement in
            statement.scope.conditions.contains { $0.keys.contains(.own(.host)) }
                || statement.scope.resources.contains { $0.variables.contains(.own(.host)) }
        }
        hasLimits = statements.contains { $0.limit != nil }
        index = StatementIndex(statements)
    }

    /// The set that `files` make, whole or not at all. No file is the empty set, which denies everything.
    ///
    /// `agents.yaml`, `approvers.yaml` and `accounts.yaml` are the books; every other `.yaml`, `.yml` or
    /// `.json` is a policy. `actions` says which IAM actions exist.
    ///
    /// - Throws: ``PolicyError`` with everything found wrong.
    package static func load(files: [PolicyFile], actions: ActionNames) throws(PolicyError) -> PolicySet {
        var loader = PolicyLoader(actions: actions)
        return try loader.load(files.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) })
    }

    /// The same set with `statements` alone, sorted by id: to try what a few of them say.
    func only(_ statements: [Statement]) -> PolicySet {
        PolicySet(
            digest: digest, statements: statements, agents: agents, approvers: approvers, accounts: accounts)
    }

    /// The statement `id`; nil when the set has none.
    package subscript(id: StatementID) -> Statement? { statements.first { $0.id == id } }

    /// The places of the statements that may be about `pair`: all that are, are among them, in their order.
    func candidates(for pair: Pair) -> [Int] { index?.places(for: pair) ?? Array(statements.indices) }

    /// The same set, in which every statement is tried on every pair: what the index is measured beside.
    package var unindexed: PolicySet {
        var set = self
        set.index = nil
        return set
    }

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
