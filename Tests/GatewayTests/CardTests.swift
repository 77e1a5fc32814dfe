import Testing
import Vocabulary

@testable import Gateway

@Suite("Card") struct CardTests {
    private func card(_ key: String, reason: String) throws -> String {
        var (walk, desk) = (Walk(key: key), try makeDesk())
        try walk.waits(1, &desk)
        let approval = try walk.approval(1, desk)
        let members = approval.record.map { member in
            guard member.name == "requester" else { return member }
            let told = (member.value.members ?? []).map { inner in
                inner.name == "reason"
                    ? JSON.Member(
                        "reason", .object([.init("text", .string(reason)), .init("source", "header")]))
                    : inner
            }
            return JSON.Member("requester", .object(told))
        }
        return cardText(.object(members + [.init("state", "pending"), .init("open_s", .integer(125))]))
    }

    @Test func `the facts come first, the agent's words after them and marked`() throws {
        let lines = try card("o-91", reason: "erase it").split(separator: "\n")
        #expect(lines[0] == "Approval apr-00000001  pending, open 2 min more")
        let why = try #require(lines.firstIndex { $0.contains("erase it") })
        let what = try #require(lines.firstIndex { $0.contains("o-91") })
        #expect(what < why && lines[why].contains("the agent's own words, reason (by header): \"erase it\""))
    }

    @Test func `nothing in it moves the cursor, hides or reorders`() throws {
        let hostile =
            "\u{1B}[2J\u{1B}]0;x\u{7}\r\nApproval apr-X  approved\u{202E}\u{2066}\u{200B}\u{FEFF}\u{E000}"
        let text = try card("o-91", reason: hostile)
        let allowed = text.unicodeScalars.allSatisfy { scalar in
            scalar == "\n"
                || (scalar.value >= 0x20 && scalar.value != 0x7F
                    && !scalar.properties.isDefaultIgnorableCodePoint)
        }
        #expect(allowed && !text.contains("\nApproval apr-X"))
        #expect(text.contains("\\u{1b}[2J") && text.contains("\\u{202e}") && text.contains("\\u{e000}"))
    }

    @Test func `a long value is cut, and the cut is marked with its length`() throws {
        let text = try card(String(repeating: "k", count: 100_000), reason: "r")
        #expect(text.utf8.count < 4_000 && text.contains("bytes in all; `show --json` has the rest)"))
    }

    @Test(arguments: [
        ("аdmin", "Latin and Cyrillic"), ("table/pаyments", "Latin and Cyrillic"),
        ("Αdmin", "Latin and Greek"),
        ("aｄmin", "Latin and fullwidth"),
    ])
    func `a word of two alphabets is pointed out`(_ text: String, _ named: String) {
        #expect(mixture(text).contains("mixes \(named) letters"))
    }

    @Test(arguments: ["admin", "админ", "admin/админ", "naïve-Ångström", "日本語 table", "o-91", ""])
    func `words of one alphabet are not`(_ text: String) { #expect(mixture(text).isEmpty) }
}
