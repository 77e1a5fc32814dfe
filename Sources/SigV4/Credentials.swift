import Vocabulary

/// A key pair that signs, and the token that goes with it when it is temporary.
package struct Credentials: Hashable, Sendable {
    package let accessKeyID: String
    package let secretKey: Secret
    package let sessionToken: Secret?
    /// When they end; nil for long-lived keys.
    package let expiration: Instant?

    package init(accessKeyID: String, secretKey: Secret, sessionToken: Secret?, expiration: Instant?) {
        self.accessKeyID = accessKeyID
        self.secretKey = secretKey
        self.sessionToken = sessionToken
        self.expiration = expiration
    }
}
