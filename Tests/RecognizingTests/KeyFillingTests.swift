import Foundation
import Testing
import Vocabulary

@testable import Recognizing

/// One line of `fixtures/keys/calls.jsonl`: a call, and what its condition keys are for one of its pairs.
private struct KeyFixture: CustomTestStringConvertible {
    let json: JSON
    let number: Int

    var testDescription: String {
        "calls.jsonl:\(number) \(json["service"]?.string ?? "") \(json["operation"]?.string ?? "")"
    }

    static let all: [KeyFixture] = {
        let file = PairFixture.folder.deletingLastPathComponent().appendingPathComponent("keys/calls.jsonl")
        guard let text = try? String(contentsOf: file, encoding: .utf8) else { return [] }
        return text.utf8.split(separator: 0x0A).enumerated().compactMap { number, line in
            (try? JSON(parsing: Array(line))).map { KeyFixture(json: $0, number: number + 1) }
        }
    }()

    /// The pair of the action and kind of resource that the line asks about, else the first.
    func pair(_ pairs: [Pair]) -> Pair? {
        pairs.first { pair in
            let action = json["action"]?.string ?? pair.action.description
            let kind = json["resource"]?.string ?? ""
            return pair.action.description == action
                && (kind.isEmpty || spelled(pair.resource).contains(":\(kind)"))
        }
    }
}

/// What naming says of a call of `operation` in `us-east-1`.
private func named(
    _ service: String, _ operation: String, _ parameters: JSON, partition: String = "aws"
) throws -> NamedPairs {
    let model = try #require(Catalog.builtIn.service(named: service)?.operation(named: operation))
    return try namePairs(
        CallFacts(
            model: model, parameters: parameters, partition: partition, region: "us-east-1",
            account: "111122223333"))
}

@Suite("Filling condition keys") struct KeyFillingTests {
    @Test("a documented call fills its keys, and no others", arguments: KeyFixture.all)
    fileprivate func documented(_ fixture: KeyFixture) throws {
        let named = try named(
            try #require(fixture.json["service"]?.string), try #require(fixture.json["operation"]?.string),
            try #require(fixture.json["parameters"]))
        let pairs = named.pairs.map(\.action.description)
        let pair = try #require(fixture.pair(named.pairs), "\(fixture.testDescription): \(pairs)")
        #expect(fixture.json["source"]?.string?.hasPrefix("https://docs.aws.amazon.com/") == true)
        for key in try #require(fixture.json["keys"]?.members) {
            let wanted: ConditionKeys.Value =
                switch key.value {
                case .null: .absent
                case .array(let values): .filled(values.compactMap(\.string))
                case .string, .bool, .number, .object: .unknown
                }
            let found = named.keys.value(of: key.name, for: pair)
            #expect(found == wanted, "\(fixture.testDescription): \(key.name)")
        }
    }

    @Test func `there are as many documented calls as the set promises`() {
        #expect(KeyFixture.all.count >= 150)
    }

    @Test func `a key is said only of pairs whose action AWS lists it for`() throws {
        let named = try named(
            "stepfunctions", "CreateStateMachine",
            ["name": "m", "definition": "{}", "roleArn": "arn:aws:iam::111122223333:role/app"])
        let pass = try #require(named.pairs.first { $0.action.name == "PassRole" })
        let create = try #require(named.pairs.first { $0.action.name == "CreateStateMachine" })
        #expect(named.keys.value(of: "iam:PassedToService", for: pass) == .filled(["states.amazonaws.com"]))
        #expect(named.keys.value(of: "iam:PassedToService", for: create) == .unknown)
        #expect(named.keys["iam:PassedToService"] == .unknown)
        #expect(named.keys.value(of: "aws:TagKeys", for: create) == .absent)
    }

