import Forwarding
import Glibc
import SigV4
import Vocabulary

/// The credentials that ECS, EKS or another host of containers gives to what runs in them.
///
/// - SeeAlso: AWS SDKs and Tools Reference Guide, "Container credential provider".
struct ContainerMetadata: Sendable {
    /// How often it is asked, and how long it may take each time: as AWS's own tools have it.
    private static let attemptCount = 3
    private static let limit = Duration.seconds(2)

    let origin: Origin
    let path: String
    private let token: String?
    private let tokenFile: String?
    private let trustFile: String

    /// The one that `environment` names; nil when it names none.
    init?(environment: [String: String], trustFile: String) throws(CredentialError) {
        let relative = environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] ?? ""
        let variable =
            relative.isEmpty
            ? "AWS_CONTAINER_CREDENTIALS_FULL_URI" : "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
        let url = relative.isEmpty ? environment[variable] ?? "" : "http://169.254.170.2" + relative
        guard !url.isEmpty else { return nil }
        guard relative.isEmpty || relative.hasPrefix("/") else {
            throw .badVariable(variable, why: "it does not begin with `/`")
        }
        do { (origin, path) = try Origin.split(url) } catch {
            throw .badVariable(variable, why: error.message)
        }
        // What the token opens is nothing for the instance's own metadata.
        guard origin.usesTLS || !InstanceMetadata.addresses.contains(origin.authority) else {
            throw .badVariable(variable, why: "`\(origin.authority)` is no address of a container's metadata")
        }
        tokenFile = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"].flatMap { $0.isEmpty ? nil : $0 }
        token = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"].flatMap { $0.isEmpty ? nil : $0 }
        self.trustFile = trustFile
    }

    var place: String { "the container's metadata at \(origin)" }

    func credentials() throws(CredentialError) -> Credentials {
        var fields = [HeaderField("accept", "application/json")]
        if let tokenFile {
            // It changes; EKS writes a new one every few hours.
            let token = try readToken(tokenFile, limit: 16_384)
            fields.append(
                HeaderField("authorization", token.withBytes { String(decoding: $0, as: UTF8.self) }))
        } else if let token {
            guard token.utf8.count <= 16_384, token.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
                throw .malformed(place: "`AWS_CONTAINER_AUTHORIZATION_TOKEN`", part: "token")
            }
            fields.append(HeaderField("authorization", token))
        }
        let fetch = Fetch("GET", path, at: origin, fields: fields)
        var attempt = 1
        while true {
            do { return try answer(of: fetch) } catch {
                guard attempt < Self.attemptCount, error.mayPass else { throw error }
                attempt += 1
                usleep(500_000)
            }
        }
    }

    private func answer(of fetch: Fetch) throws(CredentialError) -> Credentials {
        let reply = try metadata(fetch, limit: Self.limit, trustFile: trustFile, place: place)
        return try metadataCredentials(in: reply, from: place)
    }
}

/// The credentials that EC2 gives to an instance that has a role, by version 2 of its metadata and no other:
/// version 1 answers whoever can make the gateway's host send a GET.
///
/// - SeeAlso: Amazon EC2 User Guide, "Use IMDSv2".
struct InstanceMetadata: Sendable {
    static let addresses: Set<String> = ["169.254.169.254", "[fd00:ec2::254]"]

    let origin: Origin
    private let limit: Duration
    private let attemptCount: Int
    private let trustFile: String

