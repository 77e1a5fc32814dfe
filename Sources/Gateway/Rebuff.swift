import Accepting
import Approving
import Deciding
import Identifying
import Recognizing
import Vocabulary

/// Why a call is answered by the gate itself and not by AWS.
enum Rebuff {
    case unidentified(IdentificationError)
    case unrecognized(RecognitionError)
    /// Its key is for an account that the gate has no credentials of.
    case unknownAccount(String)
    /// Its body did not come, or not as it was announced.
    case unread(RequestFault)
    case denied(Denial, Caller)
    /// The role that it asks for cannot be given as it asks for it.
    case roleUnlike(RoleRequestError)
    /// Its session is closed, or was never one of this gate's.
    case sessionOver(SessionID, Session.Closing?)
    /// It waits for a human, and its client cannot be held longer.
    case waiting(ApprovalID)
    case alreadyDenied(ApprovalID)
    /// What it waited for was answered with no, or nobody answered.
    case ended(ApprovalID)
    case notAsked(AskError)
    /// This attempt (`wasSent`) or an earlier one of its invocation was sent; what came of it is not known.
    case outcomeUnknown(wasSent: Bool)
    /// `--downscope require`: no session policy can say what it needs.
    case unscoped(String)
    case fault(Fault)

    /// What is the operator's to mend. Nothing more is signed meanwhile.
    enum Fault: Hashable {
        case logUnwritable
        case credentials(String)
        /// There are no credentials that can do no more than the call needs, and none other may be used.
        case unscoped(String)
        case upstream(String)
        /// A call that changes nothing was sent, and no whole answer came.
        case noAnswer(String)
        case upstreamRefusesCredentials(String)
        case grantGone
        case defect

        /// The step of the walk that failed, as the log names it.
        var step: String {
            switch self {
            case .logUnwritable: "record"
            case .credentials, .unscoped, .upstreamRefusesCredentials: "sign"
            case .upstream, .noAnswer: "forward"
            case .grantGone: "reserve"
            case .defect: "gate"
            }
        }
    }
}

/// A refusal in words: what the agent is told.
struct Answer: Hashable {
    /// Characters of a message: more than any of ours has, were it not for names from outside.
    static let messageLengthMax = 2_000

    let status: Int
    let code: String
    /// One line that is safe to show.
    let message: String
    let approval: Approval?

    init(status: Int, code: String, message: String, approval: Approval? = nil) {
        self.status = status
        self.code = code
        let line = shown(message)
        self.message =
            line.count > Self.messageLengthMax ? line.prefix(Self.messageLengthMax - 1) + "…" : line
        self.approval = approval
    }
}

/// What an agent is told of `rebuff`: facts in one line, no orders, and the way out.
func words(for rebuff: Rebuff, desk: Desk, now: Instant, shape: AnswerShape) -> Answer {
    let denied = accessDenied(shape)
    switch rebuff {
    case .unidentified(let error): return Answer(status: 403, code: denied, message: text(error))
    case .unknownAccount(let account):
        return Answer(
            status: 403, code: denied,
            message:
                "Countersign refused this call: its key is for account \(account), which accounts.yaml of "
                + "this host does not name. Nothing was sent to AWS.")
    case .unrecognized(let error):
        return Answer(status: error.status, code: code(error), message: text(error))
    case .unread(let fault):
        return Answer(
            status: fault.status, code: fault.code,
            message: "Countersign cannot read this call: \(fault.message); nothing was sent to AWS")
    case .denied(let denial, let caller):
        return Answer(
            status: 403, code: denied,
            message: text(denial, caller, owner: desk.policy.agents[caller.agent]?.owner))
    case .roleUnlike(let error): return Answer(status: 403, code: denied, message: error.text)
    case .sessionOver(let id, let closing):
        return Answer(status: 403, code: "SessionClosed", message: text(id, closing, now: now))
    case .waiting(let id): return waiting(id, desk: desk, now: now)
    case .alreadyDenied(let id), .ended(let id): return ended(id, desk: desk, now: now)
    case .notAsked(let error): return Answer(status: 403, code: "ApprovalRequired", message: text(error))
    case .outcomeUnknown(let wasSent):
        let what = wasSent ? "this call" : "an earlier attempt of this call"
        return Answer(
            status: 403, code: "OutcomeUnknown",
            message:
                "Countersign sent \(what) to AWS and does not know what came of it; it may have run. "
                + (wasSent ? "" : "This attempt was not sent. ")
                + "Reading the resource shows whether it ran.")
    case .unscoped(let why):
        return Answer(
            status: 403, code: denied,
            message:
                "Countersign sends a call here only with credentials that can do no more than it needs "
                + "(--downscope require), and for this one AWS takes none: \(why). Nothing was sent to AWS; "
                + "it was not AWS IAM that refused. A call that names fewer things may fit.")
    case .fault(let fault): return Answer(status: 503, code: "ServiceUnavailable", message: text(fault))
    }
}

