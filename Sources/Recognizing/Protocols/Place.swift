import Vocabulary

/// What the outside of a request says of its service: path prefix, Host and credential scope. All that are
/// there must agree.
struct OuterHints {
    /// The path without `/_aws/<service>[/<region>]`. Percent-encoded.
    let path: String
    /// The services it may be; nil when nothing outside says so.
    let services: [CatalogService]?
    /// The signing name, when the scope says one and counts, or when Host is one that only this name has.
    let signedAs: String?
    /// The region that prefix, Host or scope name; nil when none does.
    let region: String?
    /// What may stand in Host before the name of this machine or of a service. Never empty.
    let hostLabels: [HostLabel]
    /// The listed host of one resource that path prefix or Host name, once for each service that it may be;
    /// empty when they name none.
    let resourceHosts: [ResourceHost]

    /// - Parameter hosts: The hosts that the operator lists; nil where only the shape of an answer hangs on
    ///   it: then any will do, and none is dialled.
    init(
        _ head: RequestHead, scope: CredentialScope?, hosts: [ResourceHost]?, catalog: Catalog
    ) throws(RecognitionError) {
        let prefix = try PathPrefix(head.rawPath, hosts: hosts, catalog: catalog)
        let host = try HostHint(
            head["host"] ?? "", hosts: hosts ?? [], scope: scope, catalog: catalog)
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
        region = try Self.region(prefix?.region, host.region, scope?.region, services)
        path = prefix?.rest ?? host.withoutBase(head.rawPath)
        self.services = services
        signedAs = scope?.service ?? host.signedAs
        hostLabels = host.labels
        resourceHosts = prefix?.host.map { [$0] } ?? host.resourceHosts
    }

    /// The one region that prefix, Host and scope name; of a global service Host may name one and the scope
    /// the one that is signed for there.
    private static func region(
        _ prefix: String?, _ host: String?, _ scope: String?, _ services: [CatalogService]?
    ) throws(RecognitionError) -> String? {
        let place = prefix ?? host
        func agrees(_ region: String?) -> Bool { region == nil || place == nil || region == place }
        let isPinned =
            services?.contains { service in
                // botocore dials Health in the client's region and signs for the global one.
                service.name == "health" && scope == "us-east-1"
                    || place.flatMap { service.endpoint(region: $0) }?.signingRegion == scope
            } ?? false
        guard agrees(host), agrees(scope) || isPinned else {
            let named = unique([prefix, host, scope].compactMap(\.self))
            throw .disagreement(
                "path prefix, Host and credential scope name different regions: "
                    + "\(shown(named.joined(separator: ", ")))")
        }
        return place ?? scope
    }

    /// What may stand before the host for a call of `service`; a nil among them: nothing.
    func labels(of service: CatalogService) -> [String?] {
        hostLabels.filter { $0.services?.contains(service) ?? true }.map(\.text)
    }
}

/// What stands in Host before a name that it ends with: `bucket.`, `111122223333.`, `sync-`.
struct HostLabel {
    /// The services that have that name; nil for this machine, which stands for all.
    let services: [CatalogService]?
    /// With its dot or dash; nil when nothing stands there.
    let text: String?
    /// The bucket that it may be: S3's own host, or this machine, with a name and a dot before it; or the ARN
    /// of the access point whose host it is.
    let bucket: String?

