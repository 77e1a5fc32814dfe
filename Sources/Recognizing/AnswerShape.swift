import Vocabulary

/// In which form a client expects an error.
package struct AnswerShape: Hashable, Sendable {
    package let wireProtocol: WireProtocol
    package let isS3: Bool
    /// Whether JSON errors also carry the query protocol's code in a header (SQS, CloudWatch).
    package let isQueryCompatible: Bool

    package init(wireProtocol: WireProtocol, isS3: Bool, isQueryCompatible: Bool) {
        self.wireProtocol = wireProtocol
        self.isS3 = isS3
        self.isQueryCompatible = isQueryCompatible
    }
}

/// The form of errors for a call that was recognized from a request with `head`.
package func answerShape(_ head: RequestHead, of meaning: Meaning) -> AnswerShape {
    AnswerShape(
        wireProtocol: meaning.wireProtocol, isS3: meaning.service == "s3",
        isQueryCompatible: head["x-amzn-query-mode"] != nil)
}

/// The form of errors for a request of which the head is known: as exact as the head allows, never failing.
package func answerShape(_ head: RequestHead, catalog: Catalog = .builtIn) -> AnswerShape {
    // Whoever's the credential is: it chooses the form of an error, nothing else.
    let scope = (try? claimedScope(head)) ?? nil
    if head["x-amz-target"] != nil {
        let is10 = head["content-type"].map(mediaType) == "application/x-amz-json-1.0"
        return AnswerShape(
            wireProtocol: is10 ? .awsJSON10 : .awsJSON11, isS3: false,
            isQueryCompatible: head["x-amzn-query-mode"] != nil)
    }
    if head["smithy-protocol"] == "rpc-v2-cbor" {
        return AnswerShape(wireProtocol: .rpcV2CBOR, isS3: false, isQueryCompatible: false)
    }
    let isForm = head["content-type"].map(mediaType) == "application/x-www-form-urlencoded"
    let hasAction = (head.rawQuery ?? "").split(separator: "&").contains { $0.hasPrefix("Action=") }
    if isForm || hasAction {
        let isEC2 = scope?.service == "ec2" || head.rawPath.hasPrefix("/_aws/ec2")
        return AnswerShape(wireProtocol: isEC2 ? .ec2 : .query, isS3: false, isQueryCompatible: false)
    }
    if let hints = try? OuterHints(head, scope: scope, hosts: nil, catalog: catalog),
        let services = hints.services,
        !services.contains(where: \.isS3), let service = services.first
    {
        let wire: WireProtocol = service.protocols.contains(.restXML) ? .restXML : .restJSON
        return AnswerShape(wireProtocol: wire, isS3: false, isQueryCompatible: false)
    }
    let request = RestRequest(
        method: head.method, path: String(head.rawPath), query: [], headers: head.fields.map(\.name))
    let fits = (try? Router(catalog).restCandidates(for: request, signedAs: scope?.service)) ?? []
    if let service = fits.first?.operation.service, !service.isS3 {
        let wire: WireProtocol = service.protocols.contains(.restXML) ? .restXML : .restJSON
        return AnswerShape(wireProtocol: wire, isS3: false, isQueryCompatible: false)
    }
    return AnswerShape(wireProtocol: .restXML, isS3: true, isQueryCompatible: false)
}
