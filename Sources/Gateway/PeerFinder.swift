import Accepting
import Glibc

/// Asks the kernel who is at the other end of a connection. Confined to the loop.
final class PeerFinder {
    /// A socket of `NETLINK_SOCK_DIAG`; nil where it cannot be had, as under a seccomp filter.
    private var socket: Int32?
    private var number: UInt32 = 0

    init() {
        let descriptor = Glibc.socket(
            AF_NETLINK, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 4)
        socket = descriptor >= 0 ? descriptor : nil
    }

    deinit { if let socket { close(socket) } }

    /// The uid of the process at the other end; nil when the kernel does not say.
    func uid(of peer: Peer) -> UInt32? {
        switch peer {
        case .unix(let uid, _, _): return uid
        case .tcp(let local, let remote):
            switch ask(local: local, remote: remote) {
            case .uid(let uid): return uid
            case .nobody: return nil
            case .other, .failed: return uidInTables(local: local, remote: remote)
            }
        }
    }

    private func ask(local: Endpoint, remote: Endpoint) -> SocketQuestion.Answer {
        guard let socket else { return .failed }
        number &+= 1
        let question = SocketQuestion(local: local, remote: remote, number: number)
        let bytes = question.bytes
        guard send(socket, bytes, bytes.count, 0) == bytes.count else { return .failed }
        var buffer = [UInt8](repeating: 0, count: 4_096)
        // The kernel answers before `send` returns; one that is still there is to an earlier question.
        for _ in 0..<16 {
            let count = recv(socket, &buffer, buffer.count, 0)
            guard count > 0 else { return .failed }
            let answer = question.answer(in: Array(buffer[..<count]))
            if answer != .other { return answer }
        }
        return .failed
    }

    private func uidInTables(local: Endpoint, remote: Endpoint) -> UInt32? {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"].compactMap { path in
            // A table that cannot be read says nothing; an unknown uid counts as the approver's own.
            try? readFile(path, limit: 64 << 20, isGuarded: false)
        }
        return uidOfLoopbackPeer(local: local, remote: remote, tables: tables)
    }
}
