import Approving
import Deciding
import Identifying
import Recognizing
import Vocabulary

/// The walk of one call, from its head to its outcome.
///
/// accept -> identify -> recognize -> decide -> (ask a human -> decide again) -> record -> sign -> forward ->
/// record
///
/// A value: ``step(_:at:of:now:)`` takes what happened and says what to do next; the passage around it does
/// that, and nothing else. Four of its steps wait: for the body, for humans, for credentials that can do no
/// more than the call needs, for the log. Approving never allows: it makes a grant, and the same `judge` runs
/// again. A clearance never shows up here: it lives only inside the one step that signs and hands off.
struct Corridor {
    /// The request's name in the log and in answers of our own.
    let request: RequestID

    enum State {
        case arriving
        case readingBody(RequestHead, Identification)
        /// The request for an approval is on its way into the log.
        case requesting(Call, Caller)
        case waitingForHumans(ApprovalID, Call, Caller)
        /// Another attempt of the same invocation was sent; its outcome is this one's answer.
        case waitingForOutcome(SendKey, Call, Caller)
        /// The credentials to sign it with are being asked for.
        case assuming(Call, Caller)
        case recording(Sending)
        case sent(Sending)
        case left
    }

    enum Event {
        /// With the time of the wall clock, by which clients date what they sign.
        case head(RequestHead, wall: Instant)
        case body([UInt8])
        /// The approval that this call asked for, or one it joins, is in the log.
        case requested
        /// A review, an expiry, a grant or a new policy set touched what this call waits for.
        case reconsider
        case holdEnded
        /// The credentials that this call waits for are there, or are known not to come.
        case assumed
        /// The entry that the call's reservation became is as durable as it must be.
        case durable(EntryID)
        case logFailed
        /// What became of it; with AWS's answer, unless that streamed past.
        case outcome(Outcome, StoredReply?)
        case gone
    }

    enum Action: ~Copyable {
        case readBody(limit: Int)
        case request(Question, Call, Caller, superseding: ApprovalID?)
        /// Another passage is requesting the approval of the same call.
        case awaitRequest(WaitingRoom.CallKey)
        case hold(ApprovalID, for: Duration)
        case awaitOutcome(SendKey)
        case replay(StoredReply)
        case awaitRole(RoleSessionKey)
        case record(Reservation, RoleSessionBook.Power)
        case signAndForward(EntryID)
        /// Nothing is sent: the gate itself gives the role that was asked for.
        case answerRole(RoleRequest, EntryID)
        case finish(Sending, Outcome, StoredReply?)
        case refuse(Rebuff)
        /// The client is gone and nothing was sent: give back what `Sending` claimed, if anything.
        case withdraw(Sending?)
        /// The client is gone; what was sent runs on to its outcome.
        case letRun
        case none
    }

    private(set) var state = State.arriving
    /// The role that the call asks for, when the gate gives it.
    private var role: RoleRequest?
    private var userAgent: String?
    /// Who calls, once identified.
    private(set) var caller: Caller?
    /// What it is, once recognized.
    private(set) var call: Call?

    mutating func step(_ event: Event, at listener: ListenerBinding, of desk: inout Desk, now: Instant)
        -> Action
    {
        switch (state, event) {
        case (.arriving, .head(let head, let wall)):
            return arrive(head, at: listener, of: &desk, now: now, wall: wall)
        case (.readingBody(let head, let identification), .body(let body)):
            do {
                let plain = try unframed(InboundRequest(head: head, body: body))
                let caller = try identification.caller(
                    sending: body, content: plain.body, chunks: plain.signatures)
                self.caller = caller
                guard let setting = desk.recognition(of: caller) else {
                    return refuse(.unknownAccount(caller.issued?.account ?? ""))
                }
                let call = try recognize(plain, caller: caller, setting: setting)
                return judge(call, caller, of: &desk, now: now)
            } catch { return refuse(error) }
        case (.requesting(let call, let caller), .requested): return judge(call, caller, of: &desk, now: now)
        case (.waitingForHumans(_, let call, let caller), .reconsider):
            return judge(call, caller, of: &desk, now: now)
        case (.waitingForHumans(let id, _, _), .holdEnded): return refuse(.waiting(id))
        case (.waitingForOutcome(_, let call, let caller), .reconsider):
            return judge(call, caller, of: &desk, now: now)
        case (.waitingForOutcome, .holdEnded): return refuse(.outcomeUnknown(wasSent: false))
        case (.assuming(let call, let caller), .assumed): return judge(call, caller, of: &desk, now: now)
        case (.recording(let sending), .durable(let entry)):
            state = .sent(sending)
            if let role { return .answerRole(role, entry) }
            return .signAndForward(entry)
        case (.sent(let sending), .outcome(let outcome, let reply)):
            state = .left
            return .finish(sending, outcome, reply)
        case (.requesting, .logFailed), (.recording, .logFailed): return refuse(.fault(.logUnwritable))
        case (.recording(let sending), .gone):
            state = .left
            return .withdraw(sending)
        case (.sent, .gone): return .letRun
        case (_, .gone):
            state = .left
            return .withdraw(nil)
        default: return .none
        }
    }

