/// One header field, as it came. Names are ASCII tokens; values have no control bytes and no blanks at their
/// ends.
package struct HeaderField: Hashable, Sendable {
    /// The name in lower case: what everything compares.
    package let name: String
    package let value: String

    /// The field `name`, in any case, with `value`.
    package init(_ name: String, _ value: String) {
        self.name = name.asciiLowercased
        self.value = value
    }
}

/// The request line and header of a request, after Accepting's head checks.
package struct RequestHead: Hashable, Sendable {
    package let method: String
    /// The origin-form target as it came, still percent-encoded: `/bucket/a%20b?versionId=x`. Printable
    /// ASCII, begins with `/`.
    package let target: String
    package let fields: [HeaderField]

    package init(method: String, target: String, fields: [HeaderField]) {
        self.method = method
        self.target = target
        self.fields = fields
    }

    /// The values of every field `name` (lower case), in order.
    package func values(of name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }

    /// The value of the first field `name` (lower case). Head checks have refused duplicates of all fields
    /// that decide.
    package subscript(name: String) -> String? { fields.first { $0.name == name }?.value }

    /// The target up to the first `?`.
    package var rawPath: Substring { target[..<(target.utf8.firstIndex(of: 0x3F) ?? target.endIndex)] }

    /// What follows the first `?`; nil when there is none.
    package var rawQuery: Substring? {
        guard let mark = target.utf8.firstIndex(of: 0x3F) else { return nil }
        return target[target.utf8.index(after: mark)...]
    }
}

/// A request that has wholly arrived.
package struct InboundRequest: Hashable, Sendable {
    package let head: RequestHead
    /// The body after transfer decoding, at most the body limit.
    package let body: [UInt8]

    package init(head: RequestHead, body: [UInt8]) {
        self.head = head
        self.body = body
    }
}
