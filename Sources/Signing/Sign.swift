import Hashing
import Recognizing
import Recording
import SigV4
import Vocabulary

/// Why a cleared request is not signed.
package enum SigningError: Error, Sendable, Hashable {
    /// The credentials ended at `end`: AWS would refuse the signature.
    case credentialsExpired(end: Instant)
    /// There is no key id or no secret key in the credentials.
    case credentialsEmpty
}

/// Signs the request of `clearance`, which is used up.
///
/// Adds `x-amz-date`, for S3 `x-amz-content-sha256`, the credentials' own `x-amz-security-token`, and
/// `authorization`; replaces fields of these names and leaves all others as they were sealed. `at` is the
/// date of the signature.
///
/// - Throws: ``SigningError`` when the credentials cannot sign at that moment. The clearance is used up all
///   the same.
package func sign(
    _ clearance: consuming Clearance, with credentials: Credentials, at now: Instant, keys: SigningKeys
) throws(SigningError) -> SignedRequest {
    guard !credentials.accessKeyID.isEmpty, !credentials.secretKey.isEmpty else { throw .credentialsEmpty }
    if let end = credentials.expiration, now >= end { throw .credentialsExpired(end: end) }
    let sealed = clearance.request
    let input = SigningInput(
        method: sealed.method, path: sealed.path, query: sealed.query, pathRule: sealed.pathStyle.rule,
        authority: sealed.authority, fields: sealed.fields, payload: sealed.body.digest,
        // OpenSearch Serverless demands it as S3 does.
        sendsPayloadHash: signsAsS3(sealed.signingName) || sealed.signingName == "aoss",
        region: sealed.signingRegion,
        service: sealed.signingName)
    let signature = signByHeaders(input, with: credentials, at: now, keys: keys)
    return SignedRequest(request: sealed, entry: clearance.entry, fields: signature.fields)
}

extension SealedRequest.PathStyle {
    fileprivate var rule: PathRule {
        switch self {
        case .asSent: .asSent
        case .normalized: .normalized
        }
    }
}

extension SealedRequest.Body {
    fileprivate var digest: Digest {
        switch self {
        case .bytes(let bytes): sha256(bytes)
        case .stream(let sha256, _): sha256
        }
    }
}
