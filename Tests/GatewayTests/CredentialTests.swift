import Glibc
import SigV4
import Synchronization
import Testing
import Vocabulary

@testable import Gateway

/// A folder of one test, gone with it.
private final class Folder {
    let path: String

    init() throws {
        var template = Array("/tmp/countersign-credentials-XXXXXX".utf8CString)
        path = try #require(mkdtemp(&template).map { String(cString: $0) })
    }

    deinit {
        for name in ["credentials", "config", "process"] { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    func write(_ name: String, _ text: String, mode: mode_t = 0o600) throws {
        try writeFile("\(path)/\(name)", Array(text.utf8))
        chmod("\(path)/\(name)", mode)
    }

    /// The environment that points at this folder's files.
    func environment(_ more: [String: String] = [:]) -> [String: String] {
        [
            "AWS_SHARED_CREDENTIALS_FILE": "\(path)/credentials", "AWS_CONFIG_FILE": "\(path)/config",
        ].merging(more) { $1 }
    }
}

private let keys = "aws_access_key_id = AKIAFILE\naws_secret_access_key = canary\n"

/// The search in `environment`, in which nobody may be asked.
private func search(
    _ environment: [String: String], profile: String? = nil, process: String? = nil
) -> CredentialSearch {
    CredentialSearch(
        environment: environment, profile: profile, process: process, ownCalls: nil,
        trustFile: "/nowhere", sessionName: "countersign@host", now: { noon })
}

/// The key id that is found, or what is wrong.
private func found(_ environment: [String: String], profile: String? = nil, process: String? = nil) -> String
{
    let off = ["AWS_EC2_METADATA_DISABLED": "true"].merging(environment) { $1 }
    do throws(CredentialError) {
        return try findCredentials(search(off, profile: profile, process: process)).current(at: noon)
            .accessKeyID
    } catch { return error.message }
}

/// Where the credentials would come from, or what is wrong.
private func place(_ environment: [String: String], profile: String? = nil) -> String {
    do throws(CredentialError) { return try search(environment, profile: profile).way().place } catch {
        return error.message
    }
}

@Suite("Credentials of the gateway") struct CredentialTests {
    @Test func `the process of the command line goes before the environment, that before the files`() throws {
        let folder = try Folder()
        try folder.write("credentials", "[default]\n" + keys)
        try folder.write(
            "process",
            "#!/bin/sh\necho '{\"Version\":1,\"AccessKeyId\":\"AKIAPROC\",\"SecretAccessKey\":\"canary\"}'\n",
            mode: 0o700)
        let variables = ["AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "canary"]
        #expect(found(folder.environment(variables), process: "\(folder.path)/process") == "AKIAPROC")
        #expect(found(folder.environment(variables)) == "AKIAENV")
        #expect(found(folder.environment()) == "AKIAFILE")
    }

    @Test func `a profile's keys or process are found in either file`() throws {
        let folder = try Folder()
        try folder.write("credentials", "[dev]\n" + keys)
        try folder.write("config", "[profile ops]\naws_access_key_id=AKIAOPS\naws_secret_access_key=canary\n")
        #expect(found(folder.environment(["AWS_PROFILE": "dev"])) == "AKIAFILE")
        #expect(found(folder.environment(["AWS_PROFILE": "ops"])) == "AKIAOPS")
        #expect(found(folder.environment(["AWS_PROFILE": "gone"])).hasPrefix("there is no profile `gone`"))
        #expect(found(folder.environment()).hasPrefix("no AWS credentials for the gateway"))
    }

    @Test(arguments: [0o604, 0o640, 0o620, 0o602, 0o666])
    func `a file with keys that is open to others is refused`(_ mode: Int) throws {
        let folder = try Folder()
        try folder.write("credentials", "[default]\n" + keys, mode: mode_t(mode))
        let text = found(folder.environment())
        #expect(text.contains("is open to others: run `chmod 600 \(folder.path)/credentials`"), "\(text)")
        let config = try Folder()
        try config.write("config", "[default]\n" + keys, mode: mode_t(mode))
        #expect(found(config.environment()).contains("is open to others"))
    }

    @Test(arguments: [
        ("[default]\naws_access_key_id = AKIAX\n", "has no `aws_secret_access_key`"),
        ("[default]\naws_secret_access_key = canary\n", "has no `aws_access_key_id`"),
        ("[default]\n" + keys + "aws_secret_access_key = canary2\n", "is there twice"),
        ("[default]\n[default]\n", "is there twice"), ("aws_access_key_id = x\n", "before the first section"),
        ("[default\n", "a section is written"), ("[default]\ncanary\n", "a setting is written"),
        ("[default]\naws_secret_access_key = ab\n  canary\n", "must not go on in the next line"),
        (
            "[default]\naws_access_key_id = CSAKX\naws_secret_access_key = canary\n",
            "the gateway needs its own"
        ),
        ("[default]\naws_access_key_id = A B\naws_secret_access_key = canary\n", "the access key id in"),
        (
            "[default]\naws_access_key_id = A\naws_secret_access_key = can\u{7}ary\n",
            "the secret access key in"
        ),
    ])
    func `what cannot be used is said without showing it`(_ file: String, _ mark: String) throws {
        let folder = try Folder()
        try folder.write("credentials", file)
        let text = found(folder.environment())
        #expect(text.contains(mark) && !text.contains("canary"), "\(text)")
    }

    @Test func `half a pair in the environment is an error, not a reason to look elsewhere`() throws {
        let folder = try Folder()
        try folder.write("credentials", "[default]\n" + keys)
        #expect(found(folder.environment(["AWS_ACCESS_KEY_ID": "A"])).contains("no `AWS_SECRET_ACCESS_KEY`"))
        #expect(
            found(folder.environment(["AWS_SECRET_ACCESS_KEY": "canary"])).contains("no `AWS_ACCESS_KEY_ID`"))
    }

    @Test(arguments: [
        ("", "not one JSON object"), ("[]", "not one JSON object"), ("{} canary", "not one JSON object"),
        ("{\"Version\":2}", "not of `Version` 1"), ("{\"Version\":1}", "has no `AccessKeyId`"),
        ("{\"Version\":1,\"AccessKeyId\":\"A\"}", "has no `SecretAccessKey`"),
        ("{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":7}", "is not a string"),
        (
            "{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"canary\",\"Expiration\":\"soon\"}",
            "is not an ISO 8601 time"
        ),
        (
            "{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"can\\nary\"}",
            "the secret access key in"
        ),
    ])
    func `a process must print what AWS asks for, and none of it is shown`(_ output: String, _ mark: String) {
        do throws(CredentialError) {
            _ = try credentials(inProcessOutput: Array(output.utf8))
            Issue.record("taken")
        } catch {
            #expect(error.message.contains(mark) && !error.message.contains("canary"), "\(error.message)")
        }
    }

    @Test func `a process that fails, hangs or floods gives nothing`() throws {
        #expect(found([:], process: "/bin/false").contains("ended with code 1"))
        #expect(found([:], process: "/nonexistent/tool").contains("cannot be run"))
        #expect(found([:], process: "'unclosed").contains("quotes do not close"))
        #expect(found([:], process: "/bin/sh -c 'kill -9 $$'").contains("signal 9"))
        #expect(found([:], process: "/usr/bin/yes canary").contains("larger than 65536 bytes"))
        #expect(throws: CredentialError.self) {
            try runCredentialProcess("/bin/sleep 5", limit: .milliseconds(200))
        }
    }

    @Test func `a command is split as a shell splits it, and nothing in it is run`() {
        #expect(commandWords("a 'b c' \"d\\\"e\" f\\ g $(x) *") == ["a", "b c", "d\"e", "f g", "$(x)", "*"])
        #expect(commandWords("a ''") == ["a", ""] && commandWords("") == [])
        #expect(commandWords("a \"b") == nil && commandWords("a \\") == nil)
    }

    @Test func `credentials that end are renewed before, and refused after`() throws {
        let loads = Mutex(0)
        let end = after(1_000)
        let source = try RefreshingCredentials(origin: "a test", at: noon, reloadEvery: nil) {
            () throws(CredentialError) -> Credentials in
            let number = loads.withLock { count in
                count += 1
                return count
            }
            guard number == 1 || number == 4 else { throw .processFailed(why: "it is down") }
            return Credentials(
                accessKeyID: "AKIA\(number)", secretKey: Secret(Array("canary".utf8)), sessionToken: nil,
                expiration: number == 1 ? end : after(9_000))
        }
        func loaded(_ count: Int) -> Bool {
            for _ in 0..<500 where loads.withLock({ $0 }) < count { usleep(10_000) }
            usleep(20_000)
            return loads.withLock { $0 } == count
        }
        // They live for 1,000 s: due 250 to 167 s before the end.
        #expect(try source.current(at: after(749)).accessKeyID == "AKIA1")
        #expect(loaded(1), "not due yet")
        #expect(try source.current(at: after(834)).accessKeyID == "AKIA1", "the old ones are still good")
        #expect(loaded(2) && source.failure == .processFailed(why: "it is down"))
        #expect(try source.current(at: after(843)).accessKeyID == "AKIA1")
        #expect(loaded(2), "not yet again")
        #expect(try source.current(at: after(999)).accessKeyID == "AKIA1", "good to their last second")
        #expect(loaded(3))
        #expect(throws: CredentialError.processFailed(why: "it is down")) { try source.current(at: end) }
        #expect(throws: CredentialError.self) { try source.current(at: after(1_010)) }
        #expect(loaded(4))
        #expect(try source.current(at: after(1_011)).accessKeyID == "AKIA4", "without a restart")
        #expect(source.failure == nil)
    }

    @Test func `credentials of an hour are renewed 15 to 10 minutes before their end`() throws {
        for _ in 0..<50 {
            let loads = Mutex(0)
            let source = try RefreshingCredentials(origin: "a test", at: noon, reloadEvery: nil) {
                () throws(CredentialError) -> Credentials in
                loads.withLock { $0 += 1 }
                return Credentials(
                    accessKeyID: "AKIA", secretKey: Secret(Array("canary".utf8)), sessionToken: nil,
                    expiration: after(3_600))
            }
            _ = try source.current(at: after(2_699))
            usleep(2_000)
            #expect(loads.withLock { $0 } == 1)
            _ = try source.current(at: after(3_000))
            for _ in 0..<500 where loads.withLock({ $0 }) < 2 { usleep(2_000) }
            #expect(loads.withLock { $0 } == 2)
        }
    }

    @Test func `what has ended when it comes is not taken`() throws {
        #expect(throws: CredentialError.expired(end: noon)) {
            try RefreshingCredentials(origin: "a test", at: noon, reloadEvery: nil) {
                () throws(CredentialError) -> Credentials in
                Credentials(
                    accessKeyID: "AKIA", secretKey: Secret(Array("canary".utf8)), sessionToken: nil,
                    expiration: noon)
            }
        }
    }

