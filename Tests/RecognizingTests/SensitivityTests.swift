import Foundation
import Testing
import Vocabulary

@testable import Recognizing

/// One line of `fixtures/sensitivity`: an operation, and what its documentation says that it shows.
private struct RatedOperation {
    let service: String
    let operation: String
    let sensitivity: String
    let vends: Bool
    let source: String

    static let all: [RatedOperation] = {
        let file = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("fixtures/sensitivity/tricky.jsonl")
        // A file that is not there leaves the list empty, which its test refuses.
        guard let text = try? Data(contentsOf: file) else { return [] }
        return text.split(separator: 0x0A).compactMap { line in
            guard let json = try? JSON(parsing: Array(line)), let vends = json["vends"],
                let service = json["service"]?.string, let operation = json["operation"]?.string,
                let sensitivity = json["sensitivity"]?.string, let source = json["source"]?.string
            else { return nil }
            return RatedOperation(
                service: service, operation: operation, sensitivity: sensitivity, vends: vends == .bool(true),
                source: source)
        }
    }()
}

@Suite("Sensitivity of every call") struct SensitivityTests {
    let catalog = Catalog.builtIn

    func operation(_ service: String, _ name: String) throws -> CatalogOperation {
        try #require(catalog.service(named: service)?.operation(named: name), "\(service) \(name)")
    }

    @Test func `every operation of every service is rated`() {
        let unrated = catalog.operations.filter { $0.sensitivity == .unrated }
        #expect(unrated.map { "\($0.service.name) \($0.name)" } == [])
    }

    @Test func `what a name alone would rate wrong is rated as its documentation says`() throws {
        let all = RatedOperation.all
        #expect(all.count >= 340)
        #expect(Set(all.map { "\($0.service) \($0.operation)" }).count == all.count)
        for one in all {
            let operation = try operation(one.service, one.operation)
            #expect(
                operation.sensitivity.description == one.sensitivity,
                "\(one.service) \(one.operation): \(one.source)")
            #expect(operation.vendsCredentials == one.vends, "\(one.service) \(one.operation): \(one.source)")
        }
    }

    @Test func `a reply that vends credentials is rated credential, and a reply with keys vends`() {
        for operation in catalog.operations {
            #expect(
                !operation.vendsCredentials || operation.sensitivity == .credential,
                "\(operation.service.name) \(operation.name)")
            #expect(!operation.replyCarriesKeys || operation.vendsCredentials)
        }
    }

    /// THREATS section 8, name by name; `*` stands for any run.
    @Test(arguments: [
        ("sts", "Assume*", 4), ("sts", "Get*Token", 4), ("iam", "CreateAccessKey", 1),
        ("iam", "*LoginProfile", 2), ("iam", "*eateServiceSpecificCredential", 1),
        ("iam", "ResetServiceSpecificCredential", 1), ("ecr", "GetAuthorizationToken", 1),
        ("ecr-public", "GetAuthorizationToken", 1), ("codeartifact", "GetAuthorizationToken", 1),
        ("cognito-identity", "GetCredentialsForIdentity", 1), ("sso", "GetRoleCredentials", 1),
        ("s3", "CreateSession", 1), ("s3control", "GetDataAccess", 1),
        ("lakeformation", "GetTemporary*", 3), ("eks-auth", "*", 1), ("gamelift", "Get*Access", 2),
        ("gamelift", "RequestUploadCredentials", 1), ("gamelift", "GetComputeAuthToken", 1),
        ("gamelift", "CreateBuild", 1), ("datazone", "GetEnvironmentCredentials", 1),
        ("deadline", "Assume*", 5), ("finspace-data", "Get*Access*", 2),
        ("codepipeline", "Get*JobDetails", 2), ("codepipeline", "PollForJobs", 1),
        ("lightsail", "*BucketAccessKey*", 2), ("redshift", "GetClusterCredentials*", 2),
        ("redshift-serverless", "GetCredentials", 1), ("ec2", "GetPasswordData", 1),
        ("ec2", "CreateKeyPair", 1), ("ssm", "GetAccessToken", 1),
    ])
    func `what the threat list names vends credentials`(service: String, pattern: String, count: Int) throws {
        let all = try #require(catalog.service(named: service)).operations
        // Deleting a credential hands out none.
        let named = all.filter { !$0.name.hasPrefix("Delete") && matches($0.name, pattern) }
        #expect(named.filter(\.vendsCredentials).count == count, "\(named.map(\.name))")
    }

    /// Whether a name fits a pattern of literal runs with `*` between them.
    private func matches(_ name: String, _ pattern: String) -> Bool {
        var rest = Substring(name)
        let runs = pattern.split(separator: "*", omittingEmptySubsequences: false)
        for (number, run) in runs.enumerated() where !run.isEmpty {
            guard let found = rest.range(of: run), number > 0 || found.lowerBound == rest.startIndex else {
                return false
            }
            rest = rest[found.upperBound...]
        }
        return rest.isEmpty || runs.last == ""
    }

    @Test(arguments: [
        ("kms", "Decrypt"), ("kms", "GenerateDataKey"), ("kms", "GenerateDataKeyPair"),
        ("kms", "DeriveSharedSecret"), ("ssm", "GetParameter"), ("ssm", "GetParameters"),
        ("ssm", "GetParametersByPath"), ("ssm", "GetParameterHistory"),
        ("secretsmanager", "GetRandomPassword"),
        ("payment-cryptography-data", "DecryptData"), ("mediaconvert", "GetJob"),
    ])
    func `what opens only data, or may hold a secret, is rated credential and left to policy`(
        service: String, name: String
    ) throws {
        let operation = try operation(service, name)
        #expect(operation.sensitivity == .credential && !operation.vendsCredentials)
    }

    @Test func `what a model marks as sensitive in a reply that is no credential is rated data`() throws {
        for (service, name) in [
            ("organizations", "ListAccounts"), ("apprunner", "PauseService"),
            ("location", "GetDevicePosition"),
            ("kafkaconnect", "DescribeConnector"), ("emr-serverless", "GetJobRun"),
        ] {
            #expect(try operation(service, name).sensitivity == .data, "\(service) \(name)")
        }
    }
}
