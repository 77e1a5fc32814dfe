import Hashing
import Vocabulary

/// The call that `readings`, never empty, agree on: its meaning, and the outbound request built anew from it.
func seal(
    _ readings: [Reading], _ first: Reading, request: InboundRequest, caller: Caller, query: [QueryItem],
    setting: RecognitionSetting
) throws(RecognitionError) -> Call {
    let operation = first.candidate.operation
    let pairs = readings.count == 1 ? first.named.pairs : distinct(readings.flatMap(\.named.pairs))
    let digest = meaningDigest(first, pairs: pairs, caller: caller)
    let meaning = Meaning(
        service: operation.service.name,
        candidates: unique(readings.map { $0.candidate.operation.service.name }).filter {
            $0 != operation.service.name
        },
        operation: operation.name, wireProtocol: first.candidate.wireProtocol, partition: first.partition,
        account: first.account, region: first.region, pairs: pairs, parameters: first.parameters,
        keys: conditionKeys(readings, first, request: request, setting: setting),
        vendsCredentials: readings.contains {
            $0.candidate.operation.vendsCredentials || $0.candidate.operation.replyCarriesKeys
        },
        isAlwaysAnswered: operation.service.name == "sts" && operation.name == "GetCallerIdentity",
        bar: readings.lazy.compactMap(\.bar).first,
        itemCount: first.named.itemCount,
        bodyByteCount: request.body.count, digest: digest)
    return Call(
        meaning: meaning,
        sealed: try sealed(first, meaning: meaning, request: request, query: query, setting: setting))
}

/// `pairs` without doubles, compared by bytes: Swift holds `é` and `e` with an accent equal, AWS does not.
private func distinct(_ pairs: [Pair]) -> [Pair] {
    var seen: Set<[UInt8]> = []
    return pairs.filter { pair in
        var bytes = Array(pair.action.description.asciiLowercased.utf8)
        for part in pair.resource.parts {
            switch part {
            case .known(let text): bytes += [0] + Array(text.utf8)
            case .unknown: bytes += [1]
            case .unknownCharacters(let count): bytes += [2] + Array(String(count).utf8)
            }
        }
        return seen.insert(bytes).inserted
    }
}

// MARK: - Meaning

/// SHA-256 over the canonical form of DESIGN.md 7.2.
///
/// Parameters keep the spelling of their numbers. Members that SDKs fill with a fresh token, and checksums of
/// what is in the digest anyway, are left out.
private func meaningDigest(_ first: Reading, pairs: [Pair], caller: Caller) -> Digest {
    let operation = first.candidate.operation
    var parameters = first.parameters.withoutIdempotencyTokens(operation.input)
    if case .object(let members) = parameters, let shape = operation.input {
        parameters = .object(
            members.filter { member in
                guard let known = shape.member(named: member.name), known.location == .header else {
                    return true
                }
                return !isChecksum(known.wireName.asciiLowercased)
            })
    }
    let form = JSON.object([
        .init("agent", .string(caller.agent.text)), .init("service", .string(operation.service.name)),
        .init("operation", .string(operation.name)), .init("account", .string(first.account)),
        .init("region", .string(first.region)),
        .init("pairs", .array(pairs.map { .strings([$0.action.description, $0.resource.description]) })),
        .init("parameters", parameters),
    ])
    return sha256(form.canonical)
}

private func isChecksum(_ field: String) -> Bool {
    field.hasPrefix("x-amz-checksum-") || field == "x-amz-sdk-checksum-algorithm" || field == "content-md5"
        || field == "content-length" || field == "expect"
}

/// What all readings say alike, and what the gateway knows of every call: it makes each one itself, with its
/// own credentials and over TLS, so no service calls in between.
private func conditionKeys(
    _ readings: [Reading], _ reading: Reading, request: InboundRequest, setting: RecognitionSetting
) -> ConditionKeys {
    var keys = readings.reduce(reading.named.keys) { $0.agreed(with: $1.named.keys) }
    for name in [
        "aws:calledvia", "aws:calledviafirst", "aws:calledvialast", "aws:sourcearn", "aws:sourceaccount",
        "aws:principalservicename", "aws:principalservicenameslist",
    ] {
        keys[name] = .absent
    }
    keys["aws:principalisawsservice"] = .filled(["false"])
    if let account = setting.account { keys["aws:principalaccount"] = .filled([account]) }
    keys["aws:requestedregion"] = .filled([reading.endpoint.signingRegion])
    keys["aws:useragent"] = request.head["user-agent"].map { .filled([$0]) } ?? .absent
    keys["aws:viaawsservice"] = .filled(["false"])
    keys["aws:securetransport"] = .filled(["true"])
    keys["countersign:protocol"] = .filled([reading.candidate.wireProtocol.description])
    keys["countersign:itemcount"] = .filled([String(reading.named.itemCount)])
    keys["countersign:bodybytes"] = .filled([String(request.body.count)])
    return keys
}

