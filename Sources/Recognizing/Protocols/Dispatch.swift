import Vocabulary

/// One operation that a request may be, with what its protocol said so far.
struct Candidate {
    let operation: CatalogOperation
    let wireProtocol: WireProtocol
    /// Path labels by wire name, decoded once.
    var labels: [(name: String, value: String)] = []
    /// The form of a query or ec2 call, without Action and Version; of a REST call one that stands for its
    /// query.
    var form: [QueryItem] = []
    /// The path of a query call that goes to a queue's own URL: `/111122223333/orders`.
    var queuePath: String?
}

/// An operation that a dispatch key names and the service's model does not have.
struct UnknownOperation {
    let service: CatalogService
    let name: String
    let wireProtocol: WireProtocol
}

/// What a request's dispatch key, or its REST binding, says.
enum Dispatched {
    /// Never empty: each fits everything that the outside says.
    case candidates([Candidate])
    /// The key is of a service that we know, and names an operation that we do not.
    case unknown(UnknownOperation)
}

/// Finds the operations that a request may be by its dispatch key: target, CBOR path, Action and Version,
/// else its REST binding.
///
/// Exactly one key may be there.
struct Dispatch {
    let head: RequestHead
    let body: [UInt8]
    let hints: OuterHints
    /// Decoded once; the fields of a signature are left out.
    let query: [QueryItem]
    let catalog: Catalog

    func dispatched() throws(RecognitionError) -> Dispatched {
        var keyed: [Candidate]?
        switch try byKey() {
        case .unknown(let operation)?: return .unknown(operation)
        case .candidates(let found)?: keyed = found
        case nil: break
        }
        guard hints.hostLabels.contains(where: { $0.text != nil }) else {
            if let keyed { return .candidates(keyed) }
            return .candidates(try byBinding(path: hints.path) { _ in true })
        }
        // What stands before the host is the host prefix of the operation, or else an S3 bucket.
        let prefixed = keyed ?? (try? byBinding(path: hints.path) { _ in true }) ?? []
        let fitting = prefixed.filter { candidate in
            hints.hostLabels.contains { $0.admits(candidate.operation) }
        }
        if !fitting.isEmpty { return .candidates(fitting) }
        guard keyed == nil, let bucket = hints.hostLabels.lazy.compactMap(\.bucket).first else {
            let label = hints.hostLabels.lazy.compactMap(\.text).first ?? ""
            throw .disagreement(
                "`\(shown(label))` in Host is neither a bucket nor the host prefix of the operation")
        }
        return .candidates(try byBinding(path: "/" + percentEncoded(bucket) + hints.path) { $0.isS3 })
    }

    /// What a target, a CBOR path or an Action names; nil when there is none of these.
    private func byKey() throws(RecognitionError) -> Dispatched? {
        let isForm =
            head["content-type"].map { mediaType($0) == "application/x-www-form-urlencoded" } ?? false
        let form = isForm && !body.isEmpty && isAtRoot ? try formItems() : []
        func isAction(_ item: QueryItem) -> Bool { item.name.asciiLowercased == "action" }
        let hasAction = form.contains(where: isAction) || query.contains(where: isAction)
        if let target = head["x-amz-target"] {
            guard !hasAction, !isForm, head["smithy-protocol"] == nil else {
                throw .disagreement("the call has an X-Amz-Target and an Action or Smithy-Protocol")
            }
            return try byTarget(target)
        }
        let path = hints.path
        if head["smithy-protocol"] != nil {
            guard !hasAction else { throw .disagreement("the call has a CBOR path and an Action") }
            return try byCBORPath(path)
        }
        return hasAction && isAtRoot ? try byAction(form: form, isForm: isForm) : nil
    }

    private func formItems() throws(RecognitionError) -> [QueryItem] {
        guard body.allSatisfy({ $0 < 0x80 }) || String(validating: body, as: UTF8.self) != nil else {
            throw .malformed(part: "the form", why: "it is not UTF-8")
        }
        return try queryItems(body[...], part: "the form")
    }

    private func fits(_ service: CatalogService) -> Bool { hints.services?.contains(service) ?? true }

    // MARK: Keys

