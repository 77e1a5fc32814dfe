import Recognizing
import Testing
import Vocabulary

@testable import Deciding

@Suite("The permission boundary of the gateway's role") struct BoundaryTests {
    private static func boundary(_ statements: String, agents: String = "[\"*\"]") throws -> Boundary {
        Boundary(for: try .of(statements, agents: agents))
    }

    /// The boundary as a set for everybody, loaded from the text that IAM gets.
    private static func loaded(_ boundary: Boundary) throws -> PolicySet {
        let book = """
            Countersign: 1
            Agents:
              - {Name: role, Policies: [boundary.json]}
            """
        return try PolicySet.load(
            files: [
                PolicyFile("agents.yaml", book), PolicyFile("boundary.json", boundary.document.text),
            ], actions: ActionNames(Catalog.builtIn))
    }

    private static func text(_ boundary: Boundary) -> String { boundary.document.text }

    // MARK: - One statement at a time

    @Test func `what allows, asks or is the floor is allowed, once`() throws {
        let boundary = try Self.boundary(
            """
            - {Sid: A, Effect: Allow, Action: s3:GetObject, Resource: "arn:aws:s3:::a"}
            - Sid: B
              Effect: AllowWithApproval
              Action: s3:PutObject
              Resource: "arn:aws:s3:::a"
              Approval: {Approvers: [oncall]}
            - Sid: C
              Effect: RequireApproval
              Action: s3:DeleteObject
              Resource: "arn:aws:s3:::a"
              Approval: {Approvers: [oncall]}
            """)
        #expect(
            Self.text(boundary)
                == #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:DeleteObject","#
                + #""s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::a"}]}"#)
        #expect(boundary.notes.isEmpty)
    }

    @Test func `one character is not any text: neither pattern makes the other needless`() throws {
        let boundary = try Self.boundary(
            """
            - Sid: A
              Effect: Allow
              Action: s3:GetObject
              Resource: ["arn:aws:s3:::a/?", "arn:aws:s3:::a/*"]
            """)
        #expect(Self.text(boundary).contains(#""arn:aws:s3:::a/*""#))
    }

    @Test func `a denial to all stays, one to some agents does not`() throws {
        let boundary = try Self.boundary(
            """
            - {Sid: A, Effect: Allow, Action: "s3:*", Resource: "*"}
            - {Sid: B, Effect: Deny, Action: s3:PutObject, Resource: "*"}
            - {Sid: C, Effect: Deny, Action: s3:DeleteObject, Resource: "*", Agents: [etl-*]}
            """)
        #expect(Self.text(boundary).contains(#"{"Effect":"Deny","Action":"s3:PutObject","Resource":"*"}"#))
        #expect(!Self.text(boundary).contains("s3:DeleteObject"))
        #expect(boundary.notes.map { $0.prefix(6) } == ["test/C"])
    }

    @Test func `a denial of what the gateway's own variables name is left out, and told`() throws {
        let boundary = try Self.boundary(
            """
            - {Sid: A, Effect: Allow, Action: "s3:*", Resource: "*"}
            - Sid: B
              Effect: Deny
              Action: s3:PutObject
              Resource: "arn:aws:s3:::home/${countersign:Agent}/*"
            """)
        #expect(!Self.text(boundary).contains("s3:PutObject"))
        #expect(boundary.notes.map { $0.prefix(6) } == ["test/B"])
    }

    @Test func `a denial to the only agents that may do something stays`() throws {
        let boundary = try Self.boundary(
            """
            - {Sid: A, Effect: Allow, Action: "s3:*", Resource: "*"}
            - {Sid: B, Effect: Deny, Action: s3:PutObject, Resource: "*"}
            """, agents: "[etl-*]")
        #expect(Self.text(boundary).contains("Deny") && boundary.notes.isEmpty)
    }

