/// Why a text is no SSH public key that a review may be signed with; `description` says what mends it.
///
/// It never holds the text itself: who pastes the wrong half pastes a secret.
package struct SSHKeyFault: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

/// An SSH public key, as a line of `authorized_keys` or a `.pub` file writes it: algorithm, key, comment.
///
/// Read strictly: one blank between the three, base 64 in its one spelling, nothing before and nothing after
/// the parts that the algorithm has. Two texts with the same ``blob`` are the same key. That a point lies on
/// its curve is for whoever verifies with it to find.
package struct SSHPublicKey: Hashable, Sendable {
    /// Which signatures the key makes.
    package enum Algorithm: String, Hashable, Sendable, CaseIterable {
        case ed25519 = "ssh-ed25519"
        case ecdsa256 = "ecdsa-sha2-nistp256"
        case ecdsa384 = "ecdsa-sha2-nistp384"
        case ecdsa521 = "ecdsa-sha2-nistp521"
        case rsa = "ssh-rsa"
        /// On a security key, whose touch each signature needs.
        case securityKeyEd25519 = "sk-ssh-ed25519@openssh.com"
        case securityKeyECDSA = "sk-ecdsa-sha2-nistp256@openssh.com"

        /// The curve's name in the key, and the length of a point of it, uncompressed; nil for other keys.
        fileprivate var curve: (name: String, pointByteCount: Int)? {
            switch self {
            case .ecdsa256, .securityKeyECDSA: ("nistp256", 65)
            case .ecdsa384: ("nistp384", 97)
            case .ecdsa521: ("nistp521", 133)
            case .ed25519, .rsa, .securityKeyEd25519: nil
            }
        }
    }

    /// The bits that the modulus of an RSA key must have, at least and at most.
    package static let rsaBitCounts = 2_048...16_384

    package let algorithm: Algorithm
    /// The key in its wire form, which begins with the algorithm's name: what base 64 writes.
    package let blob: [UInt8]
    /// What follows the key on its line; empty where nothing does.
    package let comment: String

    /// The key that `text` writes.
    ///
    /// - Throws: ``SSHKeyFault`` for options before it, an algorithm that is not taken, and a key that is not
    ///   whole, or not one.
    /// - SeeAlso: RFC 4253 section 6.6, RFC 5656 section 3.1, RFC 8709 section 4; OpenSSH `PROTOCOL.u2f`.
    package init(parsing text: String) throws(SSHKeyFault) {
        if text.utf8.starts(with: "-----BEGIN".utf8) {
            throw SSHKeyFault(
                "this is no public key: give the one line of the .pub file, and if it was the private key, "
                    + "make a new one")
        }
        guard text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }) else {
            throw SSHKeyFault("a key is one line, without tabs or other control characters")
        }
        let words = text.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard let algorithm = Algorithm(named: words[0]) else { throw SSHPublicKey.fault(of: text) }
        guard words.count > 1, let blob = Base64.decode(words[1].utf8), !blob.isEmpty else {
            throw SSHKeyFault(
                "after `\(algorithm.rawValue)` and one blank stands the key in base 64, whole and padded")
        }
        self.algorithm = algorithm
        self.blob = blob
        comment = words.count == 3 ? String(words[2]) : ""
        var wire = WireReader(blob)
        try SSHPublicKey.check(&wire, algorithm)
        guard wire.isAtEnd else {
            throw SSHKeyFault("the key goes on after what a key of `\(algorithm.rawValue)` holds")
        }
    }

    /// Why `text` does not begin with an algorithm that is taken.
    private static func fault(of text: String) -> SSHKeyFault {
        let known = Algorithm.allCases.map(\.rawValue).joined(separator: ", ")
        let words = text.split(separator: " ", omittingEmptySubsequences: true)
        if words.contains(where: { Algorithm(named: $0) != nil }) {
            return SSHKeyFault(
                "options before a key are not accepted, nor blanks: begin with the algorithm, such as "
                    + "`ssh-ed25519`"
            )
        }
        let first = words.first ?? ""
        if first.hasSuffix("-cert-v01@openssh.com") {
            return SSHKeyFault("a certificate is not accepted: give the key itself")
        }
        // A name, and nothing that could be a key.
        let isName = first.utf8.count <= 40 && first.utf8.allSatisfy { $0.isLowerAlphanumeric || $0 == 0x2D }
        let which = isName && !first.isEmpty ? "`\(first)` is" : "this begins with"
        return SSHKeyFault("\(which) no algorithm that is accepted, which are \(known)")
    }

    private static func check(_ wire: inout WireReader, _ algorithm: Algorithm) throws(SSHKeyFault) {
        guard let inner = wire.string() else { throw SSHKeyFault("the key breaks off") }
        guard inner.elementsEqual(algorithm.rawValue.utf8) else {
            throw SSHKeyFault("the line says `\(algorithm.rawValue)`, and the key in it is of another kind")
        }
        if let curve = algorithm.curve {
            guard let name = wire.string(), let point = wire.string() else {
                throw SSHKeyFault("the key breaks off")
            }
            guard name.elementsEqual(curve.name.utf8) else {
                throw SSHKeyFault("the key is of another curve than `\(algorithm.rawValue)`")
            }
            guard point.count == curve.pointByteCount, point.first == 0x04 else {
                throw SSHKeyFault("the key is no uncompressed point of \(curve.name)")
            }
        }
        switch algorithm {
        case .ecdsa256, .ecdsa384, .ecdsa521: return
        case .rsa: try checkRSA(&wire)
        case .ed25519, .securityKeyEd25519:
            guard let key = wire.string() else { throw SSHKeyFault("the key breaks off") }
            guard key.count == 32 else { throw SSHKeyFault("the key has \(key.count) bytes, and not 32") }
            if algorithm == .securityKeyEd25519 { try checkApplication(&wire) }
        case .securityKeyECDSA: try checkApplication(&wire)
        }
    }

    private static func checkRSA(_ wire: inout WireReader) throws(SSHKeyFault) {
        guard let exponent = wire.string(), let modulus = wire.string() else {
            throw SSHKeyFault("the key breaks off")
        }
        guard let exponentBits = bitCount(exponent), let bits = bitCount(modulus) else {
            throw SSHKeyFault("a number of the key is not written as RFC 4251 says")
        }
        guard (2...64).contains(exponentBits), exponent.last.map({ $0 & 1 == 1 }) ?? false,
            modulus.last.map({ $0 & 1 == 1 }) ?? false
        else { throw SSHKeyFault("the numbers of the key are not those of an RSA key") }
        guard rsaBitCounts.contains(bits) else {
            throw SSHKeyFault(
                "an RSA key of \(bits) bits is not accepted: \(rsaBitCounts.lowerBound) to "
                    + "\(rsaBitCounts.upperBound)")
        }
    }

    private static func checkApplication(_ wire: inout WireReader) throws(SSHKeyFault) {
        guard let application = wire.string() else { throw SSHKeyFault("the key breaks off") }
        guard application.starts(with: "ssh:".utf8) else {
            throw SSHKeyFault("the application of a security key begins with `ssh:`")
        }
    }

    /// How many bits a positive `mpint` has; nil for 0, for less, and for one with needless zeros.
    private static func bitCount(_ number: ArraySlice<UInt8>) -> Int? {
        guard let first = number.first, first < 0x80 else { return nil }
        if first > 0 { return number.count * 8 - first.leadingZeroBitCount }
        guard let second = number.dropFirst().first, second >= 0x80 else { return nil }
        return (number.count - 1) * 8
    }
}

extension SSHPublicKey.Algorithm {
    /// The algorithm named so, byte by byte.
    fileprivate init?(named name: Substring) {
        guard let found = Self.allCases.first(where: { $0.rawValue.utf8.elementsEqual(name.utf8) }) else {
            return nil
        }
        self = found
    }
}

/// Reads SSH's `string`s, each after its length in four bytes (RFC 4251, section 5).
private struct WireReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isAtEnd: Bool { rest.isEmpty }

    /// The next string; nil where the bytes end before it does.
    mutating func string() -> ArraySlice<UInt8>? {
        guard rest.count >= 4 else { return nil }
        let count = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        guard rest.count - 4 >= count else { return nil }
        let start = rest.startIndex + 4
        defer { rest = rest[(start + count)...] }
        return rest[start..<(start + count)]
    }
}
