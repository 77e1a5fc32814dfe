import Vocabulary

/// What the outside of a request says of its service: path prefix, Host and credential scope. All that are there must agree.
struct OuterHints {
    /// The path without `/_aws/<service>[/<region>]`, and with a virtual-host bucket put in front. Percent-encoded.
    let path: String
    /// The services it may be; nil when nothing outside says so.
    let services: [CatalogService]?
    /// The signing name, when the scope says one and counts.
    let signedAs: String?
    /// The region that prefix, Host or scope name; nil when none does.
    let region: String?
    /// The services by the prefix alone are exact: the operator's endpoint variable named one service.
    let isNamed: Bool

    init(
        _ head: RequestHead, scope: CredentialScope?, catalog: Catalog
    ) throws(RecognitionError) {
        let prefix = try PathPrefix(head.rawPath, catalog: catalog)
        let host = try HostHint(head["host"] ?? "", catalog: catalog)
        var path = prefix?.rest ?? String(head.rawPath)
        var services = prefix.map { [$0.service] }
        services = try agree(services, host.services, "the path prefix and Host")
        if let scope {
            let signed = catalog.services(signedAs: scope.service)
            guard !signed.isEmpty else {
                throw .disagreement("no AWS service is signed as `\(shown(scope.service))`")
            }
            services = try agree(services, signed, "the credential scope (`\(shown(scope.service))`) and Host or path prefix")
        }
        if let bucket = host.bucket {
            services = try agree(services, catalog.service(named: "s3").map { [$0] }, "the virtual-host bucket in Host and the credential scope")
            path = "/" + percentEncoded(bucket) + path
        }
        var regions: [String] = []
        for region in [prefix?.region, host.region] {
            if let region, !regions.contains(region) { regions.append(region) }
        }
        guard regions.count <= 1 else { throw .disagreement("the path prefix and Host name different regions") }
        // The scope of a global service names whatever region its client has: the prefix or the host say more.
        if let named = regions.first, let scope, scope.region != named, prefix?.region != nil {
            throw .disagreement("the path prefix names region \(named), the credential scope `\(shown(scope.region))`")
        }
        self.path = path
        self.services = services
        self.signedAs = scope?.service
        self.region = regions.first ?? scope?.region
        self.isNamed = prefix != nil
    }
}

private func agree(
    _ left: [CatalogService]?, _ right: [CatalogService]?, _ what: String
) throws(RecognitionError) -> [CatalogService]? {
    guard let left else { return right }
    guard let right else { return left }
    let both = left.filter { right.contains($0) }
    guard !both.isEmpty else { throw .disagreement("\(what) name different services") }
    return both
}

/// `/_aws/<service>[/<region>]` at the front of a path, for `AWS_ENDPOINT_URL_<SERVICE>`. A segment that is a region of AWS is taken as
/// one.
private struct PathPrefix {
    let service: CatalogService
    let region: String?
    let rest: String

    init?(_ path: Substring, catalog: Catalog) throws(RecognitionError) {
        guard path == "/_aws" || path.hasPrefix("/_aws/") else { return nil }
        var segments = path.dropFirst(6).split(separator: "/", omittingEmptySubsequences: false)
        guard let name = segments.first, let service = catalog.service(named: String(name)) else {
            throw .malformed(part: "the path", why: "`/_aws/` must be followed by a service's name, such as `/_aws/lambda`")
        }
        segments.removeFirst()
        if let next = segments.first, catalog.partition(region: String(next)) != nil {
            region = String(next)
            segments.removeFirst()
        } else {
            region = nil
        }
        self.service = service
        rest = "/" + segments.joined(separator: "/")
    }
}

/// What a Host says: an AWS host name, a virtual-host bucket, or just this machine.
private struct HostHint {
    var services: [CatalogService]?
    var region: String?
    var bucket: String?

    init(_ host: String, catalog: Catalog) throws(RecognitionError) {
        var name = host.asciiLowercased
        if let colon = name.lastIndex(of: ":"), !name.hasSuffix("]"), name[name.index(after: colon)...].utf8.allSatisfy(\.isDigit) {
            name = String(name[..<colon])
        }
        if name == "localhost" || name == "[::1]" || isIPv4(name) { return }
        for local in [".localhost", ".127.0.0.1"] where name.hasSuffix(local) {
            let label = String(name.dropLast(local.utf8.count))
            // Labels of S3's own hosts and host prefixes name no bucket; what they mean needs the real host.
            guard isBucketName(label) else { throw .malformed(part: "Host", why: "`\(shown(host))` names no bucket") }
            bucket = label
            return
        }
        guard isAWS(name) else {
            throw .malformed(part: "Host", why: "`\(shown(host))` is neither this machine nor an AWS host")
        }
        try read(aws: name, catalog: catalog)
    }

    private mutating func read(aws name: String, catalog: Catalog) throws(RecognitionError) {
        let labels = name.split(separator: ".").map(String.init)
        let named = labels.first { catalog.partition(region: $0) != nil }
        let region = named ?? "us-east-1"
        let fits = catalog.services.filter { service in
            guard let host = service.endpoint(region: region)?.host else { return false }
            return name == host || name.hasSuffix("." + host)
        }
        guard !fits.isEmpty else {
            if name == "s3.amazonaws.com" || name.hasSuffix(".s3.amazonaws.com") {
                services = catalog.service(named: "s3").map { [$0] }
                self.region = "us-east-1"
                if name.hasSuffix(".s3.amazonaws.com") { bucket = String(name.dropLast(17)) }
                return
            }
            throw .malformed(part: "Host", why: "no service of the catalog is at `\(shown(name))`")
        }
        services = Array(fits)
        self.region = named
        if let s3 = fits.first(where: \.isS3), let host = s3.endpoint(region: region)?.host, name != host {
            services = [s3]
            bucket = String(name.dropLast(host.utf8.count + 1))
        }
    }
}

private func isIPv4(_ name: String) -> Bool {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil } && parts[0] == "127"
}

private func isAWS(_ name: String) -> Bool {
    [".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".aws.dev", ".amazonaws.eu"].contains { name.hasSuffix($0) }
}

private func isBucketName(_ label: String) -> Bool {
    (3...63).contains(label.utf8.count) && label.utf8.allSatisfy { $0.isLowerAlphanumeric || $0 == 0x2D || $0 == 0x2E }
}
