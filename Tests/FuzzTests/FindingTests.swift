import Foundation
import Testing

/// What the fuzzer once found stays in `fixtures/fuzz/<target>`, and ends no process any more.
@Suite("Findings of the fuzzer") struct FindingTests {
    static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("fixtures/fuzz")

    static func names(of path: URL) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path.path)) ?? []).sorted()
    }

    @Test("every target reads its findings", arguments: FuzzTarget.all.map(\.name))
    func findings(_ name: String) throws {
        let target = try #require(FuzzTarget.all.first { $0.name == name })
        let folder = Self.folder.appendingPathComponent(name)
        for finding in Self.names(of: folder) {
            target.run([UInt8](try Data(contentsOf: folder.appendingPathComponent(finding))))
        }
        target.run([])
    }

    @Test func `every folder of findings has its target`() {
        let folders = Self.names(of: Self.folder).filter { $0 != "README.md" }
        #expect(folders.allSatisfy { name in FuzzTarget.all.contains { $0.name == name } })
    }
}
