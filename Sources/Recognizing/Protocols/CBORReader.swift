import Vocabulary

/// Reads one CBOR document (RFC 8949, as rpc-v2-cbor uses it) as JSON: byte strings become base64, tag 1 (a
/// timestamp) its number.
///
/// Refused: names that are no text or stand twice, other tags, simple values but false, true, null and
/// undefined, bytes after the document, depth over ``JSON/depthMax``, more than ``JSON/nodeCountMax`` values.
struct CBORReader {
    private let bytes: [UInt8]
    private var at = 0
    private var count = 0

    /// What marks a byte string and a timestamp until the model says that one may stand there. No map key of
    /// the document can be mistaken for it: names of documents are checked against the model, which has none
    /// such.
    private static let bytesMark = "\u{0}bytes"
    private static let timeMark = "\u{0}time"
    /// The same for numbers that JSON does not have, so that no text is read for them.
    private static let numberMark = "\u{0}number"

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    static func isMark(_ name: String) -> Bool {
        [bytesMark, timeMark, numberMark].contains { name.isSame(as: $0) }
    }

    /// The text of a marked byte string or number, or the number of a marked timestamp, if `kind` asks for
    /// it.
    static func unmarked(_ json: JSON, as kind: CatalogKind) -> JSON? {
        guard let members = json.members, members.count == 1 else { return nil }
        let mark = kind == .blob ? bytesMark : kind == .timestamp ? timeMark : numberMark
        return members[0].name.isSame(as: mark) ? members[0].value : nil
    }

    static func parse(_ bytes: [UInt8]) throws(RecognitionError) -> JSON {
        var reader = CBORReader(bytes)
        let value = try reader.value(depth: 1)
        guard reader.at == bytes.count else { throw reader.fail("something follows the document") }
        return value
    }

    private func fail(_ why: String) -> RecognitionError {
        .malformed(part: "the CBOR body", why: "\(why), at byte \(at)")
    }

    private mutating func byte() throws(RecognitionError) -> UInt8 {
        guard at < bytes.count else { throw fail("it ends early") }
        at += 1
        return bytes[at - 1]
    }

    /// The argument of an initial byte; nil for indefinite length.
    private mutating func argument(_ low: UInt8) throws(RecognitionError) -> UInt64? {
        switch low {
        case 0..<24: return UInt64(low)
        case 24...27:
            var value: UInt64 = 0
            for _ in 0..<(1 << Int(low - 24)) { value = value << 8 | UInt64(try byte()) }
            return value
        case 31: return nil
        default: throw fail("a reserved length")
        }
    }

    private mutating func value(depth: Int) throws(RecognitionError) -> JSON {
        guard depth <= JSON.depthMax else { throw fail("it is nested too deep") }
        count += 1
        guard count <= JSON.nodeCountMax else { throw fail("it has too many values") }
        let first = try byte()
        let low = first & 31
        switch first >> 5 {
        case 0: return .number(String(try definite(low)))
        case 1:
            let value = try definite(low)
            return .number(value == .max ? "-18446744073709551616" : "-" + String(value + 1))
        case 2: return .object([.init(Self.bytesMark, .string(Base64.encode(try string(major: 2, low))))])
        case 3: return .string(try text(low))
        case 4:
            var elements: [JSON] = []
            guard let length = try argument(low) else {
                while try !takeBreak() { elements.append(try value(depth: depth + 1)) }
                return .array(elements)
            }
            for _ in 0..<(try bounded(length)) { elements.append(try value(depth: depth + 1)) }
            return .array(elements)
        case 5: return try map(low, depth: depth)
        case 6:
            guard try definite(low) == 1 else { throw fail("a tag that is not taken") }
            let time = try value(depth: depth + 1)
            guard case .number = time else { throw fail("a timestamp that is no number") }
            return .object([.init(Self.timeMark, time)])
        default: return try simple(low)
        }
    }

