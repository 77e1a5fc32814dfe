import Vocabulary

/// The credential that a request carries, as far as this version takes any.
enum PresentedCredential: Hashable {
    case none
    /// The documented dummy key `unsigned`, with the scope it signs for (SigV2 has none) and its session
    /// token.
    case dummy(scope: CredentialScope?, token: String?)

    /// The one credential in `head`: in `Authorization`, or in the query.
    ///
    /// - Throws: ``IdentificationError`` for any but the dummy key, for a credential in both places, and for
    ///   one that cannot be read.
    init(_ head: RequestHead) throws(IdentificationError) {
        let header = head.values(of: "authorization")
        let query = try QueryCredential(head.rawQuery)
        guard header.count <= 1 else {
            throw .malformed(why: "there are \(header.count) authorization headers")
        }
        let token = head["x-amz-security-token"]
        switch (header.first, query) {
        case (nil, nil):
            guard token == nil else {
                throw .foreignCredential("an x-amz-security-token without a signature")
            }
            self = .none
        case (.some, .some):
            throw .malformed(why: "there is a credential in the header and another in the query")
        case (.some(let text), nil): self = .dummy(scope: try scope(inAuthorization: text), token: token)
        case (nil, .some(let credential)):
            guard token == nil || credential.token == nil else {
                throw .malformed(why: "there is a session token in the header and another in the query")
            }
            self = .dummy(scope: credential.scope, token: credential.token ?? token)
        }
    }
}

/// A presigned request's credential with the dummy key, SigV4 or SigV2.
private struct QueryCredential {
    var scope: CredentialScope?
    var token: String?

    init?(_ query: Substring?) throws(IdentificationError) {
        var credential: String?
        var legacyKey: String?
        var isSigned = false
        for item in (query ?? "").split(separator: "&") {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = percentDecoded(parts[0]),
                let value = percentDecoded(parts.count > 1 ? parts[1] : "")
            else { continue }
            switch name.asciiLowercased {
            case "x-amz-credential":
                guard credential == nil else {
                    throw .malformed(why: "the query holds X-Amz-Credential twice")
                }
                credential = value
            case "awsaccesskeyid":
                guard legacyKey == nil else { throw .malformed(why: "the query holds AWSAccessKeyId twice") }
                legacyKey = value
            case "x-amz-security-token": token = value
            case "x-amz-signature", "x-amz-algorithm", "signature": isSigned = true
            default: continue
            }
        }
        switch (credential, legacyKey) {
        case (nil, nil):
            guard !isSigned, token == nil else {
                throw .malformed(why: "the query holds a signature or session token without a key id")
            }
            return nil
        case (.some, .some): throw .malformed(why: "the query holds two credentials")
        case (.some(let text), nil): scope = try CredentialScope(credential: text)
        case (nil, .some(let key)): try requireDummy(key)
        }
    }
}

/// The scope in an `Authorization` value, which must be SigV4 with the dummy key.
private func scope(inAuthorization text: String) throws(IdentificationError) -> CredentialScope {
    let algorithm = "AWS4-HMAC-SHA256"
    guard text.hasPrefix(algorithm), let blank = text.utf8.dropFirst(algorithm.utf8.count).first,
        blank == 0x20
    else {
        let scheme = String(text.prefix { $0 != " " }.prefix(32))
        throw .foreignCredential("an authorization of scheme `\(scheme)`")
    }
    var fields: [String: String] = [:]
    for part in text.dropFirst(algorithm.count).split(separator: ",") {
        let pair = part.drop { $0 == " " }.split(
            separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard pair.count == 2, fields.updateValue(String(pair[1]), forKey: String(pair[0])) == nil else {
            throw .malformed(why: "the authorization header cannot be read")
        }
    }
    guard fields.count == 3, let credential = fields["Credential"], fields["SignedHeaders"] != nil,
        fields["Signature"] != nil
    else {
        throw .malformed(why: "the authorization header must hold Credential, SignedHeaders and Signature")
    }
    return try CredentialScope(credential: credential)
}

extension CredentialScope {
    /// The scope of `KEY/DATE/REGION/SERVICE/aws4_request`, whose key must be the dummy.
    fileprivate init(credential text: String) throws(IdentificationError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        try requireDummy(parts[0])
        guard parts.count == 5, parts[4] == "aws4_request", parts[1].utf8.count == 8,
            parts[1].utf8.allSatisfy(\.isDigit)
        else { throw .malformed(why: "the credential must read `unsigned/DATE/REGION/SERVICE/aws4_request`") }
        let region = parts[2]
        let service = parts[3].asciiLowercased
        guard (1...64).contains(region.utf8.count),
            region.utf8.allSatisfy({ $0.isLowerAlphanumeric || $0 == 0x2D || $0 == 0x2A }),
            (1...64).contains(service.utf8.count),
            service.utf8.allSatisfy({ $0.isLowerAlphanumeric || $0 == 0x2D || $0 == 0x2E })
        else { throw .malformed(why: "the credential's region or service is no such name") }
        self.init(region: region, service: service)
    }
}

/// The key id that means "no key": documented in docs/agents.md.
private func requireDummy(_ key: String) throws(IdentificationError) {
    if key == "unsigned" { return }
    if key.hasPrefix("AKIA") || key.hasPrefix("ASIA") {
        throw .realKey(id: key.utf8.count > 12 ? "\(key.prefix(4))…\(key.suffix(4))" : "\(key.prefix(4))…")
    }
    throw .foreignCredential("a signature by another key than `unsigned`")
}
