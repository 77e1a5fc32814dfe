import Deciding
import Glibc
import Identifying
import SigV4
import Vocabulary

@testable import Recognizing
@testable import Recording

#if canImport(Accepting)
    import NIOCore

    @testable import Accepting
    @testable import Forwarding
#endif

/// One parser of outside bytes: what it must hold for every input, beyond not ending the process.
///
/// A property that does not hold ends the process, which is what a fuzzer looks for.
struct FuzzTarget: Sendable {
    let name: String
    let run: @Sendable ([UInt8]) -> Void

    static let all: [FuzzTarget] = core + doors

    private static let core = [
        FuzzTarget(name: "recognize", run: recognizeRequest),
        FuzzTarget(name: "line") { bytes in
            _ = recognizeLine(bytes, setting: setting, rooms: rooms)
            _ = debugSignLine(bytes)
        },
        FuzzTarget(name: "json", run: readJSON),
        FuzzTarget(name: "cbor", run: readCBOR),
        FuzzTarget(name: "xml", run: readXML),
        FuzzTarget(name: "form", run: readForm),
        FuzzTarget(name: "source", run: readNames),
        FuzzTarget(name: "policy", run: readPolicy),
        FuzzTarget(name: "log", run: readLog),
        FuzzTarget(name: "verify", run: verifyLog),
        FuzzTarget(name: "identify", run: identifyCaller),
    ]

    static let setting = RecognitionSetting(account: "111122223333", region: "us-east-1")
    nonisolated(unsafe) static let rooms = SurroundingRooms(
        head: { method, target, fields in
            .success(
                RequestHead(
                    method: method, target: target, fields: fields.map { HeaderField($0.name, $0.value) })
            )
        },
        words: { PrintedRejection(status: $0.status, code: "x", message: "x") })
}

/// Ends the process when what must hold does not.
private func must(_ holds: Bool, _ what: @autoclosure () -> String) {
    precondition(holds, what())
}

// MARK: - Requests

/// The request that `bytes` write: `METHOD TARGET`, a line for each field, an empty line, the body; nil for
/// one that the head checks of Accepting refuse.
private func request(_ bytes: [UInt8]) -> InboundRequest? {
    var lines: [[UInt8]] = []
    var rest = bytes[...]
    while let end = rest.firstIndex(of: 0x0A) {
        let line = Array(rest[..<end])
        rest = rest[(end + 1)...]
        if line.isEmpty { break }
        lines.append(line)
    }
    guard let first = lines.first, lines.count <= 64 else { return nil }
    let words = first.split(separator: 0x20, maxSplits: 1)
    guard words.count == 2, words[1].first == 0x2F, words[1].allSatisfy({ (0x21...0x7E).contains($0) }) else {
        return nil
    }
    var fields: [HeaderField] = []
    for line in lines.dropFirst() {
        guard let colon = line.firstIndex(of: 0x3A), colon > 0,
            line.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }),
            let name = String(validating: line[..<colon], as: UTF8.self),
            name.utf8.allSatisfy({ $0.isAlphanumeric || $0 == 0x2D })
        else { return nil }
        let value = line[(colon + 1)...].drop { $0 == 0x20 }
        guard value.last != 0x20, !fields.contains(where: { $0.name == name.asciiLowercased }) else {
            return nil
        }
        fields.append(HeaderField(name, String(decoding: value, as: UTF8.self)))
    }
    let head = RequestHead(
        method: String(decoding: words[0], as: UTF8.self), target: String(decoding: words[1], as: UTF8.self),
        fields: fields)
    return InboundRequest(head: head, body: Array(rest))
}

/// What a request means must not depend on the run, and what is sent for it must mean the same.
@Sendable private func recognizeRequest(_ bytes: [UInt8]) {
    guard let request = request(bytes), let scope = try? claimedScope(request.head),
        let call = recognized(request, scope: scope)
    else { return }
    let (meaning, sealed) = (call.meaning, call.sealed)
    must(!meaning.pairs.isEmpty, "no pairs")
    must(recognized(request, scope: scope)?.meaning == meaning, "two meanings")
    for text in [sealed.path, sealed.query] {
        must(text.utf8.allSatisfy { (0x21...0x7E).contains($0) }, "a target that is not ASCII: \(text)")
    }
    must(
        sealed.path.utf8.first == 0x2F && !sealed.path.contains("?"), "a path of two readings: \(sealed.path)"
    )
    must(
        sealed.query.utf8.allSatisfy { $0 != 0x3F && $0 != 0x3B }, "a query of two readings: \(sealed.query)")
    for field in sealed.fields {
        must(!field.value.utf8.contains { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }, "a control byte: \(field)")
    }
    sentAgain(call)
}

