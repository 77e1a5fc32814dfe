import Recognizing
import Vocabulary

/// The answer to one line of `debug decide --jsonl`, without a line break: what a policy set says of calls
/// that were never made.
///
/// In: `{"files":{NAME:TEXT},"calls":[{"agent","pairs":[{"action","resource"}],"keys","vends"}]}`. A resource
/// is a list of texts, `null` for an unknown run and a number for so many unknown letters or digits;
/// `presumed` beside it is the text it is presumed to be. `keys` holds a list of texts for each key; what it
/// does not hold, or `null`, is unknown. Out: `{"says":[[VERDICT,[STATEMENT,…]],…]}`, one for each call, or
/// `{"errors":[…]}` where the set does not load or the line is none. No call comes of it: only recognizing
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
        agent: try AgentName(parsing: agent), session: SessionID(random: 1), strength: .listener, task: nil,
        reason: nil, scope: nil)
    let meaning = Meaning.supposed(
        try pairs.map(supposedPair), keys: try supposedKeys(keys), vends: call["vends"]?.bool ?? false)
    let decision = decide(
        meaning, caller: caller, under: set, grants: GrantBook(), at: Instant(secondsSinceEpoch: 0))
    let word = decision.word.utf8.prefix { $0 != 0x20 }
    return [.string(String(word) ?? ""), .strings(decision.statements.map(\.description))]
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
    return Pair(action: action, resource: resource, level: .write, sensitivity: .metadata)
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
