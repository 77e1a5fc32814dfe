import Recognizing
import Testing
import Vocabulary

@testable import Deciding

@Suite("Trying the cases beside the policies") struct PolicyTestTests {
    static let statements = """
        - {Sid: Read, Effect: Allow, Action: "dynamodb:GetItem", Resource: "*"}
        - Sid: Later
          Effect: Allow
          Action: "dynamodb:Query"
          Resource: "*"
          Condition: {DateGreaterThan: {aws:CurrentTime: "2027-01-01T00:00:00Z"}}
        - {Sid: Never, Effect: Deny, Action: "dynamodb:DeleteTable", Resource: "*"}
        """

    static func cases(_ text: String) throws -> [PolicyCase] {
        try PolicyCase.read(PolicyFile("cases.yaml", "Cases:\n" + text))
    }

    @Test func `a case passes when the decision is the one it states, to the letter`() throws {
        let test = PolicyTest(
            try Self.cases(
                """
                  - {Action: dynamodb:GetItem, Says: allow test/Read}
                  - {Action: dynamodb:GetItem, Says: allow test/Never}
                  - {Action: dynamodb:PutItem, Says: allow test/Read}
                  - {Action: dynamodb:DeleteTable, Says: deny test/Never}
                """), on: try PolicySet.of(Self.statements))
        #expect(test.results.map(\.isAsStated) == [true, false, false, true])
        #expect(test.failures.map(\.tried.line) == [3, 4])
        #expect(test.failures.map(\.found) == ["allow test/Read", "deny byDefault"])
    }

    @Test func `a statement is reached only by a case that it decides`() throws {
        let some = try Self.cases("  - {Action: dynamodb:GetItem, Says: allow test/Later}")
        let test = PolicyTest(some, on: try PolicySet.of(Self.statements))
        #expect(test.unreached.map(\.id.sid) == ["Later", "Never"])
        #expect(test.coverage == 33)
        let later = try Self.cases(
            "  - {Action: dynamodb:Query, At: \"2027-01-01T00:00:01Z\", Says: allow test/Later}\n"
                + "  - {Action: dynamodb:Query, At: \"2027-01-01\", Says: deny byDefault}")
        let full = PolicyTest(some + later, on: try PolicySet.of(Self.statements))
        #expect(full.unreached.map(\.id.sid) == ["Never"])
        #expect(full.failures.map(\.tried.supposed?.action) == ["dynamodb:GetItem"])
    }

    @Test func `a call that AWS takes unsigned is denied, and who one is is always answered`() throws {
        let all = "- {Sid: All, Effect: Allow, Action: \"*\", Resource: \"*\"}"
        let test = PolicyTest(
            try Self.cases(
                """
                  - {Action: sts:GetCallerIdentity, Says: allow alwaysAnswered}
                  - {Action: sts:AssumeRoleWithSAML, Says: "deny barred: unsigned by model"}
                  - {Action: sts:AssumeRole, Resource: "arn:aws:iam::1:role/a", Says: deny vendsCredentials}
                """), on: try PolicySet.of(all))
        #expect(test.failures.map(\.found) == [])
    }

