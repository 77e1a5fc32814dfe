@testable import Deciding
import Glibc
import Hashing
@testable import Recognizing
import Synchronization
import Testing
import Vocabulary

@testable import Recording

/// A folder of its own for one test, gone when the test is.
final class Folder: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/countersign-log-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.map { mkdtemp($0) != nil } ?? false
        }
        try #require(made)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        for name in names { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    var names: [String] {
        guard let listing = opendir(path) else { return [] }
        defer { closedir(listing) }
        var names: [String] = []
        while let item = readdir(listing) {
            let name = withUnsafeBytes(of: item.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    func bytes(_ name: String) throws -> [UInt8] { try readFile("\(path)/\(name)") }

    func write(_ bytes: [UInt8], to name: String) throws {
        let file = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        try #require(file >= 0)
        defer { close(file) }
        try #require(bytes.isEmpty || Glibc.write(file, bytes, bytes.count) == bytes.count)
    }

    func lines(_ name: String = "000001.jsonl") throws -> [String] {
        String(decoding: try bytes(name), as: UTF8.self).split(separator: "\n").map(String.init)
    }
}

func readFile(_ path: String) throws -> [UInt8] {
    let file = open(path, O_RDONLY)
    try #require(file >= 0, "\(path)")
    defer { close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = read(file, &chunk, chunk.count)
        try #require(count >= 0)
        if count == 0 { return bytes }
        bytes += chunk[..<count]
    }
}

/// 2026-11-22T09:12:03Z, and `milliseconds` later.
func moment(_ milliseconds: Int = 0) -> Instant {
    Instant(nanosecondsSinceEpoch: 1_795_338_723_000_000_000 + Int64(milliseconds) * 1_000_000)
}

enum Sample {
    static let policy = sha256("policy")

    static func agent(_ name: String = "support-7") throws -> AgentName { try AgentName(parsing: name) }

    static func caller(_ name: String = "support-7") throws -> Caller {
        Caller(
            agent: try agent(name), session: try SessionID(parsing: "ses-9F31AAAA"), strength: .listener,
            task: ClaimedText("JIRA-42", source: .sessionToken),
            reason: ClaimedText("customer asked to erase order o-91", source: .sessionToken), scope: nil)
    }

    static let table = Resource("arn:aws:dynamodb:us-east-1:111122223333:table/orders")

    static func pair(_ name: String, level: AccessLevel, resource: Resource = table) -> Pair {
        Pair(
            action: Action(prefix: "dynamodb", name: name), resource: resource, level: level,
            sensitivity: .data)
    }

    /// Of a call of the order `o-91` by its key.
    static let keys: ConditionKeys = {
        var keys = ConditionKeys()
        keys["dynamodb:LeadingKeys"] = .filled(["o-91"])
        keys["dynamodb:Select"] = .absent
        keys.gateway = GatewayKeys(
            account: "111122223333", region: "us-east-1", userAgent: "Boto3/1.43.11",
            wireProtocol: .awsJSON10,
            itemCount: 1, bodyByteCount: 0)
        return keys
    }()

    static func meaning(
        _ operation: String = "GetItem", level: AccessLevel = .read, pairs: [Pair]? = nil,
        parameters: JSON? = nil, keys: ConditionKeys = Sample.keys, vends: Bool = false
    ) -> Meaning {
        Meaning(
            service: "dynamodb", operation: operation, wireProtocol: .awsJSON10, account: "111122223333",
            region: "us-east-1", pairs: pairs ?? [pair(operation, level: level)],
            parameters: parameters ?? ["TableName": "orders", "Key": ["id": ["S": "o-91"]]], keys: keys,
            vendsCredentials: vends, digest: sha256("digest of \(operation)"))
    }

    static func sealed(_ operation: String = "GetItem") -> SealedRequest {
        SealedRequest(
            method: "POST", usesTLS: true, authority: "dynamodb.us-east-1.amazonaws.com",
            awsHost: "dynamodb.us-east-1.amazonaws.com", path: "/", query: "",
            fields: [HeaderField("x-amz-target", "DynamoDB_20120810.\(operation)")],
            body: .bytes(Array(#"{"TableName":"orders"}"#.utf8)), signingName: "dynamodb",
            signingRegion: "us-east-1", pathStyle: .normalized, mayRepeat: false,
            wireDigest: sha256("wire of \(operation)"))
    }

    static func use(_ number: Int = 1) throws -> Use {
        Use(
            grant: try GrantID(parsing: "grt-2B7C0000"), approval: try ApprovalID(parsing: "apr-7Q2MK4XD"),
            number: number, maxUses: 1)
    }

    /// An allowed read; a write with `mutates`; a call under a grant with `uses`.
    static func reservation(
        mutates: Bool = false, uses: [Use] = [], limits: [LimitStanding] = [], request: UInt64 = 1,
        meaning: Meaning? = nil
    ) throws -> Reservation {
        let operation = mutates ? "DeleteItem" : "GetItem"
        let meaning = meaning ?? self.meaning(operation, level: mutates ? .write : .read)
        let statement = StatementID(document: "orders", sid: mutates ? "DeletesAsk" : "Read")
        return Reservation(
            call: Call(meaning: meaning, sealed: sealed(operation)), caller: try caller(),
            allowance: Allowance(meaning, grounds: [.statement(statement)], fingerprint: nil),
            request: RequestID(random: request), uses: uses, limits: limits,
            policy: policy, at: moment(Int(request)))
    }

    static let facts = RequestFacts(
        invocation: "58747343-2e24-4a4d-9d5e-0e0e0e0e0e0e", attempt: 1, peer: "127.0.0.1:51844",
        userAgent: "Boto3/1.43.11", accessKeyID: "ASIAEXAMPLE")

    static let answered = Outcome(
        kind: .answered, status: 200, awsRequestID: "0T6K", awsExtendedRequestID: nil, error: nil,
        bytesSent: 312,
        bytesReceived: 2, elapsed: .milliseconds(23))
}

extension RequestLog {
    static func test(
        _ folder: Folder, setting: LogSetting = LogSetting(), files: LogFiles = .system
    ) throws -> RequestLog {
        try RequestLog(folder: folder.path, setting: setting, files: files, clock: { moment() })
    }

    /// Appends and waits for the log's word.
    func appended(_ reservation: consuming Reservation) async -> Result<EntryID, LogError> {
        let answer = Answer<Result<EntryID, LogError>>()
        append(reservation, facts: Sample.facts) { answer.set($0) }
        return await answer.value
    }

    func appended(_ entry: Entry, _ durability: Durability = .synced) async -> Result<EntryID, LogError> {
        let answer = Answer<Result<EntryID, LogError>>()
        append(entry, durability: durability) { answer.set($0) }
        return await answer.value
    }
}

/// One value that comes later.
final class Answer<Value: Sendable>: Sendable {
    private let state = Mutex<(Value?, CheckedContinuation<Value, Never>?)>((nil, nil))

    func set(_ value: Value) {
        let waiter = state.withLock { state in
            state.0 = value
            return state.1
        }
        waiter?.resume(returning: value)
    }

    var value: Value {
        get async {
            await withCheckedContinuation { waiter in
                let value = state.withLock { state in
                    if state.0 == nil { state.1 = waiter }
                    return state.0
                }
                if let value { waiter.resume(returning: value) }
            }
        }
    }
}

/// Values from many threads, in the order in which they came.
final class Collected<Value: Sendable>: Sendable {
    private let state = Mutex<[Value]>([])
    func add(_ value: Value) { state.withLock { $0.append(value) } }
    var values: [Value] { state.withLock { $0 } }
}

/// A clock that tests move.
final class Ticking: Sendable {
    private let milliseconds = Mutex(0)
    var now: Instant { moment(milliseconds.withLock { $0 }) }
    func advance(_ count: Int) { milliseconds.withLock { $0 += count } }
}
