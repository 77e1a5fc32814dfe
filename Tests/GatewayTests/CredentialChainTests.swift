import Glibc
import SigV4
import Testing
import Vocabulary

@testable import Gateway

/// Two files of one test, and a home; gone with it.
private final class Home {
    let path: String

    init(credentials: String = "", config: String = "") throws {
        var template = Array("/tmp/countersign-chain-XXXXXX".utf8CString)
        path = try #require(mkdtemp(&template).map { String(cString: $0) })
        mkdir("\(path)/.aws", 0o700)
        for (name, text) in [("credentials", credentials), ("config", config)] {
            try writeFile("\(path)/.aws/\(name)", Array(text.utf8))
            chmod("\(path)/.aws/\(name)", 0o600)
        }
    }

    deinit {
        for name in ["credentials", "config"] { unlink("\(path)/.aws/\(name)") }
        rmdir("\(path)/.aws")
        unlink("\(path)/token")
        rmdir(path)
    }

    /// Where the credentials would come from, or what is wrong.
    func place(_ environment: [String: String] = [:], profile: String? = nil) -> String {
        let search = CredentialSearch(
            environment: ["HOME": path].merging(environment) { $1 }, profile: profile, process: nil,
            ownCalls: nil, trustFile: "/nowhere", sessionName: "countersign@host", now: { noon })
        do throws(CredentialError) { return try search.way().place } catch { return error.message }
    }
}

private let keys = "aws_access_key_id = AKIAFILE\naws_secret_access_key = canary\n"
private let role = "role_arn = arn:aws:iam::111122223333:role/r\n"

private let whole =
    #"{"AccessKeyId":"A","SecretAccessKey":"canary","Token":"t","Expiration":"2026-11-22T08:31:00Z"}"#

