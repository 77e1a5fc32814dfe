/// What became of a signed request.
package struct Outcome: Hashable, Sendable {
    /// How sure it is that AWS acted.
    package enum Kind: String, Hashable, Sendable {
        /// AWS answered, with ``Outcome/status``.
        case answered
        /// AWS answered that it did not act because of load.
        case throttled
        /// Nothing was sent: no connection, or the sidecar stopped first. AWS certainly did not act.
        case notSent = "not-sent"
        /// It was sent, or may have been, and no whole answer came: it may have run.
        case unknown
    }

    package let kind: Kind
    package let status: Int?
    /// AWS's request id, and for S3 also `x-amz-id-2`.
    package let awsRequestID: String?
    package let awsExtendedRequestID: String?
    /// In words, for kinds other than answered.
    package let error: String?
    package let bytesSent: Int
    package let bytesReceived: Int
    package let elapsed: Duration
    /// Whether the reply's body, as far as it came, holds the words by which AWS names keys:
    /// `SecretAccessKey`, `SessionToken`. Of an operation that is not known to vend any, that is for an
    /// operator to look at.
    package let holdsCredentials: Bool

    package init(
        kind: Kind, status: Int?, awsRequestID: String?, awsExtendedRequestID: String?, error: String?,
        bytesSent: Int, bytesReceived: Int, elapsed: Duration, holdsCredentials: Bool = false
    ) {
        self.kind = kind
        self.status = status
        self.awsRequestID = awsRequestID
        self.awsExtendedRequestID = awsExtendedRequestID
        self.error = error
        self.bytesSent = bytesSent
        self.bytesReceived = bytesReceived
        self.elapsed = elapsed
        self.holdsCredentials = holdsCredentials
    }
}
