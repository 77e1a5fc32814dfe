import Hashing
import Vocabulary

@testable import Recognizing

/// Uploads of `hello` in chunks, as each client writes them.
enum Framed {
    static let digits: String = String(repeating: "0123456789abcdef", count: 4)
    static let plainHash: String = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    static let trailerHash: String = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    static let unsignedHash: String = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

    /// How a client sends `hello`.
    struct Form: Sendable, CustomStringConvertible {
        let description: String
        let fields: [(String, String)]
        let body: String
    }

    static let length: (String, String) = ("x-amz-decoded-content-length", "5")
    static let coding: (String, String) = ("content-encoding", "aws-chunked")
    static let announced: (String, String) = ("x-amz-trailer", "x-amz-checksum-crc32")
    static let trailer: String = "x-amz-checksum-crc32:NhCmhg=="

    static let forms: [Form] = [
        Form(
            description: "restic: signed, without a coding",
            fields: [("x-amz-content-sha256", plainHash), length],
            body: "5;chunk-signature=\(digits)\r\nhello\r\n0;chunk-signature=\(digits)\r\n\r\n"),
        Form(
            description: "AWS's own example: signed, with trailers",
            fields: [("x-amz-content-sha256", trailerHash), length, coding, announced],
            body: "5;chunk-signature=\(digits)\r\nhello\r\n0;chunk-signature=\(digits)\r\n\(trailer)\r\n"
                + "x-amz-trailer-signature:\(digits)\r\n\r\n"),
        Form(
            description: "minio-go: the same with its own line end",
            fields: [("x-amz-content-sha256", trailerHash), length, coding, announced],
            body: "5;chunk-signature=\(digits)\r\nhello\r\n0;chunk-signature=\(digits)\r\n\(trailer)\n\r\n"
                + "x-amz-trailer-signature:\(digits)\r\n\r\n"),
        Form(
            description: "boto3, CRT, Go and C++: unsigned with trailers",
            fields: [("x-amz-content-sha256", unsignedHash), length, coding, announced],
            body: "5\r\nhello\r\n0\r\n\(trailer)\r\n\r\n"),
        Form(
            description: "minio-go: unsigned with its own line end",
            fields: [("x-amz-content-sha256", unsignedHash), length, coding, announced],
            body: "5\r\nhello\r\n0\r\n\(trailer)\n\r\n\r\n"),
        Form(
            description: "no trailers after all", fields: [("x-amz-content-sha256", unsignedHash), length],
            body: "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
        Form(
            description: "pyarrow without keys: the coding says it",
            fields: [coding, length, announced], body: "5\r\nhello\r\n0\r\n\(trailer)\r\n\r\n"),
        Form(description: "the length alone says it", fields: [length], body: "5\r\nhello\r\n0\r\n\r\n"),
    ]

    static func head(_ fields: [(String, String)], target: String = "/logs/k") -> RequestHead {
        RequestHead(
            method: "PUT", target: target,
            fields: [HeaderField("host", "127.0.0.1:8990")] + fields.map { HeaderField($0.0, $0.1) })
    }

    static func request(
        _ fields: [(String, String)], _ body: String, target: String = "/logs/k"
    ) -> InboundRequest {
        InboundRequest(head: head(fields, target: target), body: Array(body.utf8))
    }

    static func call(
        _ fields: [(String, String)], _ body: String, target: String = "/logs/k", service: String = "s3"
    ) throws -> Call {
        let caller = Caller(
            agent: try AgentName(parsing: "local"), session: SessionID(random: 7), strength: .listener,
            task: nil, reason: nil, scope: CredentialScope(region: "us-east-1", service: service))
        return try recognize(
            request(fields, body, target: target), caller: caller,
            setting: RecognitionSetting(account: "111122223333", region: "us-east-1"))
    }

    static func sent(_ call: Call) -> [String] { call.sealed.fields.map { "\($0.name): \($0.value)" } }
}
