import Recognizing
import Testing
import Vocabulary

@testable import Deciding

/// One line of a `cases.yaml`: a call, in the words of IAM, and what the policies beside it say of it.
///
/// Access level, sensitivity and whether the reply holds credentials come from the catalog, by the operation
/// of the action's name or the one that `Operation` names.
struct PolicyCase: CustomStringConvertible {
    let agent: String
    let action: String
    let operation: String?
    let resource: String
    let keys: [(name: String, values: [String])]
    let task: String?
    let says: String

    var description: String { "\(agent) \(action) \(resource)" }

    /// The cases of the file `name`.
    static func read(_ file: PolicyFile) throws -> [PolicyCase] {
        var issues = IssueList()
        let root: Node
        do { root = try readDocument(named: file.name, file.bytes) } catch {
            throw PolicyError(issues: [
                .init(file: file.name, line: error.place.line, column: 1, message: error.message)
            ])
        }
        let top = try #require(Fields(root, of: "the file", in: file.name, keys: ["Cases"], issues: &issues))
        let cases = elements(top["Cases"], of: "`Cases`", in: file.name, issues: &issues)
            .compactMap { read($0, in: file.name, issues: &issues) }
        if !issues.issues.isEmpty { throw PolicyError(issues: issues.issues) }
        return cases
    }

    private static func read(_ node: Node, in file: String, issues: inout IssueList) -> PolicyCase? {
        let keys = ["Agent", "Action", "Operation", "Resource", "Keys", "Task", "Says"]
        guard let fields = Fields(node, of: "a case", in: file, keys: keys, issues: &issues) else {
            return nil
        }
        var filled: [(name: String, values: [String])] = []
        if case .map(let entries)? = fields["Keys"]?.content {
            filled = entries.map { entry in
                if case .list(let elements) = entry.value.content, elements.isEmpty { return (entry.key, []) }
                return (
                    entry.key, Fields.texts(entry.value, of: "a key", in: file, issues: &issues).map(\.text)
                )
            }
        }
        return PolicyCase(
            agent: fields.text("Agent", issues: &issues)?.text ?? "local",
            action: fields.text("Action", issues: &issues)?.text ?? "",
            operation: fields.text("Operation", issues: &issues)?.text,
            resource: fields.text("Resource", issues: &issues)?.text ?? "*", keys: filled,
            task: fields.text("Task", issues: &issues)?.text,
            says: fields.text("Says", issues: &issues)?.text ?? "")
    }

    /// What `policy` says of the call, to `agent` or the case's own.
    func said(by policy: PolicySet, to agent: String? = nil) throws -> String {
        let facts = try self.facts()
        var keys = ConditionKeys()
        for (name, values) in self.keys { keys[name] = values.isEmpty ? .absent : .filled(values) }
        let meaning = try meaning(
            [pair(action, named, facts.level, facts.sensitivity)], keys: keys, vends: facts.vends)
        return decide(
            meaning, caller: try caller(agent ?? self.agent, task: task), under: policy, grants: GrantBook(),
            at: noon
        ).word
    }

    /// The resource, with `<unknown>` for what the request does not say and `<six>` for a secret's ending.
    private var named: Resource {
        var parts: [Resource.Part] = []
        for run in resource.split(separator: "<", omittingEmptySubsequences: false) {
            let halves = run.split(separator: ">", maxSplits: 1, omittingEmptySubsequences: false)
            if halves.count == 2 {
                parts += [
                    halves[0] == "six" ? .unknownCharacters(count: 6) : .unknown, .known(String(halves[1])),
                ]
            } else {
                parts.append(.known(String(run)))
            }
        }
        return Resource(parts)
    }

    private func facts() throws -> (level: AccessLevel, sensitivity: Sensitivity, vends: Bool) {
        let named = pair(action, .star).action
        let listed = try #require(
            Catalog.builtIn.listedAction(prefix: named.prefix, name: named.name), "no IAM action \(action)")
        for service in Catalog.builtIn.services where service.iamPrefix == named.prefix {
            guard let found = service.operation(named: operation ?? named.name) else { continue }
            let own = found.actions.first { $0.action == named }
            return (listed.level, own?.sensitivity ?? found.sensitivity, found.vendsCredentials)
        }
        return (listed.level, .unrated, false)
    }
}
