import Glibc
import Testing
import Vocabulary

@testable import Forwarding

@Suite("Forwarding over TLS", .serialized) struct TLSTests {
    @Test func `a certificate of an authority that is trusted is accepted, of any other refused`()
        async throws
    {
        let folder = try temporaryFolder()
        defer { run(["rm", "-r", folder]) }
        try #require(makeCertificate(in: folder, named: "one", for: "IP:127.0.0.1") == 0, "openssl is needed")
        try #require(makeCertificate(in: folder, named: "two", for: "IP:127.0.0.1") == 0)
        let server = try TLSServer(folder: folder, certificate: "one")
        defer { server.stop() }
        try await withForwarder(ForwardingSetting(trustFile: "\(folder)/one.pem")) { forwarder in
            let sink = try await server.exchange(by: forwarder, with: "127.0.0.1:\(server.port)")
            #expect(sink.outcome?.kind == .answered)
            #expect(sink.outcome?.status == 200)
        }
        try await withForwarder(ForwardingSetting(trustFile: "\(folder)/two.pem")) { forwarder in
            let sink = try await forwarder.exchange(Sample(usesTLS: true), with: "127.0.0.1:\(server.port)")
            #expect(sink.outcome?.kind == .notSent)
            #expect(sink.outcome?.error?.contains("certificate") == true)
        }
        try await withForwarder { forwarder in
            let sink = try await forwarder.exchange(Sample(usesTLS: true), with: "127.0.0.1:\(server.port)")
            #expect(sink.outcome?.kind == .notSent)
        }
    }

    @Test func `a certificate for another name is refused`() async throws {
        let folder = try temporaryFolder()
        defer { run(["rm", "-r", folder]) }
        try #require(
            makeCertificate(in: folder, named: "other", for: "DNS:other.example") == 0, "openssl is needed")
        let server = try TLSServer(folder: folder, certificate: "other")
        defer { server.stop() }
        try await withForwarder(ForwardingSetting(trustFile: "\(folder)/other.pem")) { forwarder in
            let sink = try await server.exchange(by: forwarder, with: "127.0.0.1:\(server.port)")
            #expect(sink.outcome?.kind == .notSent)
            #expect(sink.outcome?.error?.contains("certificate") == true)
        }
    }

    @Test func `a fetch is held to the same authorities and names`() async throws {
        let folder = try temporaryFolder()
        defer { run(["rm", "-r", folder]) }
        try #require(makeCertificate(in: folder, named: "one", for: "IP:127.0.0.1") == 0, "openssl is needed")
        try #require(makeCertificate(in: folder, named: "other", for: "DNS:other.example") == 0)
        for (certificate, trusted, isGood) in [
            ("one", "one", true), ("one", "other", false), ("other", "other", false),
        ] {
            let server = try TLSServer(folder: folder, certificate: certificate)
            defer { server.stop() }
            let origin = try Origin(authority: "127.0.0.1:\(server.port)", usesTLS: true)
            var result = Result<Int, FetchError>.failure(.unreachable(origin))
            for _ in 0..<100 where result == .failure(.unreachable(origin)) {
                do throws(FetchError) {
                    let reply = try Fetch("GET", "/", at: origin)
                        .perform(limit: .seconds(5), trustFile: "\(folder)/\(trusted).pem")
                    result = .success(reply.status)
                } catch { result = .failure(error) }
                if result == .failure(.unreachable(origin)) { try await Task.sleep(for: .milliseconds(50)) }
            }
            switch result {
            case .success(let status): #expect(isGood && status == 200)
            case .failure(.untrusted): #expect(!isGood, "\(certificate) by \(trusted)")
            case .failure(let error): Issue.record("\(error)")
            }
        }
    }

    @Test func `a plain server is not spoken to without TLS`() async throws {
        let server = RawServer(answering(ok))
        try await withForwarder(ForwardingSetting(connectLimit: .milliseconds(300))) { forwarder in
            let sink = try await forwarder.exchange(Sample(usesTLS: true), with: server.authority)
            #expect(sink.outcome?.kind == .notSent)
        }
        #expect(server.requests.isEmpty)
    }
}

/// `openssl s_server`, answering every GET with a page.
private struct TLSServer {
    let port: UInt16
    private let process: pid_t

    init(folder: String, certificate: String) throws {
        // A port that was free a moment ago.
        let probe = RawServer { _ in }
        port = probe.port
        probe.stop()
        process = try #require(
            spawn([
                "openssl", "s_server", "-accept", "127.0.0.1:\(port)", "-cert",
                "\(folder)/\(certificate).pem", "-key",
                "\(folder)/\(certificate).key", "-www", "-quiet",
            ]))
    }

    /// Tries until the server listens.
    func exchange(by forwarder: Forwarder, with authority: String) async throws -> RecordingSink {
        for _ in 0..<100 {
            let sink = try await forwarder.exchange(Sample(usesTLS: true), with: authority)
            if sink.outcome?.error?.contains("connect to server") != true { return sink }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw ServerNeverListened()
    }

    func stop() {
        // Test threads block signals and children inherit that: only SIGKILL is certain.
        kill(process, SIGKILL)
        waitpid(process, nil, 0)
    }
}

private struct ServerNeverListened: Error {}

func temporaryFolder() throws -> String {
    var template = Array("/tmp/countersign-test-XXXXXX".utf8CString)
    return String(cString: try #require(mkdtemp(&template)))
}

private func makeCertificate(in folder: String, named name: String, for subject: String) -> Int32 {
    run([
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-days", "1",
        "-subj", "/CN=\(name)", "-addext", "subjectAltName=\(subject)", "-keyout", "\(folder)/\(name).key",
        "-out",
        "\(folder)/\(name).pem",
    ])
}

private func spawn(_ arguments: [String]) -> pid_t? {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for descriptor in Int32(0)...2 {
        posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
    }
    var pointers = arguments.map { strdup($0) } + [nil]
    defer { pointers.forEach { free($0) } }
    var process: pid_t = 0
    return posix_spawnp(&process, arguments[0], &actions, nil, &pointers, environ) == 0 ? process : nil
}

@discardableResult
private func run(_ arguments: [String]) -> Int32 {
    guard let process = spawn(arguments) else { return -1 }
    var status: Int32 = 0
    waitpid(process, &status, 0)
    return status
}
