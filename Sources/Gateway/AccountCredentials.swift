import Deciding
import SigV4
import Synchronization
import Vocabulary

extension Gateway {
    /// The credentials that calls of `caller` are signed with, before they are cut down.
    ///
    /// - Throws: ``CredentialError/noAccount(_:)`` when its key is for an account that `accounts.yaml` gives
    /// none.
    func credentials(of caller: Caller?) throws(CredentialError) -> any CredentialSource {
        guard let id = caller.flatMap(desk.otherAccount) else {
            // The gateway's own account may have credentials of its own all the same.
            let own = desk.recognition.account.flatMap { desk.policy.accounts[$0] }
            return accountCredentials.source(of: own)
        }
        guard let account = desk.policy.accounts[id], account.source != .own else { throw .noAccount(id) }
        return accountCredentials.source(of: account)
    }
}

/// The credentials that calls are signed with, by the account that they go to.
package final class AccountCredentials: Sendable {
    private let own: any CredentialSource
    private let search: CredentialSearch
    private let sources: Mutex<[AccountBook.Account: any CredentialSource]>

    /// `own` are the gateway's own; `search` is how those of a profile are found.
    init(own: any CredentialSource, search: CredentialSearch) {
        self.own = own
        self.search = search
        sources = Mutex([:])
    }

    /// The credentials of `account`; nil for the gateway's own. Never waits: of an account that nobody asked
    /// for before they are on their way.
    func source(of account: AccountBook.Account?) -> any CredentialSource {
        guard let account, account.source != .own else { return own }
        return sources.withLock { sources in
            if let source = sources[account] { return source }
            let source = made(for: account)
            sources[account] = source
            return source
        }
    }

    /// Looks after the credentials of all accounts of `book`, forgets those of others, and gives what is
    /// wrong with each.
    func look(at book: AccountBook, now: Instant) -> [(
        account: AccountBook.Account, failure: CredentialError
    )] {
        sources.withLock { sources in
            for account in sources.keys where !book.accounts.contains(account) { sources[account] = nil }
        }
        return book.accounts.compactMap { account in
            let source = source(of: account)
            guard account.source != .own else { return nil }
            do throws(CredentialError) { _ = try source.current(at: now) } catch {
                if case .notYet = error { return nil }
                return (account, error)
            }
            return source.failure.map { (account, $0) }
        }
    }

    private func made(for account: AccountBook.Account) -> any CredentialSource {
        let purpose = "credentials of account \(account.id)"
        switch account.source {
        case .own: return own
        case .profile(let profile):
            var search = search
            (search.profile, search.process) = (profile, nil)
            let mine = search
            return RefreshingCredentials(later: "account \(account.id), profile `\(shown(profile))`") {
                () throws(CredentialError) -> Credentials in try mine.load(try mine.way())
            }
        case .role(let arn, let externalID):
            var role = AssumeRole(role: arn, sessionName: search.sessionName)
            role.externalID = externalID
            let (asked, own, search) = (role, own, search)
            return RefreshingCredentials(later: "account \(account.id), role \(arn)") {
                () throws(CredentialError) -> Credentials in
                guard let calls = search.ownCalls else { throw .none(profile: "default") }
                let base = try own.current(at: search.now())
                do throws(OwnCallError) {
                    return try calls.assumeRole(asked, with: base, purpose: purpose).credentials
                } catch {
                    throw .notGiven(place: "role \(arn)", why: error.message)
                }
            }
        }
    }
}
