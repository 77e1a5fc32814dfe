import Vocabulary

/// What the log cannot do, and why. Each is a fault (503) or ours to mend, never an answer to an agent about
/// its call.
package enum LogError: Error, Sendable, Hashable {
    /// Another process writes to `folder`.
    case inUse(folder: String)
    /// `path` may be read or changed by others, or is not a folder of ours.
    case unsafeFolder(path: String, why: String)
    /// The operating system refused `step` (`open`, `write`, `sync`, …) on `path` with `code` (errno).
    case system(step: String, path: String, code: Int32)
    /// The log is not what was written.
    case damaged(BadEntry)
    /// Less than the reserve is free on the disk; only outcomes are still written.
    case belowReserve(freeBytes: UInt64, reserveBytes: UInt64)
    /// More bytes wait to be written than the backlog limit.
    case backlog(byteCount: Int)
    /// The entry's line would have `byteCount` bytes, more than ``LogLine/byteCountMax``.
    case entryTooLong(byteCount: Int)
    /// The entry would not be read back as it stands: a name twice, or nested too deep.
    case unreadableEntry(EntryType)
    /// No request waits under that entry: it was never appended, or is cleared, dropped or lost.
    case notHeld(EntryID)
    /// The entry is not yet as durable as its call needs.
    case notDurable(EntryID)
    /// The gateway may not make that call for itself.
    case notOwn(String)
    /// The log was stopped.
    case stopped
    /// A file that should hold a head (count, seq and hash) holds something else.
    case badHead(why: String)
    /// The body of an entry does not say what its type must.
    case badBody(EntryID, why: String)
}

extension LogError: CustomStringConvertible {
    /// One line, lower case, without a full stop.
    package var description: String {
        switch self {
        case .inUse(let folder): "another sidecar writes to `\(folder)`"
        case .unsafeFolder(let path, let why): "`\(path)` \(why)"
        case .system(let step, let path, let code): "\(step) of `\(path)`: \(errorText(code))"
        case .damaged(let bad): bad.description
        case .belowReserve(let free, let reserve):
            "the disk has \(free) bytes free, the log's reserve is \(reserve)"
        case .backlog(let count): "\(count) bytes already wait to be written to the log"
        case .entryTooLong(let count):
            "the entry would have \(count) bytes, more than \(LogLine.byteCountMax)"
        case .unreadableEntry(let type): "the entry `\(type.rawValue)` would not be read back as it stands"
        case .notHeld(let id): "no request is held under entry \(id)"
        case .notDurable(let id): "entry \(id) is not durable yet"
        case .notOwn(let name): "`\(name)` is no call that the gateway makes for itself"
        case .stopped: "the log is stopped"
        case .badHead(let why): "the head file \(why)"
        case .badBody(let id, let why): "entry \(id) \(why)"
        }
    }
}

/// The first entry at which a log stops being what was written.
package struct BadEntry: Hashable, Sendable, CustomStringConvertible {
    /// What is wrong with the entry.
    package enum Why: Error, Hashable, Sendable {
        /// The line is not one strict JSON object with the members that every entry begins with.
        case unreadable(String)
        case unknownVersion(String)
        case unknownType(String)
        /// The line is longer than ``LogLine/byteCountMax``.
        case tooLong
        /// The line ends without a newline, and it is not the end of the log.
        case torn
        /// The line does not have the hash that the next entry, or the head, names.
        case changed
        /// Another entry, with a higher `seq`, stands in its place; nothing when the log or a segment ends
        /// early.
        case missing(found: UInt64?)
        /// An entry with a lower `seq` stands in its place.
        case outOfOrder(found: UInt64)
        /// A gap that is not the first line of its segment, or does not follow from the entries before it.
        case badGap(String)
    }

    /// The segment's file name.
    package let file: String
    /// The line in it, from 1.
    package let line: Int
    /// The entry's `seq`, by its place.
    package let seq: UInt64
    package let why: Why

    package init(file: String, line: Int, seq: UInt64, why: Why) {
        self.file = file
        self.line = line
        self.seq = seq
        self.why = why
    }

    package var description: String { "entry \(seq) (\(file), line \(line)): \(why)" }
}

extension BadEntry.Why: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreadable(let what): "not an entry: \(what)"
        case .unknownVersion(let version): "unknown version \(version)"
        case .unknownType(let type): "unknown type `\(type)`"
        case .tooLong: "longer than \(LogLine.byteCountMax) bytes"
        case .torn: "the line is cut off"
        case .changed: "changed: its bytes do not have the hash that was recorded of them"
        case .missing(let found?): "missing: entry \(found) stands in its place"
        case .missing(nil): "missing: the log ends before it"
        case .outOfOrder(let found): "out of order: entry \(found) stands in its place"
        case .badGap(let what): "a gap that does not follow: \(what)"
        }
    }
}
