import Hashing
import Vocabulary

/// How one entry is written: one line of JSON, that names the hash of the line before it.
///
/// `{"v":1,"seq":n,"prev":"sha256:…","t":"…","type":"…", …}` and a newline. `prev` is the SHA-256 of the
/// previous line's bytes without its newline, so `sed -n 41p FILE | tr -d '\n' | sha256sum` gives what line
/// 42 names.
package enum LogLine {
    /// The version that this code writes and reads.
    static let version = 1
    /// The most bytes of a line, without its newline (64 KiB less one).
    package static let byteCountMax = 65_535
    /// What stands as `prev` in the first entry: 64 zeros.
    package static let origin = zeroDigest

    /// The bytes of the line without newline: the head, then `body`, which begins with `,"t":` and ends with
    /// `}`.
    static func bytes(seq: UInt64, prev: Digest, body: [UInt8], into line: inout [UInt8]) {
        line += #"{"v":1,"seq":"#.utf8
        line += String(seq).utf8
        line += #","prev":"sha256:"#.utf8
        line += prev.bytes.lowercaseHex
        line.append(0x22)
        line += body
    }

    /// The most bytes that the head takes: a `seq` of 20 digits.
    static let headByteCountMax = 13 + 20 + 16 + 64 + 1

    /// The rest of the line for an entry: time, type, then its members in order.
    static func body(of entry: Entry) -> [UInt8] {
        var members = [
            JSON.Member("t", .string(entry.at.description)),
            JSON.Member("type", .string(entry.type.rawValue)),
        ]
        members += entry.members
        var line = JSON.object(members).line
        // INVARIANT: an object of at least two members begins with `{`; the head's own brace takes its place.
        line[0] = 0x2C
        return line
    }
}

private let zeroDigest: Digest = {
    // INVARIANT: 32 bytes are a digest.
    guard let digest = Digest(bytes: [UInt8](repeating: 0, count: 32)) else {
        preconditionFailure("no digest")
    }
    return digest
}()

/// An entry as it stands in the log.
package struct StoredEntry: Hashable, Sendable {
    package let id: EntryID
    package let prev: Digest
    /// SHA-256 of its line, without newline: what the next entry names as `prev`.
    package let hash: Digest
    /// When, by the sidecar's clock. Clocks step; ``id`` is the order.
    package let at: Instant
    package let type: EntryType
    /// The whole object, head included, as it was written.
    package let json: JSON
    /// Bytes of the line with its newline.
    package let byteCount: Int

    /// The member `name` of the line.
    package subscript(name: String) -> JSON? { json[name] }

    /// The entry written in `line` (without newline).
    ///
    /// - Throws: ``BadEntry/Why`` unless it is one strict JSON object that begins with `v` (1), `seq`,
    ///   `prev`, `t` and a known `type`.
    init(line: [UInt8]) throws(BadEntry.Why) {
        guard line.count <= LogLine.byteCountMax else { throw .tooLong }
        let json: JSON
        do { json = try JSON(parsing: line) } catch { throw .unreadable(jsonErrorText(error)) }
        guard case .object(let members) = json, line.first == 0x7B, line.last == 0x7D else {
            throw .unreadable("not an object alone on its line")
        }
        guard members.count >= 5, members[0].name == "v" else {
            throw .unreadable("does not begin with its version")
        }
        guard members[0].value == .number("1") else { throw .unknownVersion(members[0].value.text) }
        guard ["seq", "prev", "t", "type"].elementsEqual(members[1..<5].map(\.name)) else {
            throw .unreadable("does not begin with v, seq, prev, t and type")
        }
        guard case .number(let seqText) = members[1].value, let seq = UInt64(seqText), String(seq) == seqText,
            seq > 0
        else { throw .unreadable("`seq` is not a count from 1") }
        guard let prevText = members[2].value.string, let prev = Digest(parsing: prevText) else {
            throw .unreadable("`prev` is not a SHA-256")
        }
        guard let atText = members[3].value.string, let at = Instant(parsing: atText) else {
            throw .unreadable("`t` is not a time")
        }
        guard let typeText = members[4].value.string else { throw .unreadable("`type` is not a text") }
        guard let type = EntryType(rawValue: typeText) else { throw .unknownType(typeText) }
        self.id = EntryID(seq: seq)
        self.prev = prev
        self.hash = sha256(line)
        self.at = at
        self.type = type
        self.json = json
        self.byteCount = line.count + 1
    }
}

private func jsonErrorText(_ error: JSONError) -> String {
    switch error {
    case .unexpected(let at): "not JSON at byte \(at)"
    case .badText(let at): "not text at byte \(at)"
    case .duplicateName(_, let at): "a name twice, at byte \(at)"
    case .tooDeep(let at): "nested too deep at byte \(at)"
    case .tooMany(let at): "too many values at byte \(at)"
    }
}

/// The part of a line that the chain needs, read from its fixed place without reading the rest.
struct LineHead {
    let seq: UInt64
    let prev: Digest

    /// The head of `line`; nil unless it is spelled as ``LogLine`` writes it.
    init?(_ line: [UInt8]) {
        let opening = Array(#"{"v":1,"seq":"#.utf8)
        guard line.starts(with: opening) else { return nil }
        var at = opening.count
        var seq: UInt64 = 0
        while at < line.count, line[at].isDigit, at < opening.count + 20 {
            let (ten, over) = seq.multipliedReportingOverflow(by: 10)
            let (next, carried) = ten.addingReportingOverflow(UInt64(line[at] - 0x30))
            if over || carried { return nil }
            seq = next
            at += 1
        }
        let link = Array(#","prev":"sha256:"#.utf8)
        guard at > opening.count, line[at...].starts(with: link) else { return nil }
        at += link.count
        guard line.count >= at + 65, line[at + 64] == 0x22,
            let bytes = [UInt8](lowercaseHex: line[at..<(at + 64)]), let prev = Digest(bytes: bytes)
        else { return nil }
        self.seq = seq
        self.prev = prev
    }
}