/// The code by which each kind of service says that IAM does not allow a call.
private func accessDenied(_ shape: AnswerShape) -> String {
    switch shape.wireProtocol {
    case .ec2: "UnauthorizedOperation"
    case .awsJSON10, .awsJSON11, .restJSON, .rpcV2CBOR: "AccessDeniedException"
    case .restXML, .query: "AccessDenied"
    }
}

// MARK: - Approvals

private func waiting(_ id: ApprovalID, desk: Desk, now: Instant) -> Answer {
    guard let approval = desk.room[id] else { return ended(id, desk: desk, now: now) }
    let isFirst = now.since(approval.created) < .seconds(120)
    let message =
        "Countersign is holding this call for a human; nothing was sent to AWS. Approval \(id): "
        + "\(summary(approval)), "
        + "asked by \(list(approval.question.statements.map(\.description)))\(limits(approval)), decided by "
        + "\(deciders(approval.question.terms)), "
        + "open \(minutes(approval.expires.since(now))) more. Repeating exactly this call waits for "
        + "the answer and runs it "
        + "once if approved; a changed call is a new request."
    return Answer(
        status: 403, code: isFirst ? "ApprovalRequired" : "ApprovalPending", message: message,
        approval: approval)
}

private func ended(_ id: ApprovalID, desk: Desk, now: Instant) -> Answer {
    guard let approval = desk.room[id] else {
        return Answer(
            status: 403, code: "ApprovalExpired", message: "Approval \(id) is over; nothing was sent to AWS.")
    }
    let start = "Countersign sent nothing to AWS. Approval \(id): \(summary(approval))"
    switch approval.state {
    case .denied:
        let review = approval.reviews.last { $0.verdict == .deny }
        let reason = review?.reason.map { ", reason: \(quoted($0))" } ?? ""
        return Answer(
            status: 403, code: "ApprovalDenied",
            message:
                "\(start), was denied by \(review?.approver.text ?? "an approver")\(reason). The "
                + "denial of exactly this "
                + "call stands for \(minutes(approval.expires.since(now))) more.", approval: approval)
    case .expired, .pending:
        return Answer(
            status: 403, code: "ApprovalExpired",
            message: "\(start), expired before anyone answered. Repeating this call asks anew.",
            approval: approval)
    case .withdrawn:
        return Answer(
            status: 403, code: "ApprovalExpired",
            message: "\(start), was withdrawn. Repeating this call asks anew.",
            approval: approval)
    case .approved:
        return Answer(
            status: 403, code: "ApprovalExpired",
            message:
                "\(start), was approved, and its grant is used up or over. Repeating this call asks anew.",
            approval: approval)
    }
}

private func text(_ error: AskError) -> String {
    switch error {
    case .tooManyPending(let limit):
        "Countersign did not ask for this call: \(limit) calls of this agent wait for humans or were "
            + "withdrawn lately, which is the limit. Nothing was sent to AWS. `countersign wait ID` shows "
            + "when one is answered."
    case .reasonMissing(let statements):
        "Countersign did not ask for this call: \(list(statements.map(\.description))) needs a "
            + "reason from the agent, and the "
            + "call carries none. Nothing was sent to AWS. A reason goes into the session token of "
            + "key `unsigned` "
            + "(`task=...;reason=...`) or the header X-Countersign-Reason."
    }
}

/// The first pairs that ask, short: `dynamodb:DeleteItem on table/orders`.
func summary(_ approval: Approval) -> String {
    list(approval.question.pairs.map { "\($0.action) on \(short($0.resource))" }, atMost: 3)
}

/// The limits that made it ask, in brackets; nothing when none did.
private func limits(_ approval: Approval) -> String {
    approval.question.limits.isEmpty ? "" : " (\(list(approval.question.limits, atMost: 3)))"
}

