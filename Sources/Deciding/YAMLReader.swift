import CYaml
import Glibc
import Vocabulary

/// The one YAML document in `source`, by libyaml's events, with every scalar a string.
///
/// Anchors, aliases, tags, merge keys, duplicate keys, directives, several documents, block text and tabs are
/// refused: what is left is read the same by people and by every parser.
func readYAML(_ source: SourceText) throws(ReadFault) -> Node {
    if let tab = source.firstTab {
        throw ReadFault(source.place(at: tab), "a tab: indent and separate with spaces")
    }
    let result = source.bytes.withUnsafeBufferPointer { buffer in
        Result { () throws(ReadFault) -> Node in
            var reader = try YAMLReader(buffer, source)
            defer { reader.close() }
            return try reader.document()
        }
    }
    return try result.get()
}

/// libyaml's parser over bytes that outlive it. Close it once.
private struct YAMLReader {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let source: SourceText
    private var nodeCount = 0

    init(_ buffer: UnsafeBufferPointer<UInt8>, _ source: SourceText) throws(ReadFault) {
        parser = .allocate(capacity: 1)
        self.source = source
        guard yaml_parser_initialize(parser) == 1 else {
            parser.deallocate()
            throw ReadFault(.start, "out of memory")
        }
        yaml_parser_set_input_string(parser, buffer.baseAddress, buffer.count)
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    }

    func close() {
        yaml_parser_delete(parser)
        parser.deallocate()
    }

    mutating func document() throws(ReadFault) -> Node {
        _ = try next()
        let opening = try next()
        guard opening.kind != YAML_STREAM_END_EVENT else {
            throw ReadFault(opening.place, "the file is empty")
        }
        if opening.hasDirective { throw ReadFault(opening.place, "a YAML directive is not accepted here") }
        let root = try node(from: try next(), depth: 1)
        _ = try next()
        let after = try next()
        guard after.kind == YAML_STREAM_END_EVENT else {
            throw ReadFault(after.place, "a second document: a file holds one")
        }
        return root
    }

    private mutating func node(from event: Event, depth: Int) throws(ReadFault) -> Node {
        nodeCount += 1
        guard nodeCount <= Node.Limit.nodeCount else {
            throw ReadFault(event.place, "more than \(Node.Limit.nodeCount) values")
        }
        guard depth <= Node.Limit.depth else {
            throw ReadFault(event.place, "more than \(Node.Limit.depth) levels deep")
        }
        switch event.kind {
        case YAML_SCALAR_EVENT:
            if event.isBlock {
                throw ReadFault(event.place, "block text (`|` or `>`) is not accepted: write it on one line")
            }
            return Node(place: event.place, content: .text(event.text, quoted: !event.isPlain))
        case YAML_SEQUENCE_START_EVENT:
            var elements: [Node] = []
            while true {
                let element = try next()
                if element.kind == YAML_SEQUENCE_END_EVENT { break }
                elements.append(try node(from: element, depth: depth + 1))
            }
            return Node(place: event.place, content: .list(elements))
        case YAML_MAPPING_START_EVENT:
            return Node(place: event.place, content: .map(try entries(depth: depth)))
        default:
            throw ReadFault(event.place, "a value is missing here")
        }
    }

    private mutating func entries(depth: Int) throws(ReadFault) -> [Node.Entry] {
        var entries: [Node.Entry] = []
        // Filled once the map is too long to look through for each key.
        var seen: Set<ExactText> = []
        while true {
            let key = try next()
            if key.kind == YAML_MAPPING_END_EVENT { return entries }
            guard key.kind == YAML_SCALAR_EVENT, !key.isBlock else {
                throw ReadFault(key.place, "a key must be text: put it in quotes if it is")
            }
            if key.isPlain, key.text.utf8.elementsEqual("<<".utf8) {
                throw ReadFault(key.place, "merge key `<<` is not accepted: write the keys out")
            }
            let isNew: Bool
            if entries.count < 16 {
                isNew = !entries.contains { $0.key.hasBytes(of: key.text) }
            } else {
                if seen.isEmpty { seen = Set(entries.map { ExactText($0.key) }) }
                isNew = seen.insert(ExactText(key.text)).inserted
            }
            guard isNew else {
                throw ReadFault(key.place, "key `\(shown(key.text))` is here twice", .duplicateKey)
            }
            let value = try node(from: try next(), depth: depth + 1)
            entries.append(.init(key: key.text, place: key.place, value: value))
        }
    }

