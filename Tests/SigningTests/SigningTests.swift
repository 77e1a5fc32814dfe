import Hashing
import SigV4
import Signing
import Testing
import Vocabulary

@testable import Recognizing
@testable import Recording

@Suite("Signing") struct SigningTests {
    let now = Instant(secondsSinceEpoch: 1_440_938_160)

    @Test func `a cleared request gains the signature's own fields and no others`() throws {
        let signed = try sign(
            clearance(service: "dynamodb", style: .normalized), with: credentials(token: "tok"), at: now,
            keys: SigningKeys())
        #expect(
            signed.fields.map(\.name) == [
                "x-amz-target", "x-amz-date", "x-amz-security-token", "authorization",
            ])
        #expect(signed.fields[1].value == "20150830T123600Z")
        let authorization = signed.fields[3].value
        #expect(authorization.contains("Credential=AKIDEXAMPLE/20150830/us-east-1/dynamodb/aws4_request"))
        #expect(authorization.contains("SignedHeaders=host;x-amz-date;x-amz-security-token;x-amz-target,"))
        #expect(signed.entry == EntryID(seq: 7))
    }

    @Test func `the path is signed in the style that was sealed`() throws {
        for (style, rule) in [
            (SealedRequest.PathStyle.asSent, PathRule.asSent), (.normalized, .normalized),
        ] {
            let signed = try sign(
                clearance(style: style, path: "/a%20b/../c"), with: credentials(), at: now,
                keys: SigningKeys())
            let input = SigningInput(
                method: "POST", path: "/a%20b/../c", query: "", pathRule: rule,
                authority: "example.amazonaws.com",
                fields: [HeaderField("X-Amz-Target", "DynamoDB_20120810.GetItem")], payload: sha256("{}"),
                sendsPayloadHash: false, region: "us-east-1", service: "dynamodb")
            let expected = signByHeaders(input, with: credentials(), at: now, keys: SigningKeys())
            #expect(signed.fields == expected.fields)
        }
    }

    @Test(arguments: ["s3", "aoss"])
    func `S3 and OpenSearch Serverless get the hash of the body in a field`(service: String) throws {
        let signed = try sign(
            clearance(service: service, style: .asSent), with: credentials(), at: now, keys: SigningKeys())
        let hash = try #require(signed.fields.first { $0.name == "x-amz-content-sha256" })
        #expect(hash.value == sha256("{}").hex)
    }

    @Test func `fields of the signature's own names are replaced, not doubled`() throws {
        let sealed = [
            HeaderField("Authorization", "Basic eA=="), HeaderField("X-Amz-Date", "20000101T000000Z"),
            HeaderField("X-Amz-Security-Token", "theirs"),
            HeaderField("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
            HeaderField("Host", "evil.example"),
        ]
        let signed = try sign(
            clearance(service: "s3", style: .asSent, fields: sealed), with: credentials(), at: now,
            keys: SigningKeys())
        #expect(signed.fields.map(\.name) == ["x-amz-date", "x-amz-content-sha256", "authorization"])
        #expect(signed.fields[1].value == sha256("{}").hex)
    }

    @Test func `a stream is signed with the hash it declared`() throws {
        let digest = sha256("elsewhere")
        let signed = try sign(
            clearance(service: "s3", style: .asSent, body: .stream(sha256: digest, count: 9)),
            with: credentials(),
            at: now, keys: SigningKeys())
        #expect(signed.fields.first { $0.name == "x-amz-content-sha256" }?.value == digest.hex)
    }

    @Test func `credentials sign until their last moment and not at it`() throws {
        let end = now.advanced(by: .nanoseconds(1))
        _ = try sign(clearance(), with: credentials(expiration: end), at: now, keys: SigningKeys())
        #expect(throws: SigningError.credentialsExpired(end: now)) {
            _ = try sign(clearance(), with: credentials(expiration: now), at: now, keys: SigningKeys())
        }
    }

    @Test func `empty credentials never sign`() {
        for empty in [credentials(id: ""), credentials(secret: "")] {
            #expect(throws: SigningError.credentialsEmpty) {
                _ = try sign(clearance(), with: empty, at: now, keys: SigningKeys())
            }
        }
    }
}

private func credentials(
    id: String = "AKIDEXAMPLE", secret: String = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    token: String? = nil,
    expiration: Instant? = nil
) -> Credentials {
    Credentials(
        accessKeyID: id, secretKey: Secret(Array(secret.utf8)),
        sessionToken: token.map { Secret(Array($0.utf8)) },
        expiration: expiration)
}

private func clearance(
    service: String = "dynamodb", style: SealedRequest.PathStyle = .normalized,
    fields: [HeaderField] = [HeaderField("X-Amz-Target", "DynamoDB_20120810.GetItem")],
    body: SealedRequest.Body = .bytes(Array("{}".utf8)), path: String = "/"
) -> Clearance {
    Clearance(
        request: SealedRequest(
            method: "POST", usesTLS: true, authority: "example.amazonaws.com",
            awsHost: "example.amazonaws.com",
            path: path, query: "", fields: fields, body: body, signingName: service,
            signingRegion: "us-east-1",
            pathStyle: style, mayRepeat: false, wireDigest: sha256("wire")),
        entry: EntryID(seq: 7))
}
