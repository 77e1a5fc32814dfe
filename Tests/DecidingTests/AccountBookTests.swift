import Testing
import Vocabulary

@testable import Deciding

private let head = "Countersign: 1\n"

private func book(_ text: String) throws -> AccountBook {
    try PolicySet.load(files: [PolicyFile("accounts.yaml", head + text)], actions: knownActions).accounts
}

@Suite("Accounts") struct AccountBookTests {
    @Test func `an account has its own credentials, a profile's, a role's, or the template's`() throws {
        let book = try book(
            """
            Role: arn:aws:iam::{account}:role/countersign-gateway
            ExternalId: all
            Accounts:
              - {Id: 012345670123, Name: orders-prod, Environment: prod}
              - {Id: 111122223333, Name: billing, Profile: billing-admin}
              - {Id: 444455556666, Name: media, Role: "arn:aws-cn:iam::{account}:role/p/gate", ExternalId: o}
            """)
        #expect(
            book.accounts.map(\.source) == [
                .role(arn: "arn:aws:iam::012345670123:role/countersign-gateway", externalID: "all"),
                .profile("billing-admin"),
                .role(arn: "arn:aws-cn:iam::444455556666:role/p/gate", externalID: "o"),
            ])
        #expect(book["012345670123"]?.title == "orders-prod (prod)" && book["12345670123"] == nil)
        #expect(book.account(called: "billing")?.id == "111122223333")
        #expect(book.account(called: "444455556666")?.name == "media")
        #expect(try Tests.own("Accounts: [{Id: 111122223333, Name: a}]") == .own)
    }

    private enum Tests {
        static func own(_ text: String) throws -> AccountBook.Source? {
            try book(text).accounts.first?.source
        }
    }

    @Test(arguments: [
        ("Accounts: [{Id: 11112222333, Name: a}]", "accounts.yaml:2:17", "is no account id: 12 digits"),
        ("Accounts: [{Name: a}]", "accounts.yaml:2:12", "an account has no `Id`"),
        ("Accounts: [{Id: 111122223333}]", "accounts.yaml:2:12", "an account has no `Name`"),
        ("Accounts: [{Id: 111122223333, Name: a b}]", "accounts.yaml:2:37", "is no name of an account"),
        ("Accounts: [{Id: 111122223333, Name: 444455556666}]", "accounts.yaml:2:37", "and no account id"),
        ("Accounts: [{Id: 111122223333, Name: a, Zone: b}]", "accounts.yaml:2:40", "Zone"),
        (
            "Accounts: [{Id: 111122223333, Name: a}, {Id: 111122223333, Name: b}]", "accounts.yaml:2:41",
            "is here twice"
        ),
        (
            "Accounts: [{Id: 111122223333, Name: a}, {Id: 111122223334, Name: a}]", "accounts.yaml:2:41",
            "the name of two accounts"
        ),
        (
            "Accounts: [{Id: 111122223333, Name: a, Profile: b, Role: c}]", "accounts.yaml:2:49",
            "a `Profile` or a `Role`, not both"
        ),
        (
            "Accounts: [{Id: 111122223333, Name: a, Role: \"arn:aws:iam::444455556666:role/b\"}]",
            "accounts.yaml:2:46", "is no role of account 111122223333"
        ),
        (
            "Accounts: [{Id: 111122223333, Name: a, Role: \"arn:aws:iam::111122223333:user/b\"}]",
            "accounts.yaml:2:46", "is no role of account 111122223333"
        ),
        (
            "Accounts: [{Id: 111122223333, Name: a, ExternalId: b}]", "accounts.yaml:2:52",
            "goes with a `Role`"
        ),
        (
            "Role: arn:aws:iam::111122223333:role/b\nAccounts: []", "accounts.yaml:2:7",
            "must hold `{account}`"
        ),
        ("Accounts: {}", "accounts.yaml:2:11", "is a list"),
    ])
    func `what is wrong is named with its place`(_ text: String, _ place: String, _ mark: String) throws {
        do {
            _ = try book(text)
            Issue.record("taken")
        } catch let error as PolicyError {
            let lines = error.issues.map { "\($0)" }
            #expect(lines.contains { $0.hasPrefix(place) && $0.contains(mark) }, "\(lines)")
        }
    }
}
