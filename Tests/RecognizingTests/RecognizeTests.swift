import Recognizing
import Testing
import Vocabulary

@Suite("Recognize") struct RecognizeTests {
    let caller: Caller
    let setting = RecognitionSetting(account: "111122223333", region: "us-east-1")

    init() throws {
        caller = Caller(
            agent: try AgentName(parsing: "local"), session: SessionID(random: 7), strength: .listener,
            task: nil,
            reason: nil, scope: nil)
    }

    func call(
        _ method: String, _ target: String, _ fields: [(String, String)] = [], body: String = "",
        scope: CredentialScope? = nil
    ) throws -> Call {
        let head = RequestHead(
            method: method, target: target,
            fields: [HeaderField("Host", "127.0.0.1:8990")] + fields.map { HeaderField($0.0, $0.1) })
        let signer = Caller(
            agent: caller.agent, session: caller.session, strength: .listener, task: nil, reason: nil,
            scope: scope)
        return try recognize(
            InboundRequest(head: head, body: Array(body.utf8)), caller: signer, setting: setting)
    }

    func dynamodb(_ operation: String, _ body: String) throws -> Call {
        try call(
            "POST", "/",
            [
                ("X-Amz-Target", "DynamoDB_20120810.\(operation)"),
                ("Content-Type", "application/x-amz-json-1.0"),
            ], body: body)
    }

    @Test func `an unsigned get-item is known by its target`() throws {
        let call = try dynamodb("GetItem", #"{"TableName":"orders","Key":{"id":{"S":"o-91"}}}"#)
        #expect(call.meaning.service == "dynamodb" && call.meaning.operation == "GetItem")
        #expect(
            call.meaning.pairs.map(\.resource.description) == [
                "arn:aws:dynamodb:us-east-1:111122223333:table/orders"
            ])
        #expect(call.meaning.pairs.map(\.action.description) == ["dynamodb:GetItem"])
        #expect(call.sealed.authority == "dynamodb.us-east-1.amazonaws.com" && call.sealed.path == "/")
        #expect(call.sealed.signingName == "dynamodb" && call.sealed.mayRepeat)
    }

    @Test func `a repeated call has the same digest, a changed one another`() throws {
        let one = try dynamodb("DeleteItem", #"{"TableName":"orders","Key":{"id":{"S":"o-91"}}}"#)
        let two = try dynamodb("DeleteItem", #"{ "Key" : {"id":{"S":"o-91"}}, "TableName":"orders"}"#)
        let other = try dynamodb("DeleteItem", #"{"TableName":"orders","Key":{"id":{"S":"o-92"}}}"#)
        #expect(one.meaning.digest == two.meaning.digest && one.meaning.digest != other.meaning.digest)
        #expect(one.sealed.wireDigest != two.sealed.wireDigest)
    }

    @Test func `a fresh idempotency token is the same call`() throws {
        func write(_ token: String) throws -> Call {
            try dynamodb(
                "TransactWriteItems",
                #"{"TransactItems":[{"Delete":{"TableName":"t","Key":{"id":{"S":"1"}}}}],"#
                    + #""ClientRequestToken":"\#(token)"}"#
            )
        }
        #expect(try write("a").meaning.digest == write("b").meaning.digest)
    }

    @Test func `an s3 key is sent as it was meant, byte for byte`() throws {
        let call = try call(
            "GET", "/bucket/a%20b//c%2Fd+%C3%BC", scope: CredentialScope(region: "eu-west-1", service: "s3"))
        #expect(call.meaning.operation == "GetObject")
        #expect(call.meaning.parameters["Key"] == "a b//c/d+ü")
        #expect(call.sealed.path == "/bucket/a%20b//c/d%2B%C3%BC")
        #expect(call.sealed.authority == "s3.eu-west-1.amazonaws.com")
    }

    @Test func `iam is signed for its own region whatever the client's`() throws {
        let call = try call(
            "POST", "/", [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")],
            body: "Action=ListUsers&Version=2010-05-08",
            scope: CredentialScope(region: "eu-west-1", service: "iam"))
        #expect(call.sealed.authority == "iam.amazonaws.com" && call.sealed.signingRegion == "us-east-1")
    }

    @Test func `the client's signature and hop-by-hop fields stay behind`() throws {
        let call = try call(
            "POST", "/",
            [
                ("X-Amz-Target", "DynamoDB_20120810.ListTables"),
                ("Content-Type", "application/x-amz-json-1.0"),
                ("Authorization", "AWS4-HMAC-SHA256 x"), ("X-Amz-Date", "20261123T000000Z"),
                ("X-Amz-Security-Token", "t"),
                ("Connection", "x-custom"), ("X-Custom", "1"), ("X-Forwarded-For", "1.2.3.4"),
                ("Expect", "100-continue"),
                ("amz-sdk-invocation-id", "i"),
            ], body: "{}")
        #expect(call.sealed.fields.map(\.name) == ["x-amz-target", "content-type", "amz-sdk-invocation-id"])
    }

    @Test(
        "what cannot be one reading is refused",
        arguments: [
            #"{"TableName":"a","TableName":"b"}"#, #"{"TableName":"a","tablename":"b"}"#, #"{"TableName":5}"#,
            #"["TableName"]"#,
            #"{"TableName":"a"} x"#, "\u{FEFF}{}", #"{"TableName":"a",}"#,
            #"{"TableN\u0061me":"a","TableName":"b"}"#,
        ])
    func jsonRefused(body: String) {
        #expect(throws: RecognitionError.self) { try dynamodb("GetItem", body) }
    }

    @Test(
        "a form with two readings is refused",
        arguments: [
            "Action=ListUsers&Action=DeleteUser&Version=2010-05-08", "Action=ListUsers",
            "action=DeleteUser&Action=ListUsers&Version=2010-05-08",
            "Action=ListUsers&Version=2010-05-08;Action=DeleteUser", "Action=ListUsers&Version=1999-01-01",
            "Action=DeleteUser&Version=2010-05-08&UserName=a&UserName=b",
            "Action=DeleteUser&Version=2010-05-08&%55serName=a&UserName=b",
            "Action=DeleteUser&Version=2010-05-08&username=a",
        ])
    func formRefused(body: String) {
        #expect(throws: RecognitionError.self) {
            try call("POST", "/", [("Content-Type", "application/x-www-form-urlencoded")], body: body)
        }
    }

    @Test func `a scope that names another service than the target is refused`() {
        #expect(throws: RecognitionError.self) {
            try call(
                "POST", "/",
                [
                    ("X-Amz-Target", "DynamoDB_20120810.ListTables"),
                    ("Content-Type", "application/x-amz-json-1.0"),
                ],
                body: "{}", scope: CredentialScope(region: "us-east-1", service: "s3"))
        }
    }
}
