import Hashing
import Vocabulary

/// All parameters of `candidate` by their model names: path labels, query, header fields and body.
///
/// - Throws: ``RecognitionError`` for whatever the protocol does not allow, for parameters of another type
///   than the model's, and for query names that the operation does not have.
func readParameters(
    _ candidate: Candidate, request: InboundRequest, query: [QueryItem]
) throws(RecognitionError) -> JSON {
    let shape = candidate.operation.input
    switch candidate.wireProtocol {
    case .awsJSON10, .awsJSON11:
        try refuseEncoding(request.head)
        try refuseCharset(request.head)
        guard let json = try jsonBody(request.body) else { return .object([]) }
        guard json.members != nil else { throw .malformed(part: "the JSON body", why: "it is not an object") }
        guard let shape else { return json }
        return try ShapeReader(part: "the JSON body", usesWireNames: true).read(json, as: shape, at: "")
    case .rpcV2CBOR:
        try refuseEncoding(request.head)
        if request.body.isEmpty { return .object([]) }
        guard request.head["content-type"].map(mediaType) == "application/cbor" else {
            throw .malformed(part: "Content-Type", why: "a CBOR call holds application/cbor")
        }
        let json = try CBORReader.parse(request.body)
        guard json.members != nil else { throw .malformed(part: "the CBOR body", why: "it is not a map") }
        guard let shape else { return json }
        return try ShapeReader(part: "the CBOR body", usesWireNames: false).read(json, as: shape, at: "")
    case .query, .ec2:
        try refuseEncoding(request.head)
        try refuseCharset(request.head)
        let read = try FormReader(isEC2: candidate.wireProtocol == .ec2).read(candidate.form, as: shape)
        return try candidate.queuePath.map { path throws(RecognitionError) in
            try withQueue(path, read, candidate.operation)
        } ?? read
    case .restJSON, .restXML:
        guard candidate.form.isEmpty else {
            try refuseEncoding(request.head)
            try refuseCharset(request.head)
            let bare = InboundRequest(head: request.head, body: [])
            return try RestReader(candidate: candidate, request: bare, query: candidate.form).read()
        }
        return try RestReader(candidate: candidate, request: request, query: query).read()
    }
}

/// An encoding that was not undone before (``unpacked(_:at:)``): what is not read is not sent.
func refuseEncoding(_ head: RequestHead) throws(RecognitionError) {
    if let encoding = head["content-encoding"], !encoding.isEmpty, mediaType(encoding) != "identity" {
        throw .unsupportedBody(
            "content encoding `\(shown(encoding))`; AWS_DISABLE_REQUEST_COMPRESSION=true in the "
                + "client avoids it"
        )
    }
}

/// A text in another character set would be read as another text than ours.
private func refuseCharset(_ head: RequestHead) throws(RecognitionError) {
    guard let type = head["content-type"], type.utf8.contains(0x3B) else { return }
    for parameter in type.split(separator: ";").dropFirst() {
        let sides = parameter.split(separator: "=", maxSplits: 1).map { mediaType(String($0)) }
        guard sides.first == "charset" else { continue }
        let known = ["utf-8", "utf8", "us-ascii"]
        guard sides.count == 2, known.contains(where: { sides[1] == $0 || sides[1] == "\"\($0)\"" }) else {
            throw .malformed(part: "Content-Type", why: "the character set is not UTF-8")
        }
    }
}

/// The parameters `read` of a call of SQS that was sent to the path of a queue: the queue is that one, and a
/// `QueueUrl` beside it must name it, too.
private func withQueue(
    _ path: String, _ read: JSON, _ operation: CatalogOperation
) throws(RecognitionError) -> JSON {
    guard operation.input?.member(named: "QueueUrl") != nil else {
        throw .malformed(part: "the path", why: "\(operation.name) is not sent to a queue")
    }
    if let url = read["QueueUrl"] {
        guard let text = url.string, text.ends(with: path) else {
            throw .malformed(part: "`QueueUrl`", why: "it names another queue than the path")
        }
        return read
    }
    return .object([.init("QueueUrl", .string(path))] + (read.members ?? []))
}

private func jsonBody(_ body: [UInt8]) throws(RecognitionError) -> JSON? {
    if body.isEmpty { return nil }
    do { return try JSON(parsing: body) } catch { throw .malformed(part: "the JSON body", why: words(error)) }
}