    @Test func `conditions of AWS stay, ours widen an Allow and end a Deny`() throws {
        let boundary = try Self.boundary(
            """
            - Sid: A
              Effect: Allow
              Action: s3:ListBucket
              Resource: "arn:aws:s3:::a"
              Condition: {stringlike: {s3:prefix: "x/*"}}
            - Sid: B
              Effect: Allow
              Action: s3:GetObject
              Resource: "*"
              Condition: {StringEquals: {countersign:Task: T-1, aws:RequestedRegion: eu-west-1}}
            - Sid: C
              Effect: Deny
              Action: s3:PutObject
              Resource: "*"
              Condition: {StringNotEquals: {aws:RequestedRegion: eu-west-1}}
            - Sid: D
              Effect: Deny
              Action: s3:DeleteObject
              Resource: "*"
              Condition: {StringNotLike: {countersign:Task: "T*"}}
            """)
        let text = Self.text(boundary)
        #expect(text.contains(#""Condition":{"StringLike":{"s3:prefix":"x/*"}}"#))
        #expect(
            text.contains(
                #""Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"aws:RequestedRegion":"#
            ))
        #expect(
            text.contains(
                #"{"Effect":"Deny","Action":"s3:PutObject","Resource":"*","Condition":{"StringNotEquals":"#))
        #expect(!text.contains("countersign") && !text.contains("DeleteObject"))
        #expect(boundary.notes.count == 2)
    }

    @Test func `the floor asks where AWS's own value is not known, so its condition goes`() throws {
        let boundary = try Self.boundary(
            "- {Sid: A, Effect: RequireApproval, Action: s3:GetObject, Resource: \"*\", "
                + "Condition: {StringEquals: {aws:ResourceTag/a: b}}, Approval: {Approvers: [oncall]}}")
        #expect(!Self.text(boundary).contains("Condition") && boundary.notes.count == 1)
    }

