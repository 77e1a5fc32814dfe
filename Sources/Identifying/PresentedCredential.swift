import SigV4
import Vocabulary

/// The credential that a request carries, read and not yet verified.
enum PresentedCredential {
    case none
    /// The documented dummy key `unsigned`, with the scope it signs for (SigV2 has none) and its session
    /// token.
    case dummy(scope: CredentialScope?, token: String?)
    /// A signature version 4 by a key of ours, in `Authorization` or in the query.
    case issued(PresentedSignature)
    /// A presigned URL of S3's signature version 2 by a key of ours.
    case issuedOldURL(OldSignature)

    /// The one credential in `head`: in `Authorization`, or in the query.
    ///
    /// - Throws: ``IdentificationError`` for a key that is neither the dummy nor ours, for a credential in
    ///   both places, and for one that cannot be read.
    init(
        _ head: RequestHead, _ fields: CredentialFields, known: inout KnownAuthorizations
    ) throws(IdentificationError) {
        let query = try SignatureQuery(head.rawQuery)
        switch (fields.authorization, query) {
        case (nil, nil):
            guard fields.token == nil, fields.sessionToken == nil else {
                throw .foreignCredential("an x-amz-security-token without a signature")
            }
            self = .none
        case (.some, .some):
            throw .malformed(why: "there is a credential in the header and another in the query")
        case (.some(let text), nil):
            switch try known.read(text) {
            case .dummy(let scope): self = .dummy(scope: scope, token: fields.token)
            case .issued(let authorization, let signature):
                self = .issued(try PresentedSignature(authorization, signature, fields, head))
            }
        case (nil, .some(let query)): self = try Self.inQuery(query, fields, head)
        }
    }

    private static func inQuery(
        _ query: SignatureQuery, _ fields: CredentialFields, _ head: RequestHead
    ) throws(IdentificationError) -> PresentedCredential {
        switch query.key {
        case .version4(let credential):
            guard let (id, scope) = try parsed(credential: credential) else {
                return .dummy(scope: try dummyScope(credential), token: try query.token(beside: fields))
            }
            return .issued(try PresentedSignature(id, scope, query, fields, head))
        case .version2(let key):
            guard let id = try issuedID(key) else {
                return .dummy(scope: nil, token: try query.token(beside: fields))
            }
            return .issuedOldURL(try OldSignature(id, query, head))
        }
    }
}

/// The fields of a head that say who signed it, found in one pass: every call goes through here.
struct CredentialFields {
    private(set) var authorization: String?
    private(set) var token: String?
    /// The token of S3's `CreateSession`.
    private(set) var sessionToken: String?
    private(set) var date: String?
    private(set) var contentHash: String?
    private(set) var connection: String?

    /// - Throws: ``IdentificationError/malformed(why:)`` for a field that is there twice, and for those of
    ///   web pages.
    init(_ head: RequestHead) throws(IdentificationError) {
        for field in head.fields {
            let name = field.name
            switch name.utf8.count {
            case 6 where name == "origin": throw Self.fromWebPage
            case 10 where name == "x-amz-date": try Self.set(&date, field)
            case 10 where name == "connection": try Self.set(&connection, field)
            case 13 where name == "authorization": try Self.set(&authorization, field)
            case 20 where name == "x-amz-security-token": try Self.set(&token, field)
            case 20 where name == "x-amz-content-sha256": try Self.set(&contentHash, field)
            case 21 where name == "x-amz-s3session-token": try Self.set(&sessionToken, field)
            case 9... where name.hasPrefix("sec-fetch-"): throw Self.fromWebPage
            default: continue
            }
        }
    }

    // A page that a browser shows on this host reaches loopback too, an image's address even without an
    // Origin: `GET /?Action=…` is a call. No AWS client sends any of these.
    private static let fromWebPage = IdentificationError.malformed(
        why: "it carries Origin or Sec-Fetch fields, as web pages send them")

    private static func set(
        _ value: inout String?, _ field: HeaderField
    ) throws(IdentificationError) {
        guard value == nil else { throw .malformed(why: "the field `\(field.name)` is there twice") }
        value = field.value
    }
}

/// The parameters of a presigned request that belong to its signature, by their names in lower case.
struct SignatureQuery {
    enum Key {
        /// `KEY/DATE/REGION/SERVICE/aws4_request`.
        case version4(String)
        /// The bare key id.
        case version2(String)
    }

    let key: Key
    private let values: [String: (spelling: String, value: String)]

