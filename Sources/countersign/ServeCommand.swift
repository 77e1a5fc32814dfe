import ArgumentParser
import Gateway
import Glibc
import Vocabulary

/// `countersign serve`: runs the sidecar.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the sidecar.",
        discussion: """
            Every flag may also stand in the environment (COUNTERSIGN_POLICIES for --policies) or in \
            config.yaml (policies: …). Flags win over the environment, the environment over the file.
            """)

    @Option(
        help:
            "The configuration file (default $COUNTERSIGN_CONFIG, else /etc/countersign/config.yaml)."
    )
    var config: String?
    @Option(help: "The folder of policy files.")
    var policies: String?
    @Option(
        help:
            "`enforce` (default); `observe` sends what policy would deny or hold and marks it in the log."
    )
    var mode: String?
    @Option(help: "[AGENT=]127.0.0.1:PORT or [AGENT=]unix:/PATH; may be repeated (default 127.0.0.1:8990).")
    var listen: [String] = []
    @Option(help: "The agent of a listener that names none (default local).")
    var agent: String?
    @Option(
        help:
            "The folder for log and state (default $STATE_DIRECTORY, else $XDG_STATE_HOME/countersign)."
    )
    var state: String?
    @Option(
        help: "Send every signed call to this AWS-like endpoint instead of AWS; plain http to loopback only.")
    var upstream: String?
    @Option(
        help:
            "SERVICE=HOST[/STAGE]: a host of one resource, called as /_aws/SERVICE/HOST; may be repeated."
    )
    var resourceHost: [String] = []
    @Flag(help: "Dial AWS's hosts with FIPS 140 validated cryptography ($AWS_USE_FIPS_ENDPOINT).")
    var useFips = false
    @Flag(help: "Dial AWS's hosts that IPv6 reaches too ($AWS_USE_DUALSTACK_ENDPOINT).")
    var useDualStack = false
    @Option(help: "The region of calls that name none.")
    var region: String?
    @Option(help: "The gateway's own account (default: one sts:GetCallerIdentity at start).")
    var account: String?
    @Option(help: "The AWS profile that holds the gateway's credentials.")
    var profile: String?
    @Option(help: "A command that prints the gateway's credentials, as credential_process does.")
    var credentialProcess: String?
    @Option(
        help:
            "`prefer` (default), `require` or `off`: sign with credentials that can do no more than needed."
    )
    var downscope: String?
    @Option(help: "The ARN of the role that calls are signed as (default: the gateway's own, if it is one).")
    var role: String?
    @Option(help: "A file of CA certificates to trust instead of the system's.")
    var caBundle: String?
    @Option(help: "The approvers' unix socket.")
    var controlSocket: String?
    @Option(help: "The group that may use the approvers' socket.")
    var controlGroup: String?
    @Option(help: "The agents' unix socket.")
    var agentSocket: String?
    @Option(help: "When an allowed read may leave: once its entry is `written` (default) or `synced`.")
    var logDurability: String?
    @Option(help: "Free disk space that is kept, such as 64MiB: below it nothing is signed.")
    var logReserve: String?
    @Option(help: "How long issued keys are good at most, 15m to 24h (default 12h).") var keyLifetime: String?
    @Flag(help: "For one person on their own machine: they are the sole approver; a starter policy if none.")
    var laptop = false
    @Flag(help: "Let an approver answer from the agent's own uid. For a laptop: a seat belt, not a lock.")
    var allowSameUid = false
    @Flag(help: "Print each thing that is said as one JSON object: {\"message\":\"…\"}.") var json = false

    func run() throws {
        var flags: [String: [String]] = [:]
        let options: [(String, String?)] = [
            ("policies", policies), ("mode", mode), ("agent", agent), ("state", state),
            ("upstream", upstream),
            ("region", region),
            ("account", account), ("profile", profile), ("credential-process", credentialProcess),
            ("ca-bundle", caBundle), ("downscope", downscope), ("role", role),
            ("control-socket", controlSocket), ("control-group", controlGroup),
            ("agent-socket", agentSocket), ("log-durability", logDurability), ("log-reserve", logReserve),
            ("key-lifetime", keyLifetime),
        ]
        for case (let name, .some(let value)) in options { flags[name] = [value] }
        if !listen.isEmpty { flags["listen"] = listen }
        if !resourceHost.isEmpty { flags["resource-host"] = resourceHost }
        if useFips { flags["use-fips"] = ["true"] }
        if useDualStack { flags["use-dual-stack"] = ["true"] }
        if laptop { flags["laptop"] = ["true"] }
        if allowSameUid { flags["allow-same-uid"] = ["true"] }
        let configuration = try orCannotTell { try Configuration.load(flags: flags, file: config) }
        try orCannotTell {
            try serve(configuration) { [json] message in
                print(json ? JSON.object([.init("message", .string(message))]).text : message)
                // The operator may read a file or a pipe: each line counts when it is said.
                fflush(nil)
            }
        }
    }
}
