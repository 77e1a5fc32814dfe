import Vocabulary

/// Why a request cannot be read: the answer it gets. Nothing of it was decided or sent.
package struct RequestFault: Error, Hashable, Sendable {
    /// 400, 408, 413, 414, 417, 431 or 503.
    package let status: Int
    /// A short name for the record and the answer, such as `BadRequest`.
    package let code: String
    /// What is at fault, in a reader's words; input in backticks, printable ASCII.
    package let message: String
    /// Whether the connection must end, because where the next request begins cannot be trusted.
    package let closes: Bool

    /// A fault with these values; `message` in the house style.
    package init(status: Int, code: String, message: String, closes: Bool) {
        self.status = status
        self.code = code
        self.message = message
        self.closes = closes
    }

    /// A framing fault: 400, and the connection ends.
    static func framing(_ message: String) -> RequestFault {
        RequestFault(status: 400, code: "BadRequest", message: message, closes: true)
    }

    /// A fault of a well-framed request: 400, and the connection may go on.
    static func bad(_ message: String) -> RequestFault {
        RequestFault(status: 400, code: "BadRequest", message: message, closes: false)
    }

    static func headTooLarge(_ message: String) -> RequestFault {
        RequestFault(status: 431, code: "RequestHeaderFieldsTooLarge", message: message, closes: true)
    }

    static func bodyTooLarge(limit: Int) -> RequestFault {
        RequestFault(
            status: 413, code: "RequestEntityTooLarge", message: "the body is larger than \(limit) bytes",
            closes: true)
    }

    static func tooSlow(_ message: String) -> RequestFault {
        RequestFault(status: 408, code: "RequestTimeout", message: message, closes: true)
    }

    static let tooManyConnections = RequestFault(
        status: 503, code: "TooManyConnections",
        message: "too many open connections: close some and try again",
        closes: true)

    static let tooManyBodies = RequestFault(
        status: 503, code: "ServiceUnavailable", message: "too many bodies are held at once: try again",
        closes: true)

    /// The same fault, closing the connection.
    var closing: RequestFault { RequestFault(status: status, code: code, message: message, closes: true) }
}

/// A whole answer: what ``ExchangeHandler`` gives for a request that could not be read.
package struct Reply: Hashable, Sendable {
    package let status: Int
    package let fields: [HeaderField]
    package let body: [UInt8]

    /// An answer with `fields`; framing fields among them are replaced.
    package init(status: Int, fields: [HeaderField], body: [UInt8]) {
        self.status = status
        self.fields = fields
        self.body = body
    }

    /// `fault` in plain text: `BadRequest: the request has no Host field`.
    package init(plain fault: RequestFault) {
        self.init(
            status: fault.status, fields: [HeaderField("content-type", "text/plain")],
            body: Array("\(fault.code): \(fault.message)\n".utf8))
    }
}
