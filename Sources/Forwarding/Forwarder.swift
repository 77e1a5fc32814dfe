import Signing
import Synchronization
import Vocabulary

/// What a receiver of a reply wants next.
package enum Appetite: Hashable, Sendable {
    case more
    /// Nothing until ``Transfer/resume()``; what was handed over counts as taken.
    case pause
}

/// Where a reply goes.
///
/// Called on the driver's thread, one call at a time and in order: `head` at most once, `chunk` any number of
/// times after it, `end` exactly once and last, whatever happened; or ``whole(_:_:_:)`` alone. The callee
/// must not block; it hands work to its own event loop.
package protocol ReplySink: AnyObject, Sendable {
    /// The head of the reply; interim ones never come here.
    func head(_ head: ReplyHead)
    /// The next bytes of the body, at most about ``ReplyLimits/chunkBytes`` at once.
    func chunk(_ bytes: [UInt8]) -> Appetite
    /// What became of the request. A reply that ends with another kind than `answered` was cut short.
    func end(_ outcome: Outcome)
    /// A small reply that was complete before any of it was handed over: `head`, all of the body and `end` in
    /// one.
    func whole(_ head: ReplyHead, _ body: [UInt8], _ outcome: Outcome)
}

extension ReplySink {
    /// The three calls, one after the other.
    package func whole(_ head: ReplyHead, _ body: [UInt8], _ outcome: Outcome) {
        self.head(head)
        if !body.isEmpty { _ = chunk(body) }
        end(outcome)
    }
}

/// Whether a kept connection may carry a request.
package enum ConnectionChoice: Hashable, Sendable {
    case pooled
    /// A connection of its own, and never a second send: for a call under a grant, so that an idle close
    /// cannot burn the grant.
    case fresh
}

/// Sends signed requests and hands back their replies.
///
/// One dedicated thread drives libcurl (data-plane.md, variant a); everything here may be called from any
/// thread and does not block, save ``stop()``.
package final class Forwarder: Sendable {
    private let driver: any Driver

    /// - Throws: ``ForwarderStartError`` when libcurl or its thread cannot be started, or the trust file
    ///   cannot be read.
    package convenience init(setting: ForwardingSetting) throws(ForwarderStartError) {
        self.init(driver: try PollDriver(setting: setting))
    }

    init(driver: any Driver) { self.driver = driver }

    /// Sends `signed`, which is used up, and tells `sink` of the reply. A request that may not be sent as it
    /// is ends at once as `notSent`.
    ///
    /// A request whose ``SealedRequest/mayRepeat`` is false, or that has a fresh connection, is put on the
    /// wire at most once.
    package func submit(
        _ signed: consuming SignedRequest, on connection: ConnectionChoice = .pooled, sink: any ReplySink
    ) -> Transfer {
        let outbound: Result<Outbound, ForwardingError>
        do throws(ForwardingError) { outbound = .success(try Outbound(signed)) } catch {
            outbound = .failure(error)
        }
        let transfer = Transfer(outbound: outbound, connection: connection, sink: sink, driver: driver)
        driver.submit(transfer)
        return transfer
    }

    /// Ends all transfers, each with its outcome, closes all connections and waits for the thread to end.
    package func stop() { driver.stop() }
}

/// Why forwarding could not be started.
package enum ForwarderStartError: Error, Sendable, Hashable {
    case library
    case thread
    /// The file of trusted authorities cannot be read.
    case unreadableTrustFile(String)
}

/// What runs transfers: the thread with `curl_multi_poll`, or another that keeps the same promises.
protocol Driver: AnyObject, Sendable {
    /// Takes the transfer over; its sink hears its end, also after ``stop()``.
    func submit(_ transfer: Transfer)
    /// Looks at the transfer again: it was resumed or cancelled.
    func unpause(_ transfer: Transfer)
    func stop()
}
