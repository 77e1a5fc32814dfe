import Recognizing
import Testing
import Vocabulary

@testable import Gateway

private func configured(
    _ flags: [String: [String]] = [:], _ environment: [String: String] = [:], file: [String: [String]] = [:]
) throws -> Configuration {
    try Configuration(flags: flags, environment: environment, file: file)
}

private func refusal(
    _ flags: [String: [String]] = [:], _ environment: [String: String] = [:], file: [String: [String]] = [:]
) -> String {
    do throws(ConfigurationError) {
        _ = try Configuration(flags: flags, environment: environment, file: file)
        return "taken"
    } catch { return error.description }
}

@Suite("Configuration") struct ConfigurationTests {
    @Test func `a flag goes before the environment, the environment before the file`() throws {
        let file = ["region": ["eu-west-1"]]
        let environment = ["COUNTERSIGN_REGION": "eu-west-2", "AWS_REGION": "eu-west-3"]
        #expect(try configured(["region": ["eu-west-4"]], environment, file: file).region == "eu-west-4")
        #expect(try configured([:], environment, file: file).region == "eu-west-2")
        #expect(try configured([:], ["AWS_REGION": "eu-west-3"], file: file).region == "eu-west-1")
        #expect(try configured([:], ["AWS_REGION": "eu-west-3"]).region == "eu-west-3")
        #expect(try configured([:], ["AWS_DEFAULT_REGION": "eu-west-5"]).region == "eu-west-5")
        #expect(try configured().region == nil)
    }

    @Test(arguments: Configuration.keys) func `each key is read from all three places`(_ key: String) throws {
        let values = [
            "account": "123456789012", "agent": "etl", "allow-same-uid": "true", "listen": "127.0.0.1:9",
            "log-durability": "synced", "log-reserve": "7", "region": "eu-west-1", "upstream": "https://h",
            "resource-host": "apigatewaymanagementapi=a1b2c3.execute-api.eu-west-1.amazonaws.com/prod",
            "use-dual-stack": "true", "use-fips": "true", "mode": "observe", "key-lifetime": "2h",
            "downscope": "off", "role": "arn:aws:iam::123456789012:role/team/gateway",
            "laptop": "true",
        ]
        let value = values[key] ?? "/somewhere/\(key)"
        let variable = "COUNTERSIGN_" + key.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
        let byFlag = try configured([key: [value]])
        #expect(byFlag != (try configured()), "the key changes something")
        #expect(try configured([:], [variable: value]) == byFlag)
        #expect(try configured(file: [key: [value]]) == byFlag)
    }

    @Test func `only the very word turns enforcing off`() throws {
        #expect(try configured().mode == .enforce)
        #expect(try configured(["mode": ["enforce"]]).mode == .enforce)
        #expect(try configured(["mode": ["observe"]]).mode == .observe)
        for text in ["Observe", "observe ", "true", "", "off", "observed"] {
            #expect(refusal(["mode": [text]]).hasPrefix("mode: `"), "\(text)")
        }
    }

    @Test func `keys live from a quarter of an hour to a day`() throws {
        for text in ["15m", "24h", "900s", "1d"] {
            #expect(try configured(["key-lifetime": [text]]).keyLifetime >= .seconds(900), "\(text)")
        }
        for text in ["899s", "86401s", "2d", "0", "", "12", "-1h"] {
            #expect(refusal(["key-lifetime": [text]]).hasPrefix("key-lifetime: `"), "\(text)")
        }
        #expect(try configured().keyLifetime == .seconds(43_200))
    }

    @Test func `scoping down is preferred unless one of three words says otherwise, and a role is an ARN`()
        throws
    {
        #expect(try configured().downscope == .prefer)
        for mode in Downscope.allCases {
            #expect(try configured(["downscope": [mode.rawValue]]).downscope == mode)
        }
        for text in ["Require", "none", "true", ""] {
            #expect(refusal(["downscope": [text]]).hasPrefix("downscope: `"), "\(text)")
        }
        for text in [
            "gateway", "arn:aws:iam::123456789012:user/mia", "arn:aws:sts::123456789012:assumed-role/a/b",
        ] {
            #expect(refusal(["role": [text]]).hasPrefix("role: `"), "\(text)")
        }
    }

