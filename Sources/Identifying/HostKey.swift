import Hashing
import Vocabulary

/// The secret of this host from which every issued key follows: 32 random bytes.
///
/// Nothing issued is stored: from the host key and the key id follows the secret, and the token that the
/// client sends along carries the rest under a MAC. Another host key makes all keys worthless.
package struct HostKey: Hashable, Sendable, CustomStringConvertible {
    /// How many bytes it has.
    package static let byteCount = 32

    private let secret: Secret
    /// The key of the tokens' MACs.
    private let tokenKey: Secret

    /// The host key of `bytes`; nil unless there are exactly 32.
    package init?(bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        secret = Secret(bytes)
        tokenKey = hkdfSHA256(key: secret, info: Array("countersign token v1".utf8), count: 32)
    }

    package var description: String { secret.description }

    /// Keys for `identity` under the key id `id`, which must be random and used once.
    package func issue(_ identity: IssuedIdentity, id: IssuedKeyID) -> IssuedKeys {
        let body = SessionToken(id: id, identity: identity).bytes
        let token = Base64.encodeForURL(body + hmacSHA256(key: tokenKey, body))
        return IssuedKeys(
            accessKeyID: id.description, secretKey: secretKey(of: id),
            sessionToken: Secret(Array(token.utf8)), expires: identity.expires)
    }

    /// The token by which clients fetch keys of `session`, and of `account` where it is given, anew: for as
    /// long as the session is open. `SESSION.ACCOUNT.MAC`; it signs nothing.
    package func credentialsToken(of session: SessionID, account: String?) -> Secret {
        let body = "\(session.text).\(account ?? "")"
        let key = hkdfSHA256(key: secret, info: Array("countersign credentials v1".utf8), count: 32)
        let mac = Base64.encodeForURL(hmacSHA256(key: key, Array(body.utf8)))
        return Secret(Array("\(body).\(mac)".utf8))
    }

    /// The session and account of `token`, if it is one of ``credentialsToken(of:account:)``.
    package func session(ofCredentialsToken token: String) -> (session: SessionID, account: String?)? {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard token.utf8.count <= 128, parts.count == 3,
            let session = try? SessionID(parsing: String(parts[0]))
        else { return nil }
        let account = parts[1].isEmpty ? nil : String(parts[1])
        let isOurs = credentialsToken(of: session, account: account).withBytes { ours in
            constantTimeEqual(ours, token.utf8)
        }
        return isOurs ? (session, account) : nil
    }

    /// The secret of the key `id`: 40 characters that no shell, file or URL needs to quote, as many as AWS's
    /// have. They write 240 bits.
    func secretKey(of id: IssuedKeyID) -> Secret {
        let info = Array("countersign secret v1 ".utf8) + id.bytes
        let derived = hkdfSHA256(key: secret, info: info, count: 30)
        return derived.withBytes { Secret(Array(Base64.encodeForURL($0).utf8)) }
    }

    /// The identity in `token`, if this host key issued it for the key `id`.
    ///
    /// Whether it has expired is for the caller to ask.
    ///
    /// - Throws: ``IdentificationError/badToken(why:)``.
    func identity(in token: String, of id: IssuedKeyID) throws(IdentificationError) -> IssuedIdentity {
        guard token.utf8.count <= SessionToken.textByteCountMax else {
            throw .badToken(why: "it is longer than any that was issued")
        }
        guard let bytes = Base64.decodeForURL(token.utf8), bytes.count > 32 else {
            throw .badToken(why: "it is not one that Countersign issued")
        }
        let body = Array(bytes.dropLast(32))
        guard body[0] == SessionToken.version else {
            throw .badToken(why: "it is of another version of Countersign")
        }
        // Nothing else is read before the MAC is known to be ours.
        guard constantTimeEqual(hmacSHA256(key: tokenKey, body), bytes.suffix(32)) else {
            throw .badToken(why: "it was not issued on this host, or was changed since")
        }
        guard let token = SessionToken(body) else {
            throw .badToken(why: "it is not one that Countersign issued")
        }
        guard token.id == id else { throw .badToken(why: "it was issued for another access key id") }
        return token.identity
    }
}

/// What an agent signs with. It opens nothing but this host's gate.
package struct IssuedKeys: Hashable, Sendable {
    /// `CSAK` and 16 characters.
    package let accessKeyID: String
    package let secretKey: Secret
    package let sessionToken: Secret
    /// The keys are good before this moment, and not at it.
    package let expires: Instant
}
