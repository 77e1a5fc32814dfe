import SigV4
import Vocabulary

/// What the `Authorization` of a signature version 4 says, without the signature itself: the same for every
/// call of one kind that one key signs on one day.
final class Authorization: Sendable {
    let id: IssuedKeyID
    let scope: SigningScope
    /// The same in the form that routes.
    let routes: CredentialScope
    /// `SignedHeaders`, sorted, each with its place.
    let names: [String]
    let places: [String: Int]

    init(_ id: IssuedKeyID, _ scope: SigningScope, signedHeaders: String) throws(IdentificationError) {
        (self.id, self.scope) = (id, scope)
        routes = CredentialScope(region: scope.region, service: scope.service.asciiLowercased)
        names = signedHeaders.utf8.split(separator: 0x3B, omittingEmptySubsequences: false).map {
            String(Substring($0))
        }
        for (before, name) in zip(names, names.dropFirst())
        where !before.utf8.lexicographicallyPrecedes(name.utf8) {
            throw .malformed(why: "SignedHeaders must be sorted, each name once")
        }
        for name in names {
            let isName = !name.isEmpty && name.utf8.allSatisfy { $0.isTokenByte && $0.lowercased == $0 }
            guard isName else { throw .malformed(why: "SignedHeaders must hold field names in lower case") }
        }
        places = Dictionary(uniqueKeysWithValues: zip(names, 0...))
        guard places["host"] != nil else { throw .malformed(why: "`host` is not among SignedHeaders") }
    }
}

/// Authorizations that were read lately: a client's calls differ in the signature alone, which stands last.
struct KnownAuthorizations: Sendable {
    static let countMax = 256

    enum Reading {
        case dummy(CredentialScope)
        case issued(Authorization, signature: Substring.UTF8View)
    }

    private var known: [Substring: Authorization] = [:]

    /// What `text` says.
    ///
    /// - Throws: ``IdentificationError`` for another scheme, other fields than the three, and other keys.
    mutating func read(_ text: String) throws(IdentificationError) -> Reading {
        let bytes = text.utf8
        if bytes.count > 64 {
            let start = bytes.index(bytes.endIndex, offsetBy: -64)
            if let found = known[text[..<start]] { return .issued(found, signature: text[start...].utf8) }
        }
        let fields = try AuthorizationFields(text)
        guard let (id, scope) = try parsed(credential: fields.credential) else {
            return .dummy(try dummyScope(fields.credential))
        }
        let read = try Authorization(id, scope, signedHeaders: fields.signedHeaders)
        guard text.hasSuffix("Signature=" + fields.signature), fields.signature.utf8.count == 64 else {
            return .issued(read, signature: fields.signature[...].utf8)
        }
        if known.count >= Self.countMax { known = [:] }
        known[text.dropLast(64)] = read
        return .issued(read, signature: fields.signature[...].utf8)
    }
}

/// What an `Authorization` of signature version 4 says: exactly its three fields.
private struct AuthorizationFields {
    let credential: String
    let signedHeaders: String
    let signature: String

    init(_ text: String) throws(IdentificationError) {
        let algorithm = "AWS4-HMAC-SHA256"
        guard text.hasPrefix(algorithm), text.utf8.dropFirst(algorithm.utf8.count).first == 0x20 else {
            let scheme = String(text.prefix { $0 != " " }.prefix(32))
            throw .foreignCredential("an authorization of scheme `\(scheme)`")
        }
        var fields: [String: String] = [:]
        let parts = text.utf8.dropFirst(algorithm.utf8.count).split(
            separator: 0x2C, omittingEmptySubsequences: false)
        for part in parts {
            // Clients separate by `, ` and by `,` alone.
            let pair = part.drop { $0 == 0x20 }
            let mark = pair.firstIndex(of: 0x3D) ?? pair.endIndex
            let name = String(Substring(pair[..<mark]))
            guard mark != pair.endIndex,
                fields.updateValue(String(Substring(pair[mark...].dropFirst())), forKey: name) == nil
            else { throw .malformed(why: "the authorization header cannot be read") }
        }
        guard fields.count == 3, let credential = fields["Credential"],
            let signedHeaders = fields["SignedHeaders"], let signature = fields["Signature"]
        else {
            throw .malformed(
                why: "the authorization header must hold Credential, SignedHeaders and Signature")
        }
        (self.credential, self.signedHeaders, self.signature) = (credential, signedHeaders, signature)
    }
}

extension UInt8 {
    /// Whether the byte may stand in an HTTP token (RFC 9110, section 5.6.2).
    fileprivate var isTokenByte: Bool { isAlphanumeric || "!#$%&'*+-.^_`|~".utf8.contains(self) }
}
