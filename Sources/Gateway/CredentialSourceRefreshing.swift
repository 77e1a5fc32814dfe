import SigV4
import Synchronization
import Vocabulary

/// Credentials that someone has to be asked for again: before they end, or every so often.
///
/// They are asked for on a thread of their own, one at a time, from ``current(at:)``, which somebody calls
/// now and then even when no call needs them. What there is stays in use until it ends; then nothing is
/// signed until new ones come.
package final class RefreshingCredentials: CredentialSource {
    /// Finds credentials anew; may block, and never runs on the loop.
    package typealias Load = @Sendable () throws(CredentialError) -> Credentials

    /// How long before their end new ones are asked for; a third of that and less at random, so that hosts
    /// that started together do not ask together. Of short-lived ones it is a quarter of their life.
    ///
    /// - SeeAlso: botocore's advisory and mandatory refresh, 15 and 10 minutes.
    package static let refreshAhead = Duration.seconds(900)
    /// How long after a failed load it is tried again, until two thirds of ``refreshAhead`` are
    /// left.
    package static let patience = Duration.seconds(60)
    /// How long after that.
    package static let retryAfter = Duration.seconds(10)

    private struct State {
        var credentials: Credentials?
        /// Why the last load failed; nil when it did not.
        var failure: CredentialError?
        var isLoading = false
        var lastLoad: Instant
        /// When new ones are due, and when they are urgent; nil for those without end.
        var due: (advised: Instant, urgent: Instant)?

        mutating func take(_ new: Credentials, at now: Instant, chance: UInt64) {
            credentials = new
            failure = nil
            due = new.expiration.map { end in
                let life = max(0, end.since(now).wholeNanoseconds)
                let ahead = min(RefreshingCredentials.refreshAhead.wholeNanoseconds, life / 4)
                let later = ahead / 3 == 0 ? 0 : Int64(chance % UInt64(ahead / 3))
                return (
                    end.advanced(by: .nanoseconds(later - ahead)),
                    end.advanced(by: .nanoseconds(-(ahead / 3 * 2)))
                )
            }
        }
    }

    package let origin: String
    private let load: Load
    private let reloadEvery: Duration?
    private let state: Mutex<State>

    /// Loads once, and waits for it.
    ///
    /// - Throws: What `load` throws, or ``CredentialError/expired(end:)`` when what it gave has ended
    ///   already.
    package init(
        origin: String, at now: Instant, reloadEvery: Duration?, load: @escaping Load
    ) throws(CredentialError) {
        let first = try load()
        if let end = first.expiration, now >= end { throw .expired(end: end) }
        self.origin = origin
        self.load = load
        self.reloadEvery = reloadEvery
        var state = State(lastLoad: now)
        state.take(first, at: now, chance: Clock.randomBits())
        self.state = Mutex(state)
    }

    /// Loads nothing yet: the first that asks sets it off and hears ``CredentialError/notYet(place:)``.
    package init(later origin: String, load: @escaping Load) {
        self.origin = origin
        self.load = load
        reloadEvery = nil
        state = Mutex(State(lastLoad: Instant(nanosecondsSinceEpoch: 0)))
    }

    /// Why the last load failed; nil when it did not.
    package var failure: CredentialError? { state.withLock { $0.failure } }

    /// The credentials to sign with at `now`; starts to find new ones when they are due.
    package func current(at now: Instant) throws(CredentialError) -> Credentials {
        let (credentials, failure, mustLoad) = state.withLock { state in
            let mustLoad = !state.isLoading && isDue(state, at: now)
            if mustLoad {
                state.isLoading = true
                state.lastLoad = now
            }
            return (state.credentials, state.failure, mustLoad)
        }
        if mustLoad { startLoading(at: now) }
        guard let credentials else { throw failure ?? .notYet(place: origin) }
        if let end = credentials.expiration, now >= end { throw failure ?? .expired(end: end) }
        return credentials
    }

    private func isDue(_ state: State, at now: Instant) -> Bool {
        let sinceLoad = now.since(state.lastLoad)
        // A clock that was set back must not put off what is due.
        func isOver(_ wait: Duration) -> Bool { sinceLoad >= wait || sinceLoad < .zero }
        guard state.credentials != nil else { return isOver(Self.retryAfter) }
        if let due = state.due, now >= due.advised {
            // Without a failure this is what the last load gave: keys that do not live long.
            guard state.failure != nil else { return isOver(.seconds(1)) }
            return isOver(now >= due.urgent ? Self.retryAfter : Self.patience)
        }
        return reloadEvery.map(isOver) ?? false
    }

    private func startLoading(at now: Instant) {
        let started = runDetached { [self] in
            let result: Result<Credentials, CredentialError>
            do throws(CredentialError) {
                let new = try load()
                if let end = new.expiration, now >= end { throw .expired(end: end) }
                result = .success(new)
            } catch { result = .failure(error) }
            state.withLock { state in
                state.isLoading = false
                switch result {
                case .success(let new): state.take(new, at: now, chance: Clock.randomBits())
                case .failure(let error): state.failure = error
                }
            }
        }
        if !started { state.withLock { $0.isLoading = false } }
    }
}
