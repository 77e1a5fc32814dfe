import Foundation
import Gateway
import Testing
import Vocabulary

/// The raw requests of `fixtures/calls` and `fixtures/rejects`, through the function of `debug recognize`.
@Suite("Raw requests") struct RequestFixtureTests {
    static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("fixtures")

    static func files(_ kind: String) -> [String] {
        let names = try? FileManager.default.contentsOfDirectory(
            atPath: folder.appendingPathComponent(kind).path)
        return (names ?? []).filter { $0.hasSuffix(".jsonl") }.sorted().map { "\(kind)/\($0)" }
    }

    func recognizer(_ hosts: [String] = []) throws -> ([UInt8]) -> [UInt8] {
        try debugRecognizer(
            account: "111122223333", region: "us-east-1", resourceHosts: hosts, usesScope: true)
    }

    /// Each request of `file`, with the answer to it.
    func answers(_ file: String) throws -> [(wanted: JSON, answer: JSON)] {
        let text = try Data(contentsOf: Self.folder.appendingPathComponent(file))
        let lines = text.split(separator: 0x0A)
        #expect(!lines.isEmpty)
        let plain = try recognizer()
        return try lines.map { line in
            let wanted = try JSON(parsing: Array(line))
            var members = ["id", "method", "target", "headers"].compactMap { name in
                wanted[name].map { JSON.Member(name, $0) }
            }
            let body = wanted["body"]?.string.map { Base64.encode(Array($0.utf8)) }
            members.append(.init("body_b64", .string(body ?? wanted["body_b64"]?.string ?? "")))
            let hosts = wanted["hosts"]?.array?.compactMap(\.string) ?? []
            let recognize = hosts.isEmpty ? plain : try recognizer(hosts)
            return (wanted, try JSON(parsing: recognize(JSON.object(members).line)))
        }
    }

    @Test("every call needs just its pairs", arguments: files("calls"))
    func served(_ file: String) throws {
        for (wanted, answer) in try answers(file) {
            let id = wanted["id"]?.text ?? ""
            // As bytes: Swift holds two spellings of é equal.
            let pairs = (answer["pairs"]?.array ?? []).map { pair in
                Array("\(pair["action"]?.string ?? "") \(pair["resource"]?.string ?? "")".utf8)
            }
            let needed = (wanted["pairs"]?.array ?? []).map { pair in
                Array("\(pair.array?.first?.string ?? "") \(pair.array?.last?.string ?? "")".utf8)
            }
            #expect(answer["error"] == nil, "\(id): \(answer.text)")
            #expect(!needed.isEmpty && pairs == needed, "\(id): \(answer.text)")
            #expect(answer["service"] == wanted["service"], "\(id): \(answer.text)")
            #expect(answer["operation"] == wanted["operation"], "\(id): \(answer.text)")
            #expect(answer["region"] == wanted["region"] ?? "us-east-1", "\(id): \(answer.text)")
            #expect(answer["candidates"] == nil, "\(id): \(answer.text)")
        }
    }

    @Test("what is not one call is refused", arguments: files("rejects"))
    func refused(_ file: String) throws {
        for (wanted, answer) in try answers(file) {
            let id = wanted["id"]?.text ?? ""
            #expect(answer["error"]?["status"] == wanted["error"], "\(id): \(answer.text)")
            #expect(answer["error"]?["message"]?.string?.isEmpty == false, "\(id): \(answer.text)")
            #expect(answer["pairs"] == nil, "\(id)")
        }
    }

    @Test func `both folders are read`() {
        #expect(Self.files("calls").count >= 10 && Self.files("rejects").count >= 10)
    }
}
