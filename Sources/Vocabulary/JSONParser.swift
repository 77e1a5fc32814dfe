/// Why bytes are not one strict JSON document. Offsets count bytes from 0.
package enum JSONError: Error, Sendable, Hashable {
    /// A character that JSON does not allow there, or the end of the text before the end of the value.
    case unexpected(at: Int)
    /// Bytes that are not UTF-8, a lone surrogate, or a byte order mark.
    case badText(at: Int)
    /// An object names `name` twice, after unescaping.
    case duplicateName(String, at: Int)
    /// More than ``JSON/depthMax`` levels.
    case tooDeep(at: Int)
    /// More than ``JSON/nodeCountMax`` values.
    case tooMany(at: Int)
}

extension JSON {
    /// The deepest nesting that is read.
    package static let depthMax = 64
    /// The most values that one document may hold.
    package static let nodeCountMax = 1_000_000

    /// The one JSON document in `bytes`, by RFC 8259 and nothing else: strict UTF-8, no byte order mark, no
    /// comments, no trailing commas, nothing after it but blanks, no name twice in an object.
    ///
    /// - Throws: ``JSONError`` with the offset of the first byte at fault.
    package init(parsing bytes: [UInt8]) throws(JSONError) {
        var reader = JSONReader(bytes: bytes)
        self = try reader.document()
    }
}

private struct JSONReader {
    let bytes: [UInt8]
    var at = 0
    var nodes = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws(JSONError) -> JSON {
        let value = try value(depth: 1)
        skipBlanks()
        guard at == bytes.count else { throw .unexpected(at: at) }
        return value
    }

    private mutating func skipBlanks() {
        while at < bytes.count {
            switch bytes[at] {
            case 0x20, 0x0A, 0x0D, 0x09: at += 1
            default: return
            }
        }
    }

