import Vocabulary

/// An element of a strict XML document: no DTD, no entities but the five, no processing instructions, no
/// comments.
struct XMLElement: Hashable {
    /// The name, which has no prefix.
    let name: String
    /// `xsi:type`, the only one that S3 has; namespace declarations are left out.
    var attributes: [(name: String, value: String)] = []
    var children: [XMLElement] = []
    var text = ""

    static func == (left: XMLElement, right: XMLElement) -> Bool {
        left.name == right.name && left.children == right.children && left.text == right.text
    }

    func hash(into hasher: inout Hasher) { hasher.combine(name) }

    static let depthMax = 32
    static let countMax = 100_000

    /// The one element that `bytes` hold, by XML 1.0 without everything that a gate has no use for.
    ///
    /// - Throws: ``RecognitionError/malformed(part:why:)``.
    init(parsing bytes: [UInt8]) throws(RecognitionError) {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .malformed(part: "the XML body", why: "it is not UTF-8")
        }
        var reader = XMLReader(bytes: Array(text.utf8))
        self = try reader.document()
    }

    fileprivate init(name: String) { self.name = name }
}

/// What `xsi` stands for.
private let schemaInstance = "http://www.w3.org/2001/XMLSchema-instance"

/// Whether `namespace` is one of AWS: `http://s3.amazonaws.com/doc/2006-03-01/`, with which tools take
/// liberties.
private func isOfAWS(_ namespace: String) -> Bool {
    let parts = namespace.parts(by: 0x2F)
    return parts.count > 3 && ["http:", "https:"].contains(parts[0]) && parts[1].isEmpty
        && parts[2].ends(with: ".amazonaws.com")
}

private struct XMLReader {
    let bytes: [UInt8]
    var at = 0
    var count = 0
    /// Whether `xsi` is declared; and whether an element used it before it was.
    private var bindsXSI = false
    private var isUnbound = false

    init(bytes: [UInt8]) { self.bytes = bytes }

    func fail(_ why: String) -> RecognitionError {
        .malformed(part: "the XML body", why: "\(why), at byte \(at)")
    }

    mutating func document() throws(RecognitionError) -> XMLElement {
        if starts(with: "<?xml ") {
            guard let end = find("?>", within: 128) else { throw fail("the declaration does not end") }
            let words = String(decoding: bytes[(at + 6)..<end], as: UTF8.self).asciiLowercased
                .split { " \t\r\n".contains($0) }
            // XML 1.1 has other characters and line ends; another encoding is another text.
            let known = ["version=1.0", "encoding=utf-8", "standalone=yes", "standalone=no"]
            guard words.allSatisfy({ word in known.contains(word.filter { $0 != "\"" && $0 != "'" }) }) else {
                throw fail("the declaration is not that of XML 1.0 in UTF-8")
            }
            at = end + 2
        }
        skipBlanks()
        let root = try element(depth: 1)
        skipBlanks()
        guard at == bytes.count else { throw fail("something follows the root element") }
        guard !isUnbound else { throw fail("`xsi` is declared nowhere") }
        return root
    }

    private mutating func element(depth: Int) throws(RecognitionError) -> XMLElement {
        guard depth <= XMLElement.depthMax else { throw fail("it is nested too deep") }
        count += 1
        guard count <= XMLElement.countMax else { throw fail("it has too many elements") }
        guard take(0x3C) else { throw fail("an element should begin here") }
        let fullName = try name()
        guard !fullName.utf8.contains(0x3A) else { throw fail("an element with a namespace prefix") }
        var element = XMLElement(name: fullName)
        if try attributes(of: &element, isRoot: depth == 1) { return element }
        while true {
            if starts(with: "</") {
                at += 2
                guard try name().isSame(as: fullName) else { throw fail("the end tag names another element") }
                skipBlanks()
                guard take(0x3E) else { throw fail("the end tag does not end") }
                if !element.children.isEmpty {
                    guard element.text.utf8.allSatisfy({ isBlank($0) }) else {
                        throw fail("text stands beside elements")
                    }
                    element.text = ""
                }
                return element
            }
            guard at < bytes.count else { throw fail("an element does not end") }
            if bytes[at] == 0x3C {
                guard !starts(with: "<!"), !starts(with: "<?") else {
                    throw fail("comments, CDATA, DTDs and instructions are not taken")
                }
                element.children.append(try self.element(depth: depth + 1))
            } else {
                element.text += try characters(until: 0x3C)
            }
        }
    }

