import Testing

@testable import Recognizing

@Suite("Query items") struct QueryItemTests {
    @Test func `a form is split at its bytes, whatever character they make with the next`() throws {
        // `&` or `=` with an accent is one character of Swift's, and for AWS a separator and more.
        let items = try queryItems("a=1&\u{301}b=\u{301}c&d", part: "the form")
        #expect(
            items == [
                QueryItem(name: "a", value: "1"), QueryItem(name: "\u{301}b", value: "\u{301}c"),
                QueryItem(name: "d", value: nil),
            ])
    }

    @Test func `a path climbs at its bytes, whatever character they make with the next`() {
        #expect(climbs("bucket/../../other"))
        #expect(climbs("../bucket"))
        #expect(climbs("../\u{301}/bucket"))
        #expect(!climbs("bucket/\u{301}a/../b"))
        #expect(!climbs("bucket/..a/.b"))
    }
}