    private mutating func map(_ low: UInt8, depth: Int) throws(RecognitionError) -> JSON {
        var members: [JSON.Member] = []
        var seen: Set<[UInt8]> = []
        let length = try argument(low)
        let limit = try length.map { value throws(RecognitionError) in try bounded(value) }
        while true {
            if let limit {
                if members.count == limit { return .object(members) }
            } else if try takeBreak() {
                return .object(members)
            }
            let head = try byte()
            guard head >> 5 == 3 else { throw fail("a name that is no text") }
            let name = try text(head & 31)
            guard !name.utf8.contains(0) else { throw fail("a name that holds a zero byte") }
            guard seen.insert(Array(name.utf8)).inserted else {
                throw fail("`\(shown(name))` is there twice")
            }
            members.append(.init(name, try value(depth: depth + 1)))
        }
    }

    private mutating func simple(_ low: UInt8) throws(RecognitionError) -> JSON {
        switch low {
        case 20: return .bool(false)
        case 21: return .bool(true)
        case 22, 23: return .null
        case 25:
            let bits = UInt16(try byte()) << 8 | UInt16(try byte())
            return number(Double(half(bits)))
        case 26:
            guard let bits = try argument(26) else { throw fail("a bad number") }
            return number(Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits))))
        case 27:
            guard let bits = try argument(27) else { throw fail("a bad number") }
            return number(Double(bitPattern: bits))
        default: throw fail("a simple value that is not taken")
        }
    }

    private func number(_ value: Double) -> JSON {
        guard value.isFinite else {
            let text: JSON = value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity"
            return .object([.init(Self.numberMark, text)])
        }
        // Also for a negative zero: it is the same number, and has one spelling.
        let text = value == 0 ? "0" : "\(value)"
        return .number(text.hasSuffix(".0") ? String(text.dropLast(2)) : text)
    }

    private func half(_ bits: UInt16) -> Float {
        let sign: Float = bits & 0x8000 == 0 ? 1 : -1
        let exponent = Int(bits >> 10 & 31)
        let fraction = Float(bits & 1023)
        switch exponent {
        case 0: return sign * fraction / 16_777_216
        case 31: return fraction == 0 ? sign * .infinity : .nan
        default: return sign * Float(sign: .plus, exponent: exponent - 15, significand: 1 + fraction / 1024)
        }
    }

    private mutating func definite(_ low: UInt8) throws(RecognitionError) -> UInt64 {
        guard let value = try argument(low) else { throw fail("an indefinite length where there is none") }
        return value
    }

    private mutating func takeBreak() throws(RecognitionError) -> Bool {
        guard at < bytes.count else { throw fail("it ends early") }
        guard bytes[at] == 0xFF else { return false }
        at += 1
        return true
    }

    /// A length that the rest of the bytes can hold.
    private func bounded(_ length: UInt64) throws(RecognitionError) -> Int {
        guard let length = Int(exactly: length), length <= bytes.count - at else {
            throw fail("a length past the end")
        }
        return length
    }

    /// A string in one piece or, with an indefinite length, in pieces, each of which must be `isWhole`.
    private mutating func string(
        major: UInt8, _ low: UInt8, isWhole: (ArraySlice<UInt8>) -> Bool = { _ in true }
    ) throws(RecognitionError) -> [UInt8] {
        if let length = try argument(low) {
            let count = try bounded(length)
            at += count
            return Array(bytes[(at - count)..<at])
        }
        var joined: [UInt8] = []
        while try !takeBreak() {
            let head = try byte()
            guard head >> 5 == major, let length = try argument(head & 31) else {
                throw fail("a bad piece of a string")
            }
            let count = try bounded(length)
            let piece = bytes[at..<(at + count)]
            guard isWhole(piece) else { throw fail("a piece of text that is not UTF-8") }
            joined += piece
            at += count
        }
        return joined
    }

    private mutating func text(_ low: UInt8) throws(RecognitionError) -> String {
        // RFC 8949, section 3.2.3: no character is split between pieces.
        let bytes = try string(major: 3, low) { String(validating: $0, as: UTF8.self) != nil }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw fail("text that is not UTF-8")
        }
        return text
    }
}
