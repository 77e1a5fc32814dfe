import Approving
import Deciding
import Identifying
import Recognizing
import Testing
import Vocabulary

@testable import Gateway

/// 2026-11-22T08:31:00Z.
let noon = Instant(secondsSinceEpoch: 1_795_336_260)

func after(_ seconds: Int64) -> Instant { noon.advanced(by: .seconds(seconds)) }

/// Reads pass, deletes ask, a table's deletion is denied.
let standing = """
    Countersign: 1
    Id: orders
    Agents: ["*"]
    Statement:
      - {Sid: Read, Effect: Allow, Action: "dynamodb:GetItem", Resource: "*"}
      - Sid: DeletesAsk
        Effect: AllowWithApproval
        Action: dynamodb:DeleteItem
        Resource: "*"
        Approval: {Approvers: [oncall], Scope: exact, MaxUses: 1, Hold: 20s}
      - {Sid: NoDrop, Effect: Deny, Action: "dynamodb:DeleteTable", Resource: "*"}
    """

private let people = """
    Countersign: 1
    People:
      - {Name: alice, Uids: [1001]}
      - {Name: bob, Uids: [1002]}
    Groups:
      oncall: [alice, bob]
    """

func policySet(_ text: String = standing) throws -> PolicySet {
    let files = [("orders.yaml", text), ("approvers.yaml", people)].map { name, text in
        PolicyFile(name: name, bytes: Array(text.utf8))
    }
    return try PolicySet.load(files: files, actions: ActionNames(.builtIn))
}

func makeDesk(_ text: String = standing) throws -> Desk {
    var desk = Desk(
        policy: try policySet(text),
        recognition: RecognitionSetting(account: "111122223333", region: "us-east-1"))
    desk.stand(try binding())
    return desk
}

extension Desk {
    /// Opens the standing session of `binding`.
    mutating func stand(_ binding: ListenerBinding) {
        sessions.apply(
            .opened(
                Session(
                    id: binding.session, agent: binding.agent, uid: nil, owner: nil, task: nil, reason: nil,
                    opened: noon)))
    }
}

func binding() throws -> ListenerBinding {
    ListenerBinding(agent: try AgentName(parsing: "support-7"), session: SessionID(random: 7))
}

func dynamoHead(_ operation: String, invocation: String? = nil, agent: String = "Boto3/1.43") -> RequestHead {
    RequestHead(
        method: "POST", target: "/",
        fields: [
            HeaderField("host", "127.0.0.1:8990"),
            HeaderField("x-amz-target", "DynamoDB_20120810.\(operation)"),
            HeaderField("content-type", "application/x-amz-json-1.0"), HeaderField("content-length", "56"),
            HeaderField("user-agent", agent),
        ] + (invocation.map { [HeaderField("amz-sdk-invocation-id", $0)] } ?? []))
}

func itemBody(_ key: String = "o-91") -> [UInt8] {
    Array("{\"TableName\":\"orders\",\"Key\":{\"id\":{\"S\":\"\(key)\"}}}".utf8)
}

/// One call's corridor at a desk, driven by hand: no loop, no log, no sockets.
struct Walk {
    var corridor: Corridor
    let head: RequestHead
    let body: [UInt8]

    init(
        _ operation: String = "DeleteItem", key: String = "o-91", invocation: String? = nil,
        number: UInt64 = 1
    ) {
        corridor = Corridor(request: RequestID(random: number))
        head = dynamoHead(operation, invocation: invocation)
        body = operation == "DeleteTable" ? Array("{\"TableName\":\"orders\"}".utf8) : itemBody(key)
    }

    /// What the corridor does on `event`, in a word or two.
    mutating func take(_ event: Corridor.Event, _ desk: inout Desk, at now: Instant = noon) throws -> String {
        word(corridor.step(event, at: try binding(), of: &desk, now: now))
    }

    /// Head and body: what the corridor does then.
    mutating func arrive(_ desk: inout Desk, at now: Instant = noon) throws -> String {
        _ = try take(.head(head, wall: now), &desk, at: now)
        return try take(.body(body), &desk, at: now)
    }

