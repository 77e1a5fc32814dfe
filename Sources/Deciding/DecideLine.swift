import Recognizing
import Vocabulary

/// The answer to one line of `debug decide --jsonl`, without a line break: what a policy set says of calls
/// that were never made.
///
/// In: `{"files":{NAME:TEXT},"calls":[{"agent","pairs":[{"action","resource"}],"keys"}]}`. A resource is a
/// list of texts, `null` for an unknown run and a number for so many unknown letters or digits; `presumed`
/// beside it is the text it is presumed to be, `level` and `sensitivity` are the action's (else unknown).
/// `keys` holds a list of texts for each key; what it does not hold, or `null`, is unknown. A call may have a
/// `task`, a moment `at`, `vends` (its reply holds credentials) and a `bar`. Out:
/// `{"says":[[VERDICT,[STATEMENT,…]],…]}`, one for each call, with the terms behind the statements of an ask,
/// or `{"errors":[…]}` where the set does not load or the line is none. No call comes of it: only recognizing
/// makes one.
package func decideLine(_ line: [UInt8], actions: ActionNames) -> [UInt8] {
    let answer: JSON
    do {
        answer = try decided(try JSON(parsing: line), actions: actions)
    } catch let error as PolicyError {
        answer = ["errors": .strings(error.issues.map(\.description))]
    } catch {
        answer = ["errors": [.string("\(error)")]]
    }
    return answer.line
}

/// Why a line is none that ``decideLine(_:actions:)`` reads.
private struct SupposedCallError: Error, CustomStringConvertible {
    let description: String
}

private func decided(_ line: JSON, actions: ActionNames) throws -> JSON {
    guard let files = line["files"]?.members, let calls = line["calls"]?.array else {
        throw SupposedCallError(description: "a line has `files` and `calls`")
    }
    let set = try PolicySet.load(
        files: try files.map { file in
            guard let text = file.value.string else { throw SupposedCallError(description: "a file is text") }
            return PolicyFile(name: file.name, bytes: Array(text.utf8))
        }, actions: actions)
    return ["says": .array(try calls.map { try said(by: set, of: $0) })]
}

private func said(by set: PolicySet, of call: JSON) throws -> JSON {
    guard let agent = call["agent"]?.string, let pairs = call["pairs"]?.array,
        let keys = call["keys"]?.members
    else { throw SupposedCallError(description: "a call has `agent`, `pairs` and `keys`") }
    let caller = Caller(
        agent: try AgentName(parsing: agent), session: SessionID(random: 1), strength: .listener,
        task: call["task"]?.string.map { ClaimedText($0, source: .sessionToken) }, reason: nil, scope: nil)
    let meaning = Meaning.supposed(
        try pairs.map(supposedPair), keys: try supposedKeys(keys), vends: call["vends"]?.bool ?? false,
        bar: call["bar"]?.string.flatMap(SendingBar.init))
    let decision = decide(
        meaning, caller: caller, under: set, grants: GrantBook(), at: try moment(call["at"]?.string))
    let word = decision.word.utf8.prefix { $0 != 0x20 }
    let says: [JSON] = [.string(String(word) ?? ""), .strings(decision.statements.map(\.description))]
    guard case .ask(let question) = decision else { return .array(says) }
    return .array(says + [question.terms.line])
}

private func moment(_ text: String?) throws -> Instant {
    guard let text else { return Instant(secondsSinceEpoch: 0) }
    guard let measure = Measure(date: text), let nanoseconds = Int64(exactly: measure.billionths) else {
        throw SupposedCallError(description: "`at` is a moment as a Date operator has it")
    }
    return Instant(nanosecondsSinceEpoch: nanoseconds)
}

private func supposedPair(_ pair: JSON) throws -> Pair {
    let halves = (pair["action"]?.string ?? "").utf8.split(separator: 0x3A, maxSplits: 1)
    guard halves.count == 2, let parts = pair["resource"]?.array else {
        throw SupposedCallError(description: "a pair has an `action` and a `resource`")
    }
    let resource = Resource(
        try parts.map { part in
            switch part {
            case .string(let text): .known(text)
            case .null: .unknown
            default:
                if let count = part.integer {
                    .unknownCharacters(count: Int(count))
                } else {
                    throw SupposedCallError(description: "a part of a resource is text, `null` or a number")
                }
            }
        }, presumed: pair["presumed"]?.string)
    let action = Action(prefix: String(halves[0]) ?? "", name: String(halves[1]) ?? "")
    let (level, sensitivity) = (pair["level"]?.string, pair["sensitivity"]?.string)
    return Pair(
        action: action, resource: resource,
        level: AccessLevel.allCases.first { level?.hasBytes(of: $0.description) ?? false } ?? .unknown,
        sensitivity: [.metadata, .data, .credential].first {
            sensitivity?.hasBytes(of: $0.description) ?? false
        } ?? .unrated)
}

private func supposedKeys(_ members: [JSON.Member]) throws -> ConditionKeys {
    var keys = ConditionKeys()
    for member in members {
        switch member.value {
        case .null: keys[member.name] = .unknown
        case .array(let values):
            let texts = values.compactMap(\.string)
            keys[member.name] = texts.isEmpty ? .absent : .filled(texts)
        default: throw SupposedCallError(description: "a key has a list of texts or `null`")
        }
    }
    return keys
}

extension ApprovalTerms {
    /// Durations in seconds.
    fileprivate var line: JSON {
        func seconds(_ duration: Duration?) -> JSON {
            duration.map { .integer($0.wholeNanoseconds / 1_000_000_000) } ?? .null
        }
        let quorums = quorums.map { quorum -> JSON in
            [
                "anyOne": .bool(quorum.anyOne),
                "needs": .array(quorum.needs.map { [.string($0.name), .integer($0.count)] }),
            ]
        }
        var held: JSON = .null
        if case .fixed(let duration) = hold { held = seconds(duration) }
        return [
            "quorums": .array(quorums),
            "scope": .string(scope.rawValue), "grantTTL": seconds(grantTTL), "maxUses": .integer(maxUses),
            "pendingTTL": seconds(pendingTTL), "firstUseWithin": seconds(firstUseWithin), "hold": held,
            "confirm": .bool(confirmsTyped), "agentReason": .bool(needsAgentReason),
            "reviewReason": .bool(needsReviewReason),
        ]
    }
}
