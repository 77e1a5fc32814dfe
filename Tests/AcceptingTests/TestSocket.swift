import Glibc
import NIOCore

/// A plain blocking client socket: sends exactly the bytes it is told to.
final class TestSocket {
    private let descriptor: CInt
    private var isClosed = false

    struct Failed: Error { let call: String, reason: Int32 }

    init(port: UInt16, receiveBuffer: Int32? = nil) throws {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        if var size = receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        try attach(SocketAddress(ipAddress: "127.0.0.1", port: Int(port)))
    }

    init(path: String) throws {
        descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        try attach(SocketAddress(unixDomainSocketPath: path))
    }

    private func attach(_ address: SocketAddress) throws {
        let result = address.withSockAddr { pointer, size in connect(descriptor, pointer, socklen_t(size)) }
        guard result == 0 else { throw Failed(call: "connect", reason: errno) }
        var wait = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Resets the connection: what was sent may still be read at the other end, which then has no peer.
    func reset() {
        var abrupt = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &abrupt, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    func send(_ text: String) { send(Array(text.utf8)) }

    /// Whether all were taken.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    /// Sends up to `count` bytes until nothing more is taken for half a second; how many were taken.
    func sendUntilStuck(_ count: Int) -> Int {
        let bytes = [UInt8](repeating: 0x78, count: 65_536)
        var sent = 0
        var waits = 0
        while sent < count, waits < 50 {
            let taken = Glibc.send(
                descriptor, bytes, min(bytes.count, count - sent), CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT))
            if taken > 0 {
                sent += taken
                waits = 0
            } else {
                waits += 1
                usleep(10_000)
            }
        }
        return sent
    }

    /// Some bytes; empty at the end of the stream, nil when it was reset or nothing came for 10 s.
    func receive(atMost size: Int = 65_536) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: size)
        let count = recv(descriptor, &bytes, size, 0)
        return count < 0 ? nil : Array(bytes.prefix(count))
    }

    /// Reads until `end` has come, or the stream ends.
    func receive(until end: String) -> String {
        var all: [UInt8] = []
        while !String(decoding: all, as: UTF8.self).contains(end), let bytes = receive(), !bytes.isEmpty {
            all += bytes
        }
        return String(decoding: all, as: UTF8.self)
    }

    /// Everything up to the end of the stream; nil when it was reset.
    func receiveAll() -> String? {
        var all: [UInt8] = []
        while let bytes = receive() {
            if bytes.isEmpty { return String(decoding: all, as: UTF8.self) }
            all += bytes
        }
        return nil
    }

    func endOutput() { shutdown(descriptor, CInt(SHUT_WR)) }

    func close() {
        if !isClosed { Glibc.close(descriptor) }
        isClosed = true
    }

    deinit { close() }
}
