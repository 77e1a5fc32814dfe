import Vocabulary

/// What the operator configured that a call does not say itself.
package struct RecognitionSetting: Hashable, Sendable {
    /// Where signed requests go.
    package enum Upstream: Hashable, Sendable {
        /// To the host of the catalog's endpoint table.
        case aws
        /// Everything to one AWS-like endpoint; `authority` is host and port. Plain http only to loopback.
        case fixed(authority: String, usesTLS: Bool)
    }

    /// The gateway's own account, 12 digits; nil before it is known.
    package let account: String?
    /// For calls that name no region.
    package let region: String?
    package let upstream: Upstream
    /// Which of AWS's hosts are dialled: those for FIPS, those for IPv6, or the plain ones.
    package let variant: EndpointVariant
    /// The hosts of single resources that the operator lists; a call names one as `/_aws/SERVICE/HOST`.
    package let resourceHosts: [ResourceHost]
    /// Whether a signature's credential scope counts (`debug recognize --scope`).
    package let usesScope: Bool

    package init(
        account: String?, region: String?, upstream: Upstream = .aws, variant: EndpointVariant = [],
        resourceHosts: [ResourceHost] = [], usesScope: Bool = true
    ) {
        self.account = account
        self.region = region
        self.upstream = upstream
        self.variant = variant
        self.resourceHosts = resourceHosts
        self.usesScope = usesScope
    }

    /// The same, with another account or region.
    package func with(account: String?, region: String?) -> RecognitionSetting {
        RecognitionSetting(
            account: account, region: region, upstream: upstream, variant: variant,
            resourceHosts: resourceHosts, usesScope: usesScope)
    }
}

/// How the body of a request is to be read, known from its head alone.
package enum BodyPlan: Hashable, Sendable {
    /// There is none.
    case none
    /// All of it, at most `byteCountMax`, before the call is recognized.
    case whole(byteCountMax: Int)
}

/// Why a request is not a call we know. Gateway answers each with its ``status`` and the protocol's own error
/// shape.
package enum RecognitionError: Error, Sendable, Hashable {
    /// The request is not what the protocol allows; `part` names what is at fault, `why` says it in a
    /// reader's words.
    case malformed(part: String, why: String)
    /// No operation matches. It is refused, not guessed at.
    case unknownOperation(service: String?, method: String, path: String)
    /// Several services fit and their pairs differ or it matters where the call is sent; `settings` names the
    /// endpoint variables that settle it.
    case ambiguous(services: [String], operation: String?, settings: [String])
    /// Dispatch key, credential scope, path prefix and host do not agree.
    case disagreement(String)
    /// The region or service has no endpoint of that variant in the catalog.
    case noEndpoint(service: String, region: String, variant: EndpointVariant)
    /// No region in the request and none configured.
    case noRegion(service: String)
    /// The body is larger than `limit` bytes; streaming is not there yet.
    case bodyTooLarge(limit: Int)
    /// A form of body that is refused: aws-chunked, unsigned payload, an unknown content encoding.
    case unsupportedBody(String)

    /// The HTTP status of the answer: 400, or 413 for a body over the limit.
    package var status: Int {
        switch self {
        case .bodyTooLarge: 413
        case .malformed, .unknownOperation, .ambiguous, .disagreement, .noEndpoint, .noRegion,
            .unsupportedBody:
            400
        }
    }
}
