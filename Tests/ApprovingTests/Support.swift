@testable import Approving
@testable import Deciding
import Recognizing
import Testing
import Vocabulary

/// 2026-11-22T08:31:00Z.
let noon = Instant(secondsSinceEpoch: 1_795_336_260)

func after(_ seconds: Int64) -> Instant { noon.advanced(by: .seconds(seconds)) }

/// alice and carol are on call, carol is in secops as well, dan is in neither.
let approvers: ApproverBook = {
    func name(_ text: String) -> ApproverName {
        do { return try ApproverName(parsing: text) } catch { fatalError("\(error)") }
    }
    let people = ["alice", "bob", "carol", "dan"].enumerated().map { index, person in
        ApproverBook.Person(name: name(person), uids: [1001 + UInt32(index)], keys: [])
    }
    return ApproverBook(
        people: people,
        groups: [
            "oncall": [name("alice"), name("bob"), name("carol")], "secops": [name("carol"), name("dan")],
        ])
}()

func digest(_ byte: UInt8) throws -> Digest { try #require(Digest(bytes: Array(repeating: byte, count: 32))) }

func caller(_ agent: String = "support-7", session: UInt64 = 7, reason: String? = nil) throws -> Caller {
    Caller(
        agent: try AgentName(parsing: agent), session: SessionID(random: session), strength: .listener,
        task: ClaimedText("T-1", source: .sessionToken),
        reason: reason.map { ClaimedText($0, source: .header) }, scope: nil)
}

let pair = Pair(
    action: Action(prefix: "dynamodb", name: "DeleteItem"),
    resource: Resource("arn:aws:dynamodb:us-east-1:111122223333:table/orders"), level: .write,
    sensitivity: .data)

/// A delete in the table; `number` tells one from another.
func meaning(_ number: Int = 1) throws -> Meaning {
    let bytes = (0..<32).map { UInt8(truncatingIfNeeded: number >> ($0 % 4 * 8)) }
    return Meaning(
        service: "dynamodb", operation: "DeleteItem", wireProtocol: .awsJSON10, account: "111122223333",
        region: "us-east-1", pairs: [pair], parameters: .object([]),
        digest: try #require(Digest(bytes: bytes)))
}

let onCall = ApprovalTerms.Quorum(needs: [.init(name: "oncall", count: 1)], anyOne: true)

func question(_ terms: ApprovalTerms = ApprovalTerms(quorums: [onCall]), text: UInt8 = 9) throws -> Question {
    Question(
        pairs: [pair], statements: [StatementID(document: "orders", sid: "DeletesAsk")], terms: terms,
        fingerprint: try digest(text))
}

/// The approval `number` of the delete `call`, requested at `created`.
func approval(
    _ number: UInt64 = 1, of call: Int = 1, terms: ApprovalTerms = ApprovalTerms(quorums: [onCall]),
    by caller: Caller? = nil, at created: Instant = noon, text: UInt8 = 9
) throws -> Approval {
    let meaning = try meaning(call)
    let asked = Approval.Asked(
        service: meaning.service, operation: meaning.operation, account: meaning.account,
        region: meaning.region, pairs: meaning.pairs, parameters: meaning.parameters, itemCount: 1,
        bodyByteCount: 0, digest: meaning.digest, wireDigest: try digest(2),
        judged: [JSON.Member("keys", ["dynamodb:select": []])])
    return Approval(
        id: ApprovalID(random: number), created: created,
        requester: Approval.Requester(
            caller: try caller ?? support(), uid: 1500, peer: "127.0.0.1:40000"),
        asked: asked, question: try question(terms, text: text), policy: try digest(3))
}

/// The agent that asks unless another is named.
func support() throws -> Caller { try caller() }

func review(
    _ name: String = "alice", _ verdict: Review.Verdict = .approve, at: Instant = after(60),
    reason: String? = nil, isSameUID: Bool = false
) throws -> Review {
    Review(
        approver: try ApproverName(parsing: name), verdict: verdict, reason: reason, shown: try digest(4),
        seen: .seconds(12), at: at, uid: 1001, isSameUID: isSameUID)
}

extension WaitingRoom {
    /// The room in which `approvals` have been requested.
    init(_ approvals: [Approval]) {
        self.init()
        for approval in approvals { apply(.requested(approval)) }
    }

    /// Why `review` is refused; nil when it may be recorded.
    func refusal(
        _ review: Review, of id: ApprovalID, typed: String? = nil, allowsSameUID: Bool = false
    ) -> ReviewError? {
        do throws(ReviewError) {
            try check(review, of: id, typed: typed, approvers: approvers, allowsSameUID: allowsSameUID)
            return nil
        } catch { return error }
    }

    func answer(
        _ call: Int = 1, by caller: Caller? = nil, at now: Instant = after(1), text: UInt8 = 9,
        terms: ApprovalTerms = ApprovalTerms(quorums: [onCall])
    ) throws -> String {
        do {
            let question = try question(terms, text: text)
            switch try ask(question, meaning: try meaning(call), caller: try caller ?? support(), at: now) {
            case .waits(let approval): return "waits \(approval.id)"
            case .denied(let approval): return "denied \(approval.id)"
            case .comes: return "comes"
            case .new(nil): return "new"
            case .new(let id?): return "new instead of \(id)"
            }
        } catch let error as AskError { return "\(error)" }
    }
}
