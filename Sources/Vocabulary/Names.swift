/// Why a text is not the name it should be.
package enum NameError: Error, Sendable, Hashable {
    /// `text` is no `kind`; `rule` says what one looks like.
    case malformed(kind: String, text: String, rule: String)
}

/// A calling agent, as the operator configured it: 1 to 64 of `a-z`, `0-9`, `-`.
package struct AgentName: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    /// The agent named `text`.
    ///
    /// - Throws: ``NameError/malformed(kind:text:rule:)`` unless `text` is `[a-z0-9-]{1,64}`.
    package init(parsing text: String) throws(NameError) {
        let ok =
            (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { $0.isLowerAlphanumeric || $0 == 0x2D }
        guard ok else { throw .malformed(kind: "agent", text: text, rule: "1 to 64 of a-z, 0-9 and -") }
        self.text = text
    }

    package var description: String { text }
}

/// One run of an agent on one task, id `ses-` and 8 characters of Crockford's base 32.
package struct SessionID: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    /// - Throws: ``NameError/malformed(kind:text:rule:)`` unless `text` is `ses-` and 8 base-32 characters.
    package init(parsing text: String) throws(NameError) {
        self.text = try taggedID(text, tag: "ses-", kind: "session")
    }

    /// The id made of 40 random bits.
    package init(random: UInt64) { text = "ses-" + base32(random) }

    package var description: String { text }
}

/// A call that waits, or waited, for humans: `apr-` and 8 characters of Crockford's base 32 (40 random bits).
package struct ApprovalID: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    /// - Throws: ``NameError/malformed(kind:text:rule:)`` unless `text` is `apr-` and 8 base-32 characters.
    package init(parsing text: String) throws(NameError) {
        self.text = try taggedID(text, tag: "apr-", kind: "approval")
    }

    /// The id made of 40 random bits.
    package init(random: UInt64) { text = "apr-" + base32(random) }

    package var description: String { text }
}

/// What an approval became: `grt-` and 8 characters of Crockford's base 32.
package struct GrantID: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    /// - Throws: ``NameError/malformed(kind:text:rule:)`` unless `text` is `grt-` and 8 base-32 characters.
    package init(parsing text: String) throws(NameError) {
        self.text = try taggedID(text, tag: "grt-", kind: "grant")
    }

    /// The id made of 40 random bits.
    package init(random: UInt64) { text = "grt-" + base32(random) }

    package var description: String { text }
}

/// One arrived request: `req-` and 8 characters of Crockford's base 32; what the agent sees as the AWS
/// request id.
package struct RequestID: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    /// - Throws: ``NameError/malformed(kind:text:rule:)`` unless `text` is `req-` and 8 base-32 characters.
    package init(parsing text: String) throws(NameError) {
        self.text = try taggedID(text, tag: "req-", kind: "request")
    }

    /// The id made of 40 random bits.
    package init(random: UInt64) { text = "req-" + base32(random) }

    package var description: String { text }
}

/// A statement of the policy set, `document/Sid`, as decisions and log entries name it.
package struct StatementID: Hashable, Sendable, CustomStringConvertible {
    package let document: String
    package let sid: String

    package init(document: String, sid: String) {
        self.document = document
        self.sid = sid
    }

    package var description: String { "\(document)/\(sid)" }
}

/// A person who may answer approvals, as `approvers.yaml` names them.
package struct ApproverName: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    /// - Throws: ``NameError/malformed(kind:text:rule:)`` unless `text` is 1 to 128 of `A-Za-z0-9`, `-`, `_`,
    ///   `.`, `@`, `+`.
    package init(parsing text: String) throws(NameError) {
        let ok =
            (1...128).contains(text.utf8.count)
            && text.utf8.allSatisfy { $0.isAlphanumeric || "-_.@+".utf8.contains($0) }
        guard ok else {
            throw .malformed(kind: "approver", text: text, rule: "1 to 128 of letters, digits and - _ . @ +")
        }
        self.text = text
    }

    package var description: String { text }
}

/// The place of an entry in the log: its `seq`, from 1 upwards without gaps.
package struct EntryID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let seq: UInt64
    package init(seq: UInt64) { self.seq = seq }
    package static func < (left: EntryID, right: EntryID) -> Bool { left.seq < right.seq }
    package var description: String { String(seq) }
}

extension UInt8 {
    /// Whether the byte is one of `a-z`, `0-9`.
    package var isLowerAlphanumeric: Bool { (0x61...0x7A).contains(self) || isDigit }
    /// Whether the byte is one of `A-Z`, `a-z`, `0-9`.
    package var isAlphanumeric: Bool { (0x41...0x5A).contains(self) || isLowerAlphanumeric }
    /// Whether the byte is one of `0-9`.
    package var isDigit: Bool { (0x30...0x39).contains(self) }
    /// The byte with ASCII letters in lower case.
    package var lowercased: UInt8 { (0x41...0x5A).contains(self) ? self | 0x20 : self }
}

extension String {
    /// The text with `A-Z` in lower case and every other character as it is; no locale, no Unicode folding.
    package var asciiLowercased: String {
        let hasCapital = utf8.withContiguousStorageIfAvailable { bytes in
            bytes.contains { $0 >= 0x41 && $0 <= 0x5A }
        }
        guard hasCapital ?? true else { return self }
        return String(unsafeUninitializedCapacity: utf8.count) { buffer in
            // INVARIANT: as many bytes as reserved; letters become letters, so it stays UTF-8.
            var count = 0
            for byte in utf8 {
                buffer[count] = byte.lowercased
                count += 1
            }
            return count
        }
    }
}

extension String {
    /// Whether both are the same bytes of UTF-8: Swift's `==` holds canonically equivalent texts equal, and a
    /// gate must not.
    package func hasBytes(of other: String) -> Bool {
        guard utf8.count == other.utf8.count else { return false }
        let isSame = utf8.withContiguousStorageIfAvailable { bytes in
            other.utf8.withContiguousStorageIfAvailable { bytes.elementsEqual($0) }
        }
        return (isSame ?? nil) ?? utf8.elementsEqual(other.utf8)
    }

    /// Whether the bytes of UTF-8 come before those of `other`: Swift's `<` orders canonically equivalent
    /// texts alike.
    package func precedes(_ other: String) -> Bool {
        let precedes = utf8.withContiguousStorageIfAvailable { bytes in
            other.utf8.withContiguousStorageIfAvailable { bytes.lexicographicallyPrecedes($0) }
        }
        return (precedes ?? nil) ?? utf8.lexicographicallyPrecedes(other.utf8)
    }
}

/// Crockford's base 32 without I, L, O, U: what a person can read over the telephone.
private let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)

private func base32(_ random: UInt64) -> String {
    String(decoding: (0..<8).map { alphabet[Int((random >> (35 - 5 * UInt64($0))) & 31)] }, as: UTF8.self)
}

private func taggedID(_ text: String, tag: String, kind: String) throws(NameError) -> String {
    let body = text.utf8.dropFirst(tag.utf8.count)
    guard text.hasPrefix(tag), body.count == 8, body.allSatisfy({ alphabet.contains($0) }) else {
        throw .malformed(kind: kind, text: text, rule: "\(tag) and 8 of 0-9 and A-Z without I, L, O, U")
    }
    return text
}
