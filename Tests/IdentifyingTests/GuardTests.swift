import Hashing
import SigV4
import Testing
import Vocabulary

@testable import Identifying

@Suite("Identifying: what a right signature does not help") struct GuardTests {
    /// Why the request of `head` is refused; nil when it is not.
    private func refusal(
        _ head: RequestHead, body: [UInt8] = Array("hello".utf8), skew: Int64 = 0, age: Int64 = 0
    ) throws -> IdentificationError? {
        var keys = KeyRing(try hostKey())
        do throws(IdentificationError) {
            let wall = SignedRequest.signed.advanced(by: .seconds(skew))
            let now = SignedRequest.signed.advanced(by: .seconds(age))
            let caller = try identify(head, at: anyListener, keys: &keys, now: now, wall: wall).caller(
                sending: body, content: body, chunks: nil)
            #expect(caller.strength == .signed && caller.issued != nil)
            return nil
        } catch { return error }
    }

    private func why(_ head: RequestHead, body: [UInt8] = Array("hello".utf8)) throws -> String {
        switch try refusal(head, body: body) {
        case .malformed(let why), .badToken(let why), .foreignCredential(let why): why
        case nil: "it passes"
        case let error?: "\(error)"
        }
    }

    @Test func `what is signed as it should be passes`() throws {
        #expect(try why(Client().head()) == "it passes")
        #expect(try why(Client().presigned()) == "it passes")
        #expect(try why(Client(body: [], service: "dynamodb").head(), body: []) == "it passes")
    }

    @Test func `host and every x-amz field must be signed`() throws {
        let rest = ["host", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-meta-a"]
        for name in rest {
            let client = Client(names: rest.filter { $0 != name })
            let expected =
                name == "host"
                ? "`host` is not among SignedHeaders" : "`\(name)` is there and not among SignedHeaders"
            #expect(try why(client.head()) == expected)
        }
        #expect(
            try why(Client(names: ["host"]).presigned())
                == "`x-amz-meta-a` is there and not among SignedHeaders")
        #expect(try why(Client(names: ["x-amz-meta-a"]).presigned()) == "`host` is not among SignedHeaders")
    }

