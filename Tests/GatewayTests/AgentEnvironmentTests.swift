import Testing
import Vocabulary

@testable import Gateway

@Suite("Environment of an agent") struct AgentEnvironmentTests {
    private func listeners(_ agents: String...) -> JSON {
        let items = agents.map { agent -> JSON in
            ["agent": .string(agent), "address": "127.0.0.1:1", "region": "eu-west-1"]
        }
        return ["listeners": .array(items)]
    }

    private func unsigned(
        _ agents: JSON, agent: String? = nil, task: String? = nil, reason: String? = nil
    ) throws -> AgentEnvironment {
        try AgentEnvironment(unsignedAt: agents, agent: agent, task: task, reason: reason)
    }

    private let session: JSON = [
        "session": "ses-00000001", "endpoint": "http://127.0.0.1:1", "region": "eu-west-1",
        "access_key_id": "CSAK", "secret_access_key": "secret", "session_token": "token",
        "credentials_url": "http://127.0.0.1:1/_countersign/credentials", "credentials_token": "ses-1..mac",
    ]

    /// What a user's own shell may hold.
    private let own = [
        "PATH": "/bin", "AWS_PROFILE": "admin", "AWS_SECRET_ACCESS_KEY": "real",
        "AWS_ENDPOINT_URL_S3": "https://x",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_WEB_IDENTITY_TOKEN_FILE": "/t",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/c", "AWS_PAGER": "less", "BOTO_CONFIG": "/b",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t", "AWS_CONFIG_FILE": "/own",
    ]

    @Test func `the one listener needs no name, one of several does`() throws {
        let made = try unsigned(listeners("a"))
        #expect(made["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1" && made["AWS_REGION"] == "eu-west-1")
        #expect(throws: ConfigurationError.self) { try unsigned(listeners("a", "b")) }
        #expect(throws: ConfigurationError.self) { try unsigned(listeners("a"), agent: "c") }
    }

    @Test func `task and reason are escaped twice: for the token and for the shell`() throws {
        let made = try unsigned(listeners("a"), agent: "a", task: "T;1=2", reason: "it's \u{202E}\n")
        #expect(made["AWS_SESSION_TOKEN"] == "task=T%3B1%3D2;reason=it%27s%20%E2%80%AE%0A")
        #expect(shellQuoted("it's $(x) `y`") == "'it'\\''s $(x) `y`'")
    }

    @Test func `a run has its keys, its files and nothing that leads elsewhere`() throws {
        let made = try AgentEnvironment(session: session, files: "/run/1", fetchesKeys: false)
        let environment = made.over(own)
        #expect(environment["AWS_ACCESS_KEY_ID"] == "CSAK" && environment["AWS_SESSION_TOKEN"] == "token")
        #expect(environment["AWS_SECRET_ACCESS_KEY"] == "secret")
        #expect(environment["COUNTERSIGN_SESSION"] == "ses-00000001")
        #expect(environment["AWS_CONFIG_FILE"] == "/run/1/config" && environment["PATH"] == "/bin")
        #expect(environment["AWS_PAGER"] == "less")
        let gone = [
            "AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "BOTO_CONFIG",
            "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        ]
        for name in gone { #expect(environment[name] == nil, "\(name)") }
        #expect(made.unset(in: own) == gone.sorted())
    }

    @Test func `a run that fetches its keys has none`() throws {
        let made = try AgentEnvironment(session: session, files: nil, fetchesKeys: true)
        let environment = made.over(own)
        #expect(environment["AWS_SECRET_ACCESS_KEY"] == nil && environment["AWS_SESSION_TOKEN"] == nil)
        #expect(environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] == "ses-1..mac")
        #expect(environment["AWS_CONFIG_FILE"] == "/dev/null")
        #expect(made.unset(in: own).contains("AWS_SECRET_ACCESS_KEY"))
    }

    @Test func `a failed command is told what waits, and what ended since it began`() {
        func approval(_ id: String, _ state: String, ended: JSON = .null, uses: Int = 0) -> JSON {
            [
                "approval": .string(id), "state": .string(state), "call": "s3:DeleteObject on b/k",
                "open_s": 1_740, "deciders": "oncall", "ended": ended, "uses_left": .integer(uses),
                "reason": "not today",
            ]
        }
        let found: JSON = [
            "approvals": .array([
                approval("apr-1", "pending"), approval("apr-2", "denied", ended: "2026-11-22T09:00:00.0Z"),
                approval("apr-3", "denied", ended: "2026-11-22T08:00:00.0Z"),
                approval("apr-4", "approved", ended: "2026-11-22T08:00:00.0Z", uses: 1),
                approval("apr-5", "approved", ended: "2026-11-22T09:00:00.0Z"),
                approval("apr-6", "expired", ended: "2026-11-22T09:00:00.0Z"),
            ])
        ]
        let lines = approvalLines(found, since: "2026-11-22T08:30:00.0Z")
        #expect(lines.map { $0.prefix(5) } == ["apr-1", "apr-2", "apr-4", "apr-6"])
        #expect(lines[0].contains("waits for oncall, 29 min more: s3:DeleteObject on b/k"))
        #expect(lines[1].contains("was denied: \"not today\""))
    }
}

extension AgentEnvironment {
    fileprivate subscript(name: String) -> String? { self.set.first { $0.name == name }?.value }
}