    @Test func `a call that must be made is split into words, or named by its file`() throws {
        let cases = try Self.cases(
            """
              - {Run: "aws s3 rm 's3://a/b c'", Agent: etl, Task: t, At: "2027-01-01", Says: deny byDefault}
              - {Request: raw/get.http, Account: "012345678901", Region: eu-west-1, Says: deny byDefault}
            """)
        guard case .run(let words, let usual) = cases[0].subject,
            case .request("raw/get.http", let own) = cases[1].subject
        else { return #expect(Bool(false), "\(cases)") }
        #expect(words == ["aws", "s3", "rm", "s3://a/b c"] && usual == PolicyCase.usualPlace)
        #expect(own.account == "012345678901" && own.region == "eu-west-1")
        #expect(cases.map(\.agent.text) == ["etl", "local"] && cases[0].task == "t")
        #expect(cases.allSatisfy { $0.supposed == nil })
    }

    @Test func `of several calls that came the strictest decide, and one that never came is a fault`() throws
    {
        let policy = try PolicySet.of(Self.statements)
        let runs = try Self.cases(
            """
              - {Run: aws a b, Says: deny test/Never}
              - {Run: aws a b, Says: allow test/Read}
              - {Run: aws a b, Says: deny byDefault}
              - {Run: aws a b, Says: deny byDefault}
            """)
        func decided(_ action: String) throws -> Decision {
            let supposed = try meaning([pair(action, .star), pair(action, .star)])
            return decide(supposed, caller: try caller(), under: policy, grants: GrantBook(), at: noon)
        }
        let (read, never) = (try decided("dynamodb:GetItem"), try decided("dynamodb:DeleteTable"))
        let test = PolicyTest(
            runs, on: policy,
            made: [
                0: .decided([read, never, read]), 1: .decided([read, read]), 2: .failed("no such program"),
            ])
        #expect(test.results.map(\.found) == ["deny test/Never", "allow test/Read", nil, nil])
        #expect(test.results.map(\.isAsStated) == [true, true, false, false])
        #expect(test.faults.map(\.fault) == ["no such program", "its call was not made"])
        #expect(test.failures.isEmpty && test.unreached.map(\.id.sid) == ["Later"])
    }

    @Test func `strength is the listener's unless a case says otherwise`() throws {
        let policy = try PolicySet.of(
            """
            - Sid: Signed
              Effect: Allow
              Action: "*"
              Resource: "*"
              Condition: {StringEquals: {countersign:Strength: signed}}
            """)
        let cases = try Self.cases(
            "  - {Action: dynamodb:GetItem, Says: deny byDefault}\n"
                + "  - {Action: dynamodb:GetItem, Strength: signed, Says: allow test/Signed}")
        #expect(PolicyTest(cases, on: policy).failures.isEmpty)
    }

    @Test(
        "a fault in a case is told with its place",
        arguments: [
            ("{Action: s3:GetObjct, Says: deny byDefault}", "2:14: `s3:GetObjct` is no IAM action"),
            ("{Action: s3:GetObject}", "2:5: `Says` must be stated"),
            ("{Action: s3:GetObject, Says: permit}", "2:34: `Says` begins with allow, ask or deny"),
            ("{Says: deny byDefault}", "2:5: `Action`, `Run` or `Request` must be stated"),
            (
                "{Run: aws s3 ls, Action: s3:GetObject, Says: deny byDefault}",
                "2:6: a case has `Action` or `Run`"
            ),
            (
                "{Run: aws s3 ls, Resource: a, Says: deny byDefault}",
                "2:22: `Resource` does not go with `Run`"
            ),
            (
                "{Action: s3:GetObject, Region: a, Says: deny byDefault}",
                "2:28: `Region` does not go with `Action`"
            ),
            ("{Run: aws s3 ls \"a, Says: deny byDefault}", "2:11: a quote in `Run` does not close"),
            ("{Run: sh -c ls, Says: deny byDefault}", "2:11: `Run` is an `aws …` command line"),
            ("{Run: aws, Says: deny byDefault}", "2:11: `Run` is an `aws …` command line"),
            ("{Request: ../a.http, Says: deny byDefault}", "2:15: `Request` names a file in the folder"),
            ("{Request: /a.http, Says: deny byDefault}", "2:15: `Request` names a file in the folder"),
            ("{Run: aws s3 ls, Account: 1, Says: deny byDefault}", "2:31: `1` is no account: 12 digits"),
            ("{Run: aws s3 ls, Region: A, Says: deny byDefault}", "2:30: `A` is no region name"),
            (
                "{Run: aws s3 ls, Strength: weak, Says: deny byDefault}",
                "2:32: `Strength` is listener, uid or signed"
            ),
            ("{Action: s3:GetObject, Agent: A, Says: deny byDefault}", "2:35: `A` is no agent name"),
            ("{Action: s3:GetObject, At: 2026, Says: deny byDefault}", "2:32: `2026` is no moment"),
            ("{Action: s3:GetObject, Key: x, Says: deny byDefault}", "2:28: a case has no key `Key`"),
            (
                "{Action: s3:ListBucket, Operation: ListThings, Says: deny byDefault}",
                "2:40: no service of `s3` has `ListThings`"
            ),
            (
                "{Action: s3:GetObject, Keys: {countersign:Agnt: a}, Says: deny byDefault}",
                "2:35: `countersign:Agnt` is no condition key"
            ),
        ])
    func fault(_ text: String, _ expected: String) throws {
        let error = #expect(throws: PolicyError.self) { try Self.cases("  - " + text) }
        #expect(error?.description.contains(expected) ?? false, "\(error?.description ?? "") for \(text)")
    }
}