    @Test func `other fields need not be signed, and do not change the call's caller`() throws {
        let client = Client(
            fields: [("user-agent", "x"), ("expect", "100-continue")],
            names: ["host", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"])
        #expect(try why(client.head()) == "it passes")
    }

    @Test func `signed fields are named once, sorted, in lower case, and are there`() throws {
        let right = "host;x-amz-content-sha256;x-amz-date;x-amz-meta-a;x-amz-security-token"
        #expect(try why(Client(list: right).head()) == "it passes")
        for (list, expected) in [
            ("x-amz-content-sha256;host;x-amz-date;x-amz-meta-a;x-amz-security-token", "sorted"),
            (right.replacing("host;", with: "host;host;"), "sorted"),
            (right.replacing("host", with: "Host"), "lower case"), (right + ";", "sorted"),
            (";" + right, "field names"), ("host", "not among"), ("", "field names"),
            (right + ";z", "`z` is among SignedHeaders and not there"),
        ] { #expect(try why(Client(list: list).head()).contains(expected), "\(list)") }
    }

    @Test func `the scope's day is that of the date, its end is aws4_request`() throws {
        #expect(try why(Client(day: "20261121").head()).contains("not the day of X-Amz-Date"))
        #expect(try why(Client(day: "20261121").presigned()).contains("not the day of X-Amz-Date"))
        #expect(try why(Client(terminator: "aws5_request").head()).contains("must read"))
        for timestamp in ["2026-11-22T08:31:00Z", "20261122T083100", "20261122T083160Z", "", "20261122"] {
            #expect(try why(Client(day: "20261122", timestamp: timestamp).head()).contains("X-Amz-Date must"))
        }
    }

    @Test func `no algorithm but AWS4-HMAC-SHA256`() throws {
        for algorithm in [
            "AWS4-HMAC-SHA1", "AWS4-ECDSA-P256-SHA256", "aws4-hmac-sha256", "AWS4-HMAC-SHA256X",
        ] {
            #expect(try refusal(Client(algorithm: algorithm).head()) != nil)
            #expect(try why(Client(algorithm: algorithm).presigned()).contains("X-Amz-Algorithm"))
        }
    }

    @Test func `a clock may be 15 minutes off and not a second more`() throws {
        let head = try Client().head()
        for skew in [-900, 0, 900] as [Int64] { #expect(try refusal(head, skew: skew) == nil) }
        #expect(try refusal(head, skew: 901) == .skewedClock(by: .seconds(901)))
        #expect(try refusal(head, skew: -901) == .skewedClock(by: .seconds(-901)))
    }

    @Test func `a presigned request is good until it ends, for 7 days at most`() throws {
        let head = try Client().presigned()
        for skew in [-900, 0, 599] as [Int64] { #expect(try refusal(head, skew: skew) == nil) }
        let end = SignedRequest.signed.advanced(by: .seconds(600))
        #expect(try refusal(head, skew: 600) == .presignedExpired(end))
        #expect(try refusal(head, skew: -901) == .skewedClock(by: .seconds(-901)))
        #expect(try why(Client().presigned(["X-Amz-Expires": "604800"])) == "it passes")
        for text in ["604801", "0", "-1", "", "6e2", "0000600", "+600"] as [String?] + [nil] {
            #expect(try why(Client().presigned(["X-Amz-Expires": text])).contains("X-Amz-Expires must"))
        }
    }

    @Test func `an issued key is good until its end`() throws {
        let head = try Client(expires: SignedRequest.signed.advanced(by: .seconds(60))).head()
        #expect(try refusal(head, age: 59) == nil)
        let end = SignedRequest.signed.advanced(by: .seconds(60))
        #expect(try refusal(head, age: 60) == .keyExpired(end))
        var keys = KeyRing(try hostKey())
        for (age, isGood) in [(0, true), (59, true), (60, false), (61, false)] as [(Int64, Bool)] {
            let now = SignedRequest.signed.advanced(by: .seconds(age))
            let found = try? identify(
                head, at: anyListener, keys: &keys, now: now, wall: SignedRequest.signed)
            #expect((found != nil) == isGood, "a kept key ends too")
        }
        // The wall clock set back revives nothing.
        #expect(try refusal(head, skew: -600, age: 60) == .keyExpired(end))
    }

    @Test func `a signature by another secret is refused before the body comes, or with it`() throws {
        let forms = [
            nil, "UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        ]
        for hash in forms {
            let head = try Client(hash: hash).head()
            let fields = head.fields.map { field in
                guard field.name == "authorization" else { return field }
                let last = field.value.hasSuffix("0") ? "1" : "0"
                return HeaderField(field.name, field.value.dropLast() + last)
            }
            let forged = RequestHead(method: head.method, target: head.target, fields: fields)
            #expect(try refusal(forged) == .wrongSignature, "\(hash ?? "stated")")
        }
    }

    @Test func `the stated hash is the body's`() throws {
        #expect(try refusal(Client().head(), body: Array("hellp".utf8)) == .wrongBody)
        #expect(try refusal(Client(hash: sha256("").hex).head()) == .wrongBody)
        #expect(try refusal(Client(hash: sha256("").hex).head(), body: []) == nil)
        #expect(
            try why(Client(hash: sha256("hello").hex.uppercased()).head()).contains("x-amz-content-sha256"))
        for hash in ["", "unsigned-payload", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "e3b0"] {
            #expect(try why(Client(hash: hash).head()).contains("x-amz-content-sha256 is neither"))
        }
    }

    @Test func `an unsigned payload is for S3, and elsewhere for what its model must allow`() throws {
        #expect(try why(Client(hash: "UNSIGNED-PAYLOAD").head()) == "it passes")
        #expect(try why(Client(service: "ebs", hash: "UNSIGNED-PAYLOAD").head()) == "it passes")
        for method in ["GET", "DELETE", "PATCH", "HEAD"] {
            let head = try Client(method: method, service: "lambda", hash: "UNSIGNED-PAYLOAD").head()
            #expect(try refusal(head) == .wrongBody)
            #expect(try refusal(head, body: []) == nil)
        }
        #expect(
            try why(Client(service: "kinesis", hash: "STREAMING-UNSIGNED-PAYLOAD-TRAILER").head())
                .contains("nor a form that kinesis takes"))
        #expect(try refusal(Client(hash: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD").head()) == .wrongBody)
    }

    @Test func `signed chunks go on from the head's signature, each and in order`() throws {
        let client = Client(hash: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
        let head = try client.head()
        guard case .issued(let signature) = try presented(head) else {
            Issue.record("no issued key")
            return
        }
        var keys = KeyRing(try hostKey())
        _ = try keys.caller(of: signature.id, token: signature.token, at: SignedRequest.signed)
        let key = try keys.signingKey(of: signature.id, in: signature.scope)
        func signatures(_ chunks: [[UInt8]], seed: [UInt8]) -> ChunkSignatures {
            var chain = ChunkChain(
                seed: seed, key: key, timestamp: signature.timestamp, scope: signature.scope)
            var made = ChunkSignatures()
            for chunk in chunks {
                made.append(
                    byteCount: chunk.count, signature: chunk.withUnsafeBytes { chain.sign(chunk: $0) })
            }
            return made
        }
        func passes(_ content: [UInt8], _ chunks: ChunkSignatures?) throws -> Bool {
            let signed = SignedRequest.signed
            let found = try identify(head, at: anyListener, keys: &keys, now: signed, wall: signed)
            return (try? found.caller(sending: [0], content: content, chunks: chunks)) != nil
        }
        let parts = [[1, 2], [3], []] as [[UInt8]]
        let right = signatures(parts, seed: signature.signature)
        #expect(try passes([1, 2, 3], right))
        #expect(try !passes([1, 2, 4], right))
        #expect(try !passes([1, 2, 3], nil))
        #expect(try !passes([1, 2, 3], signatures([[1, 2], [3]], seed: signature.signature)))
        #expect(try !passes([1, 2, 3], signatures(parts, seed: signature.signature.reversed())))
    }

    @Test func `a presigned request of another service than S3 signs its body`() throws {
        let client = Client(body: [], service: "sts")
        #expect(try refusal(client.presigned(payload: sha256("").hex), body: []) == nil)
        #expect(try refusal(client.presigned(payload: sha256("").hex), body: [0]) == .wrongSignature)
        #expect(try refusal(client.presigned(), body: []) == .wrongSignature)
    }

    @Test func `a key without its token, with two, or with another's is refused`() throws {
        let head = try Client().head()
        func with(_ fields: [HeaderField]) -> RequestHead {
            RequestHead(method: head.method, target: head.target, fields: fields)
        }
        let rest = head.fields.filter { $0.name != "x-amz-security-token" }
        let token = try #require(head["x-amz-security-token"])
        #expect(try why(with(rest)).contains("there is none"))
        #expect(try why(with(head.fields + [HeaderField("x-amz-s3session-token", token)])).contains("two"))
        #expect(try why(with(head.fields + [HeaderField("x-amz-security-token", token)])).contains("twice"))
        let other = try hostKey().issue(try identity(), id: IssuedKeyID(random: (9, 9))).sessionToken
        #expect(
            try why(with(rest + [HeaderField("x-amz-security-token", other.shownInTests)]))
                == "it was issued for another access key id")
        #expect(
            try why(Client().presigned(["X-Amz-Security-Token": nil])).contains("there is none"))
        let presigned = try Client().presigned()
        let doubled = RequestHead(
            method: "PUT", target: presigned.target,
            fields: presigned.fields + [HeaderField("x-amz-security-token", token)])
        #expect(try why(doubled).contains("must be in its query"))
    }

    @Test func `Connection takes no signed field away`() throws {
        let head = try Client().head()
        for value in ["X-Amz-Meta-A", "close, x-amz-meta-a", "keep-alive ,HOST"] {
            let fields = head.fields + [HeaderField("connection", value)]
            #expect(
                try why(RequestHead(method: "PUT", target: head.target, fields: fields)).contains(
                    "Connection names"))
        }
        let fields = head.fields + [HeaderField("connection", "keep-alive")]
        #expect(try why(RequestHead(method: "PUT", target: head.target, fields: fields)) == "it passes")
    }

    @Test func `two credentials, a key id that is nearly ours, and other spellings are refused`() throws {
        let header = try Client().head()
        let query = try Client().presigned()
        let both = RequestHead(
            method: "PUT", target: query.target,
            fields: query.fields + header.fields.filter { $0.name == "authorization" })
        #expect(try why(both).contains("another in the query"))
        #expect(
            try why(
                RequestHead(method: "PUT", target: query.target + "&AWSAccessKeyId=x", fields: query.fields)
            )
            .contains("two credentials"))
        for (name, other) in [
            ("X-Amz-Signature", "x-amz-signature"), ("X-Amz-Date", "X-Amz-date"),
            ("X-Amz-Credential", "X%2DAmz-Credential"), ("X-Amz-Expires", "X-AMZ-EXPIRES"),
        ] {
            let target = query.target.replacing(name + "=", with: other + "=")
            #expect(
                try why(RequestHead(method: "PUT", target: target, fields: query.fields)).contains("spells"))
        }
        let twice = query.target + "&X-Amz-Date=20261122T083100Z"
        #expect(try why(RequestHead(method: "PUT", target: twice, fields: query.fields)).contains("twice"))
        for id in ["CSAK", "CSAKAAAAAAAAAAAAAAA", "CSAKaaaaaaaaaaaaaaaa", "CSAKAAAAAAAAAAAAAAAA0"] {
            let head = RequestHead(
                method: "GET", target: "/",
                fields: [
                    HeaderField(
                        "authorization",
                        "AWS4-HMAC-SHA256 Credential=\(id)/20261122/eu-west-1/s3/aws4_request, "
                            + "SignedHeaders=host, Signature=00")
                ])
            #expect(try why(head).contains("and is none"))
        }
    }

