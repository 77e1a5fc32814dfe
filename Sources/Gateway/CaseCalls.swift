import Deciding
import Glibc
import Recognizing
import Synchronization
import Vocabulary

/// What became of those of `cases` whose call must be made, by their places: each is made at a dry run of its
/// own, as many at a time as there are processors.
///
/// `folder` holds the files that cases name. Each client may take `limit`.
///
/// - Throws: ``ConfigurationError`` for a signal meanwhile; every client is ended by then.
func madeCalls(
    of cases: [PolicyCase], in folder: String, under policy: PolicySet, limit: Duration
) throws -> [Int: PolicyTest.Made] {
    let places = cases.indices.filter { cases[$0].supposed == nil }
    guard !places.isEmpty else { return [:] }
    let making = CaseMaking(cases, places, in: folder, under: policy, limit: limit)
    return try untilSignal { stop in
        let threadCount = min(places.count, max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))), 8)
        let gate = Gate()
        var startedCount = 0
        for _ in 0..<threadCount {
            let isStarted = runDetached {
                making.work(until: stop)
                gate.open()
            }
            if isStarted { startedCount += 1 }
        }
        // One is here in any case.
        if startedCount == 0 { making.work(until: stop) }
        for _ in 0..<startedCount { gate.wait() }
        guard !stop.isSet else { throw ConfigurationError("interrupted; the clients were ended") }
        return making.found
    }
}

/// The cases that threads take one after the other.
private final class CaseMaking: Sendable {
    private let cases: [PolicyCase]
    private let places: [Int]
    private let folder: String
    private let policy: PolicySet
    private let limit: Duration
    private let next = Atomic(0)
    private let made = Mutex<[Int: PolicyTest.Made]>([:])

    init(
        _ cases: [PolicyCase], _ places: [Int], in folder: String, under policy: PolicySet, limit: Duration
    ) {
        (self.cases, self.places, self.folder) = (cases, places, folder)
        (self.policy, self.limit) = (policy, limit)
    }

    var found: [Int: PolicyTest.Made] { made.withLock { $0 } }

    func work(until stop: StopFlag) {
        while !stop.isSet {
            let number = next.add(1, ordering: .relaxed).oldValue
            guard number < places.count else { return }
            let place = places[number]
            let one = make(cases[place], stop: stop)
            made.withLock { $0[place] = one }
        }
    }

    private func make(_ one: PolicyCase, stop: StopFlag) -> PolicyTest.Made {
        do {
            switch one.subject {
            // INVARIANT: only the places of cases whose call must be made are worked on.
            case .supposed: preconditionFailure()
            case .run(let words, let place):
                let run = dryRun(one, place)
                let end = try DryStand.open(run) { stand in
                    try runClient(
                        words, address: stand.address, agent: one.agent, region: place.region,
                        task: one.task, input: .nothing, limit: limit, stop: stop,
                        isEnough: { run.isFull })
                }
                return outcome(of: one, run, end)
            case .request(let file, let place):
                let bytes = try readFile("\(folder)/\(file)", limit: rawRequestByteCountMax, isGuarded: false)
                let run = dryRun(one, place)
                try DryStand.open(run) { try $0.send(bytes) }
                return outcome(of: one, run, nil)
            }
        } catch { return .failed("\(error)") }
    }

    private func dryRun(_ one: PolicyCase, _ place: PolicyCase.Subject.Place) -> DryRun {
        let recognition = RecognitionSetting(account: place.account, region: place.region)
        return DryRun(
            agent: one.agent, strength: one.strength, task: one.task,
            desk: Desk(policy: policy, recognition: recognition), now: one.at)
    }

    private func outcome(of one: PolicyCase, _ run: DryRun, _ end: ClientEnd?) -> PolicyTest.Made {
        var decisions: [Decision] = []
        for (call, _) in run.calls {
            switch call {
            case .recognized(let meaning, let caller, _):
                decisions.append(
                    decide(
                        meaning, caller: caller, under: policy, grants: GrantBook(),
                        limits: one.book(of: caller, under: policy), host: one.host, at: one.at))
            case .refused(let refusal):
                return .failed("\(refusal.request): \(refusal.status) \(refusal.code): \(refusal.message)")
            }
        }
        switch end?.how {
        case .timedOut(let limit): return .failed("its client still ran after \(minutes(limit))")
        case .tooManyCalls: return .failed("its client makes more than \(DryRun.callCountMax) calls")
        case .interrupted: return .failed("interrupted")
        case .exited, .signal, nil: break
        }
        guard decisions.isEmpty else { return .decided(decisions) }
        guard let end else { return .failed("the file holds no whole request") }
        let last = String(decoding: end.output, as: UTF8.self).split(whereSeparator: \.isNewline).last
        return .failed("its client made no call" + (last.map { ": \(brief(String($0)))" } ?? ""))
    }
}