    /// Reads up to the end of the start tag; true when the element is empty (`/>`).
    private mutating func attributes(
        of element: inout XMLElement, isRoot: Bool
    ) throws(RecognitionError) -> Bool {
        var seen: [String] = []
        var bearsType = false
        defer { isUnbound = isUnbound || bearsType && !bindsXSI }
        while true {
            let hadBlank = skipBlanks()
            if starts(with: "/>") {
                at += 2
                return true
            }
            if take(0x3E) { return false }
            guard hadBlank else { throw fail("the start tag cannot be read") }
            let fullName = try name()
            skipBlanks()
            guard take(0x3D) else { throw fail("an attribute has no value") }
            skipBlanks()
            guard at < bytes.count, bytes[at] == 0x22 || bytes[at] == 0x27 else {
                throw fail("an attribute has no quotes")
            }
            let quote = bytes[at]
            at += 1
            let value = try characters(until: quote)
            guard take(quote) else { throw fail("an attribute does not end") }
            // Few are taken, and any other one ends the reading.
            guard !seen.contains(fullName) else { throw fail("an attribute is there twice") }
            seen.append(fullName)
            // A namespace below the root, or one that is not AWS's, would make elements mean what their names
            // do not say.
            if fullName.isSame(as: "xmlns"), isRoot, isOfAWS(value) { continue }
            if fullName.isSame(as: "xmlns:xsi"), value.isSame(as: schemaInstance) {
                bindsXSI = true
                continue
            }
            guard fullName.isSame(as: "xsi:type") else { throw fail("an attribute that is not taken") }
            bearsType = true
            element.attributes.append((fullName, value))
        }
    }

    private mutating func characters(until end: UInt8) throws(RecognitionError) -> String {
        var text: [UInt8] = []
        while at < bytes.count, bytes[at] != end {
            let byte = bytes[at]
            switch byte {
            case 0x26: text += try entity()
            case 0x3C: throw fail("`<` stands in a value")
            case 0x5D where starts(with: "]]>"): throw fail("`]]>` stands outside of CDATA")
            case 0x0D:
                // XML 1.0, section 2.11: a line end is one line feed, however it is written.
                text.append(0x0A)
                at += at + 1 < bytes.count && bytes[at + 1] == 0x0A ? 2 : 1
            case 0x09, 0x0A, 0x20...:
                text.append(byte)
                at += 1
            default: throw fail("a control character")
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The five, and what they stand for.
    private static let entities: [(StaticString, UInt8)] = [
        ("&amp;", 0x26), ("&lt;", 0x3C), ("&gt;", 0x3E), ("&quot;", 0x22), ("&apos;", 0x27),
    ]

    private mutating func entity() throws(RecognitionError) -> [UInt8] {
        for (name, text) in Self.entities where starts(with: name) {
            at += name.utf8CodeUnitCount
            return [text]
        }
        guard starts(with: "&#"), let end = bytes[at...].prefix(12).firstIndex(of: 0x3B) else {
            throw fail("an unknown entity")
        }
        let isHex = bytes[at + 2] == 0x78
        let digits = String(decoding: bytes[(at + (isHex ? 3 : 2))..<end], as: UTF8.self)
        guard digits.utf8.allSatisfy({ $0.isAlphanumeric }),
            let value = UInt32(digits, radix: isHex ? 16 : 10),
            value == 0x9 || value == 0xA || value == 0xD || value >= 0x20, let scalar = Unicode.Scalar(value)
        else { throw fail("a bad character reference") }
        at = end + 1
        return Array(String(Character(scalar)).utf8)
    }

    private mutating func name() throws(RecognitionError) -> String {
        let start = at
        while at < bytes.count,
            bytes[at].isAlphanumeric || isNameMark(bytes[at])
        {
            at += 1
        }
        guard at > start, bytes[start].isAlphanumeric && !bytes[start].isDigit || bytes[start] == 0x5F else {
            throw fail("a name should stand here")
        }
        return String(decoding: bytes[start..<at], as: UTF8.self)
    }

    private func isNameMark(_ byte: UInt8) -> Bool {
        byte == 0x2D || byte == 0x2E || byte == 0x3A || byte == 0x5F
    }

    private func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }

    @discardableResult
    private mutating func skipBlanks() -> Bool {
        let start = at
        while at < bytes.count, isBlank(bytes[at]) { at += 1 }
        return at > start
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard at < bytes.count, bytes[at] == byte else { return false }
        at += 1
        return true
    }

    private func starts(with text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard at + count <= bytes.count else { return false }
        for index in 0..<count where bytes[at + index] != text.utf8Start[index] { return false }
        return true
    }

    /// Where `mark` next begins, if it ends among the next `limit` bytes.
    private func find(_ mark: String, within limit: Int) -> Int? {
        let next = bytes[at...].prefix(limit)
        return next.indices.first { next[$0...].starts(with: mark.utf8) }
    }
}
