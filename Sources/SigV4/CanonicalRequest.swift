import Hashing
import Vocabulary

/// How SigV4 writes a path.
package struct PathRule: Hashable, Sendable {
    /// Whether dot segments and doubled slashes are resolved first.
    package let normalizes: Bool
    /// Whether the path as sent is percent-encoded once more.
    package let encodesAgain: Bool

    package init(normalizes: Bool, encodesAgain: Bool) {
        self.normalizes = normalizes
        self.encodesAgain = encodesAgain
    }

    /// S3: the path as sent.
    package static let asSent = PathRule(normalizes: false, encodesAgain: false)
    /// Every other service: resolved, then encoded a second time.
    package static let normalized = PathRule(normalizes: true, encodesAgain: true)
}

/// What SigV4 hashes of a request: the first stage of a signature.
///
/// - SeeAlso: AWS "Create a signed AWS API request", step 1.
package struct CanonicalRequest: Hashable, Sendable {
    package let bytes: [UInt8]
    /// The names of the signed fields, sorted, joined by `;`.
    package let signedHeaders: [UInt8]

    /// The canonical form of a request whose every field is signed.
    ///
    /// - Parameters:
    ///   - path: As sent, percent-encoded, begins with `/`.
    ///   - query: As sent, without the `?`; empty for none.
    ///   - fields: All that is signed, `host` included, in the order sent. Equal names become one line,
    ///     values in order.
    ///   - payloadHash: 64 hexadecimal digits, or one of AWS's literal words.
    package init(
        method: String, path: String, pathRule: PathRule, query: String, fields: [HeaderField],
        payloadHash: [UInt8]
    ) {
        let ordered = sortedIndices(of: fields)
        var out: [UInt8] = []
        out.reserveCapacity(
            256 + path.utf8.count * 2 + query.utf8.count
                + fields.reduce(0) { $0 + 2 * $1.name.utf8.count + $1.value.utf8.count + 4 })
        out.append(contentsOf: method.utf8)
        out.append(newline)
        appendCanonicalPath(path, rule: pathRule, to: &out)
        out.append(newline)
        appendCanonicalQuery(query, to: &out)
        out.append(newline)
        appendCanonicalFields(fields, ordered: ordered, to: &out)
        out.append(newline)
        let start = out.count
        appendNames(of: fields, ordered: ordered, to: &out)
        signedHeaders = Array(out[start...])
        out.append(newline)
        out.append(contentsOf: payloadHash)
        bytes = out
    }
}

private let newline: UInt8 = 0x0A

// MARK: - Path

private func appendCanonicalPath(_ path: String, rule: PathRule, to out: inout [UInt8]) {
    let sent = path.utf8
    guard !sent.isEmpty else { return out.append(0x2F) }
    // Most paths are plain: nothing to resolve and nothing to encode.
    if sent.allSatisfy({ $0.isPlainInPath }), !rule.normalizes || !hasDotOrEmptySegment(sent) {
        return out.append(contentsOf: sent)
    }
    let resolved = rule.normalizes ? resolvingDotSegments(Array(sent)) : Array(sent)
    for byte in resolved {
        if byte.isPlainInPath || (!rule.encodesAgain && byte.isVisibleASCII) {
            out.append(byte)
        } else {
            appendPercentEncoded(byte, to: &out)
        }
    }
}

private func hasDotOrEmptySegment(_ path: String.UTF8View) -> Bool {
    var (length, dots, isFirst) = (0, 0, true)
    for byte in path {
        if byte == 0x2F {
            if !isFirst, length == 0 || (length == dots && dots <= 2) { return true }
            (length, dots, isFirst) = (0, 0, false)
        } else {
            length += 1
            if byte == 0x2E { dots += 1 }
        }
    }
    return length > 0 && length == dots && dots <= 2
}

/// RFC 3986 section 5.2.4, as AWS reads it: empty segments go too, and a final slash stays.
private func resolvingDotSegments(_ path: [UInt8]) -> [UInt8] {
    var segments: [ArraySlice<UInt8>] = []
    for segment in path.split(separator: 0x2F) {
        if segment.elementsEqual([0x2E]) { continue }
        if segment.elementsEqual([0x2E, 0x2E]) {
            _ = segments.popLast()
        } else {
            segments.append(segment)
        }
    }
    var out: [UInt8] = path.first == 0x2F ? [0x2F] : []
    out.append(contentsOf: segments.joined(separator: [0x2F]))
    if path.last == 0x2F, !segments.isEmpty { out.append(0x2F) }
    return out
}

// MARK: - Query