    /// Whether a call of `operation` may have come to this host.
    func admits(_ operation: CatalogOperation) -> Bool {
        guard services?.contains(operation.service) ?? true else { return false }
        guard let text else { return true }
        return operation.hostPrefix.map { mayBe(text, $0) } ?? false
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
        guard path.utf8.starts(with: "/_aws".utf8), path == "/_aws" || path.hasPrefix("/_aws/") else {
            return nil
        }
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
    var resourceHosts: [ResourceHost] = []
    var labels = [HostLabel(services: nil, text: nil, bucket: nil)]
    /// What the host's services have before the path of an operation: `/v2`.
    private var basePaths: [String] = []
    /// What calls to this host are signed as, where the service has other hosts too.
    var signedAs: String?

    /// - Parameter scope: For hosts of this machine that stand for one of AWS.
    init(
        _ host: String, hosts: [ResourceHost], scope: CredentialScope?, catalog: Catalog
    ) throws(RecognitionError) {
        var name = host.asciiLowercased
        if let colon = name.utf8.lastIndex(of: 0x3A), name.utf8.last != 0x5D,
            name.utf8[colon...].dropFirst().allSatisfy(\.isDigit)
        {
            name = String(name[..<colon])
        }
        if name.isSame(as: "127.0.0.1") || name.isSame(as: "[::1]") || isLoopback(name) { return }
        for local in ["localhost", "127.0.0.1"] where name.hasSuffix(local) {
            let before = String(name.dropLast(local.utf8.count))
            guard before.isEmpty || before.hasSuffix(".") || before.hasSuffix("-") else { break }
            let isAddress = local == "127.0.0.1"
            if let point = try S3Host(local: before, isAddress: isAddress, scope: scope, catalog: catalog) {
                take(point, catalog)
            } else if !before.isSame(as: "s3-accesspoint."), !before.isSame(as: "s3-object-lambda.") {
                labels = [
                    HostLabel(services: nil, text: before.isEmpty ? nil : before, bucket: bucket(before))
                ]
            }
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
        } else if let point = try S3Host(aws: name, catalog: catalog) {
            take(point, catalog)
        } else {
            try read(aws: name, catalog: catalog)
        }
    }

    private mutating func take(_ point: S3Host, _ catalog: Catalog) {
        services = catalog.service(named: "s3").map { [$0] }
        region = point.region
        signedAs = point.signingName
        labels = [HostLabel(services: services, text: point.label, bucket: point.bucket)]
    }

    private mutating func read(aws name: String, catalog: Catalog) throws(RecognitionError) {
        let named = name.split(separator: ".").map(String.init).first { catalog.partition(region: $0) != nil }
        var hosts = HostIndex.builtIn.owners(of: name, region: named ?? "us-east-1", catalog: catalog)
        // S3's old host serves every region; the scope says which.
        if name.hasSuffix("s3.amazonaws.com"), let s3 = catalog.service(named: "s3") {
            hosts = [HostIndex.Owner(service: s3, host: "s3.amazonaws.com", signingName: nil, basePath: "")]
        }
        // S3 control on outposts is at the host of S3 on Outposts.
        if let there = hosts.first(where: { $0.service.name == "s3outposts" }),
            let control = catalog.service(named: "s3control")
        {
            hosts.append(
                HostIndex.Owner(service: control, host: there.host, signingName: nil, basePath: ""))
        }
        guard let longest = hosts.max(by: { $0.host.utf8.count < $1.host.utf8.count }) else {
            throw .malformed(part: "Host", why: "no service of the catalog is at `\(shown(name))`")
        }
        // `maps.geo` is a host of its own, and the host `geo` with the host prefix of another service.
        labels = hosts.map { owner in
            var before = String(name.dropLast(owner.host.utf8.count))
            if owner.service.name == "kinesis", isAccountLabel(before) { before = "" }
            let isPlainS3 = owner.service.isS3 && owner.signingName == nil
            return HostLabel(
                services: [owner.service], text: before.isEmpty ? nil : before,
                bucket: isPlainS3 ? bucket(before) : nil)
        }
        services = hosts.map(\.service)
        signedAs = longest.signingName
        region = named
        basePaths = hosts.map(\.basePath).filter { !$0.isEmpty }
    }

    /// `path` as it is at this machine, without the base path of the host.
    func withoutBase(_ path: Substring) -> String {
        let base = basePaths.first { path.hasPrefix($0 + "/") }
        return String(path.dropFirst(base?.count ?? 0))
    }
}

/// Whether `label` makes Kinesis' host the one of an account: `111122223333.control-`. The plain host reaches
/// the same streams, and whose stream it is stands in its ARN.
private func isAccountLabel(_ label: String) -> Bool {
    ["control-", "data-"].contains(String(label.drop { $0 != "." }.dropFirst()))
        && String(label.prefix { $0 != "." }).isAccount
}

/// The bucket that `label` of a host may be.
private func bucket(_ label: String) -> String? {
    let name = String(label.dropLast())
    let isName =
        label.hasSuffix(".") && (3...63).contains(name.utf8.count) && !name.contains("..")
        && name.utf8.first != 0x2E
        && name.utf8.allSatisfy { $0.isLowerAlphanumeric || $0 == 0x2D || $0 == 0x2E || $0 == 0x5F }
    return isName ? name : nil
}

private func isLoopback(_ name: String) -> Bool {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil } && parts[0] == "127"
}

private func isAWS(_ name: String) -> Bool {
    [
        ".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".on.aws", ".aws.dev", ".amazonaws.eu",
        ".signin.aws.amazon.com",
    ].contains {
        name.hasSuffix($0)
    }
}

/// Whether `label` has the form of `prefix`, whose `{Name}` stand for one label: `111122223333.` of
/// `{AccountId}.`.
private func mayBe(_ label: String, _ prefix: String) -> Bool {
    guard let open = prefix.firstIndex(of: "{"), let close = prefix.firstIndex(of: "}") else {
        return label.isSame(as: prefix)
    }
    let end = prefix[prefix.index(after: close)...]
    guard label.hasPrefix(String(prefix[..<open])), label.hasSuffix(String(end)) else { return false }
    let value = label.utf8.dropFirst(prefix[..<open].utf8.count).dropLast(end.utf8.count)
    return !value.isEmpty && !value.contains(0x2E)
}
