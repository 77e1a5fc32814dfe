import Hashing
import Recognizing
import Vocabulary

/// One case of a file beside the policies: a call, in the words of IAM, and what the policies must say of it.
///
/// Access level, sensitivity and whether the reply holds credentials come from the catalog, by the operation
/// of the action's name or the one that `Operation` names.
package struct PolicyCase: Sendable, CustomStringConvertible {
    package let file: String
    package let line: Int
    package let agent: AgentName
    package let action: String
    package let resource: String
    /// `allow test/Read`, `ask test/A test/B`, `deny test/No`, `deny byDefault`.
    package let says: String
    let pair: Pair
    let keys: ConditionKeys
    let task: String?
    let at: Instant
    let facts: Facts
    /// What was sent before under the limits of statements, by their names.
    let used: [(statement: String, amount: Limit.Amount)]

    /// What the catalog says of the case's operation.
    struct Facts: Sendable {
        var vends = false
        var bar: SendingBar?
    }

    package var description: String { "\(agent): \(action) on \(resource)" }

    /// The moment of a case that states none.
    static let usualMoment = Instant(secondsSinceEpoch: 1_795_336_260)

    /// The cases of `file`, in its order.
    ///
    /// - Throws: ``PolicyError`` with every fault found.
    package static func read(_ file: PolicyFile, catalog: Catalog = .builtIn) throws(PolicyError)
        -> [PolicyCase]
    {
        var issues = IssueList()
        let root: Node
        do { root = try readDocument(named: file.name, file.bytes) } catch {
            issues.add(file.name, error.place, error.message)
            throw PolicyError(issues: issues.issues)
        }
        let top = Fields(root, of: "the file", in: file.name, keys: ["Cases"], issues: &issues)
        if let top, top["Cases"] == nil { issues.add(file.name, top.place, "`Cases` must be stated") }
        let reader = CaseReader(file: file.name, catalog: catalog)
        let cases = elements(top?["Cases"], of: "`Cases`", in: file.name, issues: &issues)
            .compactMap { reader.read($0, issues: &issues) }
        if !issues.issues.isEmpty { throw PolicyError(issues: issues.issues) }
        return cases
    }

    /// The counters that ``used`` states. A statement that `policy` does not have counts nothing: the case
    /// then finds no limit reached.
    private func book(of caller: Caller, under policy: PolicySet) -> LimitBook {
        var book = LimitBook()
        for (name, amount) in used {
            for statement in policy.statements where statement.id.description.utf8.elementsEqual(name.utf8) {
                guard let limit = statement.limit else { continue }
                _ = book.restore(
                    amount, of: statement.id, per: limit.per, agent: caller.agent,
                    session: limit.by == .session ? caller.session : nil, at: at)
            }
        }
        return book
    }

    /// What `policy` says of the call, to `agent` or to the case's own, with no grant at hand.
    package func decided(by policy: PolicySet, for agent: AgentName? = nil) -> Decision {
        let caller = Caller(
            agent: agent ?? self.agent, session: SessionID(random: 7), strength: .listener,
            task: task.map { ClaimedText($0, source: .sessionToken) }, reason: nil, scope: nil)
        return decide(
            Meaning.supposed([pair], keys: keys, vends: facts.vends, bar: facts.bar), caller: caller,
            under: policy, grants: GrantBook(), limits: book(of: caller, under: policy), at: at)
    }
}