/// Splits on `&`, then on the first `=`; sorts by name, then value, comparing encoded bytes. A name without
/// `=` gains one.
private func appendCanonicalQuery(_ query: String, to out: inout [UInt8]) {
    guard !query.isEmpty else { return }
    var sent: [UInt8] = []
    sent.reserveCapacity(query.utf8.count)
    for byte in query.utf8 {
        if byte.isVisibleASCII { sent.append(byte) } else { appendPercentEncoded(byte, to: &sent) }
    }
    var pairs = sent.split(separator: 0x26, omittingEmptySubsequences: false).map { pair in
        let mark = pair.firstIndex(of: 0x3D) ?? pair.endIndex
        return (name: pair[..<mark], value: pair[mark...].dropFirst())
    }
    if pairs.count > 1 {
        pairs.sort { left, right in
            if left.name.lexicographicallyPrecedes(right.name) { return true }
            if right.name.lexicographicallyPrecedes(left.name) { return false }
            return left.value.lexicographicallyPrecedes(right.value)
        }
    }
    for (index, pair) in pairs.enumerated() {
        if index > 0 { out.append(0x26) }
        out.append(contentsOf: pair.name)
        out.append(0x3D)
        out.append(contentsOf: pair.value)
    }
}

// MARK: - Fields

/// The places of `fields` sorted by the bytes of their names; equal names keep their order.
private func sortedIndices(of fields: [HeaderField]) -> [Int] {
    var ordered: [Int] = []
    ordered.reserveCapacity(fields.count)
    // Insertion from the end: fields are few and mostly sorted. Beyond that the library's sort keeps it
    // linear-logarithmic.
    if fields.count > 32 {
        return fields.indices.sorted { left, right in
            if fields[left].name.utf8.lexicographicallyPrecedes(fields[right].name.utf8) { return true }
            if fields[right].name.utf8.lexicographicallyPrecedes(fields[left].name.utf8) { return false }
            return left < right
        }
    }
    for index in fields.indices {
        var place = ordered.count
        // Names are ASCII, so that `<` compares bytes.
        while place > 0, fields[index].name < fields[ordered[place - 1]].name { place -= 1 }
        ordered.insert(index, at: place)
    }
    return ordered
}

private func appendCanonicalFields(_ fields: [HeaderField], ordered: [Int], to out: inout [UInt8]) {
    for (place, index) in ordered.enumerated() {
        let field = fields[index]
        let continues = place > 0 && fields[ordered[place - 1]].name == field.name
        if continues {
            out[out.count - 1] = 0x2C
        } else {
            out.append(contentsOf: field.name.utf8)
            out.append(0x3A)
        }
        appendFolded(field.value, to: &out)
        out.append(newline)
    }
}

private func appendNames(of fields: [HeaderField], ordered: [Int], to out: inout [UInt8]) {
    for (place, index) in ordered.enumerated() {
        if place > 0 {
            if fields[ordered[place - 1]].name == fields[index].name { continue }
            out.append(0x3B)
        }
        out.append(contentsOf: fields[index].name.utf8)
    }
}

/// The value without blanks at its ends, every run of blanks inside as one space.
private func appendFolded(_ value: String, to out: inout [UInt8]) {
    // Most values have single blanks at most, and none at their ends.
    var (isFolded, wasBlank) = (true, true)
    for byte in value.utf8 {
        let isBlank = byte == 0x20
        guard !(0x09...0x0D).contains(byte), !(isBlank && wasBlank) else {
            isFolded = false
            break
        }
        wasBlank = isBlank
    }
    if isFolded, !wasBlank { return out.append(contentsOf: value.utf8) }
    let start = out.count
    var blank = false
    for byte in value.utf8 {
        if byte == 0x20 || (0x09...0x0D).contains(byte) {
            blank = true
            continue
        }
        if blank, out.count > start { out.append(0x20) }
        blank = false
        out.append(byte)
    }
}

// MARK: - Bytes

func appendPercentEncoded(_ byte: UInt8, to out: inout [UInt8]) {
    out.append(0x25)
    out.append(hexDigit(byte >> 4))
    out.append(hexDigit(byte & 15))
}

private func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x41 + value - 10 }

extension UInt8 {
    /// Whether the byte stands for itself in a path that is encoded: RFC 3986's unreserved characters, and
    /// `/`.
    fileprivate var isPlainInPath: Bool {
        isAlphanumeric || self == 0x2F || self == 0x2D || self == 0x2E || self == 0x5F || self == 0x7E
    }

    fileprivate var isVisibleASCII: Bool { (0x21...0x7E).contains(self) }
}
