import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// The exchanges of the process so far.
let exchangeCount = Atomic<UInt64>(0)

/// A socket bound to `address`, not yet listening: until its mode is set nobody can connect.
func bind(_ address: ListenAddress) throws(ListenError) -> CInt {
    switch address {
    case .loopback(let host, let port): try bindLoopback(host: host, port: port)
    case .socket(let path, let mode, let group): try bindSocket(path: path, mode: mode, group: group)
    }
}

private func bindLoopback(host: String, port: UInt16) throws(ListenError) -> CInt {
    guard let address = try? SocketAddress(ipAddress: host, port: Int(port)), isLoopback(address) else {
        throw .notLoopback(host)
    }
    let family: CInt = if case .v6 = address { AF_INET6 } else { AF_INET }
    let descriptor = try makeSocket(family)
    var yes: CInt = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<CInt>.size))
    let result = address.withSockAddr { pointer, size in Glibc.bind(descriptor, pointer, socklen_t(size)) }
    guard result == 0 else { throw failure("bind", at: "\(host):\(port)", closing: descriptor) }
    return descriptor
}

/// 127.0.0.0/8 or ::1.
private func isLoopback(_ address: SocketAddress) -> Bool {
    guard let endpoint = endpoint(of: address) else { return false }
    return endpoint.address.count == 4
        ? endpoint.address[0] == 127 : endpoint.address == Array(repeating: 0, count: 15) + [1]
}

/// The address and port of `address`; nil for a unix socket's.
func endpoint(of address: SocketAddress?) -> Endpoint? {
    switch address {
    case .v4(let four):
        Endpoint(
            address: withUnsafeBytes(of: four.address.sin_addr.s_addr) { Array($0) },
            port: UInt16(bigEndian: four.address.sin_port))
    case .v6(let six):
        Endpoint(
            address: withUnsafeBytes(of: six.address.sin6_addr) { Array($0) },
            port: UInt16(bigEndian: six.address.sin6_port))
    case .unixDomainSocket, nil: nil
    }
}

private func bindSocket(path: String, mode: UInt32, group: UInt32?) throws(ListenError) -> CInt {
    guard (1...107).contains(path.utf8.count), !path.utf8.contains(0),
        let address = try? SocketAddress(unixDomainSocketPath: path)
    else { throw .pathTooLong(path) }
    try removeStale(path: path, address: address)
    let descriptor = try makeSocket(AF_UNIX)
    let result = address.withSockAddr { pointer, size in Glibc.bind(descriptor, pointer, socklen_t(size)) }
    guard result == 0 else { throw failure("bind", at: path, closing: descriptor) }
    // The mode comes last: nobody may connect before the group is right, and nobody can before `listen`.
    if let group, chown(path, uid_t.max, group) != 0 { throw failure("chown", at: path, closing: descriptor) }
    guard chmod(path, mode) == 0 else { throw failure("chmod", at: path, closing: descriptor) }
    return descriptor
}

/// Which file a path names, so that it can be told from a later one of the same name.
struct FileIdentity: Hashable, Sendable {
    let device: UInt64
    let inode: UInt64

    /// nil when nothing is there.
    init?(path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
    }
}

/// Removes a socket that nobody listens on. Anything else at `path` is an error, and left alone.
private func removeStale(path: String, address: SocketAddress) throws(ListenError) {
    var status = stat()
    guard lstat(path, &status) == 0 else {
        let reason = errno
        if reason == ENOENT { return }
        throw .system(call: "lstat", errno: reason)
    }
    guard status.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket(path: path) }
    let probe = try makeSocket(AF_UNIX)
    defer { close(probe) }
    let result = address.withSockAddr { pointer, size in connect(probe, pointer, socklen_t(size)) }
    guard result != 0, errno == ECONNREFUSED else { throw .inUse(path) }
    guard unlink(path) == 0 else { throw .system(call: "unlink", errno: errno) }
}

private func makeSocket(_ family: CInt) throws(ListenError) -> CInt {
    let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
    let descriptor = socket(family, type, 0)
    guard descriptor >= 0 else { throw .system(call: "socket", errno: errno) }
    return descriptor
}

private func failure(_ call: String, at place: String, closing descriptor: CInt) -> ListenError {
    let reason = errno
    close(descriptor)
    return reason == EADDRINUSE ? .inUse(place) : .system(call: call, errno: reason)
}

/// The kernel's word on the other end of `channel`; nil when it has none, and the connection must not be
/// served.
func peerOf(_ channel: any Channel) -> Peer? {
    switch channel.localAddress {
    case .v4, .v6:
        // A connection that its client has reset has no other end any more. It must not be asked for a uid:
        // the kernel answers for TCP too, with a uid that is nobody's.
        guard let local = endpoint(of: channel.localAddress),
            let remote = endpoint(of: channel.remoteAddress)
        else { return nil }
        return .tcp(local: local, remote: remote)
    case .unixDomainSocket:
        guard let provider = channel as? any SocketOptionProvider else { return nil }
        var peer: Peer?
        let answer: EventLoopFuture<Credential> = provider.unsafeGetSocketOption(
            level: .socket, name: NIOBSDSocket.Option(rawValue: SO_PEERCRED))
        // On the loop the option is read at once.
        answer.assumeIsolated().whenSuccess { peer = .unix(uid: $0.uid, gid: $0.gid, pid: $0.pid) }
        return peer
    case nil: return nil
    }
}

/// The supplementary groups of the process at the other end of the unix socket `channel` (SO_PEERGROUPS,
/// Linux 4.13); nil when the kernel does not say. Without group 0.
func groupsOfPeer(of channel: any Channel) -> [UInt32]? {
    guard case .unixDomainSocket = channel.localAddress, let provider = channel as? any SocketOptionProvider
    else { return nil }
    var found: [UInt32]?
    // SO_PEERGROUPS is 59 on all of Swift's architectures; the Glibc module leaves it out.
    let answer: EventLoopFuture<Groups> = provider.unsafeGetSocketOption(
        level: .socket, name: NIOBSDSocket.Option(rawValue: 59))
    answer.assumeIsolated().whenSuccess { groups in
        found = groups.gids.indices.map { groups.gids[$0] }.filter { $0 != 0 }
    }
    return found
}

/// Room for group ids; what the kernel does not fill is 0.
private struct Groups: Sendable {
    var gids = InlineArray<256, UInt32>(repeating: 0)
}

/// `struct ucred`, which the Glibc module leaves out.
private struct Credential: Sendable {
    var pid: Int32 = 0
    var uid: UInt32 = 0
    var gid: UInt32 = 0
}
