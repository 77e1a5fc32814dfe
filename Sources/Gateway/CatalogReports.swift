import Recognizing
import Vocabulary

/// One host that signed requests go to, as `countersign catalog endpoints` lists it.
private struct HostRow {
    let service: String
    let region: String
    /// Only these operations go there; empty: all that are not listed with another.
    let operations: [String]
    let endpoint: CatalogEndpoint
}

/// Every host that signed requests may go to, by service and region: for a firewall's list, and for the test
/// that holds the table against botocore's.
///
/// `service` and `region` narrow it; nil is all. `json` gives one object a line.
///
/// - Throws: ``CatalogQuestionError`` for a service or region that the catalog does not know.
package func catalogEndpoints(
    service: String?, region: String?, useFIPS: Bool, useDualStack: Bool, json: Bool,
    catalog: Catalog = .builtIn
) throws(CatalogQuestionError) -> String {
    let variant = EndpointVariant(fips: useFIPS, dualStack: useDualStack)
    if let service, catalog.service(named: service) == nil {
        throw CatalogQuestionError(description: "the catalog knows no service `\(shown(service))`")
    }
    if let region, catalog.partition(region: region) == nil {
        throw CatalogQuestionError(description: "the catalog knows no region `\(shown(region))`")
    }
    let services = catalog.services.filter { service == nil || $0.name == service }
    let regions = catalog.regions.map(\.name).filter { region == nil || $0 == region }
    let rows = services.flatMap { hostRows(of: $0, regions: regions, variant: variant) }
    return json
        ? rows.map { String(decoding: $0.json.canonical, as: UTF8.self) }.joined(separator: "\n")
        : table(
            [["service", "region", "host", "signed for", "in", "only"]]
                + rows.map { row in
                    [
                        row.service, row.region, row.endpoint.host + row.endpoint.basePath,
                        row.endpoint.signingName, row.endpoint.signingRegion,
                        row.operations.joined(separator: " "),
                    ]
                }
        ).joined(separator: "\n")
}

private func hostRows(of service: CatalogService, regions: [String], variant: EndpointVariant) -> [HostRow] {
    let elsewhere = service.operations.filter(\.hasOwnHost)
    var rows: [HostRow] = []
    for region in regions {
        if let endpoint = service.endpoint(region: region, variant: variant) {
            rows.append(HostRow(service: service.name, region: region, operations: [], endpoint: endpoint))
        }
        var grouped: [CatalogEndpoint: [String]] = [:]
        for operation in elsewhere {
            guard let endpoint = operation.endpoint(region: region, variant: variant) else { continue }
            grouped[endpoint, default: []].append(operation.name)
        }
        for (endpoint, names) in grouped.sorted(by: { $0.value[0] < $1.value[0] }) {
            rows.append(HostRow(service: service.name, region: region, operations: names, endpoint: endpoint))
        }
    }
    return rows
}

extension HostRow {
    fileprivate var json: JSON {
        .object([
            .init("service", .string(service)), .init("region", .string(region)),
            .init("operations", .strings(operations)),
            .init("url", .string("https://\(endpoint.host)\(endpoint.basePath)")),
            .init("signing_name", .string(endpoint.signingName)),
            .init("signing_region", .string(endpoint.signingRegion)),
            .init("sigv4a", .bool(endpoint.usesSigV4a)),
        ])
    }
}

// MARK: - Coverage

/// How `countersign catalog coverage` is printed.
package enum CoverageForm: String, Sendable, CaseIterable {
    case text, json
    /// docs/catalog.md.
    case markdown
}

/// How much is known of each service: operations recognized, resources named and how, sensitivity rated, and
/// what is not known.
package func catalogCoverage(_ form: CoverageForm, catalog: Catalog = .builtIn) -> String {
    let rows = catalog.coverage
    switch form {
    case .json:
        return rows.map { String(decoding: $0.json.canonical, as: UTF8.self) }.joined(separator: "\n")
    case .text:
        let lines = [coverageColumns] + rows.map { $0.cells } + [CatalogCoverage(sumOf: rows).cells]
        return table(lines, numbersFrom: 1, to: 11).joined(separator: "\n")
    case .markdown: return coverageDocument(rows, catalog)
    }
}

private let coverageColumns = [
    "service", "operations", "recognized", "exact", "filled", "partly", "unknown", "no action", "rated",
    "keys filled", "keys absent", "keys unknown", "not said",
]

extension CatalogCoverage {
    fileprivate var counts: [Int] {
        [operationCount, recognizedCount] + Naming.allCases.map { namings[$0] ?? 0 } + [ratedCount]
            + KeyStanding.allCases.map { keys[$0] ?? 0 }
    }

