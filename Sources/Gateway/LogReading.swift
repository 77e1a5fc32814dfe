import Glibc
import Recording
import Vocabulary

/// Why the log of a folder cannot be read, in one line.
package struct LogReadingError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String
}

/// Hands the log's entries to `out`, one line each: as they stand in the log (`json`), or as a person reads
/// them.
///
/// The last `last` lines first (all when nil); with `follows` then every new one, until the process ends.
///
/// - Throws: ``LogReadingError`` when the log cannot be read or is not what was written.
package func tailLog(
    folder: String, last: Int?, follows: Bool, json: Bool, color: Bool, out: (String) -> Void
) throws(LogReadingError) {
    var rendering = Rendering(color: color)
    var next = EntryID(seq: 1)
    do {
        var lines: [String] = []
        var entries = try LogEntries(folder: folder, from: next)
        while let entry = try entries.next() {
            next = EntryID(seq: entry.id.seq &+ 1)
            if let line = json ? entry.json.text : rendering.line(for: entry) { lines.append(line) }
            if let last, lines.count > 2 * last { lines.removeFirst(lines.count - last) }
        }
        for line in lines.suffix(last ?? lines.count) { out(line) }
        guard follows else { return }
        var tail = try LogTail(folder: folder, from: next)
        while true {
            while let entry = try tail.next() {
                if let line = json ? entry.json.text : rendering.line(for: entry) { out(line) }
            }
            usleep(250_000)
        }
    } catch { throw LogReadingError(description: "\(error)") }
}

/// What `log verify` says: whether the log is what was written, and the lines to print.
///
/// `head` is a file written by `--write-head`, which the log must still contain.
///
/// - Throws: ``LogReadingError`` when the log or the head file cannot be read.
package func verifyLog(
    folder: String, head path: String?
) throws(LogReadingError) -> (isSound: Bool, lines: [String], json: JSON, head: [UInt8]?) {
    do {
        let expected = try path.map { try LogHead(contentsOf: $0) }
        let found = try verify(folder: folder, expecting: expected)
        var lines: [String] = []
        if let bad = found.firstBad {
            lines.append("NOT SOUND: \(bad)")
        } else {
            lines.append("sound: \(found.count) entries, \(found.firstSeq ?? 0) to \(found.lastSeq ?? 0)")
        }
        lines.append("head: \(found.headHash)")
        lines.append(found.isAnchored ? "anchored: the expected head is in it" : "not anchored")
        for gap in found.gaps { lines.append("gap: after entry \(gap.after)") }
        if found.tornTailByteCount > 0 {
            lines.append("torn end: \(found.tornTailByteCount) bytes without a newline")
        }
        if found.unpairedCount > 0 { lines.append("requests without outcome: \(found.unpairedCount)") }
        let json = JSON.object([
            .init("sound", .bool(found.isSound)), .init("count", .integer(found.count)),
            .init("last", found.lastSeq.map { .integer($0) } ?? .null),
            .init("head", .string(found.headHash.description)),
            .init("anchored", .bool(found.isAnchored)), .init("gaps", .integer(found.gaps.count)),
            .init("unpaired", .integer(found.unpairedCount)),
            .init("bad", found.firstBad.map { .string($0.description) } ?? .null),
        ])
        return (found.isSound, lines, json, found.head?.line)
    } catch { throw LogReadingError(description: "\(error)") }
}

/// The story of an approval, grant or request id, as the log tells it; nil when the log knows nothing of it.
package func storyText(of id: String, folder: String) throws(LogReadingError) -> String? {
    do {
        let lines = try story(of: id, folder: folder)
        return lines.isEmpty ? nil : lines.joined(separator: "\n")
    } catch { throw LogReadingError(description: "\(error)") }
}

extension Gateway {
    /// Tells the story of `id` from the log, on a thread of its own: the loop does not wait for a disk.
    func story(of id: String, reply: @escaping @Sendable (ControlReply) -> Void) {
        guard !tellsStory else { return reply(.error(503, "Busy", "another story is being read; try again")) }
        tellsStory = true
        let folder = log.path
        let loop = self.loop
        let isStarted = runDetached { [self] in
            let told = Result { try storyText(of: id, folder: folder) }
            loop.execute { [self] in
                tellsStory = false
                switch told {
                case .success(let text?):
                    reply(.ok(.object([.init("id", .string(id)), .init("text", .string(text))])))
                case .success(nil): reply(.notFound)
                case .failure(let error): reply(.error(500, "LogUnreadable", "\(error)"))
                }
            }
        }
        if !isStarted {
            tellsStory = false
            reply(.error(503, "Busy", "no thread could be started"))
        }
    }
}

/// Runs `work` on a thread of its own, with all signals blocked: they belong to the main thread. False when
/// none could be started.
func runDetached(_ work: @escaping @Sendable () -> Void) -> Bool {
    final class Box {
        let work: @Sendable () -> Void
        init(_ work: @escaping @Sendable () -> Void) { self.work = work }
    }
    let box = Unmanaged.passRetained(Box(work))
    var thread = pthread_t()
    let code = pthread_create(
        &thread, nil,
        { pointer in
            // INVARIANT: the pointer is the box that was retained for this thread.
            guard let pointer else { return nil }
            var all = sigset_t()
            sigfillset(&all)
            pthread_sigmask(SIG_SETMASK, &all, nil)
            Unmanaged<Box>.fromOpaque(pointer).takeRetainedValue().work()
            return nil
        }, box.toOpaque())
    guard code == 0 else {
        box.release()
        return false
    }
    pthread_detach(thread)
    return true
}
