import Deciding
import Glibc
import Vocabulary

/// A private folder with the AWS configuration of one run; gone with ``remove()``. It holds no keys.
package struct RunFolder: Sendable {
    package let path: String

    /// Makes it in `$XDG_RUNTIME_DIR`, else `$TMPDIR`, else `/tmp`, for this user alone.
    ///
    /// - Throws: ``FileError``.
    package init(session: JSON) throws(FileError) {
        let environment = processEnvironment()
        let place = environment["XDG_RUNTIME_DIR"] ?? environment["TMPDIR"] ?? "/tmp"
        var template = Array("\(place)/countersign-run-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw FileError(place, "no folder can be made", errno: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try writeFile("\(path)/config", Array(AgentEnvironment.configurationFile(session: session).utf8))
        try writeFile("\(path)/credentials", [])
    }

    /// Removes it, with what a client may have put there.
    package func remove() {
        for name in (try? listFolder(path)) ?? [] { unlink("\(path)/\(name)") }
        rmdir(path)
    }
}

/// What a run whose command failed tells: the approvals of `session` that wait, or that ended since `since`.
///
/// `session` is the agents' socket's answer; `since` a moment of the gate's.
package func approvalLines(_ session: JSON, since: String) -> [String] {
    (session["approvals"]?.array ?? []).compactMap { approval in
        let id = shown(approval["approval"]?.string ?? "?")
        let call = shown(approval["call"]?.string ?? "?")
        let endedHere = approval["ended"]?.string.map { $0 >= since } ?? false
        switch approval["state"]?.string {
        case "pending":
            let open = minutes(.seconds(approval["open_s"]?.integer ?? 0))
            return
                "\(id) waits for \(shown(approval["deciders"]?.string ?? "a human")), \(open) more: \(call). "
                + "Nothing was sent to AWS. `countersign wait \(id)` waits for the answer; the same command "
                + "then runs it."
        case "approved" where approval["uses_left"]?.integer ?? 0 > 0:
            return "\(id) is approved: \(call). The same command, repeated, runs it."
        case "denied" where endedHere:
            let reason = approval["reason"]?.string.map { ": \"\(shown($0))\"" } ?? ""
            return "\(id) was denied\(reason): \(call). Nothing was sent to AWS."
        case "expired" where endedHere, "withdrawn" where endedHere:
            return
                "\(id) is \(approval["state"]?.string ?? "over"): \(call). Nothing was sent to AWS; the same "
                + "command asks anew."
        default: return nil
        }
    }
}

/// `15m`, `8h`: what a person writes for how long.
package func seconds(inDuration text: String) -> Int? {
    duration(text).map { Int($0.components.seconds) }
}
