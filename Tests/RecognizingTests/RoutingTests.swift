import Recognizing
import Testing
import Vocabulary

@Suite("Routing") struct RoutingTests {
    let setting = RecognitionSetting(account: "111122223333", region: "us-east-1")

    func call(
        _ method: String, _ target: String, host: String = "127.0.0.1:8990",
        _ fields: [(String, String)] = [], body: String = "", bytes: [UInt8]? = nil, signedAs: String? = nil
    ) throws -> Call {
        let scope = signedAs.map { CredentialScope(region: "us-east-1", service: $0) }
        let caller = Caller(
            agent: try AgentName(parsing: "local"), session: SessionID(random: 7), strength: .listener,
            task: nil, reason: nil, scope: scope)
        let head = RequestHead(
            method: method, target: target,
            fields: [HeaderField("Host", host)] + fields.map { HeaderField($0.0, $0.1) })
        return try recognize(
            InboundRequest(head: head, body: bytes ?? Array(body.utf8)), caller: caller, setting: setting)
    }

    func json(
        _ target: String, _ body: String = "{}", host: String = "127.0.0.1:8990", signedAs: String? = nil
    ) throws -> Call {
        let fields = [("X-Amz-Target", target), ("Content-Type", "application/x-amz-json-1.0")]
        return try call("POST", "/", host: host, fields, body: body, signedAs: signedAs)
    }

    func form(_ body: String, signedAs: String? = nil, path: String = "/") throws -> Call {
        let fields = [("Content-Type", "application/x-www-form-urlencoded")]
        return try call("POST", path, fields, body: body, signedAs: signedAs)
    }

    /// The services of a call that is refused because it fits several, and what settles it.
    func ambiguity(_ body: () throws -> Call) throws -> (services: [String], settings: [String]) {
        do {
            _ = try body()
        } catch RecognitionError.ambiguous(let services, _, let settings) {
            return (services, settings)
        }
        Issue.record("it was not refused as ambiguous")
        return ([], [])
    }

    // MARK: Several services

    @Test func `services whose pairs are the same are one call, and both are named`() throws {
        let call = try call("GET", "/phone-numbers/p1", signedAs: "chime")
        #expect(call.meaning.operation == "GetPhoneNumber")
        #expect(Set(call.meaning.candidates + [call.meaning.service]) == ["chime", "chime-sdk-voice"])
        #expect(call.meaning.pairs.map(\.action.description) == ["chime:GetPhoneNumber"])
    }

