import Deciding
import Recognizing
import Vocabulary

/// A call that was refused, ready to be recorded.
package struct Refusal: Hashable, Sendable {
    package let agent: AgentName
    package let at: Instant
    /// What makes another refusal the same: repeats of it within a second are counted, not written.
    let likeness: String
    let entry: Entry

    private init(_ type: EntryType, agent: AgentName, at: Instant, likeness: String, members: [JSON.Member?])
    {
        self.agent = agent
        self.at = at
        self.likeness = "\(type.rawValue) \(likeness)"
        entry = Entry(type, at: at, members)
    }

    /// A recognized call that policy or a human refused, with the error `code` that the agent got.
    ///
    /// `reasons` says for each failing pair why; none when an approval did not end well, which `approval`
    /// then names.
    package static func denied(
        at: Instant, request: RequestID, caller: Caller, meaning: Meaning, denial: Denial?, policy: Digest,
        mode: Mode = .enforce, approval: ApprovalID? = nil, code: String, peer: String
    ) -> Refusal {
        let items = denial?.items ?? []
        let pairs = items.isEmpty ? meaning.pairs : items.map(\.pair)
        let (reasons, isWhole) = listed(items.map { .string($0.reason.logged) }, byteCountMax: 8_192)
        var members: [JSON.Member?] = [
            .text("req", request.text), approval.map { .text("approval", $0.text) },
        ]
        members += callerMembers(caller)
        members += [.text("code", code, byteCountMax: 128)]
        members += meaningMembers(meaning, pairs: pairs)
        let others = pairsBeside(pairs, of: meaning)
        members.append(otherPairsMember(others, beside: pairs))
        members += keyMembers(meaning, pairs: pairs + others)
        members += [
            items.isEmpty ? nil : JSON.Member("reasons", .array(isWhole ? reasons : reasons + ["…"])),
            .digest("policy", policy), modeMember(mode), .text("peer", peer, byteCountMax: 256),
        ]
        return Refusal(
            .denied, agent: caller.agent, at: at, likeness: "\(code) \(meaning.digest)", members: members)
    }

    /// A request that could not be read, or that carries credentials we do not know: `status` and `code` are
    /// what it was answered.
    package static func rejected(
        at: Instant, request: RequestID, agent: AgentName, status: Int, code: String, message: String,
        peer: String
    ) -> Refusal {
        Refusal(
            .rejected, agent: agent, at: at, likeness: "\(status) \(code)",
            members: [
                .text("req", request.text), .text("agent", agent.text), .count("status", status),
                .text("code", code, byteCountMax: 128), .text("message", message, byteCountMax: 1_024),
                .text("peer", peer, byteCountMax: 256),
            ])
    }

    /// The entry again, for `count` more of the same.
    fileprivate func repeated(_ count: Int, at: Instant) -> Entry {
        Entry(entry.type, at: at, entry.members + [.count("count", count)])
    }
}

/// The pairs of the call but `pairs`, which are some of them in their order.
private func pairsBeside(_ pairs: [Pair], of meaning: Meaning) -> [Pair] {
    var rest = pairs[...]
    return meaning.pairs.filter { pair in
        guard let next = rest.first, next.action == pair.action, next.resource.hasBytes(of: pair.resource)
        else { return true }
        rest = rest.dropFirst()
        return false
    }
}

extension Denial.Reason {
    /// The reason as the log spells it: a statement's name, or a word.
    var logged: String {
        switch self {
        case .statement(let id): cut(id.description, toByteCount: 512)
        case .byDefault: "by default"
        case .unknownResource: "unknown resource"
        case .vendsCredentials: "vends credentials"
        case .limit(let reach): reach.description
        case .barred(let bar): bar.rawValue
        }
    }
}

