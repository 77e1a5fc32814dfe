import Hashing
import Vocabulary

/// One candidate, read: its parameters, its pairs and where it goes.
struct Reading {
    let candidate: Candidate
    let parameters: JSON
    let named: NamedPairs
    let region: String
    let partition: String
    let account: String
    let endpoint: CatalogEndpoint
    let hostPrefix: String
    /// The path to send, percent-encoded.
    let path: String
    /// Fields that are sent beside the client's own: what holds the call to what it is judged as.
    let pins: [HeaderField]

    init(
        _ candidate: Candidate, request: InboundRequest, query: [QueryItem], hints: OuterHints,
        setting: RecognitionSetting, catalog: Catalog
    ) throws(RecognitionError) {
        let operation = candidate.operation
        let service = operation.service
        let variant = setting.variant
        guard let named = hints.region ?? setting.region ?? globalRegion(service, variant) else {
            throw .noRegion(service: service.name)
        }
        let parameters = try OutpostNaming.parameters(
            readParameters(candidate, request: request, query: query), of: operation, head: request.head)
        let route = try S3Route(
            operation, parameters, region: named, variant: variant, account: setting.account, catalog: catalog
        )
        let region = route?.region ?? named
        let listed = hints.resourceHosts.first { $0.service.isSame(as: service.name) }
        guard let partition = catalog.partition(region: region),
            let endpoint = listed.map(CatalogEndpoint.init)
                ?? route?.endpoint ?? operation.endpoint(region: region, variant: variant)
                ?? keyValueStore(service, region)
        else {
            throw .noEndpoint(service: service.name, region: region, variant: variant)
        }
        self.candidate = candidate
        self.region = region
        self.partition = partition
        self.endpoint = endpoint
        account = setting.account ?? ""
        self.parameters = parameters
        let keepsPrefix = listed == nil && route?.isOutpost != true
        let ownPrefix = keepsPrefix ? try filledHostPrefix(operation, parameters) : ""
        if listed == nil { try checkHost(hints, operation, ownPrefix) }
        let path = try endpoint.basePath + sentPath(candidate, hints: hints)
        // An endpoint of the operator's that stands for all of AWS takes the bucket in the path.
        let holdsBucket = setting.upstream == .aws && route?.label.isEmpty == false
        self.path = holdsBucket ? withoutBucket(path) : path
        hostPrefix = ownPrefix + (route?.label ?? "")
        pins = route?.pins ?? []
        self.named = try namePairs(
            CallFacts(
                model: operation, parameters: parameters, partition: partition, region: region,
                account: setting.account, host: listed))
    }
}

/// The host of CloudFront's key value stores, which lies in no region and takes SigV4A alone: calls of it are
/// named, and never sent.
private func keyValueStore(_ service: CatalogService, _ region: String) -> CatalogEndpoint? {
    guard service.name.isSame(as: "cloudfront-keyvaluestore") else { return nil }
    return CatalogEndpoint(
        host: "cloudfront-kvs.global.api.aws", signingName: service.signingName, signingRegion: region,
        usesSigV4a: true)
}

/// `path` without its first segment, which stands in the host.
private func withoutBucket(_ path: String) -> String {
    let rest = path.utf8.dropFirst().drop { $0 != 0x2F }
    return rest.isEmpty ? "/" : String(decoding: rest, as: UTF8.self)
}

/// What stands before the host must be the operation's own host prefix; before S3's it may be a bucket.
private func checkHost(
    _ hints: OuterHints, _ operation: CatalogOperation, _ hostPrefix: String
) throws(RecognitionError) {
    // Nearly every call: nothing stands before this machine's name.
    if hints.hostLabels.contains(where: { $0.services == nil && $0.text == nil }) { return }
    let labels = hints.labels(of: operation.service)
    let said = labels.compactMap(\.self)
    guard said.count == labels.count, !operation.service.isS3 || operation.hostPrefix != nil else { return }
    let own = hostPrefix.asciiLowercased
    guard said.contains(where: { own.isSame(as: $0) }) else {
        throw .disagreement(
            "Host begins with `\(shown(said.first ?? ""))`, the operation's own host with "
                + "`\(shown(hostPrefix))`")
    }
}

extension Reading {
    /// Why the call is never sent, whatever policy says.
    var bar: SendingBar? {
        let operation = candidate.operation
        if operation.isUnsignedByModel { return .unsignedByModel }
        if operation.service.takesBearerTokens { return .bearerToken }
        if endpoint.usesSigV4a { return .signatureV4a }
        if operation.service.isS3, operation.name.isSame(as: "CreateSession") { return .session }
        return operation.service.needsSignatureV2 ? .signatureV2 : nil
    }

