import Deciding
import Testing
import Vocabulary

@testable import Recording

@Suite("Recording: floods of refused calls") struct FloodTests {
    private func rejected(_ agent: String = "etl-2", code: String = "MalformedRequest", at: Int) throws
        -> Refusal
    {
        .rejected(
            at: moment(at), request: RequestID(random: UInt64(at)), agent: try Sample.agent(agent),
            status: 400,
            code: code, message: "two Host fields", peer: "127.0.0.1:1")
    }

    private func denied(_ operation: String, at: Int) throws -> Refusal {
        .denied(
            at: moment(at), request: RequestID(random: UInt64(at)), caller: try Sample.caller("etl-2"),
            meaning: Sample.meaning(operation, level: .write), denial: nil, policy: Sample.policy,
            code: "AccessDeniedException", peer: "127.0.0.1:1")
    }

    private func count(_ entry: Entry) -> JSON? { entry.members.first { $0.name == "count" }?.value }

    @Test func `the first is written at once, its repeats within the second as one entry with their count`()
        throws
    {
        var flood = FloodControl()
        #expect(try flood.offered(rejected(at: 0), at: moment(0)).count == 1)
        for at in 1...50 { #expect(try flood.offered(rejected(at: at), at: moment(at)).isEmpty) }
        #expect(flood.isCounting)
        #expect(flood.due(at: moment(999)).isEmpty)
        let entries = flood.due(at: moment(1_000))
        #expect(entries.map(count) == [50])
        #expect(entries.first?.at == moment(50))
        #expect(!flood.isCounting)
        #expect(flood.due(at: moment(2_000)).isEmpty)
    }

    @Test func `the first of the next second is written again, after the count of the last`() throws {
        var flood = FloodControl()
        _ = try flood.offered(rejected(at: 0), at: moment(0))
        _ = try flood.offered(rejected(at: 1), at: moment(1))
        let entries = try flood.offered(rejected(at: 1_000), at: moment(1_000))
        #expect(entries.map(count) == [1, nil])
    }

    @Test func `another kind, another call or another agent is written at once`() throws {
        var flood = FloodControl()
        #expect(try flood.offered(rejected(at: 0), at: moment(0)).count == 1)
        #expect(try flood.offered(rejected(code: "Other", at: 1), at: moment(1)).count == 1)
        #expect(try flood.offered(rejected("support-7", at: 2), at: moment(2)).count == 1)
        #expect(try flood.offered(denied("DeleteItem", at: 3), at: moment(3)).count == 1)
        #expect(try flood.offered(denied("DeleteTable", at: 4), at: moment(4)).count == 1)
        #expect(try flood.offered(denied("DeleteTable", at: 5), at: moment(5)).isEmpty)
    }

    @Test func `beyond an agent's bytes refusals are only counted, and another agent's are not`() throws {
        var setting = FloodControl.Setting()
        setting.burstByteCount = 4_000
        setting.bytesPerSecond = 1_000
        var flood = FloodControl(setting)
        var written = 0
        for at in 0..<100 {
            written += try flood.offered(rejected(code: "Code\(at)", at: at), at: moment(at)).count
        }
        #expect((5...20).contains(written))
        #expect(try flood.offered(rejected("support-7", at: 100), at: moment(100)).count == 1)
        #expect(flood.due(at: moment(101)).isEmpty)
        let later = flood.due(at: moment(5_000))
        #expect(later.map(count) == [.integer(100 - written)])
        #expect(later.first?.members.contains(JSON.Member("code", "OverBudget")) == true)
    }

    @Test func `a clock that is set back ends the second and gives no bytes`() throws {
        var flood = FloodControl()
        _ = try flood.offered(rejected(at: 5_000), at: moment(5_000))
        _ = try flood.offered(rejected(at: 5_001), at: moment(5_001))
        #expect(flood.due(at: moment(1_000)).map(count) == [1])
    }

    @Test func `kinds past their limit end every count early`() throws {
        var setting = FloodControl.Setting()
        setting.kindCountMax = 4
        var flood = FloodControl(setting)
        for at in 0..<4 { _ = try flood.offered(rejected(code: "Code\(at)", at: at), at: moment(at)) }
        #expect(try flood.offered(rejected(code: "Code0", at: 4), at: moment(4)).isEmpty)
        #expect(try flood.offered(rejected(code: "Code4", at: 5), at: moment(5)).map(count) == [1, nil])
    }

    @Test func `the log writes a flood's counts when the second ends and when it stops`() async throws {
        let folder = try Folder()
        var setting = LogSetting()
        setting.syncInterval = .milliseconds(20)
        let now = Ticking()
        let log = try RequestLog(folder: folder.path, setting: setting, clock: { now.now })
        for _ in 1...5 { log.record(try rejected(at: 0)) }
        now.advance(1_001)
        while try folder.lines().count < 2 { try await Task.sleep(for: .milliseconds(5)) }
        for _ in 1...3 { log.record(try rejected(at: 2_000)) }
        log.stop()
        let counts = try folder.lines().map { try JSON(parsing: Array($0.utf8))["count"]?.integer }
        #expect(counts == [nil, 4, nil, 2])
        #expect(try verify(folder: folder.path).isSound)
    }
}