    @Test func `credentials for later are asked for once, and are there then`() throws {
        let loads = Mutex(0)
        let source = RefreshingCredentials(later: "a role") { () throws(CredentialError) -> Credentials in
            loads.withLock { $0 += 1 }
            usleep(50_000)
            return Credentials(
                accessKeyID: "ASIA", secretKey: Secret(Array("canary".utf8)), sessionToken: nil,
                expiration: after(3_600))
        }
        #expect(throws: CredentialError.notYet(place: "a role")) { try source.current(at: noon) }
        #expect(throws: CredentialError.notYet(place: "a role")) { try source.current(at: noon) }
        for _ in 0..<500 where (try? source.current(at: noon)) == nil { usleep(10_000) }
        #expect(try source.current(at: noon).accessKeyID == "ASIA")
        #expect(loads.withLock { $0 } == 1)
    }

    @Test func `an instant with an offset is the same moment in UTC`() {
        let utc = Instant(parsing: "2026-11-22T08:31:00Z")
        #expect(Instant(parsingWithOffset: "2026-11-22T10:31:00+02:00") == utc)
        #expect(Instant(parsingWithOffset: "2026-11-22T03:01:00-05:30") == utc)
        #expect(Instant(parsingWithOffset: "2026-11-22T08:31:00Z") == utc)
        for text in ["2026-11-22T08:31:00", "2026-11-22T08:31:00+24:00", "2026-11-22T08:31:00+0200", "", "Z"]
        {
            #expect(Instant(parsingWithOffset: text) == nil)
        }
    }
}
