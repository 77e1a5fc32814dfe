import Vocabulary

/// Which services answer at a host of AWS, found by the first labels of their hosts: a name is compared with
/// the few that share a label with it, not with every service.
struct HostIndex: Sendable {
    /// A service at a host.
    struct Owner: Sendable {
        let service: CatalogService
        /// Without what stands before it: a bucket, a host prefix.
        let host: String
        /// What is signed for there, when it is the host of some operations only; else nil.
        let signingName: String?
        /// What its paths begin with there.
        let basePath: String
    }

    /// Made when the first request names an AWS host; most name this machine.
    static let builtIn = HostIndex(.builtIn)

    private struct Row: Sendable, Hashable {
        let service: CatalogService
        let operation: CatalogOperation?
    }

    /// By the first label of a host of theirs.
    private var rows: [String: [Row]] = [:]

    init(_ catalog: Catalog) {
        // Where the hosts of a service begin with other labels, they do so by partition.
        var regions = ["us-east-1", "eu-west-1"]
        for region in catalog.regions where !regions.contains(where: { isAlike($0, region, catalog) }) {
            regions.append(region.name)
        }
        for service in catalog.services {
            var kept = [Row(service: service, operation: nil)]
            var known: Set<CatalogEndpoint> = []
            for operation in service.operations where operation.hasOwnHost {
                // Operations that share a host of their own are one row.
                guard let there = operation.endpoint(region: regions[0]), known.insert(there).inserted else {
                    continue
                }
                kept.append(Row(service: service, operation: operation))
            }
            for row in kept {
                for region in regions {
                    for host in Self.hosts(row, region) { add(row, under: host.host) }
                }
            }
        }
    }

    private mutating func add(_ row: Row, under host: String) {
        let label = String(host.prefix { $0 != "." })
        if rows[label]?.contains(row) != true { rows[label, default: []].append(row) }
    }

    private static func hosts(_ row: Row, _ region: String) -> [CatalogEndpoint] {
        EndpointVariant.all.compactMap { variant in
            row.operation.map { $0.endpoint(region: region, variant: variant) }
                ?? row.service.endpoint(region: region, variant: variant)
        }
    }

    /// The services whose host in `region` is `name`, or ends it after a `.` or a `-`.
    func owners(of name: String, region: String, catalog: Catalog) -> [Owner] {
        var found: [Owner] = []
        for label in name.split(separator: ".") {
            // `sync-states`: a host prefix may end with a dash.
            for start in [label.startIndex]
                + label.indices.filter({ label[$0] == "-" }).map(label.index(after:))
            {
                for row in rows[String(label[start...])] ?? [] {
                    for endpoint in Self.hosts(row, region) where ends(name, with: endpoint.host) {
                        found.append(
                            Owner(
                                service: row.service, host: endpoint.host,
                                signingName: row.operation.map { _ in endpoint.signingName },
                                basePath: endpoint.basePath))
                    }
                }
            }
        }
        return found
    }
}

private func isAlike(_ known: String, _ region: (name: String, partition: String), _ catalog: Catalog) -> Bool
{
    catalog.partition(region: known) == region.partition
}

private func ends(_ name: String, with host: String) -> Bool {
    guard name.hasSuffix(host) else { return false }
    let before = name.dropLast(host.utf8.count)
    return before.isEmpty || before.hasSuffix(".") || before.hasSuffix("-")
}
