import Recognizing
import Testing
import Vocabulary

@Suite("Hosts of one resource, and variants of hosts") struct ResourceHostTests {
    let api = "a1b2c3.execute-api.eu-west-1.amazonaws.com"

    /// What `target` means to a gate that is set so, for an agent whose client signed for `signed`.
    func call(
        _ method: String, _ target: String, _ setting: RecognitionSetting, host: String = "127.0.0.1:8990",
        fields: [(String, String)] = [], body: String = ""
    ) throws -> Call {
        let caller = Caller(
            agent: try AgentName(parsing: "local"), session: SessionID(random: 7), strength: .listener,
            task: nil, reason: nil, scope: nil)
        let head = RequestHead(
            method: method, target: target,
            fields: [HeaderField("Host", host)] + fields.map { HeaderField($0.0, $0.1) })
        return try recognize(
            InboundRequest(head: head, body: Array(body.utf8)), caller: caller, setting: setting)
    }

    func setting(_ hosts: String..., variant: EndpointVariant = []) throws -> RecognitionSetting {
        RecognitionSetting(
            account: "111122223333", region: "us-east-1", variant: variant,
            resourceHosts: try hosts.map { try ResourceHost(parsing: $0) })
    }

    @Test func `a listed host is dialled and signed for its service, region and stage`() throws {
        let setting = try setting("apigatewaymanagementapi=\(api)/prod")
        let call = try call(
            "GET", "/_aws/apigatewaymanagementapi/\(api)/prod/@connections/c-1", setting)
        #expect(call.meaning.operation == "GetConnection" && call.meaning.region == "eu-west-1")
        #expect(call.sealed.authority == api && call.sealed.path == "/prod/@connections/c-1")
        #expect(call.sealed.signingName == "execute-api" && call.sealed.signingRegion == "eu-west-1")
    }

