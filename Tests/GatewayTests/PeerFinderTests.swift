import Accepting
import Glibc
import Testing

@testable import Gateway

@Suite("Peer finder") struct PeerFinderTests {
    /// Both ends of a loopback connection of this process; `mapped`: the client's socket is one of IPv6.
    private func connected(mapped: Bool) throws -> (client: Int32, server: Int32, peer: Peer) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var four = sockaddr_in()
        four.sin_family = sa_family_t(AF_INET)
        four.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafePointer(to: &four) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, size) }
        }
        try #require(isBound == 0 && listen(listener, 1) == 0)
        withUnsafeMutablePointer(to: &four) { pointer in
            _ = pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &size) }
        }
        let client = socket(mapped ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if mapped {
            var six = sockaddr_in6()
            six.sin6_family = sa_family_t(AF_INET6)
            six.sin6_port = four.sin_port
            withUnsafeMutableBytes(of: &six.sin6_addr) { bytes in
                (bytes[10], bytes[11], bytes[12], bytes[15]) = (0xFF, 0xFF, 127, 1)
            }
            let code = withUnsafePointer(to: &six) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(client, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
            try #require(code == 0)
        } else {
            let code = withUnsafePointer(to: &four) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(client, $0, size) }
            }
            try #require(code == 0)
        }
        var remote = sockaddr_in()
        let server = withUnsafeMutablePointer(to: &remote) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { accept(listener, $0, &size) }
        }
        try #require(server >= 0)
        func endpoint(_ address: sockaddr_in) -> Endpoint {
            Endpoint(address: [127, 0, 0, 1], port: UInt16(bigEndian: address.sin_port))
        }
        return (client, server, .tcp(local: endpoint(four), remote: endpoint(remote)))
    }

    @Test(arguments: [false, true])
    func `the kernel names the owner of a live connection, and nobody once it is closed`(mapped: Bool) throws
    {
        let finder = PeerFinder()
        let (client, server, peer) = try connected(mapped: mapped)
        defer { close(server) }
        #expect(finder.uid(of: peer) == getuid())
        #expect(finder.uid(of: peer) == getuid(), "asked again")
        close(client)
        #expect(finder.uid(of: peer) == nil)
    }
}
