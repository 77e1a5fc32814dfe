import Foundation
import Recognizing
import Testing
import Vocabulary

/// Where calls of access points and directory buckets are sent, and what holds them to what they are judged
/// as.
@Suite("Hosts of S3") struct S3RouteTests {
    func call(
        _ method: String, _ target: String, _ fields: [(String, String)] = [], region: String = "us-east-1",
        signedAs: String = "s3", host: String = "127.0.0.1:8990", body: String = "",
        setting: RecognitionSetting
    ) throws -> Call {
        let caller = Caller(
            agent: try AgentName(parsing: "local"), session: SessionID(random: 7), strength: .listener,
            task: nil, reason: nil, scope: CredentialScope(region: region, service: signedAs))
        let fields = [HeaderField("Host", host)] + fields.map { HeaderField($0.0, $0.1) }
        return try recognize(
            InboundRequest(
                head: RequestHead(method: method, target: target, fields: fields), body: Array(body.utf8)),
            caller: caller, setting: setting)
    }

    func setting(
        _ variant: EndpointVariant = [], account: String? = "111122223333",
        upstream: RecognitionSetting.Upstream = .aws
    ) -> RecognitionSetting {
        RecognitionSetting(account: account, region: nil, upstream: upstream, variant: variant)
    }

    /// `bucket` in the path, as an operation of the fixture is asked for.
    static func request(_ operation: String, _ bucket: String) -> (method: String, target: String) {
        let bucket = bucket.replacingOccurrences(of: ":", with: "%3A")
            .replacingOccurrences(of: "/", with: "%2F")
        return switch operation {
        case "ListObjectsV2": ("GET", "/\(bucket)?list-type=2")
        case "CreateBucket": ("PUT", "/\(bucket)")
        case "GetBucketPolicy": ("GET", "/\(bucket)?policy")
        case "GetObject": ("GET", "/\(bucket)/a%20b")
        default: ("PUT", "/\(bucket)/a%20b")
        }
    }