    private func byTarget(_ target: String) throws(RecognitionError) -> Dispatched {
        guard head.method == "POST", hints.path == "/" || hints.path.isEmpty, query.isEmpty else {
            throw .malformed(
                part: "the request line", why: "a call with X-Amz-Target is a POST to `/` without a query")
        }
        let type = head["content-type"].map(mediaType) ?? ""
        let wire: WireProtocol
        switch type {
        case "application/x-amz-json-1.0": wire = .awsJSON10
        case "application/x-amz-json-1.1": wire = .awsJSON11
        default:
            throw .malformed(
                part: "Content-Type", why: "a call with X-Amz-Target holds application/x-amz-json-1.0 or -1.1"
            )
        }
        let named = catalog.operation(target: target)
        guard !named.isEmpty else {
            let dot = target.lastIndex(of: ".") ?? target.endIndex
            let services = catalog.services.filter { service in
                (service.protocols.contains(.awsJSON10) || service.protocols.contains(.awsJSON11))
                    && service.record.optionalText(12)?.equals(target[..<dot]) ?? false
            }
            return try unknown(
                String(target[dot...].dropFirst()), among: services, wire, key: "X-Amz-Target", text: target)
        }
        return try agreeing(named, "X-Amz-Target") { Candidate(operation: $0, wireProtocol: wire) }
    }

    private func byCBORPath(_ path: String) throws(RecognitionError) -> Dispatched {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard head.method == "POST", parts.count == 5, parts[1] == "service", parts[3] == "operation",
            query.isEmpty,
            head["smithy-protocol"] == "rpc-v2-cbor"
        else {
            throw .malformed(
                part: "the request line", why: "a CBOR call is a POST to /service/NAME/operation/NAME")
        }
        let named = catalog.operation(cborService: parts[2], operation: parts[4])
        guard !named.isEmpty else {
            let services = catalog.services.filter { service in
                service.protocols.contains(.rpcV2CBOR)
                    && service.record.optionalText(12)?.equals(parts[2]) ?? false
            }
            return try unknown(parts[4], among: services, .rpcV2CBOR, key: "the CBOR path", text: path)
        }
        return try agreeing(named, "the CBOR path") { Candidate(operation: $0, wireProtocol: .rpcV2CBOR) }
    }

    private func byAction(form: [QueryItem], isForm: Bool) throws(RecognitionError) -> Dispatched {
        guard form.count <= formItemCountMax else {
            throw .malformed(part: "the form", why: "it has more than \(formItemCountMax) items")
        }
        guard form.isEmpty || query.isEmpty else {
            throw .malformed(part: "the query", why: "parameters stand both in the query and in the form")
        }
        guard head.method == "POST" || head.method == "GET", isAtRoot else {
            throw .malformed(part: "the request line", why: "a call with an Action is a POST or GET to `/`")
        }
        guard isForm || body.isEmpty else {
            throw .malformed(part: "Content-Type", why: "a call with an Action holds a form")
        }
        guard head.method == "POST" || body.isEmpty else {
            throw .malformed(part: "the body", why: "a GET with an Action has none")
        }
        let items = form + query
        try checkFormNames(items)
        guard let action = items.first(where: { $0.name == "Action" })?.value else {
            throw .malformed(part: "the form", why: "`Action` is missing")
        }
        guard let version = items.first(where: { $0.name == "Version" })?.value else {
            throw .malformed(part: "the form", why: "`Version` is missing")
        }
        let named = catalog.operations(action: action, version: version)
        guard !named.isEmpty else {
            let services = catalog.services.filter { service in
                (service.protocols.contains(.query) || service.protocols.contains(.ec2))
                    && service.record.text(9).equals(version)
            }
            let wire: WireProtocol = services.contains { $0.protocols.contains(.ec2) } ? .ec2 : .query
            return try unknown(
                action, among: services, wire, key: "Version",
                text: "Action=\(action)&Version=\(version)")
        }
        var rest = items.filter { $0.name != "Action" && $0.name != "Version" }
        // SimpleDB's own way to sign; such a call is never sent. Anywhere else the signature would go along.
        if named.allSatisfy(\.service.needsSignatureV2) {
            rest.removeAll { signatureV2Fields.contains($0.name) }
        }
        try refuseSignature(rest)
        let queuePath = hints.path.isEmpty || hints.path.isSame(as: "/") ? nil : hints.path
        guard queuePath == nil || named.allSatisfy({ $0.service.name == "sqs" }) else {
            throw .malformed(part: "the path", why: "only a call of SQS goes to the path of a queue")
        }
        return try agreeing(named, "Action and Version") {
            Candidate(
                operation: $0, wireProtocol: $0.service.protocols.contains(.ec2) ? .ec2 : .query, form: rest,
                queuePath: queuePath)
        }
    }

