import Recognizing
import Testing
import Vocabulary

@Suite("The catalog's actions and shapes") struct CatalogActionTests {
    let catalog = Catalog.builtIn

    func operation(_ service: String, _ name: String) throws -> CatalogOperation {
        try #require(catalog.service(named: service)?.operation(named: name), "\(service) \(name)")
    }

    @Test func `every action of the reference is known in any case, with its level`() {
        var count = 0
        for prefix in catalog.actionPrefixes {
            for listed in catalog.listedActions(prefix: prefix) {
                count += 1
                #expect(
                    catalog.listedAction(prefix: prefix.uppercased(), name: listed.action.name.uppercased())
                        == listed)
            }
        }
        #expect(count == 22_321)
        #expect(catalog.listedAction(prefix: "s3", name: "getobject")?.action.name == "GetObject")
        #expect(catalog.listedAction(prefix: "s3", name: "GetObject")?.level == .read)
        #expect(catalog.listedAction(prefix: "s3", name: "ListBucket")?.level == .list)
        #expect(catalog.listedAction(prefix: "s3", name: "PutBucketPolicy")?.level == .permissionsManagement)
        #expect(catalog.listedAction(prefix: "s3", name: "PutObjectTagging")?.level == .tagging)
        #expect(!catalog.isKnownAction(prefix: "s3", name: "HeadObject"))
        #expect(!catalog.isKnownAction(prefix: "s3", name: ""))
        #expect(!catalog.isKnownAction(prefix: "", name: "GetObject"))
    }

    @Test func `a made-up action of an operation that nobody lists is no IAM action`() throws {
        let action = try #require(try operation("codecatalyst", "CreateProject").actions.first)
        #expect(!action.isKnown)
        #expect(action.level == .unknown)
        #expect(action.level.mutates)
        #expect(!action.isStar && action.resources.isEmpty)
        #expect(!catalog.isKnownAction(prefix: action.prefix, name: action.name))
    }

    @Test func `patterns match as IAM's do`() {
        let reads = catalog.listedActions(matching: "S3:getObject*").map(\.action.name)
        #expect(reads.contains("GetObject") && reads.contains("GetObjectVersionTagging"))
        #expect(!reads.contains("PutObject"))
        #expect(catalog.listedActions(matching: "kms:?ecrypt").map(\.action.name) == ["Decrypt"])
        #expect(catalog.listedActions(matching: "*").count == 22_321)
        #expect(catalog.listedActions(matching: "*:GetCallerIdentity").count == 1)
        #expect(catalog.listedActions(matching: "s3:Nothing*").isEmpty)
    }

    @Test func `a misspelled action has its neighbors`() {
        #expect(catalog.actionsNear("s3:GetObjekt").first == Action(prefix: "s3", name: "GetObject"))
        #expect(catalog.actionsNear("dynamdb:GetItem").contains(Action(prefix: "dynamodb", name: "GetItem")))
        #expect(catalog.actionsNear("s3:Frobnicate9000Everything").isEmpty)
    }

    @Test(arguments: [
        ("s3", "ListBuckets", ["s3:ListAllMyBuckets"]),
        ("s3", "CopyObject", ["s3:GetObject", "s3:PutObject"]),
        ("s3control", "GetPublicAccessBlock", ["s3:GetAccountPublicAccessBlock"]),
        ("s3control", "GetBucketPolicy", ["s3-outposts:GetBucketPolicy"]),
        ("cloudwatch", "GetMetricData", ["cloudwatch:GetMetricData"]),
        ("opensearch", "CreateDomain", ["es:CreateDomain"]),
        ("apigateway", "CreateRestApi", ["apigateway:POST"]),
        ("kms", "ReEncrypt", ["kms:ReEncryptFrom", "kms:ReEncryptTo"]),
        ("lambda", "Invoke", ["lambda:InvokeFunction"]), ("sqs", "SendMessageBatch", ["sqs:SendMessage"]),
    ])
    func `an operation needs the actions of another name that the exceptions give it`(
        service: String, name: String, actions: [String]
    ) throws {
        #expect(
            try operation(service, name).actions.filter { $0.condition == nil }.map(\.action.description)
                == actions)
    }

    @Test func `a role handed to a service is an action of its own, if it is there`() throws {
        let passed = try operation("lambda", "CreateFunction").actions.filter { $0.name == "PassRole" }
        #expect(passed.map(\.condition) == ["Role"])
        #expect(passed.first?.resources.first?.arnPath == "Role")
        #expect(
            try operation("events", "PutTargets").actions.contains { $0.condition == "Targets[].RoleArn" })
        #expect(try !operation("sts", "AssumeRole").actions.contains { $0.name == "PassRole" })
        #expect(try !operation("lambda", "Invoke").actions.contains { $0.name == "PassRole" })
    }

    @Test func `tags on what a call makes are the tagging action's, if they are there`() throws {
        let tagged = try operation("dynamodb", "CreateTable").actions.filter { $0.name == "TagResource" }
        #expect(tagged.map(\.condition) == ["Tags"])
        #expect(tagged.first?.level == .tagging)
        #expect(
            try operation("ec2", "RunInstances").actions.contains {
                $0.name == "CreateTags" && $0.condition != nil
            })
        #expect(try operation("dynamodb", "TagResource").actions.map(\.condition) == [nil])
    }

    @Test func `an account in a format is the account, by whatever name`() throws {
        let connector = try operation("chime-sdk-voice", "GetVoiceConnector").actions[0].resources[0]
        #expect(connector.arnFormat.contains(":${Account}:"))
        #expect(connector.variables.map(\.source) == ["VoiceConnectorId"])
    }

    @Test func `the verbs of API Gateway act on the path`() throws {
        let service = try #require(catalog.service(named: "apigateway"))
        #expect(service.namesResourcesByPath)
        let verb = try operation("apigateway", "DeleteStage").actions[0]
        #expect(verb.action == Action(prefix: "apigateway", name: "DELETE"))
        #expect(verb.resources.isEmpty && !verb.isStar)
        #expect(catalog.services.count(where: \.namesResourcesByPath) == 2)
    }

    @Test func `condition keys of services are known, those with a free part too`() {
        #expect(catalog.isKnownConditionKey("s3:prefix"))
        #expect(catalog.isKnownConditionKey("DynamoDB:LeadingKeys"))
        #expect(catalog.isKnownConditionKey("aws:RequestTag/team"))
        #expect(!catalog.isKnownConditionKey("s3:prefixes"))
        #expect(!catalog.isKnownConditionKey("nonsense:key"))
        #expect(!catalog.isKnownConditionKey(""))
    }

    @Test func `resources name the members that fill them`() throws {
        let table = try operation("dynamodb", "GetItem").actions[0].resources
        #expect(table.map(\.type) == ["table"])
        #expect(table[0].arnFormat == "arn:${Partition}:dynamodb:${Region}:${Account}:table/${TableName}")
        #expect(table[0].variables.map(\.name) == ["TableName"])
        #expect(table[0].variables.map(\.source) == ["TableName"])
        let instance = try operation("ec2", "TerminateInstances").actions[0].resources[0]
        #expect(instance.variables.map(\.source) == ["InstanceIds[]"])
        let object = try operation("s3", "GetObject").actions[0].resources.first { $0.type == "object" }
        #expect(object?.variables.map(\.source) == ["Bucket", "Key"])
        #expect(try operation("s3", "ListBuckets").actions[0].isStar)
        // An ARN of something else never stands in: a new machine is not its instance profile.
        let machine = try operation("ec2", "RunInstances").actions[0].resources
        #expect(machine.allSatisfy { $0.arnPath != "IamInstanceProfile.Arn" })
    }

    @Test(arguments: [
        ("s3", "HeadObject", Sensitivity.metadata), ("s3", "GetObject", .data),
        ("s3", "CreateSession", .credential),
        ("dynamodb", "Query", .data), ("dynamodb", "DescribeTable", .metadata),
        ("secretsmanager", "GetSecretValue", .credential), ("ssm", "GetParameter", .credential),
        ("kms", "Decrypt", .credential), ("sts", "GetCallerIdentity", .metadata),
        ("sts", "AssumeRole", .credential),
        ("ecs", "DescribeTasks", .data),
    ])
    func `sensitivity is what was rated`(service: String, name: String, sensitivity: Sensitivity) throws {
        #expect(try operation(service, name).sensitivity == sensitivity)
    }

    @Test func `replies that hold credentials are marked, from the shapes and by hand`() throws {
        for (service, name) in [
            ("sts", "AssumeRole"), ("sts", "GetSessionToken"), ("iam", "CreateAccessKey"),
            ("s3control", "GetDataAccess"),
            ("cognito-identity", "GetCredentialsForIdentity"), ("codepipeline", "PollForJobs"),
            ("ssm", "GetAccessToken"),
        ] {
            let operation = try operation(service, name)
            #expect(operation.vendsCredentials && operation.replyCarriesKeys, "\(service) \(name)")
        }
        for (service, name) in [
            ("ecr", "GetAuthorizationToken"), ("ec2", "GetPasswordData"), ("ec2", "CreateKeyPair"),
            ("iam", "CreateLoginProfile"), ("redshift", "GetClusterCredentials"),
            ("iam", "CreateServiceSpecificCredential"),
        ] {
            let operation = try operation(service, name)
            #expect(operation.vendsCredentials && !operation.replyCarriesKeys, "\(service) \(name)")
            #expect(operation.sensitivity == .credential)
        }
        #expect(try !operation("sts", "GetCallerIdentity").vendsCredentials)
        #expect(try !operation("s3", "GetObject").vendsCredentials)
    }

    @Test func `operations without a signature are the model's own`() throws {
        #expect(try operation("sts", "AssumeRoleWithWebIdentity").isUnsignedByModel)
        #expect(try operation("cognito-idp", "InitiateAuth").isUnsignedByModel)
        #expect(try !operation("sts", "AssumeRole").isUnsignedByModel)
        #expect(catalog.operations.count(where: \.isUnsignedByModel) == 46)
    }

    @Test func `shapes say how a body is written`() throws {
        let item = try #require(try operation("dynamodb", "PutItem").input?.member(wireName: "Item"))
        #expect(item.isRequired && item.shape.kind == .map)
        let value = try #require(item.shape.value)
        #expect(value.isUnion == false && value.kind == .structure)
        // Attribute values hold attribute values.
        #expect(value.member(wireName: "M")?.shape.value == value)
        #expect(value.member(wireName: "B")?.shape.kind == .blob)
        let put = try #require(try operation("s3", "PutObject").input)
        #expect(put.payload?.name == "Body" && put.payload?.isStreaming == true)
        #expect(put.member(named: "Metadata")?.location == .headers)
        #expect(put.member(named: "Metadata")?.wireName == "x-amz-meta-")
        #expect(put.member(named: "ContentMD5")?.wireName == "Content-MD5")
        #expect(put.member(wireName: "Bucket") == nil)
        #expect(
            try operation("ec2", "RunInstances").input?.member(named: "BlockDeviceMappings")?.wireName
                == "BlockDeviceMapping")
        #expect(
            try operation("ec2", "RunInstances").input?.member(named: "ClientToken")?.isIdempotencyToken
                == true)
        #expect(
            try operation("dynamodb", "GetItem").input?.member(wireNameIgnoringCase: "tablename")?.name
                == "TableName")
        #expect(try operation("sts", "GetCallerIdentity").input?.members.isEmpty == true)
        #expect(try operation("s3", "GetObject").isBodyless)
        #expect(try !operation("s3", "PutObject").isBodyless)
        #expect(try operation("s3", "PutObject").streamsIn)
        #expect(try operation("s3", "GetObject").streamsOut)
        #expect(try operation("s3control", "CreateJob").hostPrefix == "{AccountId}.")
    }
}
