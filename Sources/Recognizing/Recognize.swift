import Hashing
import Vocabulary

/// The most bytes of a body that is read whole.
package let bodyByteCountMax = 10 << 20

/// How the body of a request is to be read.
///
/// - Throws: ``RecognitionError/bodyTooLarge(limit:)`` for a length over the limit, of the body or of what an
///   aws-chunked one holds; as ``unframed(_:)`` does for a head that announces no known framing.
package func bodyPlan(_ head: RequestHead, setting: RecognitionSetting) throws(RecognitionError) -> BodyPlan {
    var limit = bodyByteCountMax
    if try Framing(head) != nil {
        _ = try decodedByteCount(head)
        limit += framingByteCountMax
    }
    if let text = head["content-length"] {
        guard let length = Int(text) else { throw .malformed(part: "Content-Length", why: "it is no number") }
        guard length <= limit else { throw .bodyTooLarge(limit: bodyByteCountMax) }
        return length == 0 ? .none : .whole(byteCountMax: limit)
    }
    return head["transfer-encoding"] == nil ? .none : .whole(byteCountMax: limit)
}

/// A client that leaves its payload out of its signature does what S3 lets every call of it do, and elsewhere
/// only operations whose model has it so. The gate signs what it has read.
private func refuseUnsignedPayload(
    _ head: RequestHead, _ operation: CatalogOperation
) throws(RecognitionError) {
    guard head.method == "PUT" || head.method == "POST", !operation.service.isS3,
        !operation.hasUnsignedPayload,
        head["x-amz-content-sha256"]?.asciiLowercased.isSame(as: "unsigned-payload") ?? false
    else { return }
    throw .unsupportedBody("an unsigned payload, which \(operation.name) does not take")
}

/// Only an upload of S3 comes in chunks: of any other call, AWS might read the framing as the body. The one
/// that streams in and is none, WriteGetObjectResponse, takes its payload unsigned by its model.
private func refuseFraming(_ operation: CatalogOperation) throws(RecognitionError) {
    guard operation.service.isS3, operation.streamsIn, !operation.hasUnsignedPayload else {
        throw .unsupportedBody("an aws-chunked body, which \(operation.name) does not take")
    }
}

/// What `request` means, and the bytes to send for it.
///
/// - Parameters:
///   - request: Its head has passed the head checks of Accepting; its body is whole.
///   - caller: Whose session the digest is bound to; its scope routes.
///   - setting: What the operator configured.
///   - catalog: What is known of AWS.
/// - Throws: ``RecognitionError``: the request is refused, not guessed at.
package func recognize(
    _ request: InboundRequest, caller: Caller, setting: RecognitionSetting, catalog: Catalog = .builtIn
) throws(RecognitionError) -> Call {
    try recognize(unframed(request), caller: caller, setting: setting, catalog: catalog)
}

/// What a request means that is out of its framing, and the bytes to send for it: its content, without the
/// framing.
///
/// - Throws: ``RecognitionError``, as for one that is in its framing still.
package func recognize(
    _ unframed: UnframedRequest, caller: Caller, setting: RecognitionSetting, catalog: Catalog = .builtIn
) throws(RecognitionError) -> Call {
    let stripped = try StrippedHead(unframed.request.head)
    let head = stripped.head
    let request = InboundRequest(head: head, body: unframed.request.body)
    let hints = try OuterHints(
        head, scope: setting.usesScope ? caller.scope : nil, hosts: setting.resourceHosts, catalog: catalog)
    let unpacked = try unpacked(request, at: hints.path)
    let legible = unpacked ?? request
    let dispatch = Dispatch(
        head: legible.head, body: legible.body, hints: hints, query: stripped.query, catalog: catalog)
    let candidates: [Candidate]
    switch try dispatch.dispatched() {
    case .candidates(let found): candidates = preferred(found)
    case .unknown(let operation):
        return try barred(operation, request: request, caller: caller, hints: hints, setting: setting)
    }
    var readings: [Reading] = []
    var refused: [(candidate: Candidate, error: RecognitionError)] = []
    for candidate in candidates {
        do throws(RecognitionError) {
            if unpacked != nil, !candidate.operation.takesGzip { try refuseEncoding(head) }
            if unframed.wasFramed { try refuseFraming(candidate.operation) }
            try refuseUnsignedPayload(head, candidate.operation)
            readings.append(
                try Reading(
                    candidate, request: legible, query: stripped.query, hints: hints, setting: setting,
                    catalog: catalog))
        } catch { refused.append((candidate, error)) }
    }
    guard let first = readings.first else {
        throw refused.first?.error ?? .unknownOperation(service: nil, method: head.method, path: head.target)
    }
    // A candidate whose shape the request does not have is none, unless it lives where the call would go:
    // what we refuse to read, the service might not.
    for (candidate, error) in refused
    where candidate.operation.endpoint(region: first.region, variant: setting.variant)?.host
        == first.endpoint.host
    {
        throw error
    }
    let standing = try settled(readings)
    return try seal(
        standing, standing.first ?? first, request: request, caller: caller, query: stripped.query,
        setting: setting)
}

/// Of several operations of one service the ones that AWS has not retired; of several services all, the one
/// that the others sign as first.
private func preferred(_ candidates: [Candidate]) -> [Candidate] {
    guard candidates.count > 1 else { return candidates }
    let current = candidates.filter { candidate in
        !candidate.operation.isDeprecated
            || !candidates.contains {
                $0.operation.service == candidate.operation.service && !$0.operation.isDeprecated
            }
    }
    let owners = current.filter { $0.operation.service.name.isSame(as: $0.operation.service.signingName) }
    return owners + current.filter { !$0.operation.service.name.isSame(as: $0.operation.service.signingName) }
}

func unique(_ texts: [String]) -> [String] {
    var kept: [String] = []
    for text in texts where !kept.contains(text) { kept.append(text) }
    return kept
}
