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
        let identity: IssuedIdentity
        /// The last used first.
        var keys: [(scope: SigningScope, key: KeyedHMAC)] = []
        var latestUse: UInt64
    }

    private let hostKey: HostKey?
    private var kept: [IssuedKeyID: Kept] = [:]
    private var useCount: UInt64 = 0

    /// A ring with nothing derived yet; without a host key one that knows no key.
    package init(_ hostKey: HostKey? = nil) { self.hostKey = hostKey }

    /// The identity that `token` carries for the key `id`.
    ///
    /// - Throws: ``IdentificationError/badToken(why:)``, and ``IdentificationError/keyExpired(_:)`` from its
    ///   end on.
    mutating func identity(
        of id: IssuedKeyID, token: String, at now: Instant
    ) throws(IdentificationError) -> IssuedIdentity {
        let identity = try checked(id, token)
        guard now < identity.expires else { throw .keyExpired(identity.expires) }
        return identity
    }

    private mutating func checked(
        _ id: IssuedKeyID, _ token: String
    ) throws(IdentificationError) -> IssuedIdentity {
        useCount += 1
        if let known = kept[id], constantTimeEqual(known.token, token.utf8) {
            kept[id]?.latestUse = useCount
            return known.identity
        }
        let identity = try issuer.identity(in: token, of: id)
        if kept.count >= Self.keyCountMax, kept[id] == nil,
            let oldest = kept.min(by: { $0.value.latestUse < $1.value.latestUse })?.key
        {
            kept[oldest] = nil
        }
        kept[id] = Kept(token: Array(token.utf8), identity: identity, latestUse: useCount)
        return identity
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
        if let keys = kept[id]?.keys, let place = keys.firstIndex(where: { $0.scope == scope }) {
            if place > 0 { kept[id]?.keys.swapAt(place, 0) }
            return keys[place].key
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
