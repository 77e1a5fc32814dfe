import Hashing
import SigV4
import Vocabulary

/// A signature version 4 by a key of ours, as a request carries it: read strictly, and not yet verified.
///
/// - SeeAlso: THREATS.md section 4; AWS "Create a signed AWS API request".
struct PresentedSignature {
    /// How the signature covers the body.
    enum Payload {
        /// By its SHA-256, in 64 lower-case hexadecimal digits, which `x-amz-content-sha256` states.
        case stated([UInt8])
        /// By its SHA-256, which nothing states: only the body tells.
        case inferred
        /// Not at all.
        case unsigned
        /// Not at all, though it comes in chunks.
        case unsignedChunks
        /// By a signature of each chunk, which goes on from that of the head: the form that
        /// `x-amz-content-sha256` names.
        case signedChunks(String)
    }

    /// How far a client's clock may be from ours.
    static let skewMax = Duration.seconds(900)
    /// How long a presigned request may be good.
    static let lifetimeMax = Duration.seconds(7 * 86_400)

    /// Key, scope, and the names of what is signed.
    let authorization: Authorization
    let token: String
    let payload: Payload
    /// When it was signed: `20261122T083352Z`.
    let timestamp: String
    /// For how long it is good from ``date`` on; nil for a signature in the header.
    let lifetime: Duration?
    /// 64 lower-case hexadecimal digits.
    let signature: [UInt8]
    /// What the signature covers, sorted by name; `host` is among them.
    let signedFields: [HeaderField]
    private let date: Instant
    private let method: String
    private let path: String
    /// As sent, without the parameter that holds the signature itself.
    private let query: String

    var id: IssuedKeyID { authorization.id }
    var scope: SigningScope { authorization.scope }

    /// The signature in the `Authorization` that says `authorization`.
    init(
        _ authorization: Authorization, _ signature: Substring.UTF8View, _ fields: CredentialFields,
        _ head: RequestHead
    ) throws(IdentificationError) {
        try self.init(
            authorization, token: Self.token(fields.token, fields.sessionToken), timestamp: fields.date,
            lifetime: nil, signature: signature,
            payload: Self.payload(fields.contentHash, authorization.scope, isPresigned: false),
            query: head.rawQuery.map(String.init) ?? "", fields, head)
    }

    /// The signature of the presigned request whose query says `query`.
    init(
        _ id: IssuedKeyID, _ scope: SigningScope, _ query: SignatureQuery, _ fields: CredentialFields,
        _ head: RequestHead
    ) throws(IdentificationError) {
        guard try query.value("X-Amz-Algorithm")?.hasBytes(of: "AWS4-HMAC-SHA256") ?? false else {
            throw .malformed(why: "X-Amz-Algorithm must be AWS4-HMAC-SHA256")
        }
        _ = try query.value("X-Amz-Credential")
        guard let seconds = try query.value("X-Amz-Expires"), (1...6).contains(seconds.utf8.count),
            seconds.utf8.allSatisfy(\.isDigit), let count = Int(seconds), count > 0,
            .seconds(count) <= Self.lifetimeMax
        else { throw .malformed(why: "X-Amz-Expires must be 1 to 604800 seconds") }
        guard let signedHeaders = try query.value("X-Amz-SignedHeaders"),
            let signature = try query.value("X-Amz-Signature")
        else { throw .malformed(why: "the query must hold X-Amz-SignedHeaders and X-Amz-Signature") }
        guard fields.token == nil, fields.sessionToken == nil else {
            throw .malformed(why: "the session token of a presigned request must be in its query")
        }
        let token = try Self.token(
            try query.value("X-Amz-Security-Token"), try query.value("X-Amz-S3session-Token"))
        let hash = try query.value("X-Amz-Content-Sha256")
        guard fields.contentHash == nil || hash == nil else {
            throw .malformed(why: "X-Amz-Content-Sha256 is in the query and in the head")
        }
        let rest = (head.rawQuery ?? "").utf8.split(separator: 0x26, omittingEmptySubsequences: false).filter
        {
            !$0.starts(with: "X-Amz-Signature=".utf8)
        }
        try self.init(
            Authorization(id, scope, signedHeaders: signedHeaders), token: token,
            timestamp: try query.value("X-Amz-Date"), lifetime: .seconds(count),
            signature: signature[...].utf8,
            payload: Self.payload(hash ?? fields.contentHash, scope, isPresigned: true),
            query: rest.map { String(Substring($0)) }.joined(separator: "&"), fields, head)
    }

    private init(
        _ authorization: Authorization, token: String, timestamp: String?, lifetime: Duration?,
        signature: Substring.UTF8View, payload: Payload, query: String, _ fields: CredentialFields,
        _ head: RequestHead
    ) throws(IdentificationError) {
        guard let timestamp, timestamp.utf8.count == 16, let date = Instant(parsing: timestamp) else {
            throw .malformed(why: "X-Amz-Date must be there and read like 20261122T083352Z")
        }
        guard timestamp.hasPrefix(authorization.scope.day) else {
            throw .malformed(why: "the day of the credential's scope is not the day of X-Amz-Date")
        }
        guard isLowercaseSHA256(signature) else {
            throw .malformed(why: "the signature must be 64 lower-case hexadecimal digits")
        }
        (self.authorization, self.token, self.payload) = (authorization, token, payload)
        (self.timestamp, self.date, self.lifetime) = (timestamp, date, lifetime)
        self.signature = Array(signature)
        signedFields = try Self.signedFields(of: head, authorization, connection: fields.connection)
        (method, path, self.query) = (head.method, String(head.rawPath), query)
    }