    private mutating func arrive(
        _ head: RequestHead, at listener: ListenerBinding, of desk: inout Desk, now: Instant, wall: Instant
    ) -> Action {
        do {
            let identification = try identify(head, at: listener, keys: &desk.keys, now: now, wall: wall)
            caller = identification.provenByHead
            userAgent = head["user-agent"]
            state = .readingBody(head, identification)
            switch try bodyPlan(head, setting: desk.recognition) {
            case .none: return .readBody(limit: 0)
            case .whole(let limit): return .readBody(limit: limit)
            }
        } catch { return refuse(error) }
    }

    /// The one way to allow: the decision, taken when the call arrives and again whenever what it waits for
    /// has changed.
    private mutating func judge(_ call: Call, _ caller: Caller, of desk: inout Desk, now: Instant) -> Action {
        self.call = call
        // The last look before anything is sent: a session may end while a body comes or a human thinks.
        guard desk.sessions.isOpen(caller.session, at: now) else {
            let closing = desk.sessions.closing(of: caller.session, at: now)
            return refuse(.sessionOver(caller.session, closing))
        }
        desk.sessions.used(caller.session, at: now)
        let key = SendKey(caller: caller, call: call)
        if let key, let earlier = desk.sends[key] { return collect(key, earlier, call, caller) }
        desk.limits.giveBack(desk.retries.taken(by: key))
        switch desk.decide(call.meaning, caller: caller, at: now) {
        case .deny(let denial): return refuse(.denied(denial, caller))
        case .ask(let question): return ask(question, call, caller, of: &desk, now: now)
        case .allow(let allowance): return release(call, allowance, caller, key, of: &desk, now: now)
        }
    }

    /// Claims what the call needs to be sent, once there is something to sign it with: a grant is not used up
    /// by a call that then cannot be signed, and the entry says with whose power it went.
    private mutating func release(
        _ call: Call, _ allowance: Allowance, _ caller: Caller, _ key: SendKey?, of desk: inout Desk,
        now: Instant
    ) -> Action {
        do { role = try RoleRequest(call.meaning, of: caller) } catch { return refuse(.roleUnlike(error)) }
        let power = role == nil ? desk.power(for: call.meaning, allowance, caller, at: now) : .unneeded
        switch power {
        case .signer, .own, .unneeded: break
        case .comes(let role):
            state = .assuming(call, caller)
            return .awaitRole(role)
        case .refused(let why): return refuse(.unscoped(why))
        case .unavailable(let why): return refuse(.fault(.unscoped(why)))
        }
        do {
            let reservation = try desk.reserve(call, allowance, caller: caller, request: request, at: now)
            let sending = Sending(reservation, key: key, call: call)
            if let key, !sending.uses.isEmpty { desk.sends.begin(key, at: now) }
            state = .recording(sending)
            return .record(reservation, power)
        } catch {
            // INVARIANT: the same step decided that there is room.
            if case .limitReached = error { return refuse(.fault(.defect)) }
            return refuse(.fault(.grantGone))
        }
    }

    private mutating func ask(
        _ question: Question, _ call: Call, _ caller: Caller, of desk: inout Desk, now: Instant
    ) -> Action {
        let key = WaitingRoom.CallKey(call.meaning, caller: caller)
        do {
            switch try desk.room.ask(question, meaning: call.meaning, caller: caller, at: now) {
            case .waits(let approval):
                if case .waitingForHumans(approval.id, _, _) = state { return .none }
                state = .waitingForHumans(approval.id, call, caller)
                return .hold(approval.id, for: holdTime(question.terms, client: userAgent))
            case .denied(let approval): return refuse(.alreadyDenied(approval.id))
            case .comes:
                state = .requesting(call, caller)
                return .awaitRequest(key)
            case .new(let superseded):
                // What another invocation used up, or was asked under other statements, asks anew; what was
                // refused, or what nobody answered, is over.
                if case .waitingForHumans(let id, _, _) = state, id != superseded,
                    desk.room[id]?.state != .approved
                {
                    return refuse(.ended(id))
                }
                state = .requesting(call, caller)
                desk.room.expect(key)
                return .request(question, call, caller, superseding: superseded)
            }
        } catch { return refuse(.notAsked(error)) }
    }

    /// An attempt of the same invocation was sent: this one is never sent, and gets that one's outcome.
    private mutating func collect(
        _ key: SendKey, _ earlier: SentBook.State, _ call: Call, _ caller: Caller
    ) -> Action {
        switch earlier {
        case .inFlight:
            state = .waitingForOutcome(key, call, caller)
            return .awaitOutcome(key)
        case .stored(let reply):
            state = .left
            return .replay(reply)
        case .unknown: return refuse(.outcomeUnknown(wasSent: false))
        }
    }

    init(request: RequestID) { self.request = request }

    private mutating func refuse(_ error: any Error) -> Action {
        switch error {
        case let error as IdentificationError: refuse(.unidentified(error))
        case let error as RecognitionError: refuse(.unrecognized(error))
        default: refuse(.fault(.defect))
        }
    }

    private mutating func refuse(_ rebuff: Rebuff) -> Action {
        state = .left
        return .refuse(rebuff)
    }
}