    @Test func `an unknown key of the file is an error that names the known ones`() {
        let text = refusal(file: ["polices": ["/etc"]])
        #expect(text.hasPrefix("config.yaml: unknown key `polices`; the keys are account, agent"))
        #expect(Configuration.keys.allSatisfy(text.contains))
    }

    @Test func `without anything the sidecar serves one agent on loopback, with its state at home`() throws {
        let bare = try configured([:], ["HOME": "/home/mia"])
        #expect(bare.doors.map(\.agent.text) == ["local"])
        #expect(bare.doors.map(\.address.description) == ["127.0.0.1:8990"])
        #expect(bare.state == "/home/mia/.local/state/countersign")
        #expect(bare.controlSocket == "/home/mia/.local/state/countersign/run/control.sock")
        #expect(!bare.allowsSameUID && !bare.demandsSync && bare.logReserveBytes == 64 << 20)
        let system = try configured([:], ["STATE_DIRECTORY": "/var/lib/c", "XDG_RUNTIME_DIR": "/run/user/1"])
        #expect(system.state == "/var/lib/c" && system.agentSocket == "/run/user/1/countersign/agent.sock")
    }

    @Test func `listeners name their agents`() throws {
        let doors = try configured([
            "listen": ["127.0.0.1:1", "etl=[::1]:2", "tf=unix:/run/tf.sock", "x=127.9.9.9:0"],
            "agent": ["main"],
        ]).doors
        #expect(
            doors.map { "\($0.agent) \($0.address)" }
                == ["main 127.0.0.1:1", "etl [::1]:2", "tf unix:/run/tf.sock", "x 127.9.9.9:0"])
        let listed = try configured([:], ["COUNTERSIGN_LISTEN": "127.0.0.1:1,etl=127.0.0.1:2"]).doors
        #expect(listed.count == 2)
    }

    @Test(arguments: [
        "0.0.0.0:8990", "10.0.0.1:1", "[::]:1", "example.com:1", "localhost:1", "127.0.0.1",
        "127.0.0.1:65536",
        "127.0.0.1:-1", "127.0.0.1:x", "128.0.0.1:1", "127.0.0.1.5:1", "Etl=127.0.0.1:1", "=127.0.0.1:1",
        "unix:relative.sock", "",
    ])
    func `a listener anywhere but on loopback, or misspelled, is refused`(_ text: String) {
        #expect(refusal(["listen": [text]]).hasPrefix("listen: "))
    }

    @Test func `plain http goes to loopback only`() throws {
        #expect(
            try configured(["upstream": ["http://127.0.0.1:5000/"]]).upstream
                == .fixed(authority: "127.0.0.1:5000", usesTLS: false))
        #expect(
            try configured(["upstream": ["https://s3.example:443"]]).upstream
                == .fixed(authority: "s3.example", usesTLS: true))
        for text in [
            "http://10.0.0.1:5000", "http://example.com", "ftp://127.0.0.1", "127.0.0.1:5000", "https://",
            "https://h/path", "https://user@h", "https://h:0", "https://h:65536", "https://h?x",
            "http://127.0.0.1.evil",
        ] {
            #expect(refusal(["upstream": [text]]).hasPrefix("upstream: "), "\(text)")
        }
    }

    @Test func `values that are none of their key's are refused by its name`() {
        for (key, value) in [
            ("account", "12345678901"), ("account", "1234567890123"), ("account", "12345678901x"),
            ("agent", "A"), ("agent", "a b"), ("region", "US-EAST-1"), ("region", "us east"),
            ("allow-same-uid", "yes"), ("allow-same-uid", "1"), ("log-durability", "fast"),
            ("log-reserve", "-1"), ("log-reserve", "64MB"), ("log-reserve", "x"),
        ] {
            #expect(refusal([key: [value]]).hasPrefix("\(key): "), "\(key) \(value)")
        }
        #expect(!refusal(["region": ["\u{1B}[2J"]]).contains("\u{1B}"))
    }

    @Test(arguments: [("0", 0), ("7", 7), ("1KiB", 1_024), ("64MiB", 64 << 20), ("2GiB", 2 << 30)])
    func `a reserve is a count of bytes`(_ text: String, _ bytes: Int) throws {
        #expect(try configured(["log-reserve": [text]]).logReserveBytes == bytes)
    }
}
