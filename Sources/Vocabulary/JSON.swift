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
        package var name: String
        package var value: JSON

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
        for member in members where member.name.hasBytes(of: name) { return member.value }
        return nil
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
        writeCanonical(to: &out)
        return out
    }

    /// Appends ``canonical`` to `out`.
    package func writeCanonical(to out: inout [UInt8]) { write(to: &out, sorted: true) }

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
            var isFirst = true
            for element in elements {
                if !isFirst { out.append(0x2C) }
                isFirst = false
                element.write(to: &out, sorted: sorted)
            }
            out.append(0x5D)
        case .object(let members):
            out.append(0x7B)
            var isFirst = true
            for member in sorted ? JSON.sorted(members) : members {
                if !isFirst { out.append(0x2C) }
                isFirst = false
                JSON.write(member.name, to: &out)
                out.append(0x3A)
                member.value.write(to: &out, sorted: sorted)
            }
            out.append(0x7D)
        }
    }

    /// `members` by the bytes of their names.
    package static func sorted(_ members: [Member]) -> [Member] {
        func precedes(_ left: Member, _ right: Member) -> Bool { left.name.precedes(right.name) }
        // Many objects have one member, and clients often write them sorted.
        let isSorted = members.indices.dropFirst().allSatisfy { precedes(members[$0 - 1], members[$0]) }
        return isSorted ? members : members.sorted(by: precedes)
    }

    /// Appends `text` as a JSON string to `out`, escaped as ``line`` says.
    package static func write(_ text: String, to out: inout [UInt8]) {
        out.append(0x22)
        var text = text
        text.withUTF8 { bytes in
            let raw = UnsafeRawBufferPointer(bytes)
            var (start, index) = (0, 0)
            while true {
                index += plainRun(UnsafeRawBufferPointer(rebasing: raw[index...]))
                guard index < bytes.count else { break }
                // INVARIANT: the bytes are UTF-8, so U+0080 to U+009F are C2 80 to C2 9F, and U+2028 and
                // U+2029 are E2 80 A8 and E2 80 A9, with all of their bytes there.
                let count: Int
                switch bytes[index] {
                case 0..<0x20, 0x22, 0x5C, 0x7F: count = 1
                case 0xC2 where bytes[index + 1] < 0xA0: count = 2
                case 0xE2 where bytes[index + 1] == 0x80 && bytes[index + 2] & 0xFE == 0xA8: count = 3
                default:
                    index += 1
                    continue
                }
                out.append(contentsOf: bytes[start..<index])
                escape(bytes[index..<index + count], to: &out)
                index += count
                start = index
            }
            out.append(contentsOf: bytes[start...])
        }
        out.append(0x22)
    }

    /// Appends the escape of the one character in `bytes`.
    private static func escape(_ bytes: Slice<UnsafeBufferPointer<UInt8>>, to out: inout [UInt8]) {
        out.append(0x5C)
        let byte = bytes[bytes.startIndex]
        switch byte {
        case 0x22, 0x5C: out.append(byte)
        case 0x0A: out.append(0x6E)
        case 0x0D: out.append(0x72)
        case 0x09: out.append(0x74)
        case 0xE2: out += "u202".utf8 + [bytes[bytes.startIndex + 2] - 0xA8 + 0x38]
        // U+0080 to U+009F end with the byte of that number.
        default: out += "u00".utf8 + [bytes[bytes.startIndex + bytes.count - 1]].lowercaseHex
        }
    }
}
