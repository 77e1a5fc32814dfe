import Vocabulary

/// One operation that a request may be, with what its protocol said so far.
struct Candidate {
    let operation: CatalogOperation
    let wireProtocol: WireProtocol
    /// Path labels by wire name, decoded once.
    var labels: [(name: String, value: String)] = []
    /// The form of a query or ec2 call, without Action and Version.
    var form: [QueryItem] = []
    /// The path of a query call that goes to a queue's own URL: `/111122223333/orders`.
    var queuePath: String?
}

/// Finds the operations that a request may be by its dispatch key: target, CBOR path, Action and Version,
/// else its REST binding.
///
/// Exactly one key may be there. All candidates fit everything that the outside says.
struct Dispatch {
    let head: RequestHead
    let body: [UInt8]
    let hints: OuterHints
    /// Decoded once; the fields of a signature are left out.
    let query: [QueryItem]
    let catalog: Catalog

    func candidates() throws(RecognitionError) -> [Candidate] {
        let keyed = try byKey()
        guard let label = hints.hostLabel else {
            if let keyed { return keyed }
            return try byBinding(path: hints.path) { _ in true }
        }
        // What stands before the host is the host prefix of the operation, or else an S3 bucket.
        let prefixed = keyed ?? (try? byBinding(path: hints.path) { !$0.isS3 }) ?? []
        let fitting = prefixed.filter { $0.operation.hostPrefix.map { mayBe(label, $0) } ?? false }
        if !fitting.isEmpty { return fitting }
        let bucket = String(label.dropLast())
        guard keyed == nil, label.hasSuffix("."), isBucketName(bucket) else {
            throw .disagreement(
                "`\(shown(label))` in Host is neither a bucket nor the host prefix of the operation")
        }
        return try byBinding(path: "/" + percentEncoded(bucket) + hints.path) { $0.isS3 }
    }

    /// The operations that a target, a CBOR path or an Action name; nil when there is none of these.
    private func byKey() throws(RecognitionError) -> [Candidate]? {
        let isForm =
            head["content-type"].map { mediaType($0) == "application/x-www-form-urlencoded" } ?? false
        let form = isForm && !body.isEmpty && isAtRoot ? try formItems() : []
        let hasAction = (form + query).contains { $0.name.asciiLowercased == "action" }
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
        guard let text = String(validating: body, as: UTF8.self) else {
            throw .malformed(part: "the form", why: "it is not UTF-8")
        }
        return try queryItems(text, part: "the form")
    }

    private func fits(_ operation: CatalogOperation) -> Bool {
        hints.services?.contains(operation.service) ?? true
    }

    // MARK: Keys

    private func byTarget(_ target: String) throws(RecognitionError) -> [Candidate] {
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
        guard !named.isEmpty else { throw .unknownOperation(service: nil, method: "POST", path: target) }
        let found = named.filter(fits)
        guard !found.isEmpty else {
            throw .disagreement(
                "X-Amz-Target names \(named[0].service.name); the credential scope, Host or path "
                    + "prefix another service"
            )
        }
        return found.map { Candidate(operation: $0, wireProtocol: wire) }
    }

    private func byCBORPath(_ path: String) throws(RecognitionError) -> [Candidate] {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard head.method == "POST", parts.count == 5, parts[1] == "service", parts[3] == "operation",
            query.isEmpty,
            head["smithy-protocol"] == "rpc-v2-cbor"
        else {
            throw .malformed(
                part: "the request line", why: "a CBOR call is a POST to /service/NAME/operation/NAME")
        }
        let named = catalog.operation(cborService: parts[2], operation: parts[4])
        guard !named.isEmpty else { throw .unknownOperation(service: nil, method: "POST", path: path) }
        let found = named.filter(fits)
        guard !found.isEmpty else {
            throw .disagreement("the CBOR path and the credential scope or Host name different services")
        }
        return found.map { Candidate(operation: $0, wireProtocol: .rpcV2CBOR) }
    }

