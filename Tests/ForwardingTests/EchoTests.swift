import Testing
import Vocabulary

@testable import Forwarding

@Suite("Echoes") struct EchoTests {
    @Test func `every spelling of our token, key id and signature is taken out`() {
        let needles = EchoRedaction.needles(in: [
            HeaderField("x-amz-security-token", "to/k+en=="),
            HeaderField(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/1/r/s/x, SignedHeaders=a, Signature=0123abcd"
            ),
        ])
        let spellings = [
            "to/k+en==", "to%2Fk%2Ben%3D%3D", "to%2fk+en%3d=", #"to\/k+en=="#,
            #"to\u002fk\u002Ben\u003d\u003D"#,
            "to&#47;k&#x2b;en&#x3D;&#0061;", #"\u0074o/k+en=="#, "AKIDEXAMPLE", "%41KIDEXAMPLE",
            "&#65;KIDEXAMPLE",
            "0123abcd",
        ]
        for spelling in spellings {
            for (before, after) in [
                ("", ""), ("a ", " b"), ("%", "%"), (#"\"#, #"\u00"#), ("&#", "&#6"), ("to/k", "to"),
            ] {
                let body = Array((before + spelling + after).utf8)
                let out = String(decoding: EchoRedaction.redact(body, needles: needles), as: UTF8.self)
                #expect(out == before + "[redacted]" + after)
            }
        }
    }

    @Test(
        "what only resembles our own is left alone",
        arguments: [
            "AKIDOTHER", "to/k+en=", "%41KIDEXAMPL", #"\u0041KIDEXAMPL"#, #"\u004"#, "%4", "&#65", "&#;",
            "&;", "&",
            "\\", "%", "&#+65;KIDEXAMPLE", "%+1KIDEXAMPLE", "0123ABCD", "to%252Fk+en==", #"0123abc\u64"#,
            "0123abc%6",
        ])
    func neighbor(_ body: String) {
        let needles = ["to/k+en==", "AKIDEXAMPLE", "0123abcd"].map { Array($0.utf8) }
        #expect(
            String(decoding: EchoRedaction.redact(Array(body.utf8), needles: needles), as: UTF8.self) == body)
    }

    @Test(
        "a quoted canonical request is taken out, the rest stays",
        arguments: [
            (
                "<E><CanonicalRequest>GET\n/</CanonicalRequest><A>b</A></E>",
                "<E><CanonicalRequest>[redacted]</CanonicalRequest><A>b</A></E>"
            ),
            ("<E><StringToSign>never closed", "<E><StringToSign>[redacted]"),
            (
                #"{"m":"no.\n\nThe Canonical String for this request should have been\n'A\n\"x\"'","a":1}"#,
                #"{"m":"no.\n\n[redacted]","a":1}"#
            ),
            ("The Canonical String for this request should have been\\", "[redacted]"), ("{}", "{}"),
            ("", ""),
        ])
    func canonical(_ body: String, _ redacted: String) {
        #expect(
            String(decoding: EchoRedaction.redact(Array(body.utf8), needles: []), as: UTF8.self) == redacted)
    }

    @Test("the fields of an error reply are redacted, also those of HEAD", arguments: ["GET", "HEAD"])
    func fields(_ method: String) async throws {
        let server = RawServer(
            answering(
                "HTTP/1.1 403 F\r\nx-amzn-ErrorMessage: key AKIDEXAMPLE, token a%2Fb+c=\r\n"
                    + "Content-Length: 0\r\n\r\n"))
        try await withForwarder { forwarder in
            let sink = try await forwarder.exchange(
                Sample(method: method, token: "a/b+c="), with: server.authority)
            #expect(sink.outcome?.kind == .answered)
            #expect(
                sink.head?.fields == [HeaderField("x-amzn-errormessage", "key [redacted], token [redacted]")])
        }
    }

    @Test func `an error reply that is compressed cannot be redacted and is not passed on`() async throws {
        for encoding in ["gzip", "br", "aws-chunked"] {
            let server = RawServer(
                answering("HTTP/1.1 403 F\r\nContent-Encoding: \(encoding)\r\nContent-Length: 2\r\n\r\nok"))
            try await withForwarder { forwarder in
                let sink = try await forwarder.exchange(Sample(), with: server.authority)
                #expect(sink.outcome?.kind == .unknown && sink.outcome?.status == 403)
                #expect(sink.head == nil && sink.body.isEmpty)
            }
        }
    }
}

@Suite("Credential watch") struct CredentialWatchTests {
    private func sees(_ pieces: [String]) -> Bool {
        var watch = CredentialWatch()
        for piece in pieces { Array(piece.utf8).withUnsafeBytes { watch.look(at: $0) } }
        return watch.hasSeenAny
    }

    @Test(
        "the names of keys are seen, wherever the pieces are cut",
        arguments: ["SecretAccessKey", "sessionToken"])
    func seen(_ word: String) {
        let body = #"{"Credentials":{""# + word + #"":"x"}}"#
        for size in 1...body.utf8.count {
            var (pieces, rest): ([String], Substring) = ([], body[...])
            while !rest.isEmpty {
                pieces.append(String(rest.prefix(size)))
                rest = rest.dropFirst(size)
            }
            #expect(sees(pieces))
        }
        #expect(sees(["", String(repeating: "x", count: 100_000), body]))
    }

    @Test func `other words are not`() {
        for body in ["", "SecretAccessKe", "AccessKey", "Session", "Token", "secret access key"] {
            #expect(!sees([body]) && !sees(body.map { String($0) }))
        }
        #expect(!sees(["SessionTok", "SessionTok", "Secret", "Key"]))
    }

    @Test(
        "a reply that holds credentials says so in its outcome",
        arguments: [
            (#"{"SessionToken":"a"}"#, true), (#"{"Session":"a"}"#, false),
        ])
    func outcome(_ body: String, _ holds: Bool) async throws {
        let server = RawServer(
            answering("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"))
        try await withForwarder { forwarder in
            let sink = try await forwarder.exchange(Sample(), with: server.authority)
            #expect(sink.outcome?.holdsCredentials == holds)
            #expect(sink.body == Array(body.utf8))
        }
    }
}
