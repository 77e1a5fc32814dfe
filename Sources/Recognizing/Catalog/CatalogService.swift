import Vocabulary

/// One AWS service, as botocore's service models have it.
package struct CatalogService: Sendable, Hashable {
    let file: CatalogFile
    let index: Int

    var record: CatalogRecord { file.record(.services, index) }

    /// The client name: `dynamodb`, `s3control`, `bedrock-runtime`.
    package var name: String { record.text(0).string }
    /// What requests are signed as by default: `dynamodb`, `s3`, `bedrock`.
    package var signingName: String { record.text(3).string }
    /// The prefix of its IAM actions: `monitoring` signs, `cloudwatch` is the prefix.
    package var iamPrefix: String { record.text(6).string }
    /// `2012-08-10`; the query protocol's Version.
    package var apiVersion: String { record.text(9).string }
    /// What stands before the dot in `X-Amz-Target`, and in CBOR paths; nil for protocols without it.
    package var targetPrefix: String? { record.optionalText(12)?.string }
    /// Further signing names seen on the wire: `s3express`.
    package var signingAliases: [String] {
        record.list(29).map { file.record(.serviceRefs, $0).text(0).string }
    }

    /// Every protocol it speaks, its own favorite first. A service with `query` beside JSON takes the older
    /// query form too.
    package var protocols: [WireProtocol] {
        let record = record
        return (19..<23).compactMap { WireProtocol(rawValue: record.byte($0)) }
    }

    private func has(_ flag: UInt8) -> Bool { record.byte(23) & flag != 0 }
    /// Whether JSON errors carry the codes of the query protocol (SQS, CloudWatch).
    package var isQueryCompatible: Bool { has(1) }
    /// Whether it takes bearer tokens and no signatures (CodeCatalyst): never signed.
    package var takesBearerTokens: Bool { has(2) }
    /// Whether its model names the retired signature version 2 (SimpleDB, Import/Export).
    package var usesSignatureV2: Bool { has(4) }
    /// Whether it takes no other: SimpleDB. Import/Export's endpoint rules name version 4 all the same.
    package var needsSignatureV2: Bool { usesSignatureV2 && record.text(0).equals("sdb") }
    /// Whether each resource has a host of its own, so that a bare endpoint cannot mean it.
    package var livesOnResourceHosts: Bool { has(8) }
    /// Whether the resource of its HTTP-method actions is the request's own path,
    /// `arn:aws:apigateway:REGION::/restapis/r1`.
    package var namesResourcesByPath: Bool { has(16) }
    /// Whether a person read where its resources are named (scripts/catalog.d/naming); else a rule guessed.
    package var isNamedByHand: Bool { has(32) }
    /// Whether it is S3's object interface, whose paths match almost anything.
    package var isS3: Bool { record.text(0).equals("s3") }

    var operationRange: Range<Int> { record.longList(15) }
    /// The number of its table of hosts.
    var hosts: Int { record.short(24) }

    /// Its operations, by name.
    package var operations: some RandomAccessCollection<CatalogOperation> {
        operationRange.lazy.map { CatalogOperation(file: file, index: $0) }
    }

    /// The operation of exactly that name.
    package func operation(named name: String) -> CatalogOperation? {
        file.search(.operations, in: operationRange, for: name).map {
            CatalogOperation(file: file, index: $0)
        }
    }

    /// Where it is reached in `region`; nil for a region that is not known, for services whose host needs
    /// more than a region, and where AWS has no such host (FIPS outside its partitions).
    ///
    /// Some operations go elsewhere: ``CatalogOperation/endpoint(region:variant:)`` is where a call is sent.
    package func endpoint(region: String, variant: EndpointVariant = []) -> CatalogEndpoint? {
        CatalogEndpoint(file: file, hosts: hosts, region: region, variant: variant)
    }

    package static func == (left: CatalogService, right: CatalogService) -> Bool { left.index == right.index }
    package func hash(into hasher: inout Hasher) { hasher.combine(index) }
}

