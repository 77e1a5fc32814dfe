import Hashing
import Vocabulary

/// A rejection as `debug recognize` prints it.
package struct PrintedRejection: Error, Hashable, Sendable {
    package let status: Int
    package let code: String
    package let message: String

    package init(status: Int, code: String, message: String) {
        self.status = status
        self.code = code
        self.message = message
    }
}

/// What `debug recognize` runs of the rooms around this one, so that it answers as the gate does.
package struct SurroundingRooms {
    /// Accepting's head checks: the head, or what is at fault.
    package let head:
        (_ method: String, _ target: String, _ fields: [(name: String, value: String)]) -> Result<
            RequestHead, PrintedRejection
        >
    /// The gate's words for a rejection of ours.
    package let words: (RecognitionError) -> PrintedRejection

    package init(
        head:
            @escaping (String, String, [(name: String, value: String)]) -> Result<
                RequestHead, PrintedRejection
            >,
        words: @escaping (RecognitionError) -> PrintedRejection
    ) {
        self.head = head
        self.words = words
    }
}

/// The answer to one line of `debug recognize --jsonl`, without a line break.
///
/// In: `{"id","method","target","headers":[[name,value],…],"body_b64"}`, unknown members refused, `body_b64`
/// may be missing. Out:
/// `{"id","service","operation","region","pairs":[{"action","resource","level"}],"digest"}`, with
/// `candidates` when there are further services and `never_sent` with the reason when no policy can let it
/// through, or `{"id","error":{"status","code","message"}}`, with
/// `candidates` when the services are told apart by nothing. The identity of the caller is not looked at: the
/// credential's scope counts whatever its key, if `setting` says that scopes do.
package func recognizeLine(
    _ line: [UInt8], setting: RecognitionSetting, rooms: SurroundingRooms, catalog: Catalog = .builtIn
) -> [UInt8] {
    var id = JSON.null
    do {
        let given = try LineInput(line)
        id = given.id
        let call = try given.recognized(setting: setting, rooms: rooms, catalog: catalog)
        return printed(call.meaning, id: id).line
    } catch {
        var members: [JSON.Member] = [.init("id", id)]
        if let input = error as? LineError {
            members.append(.init("error", rejection(.init(status: 400, code: "BadLine", message: input.why))))
        } else if let printed = error as? PrintedRejection {
            members.append(.init("error", rejection(printed)))
        } else if let error = error as? RecognitionError {
            var told = rejection(rooms.words(error)).members ?? []
            if case .ambiguous(let services, _, _) = error {
                told.append(.init("candidates", .strings(services)))
            }
            members.append(.init("error", .object(told)))
        }
        return JSON.object(members).line
    }
}

private struct LineError: Error {
    let why: String
}

private struct LineInput {
    let id: JSON
    let method: String
    let target: String
    let fields: [(name: String, value: String)]
    let body: [UInt8]

    init(_ line: [UInt8]) throws {
        let json: JSON
        do { json = try JSON(parsing: line) } catch {
            throw LineError(why: "the line is not JSON: \(words(error))")
        }
        let known = ["id", "method", "target", "headers", "body_b64"]
        guard let members = json.members, members.allSatisfy({ known.contains($0.name) }) else {
            throw LineError(why: "the line is not an object with id, method, target, headers and body_b64")
        }
        guard let method = json["method"]?.string, let target = json["target"]?.string,
            let rows = json["headers"]?.array
        else { throw LineError(why: "method, target or headers is missing") }
        var fields: [(name: String, value: String)] = []
        for row in rows {
            guard let pair = row.array, pair.count == 2, let name = pair[0].string, let value = pair[1].string
            else {
                throw LineError(why: "headers is not a list of pairs of name and value")
            }
            fields.append((name, value))
        }
        var body: [UInt8] = []
        switch json["body_b64"] {
        case nil, .null?: break
        case .string(let text)?:
            guard let decoded = Base64.decode(text.utf8) else {
                throw LineError(why: "body_b64 is not base64")
            }
            body = decoded
        default: throw LineError(why: "body_b64 is no text")
        }
        id = json["id"] ?? .null
        self.method = method
        self.target = target
        self.fields = fields
        self.body = body
    }

    func recognized(setting: RecognitionSetting, rooms: SurroundingRooms, catalog: Catalog) throws -> Call {
        let head = try rooms.head(method, target, fields).get()
        var limit = bodyByteCountMax
        if case .whole(let byteCountMax) = try bodyPlan(head, setting: setting) { limit = byteCountMax }
        guard body.count <= limit else { throw RecognitionError.bodyTooLarge(limit: bodyByteCountMax) }
        if let length = head["content-length"], length != String(body.count) {
            throw RecognitionError.malformed(
                part: "the body", why: "it has \(body.count) bytes, Content-Length says \(length)")
        }
        let caller = Caller(
            agent: try AgentName(parsing: "local"), session: SessionID(random: 0), strength: .listener,
            task: nil,
            reason: nil, scope: try claimedScope(head))
        return try recognize(
            InboundRequest(head: head, body: body), caller: caller, setting: setting, catalog: catalog)
    }
}

/// The scope of the credential in `head`, whoever's it is; nil when there is none, or none with a scope.
func claimedScope(_ head: RequestHead) throws(RecognitionError) -> CredentialScope? {
    var credentials: [Substring] = []
    if let text = head["authorization"] {
        credentials += text.split(whereSeparator: { $0 == " " || $0 == "," }).filter {
            $0.hasPrefix("Credential=")
        }
        .map { $0.dropFirst(11) }
    }
    for item in try queryItems(head.rawQuery ?? "", part: "the query")
    where item.name.asciiLowercased.isSame(as: "x-amz-credential") {
        credentials.append((item.value ?? "")[...])
    }
    guard let credential = credentials.first else { return nil }
    let parts = credential.split(separator: "/", omittingEmptySubsequences: false)
    guard credentials.count == 1, parts.count == 5, parts[4].utf8.elementsEqual("aws4_request".utf8) else {
        throw .malformed(
            part: "the credential", why: "it does not read `KEY/DATE/REGION/SERVICE/aws4_request`")
    }
    return CredentialScope(region: String(parts[2]), service: String(parts[3]).asciiLowercased)
}

private func rejection(_ told: PrintedRejection) -> JSON {
    ["status": .integer(told.status), "code": .string(told.code), "message": .string(told.message)]
}

private func printed(_ meaning: Meaning, id: JSON) -> JSON {
    var members: [JSON.Member] = [
        .init("id", id), .init("service", .string(meaning.service)),
        .init("operation", .string(meaning.operation)),
        .init("region", .string(meaning.region)),
        .init(
            "pairs",
            .array(
                meaning.pairs.map { pair in
                    [
                        "action": .string(pair.action.description),
                        "resource": .string(pair.resource.description),
                        "level": .string(pair.level.description),
                    ]
                })),
        .init("digest", .string(meaning.digest.hex)),
    ]
    if let bar = meaning.bar { members.append(.init("never_sent", .string(bar.rawValue))) }
    if !meaning.candidates.isEmpty { members.append(.init("candidates", .strings(meaning.candidates))) }
    return .object(members)
}
