import Vocabulary

/// Names what API Gateway's calls touch: a resource is the path itself.
enum PathNaming {
    /// API Gateway's resource is the request's path: `arn:aws:apigateway:REGION::/restapis/r1/stages/s`. A
    /// label whose value is not there or holds a slash is an unknown run.
    static func path(of draft: Draft) throws(RecognitionError) -> Resource {
        let model = draft.facts.model
        guard model.service.namesResourcesByPath, let input = model.input else { return .unknown }
        let template = model.uriTemplate.parts(by: 0x3F, maxSplits: 1)[0]
        let segments = Array((template.after("/v2") ?? template).parts(by: 0x2F).dropFirst())
        var parts: [Resource.Part] = []
        for segment in segments {
            parts.append(.known("/"))
            guard let open = segment.after("{") else {
                parts.append(.known(segment))
                continue
            }
            let label = String(decoding: open.utf8.prefix { $0 != 0x7D && $0 != 0x2B }, as: UTF8.self)
            let member = input.members.first { $0.location == .uri && $0.wireName == label }
            let texts =
                try member.map { member throws(RecognitionError) in
                    try GenericNaming.values(at: member.name, in: draft.facts.parameters)
                } ?? []
            guard let text = texts.first, texts.count == 1 else {
                parts.append(.unknown)
                continue
            }
            // What tags are put on is an ARN, which stays encoded in the path that is the tags' own ARN.
            let known = segments[0] == "tags" ? percentEncoded(text) : text
            parts.append(known.utf8.contains(0x2F) ? .unknown : .known(known))
        }
        // Access associations have an account, and one is named by its ARN.
        if segments[0] == "domainnameaccessassociations" {
            let arn = try GenericNaming.values(
                at: "domainNameAccessAssociationArn", in: draft.facts.parameters
            ).first
            if let arn, let named = ARN(parsing: arn), named.service == "apigateway",
                named.resource.begins(with: "/domainnameaccessassociations/")
            {
                return Resource(arn)
            }
            return draft.place.resource("apigateway", tail: parts)
        }
        // A private domain name's id is in the query on the wire and beside the name in the ARN.
        let ids = try GenericNaming.values(at: "domainNameId", in: draft.facts.parameters)
        guard segments[0] == "domainnames", segments.count > 1, let id = ids.first else {
            return draft.place.ofAWS.resource("apigateway", tail: parts)
        }
        parts.insert(contentsOf: [.known("+"), id.utf8.contains(0x2F) ? .unknown : .known(id)], at: 4)
        // The reference gives the private name itself an account, and none to what lies under it.
        let place = segments.count == 2 ? draft.place : draft.place.ofAWS
        return place.resource("apigateway", tail: parts)
    }
}