    // MARK: - Events

    private struct Event {
        let kind: yaml_event_type_t
        let place: Place
        var text = ""
        var isPlain = false
        var isBlock = false
        var hasDirective = false
    }

    private func next() throws(ReadFault) -> Event {
        var raw = yaml_event_t()
        guard yaml_parser_parse(parser, &raw) == 1 else { throw fault() }
        defer { yaml_event_delete(&raw) }
        var event = Event(kind: raw.type, place: Place(raw.start_mark))
        if raw.type == YAML_ALIAS_EVENT {
            let name = shown(text(of: cs_event_anchor(&raw)))
            throw ReadFault(
                event.place, "alias `*\(name)` is not accepted: put it in quotes if a wildcard is meant")
        }
        if let anchor = cs_event_anchor(&raw) {
            let name = shown(text(of: anchor))
            throw ReadFault(event.place, "anchor `&\(name)` is not accepted: put it in quotes if it is text")
        }
        if let tag = cs_event_tag(&raw) {
            let name = shown(text(of: tag))
            throw ReadFault(event.place, "tag `\(name)` is not accepted: put it in quotes if it is text")
        }
        if raw.type == YAML_SCALAR_EVENT {
            var count = 0
            let bytes = UnsafeBufferPointer(start: cs_scalar_bytes(&raw, &count), count: count)
            event.text = String(decoding: bytes, as: UTF8.self)
            event.isPlain = cs_scalar_is_plain(&raw) != 0
            event.isBlock = cs_scalar_is_block(&raw) != 0
        }
        if raw.type == YAML_DOCUMENT_START_EVENT { event.hasDirective = cs_document_has_directive(&raw) != 0 }
        return event
    }

    private func text(of name: UnsafePointer<yaml_char_t>?) -> String {
        name.map { String(cString: $0) } ?? ""
    }

    /// libyaml's complaint, in words that say what to do where the cause is known.
    private func fault() -> ReadFault {
        let parser = self.parser.pointee
        if parser.error == YAML_READER_ERROR {
            return ReadFault(source.place(at: Int(parser.problem_offset)), "a control character")
        }
        let problem = parser.problem.map { String(cString: $0) } ?? "not YAML"
        let (place, context) = (Place(parser.problem_mark), Place(parser.context_mark))
        for start in [context, place] {
            let rest = source.rest(of: start)
            if rest.utf8.first == 0x2A { return ReadFault(start, "a bare `*`: put it in quotes") }
            if rest.utf8.first == 0x26 { return ReadFault(start, "a bare `&`: put it in quotes") }
        }
        let colons = ["mapping values are not allowed in this context", "found unexpected ':'"]
        if colons.contains(where: { $0.utf8.elementsEqual(problem.utf8) }) {
            return ReadFault(place, "a `:` that ends a word makes it a key: put the text in quotes")
        }
        let line = source.rest(of: Place(line: place.line, column: 1))
        if line.unicodeScalars.prefix(place.column + 1).contains("$"), line.contains("${") {
            return ReadFault(place, "`${` begins a map here: put the text in quotes")
        }
        return ReadFault(place, "not YAML: \(problem) at `\(shown(source.rest(of: place)))`")
    }
}

extension SourceText {
    /// The offset of the first tab.
    fileprivate var firstTab: Int? {
        bytes.withUnsafeBytes { buffer in
            guard let start = buffer.baseAddress, let tab = memchr(start, 0x09, buffer.count) else {
                return nil
            }
            return UnsafeRawPointer(tab) - start
        }
    }
}

extension Place {
    fileprivate init(_ mark: yaml_mark_t) {
        self.init(line: Int(mark.line) + 1, column: Int(mark.column) + 1)
    }
}
