import Accepting
import Glibc
import Testing

private let ours = Endpoint(address: [127, 0, 0, 1], port: 8990)
private let theirs = Endpoint(address: [127, 0, 0, 1], port: 40_001)

/// A row of `/proc/net/tcp`, as the kernel prints it.
private func row(
    _ local: String, _ remote: String, state: String = "01", uid: String, inode: String = "11"
) -> String {
    "   1: \(local) \(remote) \(state) 00000000:00000000 00:00000000 00000000  \(uid)  0 \(inode) 1 0\n"
}

private let title =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
private let mine = row("0100007F:231E", "0100007F:9C41", uid: "7")
private let peers = row("0100007F:9C41", "0100007F:231E", uid: "1001")

private func uid(_ tables: String...) -> UInt32? {
    uidOfLoopbackPeer(local: ours, remote: theirs, tables: tables.map { Array($0.utf8) })
}

@Suite("Peer") struct PeerTests {
    @Test func `the uid is that of the socket at the other end`() {
        #expect(uid(title + mine + peers) == 1001)
        #expect(uid(title + peers + mine, title) == 1001)
    }

    @Test func `our own socket and other connections do not count`() {
        #expect(uid(title + mine) == nil)
        #expect(uid(title + row("0100007F:9C42", "0100007F:231E", uid: "1001")) == nil)
        #expect(uid(title + row("0100007F:9C41", "0100007F:231F", uid: "1001")) == nil)
        #expect(uid(title + row("0200007F:9C41", "0100007F:231E", uid: "1001")) == nil)
        #expect(uid() == nil)
    }

    @Test func `a socket of both families is found in the other table`() {
        let six = row(
            "0000000000000000FFFF00000100007F:9C41", "0000000000000000FFFF00000100007F:231E", uid: "1002")
        #expect(uid(title + mine, title + six) == 1002)
    }

    @Test func `an address of version 6 is found`() {
        let local = Endpoint(address: Array(repeating: 0, count: 15) + [1], port: 8990)
        let remote = Endpoint(address: Array(repeating: 0, count: 15) + [1], port: 40_001)
        let six = row(
            "00000000000000000000000001000000:9C41", "00000000000000000000000001000000:231E", uid: "1003")
        #expect(uidOfLoopbackPeer(local: local, remote: remote, tables: [Array((title + six).utf8)]) == 1003)
    }

    @Test func `two rows, a dead socket or a broken row name nobody`() {
        #expect(uid(title + peers + peers) == nil)
        #expect(uid(title + row("0100007F:9C41", "0100007F:231E", state: "06", uid: "0", inode: "0")) == nil)
        // Sent and closed at once: FIN_WAIT2, and root's no more than anyone's.
        #expect(uid(title + row("0100007F:9C41", "0100007F:231E", state: "05", uid: "0", inode: "0")) == nil)
        #expect(uid(title + row("0100007F:9C41", "0100007F:231E", uid: "-1")) == nil)
        #expect(uid(title + row("0100007F:9C41", "0100007F:231E", uid: "4294967296")) == nil)
        #expect(uid(title + "1: 0100007F:9C41 0100007F:231E 01\n") == nil)
        #expect(uid(title + row("0100007F9C41", "0100007F:231E", uid: "1")) == nil)
        #expect(uid(title + row("G100007F:9C41", "0100007F:231E", uid: "1")) == nil)
    }

    @Test func `the kernel's own table names the owner of a live connection`() throws {
        let found = Awaited<UInt32>()
        let door = try TestDoor(
            TestHandler { exchange in
                if case .tcp(let local, let remote) = exchange.peer,
                    let uid = uidOfLoopbackPeer(
                        local: local, remote: remote, tables: ["tcp", "tcp6"].map(kernelTable))
                {
                    found.set(uid)
                }
                exchange.answer(status: 200, fields: [], body: [])
            })
        let client = try TestSocket(port: door.port)
        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(found.wait() == getuid())
    }
}

private func kernelTable(_ name: String) -> [UInt8] {
    let descriptor = open("/proc/net/\(name)", O_RDONLY)
    defer { close(descriptor) }
    var table: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while case let count = read(descriptor, &piece, piece.count), count > 0 { table += piece.prefix(count) }
    return table
}
