/// How a reply may spell a byte: as it is, `%2F`, `\/`, `\u002f`, `&#47;` or `&#x2f;`, in either case.
///
/// Which of these, and for which bytes, is each serializer's own choice: one escapes `=`, another `/` and
/// `+`.
enum EchoSpelling {
    /// Where `needle`, its bytes spelled in any way, ends in `body` when it begins at `start`; nil when it
    /// does not.
    static func end(of needle: [UInt8], in body: [UInt8], at start: Int) -> Int? {
        var at = start
        for byte in needle {
            guard at < body.count else { return nil }
            if body[at] == byte {
                at += 1
            } else if let length = escape(of: byte, in: body[at...]) {
                at += length
            } else {
                return nil
            }
        }
        return at
    }

    /// The length of the escape for `byte` with which `rest` begins.
    private static func escape(of byte: UInt8, in rest: ArraySlice<UInt8>) -> Int? {
        let start = rest.startIndex
        switch rest[start] {
        case UInt8(ascii: "%"): return hex(rest.dropFirst(), count: 2, is: byte) ? 3 : nil
        case UInt8(ascii: "\\"):
            let inner = rest.dropFirst()
            if inner.first == UInt8(ascii: "u"), hex(inner.dropFirst(), count: 4, is: byte) { return 6 }
            // `\t` is a tab, not a t.
            return inner.first == byte && !byte.isAlphanumeric ? 2 : nil
        case UInt8(ascii: "&"):
            // Leading zeros are allowed; nobody writes more than a few.
            guard let end = rest.prefix(10).firstIndex(of: UInt8(ascii: ";")) else { return nil }
            let text = rest[(start + 1)..<end].dropFirst()
            guard rest[start + 1] == UInt8(ascii: "#") else { return nil }
            let isHex = text.first == UInt8(ascii: "x") || text.first == UInt8(ascii: "X")
            let digits = isHex ? text.dropFirst() : text
            return number(digits, is: byte, radix: isHex ? 16 : 10) ? end - start + 1 : nil
        default: return nil
        }
    }

    private static func hex(_ text: ArraySlice<UInt8>, count: Int, is byte: UInt8) -> Bool {
        let digits = text.prefix(count)
        return digits.count == count && number(digits, is: byte, radix: 16)
    }

    private static func number(_ digits: ArraySlice<UInt8>, is byte: UInt8, radix: Int) -> Bool {
        // `Int` would take a sign as well.
        guard digits.allSatisfy(\.isAlphanumeric) else { return false }
        return Int(String(decoding: digits, as: UTF8.self), radix: radix) == Int(byte)
    }
}
