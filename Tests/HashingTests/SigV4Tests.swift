import Glibc
import Hashing
import SigV4
import Testing
import Vocabulary

@Suite("SigV4") struct SigV4Tests {
    @Test("every fixture signs as botocore signs it, stage by stage", arguments: try SignatureFixture.all())
    func fixture(_ fixture: SignatureFixture) throws {
        let out = try JSON(parsing: debugSignLine(fixture.request))
        #expect(out["error"] == nil)
        #expect(out["canonical_request"]?.string == fixture.canonicalRequest)
        #expect(out["string_to_sign"]?.string == fixture.stringToSign)
        #expect(out["authorization"]?.string?.hasSuffix(", Signature=" + fixture.signature) == true)
    }

    @Test func `there are at least thirty fixtures`() throws {
        #expect(try SignatureFixture.all().count >= 30)
    }

    @Test("every official vector at hand signs as AWS signs it", .enabled(if: PublicVector.file != nil))
    func publicVectors() throws {
        let vectors = try PublicVector.all()
        #expect(vectors.count >= 13)
        for vector in vectors {
            let out = try JSON(parsing: debugSignLine(vector.line.line))
            #expect(out["canonical_request"]?.string == vector.canonicalRequest, "\(vector.name)")
            #expect(out["string_to_sign"]?.string == vector.stringToSign, "\(vector.name)")
            let suffix = ", Signature=" + vector.signature
            #expect(out["authorization"]?.string?.hasSuffix(suffix) == true, "\(vector.name)")
        }
    }

