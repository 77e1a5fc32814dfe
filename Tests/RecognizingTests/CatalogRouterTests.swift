import Recognizing
import Testing
import Vocabulary

@Suite("Routing REST requests") struct CatalogRouterTests {
    let catalog = Catalog.builtIn
    let router = Router()

    /// `service.operation` of every candidate.
    func candidates(
        _ method: String, _ path: String, query: [(name: String, value: String?)] = [],
        headers: Set<String> = [],
        signedAs: String? = nil
    ) throws -> [String] {
        try matches(method, path, query: query, headers: headers, signedAs: signedAs).map {
            "\($0.operation.service.name).\($0.operation.name)"
        }
    }

    func matches(
        _ method: String, _ path: String, query: [(name: String, value: String?)] = [],
        headers: Set<String> = [],
        signedAs: String? = nil
    ) throws -> [RestMatch] {
        try router.restCandidates(
            for: RestRequest(method: method, path: path, query: query, headers: Array(headers)),
            signedAs: signedAs)
    }

    /// A request that fits `operation`: labels filled with `x`, all that is required there.
    func synthetic(_ operation: CatalogOperation) -> RestRequest {
        let path = operation.uriTemplate.prefix { $0 != "?" }.split(
            separator: "/", omittingEmptySubsequences: false
        )
        .map { $0.hasPrefix("{") ? "x" : String($0) }.joined(separator: "/")
        var query = operation.queryLiterals
        var headers: Set<String> = []
        for member in operation.input.map({ Array($0.members) }) ?? [] where member.isRequired {
            if member.location == .query { query.append((member.wireName, "x")) }
            if member.location == .header { headers.insert(member.wireName.asciiLowercased) }
        }
        return RestRequest(
            method: operation.method, path: path, query: query, headers: Array(headers))
    }

    @Test func `every REST operation is among the candidates of its own request`() throws {
        var count = 0
        for operation in catalog.operations {
            let service = operation.service
            guard service.protocols.contains(.restJSON) || service.protocols.contains(.restXML) else {
                continue
            }
            count += 1
            // Lifecycle and notification have old names that read the same; `GET /` with that scope lists
            // both bucket kinds.
            if service.isS3, operation.isDeprecated || operation.name == "ListDirectoryBuckets" { continue }
            let found = try router.restCandidates(
                for: synthetic(operation), signedAs: service.signingName, atHostsOf: [service.name])
            #expect(found.contains { $0.operation == operation }, "\(service.name) \(operation.name)")
            #expect(!found.contains { !$0.isExactSlash })
        }
        #expect(count == 9_810)
    }

    @Test func `an unsigned call of another service is never S3's as well`() throws {
        for operation in catalog.operations {
            let service = operation.service
            let isRest = service.protocols.contains(.restJSON) || service.protocols.contains(.restXML)
            guard isRest, !service.isS3, !service.livesOnResourceHosts else { continue }
            let found = try router.restCandidates(for: synthetic(operation), signedAs: nil)
            #expect(!found.contains { $0.operation.service.isS3 }, "\(service.name) \(operation.name)")
            #expect(!found.isEmpty, "\(service.name) \(operation.name)")
        }
    }

