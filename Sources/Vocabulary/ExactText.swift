/// A text as a member of a set: equal only to the same bytes of UTF-8.
///
/// Swift's `==` and hash hold `é` and `e` with an accent equal; AWS does not, and a gate must not.
package struct ExactText: Hashable, Sendable {
    package let text: String

    package init(_ text: String) { self.text = text }

    package static func == (left: ExactText, right: ExactText) -> Bool { left.text.hasBytes(of: right.text) }

    package func hash(into hasher: inout Hasher) { hasher.combine(exactly: text) }
}

extension Hasher {
    /// Adds the bytes of `text`, and where they end.
    package mutating func combine(exactly text: String) {
        var text = text
        text.withUTF8 { combine(bytes: UnsafeRawBufferPointer($0)) }
        combine(0xFF as UInt8)
    }
}
