import Foundation
import Recognizing
import Testing
import Vocabulary

@testable import Gateway

@Suite("countersign catalog") struct CatalogPageTests {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    func lines(_ name: String) throws -> [String] {
        try catalogPage(of: name, region: "eu-west-1").text.split(separator: "\n").map(String.init)
    }

    func has(_ lines: [String], _ words: String...) -> Bool {
        lines.contains { line in words.allSatisfy { line.contains($0) } }
    }

    @Test func `docs/catalog.md is what the catalog says: countersign catalog coverage --form markdown`()
        throws
    {
        let url = Self.root.appendingPathComponent("docs/catalog.md")
        let text = catalogCoverage(.markdown)
        if ProcessInfo.processInfo.environment["UPDATE_FIXTURES"] == "1" {
            try text.write(to: url, atomically: true, encoding: .utf8)
        }
        let found = text.split(separator: "\n", omittingEmptySubsequences: false)
        let there = try String(contentsOf: url, encoding: .utf8)
            .split(separator: "\n", omittingEmptySubsequences: false)
        #expect(found.count == there.count)
        for (found, there) in zip(found, there) { #expect(found == there) }
    }

    @Test func `an operation is shown with its actions, where its names come from, and its condition keys`()
        throws
    {
        let query = try lines("dynamodb:Query")
        #expect(query[0] == "dynamodb:Query")
        #expect(has(query, "called as", "DynamoDB_20120810.Query"))
        #expect(
            has(
                query, "goes to", "https://dynamodb.eu-west-1.amazonaws.com",
                "signed for dynamodb in eu-west-1"))
        #expect(has(query, "dynamodb:Query", "Read"))
        #expect(has(query, "table*", ":table/${TableName}") && !has(query, "TableName from"))
        let describe = try lines("kinesis:DescribeStream")
        #expect(has(describe, "stream", ":stream/${StreamName}", "StreamName from StreamName"))
        #expect(has(query, "aws:ResourceTag/${TagKey}", "not knowable"))
        #expect(has(query, "dynamodb:LeadingKeys", "worked out, as far"))
        #expect(has(query, "dynamodb:Select", "from Select, else not knowable"))
        #expect(has(query, "dynamodb:ReturnValues", "absent: no request of it carries it"))
        #expect(has(query, "dynamodb:Attributes", "not knowable"))
        let run = try lines("ec2:RunInstances")
        #expect(has(run, "aws:TagKeys", "the tags in TagSpecifications unless LaunchTemplate"))
        #expect(has(run, "ec2:CreateAction", "always RunInstances"))
        #expect(has(run, "ec2:Region", "the region that the call goes to"))
        #expect(
            has(
                run, "ec2:InstanceType",
                "from InstanceType, else not knowable; of ec2:RunInstances; of `instance/` only"))
        #expect(has(run, "ec2:LaunchTemplate", "absent if the request has no LaunchTemplate"))
        #expect(has(run, "ec2:ImageID", "what follows `image/` in the resource's ARN"))
        let grant = try lines("kms:CreateGrant")
        #expect(has(grant, "kms:CallerAccount", "the gateway's own account"))
        let create = try lines("stepfunctions:CreateStateMachine")
        #expect(has(create, "iam:PassedToService", "always states.amazonaws.com"))
        #expect(
            has(
                try lines("neptune:CreateDBInstance"), "rds:DatabaseClass",
                "; of rds:CreateDBInstance; of `db:` only"))
        let put = try lines("s3:PutObject")
        #expect(has(put, "s3:x-amz-acl", "from ACL, else absent"))
        #expect(has(try lines("ssm:GetParametersByPath"), "ssm:Recursive", "worked out, as far"))
        #expect(!has(try lines("s3:PutBucketPolicy"), "s3:x-amz-acl"))
        let copy = try lines("s3:UploadPartCopy")
        #expect(has(copy, "s3:x-amz-acl", "absent: no request of it carries it"))
        #expect(has(try lines("secretsmanager:GetSecretValue"), "its reply holds credentials"))
        #expect(has(try lines("iam:PutUserPolicy"), "goes to", "iam.amazonaws.com", "in us-east-1"))
    }

    @Test func `a service and an action that no operation is named for are shown too`() throws {
        let service = try lines("sqs")
        #expect(has(service, "SendMessage", "sqs:SendMessage", "Write", "exact", "data"))
        let action = try lines("s3:ListBucket")
        #expect(has(action, "s3:ListBucket", "List") && has(action, "s3:ListObjectsV2"))
        #expect(has(action, "s3:prefix"))
        #expect(has(try lines("apigatewaymanagementapi"), "{id}.execute-api.{region}.{dns}"))
    }

    @Test func `what does not exist is answered with what is near`() {
        let error = #expect(throws: CatalogQuestionError.self) {
            try catalogPage(of: "s3:GetObjekt", region: "eu-west-1")
        }
        #expect(error?.description.contains("`s3:GetObject`") == true)
        #expect(throws: CatalogQuestionError.self) { try catalogPage(of: "nonsense", region: "eu-west-1") }
        #expect(throws: CatalogQuestionError.self) { try catalogPage(of: "s3", region: "mars-east-1") }
        #expect(throws: CatalogQuestionError.self) {
            try catalogEndpoints(
                service: "nonsense", region: nil, useFIPS: false, useDualStack: false, json: true)
        }
    }

    @Test func `the page for a program says the same`() throws {
        let json = try catalogPage(of: "dynamodb:TransactWriteItems", region: "eu-west-1", useFIPS: true).json
        #expect(json["endpoint"]?["url"]?.string == "https://dynamodb-fips.eu-west-1.amazonaws.com")
        #expect(json["tokens"]?.array == [.string("ClientRequestToken")])
        #expect(json["condition_keys"]?["aws:ResourceTag/${TagKey}"]?.string == "unknown")
        #expect(json["actions"]?.array?.first?["action"]?.string == "dynamodb:PutItem")
        #expect(try JSON(parsing: json.canonical) == JSON(parsing: json.canonical))
    }

    @Test func `coverage counts every operation once`() throws {
        for line in catalogCoverage(.json).split(separator: "\n") {
            let row = try JSON(parsing: Array(line.utf8))
            let named = CatalogCoverage.Naming.allCases.compactMap { row["named"]?[$0.rawValue]?.integer }
            #expect(named.reduce(0, +) == row["operations"]?.integer)
            #expect(row["recognized"]?.integer ?? 0 <= row["operations"]?.integer ?? 0)
        }
        let coverage = Catalog.builtIn.coverage
        for (service, row) in zip(Catalog.builtIn.services, coverage) {
            let listed = service.operations.flatMap(\.actions).map(\.conditionKeys.count).reduce(0, +)
            #expect(row.keys.values.reduce(0, +) == listed, "\(service.name)")
        }
        let dynamodb = try #require(Catalog.builtIn.service(named: "dynamodb")).coverage
        #expect(dynamodb.namings == [.exact: 57] && dynamodb.recognizedCount == 57 && dynamodb.gaps.isEmpty)
        let tokens = try #require(Catalog.builtIn.service(named: "codecatalyst")).coverage
        #expect(tokens.recognizedCount == 0 && tokens.obstacle?.contains("bearer") == true)
        // Not relayed, since the model calls them unsigned.
        let sts = try #require(Catalog.builtIn.service(named: "sts")).coverage
        #expect(sts.recognizedCount < sts.operationCount)
        let gaps = coverage.flatMap(\.gaps)
        #expect(gaps.allSatisfy { $0.makingCount <= $0.operationCount && $0.operationCount > 0 })
        #expect(gaps.contains { $0.makingCount > 0 } && gaps.contains { $0.makingCount == 0 })
        #expect(catalogCoverage(.text).split(separator: "\n").last?.hasPrefix("all 429") == true)
    }

    @Test func `the configuration says which hosts are dialled`() throws {
        func configuration(_ flags: [String: [String]], _ environment: [String: String] = [:]) throws
            -> Configuration
        {
            try Configuration(flags: flags, environment: environment, file: [:])
        }
        #expect(try configuration([:]).variant == [] && configuration([:]).resourceHosts == [])
        #expect(try configuration(["use-fips": ["true"]]).variant == .fips)
        #expect(try configuration([:], ["AWS_USE_FIPS_ENDPOINT": "True"]).variant == .fips)
        #expect(try configuration([:], ["AWS_USE_DUALSTACK_ENDPOINT": "true"]).variant == .dualStack)
        #expect(try configuration(["use-fips": ["false"]], ["AWS_USE_FIPS_ENDPOINT": "true"]).variant == [])
        #expect(throws: ConfigurationError.self) { try configuration([:], ["AWS_USE_FIPS_ENDPOINT": "yes"]) }
        #expect(throws: ConfigurationError.self) { try configuration(["use-dual-stack": ["on"]]) }
        let host = "iot-data=d1.iot.eu-west-1.amazonaws.com"
        #expect(try configuration(["resource-host": [host]]).resourceHosts.map(\.description) == [host])
        let two = ["COUNTERSIGN_RESOURCE_HOST": "\(host),iot-data=d2.iot.eu-west-1.amazonaws.com"]
        #expect(try configuration([:], two).resourceHosts.count == 2)
        #expect(throws: ConfigurationError.self) {
            try configuration(["resource-host": ["iot-data=evil.example"]])
        }
    }
}
