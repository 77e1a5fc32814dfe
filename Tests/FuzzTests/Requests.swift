import Identifying
import SigV4
import Vocabulary

@testable import Recognizing

/// The request that `bytes` write: `METHOD TARGET`, a line for each field, an empty line, the body; nil for
/// one that the head checks of Accepting refuse.
func request(_ bytes: [UInt8]) -> InboundRequest? {
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
    guard words.count == 2, words[1].first == 0x2F, !words[1].starts(with: [0x2F, 0x2F]),
        words[1].allSatisfy({ (0x21...0x7E).contains($0) && $0 != 0x23 && $0 != 0x5C }),
        ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"].contains(
            String(decoding: words[0], as: UTF8.self))
    else { return nil }
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
@Sendable func recognizeRequest(_ bytes: [UInt8]) {
    guard let request = request(bytes), let scope = try? claimedScope(request.head),
        let call = recognized(request, scope: scope)
    else { return }
    let (meaning, sealed) = (call.meaning, call.sealed)
    must(!meaning.pairs.isEmpty, "no pairs")
    must(recognized(request, scope: scope)?.meaning == meaning, "two meanings")
    let parameters = meaning.parameters.line
    must((try? JSON(parsing: parameters))?.line == parameters, "parameters that are no JSON")
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
        must(sealed.fields.count { $0.name == field.name } == 1, "a field twice: \(field.name)")
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

/// Reads the sealed request as AWS would: it must be the same call.
private func sentAgain(_ call: Call) {
    let (meaning, sealed) = (call.meaning, call.sealed)
    guard meaning.candidates.isEmpty, meaning.bar == nil, case .bytes(let body) = sealed.body else { return }
    // A key of a bucket in the host may begin as the prefixes that only this gate reads.
    guard !sealed.path.utf8.starts(with: "/_aws/".utf8) else { return }
    let target = sealed.path + (sealed.query.isEmpty ? "" : "?\(sealed.query)")
    let head = RequestHead(
        method: sealed.method, target: target, fields: [HeaderField("host", sealed.authority)] + sealed.fields
    )
    let again = recognized(
        InboundRequest(head: head, body: body),
        scope: CredentialScope(region: sealed.signingRegion, service: sealed.signingName))
    must(again != nil, "what is sent is no call: \(sealed)")
    guard let again else { return }
    must(
        again.meaning.operation == meaning.operation && again.meaning.pairs == meaning.pairs
            && told(again).isSuperset(of: told(call)),
        "what is sent means another call: \(meaning) and \(again.meaning)")
    must(again.sealed.path == sealed.path && again.sealed.fields == sealed.fields, "sent in another form")
}

/// What a head says without a body: its query, the outside, the key or the binding. Each of these read twice,
/// or written anew and read, is the same.
@Sendable func readHead(_ bytes: [UInt8]) {
    guard let request = request(bytes), let stripped = try? StrippedHead(request.head) else { return }
    let written = stripped.query.map { item in
        percentEncoded(item.name) + (item.value.map { "=" + percentEncoded($0) } ?? "")
    }.joined(separator: "&")
    must((try? queryItems(written, part: "x")).map(sameItems(stripped.query)) ?? false, "another query")
    for scope in [try? claimedScope(request.head), nil] {
        let hints: OuterHints
        do {
            hints = try OuterHints(
                stripped.head, scope: scope, hosts: [], catalog: .builtIn)
        } catch { continue }
        must(hints.path.isEmpty || hints.path.utf8.first == 0x2F, "a path without its slash: \(hints.path)")
        let dispatch = Dispatch(
            head: stripped.head, body: request.body, hints: hints, query: stripped.query, catalog: .builtIn)
        guard case .candidates(let found)? = try? dispatch.dispatched() else { continue }
        must(!found.isEmpty, "no candidates")
        for candidate in found { checkCandidate(candidate, stripped, hints) }
    }
}

private func sameItems(_ items: [QueryItem]) -> ([QueryItem]) -> Bool {
    { again in
        items.count == again.count
            && zip(items, again).allSatisfy {
                $0.name.isSame(as: $1.name) && ($0.value ?? "").isSame(as: $1.value ?? "")
                    && ($0.value == nil) == ($1.value == nil)
            }
    }
}

private func checkCandidate(_ candidate: Candidate, _ stripped: StrippedHead, _ hints: OuterHints) {
    let operation = candidate.operation
    must(hints.services?.contains(operation.service) ?? true, "a service that the outside does not allow")
    if let target = stripped.head["x-amz-target"] {
        let name = target.split(separator: ".").last ?? ""
        must(operation.name.isSame(as: name), "\(target) read as \(operation.name)")
    }
    if [.restJSON, .restXML].contains(candidate.wireProtocol) {
        // A search of CloudSearch that is too long for a query comes as a form.
        let isLongSearch = operation.service.name == "cloudsearchdomain" && stripped.head.method == "POST"
        must(isLongSearch || stripped.head.method == operation.method, "\(operation.name) by another method")
        for label in candidate.labels {
            let given = stripped.head.target.utf8.count + (stripped.head["host"] ?? "").utf8.count
            must(label.value.utf8.count <= given + 64, "a label from nowhere")
        }
    } else if !candidate.form.isEmpty {
        must(candidate.form.allSatisfy { $0.name != "Action" && $0.name != "Version" }, "a key in the form")
    }
}

/// The parameters, each in one line; what is sent may say more, such as whose bucket it must be. The length
/// is said anew by who sends.
private func told(_ call: Call) -> Set<[UInt8]> {
    let members = (call.meaning.parameters.members ?? []).filter { $0.name != "ContentLength" }
    return Set(members.map { Array($0.name.utf8) + [0] + $0.value.line })
}

@Sendable func identifyCaller(_ bytes: [UInt8]) {
    guard let request = request(bytes), let agent = try? AgentName(parsing: "local") else { return }
    var keys = KeyRing(HostKey(bytes: [UInt8](repeating: 7, count: 32)))
    let now = Instant(secondsSinceEpoch: 1_795_336_260)
    let binding = ListenerBinding(agent: agent, session: SessionID(random: 0))
    let found = try? identify(request.head, at: binding, keys: &keys, now: now, wall: now)
    let plain = try? unframed(request)
    let caller = try? found?.caller(
        sending: request.body, content: plain?.body ?? request.body, chunks: plain?.signatures)
    guard let caller else { return }
    must(caller.strength == .listener && caller.issued == nil, "a signature that no key of ours made")
}

/// The lines of `debug recognize` and `debug sign`: every answer is one line of JSON.
@Sendable func readLine(_ bytes: [UInt8]) {
    for answer in [
        recognizeLine(bytes, setting: FuzzTarget.setting, rooms: rooms), debugSignLine(bytes),
    ] {
        must(
            !answer.contains(0x0A) && (try? JSON(parsing: answer)) != nil, "an answer that is no line of JSON"
        )
    }
}

nonisolated(unsafe) private let rooms = SurroundingRooms(
    head: { method, target, fields in
        .success(
            RequestHead(
                method: method, target: target, fields: fields.map { HeaderField($0.name, $0.value) }))
    },
    words: { PrintedRejection(status: $0.status, code: "x", message: "x") })