/// A JSON error in a reader's words.
func words(_ error: JSONError) -> String {
    switch error {
    case .unexpected(let at): "it is not JSON at byte \(at)"
    case .badText(let at): "its text is not UTF-8 at byte \(at)"
    case .duplicateName(let name, let at): "`\(shown(String(name.prefix(64))))` is there twice, at byte \(at)"
    case .tooDeep(let at): "it is nested deeper than \(JSON.depthMax) at byte \(at)"
    case .tooMany(let at): "it has more than \(JSON.nodeCountMax) values at byte \(at)"
    }
}

/// Reads a REST call: each member from where the model binds it.
private struct RestReader {
    let candidate: Candidate
    let request: InboundRequest
    let query: [QueryItem]

    func read() throws(RecognitionError) -> JSON {
        guard let shape = candidate.operation.input else {
            try refuseBody()
            try refuseQuery(known: [])
            return .object([])
        }
        var members: [JSON.Member] = []
        var queryNames = query.isEmpty ? [] : candidate.operation.queryLiterals.map(\.name)
        var (map, hasPayload, hasBodyMembers): (CatalogMember?, Bool, Bool) = (nil, false, false)
        for member in shape.members {
            switch member.location {
            case .uri:
                let name = member.wireText
                guard let label = candidate.labels.first(where: { name.equals($0.name) }) else { continue }
                members.append(
                    .init(
                        member.name,
                        try scalar(label.value, as: member.shape, part: "the path", name: member.name)))
            case .query:
                if !query.isEmpty { queryNames.append(member.wireName) }
                if let value = try fromQuery(member) { members.append(.init(member.name, value)) }
            case .header: if let value = try fromHeader(member) { members.append(.init(member.name, value)) }
            case .headers: if let value = fromHeaders(member) { members.append(.init(member.name, value)) }
            case .payload:
                hasPayload = true
                if let value = try fromPayload(member) { members.append(.init(member.name, value)) }
            case .queryMap: map = map ?? member
            case .body: hasBodyMembers = true
            }
        }
        if let map {
            let rest = query.filter { item in
                !queryNames.contains { $0.isSame(as: item.name) } && item.name != "x-id"
            }
            if !rest.isEmpty { members.append(.init(map.name, try queryMap(rest))) }
        } else {
            try refuseQuery(known: queryNames)
        }
        if !hasPayload {
            if hasBodyMembers { members += try document(shape).members ?? [] } else { try refuseBody() }
        }
        return .object(members)
    }

    // MARK: Query and header

    private func fromQuery(_ member: CatalogMember) throws(RecognitionError) -> JSON? {
        let name = member.wireText
        guard query.contains(where: { name.equals($0.name) }) else { return nil }
        let found = query.filter { name.equals($0.name) }
        guard let first = found.first else { return nil }
        if member.shape.kind == .list, let element = member.shape.element {
            var elements: [JSON] = []
            for item in found {
                elements.append(
                    try scalar(item.value ?? "", as: element, part: "the query", name: member.wireName))
            }
            return .array(elements)
        }
        guard found.count == 1 else {
            throw .malformed(part: "the query", why: "`\(shown(member.wireName))` is there twice")
        }
        // `DELETE /bucket/key?uploadId=`: an aborted upload, or a deleted object? It depends on who reads it.
        guard !member.isRequired || first.value?.isEmpty == false else {
            throw .malformed(part: "the query", why: "`\(shown(member.wireName))` is empty")
        }
        return try scalar(first.value ?? "", as: member.shape, part: "the query", name: member.wireName)
    }

    private func queryMap(_ items: [QueryItem]) throws(RecognitionError) -> JSON {
        var members: [JSON.Member] = []
        for item in items {
            guard !members.contains(where: { $0.name.isSame(as: item.name) }) else {
                throw .malformed(part: "the query", why: "`\(shown(item.name))` is there twice")
            }
            members.append(.init(item.name, .string(item.value ?? "")))
        }
        return .object(members)
    }

    /// Every name must be one that the operation has, and stand once unless it is a list.
    private func refuseQuery(known: [String]) throws(RecognitionError) {
        for item in query where item.name != "x-id" {
            guard known.contains(where: { $0.isSame(as: item.name) }) else {
                throw .malformed(
                    part: "the query",
                    why: "\(candidate.operation.name) has no parameter `\(shown(item.name))`")
            }
        }
        guard query.filter({ $0.name == "x-id" }).count <= 1 else {
            throw .malformed(part: "the query", why: "`x-id` is there twice")
        }
        for literal in query.isEmpty ? [] : candidate.operation.queryLiterals {
            let found = query.filter { $0.name.isSame(as: literal.name) }
            guard found.count <= 1 else {
                throw .malformed(part: "the query", why: "`\(literal.name)` is there twice")
            }
            // A subresource carries no value of its own; `uploads` and `uploads=` are one.
            if let value = found.first?.value, !value.isEmpty, literal.value == nil {
                throw .malformed(part: "the query", why: "`\(literal.name)` takes no value")
            }
        }
    }