    @Test(
        "an Authorization of other than its three fields is refused",
        arguments: [
            ("Signature=", "Signature=0"), (", SignedHeaders", ", SignedHeaders=host, SignedHeaders"),
            (", SignedHeaders", ", Extra=1, SignedHeaders"), ("Credential=", "credential="),
            (", SignedHeaders", ",, SignedHeaders"), (", SignedHeaders", "; SignedHeaders"),
            (", SignedHeaders", " SignedHeaders"), ("SHA256 ", "SHA256,"),
        ])
    func authorization(_ part: String, _ other: String) throws {
        let head = try Client().head()
        let fields = head.fields.map { field in
            field.name == "authorization"
                ? HeaderField(field.name, field.value.replacing(part, with: other)) : field
        }
        #expect(try refusal(RequestHead(method: "PUT", target: head.target, fields: fields)) != nil)
    }

    @Test func `an old presigned URL is good for this machine's plain name and for what it signs`() throws {
        var keys = KeyRing(try hostKey())
        let right = try SignedRequest.named("old-url-acl")
        func why(_ request: SignedRequest, skew: Int64 = 0) -> IdentificationError? {
            do throws(IdentificationError) {
                _ = try request.caller(&keys, skew: skew)
                return nil
            } catch { return error }
        }
        #expect(why(right) == nil)
        #expect(why(right.changing("host") { _ in "localhost:1" }) == nil)
        #expect(why(right, skew: 604_799) == nil)
        #expect(
            why(right, skew: 604_800)
                == .presignedExpired(SignedRequest.signed.advanced(by: .seconds(604_800))))
        for host in ["bucket-2.localhost:8990", "bucket-2.s3.amazonaws.com", ""] {
            guard case .malformed? = why(right.changing("host") { _ in host }) else {
                Issue.record("\(host) passes")
                continue
            }
        }
        // What version 2 leaves out of its signature must not be there at all.
        for added in ["prefix=a", "list-type=2", "x-id=GetObject", "max-keys=1"] {
            guard case .malformed(let why)? = why(right.targeting { $0 + "&" + added }) else {
                Issue.record("\(added) passes")
                continue
            }
            #expect(why.contains("s3v4"))
        }
        for added in ["versionId=1", "x-amz-acl=public-read", "acl", "Expires=9999999999", "content-md5=x"] {
            #expect(why(right.targeting { $0 + "&" + added }) != nil, "\(added)")
        }
        #expect(why(right.adding("x-amz-acl", "public-read")) == .wrongSignature)
        #expect(why(right.adding("content-type", "text/html")) == .wrongSignature)
    }

    @Test func `what is kept of keys and scopes is bounded, and changes no answer`() throws {
        var keys = KeyRing(try hostKey())
        let key = try hostKey()
        for number in 0..<(KeyRing.keyCountMax + 10) {
            let id = IssuedKeyID(random: (UInt64(number), 5))
            let issued = key.issue(try identity(), id: id)
            for _ in 0..<2 {
                #expect(
                    try keys.caller(
                        of: id, token: issued.sessionToken.shownInTests, at: SignedRequest.signed
                    ).agent.text == "support-7")
            }
            #expect(throws: IdentificationError.self) {
                try keys.caller(
                    of: id, token: issued.sessionToken.shownInTests + "A", at: SignedRequest.signed)
            }
            for service in 0..<(number == 0 ? KeyRing.scopeCountMax + 3 : 2) {
                let scope = SigningScope(day: "20261122", region: "eu-west-1", service: "s\(service)")
                let right = hmacSHA256(key: signingKey(of: issued.secretKey, in: scope), "x".utf8)
                for _ in 0..<2 {
                    #expect(try keys.signingKey(of: id, in: scope).authenticate("x".utf8) == right)
                }
            }
        }
        #expect(keys.count == KeyRing.keyCountMax)
    }
}
