import Vocabulary

/// The one JSON document in `source`, by Vocabulary's strict parser, with the place of every value.
///
/// Numbers, `true` and `false` are text as they are spelled, as IAM takes them; `null` is refused.
func readJSON(_ source: SourceText) throws(ReadFault) -> Node {
    let document: JSON
    do { document = try JSON(parsing: source.bytes) } catch { throw fault(error, in: source) }
    var places = JSONPlaces(source)
    return try places.node(for: document, depth: 1)
}

private func fault(_ error: JSONError, in source: SourceText) -> ReadFault {
    switch error {
    case .unexpected(let offset):
        let rest = source.rest(of: source.place(at: offset))
        let text = rest.isEmpty ? "the end of the line or file" : "`\(shown(rest))`"
        return ReadFault(source.place(at: offset), "not JSON at \(text)")
    case .badText(let offset): return ReadFault(source.place(at: offset), "text that is not Unicode")
    case .duplicateName(let name, let offset):
        return ReadFault(source.place(at: offset), "key `\(shown(name))` is here twice", .duplicateKey)
    case .tooDeep(let offset):
        return ReadFault(source.place(at: offset), "more than \(Node.Limit.depth) levels deep")
    case .tooMany(let offset):
        return ReadFault(source.place(at: offset), "more than \(Node.Limit.nodeCount) values")
    }
}

/// Walks the bytes of a document that is known to be JSON, in step with its values, and notes where each
/// begins.
private struct JSONPlaces {
    private let bytes: [UInt8]
    private var at = 0
    // Where the last place was taken, so that each character is counted once.
    private var (line, column, counted) = (1, 1, 0)
    private var nodeCount = 0

    init(_ source: SourceText) { bytes = source.bytes }

    mutating func node(for value: JSON, depth: Int) throws(ReadFault) -> Node {
        skipBlanks()
        let place = markPlace()
        nodeCount += 1
        guard nodeCount <= Node.Limit.nodeCount else {
            throw ReadFault(place, "more than \(Node.Limit.nodeCount) values")
        }
        guard depth <= Node.Limit.depth else {
            throw ReadFault(place, "more than \(Node.Limit.depth) levels deep")
        }
        switch value {
        case .null: throw ReadFault(place, "`null` is not accepted: leave the key out")
        case .bool(let value):
            skipWord()
            return Node(place: place, content: .text(value ? "true" : "false", quoted: false))
        case .number(let text):
            skipWord()
            return Node(place: place, content: .text(text, quoted: false))
        case .string(let text):
            skipString()
            return Node(place: place, content: .text(text, quoted: true))
        case .array(let elements):
            at += 1
            var nodes: [Node] = []
            for element in elements {
                nodes.append(try node(for: element, depth: depth + 1))
                skipPast(0x2C)
            }
            skipPast(0x5D)
            return Node(place: place, content: .list(nodes))
        case .object(let members):
            at += 1
            var entries: [Node.Entry] = []
            for member in members {
                skipBlanks()
                let keyPlace = markPlace()
                skipString()
                skipPast(0x3A)
                let value = try node(for: member.value, depth: depth + 1)
                entries.append(.init(key: member.name, place: keyPlace, value: value))
                skipPast(0x2C)
            }
            skipPast(0x7D)
            return Node(place: place, content: .map(entries))
        }
    }

    private mutating func markPlace() -> Place {
        while counted < min(at, bytes.count) {
            if bytes[counted] == 0x0A {
                (line, column) = (line + 1, 1)
            } else if bytes[counted] & 0xC0 != 0x80 {
                column += 1
            }
            counted += 1
        }
        return Place(line: line, column: column)
    }

    private mutating func skipBlanks() {
        while at < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[at]) {
            at += 1
        }
    }

    private mutating func skipPast(_ byte: UInt8) {
        skipBlanks()
        if at < bytes.count, bytes[at] == byte { at += 1 }
    }

    private mutating func skipWord() {
        while at < bytes.count, bytes[at].isAlphanumeric || [0x2B, 0x2D, 0x2E].contains(bytes[at]) { at += 1 }
    }

    private mutating func skipString() {
        at += 1
        while at < bytes.count, bytes[at] != 0x22 { at += bytes[at] == 0x5C ? 2 : 1 }
        at += 1
    }
}