    @Test func `every host is the one of S3's own endpoint rules`() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try Data(contentsOf: folder.appendingPathComponent("fixtures/routes/s3-hosts.jsonl"))
        var (sent, refused) = (0, 0)
        for line in text.split(separator: 0x0A) {
            let row = try JSON(parsing: Array(line))
            let (bucket, operation) = (row["bucket"]?.string ?? "", row["operation"]?.string ?? "")
            let variant = EndpointVariant(fips: row["fips"] == true, dualStack: row["dualStack"] == true)
            let (method, target) = Self.request(operation, bucket)
            let copy = operation == "CopyObject" ? [("x-amz-copy-source", "logs/k")] : []
            func made() throws -> Call {
                try call(
                    method, target, copy, region: row["region"]?.string ?? "",
                    signedAs: bucket.hasSuffix("x-s3") || bucket.hasSuffix("xa-s3") ? "s3express" : "s3",
                    setting: setting(variant))
            }
            guard let host = row["host"]?.string else {
                #expect(throws: RecognitionError.self, "\(row.text)") { try made() }
                refused += 1
                continue
            }
            let found = try made()
            #expect(found.meaning.operation == operation, "\(row.text)")
            #expect(found.sealed.authority == host && found.sealed.awsHost == host, "\(row.text)")
            #expect(found.sealed.signingName == row["signingName"]?.string, "\(row.text)")
            #expect(found.sealed.signingRegion == row["signingRegion"]?.string, "\(row.text)")
            #expect(found.sealed.pathStyle == .asSent)
            let base = row["path"]?.string ?? ""
            let key = target.hasSuffix("/a%20b") ? "/a%20b" : ""
            #expect(found.sealed.path == (base + key == "" ? "/" : base + key), "\(row.text)")
            sent += 1
        }
        #expect(sent > 100 && refused > 20)
    }

    @Test func `an endpoint that stands for all of AWS has the bucket in the path`() throws {
        let setting = setting(upstream: .fixed(authority: "127.0.0.1:9000", usesTLS: false))
        let arn = "/arn%3Aaws%3As3%3Aus-west-2%3A111122223333%3Aaccesspoint%2Fap"
        let found = try call("GET", arn + "/k", setting: setting).sealed
        #expect(found.authority == "127.0.0.1:9000" && found.path == arn + "/k")
        #expect(found.awsHost == "ap-111122223333.s3-accesspoint.us-west-2.amazonaws.com")
        let zonal = try call("GET", "/logs--use1-az4--x-s3/k", signedAs: "s3express", setting: setting).sealed
        #expect(zonal.path == "/logs--use1-az4--x-s3/k")
    }

    @Test func `a key keeps its slashes and dots where the bucket leaves the path`() throws {
        let host = "ap-111122223333.s3-accesspoint.us-west-2.amazonaws.com"
        let found = try call("GET", "/a//b/../c/", region: "us-west-2", host: host, setting: setting())
        #expect(found.sealed.path == "/a//b/../c/" && found.sealed.authority == host)
        #expect(
            found.meaning.pairs.map(\.resource.description) == [
                "arn:aws:s3:us-west-2:111122223333:accesspoint/ap/object/a//b/../c/"
            ])
        #expect(throws: RecognitionError.self) {
            try call("GET", "/a/../../other/k", region: "us-west-2", host: host, setting: setting())
        }
    }

    // MARK: Directory buckets

    let bucket = "/logs--use1-az4--x-s3"

    func pin(_ call: Call, _ name: String = "x-amz-expected-bucket-owner") -> [String] {
        call.sealed.fields.filter { $0.name == name }.map(\.value)
    }

    @Test func `the account that a zonal call is judged by is sent along`() throws {
        let get = try call("GET", bucket + "/k", signedAs: "s3express", setting: setting())
        #expect(pin(get) == ["111122223333"])
        let named = try call(
            "GET", bucket + "/k", [("x-amz-expected-bucket-owner", "444455556666")], signedAs: "s3express",
            setting: setting())
        #expect(pin(named) == ["444455556666"])
        #expect(named.meaning.pairs[0].resource.description.contains(":444455556666:"))
        let unknown = try call("GET", bucket + "/k", signedAs: "s3express", setting: setting(account: nil))
        #expect(pin(unknown) == [])
        #expect(unknown.meaning.pairs[0].resource.description.contains(":<unknown>:"))
    }

    @Test func `a copy from a directory bucket pins its source`() throws {
        let copy = try call(
            "PUT", "/logs/copy", [("x-amz-copy-source", "logs--use1-az4--x-s3/k")], setting: setting())
        #expect(pin(copy, "x-amz-source-expected-bucket-owner") == ["111122223333"] && pin(copy) == [])
        #expect(copy.sealed.authority == "s3.us-east-1.amazonaws.com" && copy.sealed.path == "/logs/copy")
    }

    @Test func `what manages a directory bucket, and a plain bucket, is sent without a pin`() throws {
        #expect(pin(try call("PUT", bucket, signedAs: "s3express", setting: setting())) == [])
        #expect(pin(try call("GET", "/logs/k", setting: setting())) == [])
        #expect(
            pin(try call("GET", "/own--use1-az4--xa-s3/k", signedAs: "s3express", setting: setting())) == [])
    }

    @Test func `a read of a directory bucket is a read, a write a write`() throws {
        let get = try call("GET", bucket + "/k", signedAs: "s3express", setting: setting()).meaning
        let put = try call("PUT", bucket + "/k", signedAs: "s3express", setting: setting()).meaning
        let copy = try call(
            "PUT", bucket + "/c", [("x-amz-copy-source", "logs--use1-az4--x-s3/k")], signedAs: "s3express",
            setting: setting()
        ).meaning
        #expect(!get.mutates && get.pairs.map(\.level) == [.read])
        #expect(put.mutates && put.pairs.map(\.level) == [.write])
        // It reads and writes the one bucket: one pair, and a write.
        #expect(copy.pairs.map(\.level) == [.write])
    }

    @Test func `a session's keys are never handed out, and SigV4A is never made`() throws {
        let session = try call("GET", bucket + "?session", signedAs: "s3express", setting: setting())
        #expect(session.meaning.bar == .session && session.meaning.vendsCredentials)
        let everywhere = try call(
            "GET", "/arn%3Aaws%3As3%3A%3A111122223333%3Aaccesspoint%2Fm0.mrap/k", setting: setting())
        #expect(everywhere.meaning.bar == .signatureV4a)
        #expect(try call("GET", bucket + "/k", signedAs: "s3express", setting: setting()).meaning.bar == nil)
    }

    @Test func `what is managed on an outpost goes to its host, and says which outpost`() throws {
        let fields = [("x-amz-account-id", "111122223333"), ("x-amz-outpost-id", "op-01234567890123456")]
        let delete = try call(
            "DELETE", "/v20180820/accesspoint/x", fields, signedAs: "s3-outposts", setting: setting())
        #expect(delete.sealed.authority == "s3-outposts.us-east-1.amazonaws.com")
        #expect(delete.sealed.signingName == "s3-outposts")
        #expect(delete.sealed.path == "/v20180820/accesspoint/x")
        #expect(pin(delete, "x-amz-outpost-id") == ["op-01234567890123456"])
        let region = try call(
            "DELETE", "/v20180820/accesspoint/x", [fields[0]], signedAs: "s3", setting: setting()
        )
        #expect(region.sealed.authority == "111122223333.s3-control.us-east-1.amazonaws.com")
        #expect(region.meaning.pairs.map(\.action.description) == ["s3:DeleteAccessPoint"])
    }
}
