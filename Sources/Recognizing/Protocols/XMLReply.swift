import Vocabulary

/// A reply in XML that the gateway itself asked for, read as strictly as the bodies of requests.
package struct XMLReply {
    private let root: XMLElement

    /// - Throws: ``RecognitionError/malformed(part:why:)`` for anything but one strict document.
    package init(parsing bytes: [UInt8]) throws(RecognitionError) { root = try XMLElement(parsing: bytes) }

    /// The text of the element at `path`, the names from the root on; nil when it is not there, is there
    /// twice, or holds other elements.
    package func text(_ path: String...) -> String? {
        guard let first = path.first, root.name.isSame(as: first) else { return nil }
        var element = root
        for name in path.dropFirst() {
            let found = element.children.filter { $0.name.isSame(as: name) }
            guard found.count == 1 else { return nil }
            element = found[0]
        }
        return element.children.isEmpty ? element.text : nil
    }
}