    /// The approval that this call has to ask for, as the passage makes it.
    func approval(_ number: UInt64, _ desk: Desk, at now: Instant = noon) throws -> Approval {
        let (call, caller) = (try #require(corridor.call), try #require(corridor.caller))
        guard case .ask(let question) = desk.decide(call.meaning, caller: caller, at: now) else {
            throw Unexpected()
        }
        return Approval(
            id: ApprovalID(random: number), created: now,
            requester: Approval.Requester(caller: caller, uid: 1500, peer: "127.0.0.1:40000"),
            asked: Approval.Asked(call, parameters: call.meaning.parameters, judged: []), question: question,
            policy: desk.policy.digest)
    }

    /// Arrives, asks, and waits under approval `number`.
    mutating func waits(_ number: UInt64, _ desk: inout Desk, at now: Instant = noon) throws {
        let asked = try arrive(&desk, at: now)
        try #require(asked == "request")
        desk.room.apply(.requested(try approval(number, desk, at: now)))
        let held = try take(.requested, &desk, at: now)
        try #require(held == "hold \(ApprovalID(random: number)) 20 s")
    }
}

struct Unexpected: Error {}

extension Desk {
    /// alice answers approval `number` with yes, and its grant is in the book; or with no.
    mutating func review(
        _ number: UInt64, _ verdict: Review.Verdict = .approve, at now: Instant = after(5)
    ) throws {
        let id = ApprovalID(random: number)
        room.apply(
            .reviewed(
                id,
                Review(
                    approver: try ApproverName(parsing: "alice"), verdict: verdict, reason: nil,
                    shown: policy.digest, seen: .seconds(5), at: now, uid: 1001, isSameUID: false)))
        let earned = room.earnedGrant(
            id, grantID: GrantID(random: number), approvers: policy.approvers, at: now)
        guard let earned else { return }
        room.apply(.granted(earned))
        try grants.add(earned)
    }
}

func word(_ action: consuming Corridor.Action) -> String {
    switch consume action {
    case .readBody(let limit): "read \(limit > 0 ? "body" : "nothing")"
    case .request(_, _, _, nil): "request"
    case .request(_, _, _, let id?): "request instead of \(id)"
    case .awaitRequest: "await request"
    case .hold(let id, let wait): "hold \(id) \(wait.components.seconds) s"
    case .awaitOutcome: "await outcome"
    case .replay(let reply): "replay \(reply.status)"
    case .awaitRole(let key): "await role for \(word(key.extent))"
    case .record(let reservation, let power): "record, \(reservation.uses.count) uses\(word(power))"
    case .signAndForward(let entry): "sign \(entry)"
    case .answerRole(let role, let entry):
        "give \(role.role) for \(role.duration.components.seconds) s \(entry)"
    case .finish(_, let outcome, _): "finish \(outcome.kind)"
    case .refuse(let rebuff): "refuse: \(word(rebuff))"
    case .withdraw(let sending): sending == nil ? "withdraw" : "withdraw what was claimed"
    case .letRun: "let run"
    case .none: "-"
    }
}

func word(_ rebuff: Rebuff) -> String {
    switch rebuff {
    case .unidentified: "unidentified"
    case .unknownAccount(let account): "unknown account \(account)"
    case .unrecognized: "unrecognized"
    case .unread: "unread"
    case .denied: "denied"
    case .roleUnlike(let error): "role unlike: \(error.parameters)"
    case .sessionOver: "session over"
    case .waiting(let id): "waiting \(id)"
    case .alreadyDenied(let id): "already denied \(id)"
    case .ended(let id): "ended \(id)"
    case .notAsked: "not asked"
    case .outcomeUnknown(let wasSent): "outcome unknown\(wasSent ? ", sent" : "")"
    case .unscoped(let why): "unscoped: \(why)"
    case .fault(let fault): "fault \(fault)"
    }
}

func outcome(_ kind: Outcome.Kind) -> Outcome {
    Outcome(
        kind: kind, status: kind == .answered ? 200 : nil, awsRequestID: nil, awsExtendedRequestID: nil,
        error: nil, bytesSent: 1, bytesReceived: 1, elapsed: .milliseconds(3))
}

func word(_ extent: RoleSessionKey.Extent) -> String {
    switch extent {
    case .statements(let prefixes): "statements of \(prefixes.joined(separator: " "))"
    case .grant(let id, _): "\(id)"
    case .call: "the call"
    case .identity: "the agent's name"
    }
}

/// With what the call is signed, if not just with the gateway's own credentials.
func word(_ power: RoleSessionBook.Power) -> String {
    switch power {
    case .unneeded: ""
    case .signer(let signer):
        ", as \(signer.credentials.accessKeyID) for \(signer.record.extent)"
            + (signer.record.why.map { " (\($0))" } ?? "")
    case .own(let why): why.map { ", not scoped down (\($0))" } ?? ""
    case .comes, .refused, .unavailable: ", nothing to sign with"
    }
}
