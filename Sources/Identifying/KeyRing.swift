import Hashing
import SigV4
import Vocabulary

/// The host key, and what was lately derived from it: checking a token and deriving a signing key cost more
/// than the signature they are for.
///
/// A value, held where calls are decided; a signature is good or bad whatever is kept.
package struct KeyRing: Sendable {
    /// How many keys are kept, those used last, and how many scopes of each.
    static let keyCountMax = 128
    static let scopeCountMax = 8

    private struct Kept: Sendable {
        /// A token that was checked.
        let token: [UInt8]
        let caller: Caller
        let expires: Instant
        /// The last used first.
        var keys: [(scope: SigningScope, key: KeyedHMAC)] = []
        var latestUse: UInt64
    }

    private let hostKey: HostKey?
    /// What clients' `Authorization` said lately.
    var authorizations = KnownAuthorizations()
    private var kept: [IssuedKeyID: Kept] = [:]
    private var useCount: UInt64 = 0

    /// A ring with nothing derived yet; without a host key one that knows no key.
    package init(_ hostKey: HostKey? = nil) { self.hostKey = hostKey }

    /// Whom `token` says that the key `id` was issued to.
    ///
    /// - Throws: ``IdentificationError/badToken(why:)``, and ``IdentificationError/keyExpired(_:)`` from its
    ///   end on.
    mutating func caller(
        of id: IssuedKeyID, token: String, at now: Instant
    ) throws(IdentificationError) -> Caller {
        useCount += 1
        if let place = kept.index(forKey: id), constantTimeEqual(kept.values[place].token, token.utf8) {
            kept.values[place].latestUse = useCount
            guard now < kept.values[place].expires else { throw .keyExpired(kept.values[place].expires) }
            return kept.values[place].caller
        }
        let identity = try issuer.identity(in: token, of: id)
        guard now < identity.expires else { throw .keyExpired(identity.expires) }
        if kept.count >= Self.keyCountMax, kept[id] == nil,
            let oldest = kept.min(by: { $0.value.latestUse < $1.value.latestUse })?.key
        {
            kept[oldest] = nil
        }
        let caller = Caller(identity, id)
        kept[id] = Kept(
            token: Array(token.utf8), caller: caller, expires: identity.expires, latestUse: useCount)
        return caller
    }

    private var issuer: HostKey {
        get throws(IdentificationError) {
            guard let hostKey else { throw .foreignCredential("an issued key, and none are issued here") }
            return hostKey
        }
    }

    /// The signing key of `id` in `scope`.
    mutating func signingKey(
        of id: IssuedKeyID, in scope: SigningScope
    ) throws(IdentificationError) -> KeyedHMAC {
        if let place = kept.index(forKey: id),
            let found = kept.values[place].keys.firstIndex(where: { $0.scope == scope })
        {
            if found > 0 { kept.values[place].keys.swapAt(found, 0) }
            return kept.values[place].keys[0].key
        }
        let key = KeyedHMAC(key: SigV4.signingKey(of: try secretKey(of: id), in: scope))
        if let count = kept[id]?.keys.count {
            if count >= Self.scopeCountMax { kept[id]?.keys.removeLast() }
            kept[id]?.keys.insert((scope, key), at: 0)
        }
        return key
    }

    /// The secret of `id`, for the signature versions that use it as it is.
    func secretKey(of id: IssuedKeyID) throws(IdentificationError) -> Secret { try issuer.secretKey(of: id) }

    /// How many keys are kept now.
    var count: Int { kept.count }
}

extension Caller {
    /// Whom the key `id` was issued to.
    fileprivate init(_ identity: IssuedIdentity, _ id: IssuedKeyID) {
        self.init(
            agent: identity.agent, session: identity.session, strength: .signed,
            task: identity.task.map { ClaimedText($0, source: .sessionToken) },
            reason: identity.reason.map { ClaimedText($0, source: .sessionToken) }, scope: nil,
            issued: IssuedPower(
                accessKeyID: id.description, owner: identity.owner, account: identity.account,
                role: identity.role, expires: identity.expires))
    }
}
