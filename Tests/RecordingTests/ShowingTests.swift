import Deciding
import Hashing
import Testing
import Vocabulary

@testable import Recording

@Suite("Recording: what is recorded and shown") struct ShowingTests {
    // MARK: - Secrets

    @Test(
        "no value of a secret's name is recorded",
        arguments: [
            #"{"SecretString":"canary"}"#, #"{"x-api-key":"canary"}"#, #"{"MasterUserPassword":"canary"}"#,
            #"{"Plaintext":"canary"}"#,
            #"{"a":[{"b":{"password":{"S":"canary"}}}]}"#, #"{"PrivateKey":"canary"}"#,
            #"{"AuthToken":"canary"}"#,
            #"{"Name":"x","Value":"canary","Type":"SecureString"}"#,
            #"{"Name":"x","Value":"canary","Overwrite":true}"#,
            #"{"Environment":{"Variables":{"NAME":"canary","key":"canary"}}}"#,
            #"{"environment":[{"name":"DB","value":"canary"}]}"#, #"{"client_secret":"canary"}"#,
            #"{"environmentVariablesOverride":[{"name":"DB","value":"canary","type":"PLAINTEXT"}]}"#,
            #"{"db-password":"canary"}"#, #"{"SecretBinary":"canary","x":{"Credentials":{"a":"canary"}}}"#,
        ])
    func secret(_ text: String) throws {
        let kept = redacted(try JSON(parsing: Array(text.utf8))).text
        #expect(!kept.contains("canary"))
        #expect(kept.contains(#"{"redacted":"#))
        #expect(!kept.contains(sha256("canary").hex), "a short secret can be guessed from its hash")
    }

    @Test func `what names a secret, or says yes or no, is kept`() throws {
        let text =
            #"{"SecretId":"x","NextToken":"t","PasswordResetRequired":true,"Value":"v","Type":"String"}"#
        #expect(redacted(try JSON(parsing: Array(text.utf8))).text == text)
    }

    @Test func `a long text keeps its beginning, length and digest; the whole keeps its limit`() throws {
        let long = String(repeating: "y", count: Redaction.textByteCountMax)
        #expect(redacted(["a": .string(long)]) == ["a": .string(long)])
        let cut = redacted(["a": .string(long + "y")])
        #expect(cut["a"]?["bytes"] == 4_097)
        #expect(cut["a"]?["digest"]?.string == sha256(long + "y").description)
        let many = JSON.object((0..<20).map { JSON.Member("a\($0)", .string(long)) })
        #expect(redacted(many)["omitted_bytes"] != nil)
        #expect(redacted(many).line.count < 200)
    }

