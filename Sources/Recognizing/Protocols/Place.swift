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
    /// The listed host of one resource that path prefix or Host name, once for each service that it may be;
    /// empty when they name none.
    let resourceHosts: [ResourceHost]

    /// - Parameter hosts: The hosts that the operator lists; nil where only the shape of an answer hangs on
    ///   it: then any will do, and none is dialled.
    init(
        _ head: RequestHead, scope: CredentialScope?, hosts: [ResourceHost]?, catalog: Catalog
    ) throws(RecognitionError) {
        let prefix = try PathPrefix(head.rawPath, hosts: hosts, catalog: catalog)
        let host = try HostHint(head["host"] ?? "", hosts: hosts ?? [], catalog: catalog)
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
        resourceHosts = prefix?.host.map { [$0] } ?? host.resourceHosts
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

/// `/_aws/<service>[/<region>]` at the front of a path, for `AWS_ENDPOINT_URL_<SERVICE>`; for services on
/// hosts of their resources also `/_aws/<service>/<host>[/<stage>]`. A segment that is a region of AWS is
/// taken as one, and one that is a host of AWS as that.
private struct PathPrefix {
    let service: CatalogService
    let region: String?
    let host: ResourceHost?
    let rest: String

    init?(_ path: Substring, hosts: [ResourceHost]?, catalog: Catalog) throws(RecognitionError) {
        guard path == "/_aws" || path.hasPrefix("/_aws/") else { return nil }
        var segments = path.dropFirst(6).split(separator: "/", omittingEmptySubsequences: false)
        guard let name = segments.first, let service = catalog.service(named: String(name)) else {
            throw .malformed(
                part: "the path", why: "`/_aws/` must be followed by a service's name, such as `/_aws/lambda`"
            )
        }
        segments.removeFirst()
        let next = segments.first.map(String.init) ?? ""
        var listed: ResourceHost?
        if catalog.partition(region: next) != nil {
            region = next
            segments.removeFirst()
        } else if !service.resourceHostForms.isEmpty, isAWS(String(next.prefix { $0 != ":" })) {
            listed = hosts?.first { host in
                host.service.isSame(as: service.name)
                    && (next.isSame(as: host.name) || next.isSame(as: host.authority))
                    && (host.basePath.isEmpty || segments.dropFirst().first.map { "/" + $0 } == host.basePath)
            }
            guard listed != nil || hosts == nil else {
                throw .malformed(
                    part: "the path",
                    why:
                        "`\(shown(next))` is not among the hosts that the operator lists for \(service.name) "
                        + "(resource-host)")
            }
            region = listed?.region
            segments.removeFirst(listed?.basePath.isEmpty ?? true ? 1 : 2)
        } else {
            region = nil
        }
        host = listed
        self.service = service
        rest = "/" + segments.joined(separator: "/")
    }
}

/// What a Host says: an AWS host name, or this machine; with what stands before it.
private struct HostHint {
    var services: [CatalogService]?
    var region: String?
    var label: String?
    var resourceHosts: [ResourceHost] = []

    init(_ host: String, hosts: [ResourceHost], catalog: Catalog) throws(RecognitionError) {
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
        // A stage stands in the path, which only the path prefix can tell from the operation's own.
        resourceHosts = hosts.filter { $0.name.isSame(as: name) && $0.basePath.isEmpty }
        if let first = resourceHosts.first {
            services = resourceHosts.compactMap { catalog.service(named: $0.service) }
            region = first.region
        } else {
            try read(aws: name, catalog: catalog)
        }
    }

    private mutating func read(aws name: String, catalog: Catalog) throws(RecognitionError) {
        let named = name.split(separator: ".").map(String.init).first { catalog.partition(region: $0) != nil }
        // S3's old host serves every region; the scope says which.
        var hosts =
            name.hasSuffix("s3.amazonaws.com")
            ? catalog.service(named: "s3").map { [($0, "s3.amazonaws.com")] } ?? [] : []
        // Whichever host the client knows says which service it means; the operator says which is dialled.
        for variant in EndpointVariant.all where hosts.isEmpty {
            hosts = catalog.services.compactMap { service in
                let endpoint = service.endpoint(region: named ?? "us-east-1", variant: variant)
                guard let host = endpoint?.host, name.hasSuffix(host) else { return nil }
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
    [".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".on.aws", ".aws.dev", ".amazonaws.eu"].contains {
        name.hasSuffix($0)
    }
}
