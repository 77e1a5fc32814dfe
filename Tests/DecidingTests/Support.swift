import Testing
import Vocabulary

@testable import Deciding
@testable import Recognizing

/// A few services' worth of action names: enough for the policies of these tests.
let knownActions = ActionNames([
    "s3": ["GetObject", "PutObject", "DeleteObject", "ListBucket", "DeleteBucket", "GetObjectVersion"],
    "dynamodb": ["GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "DeleteTable"],
    "iam": ["CreateAccessKey", "DeleteAccessKey", "PassRole", "CreateRole", "GetRole"],
    "sts": ["AssumeRole", "GetCallerIdentity", "GetSessionToken"],
    "secretsmanager": ["GetSecretValue", "ListSecrets"], "sqs": ["SendMessage"],
    "cloudtrail": ["StopLogging", "DeleteTrail"], "ec2": ["DescribeInstances"],
])

/// People for the policies of these tests: alice is in both groups.
let people = """
    Countersign: 1
    People:
      - {Name: alice, Uids: [1001]}
      - {Name: bob, Uids: [1002]}
      - {Name: carol, Uids: [1003, 1004]}
    Groups:
      oncall: [alice, bob]
      secops: [alice, carol]
    """

extension PolicyFile {
    init(_ name: String, _ text: String) { self.init(name: name, bytes: Array(text.utf8)) }
}

extension PolicySet {
    /// The set of one document `test` for all agents with `statements`, and the people above.
    static func of(_ statements: String, agents: String = "[\"*\"]") throws -> PolicySet {
        let indented = statements.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n")
        let text = "Countersign: 1\nId: test\nAgents: \(agents)\nStatement:\n\(indented)\n"
        return try load(
            files: [PolicyFile("test.yaml", text), PolicyFile("approvers.yaml", people)],
            actions: knownActions)
    }
}

/// The faults of a set that does not load, one line each; the test fails when it loads.
func faults(_ files: [PolicyFile], actions: ActionNames = knownActions) -> [String] {
    do {
        _ = try PolicySet.load(files: files, actions: actions)
        Issue.record("the set loads")
        return []
    } catch {
        return error.issues.map(\.description)
    }
}

func caller(_ agent: String = "support-7", session: UInt64 = 7, task: String? = "T-1") throws -> Caller {
    Caller(
        agent: try AgentName(parsing: agent), session: SessionID(random: session), strength: .listener,
        task: task.map { ClaimedText($0, source: .sessionToken) }, reason: nil, scope: nil)
}

func pair(
    _ action: String, _ resource: Resource, _ level: AccessLevel = .write,
    _ sensitivity: Sensitivity = .metadata
) -> Pair {
    let parts = action.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    let named = Action(prefix: parts.first ?? "", name: parts.dropFirst().joined(separator: ":"))
    return Pair(action: named, resource: resource, level: level, sensitivity: sensitivity)
}

func digest(_ byte: UInt8) throws -> Digest { try #require(Digest(bytes: Array(repeating: byte, count: 32))) }

func meaning(
    _ pairs: [Pair], keys: ConditionKeys = ConditionKeys(), vends: Bool = false, always: Bool = false,
    bar: SendingBar? = nil, items: Int = 1, digest byte: UInt8 = 1
) throws -> Meaning {
    Meaning(
        service: "dynamodb", operation: "DeleteItem", wireProtocol: .awsJSON10, account: "111122223333",
        region: "us-east-1", pairs: pairs, parameters: .object([]), keys: keys, vendsCredentials: vends,
        isAlwaysAnswered: always, bar: bar, itemCount: items, digest: try digest(byte))
}

/// 2026-11-22T08:31:00Z.
let noon = Instant(secondsSinceEpoch: 1_795_336_260)

let orders = "arn:aws:dynamodb:us-east-1:111122223333:table/orders"

extension PolicySet {
    /// What the set says of one pair, in a word: `allow test/Read`, `ask test/A test/B`, `deny test/No`,
    /// `deny byDefault`.
    func says(
        _ action: String, _ resource: Resource = Resource(orders), level: AccessLevel = .write,
        sensitivity: Sensitivity = .metadata, agent: String = "support-7",
        keys: ConditionKeys = ConditionKeys(),
        vends: Bool = false, task: String? = "T-1", items: Int = 1
    ) throws -> String {
        let meaning = try meaning(
            [pair(action, resource, level, sensitivity)], keys: keys, vends: vends, items: items)
        return decide(
            meaning, caller: try caller(agent, task: task), under: self, grants: GrantBook(), at: noon
        ).word
    }
}