/// Which of AWS's hosts for one service and region: the plain one, or those for FIPS 140 and for IPv6.
package struct EndpointVariant: OptionSet, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue & 3 }
    /// Hosts whose cryptography is validated.
    package static let fips = EndpointVariant(rawValue: 1)
    /// Hosts that IPv6 reaches too.
    package static let dualStack = EndpointVariant(rawValue: 2)

    /// `plain`, `FIPS`, `dual-stack`, `FIPS and dual-stack`.
    package var description: String { ["plain", "FIPS", "dual-stack", "FIPS and dual-stack"][Int(rawValue)] }

    package init(fips: Bool, dualStack: Bool) { self.init(rawValue: (fips ? 1 : 0) | (dualStack ? 2 : 0)) }

    /// The four there are, the plain one first.
    package static let all: [EndpointVariant] = [[], .fips, .dualStack, [.fips, .dualStack]]
}

/// Where a service is reached in a region, and how requests to it are signed.
package struct CatalogEndpoint: Hashable, Sendable {
    /// `dynamodb.eu-west-1.amazonaws.com`; an operation's host prefix goes before it.
    package let host: String
    package let signingName: String
    /// The region to sign for: the region asked for, or the pinned one of a global service (`us-east-1` for
    /// iam).
    package let signingRegion: String
    /// What goes before the operation's path: empty, or `/v2`.
    package let basePath: String
    /// Whether it takes only SigV4a, over a set of regions.
    package let usesSigV4a: Bool

    /// The row that `hosts` has for the region and variant.
    init?(file: CatalogFile, hosts: Int, region: String, variant: EndpointVariant) {
        guard let number = Catalog(file: file).regionIndex(region) else { return nil }
        let table = file.record(.hosts, hosts)
        let start = 5 * Int(variant.rawValue)
        var row = table.optionalShort(start)
        for exception in table.list(start + 2) {
            let record = file.record(.endpointExceptions, exception)
            if record.byte(0) == number { row = record.optionalShort(1) }
        }
        guard let row else { return nil }
        self.init(row: file.record(.endpoints, row), region: region, place: file.record(.regions, number))
    }

    /// Where the operator's listed host is.
    init(_ listed: ResourceHost) {
        host = listed.authority
        signingName = listed.signingName
        signingRegion = listed.region
        // The default stage of an HTTP API is named in its ARN and not in its paths.
        let isDefault = listed.service.isSame(as: "execute-api") && listed.basePath.isSame(as: "/$default")
        basePath = isDefault ? "" : listed.basePath
        usesSigV4a = false
    }

    /// A host of S3's that is made of a table's names and no row of one.
    init(host: String, signingName: String, signingRegion: String, usesSigV4a: Bool = false) {
        (self.host, self.signingName, self.signingRegion) = (host, signingName, signingRegion)
        (basePath, self.usesSigV4a) = ("", usesSigV4a)
    }

    private init(row: CatalogRecord, region: String, place: CatalogRecord) {
        var host: [UInt8] = []
        host.reserveCapacity(64)
        var rest = Array(row.text(0).string.utf8)[...]
        while let open = rest.firstIndex(of: 0x7B), let close = rest[open...].firstIndex(of: 0x7D) {
            host += rest[..<open]
            // One of `region`, `dns` and the name for dual-stack.
            let name = rest[(open + 1)..<close]
            if name.elementsEqual("region".utf8) {
                host += region.utf8
            } else {
                host += place.text(name.elementsEqual("dns".utf8) ? 6 : 9).string.utf8
            }
            rest = rest[(close + 1)...]
        }
        host += rest
        self.host = String(decoding: host, as: UTF8.self)
        basePath = row.text(3).string
        signingName = row.text(6).string
        signingRegion = row.optionalText(9)?.string ?? region
        usesSigV4a = row.byte(12) & 1 != 0
    }
}
