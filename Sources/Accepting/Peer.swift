/// One end of a TCP connection.
package struct Endpoint: Hashable, Sendable {
    /// The address in network order: 4 bytes, or 16.
    package let address: [UInt8]
    package let port: UInt16

    /// `address` has 4 or 16 bytes, in network order.
    package init(address: [UInt8], port: UInt16) {
        self.address = address
        self.port = port
    }
}

extension Endpoint: CustomStringConvertible {
    /// `127.0.0.1:8990`, or 32 hex digits in brackets and the port.
    package var description: String {
        if address.count == 4 { return address.map(String.init).joined(separator: ".") + ":\(port)" }
        return "[" + address.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "]:\(port)"
    }
}

/// Who is at the other end, as the kernel says.
package enum Peer: Hashable, Sendable {
    /// A loopback connection; ``uidOfLoopbackPeer(local:remote:tables:)`` finds its owner.
    case tcp(local: Endpoint, remote: Endpoint)
    /// The process that connected (SO_PEERCRED), as it was at that moment.
    case unix(uid: UInt32, gid: UInt32, pid: Int32)
}

/// The uid of the process at the other end of a loopback connection, from the kernel's socket tables.
///
/// `tables` are the contents of `/proc/net/tcp` and `/proc/net/tcp6`. The peer's own socket is the one whose
/// local end is our remote end and whose remote end is our local end. nil when none or more than one such row
/// is there, or the row is of a socket that its process has closed: the kernel shows those, as long as they
/// linger, with inode 0 and as root's, whoever they were.
package func uidOfLoopbackPeer(local: Endpoint, remote: Endpoint, tables: [[UInt8]]) -> UInt32? {
    var uids: [UInt32] = []
    for table in tables {
        for line in table.split(separator: UInt8(ascii: "\n")).dropFirst() {
            let words = line.split(separator: UInt8(ascii: " "))
            // sl local remote st tx:rx tr:tm retrnsmt uid timeout inode
            guard words.count > 9, endpoint(words[1]) == plain(remote), endpoint(words[2]) == plain(local),
                !words[9].elementsEqual("0".utf8),
                let uid = UInt32(String(decoding: words[7], as: UTF8.self))
            else { continue }
            uids.append(uid)
        }
    }
    return uids.count == 1 ? uids[0] : nil
}

/// `0100007F:1F90`: 32-bit words in the machine's order (little-endian here), then the port.
private func endpoint(_ word: ArraySlice<UInt8>) -> Endpoint? {
    let parts = word.split(separator: UInt8(ascii: ":"))
    guard parts.count == 2, parts[0].count == 8 || parts[0].count == 32,
        let port = UInt16(String(decoding: parts[1], as: UTF8.self), radix: 16)
    else { return nil }
    var address: [UInt8] = []
    var digits = parts[0]
    while !digits.isEmpty {
        guard let quad = UInt32(String(decoding: digits.prefix(8), as: UTF8.self), radix: 16) else {
            return nil
        }
        withUnsafeBytes(of: quad) { address += $0 }
        digits = digits.dropFirst(8)
    }
    return plain(Endpoint(address: address, port: port))
}

/// `::ffff:127.0.0.1` as `127.0.0.1`: the same peer, seen through a socket of both families.
func plain(_ endpoint: Endpoint) -> Endpoint {
    let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
    guard endpoint.address.count == 16, endpoint.address.starts(with: mapped) else { return endpoint }
    return Endpoint(address: Array(endpoint.address.dropFirst(12)), port: endpoint.port)
}
