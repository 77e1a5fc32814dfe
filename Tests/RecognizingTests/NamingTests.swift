import Testing
import Vocabulary

@testable import Recognizing

/// The pairs of a call in account 111122223333, us-east-1.
private func named(
    _ service: String, _ operation: String, _ parameters: JSON, account: String? = "111122223333"
) throws -> NamedPairs {
    let model = try #require(Catalog.builtIn.service(named: service)?.operation(named: operation))
    return try namePairs(
        CallFacts(
            model: model, parameters: parameters, partition: "aws", region: "us-east-1", account: account))
}

@Suite("Naming") struct NamingTests {
    @Test func `a role asked for by name is presumed to have no path, and may have any`() throws {
        let pair = try #require(try named("iam", "DeleteRole", ["RoleName": "app"]).pairs.first)
        #expect(pair.resource.presumed == "arn:aws:iam::111122223333:role/app")
        #expect(!pair.resource.isKnown)
        #expect(pair.resource.parts.last == .known("app"))
        // Nothing is presumed of an account that nobody said.
        #expect(
            try named("iam", "DeleteRole", ["RoleName": "app"], account: nil).pairs[0].resource.presumed
                == nil)
        #expect(try named("iam", "CreateRole", ["RoleName": "app"]).pairs[0].resource.isKnown)
    }

    @Test func `API Gateway's resource is the path, as the ARN has it`() throws {
        func resources(_ operation: String, _ parameters: JSON) throws -> [String] {
            try named("apigateway", operation, parameters).pairs.map(\.resource.description)
        }
        let domain: JSON = ["domainName": "a.example.com", "domainNameId": "d1"]
        #expect(
            try resources("GetBasePathMappings", domain)
                == ["arn:aws:apigateway:us-east-1::/domainnames/a.example.com+d1/basepathmappings"])
        #expect(
            try resources("DeleteDomainName", domain)
                == ["arn:aws:apigateway:us-east-1:111122223333:/domainnames/a.example.com+d1"])
        #expect(
            try resources("GetTags", ["resourceArn": "arn:aws:apigateway:us-east-1::/apis/a"])
                == [
                    "arn:aws:apigateway:us-east-1::/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Fapis%2Fa"
                ])
        let access =
            "arn:aws:apigateway:us-east-1:111122223333:/domainnameaccessassociations/domainname/a/vpce/v"
        for (arn, resource) in [
            (access, access),
            // An ARN of anything else names nothing here.
            (
                "arn:aws:apigateway:us-east-1::/restapis/a1",
                "arn:aws:apigateway:us-east-1:111122223333:/domainnameaccessassociations/<unknown>"
            ),
        ] {
            let deleted = try resources(
                "DeleteDomainNameAccessAssociation", ["domainNameAccessAssociationArn": .string(arn)])
            #expect(deleted == [resource])
        }
        // A value with a slash is no one segment.
        #expect(
            try resources("GetStage", ["restApiId": "a1", "stageName": "x/../y"])
                == ["arn:aws:apigateway:us-east-1::/restapis/a1/stages/<unknown>"])
    }

    @Test func `an ARN where a name may stand names just that one`() throws {
        let arn = "arn:aws:bedrock:us-east-1:111122223333:imported-model/abcdefghij01"
        let byARN = try named("bedrock", "DeleteImportedModel", ["modelIdentifier": .string(arn)])
        #expect(byARN.pairs.map(\.resource.description) == [arn])
        // A name is not the id that the ARN holds.
        let byName = try named("bedrock", "DeleteImportedModel", ["modelIdentifier": "mine"])
        #expect(
            byName.pairs.map(\.resource.description)
                == ["arn:aws:bedrock:us-east-1:111122223333:imported-model/<unknown>"])
    }

    @Test func `what a part of an ARN names lies where the ARN does, and parts of two places name nothing`()
        throws
    {
        func rule(_ service: String, _ listener: String) throws -> [String] {
            try named(
                "vpc-lattice", "GetRule",
                [
                    "serviceIdentifier": .string(service), "listenerIdentifier": .string(listener),
                    "ruleIdentifier": "r",
                ]
            ).pairs.map(\.resource.description)
        }
        let service = "arn:aws:vpc-lattice:eu-west-1:444455556666:service/s"
        let name = "service/s/listener/l/rule/r"
        #expect(try rule(service, "l") == ["arn:aws:vpc-lattice:eu-west-1:444455556666:\(name)"])
        #expect(
            try rule(service, "\(service)/listener/l")
                == ["arn:aws:vpc-lattice:eu-west-1:444455556666:\(name)"])
        let here = "arn:aws:vpc-lattice:us-east-1:111122223333:service/s"
        #expect(
            try rule(here, "\(here)/listener/l") == ["arn:aws:vpc-lattice:us-east-1:111122223333:\(name)"])
        #expect(try rule(service, "\(here)/listener/l") == ["arn:aws:vpc-lattice:<unknown>"])
        #expect(try rule(here, "\(service)/listener/l") == ["arn:aws:vpc-lattice:<unknown>"])
        // Nor does one of an account, and another account beside it.
        func endpoint(_ account: JSON) throws -> [String] {
            try named(
                "bedrock-agentcore", "InvokeAgentRuntime",
                [
                    "agentRuntimeArn": "arn:aws:bedrock-agentcore:us-east-1:444455556666:runtime/r",
                    "accountId": account,
                ]
            ).pairs.map(\.resource.description).filter { $0.contains("endpoint") || $0.contains("<unknown>") }
        }
        let there = ["arn:aws:bedrock-agentcore:us-east-1:444455556666:runtime/r/runtime-endpoint/DEFAULT"]
        #expect(try endpoint(.null) == there)
        #expect(try endpoint("444455556666") == there)
        #expect(try endpoint("777788889999") == ["arn:aws:bedrock-agentcore:<unknown>"])
    }

    @Test func `a role is named with its path, with an unknown one, or not at all`() throws {
        func role(_ text: String) throws -> String? {
            try named(
                "glue", "CreateJob", ["Name": "j", "Role": .string(text), "Command": ["Name": "glueetl"]]
            )
            .pairs.map(\.resource.description).first { $0.hasPrefix("arn:aws:iam:") }
        }
        #expect(try role("glue") == "arn:aws:iam::111122223333:role/<unknown>glue")
        #expect(try role("service-role/glue") == "arn:aws:iam::111122223333:role/service-role/glue")
        for text in ["/glue", "service-role/", "a//b", "a/b c"] {
            #expect(throws: RecognitionError.self) { try role(text) }
        }
    }

    @Test func `a member at any depth counts`() throws {
        let set: JSON = [
            "IPSetReferenceStatement": ["ARN": "arn:aws:wafv2:us-east-1:111122223333:regional/ipset/s/1"]
        ]
        let deep: JSON = ["AndStatement": ["Statements": [["NotStatement": ["Statement": set]]]]]
        for statement in [set, deep] {
            let pairs = try named(
                "wafv2", "UpdateRuleGroup",
                ["Name": "g", "Scope": "REGIONAL", "Id": "2", "Rules": [["Statement": statement]]]
            ).pairs
            #expect(
                Set(pairs.map(\.resource.description)) == [
                    "arn:aws:wafv2:us-east-1:111122223333:regional/rulegroup/g/2",
                    "arn:aws:wafv2:us-east-1:111122223333:regional/ipset/s/1",
                ])
        }
    }

    @Test func `levels are the actions' own, sensitivity is the operation's`() throws {
        let copy = try named(
            "s3", "CopyObject", ["Bucket": "logs", "Key": "k", "CopySource": "src/k", "ACL": "private"])
        #expect(copy.pairs.map(\.level) == [.read, .write, .permissionsManagement])
        #expect(Set(copy.pairs.map(\.sensitivity)) == [.data])
        let head = try named("s3", "HeadObject", ["Bucket": "logs", "Key": "k"]).pairs[0]
        #expect(head.action == Action(prefix: "s3", name: "GetObject"))
        #expect(head.sensitivity == .metadata)
        #expect(try named("s3", "GetObject", ["Bucket": "logs", "Key": "k"]).pairs[0].sensitivity == .data)
        for decrypts: JSON in [["Name": "a"], ["Name": "a", "WithDecryption": true]] {
            #expect(try named("ssm", "GetParameter", decrypts).pairs[0].sensitivity == .credential)
        }
        #expect(
            try named("secretsmanager", "GetSecretValue", ["SecretId": "a"]).pairs[0].sensitivity
                == .credential)
    }

    @Test func `a member that is null counts as absent`() throws {
        let put = try named("s3", "PutObject", ["Bucket": "logs", "Key": "k", "ACL": .null])
        #expect(put.pairs.map(\.action.name) == ["PutObject"])
        #expect(throws: RecognitionError.malformed(part: "Key", why: "is missing")) {
            try named("s3", "PutObject", ["Bucket": "logs", "Key": .null])
        }
    }

    @Test func `every operation of the catalog has a pair or is refused, whatever it says`() throws {
        var (count, refused) = (0, 0)
        let odd: [JSON] = [[:], "x"]
        for operation in Catalog.builtIn.operations {
            for parameters in odd {
                let facts = CallFacts(
                    model: operation, parameters: parameters, partition: "aws", region: "us-east-1",
                    account: nil)
                do {
                    let pairs = try namePairs(facts).pairs
                    #expect(!pairs.isEmpty)
                    count += 1
                } catch { refused += 1 }
            }
        }
        #expect(count + refused == Catalog.builtIn.operations.count * odd.count)
        #expect(refused > 0 && count > 30_000)
    }

    @Test func `only an action without resource types is judged on everything`() throws {
        for operation in Catalog.builtIn.operations {
            let facts = CallFacts(
                model: operation, parameters: [:], partition: "aws", region: "us-east-1",
                account: "111122223333")
            guard let pairs = try? namePairs(facts).pairs else { continue }
            let stars = pairs.filter { $0.resource == .star && $0.level != .unknown }
            // Where the catalog says by hand that a form of the call names none, everything is right.
            let byHand = Set(operation.actions.filter(\.isStar).map(\.action))
            let model = Set(operation.actions.map(\.action)).subtracting(byHand)
            for pair in stars where model.contains(pair.action) {
                // Types that SAR lists as optional, and that this form of the call does not name.
                let optional = ["ListExports", "ListImports"]
                #expect(
                    optional.contains(operation.name),
                    "\(operation.service.name) \(operation.name) \(pair.action)")
            }
        }
    }

    @Test func `members of every wrong type are refused, never guessed at`() throws {
        let wrong: [JSON] = [1, true, [], ["a"], [:], ["a": "b"], "", "*", "a\u{0}", "a:b:c:d", "a b"]
        let members: [(String, String, String)] = [
            ("dynamodb", "DeleteTable", "TableName"), ("sqs", "PurgeQueue", "QueueUrl"),
            ("sns", "DeleteTopic", "TopicArn"),
            ("sts", "AssumeRole", "RoleArn"), ("iam", "DeleteRole", "RoleName"),
            ("lambda", "DeleteFunction", "FunctionName"),
            ("kms", "DisableKey", "KeyId"), ("secretsmanager", "DeleteSecret", "SecretId"),
            ("s3", "DeleteBucket", "Bucket"),
            ("ssm", "DeleteDocument", "Name"),
        ]
        for (service, operation, member) in members {
            for value in wrong + [nil] as [JSON?] {
                let parameters: JSON = .object(value.map { [.init(member, $0)] } ?? [])
                #expect("\(service) \(operation) \(parameters.text)") {
                    try named(service, operation, parameters)
                } throws: { error in
                    if case .malformed? = error as? RecognitionError { true } else { false }
                }
            }
        }
    }

    @Test func `an ARN is taken as it is spelled, or not at all`() {
        let good = ARN(parsing: "arn:aws:s3:us-east-1:111122223333:accesspoint/a:b")
        #expect(good?.resource == "accesspoint/a:b")
        for bad in [
            "arn:aws:s3", "arn:aws:s3:::", "ARN:aws:s3:::b", "arn:AWS:s3:::b", "arn:aws::r:111122223333:b",
            " arn:aws:s3:::b",
            "arn:aws:s3:us east:111122223333:b", "arn:aws:s3::11112222333:b", "arn:aws:s3:::b ",
            "arn:aws:s3:::b\n", "arn:aws:s3::*:b",
            "arn:aws:s3:*:111122223333:b",
        ] {
            #expect(ARN(parsing: bad) == nil, "\(bad)")
        }
    }

    @Test func `an ARN fits a format by its literal text`() throws {
        let format = ARNFormat(
            "arn:${Partition}:ecs:${Region}:${Account}:service/${ClusterName}/${ServiceName}")
        let arn = { (tail: String) in try #require(ARN(parsing: "arn:aws:ecs:us-east-1:111122223333:\(tail)"))
        }
        #expect(try format.fits(arn("service/c/s")))
        for tail in ["service/c", "service/c/", "service//s", "services/c/s", "cluster/c/s", "xservice/c/s"] {
            #expect(try !format.fits(arn(tail)), "\(tail)")
        }
        #expect(!ARNFormat("arn:${Partition}:s3:::${BucketName}").fits(try arn("b")))
        let fixed = ARNFormat("arn:${Partition}:ecs::aws:x/${Name}")
        #expect(!fixed.fits(try arn("x/y")))
    }
}