    private func peek() throws(JSONError) -> UInt8 {
        guard at < bytes.count else { throw .unexpected(at: at) }
        return bytes[at]
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSON {
        skipBlanks()
        guard depth <= JSON.depthMax else { throw .tooDeep(at: at) }
        nodes += 1
        guard nodes <= JSON.nodeCountMax else { throw .tooMany(at: at) }
        switch try peek() {
        case 0x7B: return try object(depth: depth)
        case 0x5B: return try array(depth: depth)
        case 0x22: return .string(try string())
        case 0x74: return try word("true", .bool(true))
        case 0x66: return try word("false", .bool(false))
        case 0x6E: return try word("null", .null)
        case 0x2D, 0x30...0x39: return .number(try number())
        default: throw .unexpected(at: at)
        }
    }

    private mutating func word(_ text: StaticString, _ value: JSON) throws(JSONError) -> JSON {
        for index in 0..<text.utf8CodeUnitCount {
            guard try peek() == text.utf8Start[index] else { throw .unexpected(at: at) }
            at += 1
        }
        return value
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSON {
        at += 1
        var members: [JSON.Member] = []
        var names = DistinctNames()
        skipBlanks()
        if try peek() == 0x7D {
            at += 1
            return .object([])
        }
        // Most have few; an array that grows from nothing moves three times on its way there.
        members.reserveCapacity(4)
        while true {
            skipBlanks()
            let start = at
            guard try peek() == 0x22 else { throw .unexpected(at: at) }
            let name = try string()
            guard names.insert(name, after: members) else { throw .duplicateName(name, at: start) }
            skipBlanks()
            guard try peek() == 0x3A else { throw .unexpected(at: at) }
            at += 1
            members.append(.init(name, try value(depth: depth + 1)))
            skipBlanks()
            switch try peek() {
            case 0x2C: at += 1
            case 0x7D:
                at += 1
                return .object(members)
            default: throw .unexpected(at: at)
            }
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSON {
        at += 1
        var elements: [JSON] = []
        skipBlanks()
        if try peek() == 0x5D {
            at += 1
            return .array([])
        }
        elements.reserveCapacity(4)
        while true {
            elements.append(try value(depth: depth + 1))
            skipBlanks()
            switch try peek() {
            case 0x2C: at += 1
            case 0x5D:
                at += 1
                return .array(elements)
            default: throw .unexpected(at: at)
            }
        }
    }

    private mutating func number() throws(JSONError) -> String {
        let start = at
        if try peek() == 0x2D { at += 1 }
        let first = try peek()
        guard first.isDigit else { throw .unexpected(at: at) }
        at += 1
        if first != 0x30 { digits() }
        if at < bytes.count, bytes[at] == 0x2E {
            at += 1
            guard try peek().isDigit else { throw .unexpected(at: at) }
            digits()
        }
        if at < bytes.count, bytes[at] | 0x20 == 0x65 {
            at += 1
            let sign = try peek()
            if sign == 0x2B || sign == 0x2D { at += 1 }
            guard try peek().isDigit else { throw .unexpected(at: at) }
            digits()
        }
        return String(decoding: bytes[start..<at], as: UTF8.self)
    }

    private mutating func digits() {
        while at < bytes.count, bytes[at].isDigit { at += 1 }
    }

    private mutating func string() throws(JSONError) -> String {
        at += 1
        let start = at
        var isASCII = true
        skipPlain(&isASCII)
        guard try peek() != 0x22 else {
            let text = try text(bytes[start..<at], isASCII, from: start)
            at += 1
            return text
        }
        var unescaped = Array(bytes[start..<at])
        while true {
            switch try peek() {
            case 0x22:
                let text = try text(unescaped[...], false, from: start)
                at += 1
                return text
            case 0x5C:
                at += 1
                let escape = try self.escape()
                unescaped.append(contentsOf: UTF8.encode(escape) ?? UTF8.encodedReplacementCharacter)
            case 0..<0x20: throw .unexpected(at: at)
            default:
                let from = at
                skipPlain(&isASCII)
                unescaped += bytes[from..<at]
            }
        }
    }

    /// Goes on to what ends a run of a string's bytes: a quote, an escape, a control character, the end.
    private mutating func skipPlain(_ isASCII: inout Bool) {
        while true {
            at += bytes.withUnsafeBytes { plainRun(UnsafeRawBufferPointer(rebasing: $0[at...])) }
            guard at < bytes.count, bytes[at] >= 0x7F else { return }
            isASCII = false
            at += 1
        }
    }

    private func text(
        _ bytes: ArraySlice<UInt8>, _ isASCII: Bool, from start: Int
    ) throws(JSONError) -> String {
        let text = bytes.withUnsafeBufferPointer { buffer in
            // Of ASCII there is nothing to validate.
            isASCII ? String(decoding: buffer, as: UTF8.self) : String(validating: buffer, as: UTF8.self)
        }
        guard let text else { throw .badText(at: start) }
        return text
    }

    private mutating func escape() throws(JSONError) -> Unicode.Scalar {
        let byte = try peek()
        at += 1
        switch byte {
        case 0x22, 0x5C, 0x2F: return Unicode.Scalar(byte)
        case 0x62: return "\u{8}"
        case 0x66: return "\u{C}"
        case 0x6E: return "\n"
        case 0x72: return "\r"
        case 0x74: return "\t"
        case 0x75:
            let start = at
            let first = try hexUnit()
            if let scalar = Unicode.Scalar(UInt32(first)) { return scalar }
            guard (0xD800..<0xDC00).contains(first), try peek() == 0x5C else { throw .badText(at: start) }
            at += 1
            guard try peek() == 0x75 else { throw .badText(at: start) }
            at += 1
            let second = try hexUnit()
            guard (0xDC00..<0xE000).contains(second),
                let scalar = Unicode.Scalar(
                    0x10000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00))
            else { throw .badText(at: start) }
            return scalar
        default: throw .unexpected(at: at - 1)
        }
    }

    private mutating func hexUnit() throws(JSONError) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            let byte = try peek()
            switch byte {
            case 0x30...0x39: unit = unit << 4 | UInt16(byte - 0x30)
            case 0x41...0x46, 0x61...0x66: unit = unit << 4 | UInt16(byte.lowercased - 0x61 + 10)
            default: throw .unexpected(at: at)
            }
            at += 1
        }
        return unit
    }
}

/// The names of one object, to find one that is there twice.
private struct DistinctNames {
    /// Few names are looked through; a set of more than this many pays.
    private static let fewMax = 12
    private var many: Set<ExactText> = []

    /// Whether `name` is none of the names of `members`, which were all put in before.
    mutating func insert(_ name: String, after members: [JSON.Member]) -> Bool {
        if members.count < Self.fewMax {
            return !members.contains { $0.name.hasBytes(of: name) }
        }
        if many.isEmpty { for member in members { many.insert(ExactText(member.name)) } }
        return many.insert(ExactText(name)).inserted
    }
}
