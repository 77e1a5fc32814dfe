@testable import Deciding
import Testing
import Vocabulary

@testable import Recording

@Suite("Recording: what was counted") struct LimitRecordTests {
    static let read = StatementID(document: "orders", sid: "Read")

    static func limit(_ by: Limit.Counted) -> Limit {
        Limit(most: [.calls: 2, .bytes: 1_000], per: .seconds(60), by: by, beyond: .deny)
    }

    /// A reservation counted in `book` at `at` milliseconds, written, and read back.
    static func entry(_ book: inout LimitBook, _ limits: [Limit], at: Int) async throws -> StoredEntry {
        let folder = try Folder()
        let log = try RequestLog.test(folder)
        defer { log.stop() }
        let claims = limits.map {
            LimitClaim(
                statement: read, limit: $0, amount: Limit.Amount(calls: 1, items: 1), mayExceed: false)
        }
        let standings = try book.count(claims, by: try Sample.caller(), at: moment(at))
        _ = try await log.appended(Sample.reservation(limits: standings, request: UInt64(at))).get()
        var entries = try LogEntries(folder: folder.path)
        return try #require(try entries.next())
    }

    @Test func `the entry says which limit stood at what count`() async throws {
        var book = LimitBook()
        _ = try await Self.entry(&book, [Self.limit(.agent)], at: 10)
        let second = try await Self.entry(&book, [Self.limit(.agent)], at: 20)
        #expect(
            second["limits"]?.text
                == #"[{"statement":"orders/Read","by":"agent","per_s":60,"calls":{"used":2,"of":2},"#
                + #""bytes":{"used":0,"of":1000}}]"#)
        let none = try await Self.entry(&book, [], at: 30)
        #expect(none["limits"] == nil)
        let counted = book.restore(none)
        #expect(counted == [])
    }

    @Test(
        "a book rebuilt from the log counts what the one before counted, and lets nothing go earlier",
        arguments: [Limit.Counted.agent, .session])
    func rebuilt(_ by: Limit.Counted) async throws {
        var (book, fresh) = (LimitBook(), LimitBook())
        for at in [0, 12_345, 30_999] {
            // Room enough that all three are sent.
            let limit = Limit(most: [.calls: 9], per: .seconds(60), by: by, beyond: .deny)
            let entry = try await Self.entry(&book, [limit], at: at)
            let counted = fresh.restore(entry)
            #expect(counted?.count == 1)
        }
        for at in stride(from: 31_000, to: 95_000, by: 250) {
            let limit = Self.limit(by)
            let who = try Sample.caller()
            let before = book.used(of: limit, in: Self.read, by: who, at: moment(at)).calls
            let after = fresh.used(of: limit, in: Self.read, by: who, at: moment(at)).calls
            #expect(after >= before && after - before <= 1, "\(at)")
        }
        let left = fresh.used(of: Self.limit(by), in: Self.read, by: try Sample.caller(), at: moment(93_000))
        #expect(left.calls == 0)
    }

    @Test func `what is not what was written is not taken for nothing`() async throws {
        var book = LimitBook()
        let entry = try await Self.entry(&book, [Self.limit(.agent)], at: 10)
        for (part, with) in [
            (#""per_s":60"#, #""per_s":0"#), (#""by":"agent""#, #""by":"task""#),
            (#""statement":"orders/Read""#, #""statement":"orders""#), (#""statement":"orders/Read","#, ""),
        ] {
            let line = entry.json.text
            let broken = line.replacing(part, with: with)
            #expect(broken != line)
            var fresh = LimitBook()
            let counted = fresh.restore(try StoredEntry(line: Array(broken.utf8)))
            #expect(counted == nil, "\(with)")
        }
    }
}