@Suite("The chain of the gateway's credentials") struct CredentialChainTests {
    @Test func `each way goes before the next, in the order of AWS's tools`() throws {
        let full = try Home(
            credentials: "[default]\n" + keys,
            config: "[default]\n" + role + "source_profile = base\ncredential_process = /bin/false\n"
                + "[profile base]\n" + keys)
        let container = ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/c"]
        let variables = ["AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "canary"]
        let token = ["AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": "arn:aws:iam::1:role/w"]
        func all(_ more: [String: String]...) -> [String: String] {
            more.reduce(container) { $0.merging($1) { $1 } }
        }
        #expect(full.place(all(variables, token)) == "the environment")
        #expect(
            full.place(all(token)).hasPrefix("role arn:aws:iam::111122223333:role/r (profile `default`), by ")
        )
        let keyed = try Home(
            credentials: "[default]\n" + keys, config: "[default]\ncredential_process = /bin/false\n")
        #expect(keyed.place(all(token)) == "role arn:aws:iam::1:role/w by the web identity token in `/t`")
        #expect(keyed.place(all()).hasSuffix("/.aws/credentials`"))
        let process = try Home(config: "[default]\ncredential_process = /bin/false\n" + keys)
        #expect(process.place(all()) == "the credential process of profile `default`")
        let config = try Home(config: "[default]\n" + keys)
        #expect(config.place(all()).hasSuffix("/.aws/config`"))
        let empty = try Home(config: "[default]\nregion = eu-west-1\n")
        #expect(empty.place(all()) == "the container's metadata at http://127.0.0.1:1")
        #expect(empty.place() == "the instance's metadata at http://169.254.169.254")
        #expect(
            empty.place(["AWS_EC2_METADATA_DISABLED": "TRUE"]).hasPrefix("no AWS credentials for the gateway")
        )
    }

    @Test func `a profile that is named outright goes before the environment`() throws {
        let home = try Home(credentials: "[dev]\n" + keys)
        let variables = [
            "AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "canary", "AWS_PROFILE": "dev",
            "AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": "arn:aws:iam::1:role/w",
        ]
        #expect(home.place(variables) == "the environment")
        #expect(home.place(variables, profile: "dev").hasPrefix("profile `dev` of"))
        #expect(home.place(variables, profile: "gone").hasPrefix("there is no profile `gone`"))
    }

    @Test func `roles are chained, and each knows where it starts`() throws {
        let home = try Home(
            config: "[profile a]\n\(role)source_profile = b\nexternal_id = x\n"
                + "[profile b]\nrole_arn = arn:aws:iam::1:role/b\nsource_profile = c\n[profile c]\n" + keys)
        let text = home.place(profile: "a")
        #expect(
            text.hasPrefix(
                "role arn:aws:iam::111122223333:role/r (profile `a`), "
                    + "by role arn:aws:iam::1:role/b (profile `b`), "
                    + "by profile `c` of"), "\(text)")
        let own = try Home(config: "[profile a]\n\(role)source_profile = a\n" + keys)
        #expect(
            own.place(profile: "a").hasSuffix("(profile `a`), by profile `a` of `\(own.path)/.aws/config`"))
    }

    @Test(arguments: [
        (
            "[profile a]\n\(role)source_profile = b\n[profile b]\n\(role)source_profile = a\n",
            "`a` -> `b` -> `a`"
        ),
        ("[profile a]\n\(role)source_profile = a\n", "`a` -> `a`"),
        (
            "[profile a]\n\(role)source_profile = b\n[profile b]\n\(role)source_profile = c\n"
                + "[profile c]\n\(role)source_profile = b\n", "`a` -> `b` -> `c` -> `b`"
        ),
        ("[profile a]\n\(role)", "needs `source_profile` or `credential_source`"),
        ("[profile a]\n\(role)source_profile = b\ncredential_source = Environment\n", "has both"),
        ("[profile a]\n\(role)source_profile = b\n", "its source profile `b` is in neither file"),
        ("[profile a]\n\(role)source_profile = b\n[profile b]\nregion = x\n", "`b` holds no credentials"),
        ("[profile a]\n\(role)credential_source = Moon\n", "neither Environment, EcsContainer nor"),
        ("[profile a]\n\(role)credential_source = Environment\n", "the environment has no keys"),
        ("[profile a]\n\(role)credential_source = EcsContainer\n", "names no metadata of a container"),
        ("[profile a]\n\(role)source_profile = a\nmfa_serial = x\n" + keys, "a code of an MFA device"),
        ("[profile a]\n\(role)source_profile = a\nduration_seconds = 60\n" + keys, "is 900 to 43200"),
        ("[profile a]\nweb_identity_token_file = /t\n", "a web identity token and no role"),
        ("[profile a]\nlogin_session = x\n", "aws configure export-credentials --profile a --format process"),
        (
            "[profile a]\nsso_session = s\nsso_account_id = 111122223333\nsso_role_name = r\n",
            "no `[sso-session s]`"
        ),
        ("[profile a]\nsso_session = s\n", "names no `sso_account_id`"),
        (
            "[profile a]\nsso_account_id = 1\nsso_role_name = r\nsso_region = eu-west-1\n",
            "no `sso_start_url`"
        ),
        (
            "[profile a]\nsso_account_id = 1\nsso_role_name = r\nsso_region = eu-west-1\nsso_start_url = u\n",
            "not 12 digits"
        ),
        (
            "[profile a]\nsso_session = s\nsso_region = us-east-1\nsso_account_id = 111122223333\n"
                + "sso_role_name = r\n[sso-session s]\nsso_region = eu-west-1\nsso_start_url = u\n",
            "`sso_region` is not what its sso-session says"
        ),
    ])
    func `a profile that cannot be followed is said so`(_ config: String, _ mark: String) throws {
        let text = try Home(config: config).place(profile: "a")
        #expect(text.contains(mark) && !text.contains("canary"), "\(text)")
    }

    @Test func `named sources and sign-ins are found`() throws {
        let home = try Home(
            config: "[profile e]\n\(role)credential_source = Ec2InstanceMetadata\n"
                + "[profile v]\n\(role)credential_source = Environment\n"
                + "[profile s]\nsso_session = my sso\nsso_account_id = 111122223333\nsso_role_name = r\n"
                + "[sso-session my sso]\nsso_region = eu-west-1\nsso_start_url = https://x.example/start\n"
        )
        #expect(home.place(profile: "e").hasSuffix("by the instance's metadata at http://169.254.169.254"))
        let variables = ["AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "canary"]
        #expect(home.place(variables, profile: "v").hasSuffix("by the environment"))
        #expect(home.place(profile: "s") == "IAM Identity Center (profile `s`)")
    }

    @Test(arguments: [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://10.0.0.1/c", "needs https://"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.169.254/c", "no address of a container's"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "file:///c", "is not http:// or https://"),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@evil/c", "does not begin with `/`"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://10.0.0.1/", "needs https://"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1/x", "is not http:// or https://"),
        ("AWS_METADATA_SERVICE_TIMEOUT", "0", "is not a number from 1 to 60"),
    ])
    func `metadata is asked for where it can be only`(
        _ variable: String, _ value: String, _ mark: String
    ) throws {
        let text = try Home().place([variable: value])
        #expect(text.hasPrefix("`\(variable)`: ") && text.contains(mark), "\(text)")
    }

    @Test func `a relative address is ECS's own host`() throws {
        let container = try #require(
            try ContainerMetadata(
                environment: ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/x"], trustFile: ""))
        #expect(container.origin.authority == "169.254.170.2" && !container.origin.usesTLS)
        #expect(container.path == "/v2/credentials/x")
    }

    @Test(arguments: [
        ("", "not one JSON object"), ("[]", "not one JSON object"), ("{} canary", "not one JSON object"),
        (
            #"{"Code":"AssumeRoleUnauthorizedAccess","Message":"canary"}"#,
            "it says `AssumeRoleUnauthorizedAccess`"
        ),
        (
            whole.replacing(#""Token":"t","#, with: ""),
            "no `Token`"
        ),
        (
            whole.replacing("2026-11-22T08:31:00Z", with: "soon"),
            "no ISO 8601 time"
        ),
        (
            #"{"AccessKeyId":"A","AccessKeyId":"B","SecretAccessKey":"canary","Token":"t","Expiration":"x"}"#,
            "not one JSON object"
        ),
        (
            whole.replacing(#""A""#, with: #""A\r\nB""#),
            "the access key id in"
        ),
        (
            whole.replacing(#""t""#, with: #""t\r\nx-a: b""#),
            "the session token in"
        ),
    ])
    func `metadata that is not what it must be is not taken, and not shown`(_ body: String, _ mark: String) {
        do throws(CredentialError) {
            _ = try metadataCredentials(in: Array(body.utf8), from: "a test")
            Issue.record("taken")
        } catch { #expect(error.message.contains(mark) && !error.message.contains("canary"), "\(error)") }
    }

    @Test func `a token's file is one line that others cannot write`() throws {
        let home = try Home()
        let path = "\(home.path)/token"
        func read(_ text: String, mode: mode_t = 0o644) throws -> String {
            try writeFile(path, Array(text.utf8))
            chmod(path, mode)
            do throws(CredentialError) {
                return try readToken(path, limit: 16).withBytes { String(decoding: $0, as: UTF8.self) }
            } catch { return error.message }
        }
        #expect(try read("a.b-c") == "a.b-c")
        #expect(try read("a\r\nx: y").hasPrefix("the token in"))
        #expect(try read("a\n").hasPrefix("the token in"))
        #expect(try read("").hasPrefix("the token in"))
        #expect(try read("0123456789abcdefg").contains("larger than 16 bytes"))
        #expect(try read("abc", mode: 0o666).contains("can be written by others"))
    }
}