private func recognized(_ request: InboundRequest, scope: CredentialScope?) -> Call? {
    guard let agent = try? AgentName(parsing: "local") else { return nil }
    let caller = Caller(
        agent: agent, session: SessionID(random: 0), strength: .listener, task: nil, reason: nil, scope: scope
    )
    return try? recognize(request, caller: caller, setting: FuzzTarget.setting)
}

/// The services whose sealed requests are read again: those that are named exactly.
private let exact: Set<String> = [
    "dynamodb", "s3", "sqs", "sns", "sts", "iam", "lambda", "kms", "secretsmanager", "ssm",
]

/// Reads the sealed request as AWS would: it must be the same call.
private func sentAgain(_ call: Call) {
    let (meaning, sealed) = (call.meaning, call.sealed)
    guard meaning.candidates.isEmpty, exact.contains(meaning.service), case .bytes(let body) = sealed.body
    else {
        return
    }
    let target = sealed.path + (sealed.query.isEmpty ? "" : "?\(sealed.query)")
    let head = RequestHead(
        method: sealed.method, target: target, fields: [HeaderField("host", "127.0.0.1")] + sealed.fields)
    let again = recognized(
        InboundRequest(head: head, body: body),
        scope: CredentialScope(region: meaning.region, service: sealed.signingName))
    must(again != nil, "what is sent is no call: \(sealed)")
    guard let again else { return }
    must(
        again.meaning.operation == meaning.operation && again.meaning.digest == meaning.digest,
        "what is sent means another call: \(meaning) and \(again.meaning)")
    must(again.sealed.path == sealed.path && again.sealed.fields == sealed.fields, "sent in another form")
}

@Sendable private func identifyCaller(_ bytes: [UInt8]) {
    guard let request = request(bytes), let agent = try? AgentName(parsing: "local") else { return }
    _ = try? identify(request.head, at: ListenerBinding(agent: agent, session: SessionID(random: 0)))
}

// MARK: - Bodies

/// What was read is written and read as the same value.
@Sendable private func readJSON(_ bytes: [UInt8]) {
    guard let json = try? JSON(parsing: bytes) else { return }
    must((try? JSON(parsing: json.line)) == json, "a value that is not read as it was written")
    must((try? JSON(parsing: json.canonical)) != nil, "a canonical form that is no JSON")
    for operation in shapes where operation.service.protocols.contains(where: { $0 != .restXML }) {
        guard let shape = operation.input else { continue }
        _ = try? ShapeReader(part: "the body", usesWireNames: true).read(json, as: shape, at: "")
    }
}

private func operation(_ service: String, _ name: String) -> [CatalogOperation] {
    Catalog.builtIn.service(named: service)?.operation(named: name).map { [$0] } ?? []
}

private let shapes: [CatalogOperation] =
    operation("dynamodb", "TransactWriteItems") + operation("lambda", "CreateFunction")
    + operation("ssm", "SendCommand") + operation("cloudwatch", "PutMetricData")

private let documents: [CatalogOperation] =
    operation("s3", "DeleteObjects") + operation("s3", "PutBucketReplication")
    + operation("s3", "PutBucketAcl")
    + operation("s3", "SelectObjectContent") + operation("route53", "ChangeResourceRecordSets")

private let forms: [CatalogOperation] =
    operation("iam", "CreateRole") + operation("sns", "CreateTopic") + operation("sqs", "SendMessageBatch")
    + operation("ec2", "RunInstances")

@Sendable private func readCBOR(_ bytes: [UInt8]) {
    guard let json = try? CBORReader.parse(bytes) else { return }
    must((try? JSON(parsing: json.line)) == json, "a value that is not JSON")
    for operation in shapes {
        guard let shape = operation.input else { continue }
        _ = try? ShapeReader(part: "the body", usesWireNames: false).read(json, as: shape, at: "")
    }
}

@Sendable private func readXML(_ bytes: [UInt8]) {
    guard let root = try? XMLElement(parsing: bytes) else { return }
    for operation in documents {
        guard let input = operation.input else { continue }
        let read = try? parameters(root, as: input.payload?.shape ?? input)
        must(read.map { (try? JSON(parsing: $0.line)) != nil } ?? true, "parameters that are no JSON")
    }
}