    /// Whether every member that its model requires is there, and no member that it does not have.
    var saysWhatItsModelAsks: Bool {
        let members = parameters.members ?? []
        guard let shape = candidate.operation.input else { return members.isEmpty }
        return members.allSatisfy { !$0.name.hasPrefix(unmodeled("")) }
            && shape.members.allSatisfy { !$0.isRequired || parameters[$0.name] != nil }
    }
}

/// The region of a service that has one everywhere, when nothing names any.
func globalRegion(_ service: CatalogService, _ variant: EndpointVariant) -> String? {
    guard let east = service.endpoint(region: "us-east-1", variant: variant),
        let west = service.endpoint(region: "us-west-2", variant: variant),
        east.signingRegion == west.signingRegion, east.host == west.host
    else { return nil }
    return east.signingRegion
}

/// The operation's host prefix with its labels filled; empty when it has none.
private func filledHostPrefix(_ operation: CatalogOperation, _ parameters: JSON) throws(RecognitionError)
    -> String
{
    guard let prefix = operation.hostPrefix else { return "" }
    var filled = ""
    for piece in prefix.split(separator: "{", omittingEmptySubsequences: false) {
        guard let end = piece.firstIndex(of: "}") else {
            filled += piece
            continue
        }
        let name = String(piece[..<end])
        // The host of a key value store begins with the account of its ARN.
        let text = parameters[name]?.string
        guard let value = text.flatMap(ARN.init(parsing:))?.account ?? text,
            (1...63).contains(value.utf8.count),
            value.utf8.allSatisfy({ $0.isAlphanumeric || $0 == 0x2D })
        else {
            throw .malformed(
                part: "`\(name)`", why: "it stands in the host name and must be 1 to 63 letters, digits and -"
            )
        }
        filled += value + piece[piece.index(after: end)...]
    }
    return filled
}

/// The path of the operation's own form: `/` for RPC protocols; for REST the template with its labels,
/// encoded anew.
private func sentPath(_ candidate: Candidate, hints: OuterHints) throws(RecognitionError) -> String {
    switch candidate.wireProtocol {
    case .awsJSON10, .awsJSON11, .ec2: return "/"
    // The path of a queue's URL says which queue is meant; it is sent as it was judged.
    case .query: return candidate.queuePath.map { percentEncoded($0, keepsSlash: true) } ?? "/"
    case .rpcV2CBOR: return hints.path
    case .restJSON, .restXML: break
    }
    let isS3 = candidate.operation.service.isS3
    var bytes: [UInt8] = []
    bytes.reserveCapacity(256)
    var rest = Array(candidate.operation.uriTemplate.utf8).prefix { $0 != 0x3F }
    while let open = rest.firstIndex(of: 0x7B), let close = rest[open...].firstIndex(of: 0x7D) {
        bytes += rest[..<open]
        var name = rest[(open + 1)..<close]
        let isGreedy = name.last == 0x2B
        if isGreedy { name.removeLast() }
        func malformed(_ why: String) -> RecognitionError {
            .malformed(part: "the path", why: "`\(String(decoding: name, as: UTF8.self))` \(why)")
        }
        guard let value = candidate.labels.first(where: { $0.name.utf8.elementsEqual(name) })?.value else {
            throw malformed("is missing")
        }
        guard isS3 || isGreedy || !["", ".", ".."].contains(value) else { throw malformed("is no name") }
        guard !value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
            throw malformed("holds a control character")
        }
        bytes += percentEncoded(value, keepsSlash: isGreedy).utf8
        rest = rest[(close + 1)...]
    }
    bytes += rest
    let path = String(decoding: bytes, as: UTF8.self)
    if isS3, climbs(path) { throw .malformed(part: "the path", why: "it climbs above the bucket") }
    // S3 takes `/bucket` and `/bucket/` for one; every template of S3 is without the slash.
    return path.isEmpty ? "/" : path
}

/// Whether dot segments lead above the first segment.
func climbs(_ path: String) -> Bool {
    // Nearly every path has no segment that begins with a dot.
    var last: UInt8 = 0x2F
    let hasDot = path.utf8.contains { byte in
        defer { last = byte }
        return byte == 0x2E && last == 0x2F
    }
    guard hasDot else { return false }
    var depth = 0
    for segment in path.utf8.split(separator: 0x2F, omittingEmptySubsequences: true) {
        if segment.elementsEqual("..".utf8) {
            depth -= 1
        } else if !segment.elementsEqual(".".utf8) {
            depth += 1
        }
        if depth < 1 { return true }
    }
    return false
}