    private func byAction(form: [QueryItem], isForm: Bool) throws(RecognitionError) -> [Candidate] {
        guard form.count <= formItemCountMax else {
            throw .malformed(part: "the form", why: "it has more than \(formItemCountMax) items")
        }
        guard form.isEmpty || query.isEmpty else {
            throw .malformed(part: "the query", why: "parameters stand both in the query and in the form")
        }
        guard head.method == "POST" || head.method == "GET",
            isAtRoot
        else {
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
            throw .unknownOperation(
                service: nil, method: head.method, path: "Action=\(action)&Version=\(version)")
        }
        let found = named.filter(fits)
        guard !found.isEmpty else {
            throw .disagreement(
                "Action and Version name \(named[0].service.name); the credential scope, Host or "
                    + "path prefix another service"
            )
        }
        let queuePath = hints.path.isEmpty || hints.path.isSame(as: "/") ? nil : hints.path
        guard queuePath == nil || found.allSatisfy({ $0.service.name == "sqs" }) else {
            throw .malformed(part: "the path", why: "only a call of SQS goes to the path of a queue")
        }
        let rest = items.filter { $0.name != "Action" && $0.name != "Version" }
        return found.map {
            Candidate(
                operation: $0, wireProtocol: $0.service.protocols.contains(.ec2) ? .ec2 : .query, form: rest,
                queuePath: queuePath)
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
        let request = RestRequest(
            method: head.method, path: path.isEmpty ? "/" : path,
            query: query.map { ($0.name, $0.value) }, headers: Set(head.fields.map(\.name)))
        let matches: [RestMatch]
        do {
            matches = try Router(catalog).restCandidates(for: request, signedAs: signer) { service in
                isCandidate(service) && hints.services?.contains(service) ?? true
            }
        } catch { throw .malformed(part: "the path", why: "\(error)") }
        guard !matches.isEmpty else {
            let service = hints.services.flatMap { $0.count == 1 ? $0[0].name : nil }
            throw .unknownOperation(service: service, method: head.method, path: head.target)
        }
        if let unknown = matches[0].unknownQuery.first(where: { $0 != "x-id" }),
            matches.allSatisfy({ !$0.unknownQuery.isEmpty })
        {
            throw .malformed(
                part: "the query", why: "no operation at this path has a parameter `\(shown(unknown))`")
        }
        return matches.map { match in
            let wire: WireProtocol =
                match.operation.service.protocols.contains(.restXML) ? .restXML : .restJSON
            return Candidate(operation: match.operation, wireProtocol: wire, labels: match.labels)
        }
    }

    /// A prefix or a host names the service as surely as a scope does.
    private var signer: String? {
        hints.signedAs
            ?? hints.services.flatMap { services in services.count == 1 ? services[0].signingName : nil }
    }
}

/// Whether `label` has the form of `prefix`, whose `{Name}` stand for one label: `111122223333.` of
/// `{AccountId}.`.
private func mayBe(_ label: String, _ prefix: String) -> Bool {
    guard let open = prefix.firstIndex(of: "{"), let close = prefix.firstIndex(of: "}") else {
        return label.isSame(as: prefix)
    }
    let end = prefix[prefix.index(after: close)...]
    guard label.hasPrefix(String(prefix[..<open])), label.hasSuffix(String(end)) else { return false }
    let value = label.utf8.dropFirst(prefix[..<open].utf8.count).dropLast(end.utf8.count)
    return !value.isEmpty && !value.contains(0x2E)
}

/// Whether `label` can be a bucket in a host name.
private func isBucketName(_ label: String) -> Bool {
    (3...63).contains(label.utf8.count) && !label.contains("..") && label.utf8.first != 0x2E
        && label.utf8.allSatisfy { $0.isLowerAlphanumeric || $0 == 0x2D || $0 == 0x2E || $0 == 0x5F }
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
/// `Action[]`, and the fields of a signature.
private func checkFormNames(_ items: [QueryItem]) throws(RecognitionError) {
    var seen: Set<[UInt8]> = []
    for item in items {
        guard seen.insert(Array(item.name.utf8)).inserted else {
            throw .malformed(part: "the form", why: "`\(shown(item.name))` is there twice")
        }
        let first = item.name.prefix { $0 != "." }
        let isKey = ["action", "version", "operation"].contains(String(first).caseFolded)
        guard item.name.isName(others: "._-", lengthMax: 1024),
            !isKey || item.name.isSame(as: "Action") || item.name.isSame(as: "Version")
        else { throw .malformed(part: "the form", why: "`\(shown(item.name))` is no name of a parameter") }
        // SimpleDB's own way to sign, and a presigned form: a signature that is not ours would go along.
        let lower = item.name.asciiLowercased
        guard !["awsaccesskeyid", "signature", "signaturemethod"].contains(lower), !lower.hasPrefix("x-amz-")
        else {
            throw .malformed(
                part: "the form", why: "it holds a signature, which is neither checked nor sent")
        }
    }
}

/// The most items of a form; the largest batches of AWS have some thousand.
let formItemCountMax = 20_000

/// Query names that carry a signature or a time-out of one; they are stripped, and nothing is decided by
/// them.
let signatureQueryNames: Set<String> = [
    "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders",
    "x-amz-signature",
    "x-amz-security-token", "x-amz-content-sha256", "awsaccesskeyid", "signature", "expires",
]