    @Test func `what a principal is called in another partition is not said`() throws {
        let named = try named(
            "stepfunctions", "CreateStateMachine",
            ["name": "m", "definition": "{}", "roleArn": "arn:aws-cn:iam::111122223333:role/app"],
            partition: "aws-cn")
        let pass = try #require(named.pairs.first { $0.action.name == "PassRole" })
        #expect(named.keys.value(of: "iam:PassedToService", for: pass) == .unknown)
    }

    @Test func `the texts at a path are read, anything else is not known`() {
        let json: JSON = [
            "a": ["b": "x"], "n": 7, "t": true, "e": "", "f": .number("1.0"), "z": .null,
            "l": ["x", "y"], "s": [["v": "1"], ["v": "2"]], "gap": [["v": "1"], ["w": "2"]],
        ]
        func texts(_ path: String) -> [String]? { KeyFilling.texts(at: path, in: json) }
        #expect(texts("a.b") == ["x"])
        #expect(texts("n") == ["7"])
        #expect(texts("t") == ["true"])
        #expect(texts("l[]") == ["x", "y"])
        #expect(texts("s[].v") == ["1", "2"])
        #expect(texts("z") == [])
        #expect(texts("a.c") == [])
        #expect(texts("none.b") == [])
        for unread in ["a", "e", "f", "l", "s", "s[]", "n[]", "l.v", "a[].b", "gap[].v", "n.v"] {
            #expect(texts(unread) == nil)
        }
    }

