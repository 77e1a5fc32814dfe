import Recognizing
import Vocabulary

/// A reply of our own, ready to be written.
struct RenderedAnswer: Hashable {
    let status: Int
    let fields: [HeaderField]
    /// For a HEAD request the connection leaves it out; the id is in the fields.
    let body: [UInt8]
}

/// `answer` in the error shape of the protocol that the client speaks (`notes/approvals-and-log.md`, section
/// 2.4).
///
/// The approval id, where there is one, stands as the request id, so that it survives where the body does
/// not.
func rendered(_ answer: Answer, as shape: AnswerShape, request: RequestID) -> RenderedAnswer {
    let id = answer.approval?.id.text ?? request.text
    var fields = [
        HeaderField(shape.isS3 ? "x-amz-request-id" : "x-amzn-requestid", id),
        HeaderField("cache-control", "no-store"),
        HeaderField("x-countersign-code", answer.code),
    ]
    if let approval = answer.approval {
        fields.append(HeaderField("x-countersign-approval-id", approval.id.text))
        fields.append(HeaderField("x-countersign-approval-expires", approval.expires.description))
    }
    let message = escaped(answer.message)
    let body: [UInt8]
    switch shape.wireProtocol {
    case .awsJSON10, .awsJSON11:
        let version = shape.wireProtocol == .awsJSON10 ? "1.0" : "1.1"
        fields.append(HeaderField("content-type", "application/x-amz-json-\(version)"))
        if shape.isQueryCompatible {
            fields.append(HeaderField("x-amzn-query-error", "\(answer.code);Sender"))
        }
        body =
            JSON.object([
                .init("__type", .string("countersign#\(answer.code)")),
                .init("message", .string(answer.message)),
            ]).line
    case .restJSON:
        fields.append(HeaderField("content-type", "application/json"))
        fields.append(HeaderField("x-amzn-errortype", answer.code))
        body = JSON.object([.init("message", .string(answer.message))]).line
    case .restXML where shape.isS3:
        fields.append(HeaderField("content-type", "application/xml"))
        body = xml(
            "<Error><Code>\(answer.code)</Code><Message>\(message)</Message><RequestId>\(id)</RequestId>"
                + "<HostId>countersign</HostId></Error>")
    case .restXML, .query:
        fields.append(HeaderField("content-type", "text/xml"))
        let type = answer.status >= 500 ? "Receiver" : "Sender"
        body = xml(
            "<ErrorResponse><Error><Type>\(type)</Type><Code>\(answer.code)</Code><Message>\(message)"
                + "</Message></Error><RequestId>\(id)</RequestId></ErrorResponse>")
    case .ec2:
        fields.append(HeaderField("content-type", "text/xml"))
        body = xml(
            "<Response><Errors><Error><Code>\(answer.code)</Code><Message>\(message)</Message>"
                + "</Error></Errors>"
                + "<RequestID>\(id)</RequestID></Response>")
    case .rpcV2CBOR:
        fields.append(HeaderField("content-type", "application/cbor"))
        fields.append(HeaderField("smithy-protocol", "rpc-v2-cbor"))
        body =
            [0xA2] + cbor("__type") + cbor("countersign#\(answer.code)") + cbor("message")
            + cbor(answer.message)
    }
    return RenderedAnswer(status: answer.status, fields: fields, body: body)
}

private func xml(_ text: String) -> [UInt8] {
    Array("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\(text)\n".utf8)
}

private func escaped(_ text: String) -> String {
    var out = ""
    for character in text.unicodeScalars {
        switch character {
        case "&": out += "&amp;"
        case "<": out += "&lt;"
        case ">": out += "&gt;"
        default: out.unicodeScalars.append(character)
        }
    }
    return out
}

/// `text` as a CBOR text string (RFC 8949, major type 3).
private func cbor(_ text: String) -> [UInt8] {
    let bytes = Array(text.utf8)
    let head: [UInt8]
    switch bytes.count {
    case ..<24: head = [0x60 | UInt8(bytes.count)]
    case ..<256: head = [0x78, UInt8(bytes.count)]
    default:
        head = [0x79, UInt8(truncatingIfNeeded: bytes.count >> 8), UInt8(truncatingIfNeeded: bytes.count)]
    }
    return head + bytes
}