    /// Nil for a query without a key id.
    ///
    /// - Throws: ``IdentificationError/malformed(why:)`` for two key ids, a parameter that is there twice,
    ///   and a signature or token without a key id.
    init?(_ query: Substring?) throws(IdentificationError) {
        guard let query, !query.isEmpty else { return nil }
        var values: [String: (spelling: String, value: String)] = [:]
        var twice: String?
        for item in query.utf8.split(separator: 0x26) {
            // Which parameter it is, is seen before the costlier decoding: most are none of these.
            let mark = item.firstIndex(of: 0x3D) ?? item.endIndex
            guard let name = percentDecoded(Substring(item[..<mark])) else { continue }
            let known = name.asciiLowercased
            guard Self.names.contains(known) else { continue }
            guard let value = percentDecoded(Substring(item[mark...].dropFirst())) else { continue }
            let spelling = String(Substring(item[..<mark]))
            if values.updateValue((spelling, value), forKey: known) != nil { twice = name }
        }
        switch (values["x-amz-credential"]?.value, values["awsaccesskeyid"]?.value) {
        case (nil, nil):
            let parts = ["x-amz-signature", "x-amz-algorithm", "signature", "x-amz-security-token"]
            guard !parts.contains(where: { values[$0] != nil }) else {
                throw .malformed(why: "the query holds a signature or session token without a key id")
            }
            return nil
        case (.some, .some): throw .malformed(why: "the query holds two credentials")
        case (.some(let text), nil): key = .version4(text)
        case (nil, .some(let text)): key = .version2(text)
        }
        if let twice { throw .malformed(why: "the query holds `\(shown(twice))` twice") }
        self.values = values
    }

    /// The value of the parameter `name`, which must be spelled just so; nil when it is not there.
    ///
    /// - Throws: ``IdentificationError/malformed(why:)`` for another spelling of the name.
    func value(_ name: String) throws(IdentificationError) -> String? {
        guard let found = values[name.asciiLowercased] else { return nil }
        guard found.spelling.hasBytes(of: name) else {
            throw .malformed(why: "the query spells `\(name)` as `\(shown(found.spelling))`")
        }
        return found.value
    }

    /// The session token, in the query or beside it in the head, not in both.
    func token(beside fields: CredentialFields) throws(IdentificationError) -> String? {
        guard let value = values["x-amz-security-token"]?.value else { return fields.token }
        guard fields.token == nil else {
            throw .malformed(why: "there is a session token in the header and another in the query")
        }
        return value
    }

    static let names: Set<String> = [
        "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders",
        "x-amz-security-token", "x-amz-s3session-token", "x-amz-signature", "x-amz-content-sha256",
        "awsaccesskeyid", "signature", "expires",
    ]
}

extension RequestHead {
    /// The value of the field `name`, which may be there once.
    func sole(_ name: String) throws(IdentificationError) -> String? {
        var found: String?
        for field in fields where field.name == name {
            guard found == nil else { throw .malformed(why: "the field `\(name)` is there twice") }
            found = field.value
        }
        return found
    }
}

// MARK: - Keys

/// The id of a key of ours; nil for the dummy key `unsigned`, documented in docs/agents.md.
///
/// - Throws: ``IdentificationError`` for any other key.
func issuedID(_ key: String) throws(IdentificationError) -> IssuedKeyID? {
    if key == "unsigned" { return nil }
    if let id = IssuedKeyID(parsing: key) { return id }
    if key.hasPrefix(IssuedKeyID.prefix) {
        throw .malformed(why: "its access key id begins as those of Countersign do and is none")
    }
    if key.hasPrefix("AKIA") || key.hasPrefix("ASIA") {
        throw .realKey(id: key.utf8.count > 12 ? "\(key.prefix(4))…\(key.suffix(4))" : "\(key.prefix(4))…")
    }
    throw .foreignCredential("a signature by a key that Countersign did not issue")
}

/// Key and scope in `KEY/DATE/REGION/SERVICE/aws4_request`; nil when the key is the dummy.
func parsed(
    credential text: String
) throws(IdentificationError) -> (id: IssuedKeyID, scope: SigningScope)? {
    let key = String(text.prefix { $0 != "/" })
    guard let id = try issuedID(key) else { return nil }
    return (id, try scope(text, of: "CSAK…"))
}

func dummyScope(_ text: String) throws(IdentificationError) -> CredentialScope {
    let scope = try scope(text, of: "unsigned")
    return CredentialScope(region: scope.region, service: scope.service.asciiLowercased)
}

private func scope(_ text: String, of key: String) throws(IdentificationError) -> SigningScope {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 5, parts[4] == "aws4_request", parts[1].utf8.count == 8,
        parts[1].utf8.allSatisfy(\.isDigit)
    else { throw .malformed(why: "the credential must read `\(key)/DATE/REGION/SERVICE/aws4_request`") }
    let region = parts[2]
    let service = parts[3]
    guard (1...64).contains(region.utf8.count),
        region.utf8.allSatisfy({ $0.isLowerAlphanumeric || $0 == 0x2D || $0 == 0x2A }),
        (1...64).contains(service.utf8.count),
        service.utf8.allSatisfy({ $0.isAlphanumeric || $0 == 0x2D || $0 == 0x2E })
    else { throw .malformed(why: "the credential's region or service is no such name") }
    return SigningScope(day: parts[1], region: region, service: service)
}
