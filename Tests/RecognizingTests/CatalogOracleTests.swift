import Foundation
import Testing
import Vocabulary

@testable import Recognizing

@Suite("The catalog against botocore") struct CatalogOracleTests {
    let catalog = Catalog.builtIn

    /// The lines of `fixtures/routes/NAME.jsonl`, written by `scripts/fixtures/routes`.
    func lines(_ name: String) throws -> [JSON] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let data = try Data(contentsOf: root.appendingPathComponent("fixtures/routes/\(name).jsonl"))
        return try [UInt8](data).split(separator: 0x0A).map { try JSON(parsing: Array($0)) }
    }

    func text(_ row: JSON, _ name: String) throws -> String { try #require(row[name]?.string, "\(name)") }

    func list(_ value: JSON?) throws -> [JSON] {
        guard case .array(let items) = try #require(value) else { return [] }
        return items
    }

    @Test func `requests that botocore writes are what they were meant to be, by their scope`() throws {
        let rows = try lines("requests")
        #expect(rows.count > 600)
        var ambiguous = 0
        for row in rows {
            let query = try list(row["query"]).map { pair -> (name: String, value: String?) in
                let items = try list(pair)
                return (try #require(items[0].string), items[1].string)
            }
            let request = RestRequest(
                method: try text(row, "method"), path: try text(row, "path"), query: query,
                headers: try list(row["headers"]).compactMap(\.string))
            let found = try Router(catalog).restCandidates(for: request, signedAs: try text(row, "scope"))
            let meant = "\(try text(row, "service")).\(try text(row, "operation"))"
            let match = found.first { "\($0.operation.service.name).\($0.operation.name)" == meant }
            #expect(match != nil, "\(meant) is \(found.map(\.operation.name))")
            #expect(match?.unknownQuery == [] && match?.isExactSlash == true, "\(meant)")
            ambiguous += found.count > 1 ? 1 : 0
        }
        // Twins such as chime and chime-sdk-voice, whose operations sign and read alike.
        #expect(ambiguous * 50 < rows.count * 2)
    }

    @Test func `services are reached and signed for where botocore would`() throws {
        let rows = try lines("endpoints")
        #expect(rows.count > 400)
        for row in rows {
            let name = try text(row, "service")
            let service = try #require(catalog.service(named: name))
            let endpoint = try #require(service.endpoint(region: try text(row, "region")), "\(name)")
            #expect("https://\(endpoint.host)\(endpoint.basePath)" == (try text(row, "url")))
            #expect(endpoint.signingName == (try text(row, "signingName")))
            #expect(endpoint.signingRegion == (try text(row, "signingRegion")))
        }
    }
}
