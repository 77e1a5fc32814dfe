import Deciding
import Recognizing
import Vocabulary

/// What one entry of the log is to somebody who judges its calls again.
package enum ReplayedEntry: Sendable {
    /// `count` calls, all alike.
    case calls(RecordedCall, count: Int)
    /// So many calls of `agent`, of which nothing else was written: the flood control counted them.
    case uncounted(Int, agent: AgentName?)
    /// No call, or one that another entry stands for.
    case none

    /// What `entry` is; `host` is that of the gate that wrote it, as its last `start` entry says.
    ///
    /// An approval is one call, however often the agent came back for its answer: what else names it is no
    /// call of its own, but for the second and further uses of its grant.
    ///
    /// - Throws: ``MemberError`` for an entry that does not hold what its type must.
    package init(_ entry: StoredEntry, host: String? = nil) throws(MemberError) {
        let json = entry.json
        switch entry.type {
        case .request:
            let first = json["uses"]?.array?.first
            self =
                first.map { $0["use"] == 1 } ?? false
                ? .none : .calls(try RecordedCall(json, of: entry, requester: json, host: host), count: 1)
        case .approval:
            guard let what = json["what"], let requester = json["requester"] else {
                throw MemberError(member: json["what"] == nil ? "what" : "requester")
            }
            self = .calls(try RecordedCall(what, of: entry, requester: requester, host: host), count: 1)
        case .denied:
            let count = json["count"].map { $0.integer.flatMap { Int(exactly: $0) } ?? 0 } ?? 1
            guard count > 0 else { throw MemberError(member: "count") }
            // Told that its approval is over, or that an earlier attempt may have run.
            let isAnswer =
                json["reasons"] == nil && json["code"] != "ApprovalRequired"
            if json["approval"] != nil {
                self = .none
            } else if json["code"] == "OverBudget" {
                self = .uncounted(count, agent: json["agent"]?.string.flatMap { try? AgentName(parsing: $0) })
            } else if isAnswer {
                self = .none
            } else {
                self = .calls(try RecordedCall(json, of: entry, requester: json, host: host), count: count)
            }
        case .start, .policy, .session, .approvalEnd, .review, .grant, .grantEnd, .ownCall, .outcome,
            .rejected,
            .fault, .gap, .stop:
            self = .none
        }
    }
}

/// A member of an entry that is missing or is not what it must be.
package struct MemberError: Error, Sendable, Hashable, CustomStringConvertible {
    package let member: String

    package var description: String { "`\(shown(member))` is not what such an entry has there" }
}

extension RecordedCall {
    /// The call of which `json`, the entry or a part of it, holds the meaning and `requester` the caller.
    fileprivate init(
        _ json: JSON, of entry: StoredEntry, requester: JSON, host: String?
    ) throws(MemberError) {
        let (caller, isTaskCut) = try readCaller(requester)
        var gaps = Gaps()
        gaps.isTaskCut = isTaskCut
        // Entries of earlier versions have none: then nobody knows which keys there were.
        let hasKeys = json["keys"] != nil
        gaps.areKeysCut = !hasKeys || json["keys_cut"] != nil
        let (pairs, missing) = try readPairs(json, of: entry.type, hasKeys: hasKeys)
        gaps.missingPairCount = missing
        let keys = try readKeys(json, userAgent: entry.type == .request ? entry["user_agent"] : nil)
        var each: [(RecordedKeys, Set<String>)] = []
        for one in json["pair_keys"]?.array ?? [] { each.append(try readKeys(one)) }
        self.init(
            caller: caller, at: entry.at, service: try text("service", json),
            operation: try text("operation", json), account: try text("account", json),
            region: try text("region", json),
            wireProtocol: json["protocol"]?.string.flatMap { name in
                WireProtocol.allCases.first { $0.description.utf8.elementsEqual(name.utf8) }
            },
            pairs: pairs.enumerated().map { index, pair in
                let own = index < each.count ? each[index] : (RecordedKeys(), [])
                return JudgedPair(
                    pair: pair, keys: keys.0.with(own.0), unrecorded: keys.1.union(own.1))
            },
            itemCount: count("items", json) ?? 1, bodyByteCount: count("bytes", json) ?? 0,
            vendsCredentials: json["vends_credentials"] == true,
            bar: json["reasons"]?.array?.first?.string.flatMap(SendingBar.init(rawValue:)),
            digest: try callDigest(json), gaps: gaps, host: host)
    }
}

// MARK: - Members

private func text(_ name: String, _ json: JSON) throws(MemberError) -> String {
    guard let text = json[name]?.string else { throw MemberError(member: name) }
    return text
}

private func count(_ name: String, _ json: JSON) -> Int? {
    json[name]?.integer.flatMap { Int(exactly: $0) }
}

private func callDigest(_ json: JSON) throws(MemberError) -> Digest {
    guard let digest = json["digest"]?.string.flatMap(Digest.init(parsing:)) else {
        throw MemberError(member: "digest")
    }
    return digest
}