@Sendable private func readForm(_ bytes: [UInt8]) {
    guard let text = String(validating: bytes, as: UTF8.self), let items = try? queryItems(text, part: "x")
    else {
        return
    }
    for operation in forms {
        let isEC2 = operation.service.name == "ec2"
        _ = try? FormReader(isEC2: isEC2).read(items, as: operation.input)
    }
}

/// Copy sources and the names that a request may give to what it touches.
@Sendable private func readNames(_ bytes: [UInt8]) {
    guard let text = String(validating: bytes, as: UTF8.self) else { return }
    for source in (try? S3Source.all(parsing: text, part: "x")) ?? [] {
        must(!source.key.isEmpty && !source.key.utf8.contains { $0 < 0x20 }, "a key of no object")
    }
    if let arn = ARN(parsing: text) { must(arn.text == text, "an ARN that was mended") }
    let named = [
        ("dynamodb", "GetItem", "TableName"), ("sqs", "SendMessage", "QueueUrl"),
        ("sns", "Publish", "TopicArn"),
        ("kms", "Encrypt", "KeyId"), ("secretsmanager", "GetSecretValue", "SecretId"),
        ("ssm", "GetParameter", "Name"), ("lambda", "Invoke", "FunctionName"), ("iam", "GetRole", "RoleName"),
        ("sts", "AssumeRole", "RoleArn"), ("ssm", "StartSession", "Target"),
        ("iam", "GetPolicy", "PolicyArn"),
    ]
    for (service, name, member) in named {
        for model in operation(service, name) {
            let facts = CallFacts(
                model: model, parameters: .object([.init(member, .string(text))]), partition: "aws",
                region: "us-east-1", account: "111122223333")
            guard let pairs = try? namePairs(facts).pairs else { continue }
            for pair in pairs {
                must(
                    !pair.resource.description.utf8.contains { $0 < 0x20 || $0 == 0x2A || $0 == 0x3F },
                    "a name that is a pattern: \(pair)")
            }
        }
    }
}

// MARK: - Policies and the log

private let actions = ActionNames(["s3": ["GetObject", "PutObject"], "dynamodb": ["GetItem", "DeleteItem"]])

@Sendable private func readPolicy(_ bytes: [UInt8]) {
    for name in ["p.yaml", "p.json", "agents.yaml", "approvers.yaml"] {
        _ = try? PolicySet.load(files: [PolicyFile(name: name, bytes: bytes)], actions: actions)
    }
}

@Sendable private func readLog(_ bytes: [UInt8]) {
    _ = try? LogHead(parsing: bytes)
    let head = LineHead(bytes)
    guard let entry = try? StoredEntry(line: bytes), let head else { return }
    must(head.seq == entry.id.seq && head.prev == entry.prev, "two readings of one line")
}

/// A segment of these bytes, in memory.
@Sendable private func verifyLog(_ bytes: [UInt8]) {
    let folder = "/dev/shm/countersign-fuzz-\(getpid())"
    mkdir(folder, 0o700)
    let path = "\(folder)/000001.jsonl"
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    guard file >= 0 else { return }
    _ = bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
    close(file)
    _ = try? verify(folder: folder)
    unlink(path)
    rmdir(folder)
}

// MARK: - The doors

#if canImport(Accepting)
    private let doors = [FuzzTarget(name: "http", run: readHTTP), FuzzTarget(name: "reply", run: readReply)]

    /// The requests of a connection, whole and byte by byte: the same either way.
    @Sendable private func readHTTP(_ bytes: [UInt8]) {
        let (whole, pieces) = (steps([bytes]), steps(bytes.map { [$0] }))
        must(whole == pieces, "the pieces read otherwise: \(whole) and \(pieces)")
    }

    /// What a connection reads from `arrivals`, bodies joined.
    private func steps(_ arrivals: [[UInt8]]) -> [String] {
        var reader = RequestReader(limits: Limits())
        var buffer = ByteBuffer()
        var (told, body): ([String], [UInt8]) = ([], [])
        for arrival in arrivals {
            buffer.writeBytes(arrival)
            reading: while true {
                do {
                    switch try reader.next(&buffer) {
                    case .starved: break reading
                    case .head(let head): told.append("\(head)")
                    case .body(var piece): body += piece.readBytes(length: piece.readableBytes) ?? []
                    case .end:
                        told.append("\(body)")
                        body = []
                    }
                } catch { return told + ["\(error.status)"] }
            }
        }
        return told
    }

    @Sendable private func readReply(_ bytes: [UInt8]) {
        var reader = ReplyReader()
        for line in bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
            if case .refused = reader.line(Array(line) + [0x0A]) { return }
        }
    }
#else
    private let doors: [FuzzTarget] = []
#endif
