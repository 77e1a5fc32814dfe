import Glibc
import Identifying
import Testing

@testable import Gateway

@Suite("The host key's file") struct HostKeyFileTests {
    /// Runs `body` with the path of a state folder of its own.
    private func withState(_ body: (String) throws -> Void) throws {
        var template = Array("/tmp/countersign-hostkey-XXXXXX".utf8CString)
        let state = try #require(mkdtemp(&template).map { String(cString: $0) })
        defer {
            for name in ["keys/host.key", "keys/host.key.new", "elsewhere"] { unlink("\(state)/\(name)") }
            rmdir("\(state)/keys")
            rmdir(state)
        }
        try body(state)
    }

    private func refusal(_ state: String) -> String {
        do {
            _ = try HostKey.kept(inState: state)
            return "none"
        } catch { return "\(error)" }
    }

    @Test func `it is made once, for this user alone, and kept`() throws {
        try withState { state in
            let made = try HostKey.kept(inState: state)
            #expect(try HostKey.kept(inState: state) == made)
            var status = stat()
            #expect(stat("\(state)/keys/host.key", &status) == 0)
            #expect(status.st_mode & 0o777 == 0o600 && status.st_size == 32)
            #expect(stat("\(state)/keys", &status) == 0 && status.st_mode & 0o777 == 0o700)
            #expect(stat("\(state)/keys/host.key.new", &status) != 0)
        }
        try withState { state in
            try withState { other in
                let mine = try HostKey.kept(inState: state)
                #expect(try HostKey.kept(inState: other) != mine)
            }
        }
    }

    @Test func `half a key that a crash left is not used`() throws {
        try withState { state in
            #expect(mkdir("\(state)/keys", 0o700) == 0)
            try writeFile("\(state)/keys/host.key.new", [1, 2, 3])
            let made = try HostKey.kept(inState: state)
            #expect(try HostKey.kept(inState: state) == made)
        }
    }

    @Test func `a key of another size, open to others, or by a link is refused and not shown`() throws {
        try withState { state in
            _ = try HostKey.kept(inState: state)
            let path = "\(state)/keys/host.key"
            for count in [0, 31, 33, 5_000] {
                try writeFile(path, [UInt8](repeating: 0x41, count: count))
                let text = refusal(state)
                #expect(text.contains(count < 4_097 ? "holds \(count) bytes, not 32" : "is larger than"))
                #expect(!text.contains("AAA") && text.contains(path))
            }
            try writeFile(path, [UInt8](repeating: 0x41, count: 32))
            for mode in [0o640, 0o604, 0o660, 0o644] as [mode_t] {
                chmod(path, mode)
                #expect(refusal(state).contains("is open to others"))
            }
            chmod(path, 0o600)
            #expect(refusal(state) == "none")
            #expect(rename(path, "\(state)/elsewhere") == 0)
            #expect(symlink("\(state)/elsewhere", path) == 0)
            #expect(refusal(state).contains("cannot be opened"))
        }
    }

    @Test func `a folder that is open to others is refused`() throws {
        try withState { state in
            _ = try HostKey.kept(inState: state)
            chmod("\(state)/keys", 0o750)
            #expect(refusal(state).contains("is open to others"))
            chmod("\(state)/keys", 0o700)
        }
    }
}