    /// What is not known: what keeps calls from AWS, and the three parts that most operations lack.
    fileprivate var remark: String {
        let lacks = gaps.prefix(3).map { gap in
            "\(gap.part) (\(gap.operationCount)\(gap.makingCount == 0 ? "" : ", \(gap.makingCount) new"))"
        }
        let parts = [obstacle].compactMap { $0 } + lacks + (gaps.count > 3 ? ["\(gaps.count - 3) more"] : [])
        return parts.joined(separator: ", ")
    }

    fileprivate var cells: [String] {
        [service + (isNamedByHand ? "" : " ~")] + counts.map(String.init) + [remark]
    }

    fileprivate var json: JSON {
        .object([
            .init("service", .string(service)), .init("operations", .integer(operationCount)),
            .init("recognized", .integer(recognizedCount)), .init("named_by_hand", .bool(isNamedByHand)),
            .init("named", .object(Naming.allCases.map { .init($0.rawValue, .integer(namings[$0] ?? 0)) })),
            .init(
                "condition_keys",
                .object(KeyStanding.allCases.map { .init($0.rawValue, .integer(keys[$0] ?? 0)) })),
            .init("rated", .integer(ratedCount)), .init("vends_credentials", .integer(vendingCount)),
            .init("obstacle", obstacle.map { .string($0) } ?? .null),
            .init(
                "lacks",
                .array(
                    gaps.map {
                        .object([
                            .init("part", .string($0.part)), .init("operations", .integer($0.operationCount)),
                            .init("making", .integer($0.makingCount)),
                        ])
                    })),
        ])
    }
}

private func coverageDocument(_ rows: [CatalogCoverage], _ catalog: Catalog) -> String {
    let all = CatalogCoverage(sumOf: rows)
    let sources = catalog.sources.map { "\($0.name) \($0.version)" }.joined(separator: " and ")
    func share(_ naming: CatalogCoverage.Naming) -> String {
        let count = all.namings[naming] ?? 0
        let tenths = (1_000 * count + all.operationCount / 2) / max(1, all.operationCount)
        return "\(count) (\(tenths / 10).\(tenths % 10) %)"
    }
    let lines = rows.map { row in
        "| " + row.cells.map { $0.isEmpty ? " " : $0 }.joined(separator: " | ") + " |"
    }
    return """
        # What is known of AWS

        Written by `countersign catalog coverage --form markdown`; a test fails when this page says \
        otherwise. From \(sources), and what is written by hand in `scripts/catalog.d`. `countersign \
        catalog show dynamodb:Query` tells all of one operation, `countersign catalog endpoints` every \
        host.

        \(all.operationCount) operations of \(rows.count) services; \(all.recognizedCount) are recognized \
        and can be signed. \(all.ratedCount) are rated by what they show, the others count as data; the \
        reply of \(all.vendingCount) holds credentials. How the resource of an operation's own action is \
        known:

        | Word | Operations | Means |
        |---|---|---|
        | exact | \(share(.exact)) | code after the service's documentation names it, or it takes none |
        | filled | \(share(.filled)) | members of the request fill the ARN that AWS documents |
        | partly | \(share(.partly)) | some of it is in the request, the rest is unknown |
        | unknown | \(share(.unknown)) | the request names none: no statement on one allows it |
        | no action | \(share(.noAction)) | AWS lists no action that we know the operation needs: denied |

        *Filled* is not the same as *right*: where `~` stands behind a service, a rule found the members \
        by their names and nobody has read them. An ARN in a member counts only if it fits a format of \
        the action's own resource types. Calls that need no signature are not relayed, so they are not \
        among the recognized.

        For each action that an operation needs, AWS lists condition keys: \(all.keys[.filled] ?? 0) are \
        filled from what the request says or are always the same, \(all.keys[.absent] ?? 0) are known to \
        be absent, at least where the request lacks certain members, and \(all.keys[.unknown] ?? 0) are in \
        no request, mostly properties of the resource: they count against the caller. The last column has \
        the parts of ARNs that requests do not say, and of how \
        many operations: `new` are those that make the resource, which AWS names after the call.

        | \(coverageColumns.joined(separator: " | ")) |
        |---\(String(repeating: "|--:", count: coverageColumns.count - 2))|---|
        \(lines.joined(separator: "\n"))

        """
}

/// `rows` as lines with equal columns, two blanks between; the columns of numbers are set to the right.
func table(_ rows: [[String]], numbersFrom first: Int = .max, to last: Int = .max) -> [String] {
    let count = rows.map(\.count).max() ?? 0
    let widths = (0..<count).map { column in rows.map { $0[column].utf8.count }.max() ?? 0 }
    return rows.map { row in
        var line = ""
        for (column, cell) in row.enumerated() {
            let isNumber = (first...max(first, last)).contains(column)
            let blanks = String(repeating: " ", count: widths[column] - cell.utf8.count)
            line += (column == 0 ? "" : "  ") + (isNumber ? blanks + cell : cell + blanks)
        }
        return String(line.reversed().drop { $0 == " " }.reversed())
    }
}

/// `text` and blanks up to `width`; at least one.
func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.utf8.count))
}
