import Recognizing
import Testing
import Vocabulary

@Suite("Body plan") struct BodyPlanTests {
    private func plan(_ fields: [(String, String)], method: String = "PUT") throws -> BodyPlan {
        let head = RequestHead(
            method: method, target: "/bucket/key", fields: fields.map { HeaderField($0.0, $0.1) })
        return try bodyPlan(head, setting: RecognitionSetting(account: nil, region: nil))
    }

    @Test(
        "a body is read whole, none is read when none is announced",
        arguments: [
            ([], .none), ([("content-length", "0")], .none),
            ([("content-length", "1")], .whole(byteCountMax: bodyByteCountMax)),
            ([("content-length", "10485760")], .whole(byteCountMax: bodyByteCountMax)),
            ([("transfer-encoding", "chunked")], .whole(byteCountMax: bodyByteCountMax)),
            // The encoding of an object is metadata; whether another body may have one is decided later.
            (
                [("content-encoding", "gzip"), ("content-length", "9")],
                .whole(byteCountMax: bodyByteCountMax)
            ),
            (
                [("x-amz-content-sha256", String(repeating: "a", count: 64)), ("content-length", "9")],
                .whole(byteCountMax: bodyByteCountMax)
            ),
        ] as [([(String, String)], BodyPlan)])
    func plans(_ fields: [(String, String)], _ expected: BodyPlan) throws {
        #expect(try plan(fields) == expected)
    }

    @Test func `a body one byte over 10 MiB is refused by its length alone`() {
        #expect(throws: RecognitionError.bodyTooLarge(limit: 10_485_760)) {
            try plan([("content-length", "10485761")])
        }
        #expect(RecognitionError.bodyTooLarge(limit: 1).status == 413)
    }

    @Test func `an unsigned payload is read whole; whether it may be one, its operation says`() throws {
        #expect(
            try plan([("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), ("content-length", "5")])
                == .whole(byteCountMax: 10 << 20))
    }

    @Test func `an unsigned payload of a read is none`() throws {
        #expect(try plan([("x-amz-content-sha256", "UNSIGNED-PAYLOAD")], method: "GET") == .none)
    }
}