/// Who decides, in words.
func deciders(_ terms: ApprovalTerms) -> String {
    terms.quorums.map { quorum in
        quorum.anyOne
            ? list(quorum.needs.map(\.name), last: "or")
            : list(quorum.needs.map { $0.count == 1 ? $0.name : "\($0.count) of \($0.name)" }, last: "and")
    }.joined(separator: "; and ")
}

// MARK: - Denials and rejections

private func text(_ denial: Denial, _ caller: Caller, owner: String?) -> String {
    let items = denial.items.map { item in
        "\(item.pair.action) on \(brief(item.pair.resource.description)) (\(words(item.reason)))"
    }
    return
        "Countersign on this host refused this call under its policy; AWS IAM was not asked and "
        + "nothing was sent. Agent "
        + "\(caller.agent): \(list(items, atMost: 5)). Policy owner: \(owner ?? "the operator of this host")."
}

/// Why one pair is refused.
func words(_ reason: Denial.Reason) -> String {
    switch reason {
    case .statement(let id): "denied by \(id)"
    case .byDefault: "no statement allows it"
    case .unknownResource: "the request does not name the resource"
    case .vendsCredentials: "its reply holds credentials good past the gate: a statement must name the action"
    case .limit(let reach): reach.advice
    case .barred(let bar): words(bar)
    }
}

private func words(_ bar: SendingBar) -> String {
    switch bar {
    case .unsignedByModel: "AWS takes this operation unsigned; it is not relayed"
    case .bearerToken: "this service takes bearer tokens and no signatures; it is not relayed"
    case .signatureV2: "this service takes only signature version 2, which Countersign does not make"
    case .signatureV4a: "this host takes only signature version 4A, which Countersign does not make"
    case .session:
        "a session's keys are not handed out; with AWS_S3_DISABLE_EXPRESS_SESSION_AUTH=true the client signs "
            + "each call by itself"
    case .unknownOperation:
        "this version of Countersign knows the service but no such operation; it stays denied, also under `*`"
    }
}

private func text(_ session: SessionID, _ closing: Session.Closing?, now: Instant) -> String {
    let how =
        switch closing?.cause {
        case .idle: "ended after 8 hours without a call"
        case .agent: "was closed by its agent"
        case .approver: "was closed by \(closing?.by ?? "the operator of this host")"
        case nil: "is not one of this gate's"
        }
    let reason = closing?.reason.map { ", reason: \(quoted($0))" } ?? ""
    return "Countersign refused this call: its session \(session) \(how)\(reason). Nothing was sent to AWS. "
        + "`countersign run` opens another."
}

private func text(_ error: IdentificationError) -> String {
    switch error {
    case .realKey(let id):
        "Countersign refused this call: it is signed with a real AWS key (\(brief(id))), which this agent "
            + "should not hold; the use is recorded. \(waysIn)"
    case .foreignCredential(let what): "Countersign refused this call: it carries \(what). \(waysIn)"
    case .foreignUID(let agent, let uid, let uids):
        "Countersign refused this call: \(uid.map { "it comes from uid \($0)" } ?? "its uid is not known"), "
            + "and unsigned calls of agent \(agent) come from uid "
            + "\(list(uids.map(String.init), last: "or")). `countersign run` gives keys to those who may be "
            + "the agent."
    case .malformed(let why): "Countersign refused this call: \(why)."
    case .badToken(let why):
        "Countersign refused this call: its session token is not good: \(why). \(newKeys)"
    case .keyExpired(let end):
        "Countersign refused this call: its access key was good until \(end). \(newKeys)"
    case .presignedExpired(let end):
        "Countersign refused this call: the presigned request was good until \(end); it can be made anew."
    case .skewedClock(let skew):
        "Countersign refused this call: it was signed \(minutes(skew < .zero ? .zero - skew : skew)) "
            + "\(skew < .zero ? "after" : "before") this host's time, and 15 min are the most. The client's "
            + "clock is off, or the call was kept too long."
    case .wrongSignature:
        "Countersign refused this call: the signature is not the one that its key makes of it: the secret "
            + "key is another one, or the request was changed after it was signed."
    case .wrongBody: "Countersign refused this call: its body is not the one that was signed."
    }
}

private let newKeys = "`countersign run` or `countersign session open` gives new keys."
private let waysIn =
    "Calls through Countersign are signed with keys that `countersign run` gives, unsigned "
    + "(`--no-sign-request`), or signed with the key id `unsigned`."

