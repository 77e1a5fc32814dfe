import Vocabulary

/// What a request means: everything that decides, and nothing that does not.
///
/// Copyable and comparable: policy judges it, the log writes it, tests compare it. It gives no right to send
/// anything.
package struct Meaning: Hashable, Sendable {
    /// The service model's name (botocore's client name): `dynamodb`.
    package let service: String
    /// Further services whose operation of that name the request may as well be; their pairs are in
    /// ``pairs``.
    package let candidates: [String]
    package let operation: String
    package let wireProtocol: WireProtocol
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    package let partition: String
    /// 12 digits; empty when neither the request nor the configuration says.
    package let account: String
    /// The region that the call goes to: `us-east-1`.
    package let region: String
    /// Never empty for a call that policy may allow. In the order of the request, without doubles.
    package let pairs: [Pair]
    /// All parsed parameters by their model names; an opaque payload member is replaced by its SHA-256 and
    /// length.
    package let parameters: JSON
    package let keys: ConditionKeys
    /// Whether the reply holds credentials (THREATS.md section 8): a statement must name the action
    /// literally.
    package let vendsCredentials: Bool
    /// `sts:GetCallerIdentity`, which IAM never asks permission for.
    package let isAlwaysAnswered: Bool
    /// Why it is never sent, whatever policy says; nil for nearly every call.
    package let bar: SendingBar?
    /// How many things the call touches: keys of a batch, else 1.
    package let itemCount: Int
    package let bodyByteCount: Int
    /// SHA-256 of the canonical form (DESIGN.md 7.2): the same call, by meaning.
    package let digest: Digest

    /// Whether any pair changes anything; an unknown level does.
    package var mutates: Bool { pairs.contains { $0.level.mutates } || pairs.isEmpty }

    package init(
        service: String, candidates: [String] = [], operation: String, wireProtocol: WireProtocol,
        partition: String = "aws", account: String, region: String, pairs: [Pair], parameters: JSON,
        keys: ConditionKeys = ConditionKeys(), vendsCredentials: Bool = false, isAlwaysAnswered: Bool = false,
        bar: SendingBar? = nil, itemCount: Int = 1, bodyByteCount: Int = 0, digest: Digest
    ) {
        self.service = service
        self.candidates = candidates
        self.operation = operation
        self.wireProtocol = wireProtocol
        self.partition = partition
        self.account = account
        self.region = region
        self.pairs = pairs
        self.parameters = parameters
        self.keys = keys
        self.vendsCredentials = vendsCredentials
        self.isAlwaysAnswered = isAlwaysAnswered
        self.bar = bar
        self.itemCount = itemCount
        self.bodyByteCount = bodyByteCount
        self.digest = digest
    }
}

/// Why a call is understood and yet never sent, whatever policy says.
package enum SendingBar: String, Hashable, Sendable, CaseIterable {
    /// AWS takes the operation without a signature, so nothing of the gateway's is needed for it (THREATS.md
    /// section 8).
    case unsignedByModel = "unsigned by model"
    /// The service takes bearer tokens in place of signatures (CodeCatalyst).
    case bearerToken = "takes bearer tokens"
    /// The service takes only signature version 2 (SimpleDB), which is not made here.
    case signatureV2 = "takes signature version 2"
    /// The host takes only signature version 4A, which is not made here: a Multi-Region Access Point, a key
    /// value store of CloudFront.
    case signatureV4a = "takes signature version 4A"
    /// It hands out the keys of a session with a directory bucket. Its action is what every single call there
    /// needs, so a statement that names it does not mean to hand out keys.
    case session = "hands out a session"
    /// The service is known; its model has no such operation.
    case unknownOperation = "unknown operation"
}

/// A recognized request: what it means, and the exact bytes to send for it.
///
/// Only recognizing makes one, so the two always belong together.
package struct Call: Sendable {
    package let meaning: Meaning
    package let sealed: SealedRequest

    init(meaning: Meaning, sealed: SealedRequest) {
        self.meaning = meaning
        self.sealed = sealed
    }
}

/// The outbound request, sealed: rebuilt from the typed value, never passed through, never changed after.
///
/// Signing adds `x-amz-date`, `authorization`, for S3 `x-amz-content-sha256` and the gateway's own session
/// token; nothing else.
package struct SealedRequest: Sendable {
    /// What follows the head.
    package enum Body: Hashable, Sendable {
        case bytes([UInt8])
        /// Bytes that stream past; `sha256` and `count` are what the client declared and what is signed.
        case stream(sha256: Digest, count: Int)
    }

    /// How SigV4 writes the path.
    package enum PathStyle: Hashable, Sendable {
        /// S3: encoded once, as sent.
        case asSent
        /// Every other service: dot segments resolved, then encoded twice.
        case normalized
    }

    package let method: String
    /// False only for an operator's loopback upstream.
    package let usesTLS: Bool
    /// Host, and port unless it is the scheme's own: what is dialled, sent as Host, and signed.
    package let authority: String
    /// The AWS host that the call belongs to, also when the operator sends it elsewhere.
    package let awsHost: String
    /// Percent-encoded, begins with `/`.
    package let path: String
    /// Percent-encoded, without the `?`; empty when there is none.
    package let query: String
    /// The allow-listed fields in the order to send; all of them are signed. No Host, no Content-Length,
    /// nothing hop by hop.
    package let fields: [HeaderField]
    package let body: Body
    package let signingName: String
    package let signingRegion: String
    package let pathStyle: PathStyle
    /// Whether sending it twice does no harm, so that libcurl may repeat it when a kept connection proves
    /// dead.
    package let mayRepeat: Bool
    /// SHA-256 over method, authority, path, query, fields and body: compared when a held call is released.
    package let wireDigest: Digest

    init(
        method: String, usesTLS: Bool, authority: String, awsHost: String, path: String, query: String,
        fields: [HeaderField], body: Body, signingName: String, signingRegion: String, pathStyle: PathStyle,
        mayRepeat: Bool, wireDigest: Digest
    ) {
        self.method = method
        self.usesTLS = usesTLS
        self.authority = authority
        self.awsHost = awsHost
        self.path = path
        self.query = query
        self.fields = fields
        self.body = body
        self.signingName = signingName
        self.signingRegion = signingRegion
        self.pathStyle = pathStyle
        self.mayRepeat = mayRepeat
        self.wireDigest = wireDigest
    }
}
