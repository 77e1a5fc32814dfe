// What the core of one call costs, alone and in this process: a signature, a decision, a recognition; and
// what the catalog costs a start. Run by `scripts/bench`. Prints nanoseconds of this thread's CPU time: the
// median and the spread of seven repeats.

import Deciding
import Glibc
import Hashing
import Identifying
import Recognizing
import Recording
import SigV4
import Vocabulary

private func threadNanoseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// `countersign-bench recognition` measures only what begins so: for a profiler.
private let wanted = CommandLine.arguments.dropFirst().first

/// Runs `body` often enough to be measured, seven times, and prints what one run of it takes; of `perRun`
/// things that it does each time, what one takes.
@discardableResult
private func measure(
    _ name: String, count: Int = 20_000, perRun: Int = 1, byteCount: Int? = nil, _ body: () throws -> Int
) throws -> Int? {
    if let wanted, !name.hasPrefix(wanted) { return nil }
    var sink = 0
    for _ in 0..<(count / 10) { sink &+= try body() }
    var each: [Int] = []
    for _ in 0..<7 {
        let begun = threadNanoseconds()
        for _ in 0..<count { sink &+= try body() }
        each.append((threadNanoseconds() - begun) / (count * perRun))
    }
    each.sort()
    // The sum is used, so that nothing that was measured can be left out.
    let mark = sink == 0 ? " (nothing was done)" : ""
    let share = byteCount.map { ", \(each[3] * 10 / $0 / 10).\(each[3] * 10 / $0 % 10) ns a byte" } ?? ""
    print("\(name): \(each[3]) ns (\(each[0])-\(each[6]))\(share)\(mark)")
    return each[3]
}

