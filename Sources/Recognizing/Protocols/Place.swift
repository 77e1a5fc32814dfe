import Vocabulary

/// What the outside of a request says of its service: path prefix, Host and credential scope. All that are
/// there must agree.
struct OuterHints {
    /// The path without `/_aws/<service>[/<region>]`. Percent-encoded.
    let path: String
    /// The services it may be; nil when nothing outside says so.
    let services: [CatalogService]?
    /// The signing name, when the scope says one and counts.
    let signedAs: String?
    /// The region that prefix, Host or scope name; nil when none does.
    let region: String?
    /// What stands in Host before the name of this machine or of the service: `bucket.`, `111122223333.`,
    /// `sync-`; nil for nothing.
    let hostLabel: String?

    init(
        _ head: RequestHead, scope: CredentialScope?, catalog: Catalog
    ) throws(RecognitionError) {
        let prefix = try PathPrefix(head.rawPath, catalog: catalog)
        let host = try HostHint(head["host"] ?? "", catalog: catalog)
        var services = prefix.map { [$0.service] }
        services = try agree(services, host.services, "the path prefix and Host")
        if let scope {
            let signed = catalog.services(signedAs: scope.service)
            guard !signed.isEmpty else {
                throw .disagreement("no AWS service is signed as `\(shown(scope.service))`")
            }
            services = try agree(
                services, signed, "the credential scope (`\(shown(scope.service))`) and Host or path prefix")
        }
        var regions: [String] = []
        for region in [prefix?.region, host.region, scope?.region] {
            if let region, !regions.contains(where: { $0.isSame(as: region) }) { regions.append(region) }
        }
        guard regions.count <= 1 else {
            throw .disagreement(
                "path prefix, Host and credential scope name different regions: "
                    + "\(shown(regions.joined(separator: ", ")))"
            )
        }
        path = prefix?.rest ?? String(head.rawPath)
        self.services = services
        signedAs = scope?.service
        region = regions.first
        hostLabel = host.label
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

/// `/_aws/<service>[/<region>]` at the front of a path, for `AWS_ENDPOINT_URL_<SERVICE>`. A segment that is a
/// region of AWS is taken as one.
private struct PathPrefix {
    let service: CatalogService
    let region: String?
    let rest: String

    init?(_ path: Substring, catalog: Catalog) throws(RecognitionError) {
        guard path == "/_aws" || path.hasPrefix("/_aws/") else { return nil }
        var segments = path.dropFirst(6).split(separator: "/", omittingEmptySubsequences: false)
        guard let name = segments.first, let service = catalog.service(named: String(name)) else {
            throw .malformed(
                part: "the path", why: "`/_aws/` must be followed by a service's name, such as `/_aws/lambda`"
            )
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

/// What a Host says: an AWS host name, or this machine; with what stands before it.
private struct HostHint {
    var services: [CatalogService]?
    var region: String?
    var label: String?

    init(_ host: String, catalog: Catalog) throws(RecognitionError) {
        var name = host.asciiLowercased
        if let colon = name.lastIndex(of: ":"), !name.hasSuffix("]"),
            name[name.index(after: colon)...].utf8.allSatisfy(\.isDigit)
        {
            name = String(name[..<colon])
        }
        if name.isSame(as: "[::1]") || isLoopback(name) { return }
        for local in ["localhost", "127.0.0.1"] where name.hasSuffix(local) {
            let before = String(name.dropLast(local.utf8.count))
            guard before.isEmpty || before.hasSuffix(".") || before.hasSuffix("-") else { break }
            label = before.isEmpty ? nil : before
            return
        }
        guard isAWS(name) else {
            throw .malformed(part: "Host", why: "`\(shown(host))` is neither this machine nor an AWS host")
        }
        try read(aws: name, catalog: catalog)
    }

    private mutating func read(aws name: String, catalog: Catalog) throws(RecognitionError) {
        let named = name.split(separator: ".").map(String.init).first { catalog.partition(region: $0) != nil }
        // S3's old host serves every region; the scope says which.
        var hosts =
            name.hasSuffix("s3.amazonaws.com")
            ? catalog.service(named: "s3").map { [($0, "s3.amazonaws.com")] } ?? [] : []
        if hosts.isEmpty {
            hosts = catalog.services.compactMap { service in
                guard let host = service.endpoint(region: named ?? "us-east-1")?.host, name.hasSuffix(host)
                else { return nil }
                let before = name.dropLast(host.utf8.count)
                return before.isEmpty || before.hasSuffix(".") || before.hasSuffix("-")
                    ? (service, host) : nil
            }
        }
        // The longest host is the one meant: `s3-control` is not a label before another service's host.
        guard let longest = hosts.map(\.1.utf8.count).max() else {
            throw .malformed(part: "Host", why: "no service of the catalog is at `\(shown(name))`")
        }
        services = hosts.filter { $0.1.utf8.count == longest }.map(\.0)
        region = named
        if name.utf8.count > longest { label = String(name.dropLast(longest)) }
    }
}

private func isLoopback(_ name: String) -> Bool {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil } && parts[0] == "127"
}

private func isAWS(_ name: String) -> Bool {
    [".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".aws.dev", ".amazonaws.eu"].contains {
        name.hasSuffix($0)
    }
}
