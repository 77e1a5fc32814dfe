import Recognizing
import Vocabulary

/// A call that the gateway makes for itself, under no agent's name: to learn who it is, or to get
/// credentials.
///
/// The one way to a signature without a decision of policy, and so only what is listed here can go it. It is
/// in the log before it is signed all the same (docs/log.md, `own-call`).
package struct OwnCall: Sendable {
    /// Whether the gateway's key signs it.
    package enum Signature: Hashable, Sendable {
        case signed(accessKeyID: String)
        /// It carries a token of its own, and AWS takes it without a signature.
        case none
    }

    /// What may be asked for, and whether that is signed.
    private static let operations: [String: [String: Bool]] = [
        "sts": ["GetCallerIdentity": true, "AssumeRole": true, "AssumeRoleWithWebIdentity": false],
        "sso": ["GetRoleCredentials": false],
    ]

    package let request: RequestID
    let call: Call
    let signature: Signature
    let purpose: String

    /// `call`, made for `purpose`, a few words such as `credentials of account 111122223333`.
    ///
    /// - Throws: ``LogError/notOwn(_:)`` for any call that only an agent may make.
    package init(
        _ call: Call, request: RequestID, signature: Signature, purpose: String
    ) throws(LogError) {
        let (service, operation) = (call.meaning.service, call.meaning.operation)
        guard let isSigned = Self.operations[service]?[operation], isSigned == (signature != .none) else {
            throw .notOwn("\(service):\(operation)")
        }
        self.request = request
        self.call = call
        self.signature = signature
        self.purpose = purpose
    }

    /// The request to keep until it is cleared; nil where nothing is signed.
    var held: SealedRequest? { signature == .none ? nil : call.sealed }
}

extension Entry {
    /// The entry of a call of the gateway's own that is about to be made. Its outcome is written as that of
    /// any other request.
    static func ownCall(_ own: OwnCall, at: Instant) -> Entry {
        let (meaning, sealed) = (own.call.meaning, own.call.sealed)
        var keyID: String?
        if case .signed(let id) = own.signature { keyID = id }
        return Entry(
            .ownCall, at: at,
            [.text("req", own.request.text), .text("purpose", own.purpose)]
                + meaningMembers(meaning, pairs: meaning.pairs)
                + [
                    JSON.Member("parameters", redacted(meaning.parameters)),
                    .digest("wire", sealed.wireDigest), .text("host", sealed.awsHost),
                    sealed.authority == sealed.awsHost ? nil : .text("upstream", sealed.authority),
                    .text("access_key_id", keyID, byteCountMax: 128),
                ])
    }
}