private let account = "123456789012"
private let body = Array(
    (##"{"TableName": "orders", "Key": {"id": {"S": "o-91"}}, "ConsistentRead": true, "##
        + ##""ProjectionExpression": "#i, customer, #s, total, lines[0], lines[1], lines[2], lines[3]", "##
        + ##""ExpressionAttributeNames": {"#i": "id", "#s": "state"}, "ReturnConsumedCapacity": "NONE"}"##)
        .utf8)
private let fields = [
    HeaderField("Host", "127.0.0.1:8990"), HeaderField("Accept-Encoding", "identity"),
    HeaderField("X-Amz-Target", "DynamoDB_20120810.GetItem"),
    HeaderField("Content-Type", "application/x-amz-json-1.0"),
    HeaderField(
        "User-Agent",
        "aws-cli/2.27.0 md/awscrt#0.26.1 ua/2.1 os/linux#6.1 md/arch#x86_64 lang/python#3.13.2 "
            + "md/pyimpl#CPython"
    ),
    HeaderField("amz-sdk-invocation-id", "6a1f5e0c-9d4b-4f8e-8d0a-2f7b7e3c1a55"),
    HeaderField("amz-sdk-request", "attempt=1; max=5"), HeaderField("Content-Length", String(body.count)),
]
private let caller = Caller(
    agent: try AgentName(parsing: "support-7"), session: SessionID(random: 1), strength: .listener, task: nil,
    reason: nil, scope: nil)
private let now = Instant(secondsSinceEpoch: 1_795_338_723)

/// A set of `count` statements, each for a table and two actions of its own; the last is for the call's.
private func policies(_ count: Int) throws -> PolicySet {
    let perFile = 1_000
    let files = stride(from: 1, through: count, by: perFile).map { first in
        var text = "Countersign: 1\nId: bench-\(first)\nAgents: [\"support-*\"]\nStatement:\n"
        for number in first...min(first + perFile - 1, count) {
            let table = number == count ? "orders" : "table-\(number)"
            text += "  - Sid: S\(number)\n    Effect: Allow\n    Action: [dynamodb:GetItem, dynamodb:Query]\n"
            text += "    Resource: \"arn:aws:dynamodb:us-east-1:\(account):table/\(table)\"\n"
        }
        return PolicyFile(name: "bench-\(first).yaml", bytes: Array(text.utf8))
    }
    return try PolicySet.load(files: files, actions: ActionNames(.builtIn))
}

// One signature, as ``Signing/sign`` makes it: the body's hash, canonical request, string to sign, fields.
private let credentials = Credentials(
    accessKeyID: "AKIAGATEWAYKEY000001",
    secretKey: Secret(Array("bench/secret/of+the/gateway/Zk3v9Qw1Xy7".utf8)),
    sessionToken: nil, expiration: nil)
private let keys = SigningKeys()
private func signature(_ credentials: Credentials, host: String) -> HeaderSignature {
    let input = SigningInput(
        method: "POST", path: "/", query: "", pathRule: .normalized, authority: host,
        fields: Array(fields[1..<(fields.count - 1)]), payload: sha256(body), sendsPayloadHash: false,
        region: "us-east-1", service: "dynamodb")
    return signByHeaders(input, with: credentials, at: now, keys: keys)
}
let signing = try measure("signature: \(body.count) B body, \(fields.count - 2) fields") {
    signature(credentials, host: "dynamodb.us-east-1.amazonaws.com").fields.count
}

// The same call as an agent signs it with an issued key: what it costs to know whose it is.
private let issued: (ring: KeyRing, head: RequestHead) = try {
    guard let hostKey = HostKey(bytes: [UInt8](repeating: 7, count: 32)) else { preconditionFailure() }
    let identity = try IssuedIdentity(
        agent: caller.agent, session: caller.session, task: "JIRA-42", reason: "erase order o-91",
        owner: "mia@example.com", account: nil, role: nil, issued: now,
        expires: now.advanced(by: .seconds(28_800)))
    let keys = hostKey.issue(identity, id: IssuedKeyID(random: (1, 2)))
    let credentials = Credentials(
        accessKeyID: keys.accessKeyID, secretKey: keys.secretKey, sessionToken: keys.sessionToken,
        expiration: nil)
    let signed = signature(credentials, host: "127.0.0.1:8990").fields
    return (KeyRing(hostKey), RequestHead(method: "POST", target: "/", fields: [fields[0]] + signed))
}()
private var ring = issued.ring
private let listener = ListenerBinding(agent: caller.agent, session: caller.session)
let unsigned = try measure("identity: unsigned") {
    let head = RequestHead(method: "POST", target: "/", fields: fields)
    return try identify(head, at: listener, keys: &ring, now: now, wall: now).caller(
        sending: body, content: body, chunks: nil
    ).agent.text.utf8.count
}
let verifying = try measure("verify: issued key, \(body.count) B body, \(fields.count - 2) fields") {
    try identify(issued.head, at: listener, keys: &ring, now: now, wall: now).caller(
        sending: body, content: body, chunks: nil
    ).agent.text.utf8.count
}
if let signing, let unsigned, let verifying {
    let more = verifying - unsigned
    print("verify: \(more) ns more than an unsigned call, \(more * 100 / signing) % of the signature")
}

private let request = InboundRequest(
    head: RequestHead(method: "POST", target: "/", fields: fields), body: body)
private let setting = RecognitionSetting(account: account, region: "us-east-1")
try measure("recognition: GetItem") {
    try recognize(request, caller: caller, setting: setting).sealed.fields.count
}

/// The object that the CLI gets with `aws s3api get-object`.
private let objectRequest = InboundRequest(
    head: RequestHead(
        method: "GET", target: "/orders-bucket/2026/11/24/part-0007.gz?x-id=GetObject",
        fields: fields.filter { !["x-amz-target", "content-type", "content-length"].contains($0.name) } + [
            HeaderField("x-amz-checksum-mode", "ENABLED"),
            HeaderField(
                "x-amz-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ]), body: [])
try measure("recognition: S3 GetObject") {
    try recognize(objectRequest, caller: caller, setting: setting).sealed.fields.count
}

for (name, request) in [("GetItem", request), ("S3 GetObject", objectRequest)] {
    let meaning = try recognize(request, caller: caller, setting: setting).meaning
    func line() -> [UInt8] {
        JSON.object(keyMembers(meaning, pairs: meaning.pairs, saysUserAgent: true)).line
    }
    try measure("log: the condition keys of \(name), \(line().count) B") { line().count }
}

for batch in Batch.all {
    let byteCount = batch.request.body.count
    try measure(
        "batch: \(batch.name), \(byteCount) B", count: max(1, 2_000_000 / (byteCount + 2_000)),
        byteCount: byteCount
    ) {
        try recognize(batch.request, caller: caller, setting: setting).meaning.bodyByteCount
    }
}

/// A process that has touched nothing of the catalog yet prints how long it is until an operation of it is
/// found, and until the first call is recognized.
if wanted == "first-call" {
    let begun = threadNanoseconds()
    let found = Catalog.builtIn.operation(target: "DynamoDB_20120810.GetItem")
    let ready = threadNanoseconds()
    let call = try recognize(request, caller: caller, setting: setting)
    let recognized = threadNanoseconds()
    print(found.count == 1 && !call.sealed.fields.isEmpty ? "\(ready - begun) \(recognized - begun)" : "")
    exit(0)
}

/// Prints the median and the spread of what `count` fresh processes say.
private func measureFirstCalls(count: Int) throws {
    guard wanted.map({ "start".hasPrefix($0) }) ?? true else { return }
    var times: [[Int]] = []
    for _ in 0..<count {
        guard let child = popen("'\(CommandLine.arguments[0])' first-call", "r") else { continue }
        defer { pclose(child) }
        var line = [CChar](repeating: 0, count: 64)
        guard fgets(&line, 64, child) != nil else { continue }
        let text = String(decoding: line.prefix { $0 > 0x0A }.map(UInt8.init), as: UTF8.self)
        times.append(text.split(separator: " ").compactMap { Int($0) })
    }
    for (index, name) in ["the catalog is open, an operation found", "the first call is recognized"]
        .enumerated()
    {
        let each = times.filter { $0.count == 2 }.map { $0[index] }.sorted()
        guard let first = each.first, let last = each.last else { continue }
        let median = each[each.count / 2]
        print("start: \(name): \(median) ns (\(first)-\(last)), \(each.count) processes")
    }
}

try measureFirstCalls(count: 21)
// What a digest over the whole catalog would add to each start.
private let ofCatalogSize = [UInt8](repeating: 0x43, count: Catalog.builtIn.byteCount)
try measure("start: SHA-256 of \(ofCatalogSize.count) bytes, as many as the catalog has", count: 20) {
    sha256(ofCatalogSize) == Catalog.builtIn.digest ? 2 : 1
}

private let meaning = try recognize(request, caller: caller, setting: setting).meaning
private let grants = GrantBook()
for count in [10, 10_000] {
    let set = try policies(count)
    try measure("decision: among \(count) statements", count: 200_000 / count) {
        guard case .allow = decide(meaning, caller: caller, under: set, grants: grants, at: now) else {
            return 0
        }
        return 1
    }
}

if wanted?.hasPrefix("policy") ?? true {
    try benchPolicy(at: now, wanted: wanted ?? "") { try measure($0, count: $1, perRun: $2, $3) }
}
