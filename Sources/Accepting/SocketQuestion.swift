/// A question to the kernel's sock_diag: whose is the socket at the other end of a loopback connection?
///
/// It names one socket by both its ends, so the answer costs the same however many sockets the host has; to
/// read `/proc/net/tcp` costs a line for each. `sock_diag(7)`; the layouts are those of `linux/inet_diag.h`.
package struct SocketQuestion: Hashable, Sendable {
    private let local: Endpoint
    private let remote: Endpoint
    private let number: UInt32

    /// About the peer of a connection whose ends, seen from here, are `local` and `remote`; `number` tells
    /// its answer from others.
    package init(local: Endpoint, remote: Endpoint, number: UInt32) {
        (self.local, self.remote, self.number) = (plain(local), plain(remote), number)
    }

    /// What the kernel says.
    package enum Answer: Hashable, Sendable {
        case uid(UInt32)
        /// There is no such socket, or its process has closed it.
        case nobody
        /// The answer is to another question.
        case other
        /// The kernel cannot say.
        case failed
    }

    /// The message for a socket of `NETLINK_SOCK_DIAG`.
    package var bytes: [UInt8] {
        var out: [UInt8] = []
        func word<Word: FixedWidthInteger>(_ value: Word) { withUnsafeBytes(of: value) { out += $0 } }
        // struct nlmsghdr: length, type SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, number, port 0 (the kernel).
        word(UInt32(72))
        word(UInt16(20))
        word(UInt16(1))
        word(number)
        word(UInt32(0))
        // struct inet_diag_req_v2: family, TCP, no extensions, padding, every state.
        out += [remote.address.count == 4 ? 2 : 10, 6, 0, 0]
        word(UInt32.max)
        // struct inet_diag_sockid: the peer's socket begins where ours ends.
        word(remote.port.bigEndian)
        word(local.port.bigEndian)
        for end in [remote, local] {
            out += end.address + [UInt8](repeating: 0, count: 16 - end.address.count)
        }
        word(UInt32(0))
        word(UInt64.max)
        return out
    }

    /// Reads the kernel's message `answer`.
    package func answer(in answer: [UInt8]) -> Answer {
        func word<Word: FixedWidthInteger>(_ at: Int, as: Word.Type) -> Word {
            answer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: at, as: Word.self) }
        }
        guard answer.count >= 20, word(8, as: UInt32.self) == number else { return .other }
        switch word(4, as: UInt16.self) {
        case 2:
            // NLMSG_ERROR: the error number, negative; ENOENT is an answer, too.
            return word(16, as: Int32.self) == -2 ? .nobody : .failed
        case 20: break
        default: return .failed
        }
        // struct inet_diag_msg, behind the header: 4 bytes, the ends from 4, uid at 64, inode at 68.
        guard answer.count >= 16 + 72 else { return .failed }
        let width = answer[16] == 2 ? 4 : 16
        func end(_ port: Int, _ address: Int) -> Endpoint {
            plain(
                Endpoint(
                    address: Array(answer[(16 + address)..<(16 + address + width)]),
                    port: UInt16(bigEndian: word(16 + port, as: UInt16.self))))
        }
        // Where no connection is left the kernel answers with the listener of that port, which has no peer.
        guard end(4, 8) == remote, end(6, 24) == local else { return .nobody }
        // A socket whose process has closed it lingers as root's, with inode 0.
        guard word(16 + 68, as: UInt32.self) != 0 else { return .nobody }
        return .uid(word(16 + 64, as: UInt32.self))
    }
}
