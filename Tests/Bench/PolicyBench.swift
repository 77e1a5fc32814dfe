import Deciding
import Glibc
import Hashing
import Recognizing
import Vocabulary

// What a decision costs among 10,000 statements of 200 teams, beside a scan of all of them that must say the
// same; what loading the set costs, and what memory it takes.

/// A call of pairs that were never sent.
private func call(of pairs: [Pair], by agent: String) throws -> (meaning: Meaning, caller: Caller) {
    let caller = Caller(
        agent: try AgentName(parsing: agent), session: SessionID(random: 1), strength: .listener, task: nil,
        reason: nil, scope: nil)
    let first = pairs[0].action
    let meaning = Meaning(
        service: first.prefix, operation: first.name, wireProtocol: .restXML, account: "111122223333",
        region: "us-east-1", pairs: pairs, parameters: .object([]), digest: sha256("bench"))
    return (meaning, caller)
}

private func deletes(_ count: Int, bucket: (Int) -> String) -> [Pair] {
    (0..<count).map {
        Pair(
            action: Action(prefix: "s3", name: "DeleteObject"),
            resource: Resource("arn:aws:s3:::\(bucket($0))/logs/2026/11/25/part-\($0).gz"), level: .write,
            sensitivity: .data)
    }
}

/// Resident memory of this process in KB, as the kernel counts it.
private func residentKilobytes() -> Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 128)
    guard fgets(&line, 128, file) != nil else { return 0 }
    let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)
    return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4
}

/// Prints what each decision costs whose name begins with `wanted`. `measure` runs a body a number of times
/// and says what one run takes, in nanoseconds.
func benchPolicy(
    at now: Instant, wanted: String, _ measure: (String, Int, Int, () throws -> Int) throws -> Int?
) throws {
    let folder = PolicyFolder(statementCount: 10_000)
    let byteCount = folder.files.reduce(0) { $0 + $1.bytes.count }
    let before = residentKilobytes()
    let set = try PolicySet.load(files: folder.files, actions: ActionNames(.builtIn))
    print(
        "policy: \(set.statements.count) statements, \(byteCount) B in \(folder.files.count) files: "
            + "\(residentKilobytes() - before) KB more memory")
    _ = try measure("policy: reading and indexing them", 1, 1) {
        try PolicySet.load(files: folder.files, actions: ActionNames(.builtIn)).statements.count
    }
    let scanned = set.unindexed
    let grants = GrantBook()
    func say(_ call: SupposedCall, _ set: PolicySet) -> Decision {
        decide(call.meaning, caller: call.caller, under: set, grants: grants, at: now)
    }
    for (name, calls) in try suppositions(folder) where "policy: \(name)".hasPrefix(wanted) {
        for call in calls where say(call, set) != say(call, scanned) {
            print("policy: \(name): the index and the scan differ on \(call.meaning.pairs)")
            exit(1)
        }
        var counts: [String: Int] = [:]
        for call in calls { counts[String(say(call, set).word.prefix { $0 != " " }), default: 0] += 1 }
        let says = counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        func all(_ set: PolicySet) -> Int {
            calls.reduce(0) { sum, call in if case .deny = say(call, set) { sum + 1 } else { sum + 2 } }
        }
        let title = "policy: \(name) (\(says))"
        let indexed = try measure(title, max(1, 20_000 / calls.count), calls.count) { all(set) }
        let whole = try measure("\(title), scanned", 1, calls.count) { all(scanned) }
        if let indexed, let whole { print("  the index takes 1 / \(whole / max(1, indexed)) of the scan") }
    }
}

private typealias SupposedCall = (meaning: Meaning, caller: Caller)

/// What is asked, by name. Calls of one pair and calls of a hundred.
private func suppositions(_ folder: PolicyFolder) throws -> [(String, [SupposedCall])] {
    let some = folder.targets.enumerated().filter { $0.offset.isMultiple(of: 10) }.map(\.element)
    return [
        ("a pair that a statement is about", try some.map { try call(of: [$0.pair], by: $0.agent) }),
        (
            "a pair, by an agent of whom nothing is said",
            try some.map { try call(of: [$0.pair], by: "nobody") }
        ),
        (
            "a pair whose resource's name is unknown",
            try some.map {
                let known = $0.pair.resource.description.prefix { $0 != "/" }
                let resource = Resource([.known(String(known)), .unknown])
                let pair = Pair(
                    action: $0.pair.action, resource: resource, level: $0.pair.level, sensitivity: .data)
                return try call(of: [pair], by: $0.agent)
            }
        ),
        ("100 objects of one bucket", [try call(of: deletes(100) { _ in "lake-7" }, by: "lake-a")]),
        ("100 objects of 100 buckets", [try call(of: deletes(100) { "lake-\($0)" }, by: "lake-a")]),
        (
            "100 pairs, each of another action",
            [try call(of: some.prefix(100).map(\.pair), by: some[0].agent)]
        ),
    ]
}
