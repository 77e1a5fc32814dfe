import Deciding
@testable import Recognizing
import Testing
import Vocabulary

@testable import Recording

/// The call of `form` to STS.
private func call(_ form: String) throws -> Call {
    let request = InboundRequest(
        head: RequestHead(
            method: "POST", target: "/_aws/sts/us-east-1/",
            fields: [
                HeaderField("host", "127.0.0.1"),
                HeaderField("content-type", "application/x-www-form-urlencoded"),
            ]), body: Array("\(form)&Version=2011-06-15".utf8))
    return try recognize(
        request, caller: Sample.caller(), setting: RecognitionSetting(account: nil, region: nil))
}

private let assume =
    "Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fgateway&RoleSessionName=a@b"

@Suite("Recording: calls of the gateway's own") struct OwnCallTests {
    private func own(_ form: String, isSigned: Bool = true) throws -> OwnCall {
        try OwnCall(
            call(form), request: RequestID(random: 7),
            signature: isSigned ? .signed(accessKeyID: "AKIAOWN") : .none, purpose: "credentials of the test")
    }

    @Test func `it is cleared once it is written, and once`() async throws {
        let folder = try Folder()
        let log = try RequestLog.test(folder)
        defer { log.stop() }
        let answer = Answer<Result<EntryID, LogError>>()
        log.append(try own(assume), at: moment()) { answer.set($0) }
        let id = try await answer.value.get()
        #expect(try log.clear(id).entry == id)
        #expect(throws: LogError.notHeld(id)) { _ = try log.clear(id) }
        let line = try #require(try folder.lines().first)
        for mark in [
            #""type":"own-call""#, #""purpose":"credentials of the test""#, #""operation":"AssumeRole""#,
            #""RoleArn":"arn:aws:iam::111122223333:role/gateway""#, #""access_key_id":"AKIAOWN""#,
            #""host":"sts.us-east-1.amazonaws.com""#,
        ] { #expect(line.contains(mark), "\(mark) in \(line)") }
    }

    @Test func `one that is not signed is never cleared, and its token is not written`() async throws {
        let folder = try Folder()
        let log = try RequestLog.test(folder)
        defer { log.stop() }
        let form =
            assume.replacing("AssumeRole&", with: "AssumeRoleWithWebIdentity&")
            + "&WebIdentityToken=canary.tok"
        let answer = Answer<Result<EntryID, LogError>>()
        log.append(try own(form, isSigned: false), at: moment()) { answer.set($0) }
        let id = try await answer.value.get()
        #expect(throws: LogError.notHeld(id)) { _ = try log.clear(id) }
        let line = try #require(try folder.lines().first)
        #expect(!line.contains("canary") && line.contains(#""WebIdentityToken":{"redacted":10}"#), "\(line)")
    }

    @Test func `nothing but its few operations is made so`() throws {
        let decode = "Action=DecodeAuthorizationMessage&EncodedMessage=a"
        #expect(throws: LogError.notOwn("sts:DecodeAuthorizationMessage")) { try own(decode) }
        #expect(throws: LogError.notOwn("sts:AssumeRole")) { try own(assume, isSigned: false) }
        #expect(throws: LogError.notOwn("sts:AssumeRoleWithWebIdentity")) {
            try own(
                assume.replacing("AssumeRole&", with: "AssumeRoleWithWebIdentity&") + "&WebIdentityToken=a.b")
        }
        #expect(throws: LogError.notOwn("dynamodb:GetItem")) {
            try OwnCall(
                Call(meaning: Sample.meaning(), sealed: Sample.sealed()), request: RequestID(random: 7),
                signature: .signed(accessKeyID: "AKIAOWN"), purpose: "none")
        }
    }

    @Test func `it and its outcome show as one line`() async throws {
        let folder = try Folder()
        let log = try RequestLog.test(folder)
        let answer = Answer<Result<EntryID, LogError>>()
        log.append(try own(assume), at: moment()) { answer.set($0) }
        let id = try await answer.value.get()
        _ = await log.appended(
            .outcome(Sample.answered, of: id, request: RequestID(random: 7), at: moment(23)))
        log.stop()
        var rendering = Rendering()
        var entries = try LogEntries(folder: folder.path)
        var lines: [String] = []
        while let entry = try entries.next() {
            if let line = rendering.line(for: entry) { lines.append(line) }
        }
        #expect(
            lines == [
                "09:12:03 own     -          sts:AssumeRole role/gateway  200 23 ms aws:0T6K, "
                    + "credentials of the test"
            ])
    }
}
