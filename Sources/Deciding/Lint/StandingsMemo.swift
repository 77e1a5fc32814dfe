import Synchronization
import Vocabulary

/// What was worked out of keys over sets of actions: several rules ask the same of the same statements.
final class StandingsMemo: Sendable {
    private struct Question: Hashable {
        let key: String
        let actions: ObjectIdentifier
    }

    private let known = Mutex<[Question: KeyStandings]>([:])

    /// The standings of `key` over `actions`, which live as long as the memo; `work` finds them the first
    /// time.
    func standings(of key: String, in actions: ActionSet, _ work: () -> KeyStandings) -> KeyStandings {
        let question = Question(key: key, actions: ObjectIdentifier(actions))
        if let found = known.withLock({ $0[question] }) { return found }
        let found = work()
        known.withLock { $0[question] = found }
        return found
    }
}
