import Recognizing
import Vocabulary

/// Leave to sign one request, once.
///
/// Only ``RequestLog/clear(_:)`` makes one, after the decision's entry is as durable as the call needs. It
/// holds the exact bytes to sign, so nothing can change between the decision and the signature. Signing
/// consumes it.
package struct Clearance: ~Copyable, Sendable {
    package let request: SealedRequest
    package let entry: EntryID

    init(request: SealedRequest, entry: EntryID) {
        self.request = request
        self.entry = entry
    }
}