func code(_ error: RecognitionError) -> String {
    switch error {
    case .malformed: "MalformedRequest"
    case .unknownOperation: "UnknownOperation"
    case .ambiguous: "AmbiguousService"
    case .disagreement: "MismatchedService"
    case .noEndpoint: "NoEndpoint"
    case .noRegion: "NoRegion"
    case .bodyTooLarge: "BodyTooLarge"
    case .unsupportedBody: "UnsupportedBody"
    }
}

/// A rejection in words; what `debug recognize` prints too.
func text(_ error: RecognitionError) -> String {
    switch error {
    case .malformed(let part, let why): "Countersign cannot read this call: \(part): \(why)"
    case .unknownOperation(let service, let method, let path):
        "Countersign knows no AWS operation \(service.map { "of \($0) " } ?? "")for \(method) "
            + "\(quoted(path)); calls that are "
            + "not understood are not sent"
    case .ambiguous(let services, let operation, let settings):
        "this call fits several services: "
            + "\(list(services, last: "and"))\(operation.map { " (\($0))" } ?? ""). "
            + "\(list(settings, last: "or")) settles it"
    case .disagreement(let what): "the parts of this call that name its service do not agree: \(what)"
    case .noEndpoint(let service, let region, let variant):
        "the catalog has no \(variant.isEmpty ? "" : "\(variant) ")endpoint of \(service) in region "
            + quoted(region)
    case .noRegion(let service):
        "this call of \(service) names no region and none is configured; AWS_REGION with key id "
            + "`unsigned`, or serve --region, "
            + "gives one"
    case .bodyTooLarge(let limit): "the body is over the limit of \(limit) bytes; nothing was sent to AWS"
    case .unsupportedBody(let what): "Countersign does not take this form of body: \(what)"
    }
}

private func text(_ fault: Rebuff.Fault) -> String {
    switch fault {
    case .logUnwritable:
        "Countersign cannot write its log, so it signs nothing. Its operator must make room or mend the disk."
    // Whose they are and where they come from is none of the agent's business.
    case .credentials:
        "Countersign has no usable AWS credentials at the moment; its operator can see why. Nothing was sent."
    case .unscoped:
        "Countersign has no credentials at the moment that can do no more than this call needs, and may use "
            + "no others; its operator can see why. Nothing was sent."
    case .upstream(let why): "Countersign could not reach AWS: \(why). Nothing was sent."
    case .noAnswer(let why):
        "Countersign sent this call, which changes nothing, and got no whole answer: \(why)."
    case .upstreamRefusesCredentials(let code):
        "AWS refused the gateway's own credentials (\(code)). Countersign's operator must renew them."
    case .grantGone:
        "the grant for this call ended while it was being sent. Nothing was sent; repeating the "
            + "call asks anew."
    case .defect:
        "Countersign failed on this call; nothing was sent. Its operator finds the reason in its output."
    }
}

// MARK: - Words

/// The last part of an ARN, which is what a person calls the resource: `table/orders`. Anything else whole.
func short(_ resource: Resource) -> String {
    let text = resource.description
    let parts = text.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
    return brief(parts.count == 6 && parts[0] == "arn" ? String(parts[5]) : text)
}

/// Text from outside, shown safely, at most 200 characters of it: a name may be as long as a body.
func brief(_ text: String) -> String {
    let bytes = text.utf8.count
    guard bytes > 200 else { return shown(text) }
    return shown(String(text.prefix(200))) + "… (\(bytes) bytes)"
}

/// `items` joined by commas, at most `atMost` of them and then how many more.
func list(_ items: [String], atMost: Int = 8, last: String? = nil) -> String {
    guard items.count <= atMost else {
        return items.prefix(atMost).joined(separator: ", ") + " and \(items.count - atMost) more"
    }
    guard let word = last, let end = items.last, items.count > 1 else { return items.joined(separator: ", ") }
    return items.dropLast().joined(separator: ", ") + " \(word) \(end)"
}

/// `29 min`, `40 s`: never longer than there is.
func minutes(_ wait: Duration) -> String {
    let seconds = max(0, wait.components.seconds)
    return seconds < 120 ? "\(seconds) s" : "\(seconds / 60) min"
}

/// Text from outside between backticks, as ``brief(_:)`` shows it.
func quoted(_ text: String) -> String { "`" + brief(text) + "`" }