/// The caller, and whether the task is cut.
private func readCaller(_ json: JSON) throws(MemberError) -> (Caller, Bool) {
    guard let agent = json["agent"]?.string.flatMap({ try? AgentName(parsing: $0) }) else {
        throw MemberError(member: "agent")
    }
    guard let session = json["session"]?.string.flatMap({ try? SessionID(parsing: $0) }) else {
        throw MemberError(member: "session")
    }
    guard let strength = json["strength"]?.string.flatMap(IdentityStrength.init(rawValue:)) else {
        throw MemberError(member: "strength")
    }
    let task = json["task"]?["text"]?.string
    let caller = Caller(
        agent: agent, session: session, strength: strength,
        task: task.map { ClaimedText($0, source: .sessionToken) }, reason: nil, scope: nil)
    return (caller, task.map { isCut($0, byteCountMax: JSON.Member.textByteCountMax) } ?? false)
}

/// Whether `text` may be the beginning of a longer one, as ``cut(_:toByteCount:)`` makes it.
private func isCut(_ text: String, byteCountMax: Int) -> Bool {
    text.utf8.count > byteCountMax - 4 && text.utf8.reversed().starts(with: "…".utf8.reversed())
}

/// The pairs that the entry holds, and how many it does not; nil: nobody knows how many.
private func readPairs(
    _ json: JSON, of type: EntryType, hasKeys: Bool
) throws(MemberError) -> ([Pair], missing: Int?) {
    guard let listed = json["pairs"]?.array else { throw MemberError(member: "pairs") }
    if json["pair_count"] == 0 { return ([], 0) }
    var (pairs, missing): ([Pair], Int?) = ([], 0)
    for element in listed + (json["other_pairs"]?.array ?? []) {
        // What was cut, or written without telling which runs are unknown, is no pair that can be judged.
        if let pair = try Pair(recorded: element, hasParts: hasKeys) {
            pairs.append(pair)
        } else {
            missing? += 1
        }
    }
    if let count = count("pair_count", json) { missing? += max(0, count - listed.count) }
    missing? += count("other_pair_count", json) ?? 0
    // A denied entry of an earlier version has only the pairs that failed.
    return (pairs, hasKeys || type != .denied ? missing : nil)
}

extension Pair {
    /// The pair that ``logged`` wrote; nil where its resource is not told whole.
    fileprivate init?(recorded json: JSON, hasParts: Bool) throws(MemberError) {
        let halves = try text("action", json).split(separator: ":", maxSplits: 1)
        let (levelName, rating) = (try text("level", json), try text("sensitivity", json))
        guard halves.count == 2 else { throw MemberError(member: "action") }
        guard let level = AccessLevel.allCases.first(where: { $0.description == levelName }) else {
            throw MemberError(member: "level")
        }
        guard let sensitivity = Sensitivity.allCases.last(where: { $0.description == rating }) else {
            throw MemberError(member: "sensitivity")
        }
        let named = try text("resource", json)
        guard let resource = Resource(named, recorded: json) else { throw MemberError(member: "parts") }
        let isTold = json["resource_bytes"] == nil && (hasParts || !named.contains("<unknown>"))
        guard isTold else { return nil }
        self.init(
            action: Action(prefix: String(halves[0]), name: String(halves[1])), resource: resource,
            level: level, sensitivity: sensitivity)
    }
}

/// The keys that `json` holds, and the names of those whose value was not recorded.
///
/// `userAgent` is what the entry says elsewhere of what the client calls itself.
private func readKeys(
    _ json: JSON, userAgent: JSON? = nil
) throws(MemberError) -> (RecordedKeys, Set<String>) {
    var (keys, unrecorded): ([RecordedKeys.Key], Set<String>) = ([], [])
    for member in json["keys"]?.members ?? [] {
        var values: [String]?
        switch member.value {
        case .null: unrecorded.insert(member.name)
        case .string(let text): values = [text]
        case .array: values = try texts(member.name, json["keys"] ?? .null)
        case .bool, .number, .object: throw MemberError(member: member.name)
        }
        keys.append(RecordedKeys.Key(name: member.name, values: values))
    }
    if let text = userAgent?.string {
        let name = "aws:useragent"
        if isCut(text, byteCountMax: userAgentByteCountMax) { unrecorded.insert(name) }
        keys.append(RecordedKeys.Key(name: name, values: [text]))
    }
    let recorded = RecordedKeys(
        keys: keys, absent: try texts("absent_keys", json), families: try texts("families", json))
    return (recorded, unrecorded)
}

/// The list of texts `name`; empty when there is none.
private func texts(_ name: String, _ json: JSON) throws(MemberError) -> [String] {
    guard let value = json[name] else { return [] }
    let texts = value.array?.compactMap(\.string)
    guard let texts, texts.count == value.array?.count else { throw MemberError(member: name) }
    return texts
}

extension RecordedKeys {
    /// These and `others`.
    fileprivate func with(_ others: RecordedKeys) -> RecordedKeys {
        others.isEmpty
            ? self
            : RecordedKeys(
                keys: keys + others.keys, absent: absent + others.absent, families: families + others.families
            )
    }
}
