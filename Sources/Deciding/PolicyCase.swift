import Hashing
import Recognizing
import Vocabulary

/// One case of a file beside the policies: a call, and what the policies must say of it.
package struct PolicyCase: Sendable, CustomStringConvertible {
    package let file: String
    package let line: Int
    package let agent: AgentName
    package let subject: Subject
    /// `allow test/Read`, `ask test/A test/B`, `deny test/No`, `deny byDefault`.
    package let says: String
    package let strength: IdentityStrength
    package let task: String?
    /// The host that the gate runs on; nil where it is not known.
    package let host: String?
    package let at: Instant
    /// What was sent before under the limits of statements, by their names.
    let used: [(statement: String, amount: Limit.Amount)]

    /// What is called.
    package enum Subject: Sendable {
        /// A pair in the words of IAM.
        case supposed(Supposed)
        /// What an `aws …` command line calls, by its words.
        case run([String], Place)
        /// What the raw HTTP request in a file beside the case's calls.
        case request(file: String, Place)

        /// Whose gate takes the call.
        package struct Place: Hashable, Sendable {
            /// 12 digits.
            package let account: String
            package let region: String
        }
    }

    /// A call that nobody makes, in the words of IAM.
    ///
    /// Access level, sensitivity and whether the reply holds credentials come from the catalog, by the
    /// operation of the action's name or the one that `Operation` names.
    package struct Supposed: Sendable {
        package let action: String
        package let resource: String
        let pair: Pair
        let keys: ConditionKeys
        let facts: Facts
    }

    /// What the catalog says of the case's operation.
    struct Facts: Sendable {
        var vends = false
        var bar: SendingBar?
    }

    package var description: String {
        switch subject {
        case .supposed(let one): "\(agent): \(one.action) on \(one.resource)"
        case .run(let words, _): "\(agent): \(words.joined(separator: " "))"
        case .request(let file, _): "\(agent): the request in \(file)"
        }
    }

    /// The call in the words of IAM; nil where it must be made to be known.
    package var supposed: Supposed? {
        guard case .supposed(let one) = subject else { return nil }
        return one
    }

    /// The moment of a case that states none.
    static let usualMoment = Instant(secondsSinceEpoch: 1_795_336_260)

    /// The account and region of a case that states none.
    static let usualPlace = Subject.Place(account: "111122223333", region: "us-east-1")

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
    package func book(of caller: Caller, under policy: PolicySet) -> LimitBook {
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

    /// What `policy` says of the supposed call, to `agent` or to the case's own, with no grant at hand; nil
    /// where the call must be made to be known.
    package func decided(by policy: PolicySet, for agent: AgentName? = nil) -> Decision? {
        guard let supposed else { return nil }
        let caller = Caller(
            agent: agent ?? self.agent, session: SessionID(random: 7), strength: strength,
            task: task.map { ClaimedText($0, source: .sessionToken) }, reason: nil, scope: nil)
        return decide(
            Meaning.supposed(
                [supposed.pair], keys: supposed.keys, vends: supposed.facts.vends, bar: supposed.facts.bar),
            caller: caller, under: policy, grants: GrantBook(), limits: book(of: caller, under: policy),
            host: host, at: at)
    }
}
