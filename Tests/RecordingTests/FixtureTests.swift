import Glibc
import Testing
import Vocabulary

@testable import Recording

/// The folder `fixtures/log` of the repository.
private let fixtures: String = {
    let file = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    return file.dropLast(3).joined(separator: "/") + "/fixtures/log"
}()

/// What each fixture must be found to be; the folder beside it holds `expected.txt` with the same words.
private let cases = ["sound", "entry-removed", "line-edited", "tail-cut", "swapped", "torn"]

@Suite("Recording: recorded logs") struct FixtureTests {
    @Test(arguments: cases) func `a recorded log is judged as it was`(_ name: String) throws {
        let expected = String(decoding: try readFile("\(fixtures)/\(name)/expected.txt"), as: UTF8.self)
        let head = try LogHead(contentsOf: "\(fixtures)/head.json")
        #expect(try words(of: "\(fixtures)/\(name)", head) == expected)
    }

    @Test func `every recorded log is read`() throws {
        let folder = try #require(opendir(fixtures))
        defer { closedir(folder) }
        var names: Set<String> = []
        while let item = readdir(folder) {
            let name = withUnsafeBytes(of: item.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.insert(name) }
        }
        #expect(names == Set(cases + ["head.json"]))
    }

    @Test func `every type of entry, and every member of the recorded ones, is in the manual`() throws {
        let manual = String(
            decoding: try readFile(fixtures.dropLast("fixtures/log".count) + "docs/log.md"), as: UTF8.self)
        for type in EntryType.allCases { #expect(manual.contains("`\(type.rawValue)`"), "\(type.rawValue)") }
        var entries = try LogEntries(folder: "\(fixtures)/sound")
        while let entry = try entries.next() {
            for member in entry.json.members ?? [] {
                #expect(manual.contains("`\(member.name)`"), "\(entry.type.rawValue): \(member.name)")
            }
        }
    }

    @Test func `the recorded entries show as lines and as a story`() throws {
        var rendering = Rendering()
        var entries = try LogEntries(folder: "\(fixtures)/sound")
        var lines: [String] = []
        while let entry = try entries.next() {
            if let line = rendering.line(for: entry) { lines.append(line) }
        }
        let story = try story(of: Journey.approval, folder: "\(fixtures)/sound")
        let shown = (lines + [""] + story).joined(separator: "\n") + "\n"
        #expect(shown == String(decoding: try readFile("\(fixtures)/sound/shown.txt"), as: UTF8.self))
    }

    /// Makes the fixtures anew, by a real run: `UPDATE_FIXTURES=1 swift test --filter FixtureTests`.
    @Test(.enabled(if: getenv("UPDATE_FIXTURES") != nil)) func `the recorded logs are made anew`()
        async throws
    {
        let folder = try Folder()
        let log = try RequestLog.test(folder)
        try await Journey.write(to: log)
        log.stop()
        let whole = try folder.bytes("000001.jsonl")
        let lines = whole.split(separator: 0x0A).map { Array($0) + [0x0A] }
        let head = try #require(try verify(folder: folder.path).head)
        try put(head.line, "head.json")
        try put(whole, "sound/000001.jsonl")
        try put(Array((lines[..<4] + lines[5...]).joined()), "entry-removed/000001.jsonl")
        let edited = String(decoding: lines[4], as: UTF8.self).replacing("o-91", with: "o-92")
        try put(
            Array((lines[..<4] + [Array(edited.utf8)] + lines[5...]).joined()), "line-edited/000001.jsonl")
        try put(Array(lines.dropLast(2).joined()), "tail-cut/000001.jsonl")
        var swapped = lines
        swapped.swapAt(2, 3)
        try put(Array(swapped.joined()), "swapped/000001.jsonl")

        try folder.write(Array(lines[..<8].joined()) + lines[8].prefix(200), to: "000001.jsonl")
        let again = try RequestLog.test(folder)
        _ = try await again.appended(.stop(at: moment(70_000), reason: "SIGTERM")).get()
        again.stop()
        for name in ["000001.jsonl", "000002.jsonl"] { try put(try folder.bytes(name), "torn/\(name)") }
        for name in cases {
            try put(Array(try words(of: "\(fixtures)/\(name)", head).utf8), "\(name)/expected.txt")
        }
        var rendering = Rendering()
        var entries = try LogEntries(folder: "\(fixtures)/sound")
        var shown = ""
        while let entry = try entries.next() { shown += rendering.line(for: entry).map { $0 + "\n" } ?? "" }
        shown +=
            "\n" + (try story(of: Journey.approval, folder: "\(fixtures)/sound")).joined(separator: "\n")
            + "\n"
        try put(Array(shown.utf8), "sound/shown.txt")
    }

    private func words(of folder: String, _ head: LogHead) throws -> String {
        let alone = try verify(folder: folder)
        let anchored = try verify(folder: folder, expecting: head)
        var text = "count \(alone.count)\nhead \(alone.headHash)\n"
        for gap in alone.gaps {
            text += "gap after \(gap.after): \(gap.cause), \(gap.tornByteCount) torn bytes\n"
        }
        for id in alone.unpaired { text += "no outcome \(id)\n" }
        text += "alone: \(alone.firstBad?.description ?? "sound")\n"
        text += "with the head: \(anchored.firstBad?.description ?? "sound")\n"
        return text
    }

    private func put(_ bytes: [UInt8], _ name: String) throws {
        let path = "\(fixtures)/\(name)"
        mkdir(fixtures, 0o755)
        mkdir(
            path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/"),
            0o755)
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        try #require(file >= 0)
        defer { close(file) }
        try #require(write(file, bytes, bytes.count) == bytes.count)
    }
}