    @Test func `a level of access is written as the actions that have it`() throws {
        let denied = try Self.boundary(
            """
            - {Sid: A, Effect: Allow, Action: "s3:*", Resource: "*"}
            - Sid: B
              Effect: Deny
              Action: "iam:*"
              Resource: "*"
              Condition: {Bool: {countersign:Mutates: "true"}}
            """)
        #expect(Self.text(denied).contains("iam:Create*") && !Self.text(denied).contains("iam:Get"))
        let allowed = try Self.boundary(
            "- {Sid: A, Effect: Allow, Action: \"dynamodb:*\", Resource: \"*\", "
                + "Condition: {Bool: {countersign:Mutates: \"false\"}}}")
        #expect(
            Self.text(allowed).contains("dynamodb:Get") && !Self.text(allowed).contains("dynamodb:Delete"))
        #expect(allowed.notes.isEmpty)
    }

    @Test func `the gateway's own variables are any text, and no exception`() throws {
        let boundary = try Self.boundary(
            """
            - Sid: A
              Effect: Allow
              Action: s3:GetObject
              Resource: "arn:aws:s3:::h/${countersign:Agent}/${*}/*"
            - Sid: B
              Effect: Allow
              Action: s3:PutObject
              NotResource: "arn:aws:s3:::h/${countersign:Agent}"
            """)
        #expect(
            Self.text(boundary).contains(#""Action":"s3:GetObject","Resource":"arn:aws:s3:::h/*/${*}/*""#))
        #expect(Self.text(boundary).contains(#""Action":"s3:PutObject","Resource":"*""#))
    }

    @Test func `operations that hand out credentials are denied unless named`() throws {
        let wide = try Self.boundary("- {Sid: A, Effect: Allow, Action: \"sts:*\", Resource: \"*\"}")
        #expect(Self.text(wide).contains(#""sts:AssumeRole""#) && Self.text(wide).contains("Deny"))
        let named = try Self.boundary(
            "- {Sid: A, Effect: Allow, Action: [\"sts:*\", sts:AssumeRole], Resource: \"*\"}")
        #expect(!Self.text(named).contains(#""sts:AssumeRole""#) && Self.text(named).contains("Deny"))
    }

    @Test func `compaction tells every action that it adds`() throws {
        let set = try PolicySet.of(
            "- {Sid: A, Effect: Allow, "
                + "Action: [dynamodb:GetItem, dynamodb:PutItem, s3:GetObject, s3:GetObjectVersion], "
                + "Resource: \"*\"}")
        #expect(!Boundary(for: set).document.text.contains("s3:Get*"))
        let compact = Boundary(for: set, isCompact: true)
        #expect(
            compact.document.text.contains(#""s3:Get*""#)
                && compact.document.text.contains("dynamodb:GetItem"))
        #expect(
            compact.notes.count == 1
                && compact.notes[0].hasPrefix("s3:Get* adds GetAccelerateConfiguration, "))
        #expect(!compact.notes[0].contains("GetObjectVersion,"))
    }

    @Test func `what does not fit is cut into policies that fit and together say it`() throws {
        let text = (0..<150).map {
            "- {Sid: S\($0), Effect: Allow, Action: s3:GetObject, Resource: \"*\", "
                + "Condition: {StringEquals: {aws:RequestedRegion: r\($0)}}}"
        }
        let boundary = try Self.boundary(text.joined(separator: "\n"))
        #expect(boundary.size > 6_144)
        let parts = try #require(boundary.parts(limit: 6_144))
        #expect(parts.count > 1 && parts.allSatisfy { $0.text.utf8.count <= 6_144 })
        #expect(parts.flatMap { $0["Statement"]?.array ?? [] }.count == 150)
        #expect(boundary.parts(limit: 100) == nil)
        let long = (0..<150).map { "\"arn:aws:sqs:us-east-1:111122223333:some-queue-\($0)\"" }.joined(
            separator: ",")
        let queues = try Self.boundary(
            "- {Sid: A, Effect: Allow, Action: sqs:SendMessage, Resource: [\(long)]}")
        let cut = try #require(queues.parts(limit: 6_144))
        let resources = cut.flatMap { $0["Statement"]?.array ?? [] }.flatMap { $0["Resource"]?.array ?? [] }
        #expect(queues.rules.count == 1 && cut.count == 2 && Set(resources).count == 150)
    }

    // MARK: - Any set

    @Test func `random sets: whatever is allowed or asked, the boundary allows`() throws {
        var random = SeededRandom(seed: 31)
        var (passed, refused) = (0, 0)
        for round in 0..<100 {
            let set = try PolicySet.of(try RandomPolicies.pair(&random).0)
            let boundary = Boundary(
                for: set, isCompact: round.isMultiple(of: 2), over: PolicyDiffTests.actions)
            let role = try Self.loaded(boundary)
            for _ in 0..<60 {
                let call = try RandomPolicies.call(&random, PolicyDiffTests.actions)
                // AWS knows the whole resource, whatever the request says of it.
                guard call.resource.isKnown, call.resource.description.hasPrefix("arn:") else { continue }
                let isLet = PolicyDiff.Verdict(call.decided(by: set)).word != "deny"
                let allowed =
                    PolicyDiff.Verdict(try call.asAWSSeesIt(&random).decided(by: role)).word == "allow"
                if isLet {
                    passed += 1
                    #expect(allowed, "\(call)\n\(set.statements)\n\(boundary.document.text)")
                } else if !allowed {
                    refused += 1
                }
            }
        }
        #expect(passed > 150 && refused > 300, "\(passed) \(refused)")
    }
}

extension PolicyDiff.Witness {
    /// The call by the gateway's role: every key has a value or none, and AWS has its own clock and no rule
    /// about credentials.
    fileprivate func asAWSSeesIt(_ random: inout SeededRandom) throws -> Self {
        let seen = settings.map { setting -> Situation.Setting in
            switch setting {
            case .keys(let name, .unknown):
                let values: [ConditionKeys.Value] = [
                    .absent, .filled(["a"]), .filled(["tmp/a"]), .filled(["true"]),
                ]
                return .keys(name, values[Int.random(in: 0..<values.count, using: &random)])
            case .at(let moment): return .at(moment.advanced(by: .seconds(7_200)))
            default: return setting
            }
        }
        return Self(
            agent: try AgentName(parsing: "role"), action: action, resource: resource, circumstances: [],
            level: level, sensitivity: sensitivity, vends: false, settings: seen)
    }
}
