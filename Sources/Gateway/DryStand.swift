import Accepting
import Glibc
import Vocabulary

/// The most bytes of a raw request: a head and a body as large as the gate takes them.
let rawRequestByteCountMax = 11 << 20

/// An open listener of a dry run, on a free port of loopback.
final class DryStand {
    private let loop = Loop()
    private let listener: Listener
    private let port: UInt16

    /// - Throws: ``ListenError``.
    private init(_ run: DryRun) throws {
        do {
            listener = try Listener.open(
                .loopback(host: "127.0.0.1", port: 0), tag: .agent(run.binding.agent), on: loop, serving: run)
        } catch {
            loop.stop()
            throw error
        }
        guard case .loopback(_, let taken) = listener.address else {
            // INVARIANT: what is opened on loopback is on loopback.
            preconditionFailure()
        }
        port = taken
    }

    /// `127.0.0.1:PORT`.
    var address: String { "127.0.0.1:\(port)" }

    /// What `body` gives, while a listener of `run` is open. Once it is closed all that came is in the run.
    static func open<Value>(_ run: DryRun, _ body: (DryStand) throws -> Value) throws -> Value {
        let stand = try DryStand(run)
        // A client may see its connection end before the run has heard of it: stopping waits for that.
        defer { stand.close() }
        return try body(stand)
    }

    /// Takes no further call; those under way are cut.
    private func close() {
        listener.close()
        loop.stop()
    }

    /// Sends `request`, one raw HTTP request, as a client would, and waits until it is answered.
    ///
    /// Where the lines of its head end in line feeds alone, as editors leave them, they get the ending that
    /// HTTP has.
    ///
    /// - Throws: ``ConfigurationError`` when the connection fails, or nothing comes for 15 s.
    func send(_ request: [UInt8]) throws(ConfigurationError) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw ConfigurationError("no socket for the request") }
        defer { Glibc.close(descriptor) }
        var wait = timeval(tv_sec: 15, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else { throw ConfigurationError("the dry run cannot be reached") }
        var rest = withLineEnds(request)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, 0) }
            // What is refused before it is whole is answered all the same.
            guard count > 0 else { break }
            rest = rest.dropFirst(count)
        }
        shutdown(descriptor, Int32(SHUT_WR))
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count > 0 { continue }
            guard count == 0 || errno == ECONNRESET else {
                throw ConfigurationError("the request was not answered within 15 s")
            }
            return
        }
    }
}

/// `request` with CR LF behind each line of its head, if its first line ends in LF alone.
private func withLineEnds(_ request: [UInt8]) -> [UInt8] {
    guard let first = request.firstIndex(of: 0x0A), first == 0 || request[first - 1] != 0x0D else {
        return request
    }
    var (out, last): ([UInt8], UInt8) = ([], 0)
    for (index, byte) in request.enumerated() {
        if byte == 0x0A {
            out += [0x0D, 0x0A]
            if last == 0x0A { return out + request[(index + 1)...] }
        } else {
            out.append(byte)
        }
        last = byte
    }
    return out
}

/// All of standard input, at most ``rawRequestByteCountMax`` bytes.
///
/// - Throws: ``ConfigurationError`` when it is longer or cannot be read.
func readStandardInput() throws(ConfigurationError) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = read(0, &buffer, buffer.count)
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { throw ConfigurationError("standard input cannot be read") }
        if count == 0 { return bytes }
        bytes += buffer[..<count]
        guard bytes.count <= rawRequestByteCountMax else {
            throw ConfigurationError("standard input is larger than \(rawRequestByteCountMax) bytes")
        }
    }
}
