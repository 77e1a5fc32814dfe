import Approving
@testable import Deciding
import Hashing
@testable import Recognizing
import Testing
import Vocabulary

@testable import Recording

/// One small day of a log: a read that passes, a delete that is asked for, approved and sent, a refusal, a
/// rejection.
enum Journey {
    static let approval = "apr-7Q2MK4XD"
    static let grant = "grt-2B7C0000"

    static func write(to log: RequestLog) async throws {
        try await begin(log)
        try await ask(log)
        try await send(log)
        log.record(
            .denied(
                at: moment(60_000), request: RequestID(random: 3), caller: try Sample.caller("etl-2"),
                meaning: Sample.meaning("DeleteTable", level: .write),
                denial: Denial(items: [
                    Denial.Item(pair: Sample.pair("DeleteTable", level: .write), reason: .byDefault)
                ]), policy: Sample.policy, code: "AccessDeniedException", peer: "127.0.0.1:51850"))
        log.record(
            .rejected(
                at: moment(61_000), request: RequestID(random: 4), agent: try Sample.agent("etl-2"),
                status: 400,
                code: "MalformedRequest", message: "two Host fields", peer: "127.0.0.1:51851"))
        _ = try await log.appended(.stop(at: moment(62_000), reason: "SIGTERM")).get()
    }

    private static func begin(_ log: RequestLog) async throws {
        let caller = try Sample.caller()
        _ = try await log.appended(
            .start(
                at: moment(), version: "0.1.0", host: "web-14", configuration: sha256("configuration"),
                policy: Sample.policy)
        ).get()
        _ = try await log.appended(
            .sessionOpened(
                at: moment(10), session: caller.session, agent: caller.agent, task: caller.task,
                reason: caller.reason)
        ).get()
        let read = try await log.appended(Sample.reservation(request: 20)).get()
        _ = try log.clear(read)
        _ = try await log.appended(
            .outcome(Sample.answered, of: read, request: RequestID(random: 20), at: moment(43)), .written
        ).get()
    }

    private static func ask(_ log: RequestLog) async throws {
        let call = Call(
            meaning: Sample.meaning("DeleteItem", level: .write), sealed: Sample.sealed("DeleteItem"))
        let statement = StatementID(document: "orders", sid: "DeletesAsk")
        let question = Question(
            pairs: call.meaning.pairs, statements: [statement],
            terms: ApprovalTerms(quorums: [
                ApprovalTerms.Quorum(needs: [.init(name: "payments-oncall", count: 1)], anyOne: true)
            ]), fingerprint: sha256("text of orders/DeletesAsk"))
        let approval = Approval(
            id: try ApprovalID(parsing: Self.approval), created: moment(1_000),
            requester: Approval.Requester(caller: try Sample.caller(), uid: 1501, peer: "127.0.0.1:51844"),
            asked: Approval.Asked(
                call, parameters: redacted(call.meaning.parameters),
                judged: keyMembers(call.meaning, pairs: call.meaning.pairs)), question: question,
            policy: Sample.policy)
        let review = Review(
            approver: try ApproverName(parsing: "alice@example.com"), verdict: .approve,
            reason: "GDPR ticket checked", shown: sha256("the card"), seen: .milliseconds(41_200),
            at: moment(42_200),
            uid: 1002, isSameUID: false)
        let use = try Sample.use()
        let grant = Grant(
            id: use.grant, approval: use.approval, agent: try Sample.agent(),
            session: try Sample.caller().session,
            digest: call.meaning.digest, statements: [statement], fingerprint: question.fingerprint,
            start: moment(42_200), end: moment(942_200), firstUseBy: nil, maxUses: 1,
            decidedBy: [review.approver])
        for (change, at) in [
            (ApprovalChange.requested(approval), 1_000), (.reviewed(approval.id, review), 42_200),
            (.granted(grant), 42_201),
        ] {
            let entry = try #require(Entry.change(change.entryType, at: moment(at), body: change.body))
            _ = try await log.appended(entry).get()
        }
    }

    private static func send(_ log: RequestLog) async throws {
        let meaning = Sample.meaning("DeleteItem", level: .write)
        let id = try await log.appended(
            Sample.reservation(mutates: true, uses: [Sample.use()], request: 42_202, meaning: meaning)
        ).get()
        _ = try log.clear(id)
        _ = try await log.appended(
            .outcome(Sample.answered, of: id, request: RequestID(random: 42_202), at: moment(42_225)),
            .written
        ).get()
    }
}
