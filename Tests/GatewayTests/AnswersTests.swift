import Approving
import Deciding
import Identifying
import Recognizing
import Testing
import Vocabulary

@testable import Gateway

/// A pending delete at its desk.
private func pending(at now: Instant = noon, key: String = "o-91") throws -> (Walk, Desk) {
    var (walk, desk) = (Walk(key: key), try makeDesk())
    try walk.waits(1, &desk, at: now)
    return (walk, desk)
}

private let id = ApprovalID(random: 1)
private let json10 = AnswerShape(wireProtocol: .awsJSON10, isS3: false, isQueryCompatible: false)

private func answer(_ rebuff: Rebuff, _ desk: Desk, at now: Instant = after(1), _ shape: AnswerShape = json10)
    -> Answer
{
    words(for: rebuff, desk: desk, now: now, shape: shape)
}

@Suite("Answers") struct AnswersTests {
    // MARK: Words

    @Test func `a call that waits is told what it waits for, and that nothing was sent`() throws {
        let (_, desk) = try pending()
        let told = answer(.waiting(id), desk, at: after(60))
        #expect(told.status == 403 && told.code == "ApprovalRequired")
        #expect(
            told.message
                == "Countersign is holding this call for a human; nothing was sent to AWS. Approval \(id): "
                + "dynamodb:DeleteItem on table/orders, asked by orders/DeletesAsk, decided by oncall, "
                + "open 29 min more. Repeating exactly this call waits for the answer and runs it once if "
                + "approved; a changed call is a new request.")
        #expect(answer(.waiting(id), desk, at: after(120)).code == "ApprovalPending")
    }

    @Test func `each end of an approval has its words`() throws {
        let (_, waiting) = try pending()
        var desk = waiting
        try desk.review(1, .deny)
        let denied = answer(.alreadyDenied(id), desk, at: after(10))
        #expect(denied.code == "ApprovalDenied" && denied.message.contains("was denied by alice"))
        #expect(denied.message.hasPrefix("Countersign sent nothing to AWS."))
        for (state, mark) in [
            (Approval.State.expired, "expired before anyone"), (.withdrawn, "was withdrawn"),
        ] {
            desk = waiting
            desk.room.apply(.ended(id, state, at: after(10)))
            let told = answer(.ended(id), desk, at: after(10))
            #expect(told.code == "ApprovalExpired" && told.message.contains(mark))
        }
        desk = waiting
        try desk.review(1)
        #expect(answer(.ended(id), desk).message.contains("its grant is used up or over"))
        #expect(answer(.ended(ApprovalID(random: 9)), desk).message.contains("is over; nothing was sent"))
    }

    @Test func `a reached limit is named, with when there is room again`() throws {
        var desk = try makeDesk(
            standing.replacing(
                "\"dynamodb:GetItem\", Resource: \"*\"}",
                with: "\"dynamodb:GetItem\", Resource: \"*\", Limit: {Calls: 1, Per: 1m}}"))
        var (first, second) = (Walk("GetItem"), Walk("GetItem", number: 2))
        #expect(try first.arrive(&desk) == "record, 0 uses")
        let action = try second.arrive(&desk, at: after(15))
        #expect(action == "refuse: denied")
        let caller = try #require(second.corridor.caller)
        let call = try #require(second.corridor.call)
        guard case .deny(let denial) = desk.decide(call.meaning, caller: caller, at: after(15)) else {
            throw Unexpected()
        }
        #expect(
            answer(.denied(denial, caller), desk).message.contains(
                "dynamodb:GetItem on arn:aws:dynamodb:us-east-1:111122223333:table/orders (limit of 1 call "
                    + "a minute of orders/Read reached for this agent, room again in 46 s)."))
    }

    @Test func `a call that waits beyond a limit is told which`() throws {
        var desk = try makeDesk(
            standing.replacing(
                "\"dynamodb:GetItem\", Resource: \"*\"}",
                with: "\"dynamodb:GetItem\", Resource: \"*\", "
                    + "Limit: {Calls: 1, Per: 1m, Beyond: ask}, Approval: {Approvers: [oncall], Hold: 20s}}"))
        var (first, second) = (Walk("GetItem"), Walk("GetItem", number: 2))
        #expect(try first.arrive(&desk) == "record, 0 uses")
        try second.waits(1, &desk, at: after(15))
        let told = answer(.waiting(id), desk, at: after(16)).message
        #expect(
            told.contains(
                "asked by orders/Read (limit of 1 call a minute of orders/Read reached for this agent), "
                    + "decided by oncall"))
        let approval = try #require(desk.room[id])
        let read = try ApprovalChange(
            entryType: "approval", body: .object(ApprovalChange.requested(approval).body))
        guard case .requested(let again)? = read else { throw Unexpected() }
        #expect(again == approval, "the log gives it back")
        try desk.review(1, at: after(20))
        #expect(try second.take(.reconsider, &desk, at: after(20)) == "record, 1 uses")
    }

    @Test func `a refusal by policy names every failing pair, the owner and who refused`() throws {
        let desk = try makeDesk()
        var walk = Walk("DeleteTable")
        var copy = desk
        _ = try walk.arrive(&copy)
        let caller = try #require(walk.corridor.caller)
        let call = try #require(walk.corridor.call)
        guard case .deny(let denial) = desk.decide(call.meaning, caller: caller, at: noon) else {
            throw Unexpected()
        }
        let told = answer(.denied(denial, caller), desk)
        #expect(told.status == 403 && told.code == "AccessDeniedException")
        #expect(
            told.message
                == "Countersign on this host refused this call under its policy; AWS IAM was not asked and "
                + "nothing was sent. Agent support-7: dynamodb:DeleteTable on "
                + "arn:aws:dynamodb:us-east-1:111122223333:table/orders (denied by orders/NoDrop). "
                + "Policy owner: the operator of this host.")
        let ec2 = AnswerShape(wireProtocol: .ec2, isS3: false, isQueryCompatible: false)
        let query = AnswerShape(wireProtocol: .query, isS3: false, isQueryCompatible: false)
        #expect(answer(.denied(denial, caller), desk, ec2).code == "UnauthorizedOperation")
        #expect(answer(.denied(denial, caller), desk, query).code == "AccessDenied")
    }

    @Test func `faults of ours are 503, and say that nothing was sent only where it is so`() throws {
        let desk = try makeDesk()
        let faults: [Rebuff.Fault] = [
            .logUnwritable, .credentials("none"), .upstream("refused"), .grantGone, .defect,
        ]
        for fault in faults {
            let told = answer(.fault(fault), desk)
            #expect(told.status == 503 && told.code == "ServiceUnavailable")
            #expect(told.message.contains("othing was sent") || told.message.contains("signs nothing"))
        }
        #expect(answer(.fault(.noAnswer("cut")), desk).message.contains("sent this call"))
        let sent = answer(.outcomeUnknown(wasSent: true), desk)
        let earlier = answer(.outcomeUnknown(wasSent: false), desk)
        #expect(sent.status == 403 && sent.code == "OutcomeUnknown" && earlier.code == "OutcomeUnknown")
        #expect(!sent.message.contains("not sent") && earlier.message.contains("This attempt was not sent"))
    }

    @Test func `what the agent wrote is one safe line, however long and whatever it holds`() throws {
        let hostile = "x\u{1B}[2J\n\u{202E}" + String(repeating: "y", count: 100_000)
        let resource = Resource("arn:aws:dynamodb:us-east-1:111122223333:table/" + hostile)
        let pair = Pair(
            action: Action(prefix: "dynamodb", name: "DeleteItem"), resource: resource, level: .write,
            sensitivity: .data)
        let caller = Caller(
            agent: try AgentName(parsing: "support-7"), session: SessionID(random: 7), strength: .listener,
            task: nil, reason: nil, scope: nil)
        let denial = Denial(items: Array(repeating: .init(pair: pair, reason: .byDefault), count: 900))
        let desk = try makeDesk()
        for rebuff in [
            Rebuff.denied(denial, caller), .unrecognized(.malformed(part: hostile, why: hostile)),
            .unrecognized(.unknownOperation(service: nil, method: "GET", path: hostile)),
            .unrecognized(.disagreement(hostile)), .unrecognized(.unsupportedBody(hostile)),
            .unrecognized(.noEndpoint(service: hostile, region: hostile, variant: [])),
            .unidentified(.realKey(id: hostile)),
            .unidentified(.foreignCredential(hostile)), .unidentified(.malformed(why: hostile)),
            .fault(.upstream(hostile)),
        ] {
            let reply = rendered(answer(rebuff, desk), as: json10, request: RequestID(random: 1))
            let text = try #require(JSON(parsing: reply.body)["message"]?.string)
            #expect(text.utf8.count <= 4_096, "\(word(rebuff)): \(text.utf8.count) bytes")
            #expect(
                !text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x202E }, "\(word(rebuff))")
        }
    }

    // MARK: Shapes

    @Test(arguments: [
        (
            WireProtocol.awsJSON10, "application/x-amz-json-1.0",
            "{\"__type\":\"countersign#Code\",\"message\":\"a <&> b\"}"
        ),
        (
            .awsJSON11, "application/x-amz-json-1.1",
            "{\"__type\":\"countersign#Code\",\"message\":\"a <&> b\"}"
        ),
        (.restJSON, "application/json", "{\"message\":\"a <&> b\"}"),
        (
            .query, "text/xml",
            "<ErrorResponse><Error><Type>Sender</Type><Code>Code</Code><Message>a &lt;&amp;&gt; b"
                + "</Message></Error><RequestId>req-ID</RequestId></ErrorResponse>"
        ),
        (
            .ec2, "text/xml",
            "<Response><Errors><Error><Code>Code</Code><Message>a &lt;&amp;&gt; b</Message></Error></Errors>"
                + "<RequestID>req-ID</RequestID></Response>"
        ),
    ])
    func shape(_ wire: WireProtocol, _ type: String, _ body: String) throws {
        let shape = AnswerShape(wireProtocol: wire, isS3: false, isQueryCompatible: false)
        let request = RequestID(random: 1)
        let reply = rendered(
            Answer(status: 403, code: "Code", message: "a <&> b"), as: shape, request: request)
        #expect(reply.status == 403 && reply["content-type"] == type && reply["cache-control"] == "no-store")
        #expect(reply["x-amzn-requestid"] == request.text && reply["x-countersign-code"] == "Code")
        #expect(reply["x-amzn-errortype"] == (wire == .restJSON ? "Code" : nil))
        let text = String(decoding: reply.body, as: UTF8.self)
        #expect(text.contains(body.split(separator: "req-ID").joined(separator: request.text)), "\(text)")
    }

    @Test func `S3 has its own error, and a fault is the receiver's`() throws {
        let s3 = AnswerShape(wireProtocol: .restXML, isS3: true, isQueryCompatible: false)
        let reply = rendered(
            Answer(status: 403, code: "C", message: "m"), as: s3, request: RequestID(random: 1))
        #expect(reply["x-amz-request-id"] != nil && reply["content-type"] == "application/xml")
        let text = String(decoding: reply.body, as: UTF8.self)
        #expect(text.contains("<Error><Code>C</Code><Message>m</Message><RequestId>req-"))
        #expect(text.contains("<HostId>countersign</HostId></Error>"))
        let plain = AnswerShape(wireProtocol: .restXML, isS3: false, isQueryCompatible: false)
        let fault = rendered(
            Answer(status: 503, code: "C", message: "m"), as: plain, request: RequestID(random: 1))
        #expect(String(decoding: fault.body, as: UTF8.self).contains("<Type>Receiver</Type>"))
    }

    @Test func `a service that was once query says the code in its header too`() throws {
        let sqs = AnswerShape(wireProtocol: .awsJSON10, isS3: false, isQueryCompatible: true)
        let reply = rendered(
            Answer(status: 403, code: "C", message: "m"), as: sqs, request: RequestID(random: 1))
        #expect(reply["x-amzn-query-error"] == "C;Sender")
    }

    @Test(arguments: [1, 23, 24, 255, 256, 3_000])
    func `CBOR counts its bytes`(_ count: Int) throws {
        let shape = AnswerShape(wireProtocol: .rpcV2CBOR, isS3: false, isQueryCompatible: false)
        let message = String(repeating: "é", count: count / 2) + (count % 2 == 1 ? "x" : "")
        let reply = rendered(
            Answer(status: 403, code: "C", message: message), as: shape, request: RequestID(random: 1))
        #expect(reply["smithy-protocol"] == "rpc-v2-cbor" && reply["content-type"] == "application/cbor")
        let head: [UInt8] =
            count < 24
            ? [0x60 + UInt8(count)]
            : count < 256 ? [0x78, UInt8(count)] : [0x79, UInt8(count >> 8), UInt8(count & 0xFF)]
        let expected =
            [0xA2, 0x66] + Array("__type".utf8) + [0x6D] + Array("countersign#C".utf8) + [0x67]
            + Array("message".utf8) + head + Array(message.utf8)
        #expect(reply.body == expected)
    }

    @Test func `the approval's id stands where the request's would, in every shape`() throws {
        let (_, desk) = try pending()
        for wire in [WireProtocol.awsJSON10, .awsJSON11, .restJSON, .restXML, .query, .ec2, .rpcV2CBOR] {
            for isS3 in [false, true] where !isS3 || wire == .restXML {
                let shape = AnswerShape(wireProtocol: wire, isS3: isS3, isQueryCompatible: false)
                let reply = rendered(
                    answer(.waiting(id), desk, shape), as: shape, request: RequestID(random: 1))
                #expect(reply[isS3 ? "x-amz-request-id" : "x-amzn-requestid"] == id.text)
                #expect(reply["x-countersign-approval-id"] == id.text)
                #expect(reply["x-countersign-approval-expires"] == after(1_800).description)
                #expect(String(decoding: reply.body, as: UTF8.self).contains(id.text))
            }
        }
    }
}

extension RenderedAnswer {
    /// The value of field `name`.
    fileprivate subscript(name: String) -> String? { fields.first { $0.name == name }?.value }
}
