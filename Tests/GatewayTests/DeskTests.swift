import Deciding
import Recognizing
import SigV4
import Testing
import Vocabulary

@testable import Gateway

private func key(_ invocation: String) throws -> SendKey {
    SendKey(
        agent: try AgentName(parsing: "a"), session: SessionID(random: 1),
        digest: try #require(Digest(bytes: Array(repeating: 1, count: 32))), invocation: invocation)
}

private let reply = StoredReply(status: 200, fields: [], body: [])

@Suite("Sent uses") struct SentBookTests {
    @Test func `an outcome is kept for ten minutes from when it came, however long the call took`() throws {
        var book = SentBook()
        book.begin(try key("1"), at: noon)
        book.finish(try key("1"), .stored(reply), at: after(900))
        book.begin(try key("2"), at: after(1_500))
        #expect(try book[key("1")] == .stored(reply))
        book.begin(try key("3"), at: after(1_501))
        #expect(try book[key("1")] == nil)
        #expect(try book[key("2")] == .inFlight)
    }

    @Test func `at most 1,024 outcomes are kept, the oldest goes first`() throws {
        var book = SentBook()
        for number in 1...1_024 {
            book.begin(try key("\(number)"), at: noon)
            book.finish(try key("\(number)"), .unknown, at: noon)
        }
        #expect(try book[key("1")] == .unknown)
        book.finish(try key("more"), .unknown, at: noon)
        #expect(try book[key("1")] == nil)
        #expect(try book[key("2")] == .unknown)
    }

    @Test func `what is in flight is never forgotten, and keeps nothing else`() throws {
        var book = SentBook()
        book.begin(try key("slow"), at: noon)
        for number in 1...2_000 {
            book.begin(try key("\(number)"), at: after(Int64(number)))
            book.finish(try key("\(number)"), .unknown, at: after(Int64(number)))
        }
        #expect(try book[key("slow")] == .inFlight)
        #expect(try book[key("1")] == nil)
    }

    @Test func `one that was freed and sent again is as old as its last outcome`() throws {
        var book = SentBook()
        book.begin(try key("1"), at: noon)
        book.finish(try key("1"), nil, at: after(1))
        #expect(try book[key("1")] == nil)
        book.finish(try key("1"), .unknown, at: after(2))
        book.begin(try key("1"), at: after(500))
        book.finish(try key("1"), .stored(reply), at: after(500))
        book.begin(try key("2"), at: after(1_000))
        #expect(try book[key("1")] == .stored(reply))
    }
}

@Suite("Hold time") struct HoldTimeTests {
    @Test(arguments: [
        ("aws-cli/1.45.11 md/Botocore#1.43.11 ua/2.1", 50), ("Boto3/1.43.11 md/Botocore#1.43.11", 50),
        ("Botocore/1.43.11", 50), ("aiobotocore/2.9 md/Botocore#1.33", 10),
        ("APN/1.0 HashiCorp/1.0 Terraform/1.9.0 aws-sdk-go-v2/1.30", 110), ("aws-sdk-java/2.25 Linux", 25),
        ("CRTS3NativeClient/0.1.x platform/unix", 25), ("aws-sdk-rust/1.3 os/linux", 25),
        ("aws-sdk-cpp/1.11 ua/2.0", 2), ("aws-sdk-go-v2/1.30 os/linux", 15), ("MinIO (Linux)", 15), ("", 15),
    ])
    func `each client is held as long as it was measured to bear`(_ userAgent: String, _ seconds: Int) {
        let terms = ApprovalTerms(quorums: [])
        #expect(holdTime(terms, client: userAgent) == .seconds(seconds))
        #expect(holdTime(terms, client: nil) == .seconds(15))
        let fixed = ApprovalTerms(quorums: [], hold: .fixed(.seconds(3)))
        #expect(holdTime(fixed, client: userAgent) == .seconds(3), "what the statement says goes before")
    }
}

@Suite("Clock") struct ClockTests {
    @Test func `it goes on from the last moment of the log, never before it`() {
        let clock = Clock()
        let now = clock.now
        #expect(clock.begin(notBefore: nil) == .zero && clock.begin(notBefore: now) == .zero)
        let ahead = now.advanced(by: .seconds(3_600))
        #expect(clock.begin(notBefore: ahead) > .seconds(3_500))
        #expect(clock.now >= ahead && clock.now.since(ahead) < .seconds(60))
        #expect(clock.wall.since(now) < .seconds(60), "what AWS is told is the wall clock's")
    }
}

@Suite("AWS's answers") struct UpstreamAnswerTests {
    private func reply(_ status: Int, _ body: String, _ fields: [HeaderField] = []) -> StoredReply {
        StoredReply(status: status, fields: fields, body: Array(body.utf8))
    }

    @Test func `the error's code is found in every form`() {
        #expect(errorCode(reply(400, "{\"__type\":\"com.amazon#SlowDown\"}")) == "SlowDown")
        #expect(errorCode(reply(400, "{\"code\":\"A:http://x\"}")) == "A")
        #expect(errorCode(reply(400, "<Error><Code>B</Code></Error>")) == "B")
        #expect(errorCode(reply(400, "{}", [HeaderField("x-amzn-errortype", "C:x")])) == "C")
        #expect(errorCode(reply(400, "{\"__type\":")) == nil && errorCode(reply(400, "")) == nil)
    }

    @Test func `throttling frees the use, other errors do not`() {
        #expect(isThrottled(reply(400, "{\"__type\":\"ThrottlingException\"}")))
        #expect(isThrottled(reply(503, "<Error><Code>SlowDown</Code></Error>")))
        #expect(!isThrottled(reply(200, "{\"__type\":\"ThrottlingException\"}")))
        #expect(!isThrottled(reply(500, "{\"__type\":\"ThrottlingException\"}")))
        #expect(!isThrottled(reply(400, "{\"__type\":\"LimitExceededException\"}")))
        #expect(!isThrottled(reply(503, "")))
    }

    @Test func `a refusal of the gateway's own key is the operator's`() {
        let text =
            "<Error><Code>SignatureDoesNotMatch</Code><CanonicalRequest>secret</CanonicalRequest></Error>"
        #expect(credentialFault(reply(403, text)) == "SignatureDoesNotMatch")
        #expect(
            credentialFault(reply(400, "{\"__type\":\"ExpiredTokenException\"}")) == "ExpiredTokenException")
        #expect(credentialFault(reply(403, "<Error><Code>AccessDenied</Code></Error>")) == nil)
        #expect(credentialFault(reply(500, text)) == nil)
    }
}
