import Vocabulary

/// The AWS accounts of `accounts.yaml`: what they are called, and with whose credentials calls to them are
/// signed.
package struct AccountBook: Hashable, Sendable {
    /// Where the credentials of an account come from.
    package enum Source: Hashable, Sendable {
        /// They are the gateway's own.
        case own
        /// A profile of the gateway's AWS files.
        case profile(String)
        /// A role that the gateway assumes with its own.
        case role(arn: String, externalID: String?)
    }

    /// One account.
    package struct Account: Hashable, Sendable {
        /// 12 digits.
        package let id: String
        /// `orders-prod`: what people call it.
        package let name: String
        /// `prod`, `staging`: which kind it is; nil when the file does not say.
        package let environment: String?
        package let source: Source

        /// `orders-prod (prod)`.
        package var title: String { environment.map { "\(name) (\($0))" } ?? name }
    }

    /// In the order of the file; ids and names are distinct.
    package let accounts: [Account]

    init(accounts: [Account] = []) { self.accounts = accounts }

    /// The account `id`; nil when the book has none.
    package subscript(id: String) -> Account? { accounts.first { $0.id.utf8.elementsEqual(id.utf8) } }

    /// The account of that id or name; nil when the book has none.
    package func account(called text: String) -> Account? {
        self[text] ?? accounts.first { $0.name.utf8.elementsEqual(text.utf8) }
    }
}

/// The most accounts of one file: each is kept supplied with credentials.
private let accountCountMax = 1_000

/// Reads `accounts.yaml`.
func readAccounts(_ root: Node, in file: String, issues: inout IssueList) -> AccountBook {
    let topKeys = ["Countersign", "Role", "ExternalId", "Accounts"]
    guard let top = Fields(root, of: "the file", in: file, keys: topKeys, issues: &issues) else {
        return AccountBook()
    }
    checkVersion(top, issues: &issues)
    let template = top.text("Role", issues: &issues)
    let externalID = top.text("ExternalId", issues: &issues)
    if let externalID, template == nil {
        issues.add(file, externalID.place, "`ExternalId` goes with a `Role`, and there is none")
    }
    if let template, !template.text.contains("{account}") {
        issues.add(
            file, template.place,
            "`Role` for all accounts must hold `{account}`: arn:aws:iam::{account}:role/countersign-gateway")
    }
    var accounts: [AccountBook.Account] = []
    let nodes = elements(top["Accounts"], of: "`Accounts`", in: file, issues: &issues)
    if nodes.count > accountCountMax {
        issues.add(file, top.place, "more than \(accountCountMax) accounts")
        return AccountBook()
    }
    for node in nodes {
        let reader = AccountReader(file: file, template: template, externalID: externalID)
        guard let account = reader.read(node, issues: &issues) else { continue }
        if accounts.contains(where: { $0.id == account.id }) {
            issues.add(file, node.place, "account `\(account.id)` is here twice")
        }
        if accounts.contains(where: { $0.name.utf8.elementsEqual(account.name.utf8) }) {
            issues.add(file, node.place, "`\(account.name)` is the name of two accounts")
        }
        accounts.append(account)
    }
    return AccountBook(accounts: accounts)
}

private struct AccountReader {
    let file: String
    let template: Fields.Text?
    let externalID: Fields.Text?

    func read(_ node: Node, issues: inout IssueList) -> AccountBook.Account? {
        let keys = ["Id", "Name", "Environment", "Profile", "Role", "ExternalId"]
        guard let fields = Fields(node, of: "an account", in: file, keys: keys, issues: &issues) else {
            return nil
        }
        guard let id = fields.text("Id", issues: &issues), let name = fields.text("Name", issues: &issues)
        else {
            for key in ["Id", "Name"] where fields[key] == nil {
                issues.add(file, node.place, "an account has no `\(key)`")
            }
            return nil
        }
        guard id.text.utf8.count == 12, id.text.utf8.allSatisfy(\.isDigit) else {
            issues.add(file, id.place, "`\(shown(id.text))` is no account id: 12 digits")
            return nil
        }
        guard isName(name.text), !(name.text.utf8.count == 12 && name.text.utf8.allSatisfy(\.isDigit)) else {
            issues.add(
                file, name.place,
                "`\(shown(name.text))` is no name of an account: 1 to 64 of letters, digits and `-_.`, and "
                    + "no account id")
            return nil
        }
        let environment = fields.text("Environment", issues: &issues)
        if let environment, !isName(environment.text) {
            issues.add(
                file, environment.place,
                "`\(shown(environment.text))` is no name of an environment: 1 to 64 of letters, digits and "
                    + "`-_.`")
        }
        guard let source = source(fields, of: id.text, issues: &issues) else { return nil }
        return AccountBook.Account(
            id: id.text, name: name.text, environment: environment?.text, source: source)
    }

    private func source(
        _ fields: Fields, of id: String, issues: inout IssueList
    ) -> AccountBook.Source? {
        let profile = fields.text("Profile", issues: &issues)
        let own = fields.text("Role", issues: &issues)
        let ownID = fields.text("ExternalId", issues: &issues)
        if let profile, own != nil {
            issues.add(file, profile.place, "an account has a `Profile` or a `Role`, not both")
            return nil
        }
        if let ownID, own == nil, profile != nil || template == nil {
            issues.add(file, ownID.place, "`ExternalId` goes with a `Role`, and there is none")
            return nil
        }
        if let profile {
            guard (1...128).contains(profile.text.utf8.count), shown(profile.text) == profile.text else {
                issues.add(file, profile.place, "`\(shown(profile.text))` is no name of a profile")
                return nil
            }
            return .profile(profile.text)
        }
        guard let role = own ?? template else { return .own }
        let arn = role.text.replacing("{account}", with: id)
        guard isRole(arn, of: id) else {
            issues.add(
                file, role.place,
                "`\(shown(role.text))` is no role of account \(id): "
                    + "arn:aws:iam::{account}:role/countersign-gateway")
            return nil
        }
        return .role(arn: arn, externalID: (ownID ?? externalID)?.text)
    }
}

private func isName(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count)
        && text.utf8.allSatisfy { $0.isAlphanumeric || "-_.".utf8.contains($0) }
}

/// Whether `arn` is that of a role in the account `id`.
private func isRole(_ arn: String, of id: String) -> Bool {
    let parts = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
    guard parts.count == 6, parts[0] == "arn", parts[1].hasPrefix("aws"), parts[2] == "iam",
        parts[3].isEmpty, parts[4].utf8.elementsEqual(id.utf8), parts[5].hasPrefix("role/")
    else { return false }
    let name = parts[5].dropFirst(5)
    return (1...576).contains(name.utf8.count) && !name.hasSuffix("/")
        && name.utf8.allSatisfy { $0.isAlphanumeric || "/_+=,.@-".utf8.contains($0) }
}