// MARK: - The outbound request

private func sealed(
    _ reading: Reading, meaning: Meaning, request: InboundRequest, query: [QueryItem],
    setting: RecognitionSetting
) throws(RecognitionError) -> SealedRequest {
    let awsHost = reading.hostPrefix + reading.endpoint.host
    var authority = awsHost
    var usesTLS = true
    if case .fixed(let fixed, let secure) = setting.upstream { (authority, usesTLS) = (fixed, secure) }
    let fields =
        try sentFields(reading.candidate, head: request.head, hasBody: !request.body.isEmpty) + reading.pins
    let sentQuery = query.filter { $0.name != "x-id" }.map { item in
        percentEncoded(item.name) + (item.value.map { "=" + percentEncoded($0) } ?? "")
    }.joined(separator: "&")
    let method = request.head.method
    var head: [UInt8] = []
    head.reserveCapacity(1_024)
    for text in [method, authority, reading.path, sentQuery] {
        head.append(contentsOf: text.utf8)
        head.append(0)
    }
    for field in fields {
        head.append(contentsOf: field.name.utf8)
        head.append(0x3A)
        head.append(contentsOf: field.value.utf8)
        head.append(0)
    }
    head.append(0)
    var hasher = SHA256Hasher()
    hasher.update(head)
    hasher.update(request.body)
    return SealedRequest(
        method: method, usesTLS: usesTLS, authority: authority, awsHost: awsHost, path: reading.path,
        query: sentQuery,
        fields: fields, body: .bytes(request.body), signingName: reading.endpoint.signingName,
        signingRegion: reading.endpoint.signingRegion,
        pathStyle: signsPathAsSent.contains(reading.endpoint.signingName) ? .asSent : .normalized,
        mayRepeat: !meaning.mutates, wireDigest: hasher.finish())
}

/// The signing names of S3's family, which sign the path as it is sent.
private let signsPathAsSent: Set<String> = ["s3", "s3express", "s3-object-lambda", "s3-outposts"]

/// Fields that go along with every operation, besides those that its model binds.
private let commonFields: Set<String> = [
    "accept", "amz-sdk-invocation-id", "amz-sdk-request", "content-encoding", "content-language",
    "content-md5", "content-type", "if-range",
    "smithy-protocol", "user-agent", "x-amz-glacier-version", "x-amz-api-version", "x-amz-target",
    "x-amz-user-agent",
    "x-amzn-query-mode",
    "x-amz-sdk-checksum-algorithm",
]

/// Fields that never go along, whatever a model says: the client's own signature, and what the connection is
/// made of.
private let barredFields: Set<String> = [
    "authorization", "connection", "content-length", "expect", "host", "keep-alive", "proxy-authorization",
    "proxy-connection",
    "te", "trailer", "transfer-encoding", "upgrade", "x-amz-content-sha256", "x-amz-date",
    "x-amz-security-token",
    "x-amz-s3session-token", "x-amz-decoded-content-length", "x-amz-trailer",
]

/// Fields that are nothing without a body, unless the model binds them.
private let bodyFields: Set<String> = ["content-encoding", "content-language", "content-md5", "content-type"]

/// The conditions of a write.
private let conditions: Set<String> = [
    "if-match", "if-modified-since", "if-none-match", "if-unmodified-since",
]

/// The fields to send: those that the model binds, checksums, and the common ones; everything else stays
/// here.
///
/// - Throws: ``RecognitionError/malformed(part:why:)`` for a write on a condition that the operation does not
///   have: without it, more would be written than was asked for.
private func sentFields(
    _ candidate: Candidate, head: RequestHead, hasBody: Bool
) throws(RecognitionError) -> [HeaderField] {
    var bound: Set<String> = []
    var prefixes: [String] = ["x-amz-checksum-"]
    if let shape = candidate.operation.input {
        for member in shape.members {
            switch member.location {
            case .header: bound.insert(member.wireName.asciiLowercased)
            case .headers: prefixes.append(member.wireName.asciiLowercased)
            case .uri, .query, .queryMap, .payload, .body: continue
            }
        }
    }
    if head.method != "GET", head.method != "HEAD",
        let lost = head.fields.first(where: { conditions.contains($0.name) && !bound.contains($0.name) })
    {
        throw .malformed(
            part: "the header", why: "\(candidate.operation.name) has no condition `\(lost.name)`")
    }
    let isTargeted = [.awsJSON10, .awsJSON11].contains(candidate.wireProtocol)
    return head.fields.filter { field in
        guard !barredFields.contains(field.name) else { return false }
        if bound.contains(field.name) { return true }
        if bodyFields.contains(field.name), !hasBody {
            // Without it a call with a target would be none.
            return isTargeted && field.name == "content-type"
        }
        return commonFields.contains(field.name)
            || prefixes.contains { prefix in
                !prefix.isEmpty && field.name.utf8.count > prefix.utf8.count && field.name.hasPrefix(prefix)
            }
    }
}