    @Test func `a value in no form that AWS compares, or beside what may change it, is not known`() {
        let json: JSON = [
            "from": "a.b+c@example.com", "named": "A <a@example.com>", "two": "a@example.com,b@example.com",
            "coded": "=?utf-8?q?a?=@example.com", "bare": "example.com", "yes": true, "no": false,
            "list": ["a@example.com", "A <a@example.com>"], "inner": ["member": "x"],
            "key": "arn:aws:kms:us-east-1:111122223333:key/1",
            "alias": "arn:aws:kms:us-east-1:111122223333:alias/1",
            "role": "arn:aws:iam::111122223333:role/key/1",
        ]
        func values(_ source: String) -> [String]? { KeyFilling.values(of: source, in: json) }
        #expect(values("from if address") == ["a.b+c@example.com"])
        for name in ["named", "two", "coded", "bare", "list[]"] {
            #expect(values(name + " if address") == nil, "\(name)")
        }
        #expect(values("none if address") == [])
        #expect(values("yes if =true") == ["true"])
        #expect(values("no if =true") == nil)
        #expect(values("key if key") == ["arn:aws:kms:us-east-1:111122223333:key/1"])
        for name in ["alias", "from", "role"] { #expect(values(name + " if key") == nil, "\(name)") }
        #expect(values("yes unless none inner.none") == ["true"])
        for other in ["no", "inner", "inner.member", "list", "yes.member"] {
            #expect(values("yes unless \(other)") == nil, "\(other)")
        }
        #expect(values("from if address unless none no") == nil)
    }

    @Test func `a key that is a part of the resource is known where the ARN is known whole and of that kind`()
    {
        func value(_ part: ConditionKeys.ResourcePart, _ resource: Resource) -> String? {
            part.value(in: resource)
        }
        let arn = "arn:aws:ec2:us-east-1:111122223333:instance/i-1"
        #expect(value(.id(after: "instance/"), Resource(arn)) == "i-1")
        #expect(value(.whole(of: "instance/"), Resource(arn)) == arn)
        #expect(value(.id(after: "instance/"), Resource(arn + "/volume/v")) == "i-1")
        for other in [
            Resource("arn:aws:ec2:us-east-1:111122223333:instance/"), .star, .unknown,
            Resource("arn:aws:ec2:us-east-1:111122223333:fleet/instance/i-1"),
            Resource([.known("arn:aws:ec2:us-east-1:111122223333:instance/i-"), .unknown]),
            Resource([.known("arn:aws:ec2:us-east-1:"), .unknown, .known(":instance/i-1")]),
        ] {
            #expect(value(.id(after: "instance/"), other) == nil, "\(other)")
        }
    }

    @Test func `what a row says of one kind of resource is not said of another, nor of what only tags it`()
        throws
    {
        let named = try named(
            "ec2", "CreateVolume",
            [
                "AvailabilityZone": "us-east-1a", "Size": 8, "SnapshotId": "snap-1",
                "TagSpecifications": [["ResourceType": "volume", "Tags": [["Key": "a", "Value": "b"]]]],
            ])
        func sizes(_ action: String, _ kind: String) -> Set<ConditionKeys.Value> {
            let pairs = named.pairs.filter {
                $0.action.description == action && spelled($0.resource).contains(":" + kind)
            }
            #expect(!pairs.isEmpty)
            return Set(pairs.map { named.keys.value(of: "ec2:VolumeSize", for: $0) })
        }
        #expect(sizes("ec2:CreateVolume", "volume/") == [.filled(["8"])])
        #expect(sizes("ec2:CreateVolume", "snapshot/") == [.unknown])
        #expect(sizes("ec2:CreateTags", "volume/") == [.unknown])
    }

    @Test func `of what several readings say of a key only what is alike holds`() throws {
        var (left, right) = (ConditionKeys(), ConditionKeys())
        left["x:same"] = .absent
        right["x:same"] = .absent
        left["x:only"] = .absent
        left["x:other"] = .filled(["a"])
        right["x:other"] = .filled(["b"])
        left.say(family: "x:tag/", [], of: nil)
        right.say(family: "x:tag/", [("a", "1")], of: nil)
        left.say(absent: KeyNames(["x:none", "x:left", "x:mine"]))
        right.say(absent: KeyNames(["x:none", "x:right", "x:mine"]))
        left["x:mine"] = .filled(["a"])
        let both = left.agreed(with: right)
        #expect(both["x:same"] == .absent)
        #expect(both["x:none"] == .absent)
        let different = ["x:only", "x:other", "x:tag/a", "x:tag/b", "x:left", "x:right", "x:mine"]
        for name in different { #expect(both[name] == .unknown) }
        #expect(left["x:mine"] == .filled(["a"]))
        #expect(right["x:mine"] == .absent)
        #expect(left["x:tag/a"] == .absent)
    }

    @Test func `of every call the gateway knows that it makes it itself, and for whom`() throws {
        let request = InboundRequest(
            head: RequestHead(
                method: "POST", target: "/",
                fields: [
                    HeaderField("host", "127.0.0.1:4599"),
                    HeaderField("content-type", "application/x-amz-json-1.0"),
                    HeaderField("x-amz-target", "DynamoDB_20120810.ListTables"),
                ]),
            body: Array("{}".utf8))
        let caller = Caller(
            agent: try AgentName(parsing: "support-7"), session: SessionID(random: 7), strength: .signed,
            task: nil, reason: nil, scope: CredentialScope(region: "us-east-1", service: "dynamodb"))
        let keys = try recognize(
            request, caller: caller, setting: RecognitionSetting(account: "111122223333", region: "us-east-1")
        ).meaning.keys
        #expect(keys["aws:RequestedRegion"] == .filled(["us-east-1"]))
        #expect(keys["aws:PrincipalAccount"] == .filled(["111122223333"]))
        #expect(keys["aws:SecureTransport"] == .filled(["true"]))
        for name in ["aws:ViaAWSService", "aws:PrincipalIsAWSService"] {
            #expect(keys[name] == .filled(["false"]))
        }
        for name in [
            "aws:CalledVia", "aws:CalledViaFirst", "aws:CalledViaLast", "aws:SourceArn", "aws:SourceAccount",
        ] {
            #expect(keys[name] == .absent)
        }
        for name in ["aws:SourceIp", "aws:PrincipalOrgID", "aws:MultiFactorAuthPresent"] {
            #expect(keys[name] == .unknown)
        }
    }
}
