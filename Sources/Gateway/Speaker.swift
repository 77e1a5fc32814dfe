import Glibc
import Synchronization

/// Says things to the operator, in order, from a thread of its own: whoever reads them may stop reading, and
/// the loop must not wait for that.
final class Speaker: Sendable {
    /// Bytes that may wait to be said; what comes beyond is counted and left out. The log has it all.
    static let backlogByteCountMax = 1 << 20

    private struct Backlog {
        var texts: [String] = []
        var byteCount = 0
        var leftOutCount = 0
        var isSpeaking = false
        var isEnding = false
    }

    private let backlog = Mutex(Backlog())
    private let gate = Gate()

    /// - Throws: ``ConfigurationError`` when no thread can be started.
    init(_ out: @escaping @Sendable (String) -> Void) throws(ConfigurationError) {
        let isStarted = runDetached { [self] in
            while true {
                gate.wait()
                let (texts, leftOutCount, isEnding) = backlog.withLock { backlog in
                    defer {
                        backlog = Backlog(isSpeaking: true, isEnding: backlog.isEnding)
                    }
                    return (backlog.texts, backlog.leftOutCount, backlog.isEnding)
                }
                for text in texts { out(text) }
                if leftOutCount > 0 { out("countersign: \(leftOutCount) more lines were not printed") }
                backlog.withLock { $0.isSpeaking = false }
                if isEnding, texts.isEmpty { return }
            }
        }
        guard isStarted else { throw ConfigurationError("no thread could be started") }
    }

    /// Has `text` said; never waits.
    func say(_ text: String) {
        backlog.withLock { backlog in
            guard backlog.byteCount + text.utf8.count <= Self.backlogByteCountMax else {
                backlog.leftOutCount += 1
                return
            }
            backlog.texts.append(text)
            backlog.byteCount += text.utf8.count
        }
        gate.open()
    }

    /// Waits until all is said, at most a second, and ends the thread.
    func end() {
        backlog.withLock { $0.isEnding = true }
        gate.open()
        for _ in 0..<100 where backlog.withLock({ !$0.texts.isEmpty || $0.isSpeaking }) { usleep(10_000) }
    }
}
