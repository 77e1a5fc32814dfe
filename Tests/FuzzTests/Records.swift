import Deciding
import Glibc
import Vocabulary

@testable import Recording

private let actions = ActionNames(["s3": ["GetObject", "PutObject"], "dynamodb": ["GetItem", "DeleteItem"]])

@Sendable func readPolicy(_ bytes: [UInt8]) {
    for name in ["p.yaml", "p.json", "agents.yaml", "approvers.yaml"] {
        _ = try? PolicySet.load(files: [PolicyFile(name: name, bytes: bytes)], actions: actions)
    }
}

@Sendable func readLog(_ bytes: [UInt8]) {
    _ = try? LogHead(parsing: bytes)
    let head = LineHead(bytes)
    guard let entry = try? StoredEntry(line: bytes), let head else { return }
    must(head.seq == entry.id.seq && head.prev == entry.prev, "two readings of one line")
}

/// A segment of these bytes, in memory.
@Sendable func verifyLog(_ bytes: [UInt8]) {
    let folder = "/dev/shm/countersign-fuzz-\(getpid())"
    mkdir(folder, 0o700)
    let path = "\(folder)/000001.jsonl"
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    guard file >= 0 else { return }
    _ = bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
    close(file)
    _ = try? verify(folder: folder)
    unlink(path)
    rmdir(folder)
}