    // MARK: Reading

    /// The one token: a session's, or that of S3's `CreateSession`.
    private static func token(
        _ token: String?, _ sessionToken: String?
    ) throws(IdentificationError) -> String {
        guard let found = token ?? sessionToken else {
            throw .badToken(why: "there is none, and a key of Countersign is nothing without its own")
        }
        guard token == nil || sessionToken == nil else {
            throw .malformed(why: "there are two session tokens")
        }
        return found
    }

    private static func payload(
        _ hash: String?, _ scope: SigningScope, isPresigned: Bool
    ) throws(IdentificationError) -> Payload {
        let isS3 = signsAsS3(scope.service)
        // Who presigns does not know the body yet: S3 leaves it out of the signature.
        guard let hash else { return isPresigned && isS3 ? .unsigned : .inferred }
        if isLowercaseSHA256(hash.utf8) { return .stated(Array(hash.utf8)) }
        switch hash {
        case "UNSIGNED-PAYLOAD": return .unsigned
        case "STREAMING-UNSIGNED-PAYLOAD-TRAILER" where isS3: return .unsignedChunks
        case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" where isS3,
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" where isS3:
            return .signedChunks(hash)
        default:
            throw .malformed(
                why: "x-amz-content-sha256 is neither a SHA-256 in lower-case hexadecimal digits nor a form "
                    + "that \(scope.service) takes")
        }
    }

    /// The fields that are signed, sorted as their names are: all that decide must be among them.
    private static func signedFields(
        of head: RequestHead, _ authorization: Authorization, connection: String?
    ) throws(IdentificationError) -> [HeaderField] {
        let places = authorization.places
        var found: [HeaderField?] = Array(repeating: nil, count: authorization.names.count)
        var more: [HeaderField] = []
        for field in head.fields {
            if let place = places[field.name] {
                if found[place] == nil { found[place] = field } else { more.append(field) }
            } else if field.name.utf8.starts(with: "x-amz-".utf8) {
                throw .malformed(why: "`\(shown(field.name))` is there and not among SignedHeaders")
            }
        }
        if let missing = found.firstIndex(of: nil) {
            throw .malformed(
                why: "`\(shown(authorization.names[missing]))` is among SignedHeaders and not there")
        }
        if let connection { try checkHops(connection, authorization) }
        return found.compactMap(\.self) + more
    }

    /// A field that belongs to the connection alone is not part of the call: none that is signed may be taken
    /// out of it that way.
    private static func checkHops(
        _ connection: String, _ authorization: Authorization
    ) throws(IdentificationError) {
        for hop in connection.split(separator: ",") {
            let name = String(hop.drop { $0 == " " }.prefix { $0 != " " }).asciiLowercased
            guard authorization.places[name] == nil || name == "connection" else {
                throw .malformed(why: "Connection names `\(shown(name))`, which is signed")
            }
        }
    }

    // MARK: Verifying

    /// Checks when it was signed against `wall`, the time of this host's clock.
    func checkTime(_ wall: Instant) throws(IdentificationError) {
        guard let lifetime else {
            let skew = wall.since(date)
            guard skew <= Self.skewMax, skew >= .zero - Self.skewMax else { throw .skewedClock(by: skew) }
            return
        }
        guard date.since(wall) <= Self.skewMax else { throw .skewedClock(by: wall.since(date)) }
        guard wall < date.advanced(by: lifetime) else { throw .presignedExpired(date.advanced(by: lifetime)) }
    }

    /// Whether `key`, the signing key of ``scope``, makes this signature for a body of which the canonical
    /// request says `payloadHash`.
    ///
    /// The path and the query are taken as they came, which is what most clients sign, then spelled strictly,
    /// which is what AWS itself makes of them. Both mean the same call.
    func verifies(_ key: KeyedHMAC, payloadHash: [UInt8]) -> Bool {
        let first = canonicalRequest(payloadHash: payloadHash)
        if matches(first, key) { return true }
        let isS3 = signsAsS3(scope.service)
        guard let query = strictlyEncodedQuery(query), let plain = strictlyEncodedPath(path) else {
            return false
        }
        let second = CanonicalRequest(
            method: method, path: isS3 ? plain : path, pathRule: isS3 ? .asSent : .encodedTwice,
            query: self.query.isEmpty ? "" : query, fields: signedFields, payloadHash: payloadHash)
        return second != first && matches(second, key)
    }

    /// What the client signed of what it sent, as it came.
    func canonicalRequest(payloadHash: [UInt8]) -> CanonicalRequest {
        CanonicalRequest(
            method: method, path: path, pathRule: signsAsS3(scope.service) ? .asSent : .normalized,
            query: query, fields: signedFields, payloadHash: payloadHash)
    }

    private func matches(_ canonical: CanonicalRequest, _ key: KeyedHMAC) -> Bool {
        let made = key.authenticate(stringToSign(canonical, timestamp: timestamp, scope: scope))
        return constantTimeEqual(made.lowercaseHex, signature)
    }
}

extension PathRule {
    /// As some SDKs sign for every service but S3: what was sent, encoded once more.
    fileprivate static let encodedTwice = PathRule(normalizes: false, encodesAgain: true)
}

/// Whether `text` is a SHA-256, or an HMAC of it, in its one spelling.
private func isLowercaseSHA256(_ text: some Collection<UInt8>) -> Bool {
    text.count == 64 && text.allSatisfy { $0.isDigit || (0x61...0x66).contains($0) }
}
