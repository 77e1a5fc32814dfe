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
        candidates: readings.count == 1
            ? []
            : unique(readings.map { $0.candidate.operation.service.name }).filter {
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
    var seen: Set<Touch> = []
    return pairs.filter { seen.insert(Touch(action: $0.action, resource: $0.resource)).inserted }
}

// MARK: - Meaning

/// SHA-256 over the canonical form of DESIGN.md 7.2.
///
/// Parameters keep the spelling of their numbers. Members that SDKs fill with a fresh token, and checksums of
/// what is in the digest anyway, are left out.
private func meaningDigest(_ first: Reading, pairs: [Pair], caller: Caller) -> Digest {
    let operation = first.candidate.operation
    var form: [UInt8] = []
    form.reserveCapacity(512)
    // The members in the order of their names.
    func add(_ name: StaticString, _ text: String) {
        form.append(form.isEmpty ? 0x7B : 0x2C)
        add(name)
        JSON.write(text, to: &form)
    }
    func add(_ name: StaticString) {
        form += [0x22]
        name.withUTF8Buffer { form.append(contentsOf: $0) }
        form += [0x22, 0x3A]
    }
    add("account", first.account)
    add("agent", caller.agent.text)
    add("operation", operation.name)
    form.append(0x2C)
    add("pairs")
    form.append(0x5B)
    for (number, pair) in pairs.enumerated() {
        if number > 0 { form.append(0x2C) }
        form.append(0x5B)
        JSON.write(pair.action.description, to: &form)
        form.append(0x2C)
        JSON.write(pair.resource.description, to: &form)
        form.append(0x5D)
    }
    form.append(0x5D)
    form.append(0x2C)
    add("parameters")
    first.parameters.writeMeaning(as: operation.input, to: &form) { known in
        known.location == .header && isChecksum(known.wireName.asciiLowercased)
    }
    add("region", first.region)
    add("service", operation.service.name)
    form.append(0x7D)
    return sha256(form)
}

private func isChecksum(_ field: String) -> Bool {
    field.hasPrefix("x-amz-checksum-") || field == "x-amz-sdk-checksum-algorithm" || field == "content-md5"
        || field == "content-length" || field == "expect"
}

/// What all readings say alike, and what the gateway knows of every call.
private func conditionKeys(
    _ readings: [Reading], _ reading: Reading, request: InboundRequest, setting: RecognitionSetting
) -> ConditionKeys {
    var keys = reading.named.keys
    if readings.count > 1 { keys = readings.reduce(keys) { $0.agreed(with: $1.named.keys) } }
    keys.gateway = GatewayKeys(
        account: setting.account, region: reading.endpoint.signingRegion,
        userAgent: request.head["user-agent"], wireProtocol: reading.candidate.wireProtocol,
        itemCount: reading.named.itemCount, bodyByteCount: request.body.count)
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
        try sentFields(reading.candidate, head: request.head, body: request.body) + reading.pins
    var sentQuery = ""
    for item in query where item.name != "x-id" {
        if !sentQuery.isEmpty { sentQuery += "&" }
        sentQuery += percentEncoded(item.name)
        if let value = item.value {
            sentQuery += "="
            sentQuery += percentEncoded(value)
        }
    }
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
private let signsPathAsSent = ["s3", "s3express", "s3-object-lambda", "s3-outposts"]

/// What becomes of a field whatever the operation.
private enum FieldKind {
    /// Goes along with every operation.
    case common
    /// The same, unless there is no body; then only where the model binds it.
    case ofBody
    /// Never goes along, whatever a model says: the client's own signature, and what the connection is made
    /// of.
    case barred
}

/// The fields that a model says nothing of, or has no say in.
private let fieldKinds: [String: FieldKind] = {
    let common = [
        "accept", "amz-sdk-invocation-id", "amz-sdk-request", "if-range", "smithy-protocol", "user-agent",
        "x-amz-glacier-version", "x-amz-api-version", "x-amz-target", "x-amz-user-agent",
        "x-amzn-query-mode", "x-amz-sdk-checksum-algorithm",
    ]
    let ofBody = ["content-encoding", "content-language", "content-md5", "content-type"]
    let barred = [
        "authorization", "connection", "content-length", "expect", "host", "keep-alive",
        "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
        "x-amz-content-sha256", "x-amz-date", "x-amz-security-token", "x-amz-s3session-token",
        "x-amz-decoded-content-length", "x-amz-trailer",
    ]
    var kinds: [String: FieldKind] = [:]
    for name in common { kinds[name] = .common }
    for name in ofBody { kinds[name] = .ofBody }
    for name in barred { kinds[name] = .barred }
    return kinds
}()

/// What S3 demands beside its signature, and CodeArtifact as a parameter.
private let payloadHashName = "x-amz-content-sha256"

/// The conditions of a write.
private let conditions: Set<String> = [
    "if-match", "if-modified-since", "if-none-match", "if-unmodified-since",
]

/// The fields to send: those that the model binds, checksums, and the common ones; everything else stays
/// here.
///
/// - Throws: ``RecognitionError/malformed(part:why:)`` for a write on a condition that the operation does not
///   have: without it, more would be written than was asked for; and for a hash that the operation takes as a
///   parameter (CodeArtifact's PublishPackageVersion) and that is not the body's.
private func sentFields(
    _ candidate: Candidate, head: RequestHead, body: [UInt8]
) throws(RecognitionError) -> [HeaderField] {
    var (bound, prefixes): ([CatalogText], [String]) = ([], [])
    for index in candidate.operation.input?.memberRange ?? 0..<0 {
        let member = CatalogMember(file: candidate.operation.file, index: index)
        switch member.location {
        case .header: bound.append(member.wireText)
        case .headers: prefixes.append(member.wireName)
        case .uri, .query, .queryMap, .payload, .body: continue
        }
    }
    func isBound(_ field: HeaderField) -> Bool { bound.contains { $0.equalsIgnoringCase(field.name) } }
    if head.method != "GET", head.method != "HEAD",
        let lost = head.fields.first(where: { conditions.contains($0.name) && !isBound($0) })
    {
        throw .malformed(
            part: "the header", why: "\(candidate.operation.name) has no condition `\(lost.name)`")
    }
    let hash = head.fields.first { $0.name == payloadHashName && isBound($0) }
    if let hash, !hash.value.utf8.elementsEqual(sha256(body).bytes.lowercaseHex) {
        throw .malformed(part: payloadHashName, why: "it is not the SHA-256 of the body")
    }
    let isTargeted = [.awsJSON10, .awsJSON11].contains(candidate.wireProtocol)
    return head.fields.filter { field in
        switch fieldKinds[field.name] {
        // The signature writes the body's own hash there, as it must be.
        case .barred?: return hash != nil && field.name == payloadHashName
        case .common?: return true
        // Without its content type a call with a target would be none.
        case .ofBody?: return !body.isEmpty || isBound(field) || isTargeted && field.name == "content-type"
        case nil:
            return isBound(field) || begins(field.name, with: "x-amz-checksum-".utf8)
                || prefixes.contains { begins(field.name, with: $0.utf8) }
        }
    }
}

/// Whether `name` is `prefix`, in any case and not empty, and more.
private func begins(_ name: String, with prefix: some Collection<UInt8>) -> Bool {
    !prefix.isEmpty && name.utf8.count > prefix.count
        && zip(name.utf8, prefix).allSatisfy { $0 == $1.lowercased }
}
