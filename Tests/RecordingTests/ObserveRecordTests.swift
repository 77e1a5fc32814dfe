@testable import Deciding
import Hashing
@testable import Recognizing
import Testing
import Vocabulary

@testable import Recording

@Suite("Recording: a gate that only observes") struct ObserveRecordTests {
    static let pair = Sample.pair("DeleteItem", level: .write)

    static let asked = Would.ask(
        Question(
            pairs: [pair], statements: [StatementID(document: "orders", sid: "DeletesAsk")],
            terms: ApprovalTerms(quorums: []), fingerprint: sha256("text")))
    static let denied = Would.deny(
        Denial(items: [
            .init(pair: pair, reason: .byDefault), .init(pair: pair, reason: .byDefault),
            .init(pair: pair, reason: .statement(StatementID(document: "orders", sid: "Never"))),
        ]))

    /// The entries of a call that would have been stopped, and its outcome.
    static func entries(_ would: Would?) async throws -> (entries: [StoredEntry], folder: Folder) {
        let folder = try Folder()
        let log = try RequestLog.test(folder)
        let meaning = Sample.meaning("DeleteItem", level: .write)
        let allowance =
            would.map { Allowance(meaning, observing: $0) }
            ?? Allowance(
                meaning, grounds: [.statement(.init(document: "orders", sid: "Read"))], fingerprint: nil
            )
            .observing
        let reservation = Reservation(
            call: Call(meaning: meaning, sealed: Sample.sealed("DeleteItem")), caller: try Sample.caller(),
            allowance: allowance, request: RequestID(random: 1), uses: [], limits: [], policy: Sample.policy,
            at: moment())
        let id = try await log.appended(reservation).get()
        _ = try await log.appended(
            .outcome(Sample.answered, of: id, request: RequestID(random: 1), at: moment(20)), .written
        ).get()
        log.stop()
        var stored = try LogEntries(folder: folder.path)
        var entries: [StoredEntry] = []
        while let entry = try stored.next() { entries.append(entry) }
        return (entries, folder)
    }

    @Test(
        "the entry, the line and the story say what policy would have done",
        arguments: [
            (asked, "ask", #"["orders/DeletesAsk"]"#, "[observe: WOULD ASK: orders/DeletesAsk]"),
            (
                denied, "deny", #"["by default","orders/Never"]"#,
                "[observe: WOULD DENY: by default, orders/Never]"
            ),
        ])
    func marked(_ would: Would, _ word: String, _ why: String, _ mark: String) async throws {
        let (entries, folder) = try await Self.entries(would)
        #expect(entries[0]["mode"] == "observe" && entries[0]["would"]?.string == word)
        #expect((word == "ask" ? entries[0]["statements"] : entries[0]["reasons"])?.text == why)
        var rendering = Rendering()
        let lines = entries.compactMap { rendering.line(for: $0) }
        #expect(lines.count == 1 && lines[0].hasSuffix(mark), "\(lines)")
        let told = try story(of: "req-00000001", folder: folder.path).joined(separator: "\n")
        #expect(told.contains("nobody: the gate only observed. Policy would \(word): "), "\(told)")
        #expect(try verify(folder: folder.path).isSound)
    }

    @Test func `a call that policy allows is marked too, without a would`() async throws {
        let (entries, _) = try await Self.entries(nil)
        #expect(entries[0]["mode"] == "observe" && entries[0]["would"] == nil)
        var rendering = Rendering()
        #expect(entries.compactMap { rendering.line(for: $0) }[0].hasSuffix("[observe]"))
    }

    @Test func `a start and a refusal are marked; where policy holds, nothing is`() throws {
        func start(_ mode: Mode) -> Entry {
            .start(
                at: moment(), version: "0.1.0", host: "h", configuration: sha256("c"), policy: Sample.policy,
                mode: mode)
        }
        func line(_ entry: Entry) throws -> (StoredEntry, String?) {
            var bytes: [UInt8] = []
            LogLine.bytes(seq: 1, prev: LogLine.origin, body: LogLine.body(of: entry), into: &bytes)
            let stored = try StoredEntry(line: bytes)
            var rendering = Rendering()
            return (stored, rendering.line(for: stored))
        }
        let (observing, text) = try line(start(.observe))
        #expect(observing["mode"] == "observe")
        #expect(text?.hasSuffix("MODE OBSERVE: nothing is held or denied") == true)
        let (enforcing, plain) = try line(start(.enforce))
        #expect(enforcing["mode"] == nil && plain?.contains("MODE") == false)
        let refusal = Refusal.denied(
            at: moment(), request: RequestID(random: 1), caller: try Sample.caller(),
            meaning: Sample.meaning("DeleteItem", level: .write), denial: nil, policy: Sample.policy,
            mode: .observe, code: "AccessDeniedException", peer: "p")
        #expect(try line(refusal.entry).0["mode"] == "observe")
    }
}