    @Test func `an exact path of S3 under its own scope is not bent to its sister's`() throws {
        let headers: Set<String> = ["x-amz-account-id"]
        let path = "/v20180820/accesspoint"
        #expect(
            try candidates("GET", path, headers: headers, signedAs: "s3") == ["s3control.ListAccessPoints"])
        #expect(try candidates("GET", path + "/", headers: headers, signedAs: "s3") == ["s3.GetObject"])
        #expect(try candidates("GET", path, signedAs: "s3") == ["s3.GetObject"])
    }

    @Test func `a bucket with a slash has no empty key`() throws {
        #expect(try candidates("POST", "/b/", query: [("uploads", nil)], signedAs: "s3").isEmpty)
        #expect(try candidates("PUT", "/b/", signedAs: "s3") == ["s3.CreateBucket"])
    }

    @Test func `a literal query value is exact`() throws {
        let match = try #require(try matches("GET", "/b", query: [("list-type", "1")], signedAs: "s3").first)
        #expect(match.operation.name == "ListObjects")
        #expect(match.unknownQuery == ["list-type"])
        let hinted = try #require(
            try matches("GET", "/b/k", query: [("x-id", "GetObject")], signedAs: "s3").first)
        #expect(hinted.unknownQuery.isEmpty)
    }

    @Test func `labels are decoded exactly once`() throws {
        let match = try #require(try matches("GET", "/b/a%20b/%2541//c%2Fd/", signedAs: "s3").first)
        #expect(match.operation.name == "GetObject")
        #expect(match.labels.map(\.name) == ["Bucket", "Key"])
        #expect(match.labels.map(\.value) == ["b", "a b/%41//c/d/"])
        let tags = try #require(
            try matches(
                "GET", "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aeu-west-1%3A111122223333%3Afunction%3Af"
            ).first)
        #expect(tags.operation.name == "ListTags")
        #expect(tags.labels.first?.value == "arn:aws:lambda:eu-west-1:111122223333:function:f")
    }

    @Test(arguments: ["/b/%", "/b/%2", "/b/%zz", "/b/a%2", "/%g0/k"])
    func `a bad escape is refused`(path: String) {
        #expect(throws: PathError.self) { try matches("GET", path, signedAs: "s3") }
    }

    @Test(arguments: ["/b/%ff", "/b/%c0%af", "/b/%ed%a0%80", "/b/%f4%90%80%80", "/b/a%80"])
    func `bytes that are not UTF-8 are refused`(path: String) {
        #expect(throws: PathError.self) { try matches("GET", path, signedAs: "s3") }
    }

    @Test func `a path has a first slash and at most 1,100 segments`() throws {
        #expect(throws: PathError.notAbsolute) { try matches("GET", "b/k", signedAs: "s3") }
        #expect(throws: PathError.notAbsolute) { try matches("GET", "", signedAs: "s3") }
        let most = String(repeating: "/a", count: Router.segmentCountMax)
        #expect(try candidates("GET", most, signedAs: "s3") == ["s3.GetObject"])
        #expect(throws: PathError.tooManySegments) { try matches("GET", most + "/a", signedAs: "s3") }
    }

    @Test func `S3 is meant only if no other service fits, or if the scope says so`() throws {
        #expect(try candidates("GET", "/2013-04-01/hostedzone") == ["route53.ListHostedZones"])
        #expect(try candidates("GET", "/2013-04-01/hostedzone", signedAs: "s3") == ["s3.GetObject"])
        #expect(try candidates("GET", "/my-bucket/key") == ["s3.GetObject"])
        #expect(try candidates("GET", "/restapis") == ["apigateway.GetRestApis"])
        #expect(try candidates("PUT", "/my-bucket") == ["s3.CreateBucket"])
    }

    @Test func `a service on hosts of its own is no candidate without a scope`() throws {
        #expect(try candidates("PUT", "/my/object", signedAs: "mediastore") == ["mediastore-data.PutObject"])
        #expect(try candidates("PUT", "/my/object") == ["s3.PutObject"])
    }

    @Test func `the scope chooses among services of one path`() throws {
        #expect(try candidates("GET", "/tags/arn").count > 50)
        #expect(try candidates("GET", "/tags/arn", signedAs: "eks") == ["eks.ListTagsForResource"])
        #expect(try candidates("GET", "/tags/arn", signedAs: "nonsense").isEmpty)
    }

    @Test func `the caller may narrow the services`() throws {
        let request = RestRequest(method: "GET", path: "/tags/arn", query: [], headers: [])
        let found = try router.restCandidates(for: request, signedAs: nil) { $0.name == "eks" }
        #expect(found.map(\.operation.name) == ["ListTagsForResource"])
    }

    @Test(
        arguments: [
            ("GET", [("acl", nil)], [], "GetObjectAcl"), ("GET", [("acl", "")], [], "GetObjectAcl"),
            ("GET", [], [], "GetObject"), ("GET", [("versionId", "v")], [], "GetObject"),
            ("GET", [("x-id", "PutObject")], [], "GetObject"), ("GET", [("uploadId", "u")], [], "ListParts"),
            ("HEAD", [], [], "HeadObject"), ("PUT", [], [], "PutObject"),
            ("PUT", [], ["x-amz-copy-source"], "CopyObject"),
            ("PUT", [("partNumber", "1"), ("uploadId", "u")], [], "UploadPart"),
            ("PUT", [("partNumber", "1"), ("uploadId", "u")], ["x-amz-copy-source"], "UploadPartCopy"),
            ("POST", [("uploads", nil)], [], "CreateMultipartUpload"),
            ("POST", [("select", nil), ("select-type", "2")], [], "SelectObjectContent"),
            ("POST", [("uploadId", "u")], [], "CompleteMultipartUpload"), ("DELETE", [], [], "DeleteObject"),
            ("DELETE", [("tagging", nil)], [], "DeleteObjectTagging"),
        ] as [(String, [(String, String?)], Set<String>, String)])
    func `query and header names choose among the operations on one object`(
        method: String, query: [(String, String?)], headers: Set<String>, name: String
    ) throws {
        let query = query.map { (name: $0.0, value: $0.1) }
        #expect(
            try candidates(method, "/b/k", query: query, headers: headers, signedAs: "s3") == ["s3." + name])
    }

    @Test func `a subresource with a value is not the subresource`() throws {
        let match = try #require(try matches("GET", "/b/k", query: [("acl", "x")], signedAs: "s3").first)
        #expect(match.operation.name == "GetObject")
        #expect(match.unknownQuery == ["acl"])
    }

    @Test func `buckets are listed, with and without the slash`() throws {
        #expect(try candidates("GET", "/", signedAs: "s3") == ["s3.ListBuckets"])
        #expect(try candidates("GET", "/", signedAs: "s3express") == ["s3.ListDirectoryBuckets"])
        #expect(try candidates("GET", "/b", signedAs: "s3") == ["s3.ListObjects"])
        #expect(try candidates("GET", "/b/", signedAs: "s3") == ["s3.ListObjects"])
        #expect(
            try candidates("GET", "/b", query: [("list-type", "2")], signedAs: "s3") == ["s3.ListObjectsV2"])
        #expect(try candidates("GET", "/b//", signedAs: "s3") == ["s3.GetObject"])
        #expect(
            try candidates("GET", "/b", query: [("lifecycle", nil)], signedAs: "s3")
                == ["s3.GetBucketLifecycleConfiguration"])
        #expect(try candidates("DELETE", "/b/", signedAs: "s3") == ["s3.DeleteBucket"])
    }

    @Test func `an exact trailing slash wins, and a missing one is told`() throws {
        #expect(try candidates("POST", "/agents/A/", signedAs: "bedrock") == ["bedrock-agent.PrepareAgent"])
        #expect(
            try candidates("POST", "/agents/A", signedAs: "bedrock") == [
                "bedrock-agent-runtime.InvokeInlineAgent"
            ])
        // botocore writes `/backup/plans/` and `/2015-03-31/event-source-mappings`; other SDKs leave out or
        // add the slash.
        for scope in ["backup", nil] {
            let exact = try matches("GET", "/backup/plans/", signedAs: scope)
            #expect(exact.map(\.operation.name) == ["ListBackupPlans"])
            #expect(exact.first?.isExactSlash == true)
            let loose = try matches("GET", "/backup/plans", signedAs: scope)
            #expect(loose.map(\.operation.name) == ["ListBackupPlans"])
            #expect(loose.first?.isExactSlash == false)
        }
        #expect(
            try candidates("GET", "/2015-03-31/event-source-mappings/") == ["lambda.ListEventSourceMappings"])
        #expect(try candidates("GET", "/2015-03-31/event-source-mappings//", signedAs: "lambda").isEmpty)
    }

    @Test(arguments: [
        "/2015-03-31/functions/../x", "/2015-03-31/functions/%2e%2e", "/2015-03-31/./functions",
    ])
    func `dot segments fit only S3`(path: String) throws {
        #expect(try candidates("GET", path, signedAs: "lambda").isEmpty)
        #expect(try candidates("GET", path) == ["s3.GetObject"])
    }

    @Test func `an empty label, another method and an unknown path fit nothing`() throws {
        #expect(try candidates("GET", "/2015-03-31/functions//policy", signedAs: "lambda").isEmpty)
        #expect(try candidates("BREW", "/b/k", signedAs: "s3").isEmpty)
        #expect(try candidates("get", "/b/k", signedAs: "s3").isEmpty)
        #expect(try candidates("GET", "/no/such/thing", signedAs: "lambda").isEmpty)
    }

    @Test func `required query and headers must be there`() throws {
        #expect(try candidates("DELETE", "/tags/arn", signedAs: "eks").isEmpty)
        #expect(
            try candidates("DELETE", "/tags/arn", query: [("tagKeys", "a")], signedAs: "eks") == [
                "eks.UntagResource"
            ])
    }

    @Test func `no service wins over another by demanding more`() throws {
        // FIS takes `DELETE /tags/{arn}` without tagKeys; other services must have them.
        let query: [(name: String, value: String?)] = [("tagKeys", "a")]
        let found = try candidates("DELETE", "/tags/arn", query: query)
        #expect(found.contains("fis.UntagResource") && found.contains("eks.UntagResource"))
    }

    @Test func `a label of many segments may be followed by more`() throws {
        let match = try #require(
            try matches(
                "PUT", "/portals/arn%3Aaws%3Ax/portal/1/browserSettings",
                query: [("browserSettingsArn", "a")],
                signedAs: "workspaces-web"
            ).first)
        #expect(match.operation.name == "AssociateBrowserSettings")
        #expect(match.labels.first?.value == "arn:aws:x/portal/1")
    }
}
