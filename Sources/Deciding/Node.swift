import Vocabulary

/// Where something stands in a file: line and column from 1, columns counted in characters.
struct Place: Hashable, Sendable {
    let line: Int
    let column: Int

    static let start = Place(line: 1, column: 1)
}

/// A value as a policy file writes it, before it means anything: every scalar is text.
///
/// YAML and JSON give the same tree; the schema gives the types. Keys of one map are distinct by their bytes.
struct Node: Sendable {
    enum Content: Sendable {
        /// A scalar; `quoted` is false where YAML wrote it plain.
        case text(String, quoted: Bool)
        case list([Node])
        case map([Entry])
    }

    struct Entry: Sendable {
        let key: String
        let place: Place
        let value: Node
    }

    /// What every file is held to, whichever form it has.
    enum Limit {
        static let fileByteCount = 1 << 20
        static let depth = 16
        static let nodeCount = 200_000
    }

    let place: Place
    let content: Content

    /// What the node is, in a reader's words.
    var kind: String {
        switch content {
        case .text(let text, _): text.isEmpty ? "nothing" : "text"
        case .list: "a list"
        case .map: "a map"
        }
    }

    /// Appends the tree without places to `out`, as canonical JSON: the same for any layout or comment of the
    /// same content.
    func writeCanonical(to out: inout [UInt8]) {
        switch content {
        case .text(let text, _): JSON.write(text, to: &out)
        case .list(let elements):
            out.append(0x5B)
            for (index, element) in elements.enumerated() {
                if index > 0 { out.append(0x2C) }
                element.writeCanonical(to: &out)
            }
            out.append(0x5D)
        case .map(let entries):
            out.append(0x7B)
            for (index, place) in Node.order(of: entries).enumerated() {
                if index > 0 { out.append(0x2C) }
                JSON.write(entries[place].key, to: &out)
                out.append(0x3A)
                entries[place].value.writeCanonical(to: &out)
            }
            out.append(0x7D)
        }
    }

    /// The places of `entries` in the order of the bytes of their keys.
    private static func order(of entries: [Entry]) -> [Int] {
        var order = Array(entries.indices)
        order.sort { entries[$0].key.precedes(entries[$1].key) }
        return order
    }
}

/// Why a file is not one strict document, and where.
struct ReadFault: Error {
    let place: Place
    let message: String
    let rule: LoadRule

    init(_ place: Place, _ message: String, _ rule: LoadRule = .badSyntax) {
        (self.place, self.message, self.rule) = (place, message, rule)
    }
}

/// The one document in `bytes`: IAM JSON for a name that ends in `.json`, else YAML.
func readDocument(named name: String, _ bytes: [UInt8]) throws(ReadFault) -> Node {
    guard bytes.count <= Node.Limit.fileByteCount else {
        throw ReadFault(
            .start, "the file has \(bytes.count) bytes: at most \(Node.Limit.fileByteCount) are read")
    }
    let source = try SourceText(bytes)
    return name.utf8.reversed().starts(with: ".json".utf8.reversed())
        ? try readJSON(source) : try readYAML(source)
}

/// The bytes of a file, found to be UTF-8, with a way from offset to place.
struct SourceText {
    let bytes: [UInt8]

    init(_ bytes: [UInt8]) throws(ReadFault) {
        self.bytes = bytes
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw ReadFault(place(at: SourceText.firstBadByte(bytes)), "the file is not UTF-8 here")
        }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw ReadFault(.start, "the file begins with a byte order mark: save it without")
        }
    }

    /// The place of the character that byte `offset` begins or belongs to.
    func place(at offset: Int) -> Place {
        let before = bytes.prefix(max(0, offset))
        let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        let line = before.reduce(1) { $1 == 0x0A ? $0 + 1 : $0 }
        return Place(line: line, column: before[lineStart...].reduce(1) { $1 & 0xC0 == 0x80 ? $0 : $0 + 1 })
    }

    /// The characters from `place` to the end of its line.
    func rest(of place: Place) -> String {
        let lines = bytes.split(separator: 0x0A, maxSplits: place.line, omittingEmptySubsequences: false)
        guard place.line >= 1, place.line <= lines.count else { return "" }
        let line = String(decoding: lines[place.line - 1], as: UTF8.self)
        return String(line.unicodeScalars.dropFirst(max(0, place.column - 1)))
    }

    private static func firstBadByte(_ bytes: [UInt8]) -> Int {
        var decoder = UTF8()
        var (iterator, offset) = (bytes.makeIterator(), 0)
        while case .scalarValue(let scalar) = decoder.decode(&iterator) { offset += UTF8.width(scalar) }
        return offset
    }
}