    @Test(
        "raw bytes and folded lines sign as the official suite has them",
        arguments: [
            ("/example space/", true, "/example%20space/", ""),
            ("/example space/", false, "/example%20space/", ""),
            ("/\u{1234}", true, "/%E1%88%B4", ""), ("/?\u{1234}=bar", true, "/", "%E1%88%B4=bar"),
            ("//example//", true, "/example/", ""), ("//example//", false, "//example//", ""),
            ("/./example", true, "/example", ""), ("/example/..", true, "/", ""),
            ("/example/..", false, "/example/..", ""),
            ("/example1/example2/../..", true, "/", ""), ("/./", true, "/", ""), ("//", true, "/", ""),
            ("//", false, "//", ""),
            (
                "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", true, "/",
                "%E1%88%B4=Value1&Param=Value2&Param-3=Value3"
            ),
        ])
    func rawTargets(_ target: String, normalizes: Bool, path: String, query: String) throws {
        let line = signLine(["target": .string(target), "normalize_path": .bool(normalizes)])
        let canonical = try #require(try JSON(parsing: debugSignLine(line))["canonical_request"]?.string)
        let lines = canonical.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines[1] == path)
        #expect(lines[2] == query)
    }

    @Test func `a value over several lines is one line with single spaces`() throws {
        let line = signLine(["headers": [["My-Header1", "value1\n  value2\r\n     value3"]]])
        let canonical = try #require(try JSON(parsing: debugSignLine(line))["canonical_request"]?.string)
        #expect(canonical.contains("\nmy-header1:value1 value2 value3\n"))
    }

    @Test func `a request without Host is signed for the service's own`() throws {
        let out = try JSON(parsing: debugSignLine(signLine([:])))
        let host = HeaderField("host", "service.us-east-1.amazonaws.com")
        #expect(out["headers"]?.array?.first == .strings([host.name, host.value]))
        #expect(
            out["canonical_request"]?.string?.contains("\nhost:service.us-east-1.amazonaws.com\n") == true)
    }

    @Test func `all given fields are signed, the order of the others stays`() throws {
        let given: JSON = [["User-Agent", "x"], ["Expect", "100-continue"], ["B", "2"], ["A", "1"]]
        let out = try JSON(parsing: debugSignLine(signLine(["headers": given])))
        #expect(
            out["authorization"]?.string?.contains("SignedHeaders=a;b;expect;host;user-agent;x-amz-date,")
                == true)
        let names = out["headers"]?.array?.compactMap { $0.array?.first?.string }
        #expect(names == ["host", "user-agent", "expect", "b", "a", "x-amz-date", "authorization"])
    }

    @Test(
        "a line that is not what it should be is answered with its id and the part at fault",
        arguments: [
            ("method", .string("GE T")), ("method", 1), ("target", .string("key")),
            ("target", .string("/a#b")),
            ("service", .string("")), ("region", .null), ("body_b64", .string("Zg")),
            ("date", .string("2015-08-30")),
            ("date", .string("20150830T123600.5Z")), ("date", .string("20150231T123600Z")),
            ("headers", [["a"]]),
            ("headers", [["a b", "c"]]), ("headers", .string("a")),
            ("headers", [["Host", "a"], ["host", "b"]]),
            ("access_key", .null), ("session_token", 7), ("normalize_path", .string("yes")),
        ] as [(String, JSON)])
    func refused(_ member: String, _ value: JSON) throws {
        let out = try JSON(parsing: debugSignLine(signLine([member: value])))
        #expect(out["id"] == .string("t"))
        #expect(out["error"]?["message"]?.string?.contains("`\(member)`") == true)
        #expect(out["authorization"] == nil)
        #expect(!String(decoding: debugSignLine(signLine([member: value])), as: UTF8.self).contains("wJalr"))
    }

    @Test(
        "what is no object is answered too", arguments: ["", "[]", "{", "{\"id\":1,\"id\":2}", "\u{FEFF}{}"])
    func noObject(_ line: String) throws {
        let out = try JSON(parsing: debugSignLine(Array(line.utf8)))
        #expect(out["id"] == JSON.null)
        #expect(out["error"]?["code"]?.string == "MalformedInput")
    }

    @Test func `the signing key of AWS's own example comes out`() {
        let secret = Secret(Array("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".utf8))
        let key = signingKey(
            of: secret, in: SigningScope(day: "20150830", region: "us-east-1", service: "iam"))
        let hex = key.withBytes { String(decoding: $0.lowercaseHex, as: UTF8.self) }
        #expect(hex == "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9")
    }

    @Test func `a kept key is used for its own id, secret, day, region and service only`() {
        let keys = SigningKeys(countMax: 16)
        func mac(_ id: String, _ secret: String, _ day: String, _ region: String, _ service: String)
            -> [UInt8]
        {
            let credentials = Credentials(
                accessKeyID: id, secretKey: Secret(Array(secret.utf8)), sessionToken: nil, expiration: nil)
            let scope = SigningScope(day: day, region: region, service: service)
            let kept = keys.key(for: credentials, in: scope).authenticate("x".utf8)
            #expect(kept == hmacSHA256(key: signingKey(of: credentials.secretKey, in: scope), "x".utf8))
            return kept
        }
        for _ in 0..<2 {
            let all = [
                mac("A", "s", "20260101", "r", "v"), mac("A", "t", "20260101", "r", "v"),
                mac("A", "s", "20260102", "r", "v"), mac("A", "s", "20260101", "q", "v"),
                mac("A", "s", "20260101", "r", "w"),
            ]
            #expect(Set(all).count == all.count)
        }
        #expect(keys.count == 5)
        _ = mac("B", "s", "20260101", "r", "v")
        #expect(keys.count == 6)
    }

    @Test func `the cache of keys keeps its bound and the last used`() {
        let keys = SigningKeys(countMax: 2)
        let credentials = Credentials(
            accessKeyID: "A", secretKey: Secret([1]), sessionToken: nil, expiration: nil)
        func key(_ service: String) -> KeyedHMAC {
            keys.key(for: credentials, in: SigningScope(day: "20260101", region: "r", service: service))
        }
        let first = key("a")
        _ = key("b")
        #expect(key("a") === first)
        _ = key("c")
        #expect(keys.count == 2)
        #expect(key("a") === first)
    }
}

/// A line that signs, with `changed` members in place of its own.
private func signLine(_ changed: [String: JSON]) -> [UInt8] {
    let members: [(String, JSON)] = [
        ("id", "t"), ("method", "GET"), ("target", "/"), ("headers", []), ("body_b64", ""),
        ("service", "service"),
        ("region", "us-east-1"), ("access_key", "AKIDEXAMPLE"),
        ("secret_key", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), ("session_token", .null),
        ("date", "20150830T123600Z"), ("normalize_path", .null),
    ]
    return JSON.object(members.map { .init($0.0, changed[$0.0] ?? $0.1) }).line
}

