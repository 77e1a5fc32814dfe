/// Bytes that must never become text: a secret key, a session token of the gateway's own.
///
/// Descriptions, string interpolation and reflection show only the length. ``withBytes(_:)`` is the one way
/// to the bytes.
package struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    private let bytes: [UInt8]

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Hands the bytes to `body` for as long as it runs.
    package func withBytes<Result>(_ body: ([UInt8]) throws -> Result) rethrows -> Result { try body(bytes) }

    /// Whether there is nothing to keep secret.
    package var isEmpty: Bool { bytes.isEmpty }

    package var description: String { "<redacted, \(bytes.count) bytes>" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}
