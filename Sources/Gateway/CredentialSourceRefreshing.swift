import Glibc
import SigV4
import Synchronization
import Vocabulary

/// Credentials that someone has to be asked for again: before they end, or every so often.
///
/// The first load happens in init, on the caller's thread; all later ones on a thread of their own, one at a
/// time.
package final class RefreshingCredentials: CredentialSource {
    /// Finds credentials anew; may block, and never runs on the loop.
    package typealias Load = @Sendable () throws(CredentialError) -> Credentials

    /// How long before their end new ones are asked for.
    package static let refreshAhead = Duration.seconds(300)
    /// How long after a failed or early load it is tried again.
    package static let retryAfter = Duration.seconds(10)

    private struct State {
        var credentials: Credentials
        /// Why the last load failed; nil when it did not.
        var failure: CredentialError?
        var isLoading = false
        var lastLoad: Instant
    }

    private let load: Load
    private let reloadEvery: Duration?
    private let state: Mutex<State>

    /// Loads once, and waits for it.
    ///
    /// - Throws: What `load` throws, or ``CredentialError/expired(end:)`` when what it gave has ended
    ///   already.
    package init(at now: Instant, reloadEvery: Duration?, load: @escaping Load) throws(CredentialError) {
        let first = try load()
        if let end = first.expiration, now >= end { throw .expired(end: end) }
        self.load = load
        self.reloadEvery = reloadEvery
        state = Mutex(State(credentials: first, lastLoad: now))
    }

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
        if mustLoad { startLoading() }
        if let end = credentials.expiration, now >= end { throw failure ?? .expired(end: end) }
        return credentials
    }

    private func isDue(_ state: State, at now: Instant) -> Bool {
        let sinceLoad = now.since(state.lastLoad)
        if let end = state.credentials.expiration, now >= end.advanced(by: .zero - Self.refreshAhead) {
            return sinceLoad >= Self.retryAfter || sinceLoad < .zero
        }
        guard let reloadEvery else { return false }
        return sinceLoad >= reloadEvery || sinceLoad < .zero
    }

    private func startLoading() {
        let started = runDetached { [self] in
            let result: Result<Credentials, CredentialError>
            do throws(CredentialError) { result = .success(try load()) } catch { result = .failure(error) }
            state.withLock { state in
                state.isLoading = false
                switch result {
                case .success(let new):
                    state.credentials = new
                    state.failure = nil
                case .failure(let error): state.failure = error
                }
            }
        }
        if !started { state.withLock { $0.isLoading = false } }
    }
}
