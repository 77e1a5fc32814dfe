import Vocabulary

/// What the operator may set of forwarding. TLS verification is not among it.
package struct ForwardingSetting: Hashable, Sendable {
    /// The file of trusted certificate authorities, PEM. Nothing else is trusted, no folder either.
    package var trustFile: String
    /// For name resolution, TCP and TLS together.
    package var connectLimit: Duration
    /// How long AWS may think before the first byte of its reply: as long as the longest Lambda call, by
    /// default.
    package var answerLimit: Duration
    /// How long the body of a reply may stand still while we are ready for more.
    package var stallLimit: Duration
    /// For the whole transfer; nil for none.
    package var totalLimit: Duration?
    /// How many transfers run at once, and how many connections are kept; more transfers wait in line.
    package var inFlightMax: Int
    /// How many transfers may wait in line; more are refused.
    package var waitingMax: Int

    /// Each setting as it is documented above, with its default.
    package init(
        trustFile: String = "/etc/ssl/certs/ca-certificates.crt", connectLimit: Duration = .seconds(10),
        answerLimit: Duration = .seconds(900), stallLimit: Duration = .seconds(60),
        totalLimit: Duration? = nil,
        inFlightMax: Int = 256, waitingMax: Int = 4096
    ) {
        self.trustFile = trustFile
        self.connectLimit = connectLimit
        self.answerLimit = answerLimit
        self.stallLimit = stallLimit
        self.totalLimit = totalLimit
        self.inFlightMax = max(1, inFlightMax)
        self.waitingMax = max(0, waitingMax)
    }
}

/// The bounds of a reply (THREATS.md sections 2 and 15).
package enum ReplyLimits {
    /// All heads of one reply together, interim ones and trailers too.
    package static let headBytesMax = 65_536
    /// How many 1xx heads may come before the reply.
    package static let interimCountMax = 16
    /// The largest error reply (status 400 and above) that is passed on: it is read whole to take our keys
    /// out.
    package static let errorBodyBytesMax = 262_144
    /// How much of a reply's body is joined before it is handed on.
    package static let chunkBytes = 65_536
}
