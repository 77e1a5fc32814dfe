import Vocabulary

/// Whom a key is issued to, and for what: all that its session token carries under its MAC.
package struct IssuedIdentity: Hashable, Sendable {
    // The most bytes of UTF-8 of each text: a token must fit into a field, and with a presigned request into
    // its target.
    static let taskByteCountMax = 500
    static let reasonByteCountMax = 1_500
    static let ownerByteCountMax = 200
    static let roleByteCountMax = 640

    package let agent: AgentName
    package let session: SessionID
    /// What the agent works on, and why now: its own words.
    package let task: String?
    package let reason: String?
    /// Whom the agent belongs to.
    package let owner: String?
    /// The account that its calls are for, 12 digits; nil for the gateway's own.
    package let account: String?
    /// The ARN of the role that its calls are signed as; nil for the gateway's own credentials.
    package let role: String?
    /// Whole seconds, as the token has them.
    package let issued: Instant
    /// The key is good before this moment, and not at it. Whole seconds, cut off.
    package let expires: Instant

    /// Task and reason are cut to ``ClaimedText/lengthMax`` characters and to their bytes, and marked with
    /// `…` when they were longer; empty ones are none.
    ///
    /// - Throws: ``NameError/malformed(kind:text:rule:)`` for an account of other than 12 digits, and for an
    ///   owner or role that is empty, too long, or no printable text.
    package init(
        agent: AgentName, session: SessionID, task: String?, reason: String?, owner: String?,
        account: String?, role: String?, issued: Instant, expires: Instant
    ) throws(NameError) {
        if let account {
            guard account.utf8.count == 12, account.utf8.allSatisfy(\.isDigit) else {
                throw .malformed(kind: "account", text: account, rule: "12 digits")
            }
        }
        if let owner {
            guard (1...Self.ownerByteCountMax).contains(owner.utf8.count), owner.hasBytes(of: shown(owner))
            else {
                throw .malformed(
                    kind: "owner", text: owner, rule: "1 to \(Self.ownerByteCountMax) bytes of plain text")
            }
        }
        if let role {
            guard role.hasPrefix("arn:"), role.utf8.count <= Self.roleByteCountMax,
                role.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
            else {
                throw .malformed(
                    kind: "role", text: role, rule: "an ARN of at most \(Self.roleByteCountMax) characters")
            }
        }
        (self.agent, self.session, self.owner) = (agent, session, owner)
        (self.account, self.role) = (account, role)
        self.task = cut(task, byteCountMax: Self.taskByteCountMax)
        self.reason = cut(reason, byteCountMax: Self.reasonByteCountMax)
        self.issued = Instant(secondsSinceEpoch: issued.wholeSeconds)
        self.expires = Instant(secondsSinceEpoch: expires.wholeSeconds)
    }
}

extension Instant {
    /// The seconds since the epoch, cut off.
    var wholeSeconds: Int64 { nanosecondsSinceEpoch / 1_000_000_000 }
}

/// `text` within both bounds of a claimed text; nil for none.
private func cut(_ text: String?, byteCountMax: Int) -> String? {
    guard let text, !text.isEmpty else { return nil }
    let claimed = ClaimedText(text, source: .sessionToken).text
    guard claimed.utf8.count > byteCountMax else { return claimed }
    var kept = String.UnicodeScalarView()
    var count = 0
    for scalar in claimed.unicodeScalars {
        count += UTF8.width(scalar)
        guard count <= byteCountMax - 3 else { break }
        kept.append(scalar)
    }
    return String(kept) + "…"
}

/// The random part of an issued access key id: 80 bits.
package struct IssuedKeyID: Hashable, Sendable, CustomStringConvertible {
    /// Exactly 10.
    let bytes: [UInt8]

    /// INVARIANT: a token holds 10 bytes of it.
    init(bytes: [UInt8]) { self.bytes = bytes }

    /// The id of 80 of these 128 random bits.
    package init(random: (UInt64, UInt64)) {
        var bytes = withUnsafeBytes(of: random.0.bigEndian) { Array($0) }
        bytes += withUnsafeBytes(of: random.1.bigEndian) { $0.prefix(2) }
        self.bytes = bytes
    }

    /// The id in `text`; nil for anything but `CSAK` and 16 of `A-Z2-7`.
    package init?(parsing text: String) {
        guard text.utf8.count == 20, text.hasPrefix(Self.prefix) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(10)
        var (buffer, bits): (UInt32, UInt32) = (0, 0)
        for character in text.utf8.dropFirst(4) {
            let value: UInt8
            switch character {
            case 0x41...0x5A: value = character - 0x41
            case 0x32...0x37: value = character - 0x32 + 26
            default: return nil
            }
            buffer = buffer << 5 | UInt32(value)
            bits += 5
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(buffer >> bits & 255))
            }
            buffer &= (1 << bits) - 1
        }
        self.bytes = bytes
    }

    /// What every access key id of ours begins with; no key of AWS's does.
    package static let prefix = "CSAK"

    /// `CSAK` and 16 characters of base 32 (RFC 4648, section 6): as long, and of the same alphabet, as
    /// AWS's own ids, since some clients check that.
    package var description: String {
        var text = Self.prefix
        var (buffer, bits): (UInt32, UInt32) = (0, 0)
        for byte in bytes {
            buffer = buffer << 8 | UInt32(byte)
            bits += 8
            while bits >= 5 {
                bits -= 5
                text.unicodeScalars.append(Unicode.Scalar(alphabet[Int(buffer >> bits & 31)]))
            }
            buffer &= (1 << bits) - 1
        }
        return text
    }
}

private let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)
