/// What one listener bears: sizes, counts and times, each named once and tested at the limit and one past it.
package struct Limits: Hashable, Sendable {
    /// Request line and fields with all line ends, bytes.
    package var headBytesMax = 65_536
    /// Fields of one request.
    package var fieldCountMax = 128
    /// Name, colon and value of one field, bytes.
    package var fieldBytesMax = 16_384
    /// The target of the request line, bytes.
    package var targetBytesMax = 8_192
    /// A chunk's size line without its line end, extensions included, bytes.
    package var chunkLineBytesMax = 256
    /// All trailer lines of one body with their line ends, bytes.
    package var trailerBytesMax = 4_096
    /// Bytes kept for a connection while its request is undecided: the unread body and pipelined requests.
    package var heldBytesMax = 65_536
    /// Bodies of one listener's open exchanges, together, bytes; one that would pass it is answered 503.
    package var bodyBytesOfListenerMax = 268_435_456
    /// Connections of one listener at a time; the next one is answered 503 and closed.
    package var connectionCountMax = 256
    /// From the first byte of a head (on a new connection: from its opening) to the last.
    package var headTime = Duration.seconds(10)
    /// Between an answer and the next request's first byte.
    package var idleTime = Duration.seconds(60)
    /// The window in which a body that is being read must bring ``bodyBytesPerWindow`` or end.
    package var bodyWindow = Duration.seconds(10)
    /// 1 KiB/s averaged over the default window.
    package var bodyBytesPerWindow = 10_240
    /// How long an answer may make no progress towards the client.
    package var writeStallTime = Duration.seconds(30)
    /// How long input is thrown away after a closing answer, so that the answer is not lost to a reset.
    package var lingerTime = Duration.seconds(5)
    /// Unsent answer bytes at which ``Exchange/isWritable`` turns false.
    package var unsentBytesHigh = 524_288
    /// Unsent answer bytes at which it turns true again.
    package var unsentBytesLow = 131_072

    package init() {}
}
