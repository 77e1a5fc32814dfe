import Hashing
import Synchronization
import Vocabulary

/// What a signature is good for: one day, region and service.
package struct SigningScope: Hashable, Sendable {
    /// `20261122`.
    package let day: String
    package let region: String
    /// The signing name: `dynamodb`.
    package let service: String

    package init(day: String, region: String, service: String) {
        self.day = day
        self.region = region
        self.service = service
    }

    /// `20261122/us-east-1/dynamodb/aws4_request`.
    package var text: String { "\(day)/\(region)/\(service)/aws4_request" }
}

/// The signing key of `secretKey` in `scope`: 32 bytes.
///
/// - SeeAlso: AWS "Create a signed AWS API request", step 3.
package func signingKey(of secretKey: Secret, in scope: SigningScope) -> Secret {
    let first = secretKey.withBytes { Secret(Array("AWS4".utf8) + $0) }
    let parts = [scope.day, scope.region, scope.service, "aws4_request"]
    return parts.reduce(first) { key, part in Secret(hmacSHA256(key: key, part.utf8)) }
}

/// Derived signing keys that were used last: deriving one takes four HMACs, using one takes one.
///
/// Safe on every thread. A changed secret under the same key id is another entry, since its digest is part of
/// the name.
package final class SigningKeys: Sendable {
    private struct Name: Hashable, Sendable {
        let accessKeyID: String
        let secret: Digest
        let scope: SigningScope
    }

    private struct Kept: Sendable {
        let name: Name
        let key: KeyedHMAC
    }

    /// How many are kept at most.
    package let countMax: Int
    /// The last used first.
    private let kept = Mutex<[Kept]>([])

    /// A cache of at most `countMax` keys, at least one: about one for each region and service in use.
    package init(countMax: Int = 64) { self.countMax = max(1, countMax) }

    /// The key that signs for `credentials` in `scope`.
    package func key(for credentials: Credentials, in scope: SigningScope) -> KeyedHMAC {
        let secret = credentials.secretKey.withBytes { sha256($0) }
        let name = Name(accessKeyID: credentials.accessKeyID, secret: secret, scope: scope)
        let found = kept.withLock { kept -> KeyedHMAC? in
            guard let place = kept.firstIndex(where: { $0.name == name }) else { return nil }
            if place > 0 { kept.insert(kept.remove(at: place), at: 0) }
            return kept[0].key
        }
        if let found { return found }
        let key = KeyedHMAC(key: signingKey(of: credentials.secretKey, in: scope))
        kept.withLock { kept in
            // Another thread may have derived it meanwhile: two entries of one name would only waste a place.
            guard !kept.contains(where: { $0.name == name }) else { return }
            if kept.count >= countMax { kept.removeLast() }
            kept.insert(Kept(name: name, key: key), at: 0)
        }
        return key
    }

    /// How many keys are kept now.
    package var count: Int { kept.withLock { $0.count } }
}