// MARK: - Fixtures

/// One folder of `fixtures/sigv4`, written by `scripts/fixtures/sigv4`.
struct SignatureFixture: Sendable, CustomTestStringConvertible {
    let name: String
    let request: [UInt8]
    let canonicalRequest: String
    let stringToSign: String
    let signature: String

    var testDescription: String { name }

    static func all() throws -> [SignatureFixture] {
        let folder = repositoryRoot + "/fixtures/sigv4"
        return try names(in: folder).map { name in
            func text(_ part: String) throws -> String {
                let bytes = try #require(contents(of: "\(folder)/\(name)/\(part).txt"), "\(name)/\(part).txt")
                return String(decoding: bytes.dropLast(), as: UTF8.self)
            }
            return SignatureFixture(
                name: name, request: Array(try text("request").utf8),
                canonicalRequest: try text("canonical-request"),
                stringToSign: try text("string-to-sign"), signature: try text("signature"))
        }
    }
}

/// One line of the official test suite, where it is at hand: beside the repository, or where `SIGV4_VECTORS`
/// says.
struct PublicVector {
    let name: String
    let line: JSON
    let canonicalRequest: String
    let stringToSign: String
    let signature: String

    static let file: [UInt8]? = {
        let named = getenv("SIGV4_VECTORS").map { String(cString: $0) }
        return contents(of: named ?? repositoryRoot + "/../shared/data/sigv4/v4-public.jsonl")
    }()

    static func all() throws -> [PublicVector] {
        try (file ?? []).split(separator: 0x0A).map { try PublicVector(JSON(parsing: Array($0))) }
    }

    init(_ vector: JSON) throws {
        func text(_ name: String, _ object: JSON?) throws -> String {
            try #require(object?[name]?.string, "\(name)")
        }
        name = try text("name", vector)
        canonicalRequest = try text("header_canonical_request", vector)
        stringToSign = try text("header_string_to_sign", vector)
        signature = try text("header_signature", vector)
        let context = vector["context"]
        let credentials = context?["credentials"]
        let date = try #require(Instant(parsing: try text("timestamp", context)))
        let request = try #require(Base64.decode(try text("request_b64", vector).utf8))
        let lines = String(decoding: request, as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false)
        let end = lines.dropFirst().firstIndex(of: "") ?? lines.endIndex
        let headers = lines[1..<end].map { line -> JSON in
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            return .strings([String(parts[0]), String(parts.last ?? "")])
        }
        let body = lines.dropFirst(end + 1).joined(separator: "\n")
        let first = lines[0].split(separator: " ")
        line = .object([
            .init("id", .string(name)), .init("method", .string(String(first[0]))),
            .init("target", .string(first.dropFirst().dropLast().joined(separator: " "))),
            .init("headers", .array(headers)), .init("body_b64", .string(Base64.encode(Array(body.utf8)))),
            .init("service", .string(try text("service", context))),
            .init("region", .string(try text("region", context))),
            .init("access_key", .string(try text("access_key_id", credentials))),
            .init("secret_key", .string(try text("secret_access_key", credentials))),
            .init(
                "session_token",
                context?["omit_session_token"]?.bool == true ? .null : credentials?["token"] ?? .null),
            .init("date", .string(date.basicFormat)), .init("normalize_path", context?["normalize"] ?? .null),
            .init("content_sha256_header", context?["sign_body"] ?? .null),
        ])
    }
}

private let repositoryRoot = String(
    #filePath.prefix(#filePath.count - "/Tests/HashingTests/SigV4Tests.swift".count))

private func contents(of path: String) -> [UInt8]? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = fread(&buffer, 1, buffer.count, file)
        if count == 0 { return bytes }
        bytes += buffer[..<count]
    }
}

private func names(in folder: String) throws -> [String] {
    let directory = try #require(opendir(folder), "no \(folder)")
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) {
            String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted()
}
