/// A JSON value: what a body said, and what a log line says.
///
/// Members keep their order; numbers keep their spelling, so that nothing is rounded between what was judged
/// and what was sent.
package enum JSON: Hashable, Sendable {
    case null
    case bool(Bool)
    /// The number as it is spelled, right by RFC 8259.
    case number(String)
    case string(String)
    case array([JSON])
    case object([Member])

    /// One name and value of an object. Names of one object are distinct.
    package struct Member: Hashable, Sendable {
        package let name: String
        package let value: JSON

        package init(_ name: String, _ value: JSON) {
            self.name = name
            self.value = value
        }
    }

    /// An integer as a number.
    package static func integer(_ value: some BinaryInteger) -> JSON { .number(String(value)) }

    /// Texts as an array of strings.
    package static func strings(_ texts: some Sequence<String>) -> JSON { .array(texts.map { .string($0) }) }

    /// The member `name` of an object; nil for anything else.
    package subscript(name: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    /// The text of a string; nil for anything else.
    package var string: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    /// The value of a whole number within `Int64`, spelled without fraction or exponent; nil for anything
    /// else.
    package var integer: Int64? {
        guard case .number(let text) = self else { return nil }
        return Int64(text)
    }

    /// The truth value of `true` or `false`; nil for anything else.
    package var bool: Bool? {
        guard case .bool(let value) = self else { return nil }
        return value
    }

    /// The elements of an array; nil for anything else.
    package var array: [JSON]? {
        guard case .array(let elements) = self else { return nil }
        return elements
    }

    /// The members of an object; nil for anything else.
    package var members: [Member]? {
        guard case .object(let members) = self else { return nil }
        return members
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(stringLiteral text: String) { self = .string(text) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(integerLiteral value: Int) { self = .number(String(value)) }
    package init(arrayLiteral elements: JSON...) { self = .array(elements) }
    /// Values from literals, for writing records in code.
    package init(dictionaryLiteral members: (String, JSON)...) {
        self = .object(members.map { Member($0, $1) })
    }
}

// MARK: - Writing

extension JSON {
    /// The value on one line, without blanks, members in their order: the form of log lines.
    ///
    /// Every control character is escaped (U+0000 to U+001F, U+007F to U+009F, U+2028, U+2029), so the text
    /// never breaks a line.
    package var line: [UInt8] {
        var out: [UInt8] = []
        write(to: &out, sorted: false)
        return out
    }

    /// The value without blanks, the members of each object sorted by the bytes of their names: what digests
    /// are taken over.
    package var canonical: [UInt8] {
        var out: [UInt8] = []
        write(to: &out, sorted: true)
        return out
    }

    /// ``line`` as text.
    package var text: String { String(decoding: line, as: UTF8.self) }

    private func write(to out: inout [UInt8], sorted: Bool) {
        switch self {
        case .null: out += "null".utf8
        case .bool(let value): out += (value ? "true" : "false").utf8
        case .number(let text): out += text.utf8
        case .string(let text): JSON.write(text, to: &out)
        case .array(let elements):
            out.append(0x5B)
            for (index, element) in elements.enumerated() {
                if index > 0 { out.append(0x2C) }
                element.write(to: &out, sorted: sorted)
            }
            out.append(0x5D)
        case .object(let members):
            out.append(0x7B)
            let ordered =
                sorted ? members.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) } : members
            for (index, member) in ordered.enumerated() {
                if index > 0 { out.append(0x2C) }
                JSON.write(member.name, to: &out)
                out.append(0x3A)
                member.value.write(to: &out, sorted: sorted)
            }
            out.append(0x7D)
        }
    }

    private static func write(_ text: String, to out: inout [UInt8]) {
        out.append(0x22)
        defer { out.append(0x22) }
        var text = text
        let isPlain = text.withUTF8 { bytes in
            guard bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C }) else {
                return false
            }
            out.append(contentsOf: bytes)
            return true
        }
        if isPlain { return }
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x22: out += [0x5C, 0x22]
            case 0x5C: out += [0x5C, 0x5C]
            case 0x0A: out += "\\n".utf8
            case 0x0D: out += "\\r".utf8
            case 0x09: out += "\\t".utf8
            case 0...0x1F, 0x7F...0x9F, 0x2028, 0x2029:
                out += "\\u".utf8
                out += [UInt8(scalar.value >> 8), UInt8(scalar.value & 255)].lowercaseHex
            default: out += UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter
            }
        }
    }
}
