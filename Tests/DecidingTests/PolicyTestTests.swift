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
        #expect(full.failures.map(\.tried.action) == ["dynamodb:GetItem"])
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

    @Test(
        "a fault in a case is told with its place",
        arguments: [
            ("{Action: s3:GetObjct, Says: deny byDefault}", "2:14: `s3:GetObjct` is no IAM action"),
            ("{Action: s3:GetObject}", "2:5: `Says` must be stated"),
            ("{Action: s3:GetObject, Says: permit}", "2:34: `Says` begins with allow, ask or deny"),
            ("{Says: deny byDefault}", "2:5: `Action` must be stated"),
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
