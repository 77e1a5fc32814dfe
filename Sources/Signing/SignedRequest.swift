import Recognizing
import Vocabulary

/// A request with the gateway's signature on it, to be sent once.
///
/// Only ``sign(_:with:at:)`` makes one, from a clearance. Forwarding consumes it.
package struct SignedRequest: ~Copyable, Sendable {
    package let request: SealedRequest
    package let entry: EntryID
    /// All fields to send, the signature's own included, in the order to send; no Host, no Content-Length.
    package let fields: [HeaderField]

    init(request: SealedRequest, entry: EntryID, fields: [HeaderField]) {
        self.request = request
        self.entry = entry
        self.fields = fields
    }
}