    /// Those of `named`, never empty, whose service the outside allows.
    private func agreeing(
        _ named: [CatalogOperation], _ key: String, _ candidate: (CatalogOperation) -> Candidate
    ) throws(RecognitionError) -> Dispatched {
        let found = named.filter { fits($0.service) }
        guard !found.isEmpty else { throw foreign(key, named[0].service) }
        return .candidates(found.map(candidate))
    }

    private func foreign(_ key: String, _ service: CatalogService) -> RecognitionError {
        .disagreement(
            "\(key) names \(service.name); the credential scope, Host or path prefix another service")
    }

    /// The operation `name`, which none of `services` has, though the key of the call is theirs.
    private func unknown(
        _ name: String, among services: [CatalogService], _ wire: WireProtocol, key: String, text: String
    ) throws(RecognitionError) -> Dispatched {
        guard let any = services.first, (1...128).contains(name.utf8.count),
            name.utf8.allSatisfy(\.isAlphanumeric),
            !isMisspelled(name, services, hasVersion: key == "Version")
        else { throw .unknownOperation(service: nil, method: head.method, path: text) }
        let found = services.filter(fits)
        guard let first = found.first else { throw foreign(key, any) }
        // Services that share an IAM prefix would name the action alike.
        guard found.allSatisfy({ $0.iamPrefix == first.iamPrefix }) else {
            throw .ambiguous(
                services: found.map(\.name), operation: name,
                settings: found.map { endpointSetting($0.name) })
        }
        return .unknown(UnknownOperation(service: first, name: name, wireProtocol: wire))
    }

    /// Whether `name` is no new operation: one that we know in another case, or with another Version.
    private func isMisspelled(_ name: String, _ services: [CatalogService], hasVersion: Bool) -> Bool {
        if hasVersion, !catalog.operations(action: name, version: nil).isEmpty { return true }
        return services.contains { service in
            service.operations.contains { $0.record.text(0).equalsIgnoringCase(name) }
        }
    }

    /// Whether the path is where a call with an Action goes: `/`, or for SQS the path of a queue's URL.
    private var isAtRoot: Bool {
        if hints.path.isEmpty || hints.path.isSame(as: "/") { return true }
        let parts = hints.path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 2 && parts[0].utf8.count == 12 && parts[0].utf8.allSatisfy(\.isDigit)
            && hints.services?.contains { $0.name == "sqs" } ?? true
    }

    private func byBinding(
        path: String, among isCandidate: (CatalogService) -> Bool
    ) throws(RecognitionError) -> [Candidate] {
        let form = try searchForm()
        let request = RestRequest(
            method: form == nil ? head.method : "GET", path: path.isEmpty ? "/" : path,
            query: (form ?? query).map { ($0.name, $0.value) }, headers: head.fields.map(\.name))
        let matches: [RestMatch]
        // Asked for each of many services: of all that is here, only this goes along.
        let services = hints.services
        do {
            matches = try Router(catalog).restCandidates(
                for: request, signedAs: signer, atHostsOf: hints.resourceHosts.map(\.service)
            ) { service in
                isCandidate(service) && services?.contains(service) ?? true
            }
        } catch { throw .malformed(part: "the path", why: "\(error)") }
        guard !matches.isEmpty else {
            let service = hints.services.flatMap { $0.count == 1 ? $0[0].name : nil }
            if let service, HostNaming.ownsEveryPath.contains(service), hints.resourceHosts.isEmpty {
                throw .malformed(
                    part: "the path",
                    why: "\(service) is called at /_aws/\(service)/HOST, with a host that the operator lists "
                        + "(resource-host)")
            }
            throw .unknownOperation(service: service, method: head.method, path: head.target)
        }
        if let unknown = matches[0].unknownQuery.first(where: { $0 != "x-id" }),
            matches.allSatisfy({ !$0.unknownQuery.isEmpty })
        {
            throw .malformed(
                part: "the query", why: "no operation at this path has a parameter `\(shown(unknown))`")
        }
        return settledByARN(matches).map { match in
            let wire: WireProtocol =
                match.operation.service.protocols.contains(.restXML) ? .restXML : .restJSON
            return Candidate(
                operation: match.operation, wireProtocol: wire, labels: match.labels, form: form ?? [])
        }
    }

