import Vocabulary

// What tells candidates of several services apart when method, path, query and form do not: an ARN that the
// request spells out, or that it does not matter which of them is meant.

/// Of `matches` those whose service owns the ARN that stands in the path; all of them, if none stands there
/// or no service owns it.
///
/// A hundred services have `/tags/{resourceArn}`; the ARN says whose resource it is. A service owns an ARN
/// that fits a format of its operation's own resource types with the service spelled out, else one that bears
/// its prefix.
func settledByARN(_ matches: [RestMatch]) -> [RestMatch] {
    guard let first = matches.first,
        matches.contains(where: { $0.operation.service != first.operation.service })
    else { return matches }
    func arn(_ match: RestMatch) -> ARN? { match.labels.lazy.compactMap { ARN(parsing: $0.value) }.first }
    let owners = matches.filter { match in
        arn(match).map { arn in
            match.operation.actions.contains { action in
                action.resources.contains { $0.belongs(to: arn.service) && ARNFormat($0.arnFormat).fits(arn) }
            }
        } ?? false
    }
    if !owners.isEmpty { return owners }
    let bearers = matches.filter { match in
        let service = match.operation.service
        return arn(match).map { [service.iamPrefix, service.signingName].contains($0.service) } ?? false
    }
    return bearers.isEmpty ? matches : bearers
}

/// The readings that stand together: all, if it does not matter to where the call is sent which of them is
/// meant; else those that say all and only what their models ask for, if these go to one place; else the one
/// whose service has the resource that the call names; else the first, if all of them mean the same pairs.
func settled(_ readings: [Reading]) throws(RecognitionError) -> [Reading] {
    if readings.count == 1 || areOnePlace(readings) { return readings }
    let whole = readings.filter(\.saysWhatItsModelAsks)
    if !whole.isEmpty, areOnePlace(whole) { return whole }
    let left = whole.isEmpty ? readings : whole
    if areOneMeaning(left) {
        // Policy judges all of them alike, and only the chosen one is sent: to the owner of the resource, as
        // far as its ARN tells, else to the service that the others sign as.
        let home = left.lazy.compactMap { homeService(of: $0) }.first
        return left.filter { $0.candidate.operation.service.name == home }
            + left.filter {
                $0.candidate.operation.service.name != home
            }
    }
    let services = readings.map { $0.candidate.operation.service.name }
    let names = unique(readings.map { $0.candidate.operation.name })
    throw .ambiguous(
        services: unique(services), operation: names.count == 1 ? names[0] : nil,
        settings: unique(services.map(endpointSetting)))
}

private func areOnePlace(_ readings: [Reading]) -> Bool {
    guard let first = readings.first else { return false }
    return readings.allSatisfy {
        ($0.hostPrefix + $0.endpoint.host).isSame(as: first.hostPrefix + first.endpoint.host)
            && $0.endpoint.signingName == first.endpoint.signingName
            && $0.endpoint.signingRegion == first.endpoint.signingRegion
            && $0.candidate.wireProtocol == first.candidate.wireProtocol && $0.path.isSame(as: first.path)
    }
}

/// Whether policy and approvers see the same in each of them: operation, pairs and what the reply lays open.
/// Of condition keys only those count afterwards that all say alike.
private func areOneMeaning(_ readings: [Reading]) -> Bool {
    guard let first = readings.first else { return false }
    func laysOpen(_ reading: Reading) -> [Bool] {
        let operation = reading.candidate.operation
        return [operation.vendsCredentials, operation.replyCarriesKeys, operation.isUnsignedByModel]
    }
    return readings.allSatisfy {
        $0.candidate.operation.name == first.candidate.operation.name
            && $0.candidate.wireProtocol == first.candidate.wireProtocol && $0.region == first.region
            && $0.named.pairs == first.named.pairs
            && laysOpen($0) == laysOpen(first)
    }
}

/// The service that keeps the resource whose ARN the call names, where services share a signing name and an
/// IAM prefix; nil when nothing says.
private func homeService(of reading: Reading) -> String? {
    for member in reading.parameters.members ?? [] {
        guard let arn = member.value.string.flatMap(ARN.init(parsing:)), let rows = homes[arn.service] else {
            continue
        }
        if let row = rows.first(where: { arn.resource.begins(with: $0.type) }) { return row.service }
    }
    return nil
}

/// By the service part of an ARN: how its resource part begins, and the API that keeps such resources.
///
/// - SeeAlso: Service Authorization Reference, "Resource types" of Amazon Bedrock, Amazon Chime, Amazon IVS,
///   Amazon Lex, Amazon Lex V2 and Amazon Timestream; the API References' lists of endpoints.
private let homes: [String: [(type: String, service: String)]] = [
    "bedrock": [
        ("agent/", "bedrock-agent"), ("agent-alias/", "bedrock-agent"), ("flow/", "bedrock-agent"),
        ("knowledge-base/", "bedrock-agent"), ("prompt/", "bedrock-agent"),
        ("session/", "bedrock-agent-runtime"), ("data-automation-project/", "bedrock-data-automation"),
        ("blueprint/", "bedrock-data-automation"),
    ],
    "chime": [
        ("meeting/", "chime-sdk-meetings"), ("media-pipeline/", "chime-sdk-media-pipelines"),
        ("media-insights-pipeline-configuration/", "chime-sdk-media-pipelines"),
        ("media-pipeline-kinesis-video-stream-pool/", "chime-sdk-media-pipelines"),
        ("vc/", "chime-sdk-voice"), ("sma/", "chime-sdk-voice"),
        ("voice-profile", "chime-sdk-voice"), ("app-instance/", "chime-sdk-identity"),
    ],
    "ivs": [
        ("stage/", "ivs-realtime"), ("composition/", "ivs-realtime"), ("public-key/", "ivs-realtime"),
        ("encoder-configuration/", "ivs-realtime"), ("storage-configuration/", "ivs-realtime"),
        ("ingest-configuration/", "ivs-realtime"), ("", "ivs"),
    ],
    "lex": [
        ("bot/", "lexv2-models"), ("bot-alias/", "lexv2-models"), ("test-set/", "lexv2-models"),
        ("bot:", "lex-models"), ("bot-channel:", "lex-models"),
    ],
    "timestream": [("scheduled-query/", "timestream-query"), ("database/", "timestream-write")],
]

extension CatalogResource {
    /// Whether the format spells out `service` as its third part.
    fileprivate func belongs(to service: String) -> Bool {
        let parts = arnFormat.parts(by: 0x3A, maxSplits: 3)
        return parts.count > 2 && parts[2] == service
    }
}