    private func fromHeader(_ member: CatalogMember) throws(RecognitionError) -> JSON? {
        let name = member.wireText
        guard let place = request.head.fields.firstIndex(where: { name.equalsIgnoringCase($0.name) }) else {
            return nil
        }
        let first = request.head.fields[place].value
        guard !request.head.fields[(place + 1)...].contains(where: { name.equalsIgnoringCase($0.name) })
        else {
            throw .malformed(part: "the header", why: "`\(member.wireName)` is there twice")
        }
        if member.shape.kind == .list {
            return .array(first.split(separator: ",").map { .string(String($0.drop { $0 == " " })) })
        }
        if member.isJSONValue { return .string(first) }
        return try scalar(first, as: member.shape, part: "the header", name: member.wireName)
    }

    private func fromHeaders(_ member: CatalogMember) -> JSON? {
        let prefix = member.wireName.asciiLowercased
        let found = request.head.fields.filter {
            $0.name.begins(with: prefix) && $0.name.utf8.count > prefix.utf8.count
        }
        guard !found.isEmpty else { return nil }
        return .object(found.map { .init(String($0.name.dropFirst(prefix.count)), .string($0.value)) })
    }

    // MARK: Body

    private func refuseBody() throws(RecognitionError) {
        guard request.body.isEmpty else {
            throw .malformed(part: "the body", why: "\(candidate.operation.name) takes none")
        }
    }

    private func fromPayload(_ member: CatalogMember) throws(RecognitionError) -> JSON? {
        if request.body.isEmpty { return nil }
        switch member.shape.kind {
        case .structure, .list, .map, .document:
            try refuseForeignType()
            if candidate.wireProtocol == .restXML {
                let root = try XMLElement(parsing: request.body)
                guard root.name.isSame(as: member.wireName) else {
                    throw .malformed(
                        part: "the XML body",
                        why: "its root is `\(shown(root.name))` and not `\(member.wireName)`")
                }
                return try Recognizing.parameters(root, as: member.shape)
            }
            guard let json = try jsonBody(request.body) else { return nil }
            return try ShapeReader(part: "the JSON body", usesWireNames: true).read(
                json, as: member.shape, at: member.name)
        case .string:
            // A policy document or the like: it decides, so it is shown whole.
            try refuseEncoding(request.head)
            try refuseCharset(request.head)
            guard let text = String(validating: request.body, as: UTF8.self) else {
                throw .malformed(part: "the body", why: "it is not UTF-8")
            }
            return .string(text)
        default:
            // The encoding of object data is metadata of the object.
            if !candidate.operation.service.isS3 { try refuseEncoding(request.head) }
            return opaque(request.body)
        }
    }

    /// A document that a head calls another protocol's is refused: one request, one protocol.
    private func refuseForeignType() throws(RecognitionError) {
        try refuseEncoding(request.head)
        try refuseCharset(request.head)
        guard let type = request.head["content-type"].map(mediaType) else { return }
        let isXML = candidate.wireProtocol == .restXML
        let foreign =
            isXML
            ? ["application/json", "application/x-amz-json-1.0", "application/x-amz-json-1.1"]
            : ["application/xml", "text/xml"]
        guard
            !(foreign + ["application/x-www-form-urlencoded", "application/cbor", "multipart/form-data"])
                .contains(type)
        else {
            throw .malformed(
                part: "Content-Type",
                why: "\(candidate.operation.name) holds \(isXML ? "XML" : "JSON"), not `\(shown(type))`")
        }
    }

    /// The body of members that are bound nowhere else.
    private func document(_ shape: CatalogShape) throws(RecognitionError) -> JSON {
        if request.body.isEmpty { return .object([]) }
        try refuseForeignType()
        if candidate.wireProtocol == .restXML {
            return try Recognizing.parameters(XMLElement(parsing: request.body), as: shape)
        }
        guard let json = try jsonBody(request.body) else { return .object([]) }
        guard json.members != nil else { throw .malformed(part: "the JSON body", why: "it is not an object") }
        return try ShapeReader(part: "the JSON body", usesWireNames: true).read(json, as: shape, at: "")
    }
}

/// What stands for a payload that is not read: its SHA-256 and length.
private func opaque(_ body: [UInt8]) -> JSON {
    .object([.init("sha256", .string(sha256(body).hex)), .init("bytes", .integer(body.count))])
}
