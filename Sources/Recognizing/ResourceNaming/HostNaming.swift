import Vocabulary

/// Names what calls touch whose resource is in the host that the operator lists, and in the path: no member
/// of the request says it.
///
/// A listed host counts as one of the gateway's own account.
enum HostNaming {
    /// The services that own every path of their hosts, so that only a listed host can mean them.
    static let ownsEveryPath: Set<String> = [
        "appsync-graphql", "execute-api", "lambda-url", "opensearch-collection", "opensearch-domain",
    ]

    /// The code that names the pairs of a service's calls; nil for every other service.
    static func namer(service: String) -> ((inout Draft) throws(RecognitionError) -> Void)? {
        switch service {
        case "apigatewaymanagementapi": connection
        case "appsync-graphql": graphQL
        case "cloudsearchdomain": search
        case "execute-api": invoke
        case "lambda-url": functionURL
        case "opensearch-collection": collection
        case "opensearch-domain": domain
        default: nil
        }
    }

    /// - SeeAlso: API Gateway Developer Guide, "Control access for invoking an API".
    private static func invoke(_ draft: inout Draft) throws(RecognitionError) {
        draft.want(
            "execute-api:Invoke",
            on: draft.place.resource(
                "execute-api",
                tail: api(draft) + [.known("/\(draft.facts.model.method)/")] + (try path(draft))))
    }

    /// - SeeAlso: API Gateway Developer Guide, "Use @connections commands in your backend service".
    private static func connection(_ draft: inout Draft) throws(RecognitionError) {
        let id = try draft.parameters.text("ConnectionId")
        draft.want(
            "execute-api:ManageConnections",
            on: draft.place.resource(
                "execute-api", tail: api(draft) + [.known("/\(draft.facts.model.method)/@connections/\(id)")])
        )
    }

    /// `API/STAGE` of the host and its base path.
    private static func api(_ draft: Draft) -> [Resource.Part] {
        guard let host = draft.facts.host else { return [.unknown, .known("/"), .unknown] }
        return [.known(firstLabel(host) + host.basePath)]
    }

    /// A function URL's host says nothing of the function.
    ///
    /// - SeeAlso: Lambda Developer Guide, "Control access to Lambda function URLs".
    private static func functionURL(_ draft: inout Draft) {
        let function = draft.place.resource("lambda", .known("function:"), .unknown)
        draft.want("lambda:InvokeFunctionUrl", on: function)
        draft.want("lambda:InvokeFunction", on: function)
        // Only such URLs take a signature, and this one is signed.
        draft.fill("lambda:FunctionUrlAuthType", ["AWS_IAM"])
        draft.fill("lambda:InvokedViaFunctionUrl", ["true"])
    }

    /// - SeeAlso: OpenSearch Service Developer Guide, "Identity and Access Management": the path below the
    ///   domain belongs to the resource.
    private static func domain(_ draft: inout Draft) throws(RecognitionError) {
        let action =
            draft.operation.ends(with: "AtRoot")
            ? String(draft.operation.dropLast(6)) : draft.operation
        draft.want(
            "es:\(action)",
            on: draft.place.resource(
                "es",
                tail: [.known("domain/"), name(draft, after: ["search-", "vpc-"]), .known("/")]
                    + (try path(draft))))
    }

    /// - SeeAlso: OpenSearch Serverless, "Identity and Access Management".
    private static func collection(_ draft: inout Draft) {
        let id = draft.facts.host.map { Resource.Part.known(firstLabel($0)) } ?? .unknown
        draft.want("aoss:APIAccessAll", on: draft.place.resource("aoss", .known("collection/"), id))
    }

    /// The host says nothing of the API's id; the document says the fields, which are not read.
    ///
    /// - SeeAlso: AppSync Developer Guide, "AWS_IAM authorization".
    private static func graphQL(_ draft: inout Draft) {
        draft.want(
            "appsync:GraphQL",
            on: draft.place.resource(
                "appsync", .known("apis/"), .unknown, .known("/types/"), .unknown, .known("/fields/"),
                .unknown))
    }

    /// - SeeAlso: CloudSearch Developer Guide, "Configuring Access for Amazon CloudSearch".
    private static func search(_ draft: inout Draft) {
        let action = ["Search": "search", "Suggest": "suggest"][draft.operation] ?? "document"
        draft.want(
            "cloudsearch:\(action)",
            on: draft.place.resource(
                "cloudsearch", .known("domain/"), name(draft, after: ["search-", "doc-"])))
    }

    private static func firstLabel(_ host: ResourceHost) -> String { String(host.name.prefix { $0 != "." }) }

    /// The domain in a host that begins with `search-NAME-ID.`, `prefixes` being what stands before the name.
    private static func name(_ draft: Draft, after prefixes: [String]) -> Resource.Part {
        guard let label = draft.facts.host.map(firstLabel),
            let rest = prefixes.lazy.compactMap({ label.after($0) }).first,
            let dash = rest.lastIndex(of: "-"), dash > rest.startIndex
        else { return .unknown }
        return .known(String(rest[..<dash]))
    }

    /// The path below the host as a policy writes it. From the first character on that is written in two
    /// ways, or at a slash that ends it, it is unknown.
    private static func path(_ draft: Draft) throws(RecognitionError) -> [Resource.Part] {
        guard let text = try draft.parameters.textIfAny("Path") else { return [] }
        let inner = text.ends(with: "/") ? String(text.dropLast()) : text
        guard !inner.parts(by: 0x2F).contains("") else {
            throw .malformed(part: "the path", why: "a segment of it is empty")
        }
        let plain = inner.utf8.prefix { $0.isAlphanumeric || "-._~/".utf8.contains($0) }
        let known = Resource.Part.known(String(decoding: plain, as: UTF8.self))
        return plain.count == text.utf8.count ? [known] : [known, .unknown]
    }
}
