import Recording
import Vocabulary

extension Gateway {
    /// How often credentials are looked at, so that new ones come before the old ones end, calls or no calls.
    static let credentialInterval = Duration.seconds(10)

    /// Looks after the gateway's own credentials from now on. `before` is what the operator was told last.
    func watchCredentials(told before: CredentialError? = nil) {
        let now = clock.wall
        let credentials = self.credentials
        var state = credentials.failure
        do throws(CredentialError) { _ = try credentials.current(at: now) } catch { state = state ?? error }
        if let state, state != before {
            complain("the gateway's credentials are not renewed: \(state.message)")
            note(.fault(at: clock.now, step: "credentials", error: state.message))
        } else if state == nil, before != nil {
            complain("the gateway's credentials are renewed (\(credentials.origin))")
        }
        let told = state
        credentialTimer = loop.schedule(after: Self.credentialInterval) { [self] in
            watchCredentials(told: told)
        }
    }
}