/// Keeps a flood of refused calls from filling the log: a value, with the time handed in.
///
/// The first of a kind is written at once. Its repeats within the second are counted and written as one entry
/// with `count` when the second ends. What an agent may write of refusals is bounded by a bucket of bytes;
/// beyond it they are only counted, and the count is written when the bucket has room again.
package struct FloodControl: Sendable {
    /// The bounds of the flood control.
    package struct Setting: Hashable, Sendable {
        package var window = Duration.seconds(1)
        /// Bytes of refusals that each agent may write in a second, in the long run.
        package var bytesPerSecond = 1 << 20
        /// And at once.
        package var burstByteCount = 8 << 20
        /// Kinds of refusal that are told apart, for each agent at a time.
        package var kindCountMax = 1_024

        package init() {}
    }

    private struct Window {
        let start: Instant
        let sample: Refusal
        var repeatCount = 0
        var last: Instant
    }

    private struct Agent {
        var windows: [String: Window] = [:]
        /// Bytes that may be written now.
        var allowance: Int
        var filled: Instant
        var uncounted = 0
        var lastUncounted: Refusal?
    }

    private let setting: Setting
    private var agents: [AgentName: Agent] = [:]

    package init(_ setting: Setting = Setting()) { self.setting = setting }

    /// Whether anything is counted that is not yet written.
    package var isCounting: Bool {
        agents.values.contains { $0.uncounted > 0 || $0.windows.values.contains { $0.repeatCount > 0 } }
    }

    /// The entries to write now that `refusal` came.
    package mutating func offered(_ refusal: Refusal, at now: Instant) -> [Entry] {
        var agent = agents[refusal.agent] ?? Agent(allowance: setting.burstByteCount, filled: now)
        defer { agents[refusal.agent] = agent }
        if var window = agent.windows[refusal.likeness], !isOver(window, at: now) {
            window.repeatCount += 1
            window.last = now
            agent.windows[refusal.likeness] = window
            return []
        }
        var entries = ripe(&agent, at: now, all: agent.windows.count >= setting.kindCountMax)
        if pay(for: refusal.entry, &agent, at: now) {
            agent.windows[refusal.likeness] = Window(start: now, sample: refusal, last: now)
            entries.append(refusal.entry)
        } else {
            agent.uncounted += 1
            agent.lastUncounted = refusal
        }
        return entries
    }

    /// The entries to write now that it is `now`: of every window that is over.
    package mutating func due(at now: Instant) -> [Entry] { entries(at: now, all: false) }

    /// The entries of all that is still counted.
    package mutating func ended() -> [Entry] {
        var entries: [Entry] = []
        for name in agents.keys.sorted(by: { $0.text < $1.text }) {
            guard var agent = agents[name] else { continue }
            entries += windowEntries(&agent) { _ in true }
            entries += overflow(&agent)
            agents[name] = agent
        }
        return entries
    }

    private mutating func entries(at now: Instant, all: Bool) -> [Entry] {
        var entries: [Entry] = []
        for name in agents.keys.sorted(by: { $0.text < $1.text }) {
            guard var agent = agents[name] else { continue }
            entries += ripe(&agent, at: now, all: all)
            agents[name] = agent
        }
        return entries
    }

    private func ripe(_ agent: inout Agent, at now: Instant, all: Bool) -> [Entry] {
        let entries = windowEntries(&agent) { all || isOver($0, at: now) }
        // Counts are written even when the bucket is empty: one entry a kind and second at most. They are
        // paid for all the same.
        for entry in entries { _ = pay(for: entry, &agent, at: now, mayOwe: true) }
        guard let sample = agent.lastUncounted, pay(for: sample.entry, &agent, at: now) else {
            return entries
        }
        return entries + overflow(&agent)
    }

    private func windowEntries(_ agent: inout Agent, where isDue: (Window) -> Bool) -> [Entry] {
        let due = agent.windows.filter { isDue($0.value) }.sorted { $0.value.start < $1.value.start }
        for (likeness, _) in due { agent.windows[likeness] = nil }
        return due.compactMap { _, window in
            window.repeatCount == 0 ? nil : window.sample.repeated(window.repeatCount, at: window.last)
        }
    }

    /// One entry for all that found the bucket empty.
    private func overflow(_ agent: inout Agent) -> [Entry] {
        guard let sample = agent.lastUncounted else { return [] }
        let entry = Entry(
            sample.entry.type, at: sample.at,
            [
                .text("agent", sample.agent.text), .text("code", "OverBudget"),
                .count("count", agent.uncounted),
            ])
        agent.uncounted = 0
        agent.lastUncounted = nil
        return [entry]
    }

    private func isOver(_ window: Window, at now: Instant) -> Bool {
        let age = now.since(window.start)
        // A clock that steps back ends the window too.
        return age >= setting.window || age < .zero
    }

    /// Takes the entry's bytes from the agent's bucket; whether there was room.
    private func pay(for entry: Entry, _ agent: inout Agent, at now: Instant, mayOwe: Bool = false) -> Bool {
        let elapsed = max(0, now.since(agent.filled).wholeNanoseconds)
        agent.filled = now
        let (product, isLong) = elapsed.multipliedReportingOverflow(by: Int64(setting.bytesPerSecond))
        let earned = isLong ? setting.burstByteCount : Int(product / 1_000_000_000)
        agent.allowance = min(
            setting.burstByteCount, agent.allowance + min(earned, 2 * setting.burstByteCount))
        let price = LogLine.headByteCountMax + LogLine.body(of: entry).count + 1
        guard mayOwe || agent.allowance >= price else { return false }
        agent.allowance = max(-setting.burstByteCount, agent.allowance - price)
        return true
    }
}