    /// The form of a long search in CloudSearch, which is sent as a POST and holds what else is the query;
    /// nil for any other call.
    ///
    /// - SeeAlso: Amazon CloudSearch Developer Guide, "Submitting Search Requests".
    private func searchForm() throws(RecognitionError) -> [QueryItem]? {
        guard head.method == "POST", hints.path.isSame(as: "/2013-01-01/search"), !body.isEmpty,
            hints.services?.contains(where: { $0.name == "cloudsearchdomain" }) ?? false,
            head["content-type"].map({ mediaType($0) == "application/x-www-form-urlencoded" }) ?? false
        else { return nil }
        guard query.isEmpty else {
            throw .malformed(part: "the query", why: "parameters stand both in the query and in the form")
        }
        let items = try formItems()
        guard items.count <= formItemCountMax else {
            throw .malformed(part: "the form", why: "it has more than \(formItemCountMax) items")
        }
        try refuseSignature(items)
        return items
    }

    /// A prefix or a host names the service as surely as a scope does.
    private var signer: String? {
        hints.signedAs
            ?? hints.services.flatMap { services in services.count == 1 ? services[0].signingName : nil }
    }
}

/// `text` up to the first `;`, lower case, without blanks at its ends.
func mediaType(_ text: String) -> String {
    // Most are bare and in lower case already.
    if text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x3B && !(0x41...0x5A).contains($0) }) {
        return text
    }
    let type = text.prefix { $0 != ";" }
    let bytes = Array(type.utf8).drop { $0 == 0x20 || $0 == 0x09 }
    return String(decoding: bytes.reversed().drop { $0 == 0x20 || $0 == 0x09 }.reversed(), as: UTF8.self)
        .asciiLowercased
}

/// Refuses names of a form that could be read as another name: one that is there twice, `action`, `Action.1`,
/// `Action[]`.
private func checkFormNames(_ items: [QueryItem]) throws(RecognitionError) {
    var seen = Set<ExactText>(minimumCapacity: items.count)
    for item in items {
        guard seen.insert(ExactText(item.name)).inserted else {
            throw .malformed(part: "the form", why: "`\(shown(item.name))` is there twice")
        }
        guard item.name.isName(others: "._-", lengthMax: 1024),
            !isKey(item.name) || item.name.isSame(as: "Action") || item.name.isSame(as: "Version")
        else { throw .malformed(part: "the form", why: "`\(shown(item.name))` is no name of a parameter") }
    }
}

/// Whether `name`, of ASCII, begins with one of the keys of a form, in any case.
private func isKey(_ name: String) -> Bool {
    let first = name.utf8.prefix { $0 != 0x2E }
    return ["action", "version", "operation"].contains { key in
        first.elementsEqual(key.utf8) { $0.lowercased == $1 }
    }
}

/// A signature in the form, SimpleDB's or a presigned form's, is neither checked nor sent.
private func refuseSignature(_ items: [QueryItem]) throws(RecognitionError) {
    let isSigned = items.contains { item in
        let name = item.name.utf8
        func begins(with mark: String) -> Bool {
            name.count >= mark.utf8.count && zip(name, mark.utf8).allSatisfy { $0.lowercased == $1 }
        }
        return begins(with: "x-amz-")
            || ["awsaccesskeyid", "signature", "signaturemethod"].contains { mark in
                name.count == mark.utf8.count && begins(with: mark)
            }
    }
    guard !isSigned else {
        throw .malformed(part: "the form", why: "it holds a signature, which is neither checked nor sent")
    }
}

/// All that belongs to a signature of version 2.
///
/// - SeeAlso: Amazon SimpleDB Developer Guide, "Common Request Parameters".
private let signatureV2Fields: Set<String> = [
    "AWSAccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "Timestamp", "SecurityToken",
]

/// The most items of a form; the largest batches of AWS have some thousand.
let formItemCountMax = 20_000

/// Query names that carry a signature or a time-out of one; they are stripped, and nothing is decided by
/// them.
let signatureQueryNames: Set<String> = [
    "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders",
    "x-amz-signature",
    "x-amz-security-token", "x-amz-content-sha256", "awsaccesskeyid", "signature", "expires",
]
