import Hashing
import Vocabulary

/// The most bytes of a body that is read whole.
package let bodyByteCountMax = 10 << 20

/// How the body of a request is to be read.
///
/// - Throws: ``RecognitionError/bodyTooLarge(limit:)`` for a Content-Length over the limit,
///   ``RecognitionError/unsupportedBody(_:)`` for aws-chunked bodies, unsigned payloads and content encodings
///   that are not unpacked.
package func bodyPlan(_ head: RequestHead, setting: RecognitionSetting) throws(RecognitionError) -> BodyPlan {
    let limit = "the limit is \(bodyByteCountMax >> 20) MiB, read whole and signed"
    let encodings = (head["content-encoding"] ?? "").split(separator: ",").map { mediaType(String($0)) }
    let hash = head["x-amz-content-sha256"] ?? ""
    if encodings.contains("aws-chunked") || head["x-amz-decoded-content-length"] != nil
        || hash.hasPrefix("STREAMING-")
    {
        throw .unsupportedBody(
            "an aws-chunked upload (\(limit)); payload signing instead of chunked or trailer "
                + "uploads avoids it, such as "
                + "request_checksum_calculation = when_required")
    }
    if hash == "UNSIGNED-PAYLOAD", head.method == "PUT" || head.method == "POST" {
        throw .unsupportedBody(
            "an unsigned payload (\(limit)); payload_signing_enabled = true in the client's s3 "
                + "settings signs it"
        )
    }
    if let text = head["content-length"] {
        guard let length = Int(text) else { throw .malformed(part: "Content-Length", why: "it is no number") }
        guard length <= bodyByteCountMax else { throw .bodyTooLarge(limit: bodyByteCountMax) }
        return length == 0 ? .none : .whole(byteCountMax: bodyByteCountMax)
    }
    return head["transfer-encoding"] == nil ? .none : .whole(byteCountMax: bodyByteCountMax)
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
    let head = request.head
    let hints = try OuterHints(head, scope: setting.usesScope ? caller.scope : nil, catalog: catalog)
    let query = try strippedQuery(head)
    let dispatch = Dispatch(head: head, body: request.body, hints: hints, query: query, catalog: catalog)
    var readings: [Reading] = []
    var refusal: RecognitionError?
    for candidate in preferred(try dispatch.candidates()) {
        do throws(RecognitionError) {
            readings.append(
                try Reading(
                    candidate, request: request, query: query, hints: hints, setting: setting,
                    catalog: catalog))
        } catch {
            // A candidate whose shape the request does not have is none; if none is left, the first one's
            // refusal is told.
            refusal = refusal ?? error
        }
    }
    guard let first = readings.first else {
        throw refusal ?? .unknownOperation(service: nil, method: head.method, path: head.target)
    }
    try settle(readings)
    return try seal(readings, first, request: request, caller: caller, query: query, setting: setting)
}

/// Of several operations of one service the ones that AWS has not retired; of several services all.
private func preferred(_ candidates: [Candidate]) -> [Candidate] {
    let current = candidates.filter { candidate in
        !candidate.operation.isDeprecated
            || !candidates.contains {
                $0.operation.service == candidate.operation.service && !$0.operation.isDeprecated
            }
    }
    return current.isEmpty ? candidates : current
}

/// Several readings may stand together only if it does not matter to where the call is sent which of them is
/// meant.
private func settle(_ readings: [Reading]) throws(RecognitionError) {
    guard readings.count > 1, let first = readings.first else { return }
    let isOnePlace = readings.allSatisfy {
        $0.endpoint == first.endpoint && $0.hostPrefix == first.hostPrefix
            && $0.candidate.wireProtocol == first.candidate.wireProtocol
            && $0.path.isSame(as: first.path)
    }
    guard isOnePlace else {
        let services = readings.map { $0.candidate.operation.service.name }
        let names = readings.map { $0.candidate.operation.name }
        throw .ambiguous(
            services: unique(services), operation: unique(names).count == 1 ? names[0] : nil,
            settings: unique(
                services.map { "AWS_ENDPOINT_URL_" + endpointVariable($0) + "=http://HOST:PORT/_aws/\($0)" }))
    }
}

/// `bedrock-agent` as botocore names it in `AWS_ENDPOINT_URL_BEDROCK_AGENT`.
private func endpointVariable(_ service: String) -> String {
    service.uppercased().map { $0 == "-" || $0 == " " ? "_" : String($0) }.joined()
}

func unique(_ texts: [String]) -> [String] {
    var kept: [String] = []
    for text in texts where !kept.contains(text) { kept.append(text) }
    return kept
}

/// The query's items without the fields of a presigned request's signature, which `identify` has read.
///
/// - Throws: ``RecognitionError/malformed(part:why:)`` for bad escapes.
private func strippedQuery(_ head: RequestHead) throws(RecognitionError) -> [QueryItem] {
    let items = try queryItems(head.rawQuery ?? "", part: "the query")
    let isPresigned = items.contains {
        ["x-amz-credential", "awsaccesskeyid", "x-amz-signature"].contains($0.name.asciiLowercased)
    }
    guard isPresigned else { return items }
    return items.filter { !signatureQueryNames.contains($0.name.asciiLowercased) }
}