    @Test func `parameters as deep as a body may be still make an entry that is read back`() async throws {
        var deep: JSON = "bottom"
        for _ in 1..<JSON.depthMax { deep = .array([deep]) }
        let folder = try Folder()
        let log = try RequestLog.test(folder)
        let body = [
            JSON.Member("approval", "apr-7Q2MK4XD"), JSON.Member("what", ["parameters": redacted(deep)]),
        ]
        let entry = try #require(Entry.change("approval", at: moment(), body: body))
        _ = try await log.appended(entry).get()
        let raw = try #require(
            Entry.change("approval", at: moment(), body: [JSON.Member("what", ["parameters": deep])]))
        #expect(await log.appended(raw) == .failure(.unreadableEntry(.approval)))
        let twice = try #require(
            Entry.change("review", at: moment(), body: [JSON.Member("by", "a"), JSON.Member("by", "b")]))
        #expect(await log.appended(twice) == .failure(.unreadableEntry(.review)))
        log.stop()
        #expect(try verify(folder: folder.path).count == 1)
        #expect(Entry.change("request", at: moment(), body: []) == nil)
    }

    @Test func `a call of a thousand pairs fits, with their count and digest`() async throws {
        let pairs = (0..<1_000).map { number in
            Sample.pair(
                "DeleteItem", level: .write,
                resource: Resource("arn:aws:s3:::bucket/" + String(repeating: "k", count: 200) + "\(number)"))
        }
        let folder = try Folder()
        let log = try RequestLog.test(folder)
        let meaning = Sample.meaning("DeleteItem", level: .write, pairs: pairs)
        let id = try await log.appended(Sample.reservation(mutates: true, meaning: meaning)).get()
        let all = JSON.array(pairs.map(\.logged))
        let what: JSON = ["pairs": all, "parameters": ["x": "y"]]
        let card = try #require(
            Entry.change(
                "approval", at: moment(), body: [JSON.Member("what", what), JSON.Member("pairs", all)]))
        _ = try await log.appended(card).get()
        log.stop()
        var entries = try LogEntries(folder: folder.path)
        let request = try #require(try entries.next())
        #expect(request.id == id)
        #expect(request["pair_count"] == 1_000)
        #expect(request["pairs_digest"]?.string == sha256(all.line).description)
        #expect((request["pairs"]?.array?.count ?? 0) > 50)
        let approval = try #require(try entries.next())
        #expect(approval["pair_count"] == 1_000)
        #expect(approval["what"]?["pair_count"] == 1_000)
        #expect(approval["what"]?["parameters"]?["omitted_bytes"] != nil)
    }

    @Test func `what a client says of itself is bounded`() async throws {
        let folder = try Folder()
        let log = try RequestLog.test(folder)
        let long = String(repeating: "é", count: 20_000)
        let answer = Answer<Result<EntryID, LogError>>()
        log.append(
            try Sample.reservation(),
            facts: RequestFacts(invocation: long, attempt: 1, peer: long, userAgent: long, accessKeyID: long)
        ) { answer.set($0) }
        _ = try await answer.value.get()
        log.stop()
        #expect(try folder.bytes("000001.jsonl").count < 4_096)
        #expect(try verify(folder: folder.path).isSound)
    }

    // MARK: - Text for people

    private func line(_ entry: Entry, color: Bool = false) throws -> String? {
        var bytes: [UInt8] = []
        LogLine.bytes(seq: 1, prev: LogLine.origin, body: LogLine.body(of: entry), into: &bytes)
        var rendering = Rendering(color: color)
        return rendering.line(for: try StoredEntry(line: bytes))
    }

    @Test func `nothing an agent writes can break, hide or reorder a line`() throws {
        let hostile = "a\u{1B}[2K\u{202E}b\u{200B}\u{2028}\nc\u{7F}\u{FEFF}\u{E000}"
        let shown = try #require(try line(.fault(at: moment(), step: hostile, error: hostile)))
        #expect(shown.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value < 0x7F })
        #expect(shown.contains(#"\u{1b}[2K\u{202e}b\u{200b}\u{2028}\u{a}c\u{7f}\u{feff}\u{e000}"#))
        #expect(try line(.fault(at: moment(), step: "Füße", error: "名前"))?.contains("Füße: 名前") == true)
    }

    @Test func `color is there only when it is asked for, and only around our own words`() throws {
        let entry = Entry.fault(at: moment(), step: "x", error: "y")
        #expect(try line(entry) == "09:12:03 fault   -          x: y")
        #expect(try line(entry, color: true) == "09:12:03 \u{1B}[31mfault  \u{1B}[0m -          x: y")
    }

    @Test func `a long text keeps its beginning and its end`() throws {
        let name = "arn:aws:s3:::bucket/" + String(repeating: "x", count: 300) + "/last.txt"
        let text = bounded(resourcePart(name))
        #expect(text.count == 80)
        #expect(text.hasPrefix("bucket/xxx"))
        #expect(text.hasSuffix("/last.txt"))
    }

    @Test func `an outcome whose request is not known still names its entry`() throws {
        let entry = Entry.outcome(
            Sample.answered, of: EntryID(seq: 7), request: RequestID(random: 1), at: moment())
        #expect(try line(entry) == "09:12:03 sent    -          200 23 ms aws:0T6K entry 7")
    }

    @Test func `an answer that holds credentials says so`() throws {
        let answered = Sample.answered
        let outcome = Outcome(
            kind: .answered, status: 200, awsRequestID: "0T6K", awsExtendedRequestID: nil, error: nil,
            bytesSent: answered.bytesSent, bytesReceived: answered.bytesReceived, elapsed: answered.elapsed,
            holdsCredentials: true)
        let entry = Entry.outcome(outcome, of: EntryID(seq: 7), request: RequestID(random: 1), at: moment())
        #expect(
            try line(entry)
                == "09:12:03 sent    -          200 23 ms aws:0T6K, the reply holds credentials entry 7")
    }

    @Test func `each id of an approval tells the same story, another id tells none`() async throws {
        let folder = try Folder()
        let log = try RequestLog.test(folder)
        try await Journey.write(to: log)
        log.stop()
        let told = try story(of: Journey.approval, folder: folder.path)
        #expect(told.count == 6)
        #expect(
            told.map { String($0.prefix(8)) } == [
                "who     ", "what    ", "why now ", "decided ", "grant   ", "then    ",
            ])
        #expect(try story(of: Journey.grant, folder: folder.path) == told)
        #expect(try story(of: RequestID(random: 42_202).text, folder: folder.path) == told)
        #expect(try story(of: "apr-00000000", folder: folder.path).isEmpty)
        let read = try story(of: RequestID(random: 20).text, folder: folder.path)
        #expect(read.contains("decided  allowed by orders/Read, nobody was asked"))
        let refused = try story(of: RequestID(random: 3).text, folder: folder.path)
        #expect(refused.contains("decided  AccessDeniedException by default"))
        #expect(refused.contains("then     nothing was sent to AWS"))
    }
}