    @Test(arguments: [
        "b1b2c3.execute-api.eu-west-1.amazonaws.com/prod", "a1b2c3.execute-api.us-east-1.amazonaws.com/prod",
        "a1b2c3.execute-api.eu-west-1.amazonaws.com/dev", "a1b2c3.execute-api.eu-west-1.amazonaws.com",
        "iam.amazonaws.com/prod",
    ])
    func `its neighbor is refused`(place: String) throws {
        let setting = try setting("apigatewaymanagementapi=\(api)/prod")
        #expect(throws: RecognitionError.self) {
            try call("GET", "/_aws/apigatewaymanagementapi/\(place)/@connections/c-1", setting)
        }
    }

    @Test func `a host that is listed for one service is no host of another`() throws {
        let host = "s-1234.kinesisvideo.eu-west-1.amazonaws.com"
        let setting = try setting("kinesis-video-media=\(host)")
        let media = try call("POST", "/_aws/kinesis-video-media/\(host)/getMedia", setting, body: "{}")
        #expect(media.sealed.authority == host && media.sealed.signingName == "kinesisvideo")
        #expect(throws: RecognitionError.self) {
            try call(
                "POST", "/_aws/kinesis-video-archived-media/\(host)/listFragments", setting, body: "{}")
        }
    }

    @Test func `a client that dials the listed host itself is understood`() throws {
        let host = "d1-ats.iot.eu-west-1.amazonaws.com"
        let call = try call("GET", "/things/lamp/shadow", setting("iot-data=\(host)"), host: host)
        #expect(call.meaning.service == "iot-data" && call.sealed.authority == host)
        #expect(call.sealed.signingRegion == "eu-west-1" && call.sealed.path == "/things/lamp/shadow")
    }

    @Test func `an API is called at its stage, and at its root in the default one`() throws {
        let host = "a1b2c3.execute-api.eu-west-1.amazonaws.com"
        let staged = try call(
            "POST", "/_aws/execute-api/\(host)/prod/pets?full=1", setting("execute-api=\(host)/prod"),
            fields: [
                ("Content-Type", "application/json"), ("X-Api-Key", "k"), ("X-Forwarded-For", "10.0.0.1"),
            ],
            body: "{}"
        ).sealed
        #expect(staged.authority == host && staged.path == "/prod/pets" && staged.query == "full=1")
        #expect(staged.signingName == "execute-api" && staged.signingRegion == "eu-west-1")
        #expect(Set(staged.fields.map(\.name)) == ["content-type", "x-api-key"])
        let whole = try call(
            "GET", "/_aws/execute-api/\(host)/$default/pets", setting("execute-api=\(host)/$default"))
        #expect(whole.sealed.path == "/pets")
    }

    @Test func `a function's URL lies below a suffix that has no partition`() throws {
        let host = "abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-west-1.on.aws"
        let call = try call("GET", "/run", setting("lambda-url=\(host)"), host: host)
        #expect(call.sealed.authority == host && call.sealed.signingName == "lambda")
        for other in [
            "eu-west-1.on.aws.evil.example", "cn-north-1.on.aws", "mars-1.on.aws", "eu-west-1.off.aws",
        ] {
            #expect(throws: ResourceHostError.self) {
                try ResourceHost(parsing: "lambda-url=abc.lambda-url.\(other)")
            }
        }
    }

    @Test func `a host that owns every path takes nothing from a bare endpoint`() throws {
        let host = "search-orders-abcdefghijklmnopqrstuvwxyz.eu-west-1.es.amazonaws.com"
        let setting = try setting("opensearch-domain=\(host)")
        #expect(throws: RecognitionError.self) { try call("GET", "/_aws/opensearch-domain/logs", setting) }
        let plain = try call("GET", "/_aws/es/2015-01-01/domain", setting)
        #expect(plain.meaning.service == "es")
        #expect(try call("GET", "/logs/k", setting).meaning.service == "s3")
    }

    @Test func `a port is the one that its service has`() throws {
        let host = "db.cluster-c0ffee.eu-west-1.neptune.amazonaws.com:8182"
        let call = try call("GET", "/_aws/neptunedata/\(host)/status", setting("neptunedata=\(host)"))
        #expect(call.sealed.authority == host && call.sealed.signingName == "neptune-db")
    }

    @Test(arguments: [
        // Another suffix, region, form, case, port; no stage, or a path that is more than one.
        "apigatewaymanagementapi=a1.execute-api.eu-west-1.amazonaws.com.evil.example/prod",
        "apigatewaymanagementapi=a1.execute-api.eu-west-1.amazonaws.com.cn/prod",
        "apigatewaymanagementapi=a1.execute-api.mars-east-1.amazonaws.com/prod",
        "apigatewaymanagementapi=execute-api.eu-west-1.amazonaws.com/prod",
        "apigatewaymanagementapi=x.a1.execute-api.eu-west-1.amazonaws.com/prod",
        "apigatewaymanagementapi=*.execute-api.eu-west-1.amazonaws.com/prod",
        "apigatewaymanagementapi=A1.execute-api.eu-west-1.amazonaws.com/prod",
        "apigatewaymanagementapi=-a1.execute-api.eu-west-1.amazonaws.com/prod",
        "apigatewaymanagementapi=a1.execute-api.eu-west-1.amazonaws.com:8443/prod",
        "apigatewaymanagementapi=a1.execute-api.eu-west-1.amazonaws.com",
        "apigatewaymanagementapi=a1.execute-api.eu-west-1.amazonaws.com/",
        "apigatewaymanagementapi=a1.execute-api.eu-west-1.amazonaws.com/a/b",
        "apigatewaymanagementapi=a1.execute-api.eu-west-1.amazonaws.com/../b",
        "apigatewaymanagementapi=iam.amazonaws.com/prod",
        "iot-data=d1.iot.eu-west-1.amazonaws.com/prod", "iot-data=d1.jobs.iot.eu-west-1.amazonaws.com",
        "neptunedata=db.cluster-c0ffee.eu-west-1.neptune.amazonaws.com",
        "neptunedata=db.cluster-c0ffee.eu-west-1.neptune.amazonaws.com:443",
        "dynamodb=dynamodb.eu-west-1.amazonaws.com", "nonsense=a.b", "iot-data", "",
        "=d1.iot.eu-west-1.amazonaws.com",
    ])
    func `what is no host of the service's resources is not listed`(text: String) {
        #expect(throws: ResourceHostError.self) { try ResourceHost(parsing: text) }
    }

    @Test(arguments: [
        (EndpointVariant.all[0], "dynamodb.us-east-1.amazonaws.com"),
        (EndpointVariant.all[1], "dynamodb-fips.us-east-1.amazonaws.com"),
        (EndpointVariant.all[2], "dynamodb.us-east-1.api.aws"),
        (EndpointVariant.all[3], "dynamodb-fips.us-east-1.api.aws"),
    ])
    func `the operator chooses the variant, whichever host the client knows`(
        variant: EndpointVariant, authority: String
    ) throws {
        let setting = RecognitionSetting(account: "111122223333", region: "us-east-1", variant: variant)
        for host in [
            "127.0.0.1:8990", "dynamodb.us-east-1.amazonaws.com", "dynamodb-fips.us-east-1.amazonaws.com",
            "dynamodb.us-east-1.api.aws",
        ] {
            let call = try call(
                "POST", "/", setting, host: host,
                fields: [
                    ("X-Amz-Target", "DynamoDB_20120810.ListTables"),
                    ("Content-Type", "application/x-amz-json-1.0"),
                ], body: "{}")
            #expect(call.sealed.authority == authority)
            #expect(call.meaning.service == "dynamodb" && call.sealed.signingRegion == "us-east-1")
        }
    }

    @Test
    func `where AWS has no host of the chosen variant, the call is refused and not sent to the plain one`()
        throws
    {
        let setting = RecognitionSetting(account: "111122223333", region: "cn-north-1", variant: .fips)
        #expect(
            throws: RecognitionError.noEndpoint(service: "s3", region: "cn-north-1", variant: .fips)
        ) { try call("GET", "/_aws/s3/some-bucket/key", setting) }
    }
}
