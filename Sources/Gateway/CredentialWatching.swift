import Recording
import Vocabulary

extension Gateway {
    /// How often credentials are looked at, so that new ones come before the old ones end, calls or no calls.
    static let credentialInterval = Duration.seconds(10)

    /// Looks after the gateway's own credentials, and those of other accounts, from now on. `told` is what
    /// the operator was told last, by account; the gateway's own is "".
    func watchCredentials(told: [String: CredentialError] = [:]) {
        let now = clock.wall
        var failures: [String: CredentialError] = [:]
        do throws(CredentialError) { _ = try credentials.current(at: now) } catch { failures[""] = error }
        failures[""] = credentials.failure ?? failures[""]
        for (account, failure) in accountCredentials.look(at: desk.policy.accounts, now: now) {
            failures[account.id] = failure
        }
        for (id, failure) in failures.sorted(by: { $0.key < $1.key }) where told[id] != failure {
            complain("\(whose(id)) are not renewed: \(failure.message)")
            note(.fault(at: clock.now, step: "credentials", error: failure.message))
        }
        for id in told.keys.sorted() where failures[id] == nil { complain("\(whose(id)) are renewed") }
        let said = failures
        credentialTimer = loop.schedule(after: Self.credentialInterval) { [self] in
            watchCredentials(told: said)
        }
    }

    private func whose(_ account: String) -> String {
        account.isEmpty ? "the gateway's credentials" : "the credentials of account \(account)"
    }
}
