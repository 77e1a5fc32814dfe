import Testing
import Vocabulary

@Suite("JSON") struct JSONTests {
    private static let paddings = (0...17).map { String(repeating: "x", count: $0) }

    private func parsed(_ bytes: [UInt8]) -> Result<JSON, JSONError> {
        Result { () throws(JSONError) in try JSON(parsing: bytes) }
    }

    /// By the words of ``JSON/line``, one scalar at a time.
    private func escaped(_ scalar: Unicode.Scalar) -> String {
        switch scalar.value {
        case 0x22: return "\\\""
        case 0x5C: return "\\\\"
        case 0x0A: return "\\n"
        case 0x0D: return "\\r"
        case 0x09: return "\\t"
        case 0...0x1F, 0x7F...0x9F, 0x2028, 0x2029:
            let digits = String(scalar.value, radix: 16)
            return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: return String(scalar)
        }
    }

    @Test func `a character is escaped alike wherever it stands in a text, and read back`() throws {
        let values = Array(0...0x110) + Array(0x2020...0x2030) + [0xC280, 0xD7FF, 0xE000, 0xFFFF, 0x1F600]
        for scalar in values.compactMap({ Unicode.Scalar(UInt32($0)) }) {
            for padding in Self.paddings {
                let text = padding + String(scalar) + padding
                let line = JSON.string(text).line
                try #require(line == Array(("\"" + padding + escaped(scalar) + padding + "\"").utf8))
                guard case .string(let again) = try JSON(parsing: line) else {
                    Issue.record("\(line) is no string")
                    continue
                }
                try #require(again.utf8.elementsEqual(text.utf8))
            }
        }
    }

    @Test func `a byte that no text has is refused wherever it stands`() {
        for byte in UInt8.min...UInt8.max {
            for padding in Self.paddings.map({ Array($0.utf8) }) {
                let outcome = parsed([0x22] + padding + [byte] + padding + [0x22])
                let at = 1 + padding.count
                switch byte {
                case 0..<0x20: #expect(outcome == .failure(.unexpected(at: at)))
                case 0x80...: #expect(outcome == .failure(.badText(at: 1)))
                // What follows the quote or the backslash decides where reading ends.
                case 0x22: #expect(outcome == .failure(.unexpected(at: at + 1)))
                case 0x5C where padding.isEmpty: #expect(outcome == .failure(.unexpected(at: 3)))
                case 0x5C: #expect(outcome == .failure(.unexpected(at: at + 1)))
                default: #expect((try? outcome.get()) != nil)
                }
            }
        }
    }

    @Test(
        "bytes that are not UTF-8 are refused",
        arguments: [
            [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80], [0xF0, 0x8F, 0xBF, 0xBF],
            [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x80], [0xC2], [0xF5, 0x80, 0x80, 0x80],
        ] as [[UInt8]])
    func notUTF8(_ bytes: [UInt8]) {
        #expect(parsed([0x22] + bytes + [0x22]) == .failure(.badText(at: 1)))
        #expect(parsed(Array(#""\n"#.utf8) + bytes + [0x22]) == .failure(.badText(at: 1)))
    }

    @Test(
        "what is nearly JSON is refused",
        arguments: [
            "", " ", "{", "[1,]", "{\"a\":1,}", "01", "+1", "1.", ".5", "1e", "-", "nul", "true false", "'a'",
            "\u{FEFF}1", "[1 2]", "{\"a\" 1}", "{a:1}", #""\x""#, #""\u12""#, #""\uD800""#, #""\uDC00""#,
            #""\uD800\u0041""#, "\"\t\"", "//\n1",
        ])
    func nearlyJSON(_ text: String) {
        #expect((try? parsed(Array(text.utf8)).get()) == nil)
    }

    @Test func `names of one object are distinct by their bytes, few or many`() {
        let others = (0..<40).map { "\"n\($0)\":0," }
        for before in ["", others.prefix(5).joined(), others.joined()] {
            let twice = parsed(Array("{\(before)\"a\":1,\"\\u0061\":2}".utf8))
            #expect(throws: JSONError.duplicateName("a", at: before.utf8.count + 7)) { try twice.get() }
            // Swift holds both equal, AWS does not.
            let alike = parsed(Array("{\(before)\"\u{E9}\":1,\"e\u{301}\":2}".utf8))
            #expect((try? alike.get())?.members?.suffix(2).map(\.value) == [1, 2])
        }
    }

    @Test func `values are as deep and as many as the limits say, and no more`() {
        func nested(_ depth: Int) -> [UInt8] {
            Array(repeating: 0x5B, count: depth) + Array(repeating: 0x5D, count: depth)
        }
        #expect((try? parsed(nested(JSON.depthMax)).get()) != nil)
        #expect(parsed(nested(JSON.depthMax + 1)) == .failure(.tooDeep(at: JSON.depthMax)))
        let most = "[" + String(repeating: "0,", count: JSON.nodeCountMax - 2) + "0"
        #expect((try? parsed(Array("\(most)]".utf8)).get()) != nil)
        #expect(parsed(Array("\(most),0]".utf8)) == .failure(.tooMany(at: most.utf8.count + 1)))
    }

    @Test func `the canonical form sorts names by their bytes, whatever order they came in`() throws {
        let sorted = #"{"":0,"A":1,"B":{"a":[{"x":1,"y":2}]},"a":2,"b":3,"é":4}"#
        #expect(try JSON(parsing: Array(sorted.utf8)).canonical == Array(sorted.utf8))
        let mixed = #"{"é":4,"b":3,"B":{"a":[{"y":2,"x":1}]},"a":2,"":0,"A":1}"#
        #expect(try JSON(parsing: Array(mixed.utf8)).canonical == Array(sorted.utf8))
    }
}