    /// The one that `environment` names, else EC2's own address; nil when it says not to ask.
    init?(environment: [String: String], trustFile: String) throws(CredentialError) {
        if environment["AWS_EC2_METADATA_DISABLED"]?.asciiLowercased == "true" { return nil }
        let endpoint = environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] ?? ""
        let mode = environment["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"]?.asciiLowercased
        let standard = mode == "ipv6" ? "http://[fd00:ec2::254]" : "http://169.254.169.254"
        do {
            let (origin, path) = try Origin.split(endpoint.isEmpty ? standard : endpoint)
            guard path == "/" else { throw FetchError.badOrigin(endpoint) }
            self.origin = origin
        } catch {
            let why = (error as? FetchError)?.message ?? "\(error)"
            throw .badVariable("AWS_EC2_METADATA_SERVICE_ENDPOINT", why: why)
        }
        func number(_ variable: String, else standard: Int) throws(CredentialError) -> Int {
            guard let text = environment[variable], !text.isEmpty else { return standard }
            guard let number = Int(text), (1...60).contains(number) else {
                throw .badVariable(variable, why: "it is not a number from 1 to 60")
            }
            return number
        }
        limit = .seconds(try number("AWS_METADATA_SERVICE_TIMEOUT", else: 1))
        attemptCount = try number("AWS_METADATA_SERVICE_NUM_ATTEMPTS", else: 1)
        self.trustFile = trustFile
    }

    var place: String { "the instance's metadata at \(origin)" }

    func credentials() throws(CredentialError) -> Credentials {
        var attempt = 1
        while true {
            do { return try ask() } catch {
                guard attempt < attemptCount, error.mayPass else { throw error }
                attempt += 1
            }
        }
    }

    private func ask() throws(CredentialError) -> Credentials {
        let token = try line(
            Fetch(
                "PUT", "/latest/api/token", at: origin,
                fields: [HeaderField("x-aws-ec2-metadata-token-ttl-seconds", "21600")]), what: "token")
        let fields = [HeaderField("x-aws-ec2-metadata-token", token)]
        let base = "/latest/meta-data/iam/security-credentials/"
        let role = try line(Fetch("GET", base, at: origin, fields: fields), what: "name of a role")
        let reply = try metadata(
            Fetch("GET", base + percentEncoded(role), at: origin, fields: fields), limit: limit,
            trustFile: trustFile, place: place)
        return try metadataCredentials(in: reply, from: place)
    }

    /// The one line that `fetch` is answered with.
    private func line(_ fetch: Fetch, what: String) throws(CredentialError) -> String {
        let body = try metadata(fetch, limit: limit, trustFile: trustFile, place: place)
        // Some stand-ins end it with a line feed.
        let text = body.last == 0x0A ? body.dropLast() : body[...]
        guard (1...1_024).contains(text.count), text.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw .notGiven(place: place, why: "it gave no \(what)")
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// The body that `fetch` is answered with, status 200.
private func metadata(
    _ fetch: Fetch, limit: Duration, trustFile: String, place: String
) throws(CredentialError) -> [UInt8] {
    let reply: LocalReply
    do { reply = try fetch.perform(limit: limit, trustFile: trustFile) } catch {
        switch error {
        case .unreachable, .timedOut: throw .unreachable(place: place, why: error.message)
        case .badOrigin, .plainElsewhere, .unsafe, .untrusted, .badReply:
            throw .notGiven(place: place, why: error.message)
        }
    }
    guard reply.status == 200 else {
        throw .notGiven(place: place, why: "it answered status \(reply.status)")
    }
    return reply.body
}

/// The credentials in the JSON that metadata services answer with.
func metadataCredentials(in body: [UInt8], from place: String) throws(CredentialError) -> Credentials {
    guard let json = try? JSON(parsing: body), case .object = json else {
        throw .notGiven(place: place, why: "its answer is not one JSON object")
    }
    if let code = json["Code"]?.string, code != "Success" {
        throw .notGiven(place: place, why: "it says `\(shown(String(code.prefix(64))))`")
    }
    func text(_ name: String) throws(CredentialError) -> String {
        guard let text = json[name]?.string, !text.isEmpty else {
            throw .notGiven(place: place, why: "its answer has no `\(name)`")
        }
        return text
    }
    guard let end = Instant(parsingWithOffset: try text("Expiration")) else {
        throw .notGiven(place: place, why: "`Expiration` in its answer is no ISO 8601 time")
    }
    return try soundCredentials(
        id: text("AccessKeyId"), secret: text("SecretAccessKey"), token: text("Token"), expiration: end,
        from: place)
}