    @Test func `services whose pairs differ are refused, and the variables that settle it are named`() throws
    {
        let found = try ambiguity { try call("DELETE", "/applications/a1") }
        #expect(found.services.contains("appconfig") && found.services.contains("emr-serverless"))
        #expect(
            found.settings.contains(
                "AWS_ENDPOINT_URL_EMR_SERVERLESS=http://HOST:PORT/_aws/emr-serverless"))
        #expect(
            try call("DELETE", "/_aws/emr-serverless/applications/a1").meaning.pairs.map(\.action.description)
                == ["emr-serverless:DeleteApplication"])
    }

    @Test func `the variable is named for the service's id, not for botocore's client`() throws {
        let found = try ambiguity { try call("GET", "/tags/nothing") }
        #expect(
            found.settings.contains(
                "AWS_ENDPOINT_URL_LEX_MODEL_BUILDING_SERVICE=http://HOST:PORT/_aws/lex-models"))
    }

    @Test(
        "an ARN in the path says whose it is",
        arguments: [
            ("arn:aws:eks:us-east-1:111122223333:cluster/c", "eks"),
            ("arn:aws:kafka:us-east-1:111122223333:cluster/c/0f-1", "kafka"),
            ("arn:aws:bedrock:us-east-1:111122223333:agent/A1", "bedrock-agent"),
            ("arn:aws:bedrock:us-east-1:111122223333:session/5", "bedrock-agent-runtime"),
            ("arn:aws:lex:us-east-1:111122223333:bot/B1", "lexv2-models"),
            ("arn:aws:lex:us-east-1:111122223333:bot:Old", "lex-models"),
            ("arn:aws:ivs:us-east-1:111122223333:stage/s", "ivs-realtime"),
            ("arn:aws:ivs:us-east-1:111122223333:channel/c", "ivs"),
        ])
    func taggedByARN(arn: String, service: String) throws {
        let path = (service == "kafka" ? "/v1/tags/" : "/tags/") + percent(arn)
        let call = try call("GET", path)
        #expect(call.meaning.service == service)
        // Lex's two models share a prefix whose formats are the newer one's: which resource is not known.
        if !arn.contains(":lex:") { #expect(call.meaning.pairs.map(\.resource.description) == [arn]) }
    }

    @Test func `an ARN of no service that has the path settles nothing`() throws {
        let arn = percent("arn:aws:dynamodb:us-east-1:111122223333:table/t")
        #expect(try ambiguity { try call("GET", "/tags/\(arn)") }.services.count > 50)
    }

    @Test func `an ARN in the body says which of two services with one signing name keeps it`() throws {
        func service(_ resource: String) throws -> String {
            let arn = "arn:aws:timestream:us-east-1:111122223333:\(resource)"
            return try json("Timestream_20181101.ListTagsForResource", #"{"ResourceARN":"\#(arn)"}"#)
                .meaning.service
        }
        #expect(try service("database/d") == "timestream-write")
        #expect(try service("scheduled-query/q") == "timestream-query")
    }

    private func percent(_ arn: String) -> String {
        arn.split(separator: ":", omittingEmptySubsequences: false).joined(separator: "%3A")
            .split(separator: "/").joined(separator: "%2F")
    }

    // MARK: One dispatch key

    @Test func `a call has one dispatch key`() throws {
        let target = ("X-Amz-Target", "GraniteServiceVersion20100801.ListMetrics")
        let json = ("Content-Type", "application/x-amz-json-1.0")
        let form = ("Content-Type", "application/x-www-form-urlencoded")
        let cbor = [("smithy-protocol", "rpc-v2-cbor"), ("Content-Type", "application/cbor")]
        let action = "Action=ListMetrics&Version=2010-08-01"
        let path = "/service/GraniteServiceVersion20100801/operation/ListMetrics"
        #expect(try call("POST", "/", [target, json], body: "{}").meaning.wireProtocol == .awsJSON10)
        #expect(try call("POST", "/", [form], body: action).meaning.wireProtocol == .query)
        #expect(try call("GET", "/?" + action).meaning.wireProtocol == .query)
        #expect(try call("POST", path, cbor, bytes: [0xA0]).meaning.operation == "ListMetrics")
        #expect(throws: RecognitionError.self) { try call("POST", "/", [target, form], body: action) }
        #expect(throws: RecognitionError.self) {
            try call("POST", "/?" + action, [target, json], body: "{}")
        }
        #expect(throws: RecognitionError.self) { try call("POST", "/?" + action, [form], body: action) }
        #expect(throws: RecognitionError.self) { try call("POST", path, cbor + [target], bytes: [0xA0]) }
        #expect(throws: RecognitionError.self) { try call("POST", path + "?" + action, cbor, bytes: [0xA0]) }
    }

    // MARK: Hosts

    @Test(arguments: ["127.0.0.1", "localhost", "s3-control.us-east-1.amazonaws.com"])
    func `a host prefix is understood, and is made again from the parameters`(host: String) throws {
        func account(_ host: String) throws -> String {
            try call(
                "GET", "/v20180820/accesspoint", host: host, [("x-amz-account-id", "222233334444")],
                signedAs: "s3"
            ).sealed.authority
        }
        let sent = "222233334444.s3-control.us-east-1.amazonaws.com"
        #expect(try account("222233334444.\(host)") == sent && account(host) == sent)
        // Another account in Host than in the call: neither is believed.
        #expect(throws: RecognitionError.self) { try account("999999999999.\(host)") }
    }

    @Test(arguments: ["sync-127.0.0.1:8990", "sync-localhost", "127.0.0.1:8990"])
    func `a fixed host prefix is understood and restored`(host: String) throws {
        let body = #"{"stateMachineArn":"arn:aws:states:us-east-1:111122223333:stateMachine:m"}"#
        let call = try json("AWSStepFunctions.StartSyncExecution", body, host: host)
        #expect(call.sealed.authority == "sync-states.us-east-1.amazonaws.com")
        #expect(throws: RecognitionError.self) {
            try json("AWSStepFunctions.StartExecution", body, host: "sync-127.0.0.1")
        }
        #expect(throws: RecognitionError.self) {
            try json("AWSStepFunctions.StartSyncExecution", body, host: "evil-127.0.0.1")
        }
    }

    @Test func `Host and scope name one region, but for what botocore signs elsewhere`() throws {
        func service(_ target: String, _ host: String, _ name: String) throws -> Call {
            try json(target, host: host + ".eu-west-1.amazonaws.com", signedAs: name)
        }
        #expect(throws: RecognitionError.self) {
            try service("DynamoDB_20120810.ListTables", "dynamodb", "dynamodb")
        }
        let health = try service("AWSHealth_20160804.DescribeEvents", "health", "health")
        #expect(health.sealed.authority == "health.eu-west-1.amazonaws.com")
    }

    @Test func `Kinesis' host of an account is its plain host`() throws {
        let body = #"{"StreamARN":"arn:aws:kinesis:us-east-1:222233334444:stream/s"}"#
        let host = "222233334444.control-kinesis.us-east-1.amazonaws.com"
        let call = try json("Kinesis_20131202.DescribeStream", body, host: host)
        #expect(call.sealed.authority == "kinesis.us-east-1.amazonaws.com")
        #expect(throws: RecognitionError.self) {
            try json(
                "Kinesis_20131202.DescribeStream", body, host: "evil.control-kinesis.us-east-1.amazonaws.com")
        }
    }

    @Test func `no text of the client's becomes part of a host`() throws {
        #expect(throws: RecognitionError.self) {
            try call(
                "GET", "/v20180820/accesspoint", [("x-amz-account-id", "a.evil.example")], signedAs: "s3")
        }
        #expect(throws: RecognitionError.self) {
            try json("DynamoDB_20120810.ListTables", host: "evil.example")
        }
        #expect(throws: RecognitionError.self) {
            try json("DynamoDB_20120810.ListTables", host: "dynamodb.us-east-1.amazonaws.com.evil.example")
        }
    }

    @Test(arguments: ["b-1.localhost:8990", "b-1.127.0.0.1", "b-1.s3.us-east-1.amazonaws.com"])
    func `a bucket in the host is the bucket, whatever the path`(host: String) throws {
        let call = try call("GET", "/other/key", host: host)
        #expect(call.meaning.parameters["Bucket"] == "b-1" && call.meaning.parameters["Key"] == "other/key")
        #expect(call.sealed.authority == "s3.us-east-1.amazonaws.com" && call.sealed.path == "/b-1/other/key")
    }

    @Test func `directory buckets are listed at the host that lists them`() throws {
        let signed = try call("GET", "/", signedAs: "s3express")
        let named = try call("GET", "/", host: "s3express-control.us-east-1.amazonaws.com")
        let hinted = try call("GET", "/?x-id=ListDirectoryBuckets")
        for call in [signed, named, hinted] {
            #expect(call.meaning.operation == "ListDirectoryBuckets")
            #expect(call.sealed.authority == "s3express-control.us-east-1.amazonaws.com")
            #expect(call.sealed.signingName == "s3express")
        }
        let plain = try call("GET", "/")
        #expect(plain.meaning.operation == "ListBuckets")
        #expect(plain.sealed.authority == "s3.us-east-1.amazonaws.com")
    }

    @Test(arguments: ["r1.127.0.0.1", "r1.s3-object-lambda.us-east-1.amazonaws.com", "127.0.0.1"])
    func `an object lambda's answer goes to its own host`(host: String) throws {
        let call = try call(
            "POST", "/WriteGetObjectResponse", host: host,
            [("x-amz-request-route", "r1"), ("x-amz-request-token", "t")], body: "x",
            signedAs: "s3-object-lambda")
        #expect(call.sealed.authority == "r1.s3-object-lambda.us-east-1.amazonaws.com")
        #expect(call.sealed.signingName == "s3-object-lambda")
    }

    // MARK: What is never sent

    @Test func `an operation that the model does not have is named and barred`() throws {
        let calls = [
            try json("DynamoDB_20120810.FlyToTheMoon", signedAs: "dynamodb"),
            try form("Action=FlyToTheMoon&Version=2014-10-31"),
            try call(
                "POST", "/service/GraniteServiceVersion20100801/operation/FlyToTheMoon",
                [("smithy-protocol", "rpc-v2-cbor")]),
        ]
        #expect(
            calls.map { $0.meaning.pairs.map(\.action.description) } == [
                ["dynamodb:FlyToTheMoon"], ["rds:FlyToTheMoon"], ["cloudwatch:FlyToTheMoon"],
            ])
        #expect(calls.allSatisfy { $0.meaning.bar == .unknownOperation && $0.meaning.mutates })
        // Two services share the version and no IAM prefix.
        #expect(
            try ambiguity { try form("Action=FlyToTheMoon&Version=2010-12-01") }.services == [
                "elasticbeanstalk", "ses",
            ])
        #expect(
            try form("Action=FlyToTheMoon&Version=2010-12-01", signedAs: "ses").meaning.pairs.map(
                \.action.description) == ["ses:FlyToTheMoon"])
    }

    @Test(arguments: [
        "DynamoDB_20120810.", "DynamoDB_20120810.getitem", "DynamoDB_20120810.A*", "DynamoDB_20120810.A:B",
        "GetItem",
    ])
    func `a name that no operation can have is none`(target: String) {
        #expect(throws: RecognitionError.self) { try json(target) }
    }

    @Test func `an operation of another version is no new one of this version`() {
        #expect(throws: RecognitionError.self) { try form("Action=ListUsers&Version=2011-06-15") }
    }

    @Test func `another service's unknown operation is no operation of the scope's`() {
        #expect(throws: RecognitionError.self) {
            try json("DynamoDB_20120810.FlyToTheMoon", signedAs: "iam")
        }
    }

    @Test func `what takes no signature of ours is recognized and barred`() throws {
        let space = try call("GET", "/v1/spaces/s", signedAs: "codecatalyst")
        #expect(space.meaning.bar == .bearerToken)
        let signed =
            "&AWSAccessKeyId=unsigned&SignatureVersion=2&SignatureMethod=HmacSHA256"
            + "&Timestamp=2026-11-24T18%3A51%3A59Z&Signature=x"
        let domains = try form("Action=ListDomains&Version=2009-04-15" + signed)
        #expect(domains.meaning.bar == .signatureV2 && domains.meaning.operation == "ListDomains")
        #expect(domains.meaning.parameters["AWSAccessKeyId"] == nil)
        #expect(throws: RecognitionError.self) { try form("Action=ListUsers&Version=2010-05-08" + signed) }
        let web = try form(
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=s&WebIdentityToken=t1234"
                + "&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fr")
        #expect(web.meaning.bar == .unsignedByModel)
    }
}
