import Recognizing
import Vocabulary

/// A least-privilege policy drafted from recorded calls: takes them in one by one, and writes YAML for a
/// human to read, complete and load. It never takes effect by itself.
///
/// Reads become `Allow`, whatever changes something or asked `AllowWithApproval`. Reads of data stay exact,
/// or, where they are too many, a comment. What hands out credentials, what was refused, and what no
/// statement can name are told in comments and not drafted.
package struct PolicyDraft: Sendable {
    /// How a pair was let through.
    enum Mode: Int, Hashable {
        case read
        case dataRead
        case ask
        /// Only told: a human writes that statement.
        case credentialRead
    }

    /// Calls counted together, and when the first and the last of them came.
    package struct Sum: Hashable, Sendable {
        package fileprivate(set) var count = 0
        package fileprivate(set) var first = Instant(nanosecondsSinceEpoch: .max)
        package fileprivate(set) var last = Instant(nanosecondsSinceEpoch: 0)

        fileprivate mutating func add(_ count: Int, at: Instant) {
            self.count += count
            (first, last) = (min(first, at), max(last, at))
        }

        mutating func add(_ other: Sum) {
            count += other.count
            (first, last) = (min(first, other.first), max(last, other.last))
        }

        /// `1204 calls, 2026-11-18T09:12Z to 2026-11-24T17:05Z`.
        package var told: String {
            let (from, to) = (first.description.prefix(16), last.description.prefix(16))
            let many = count == 1 ? "1 call" : "\(count) calls"
            return "\(many), \(from)Z" + (from == to ? "" : " to \(to)Z")
        }
    }

    struct Use: Hashable {
        let mode: Mode
        let action: Action
    }

    struct Learned {
        var shapes = ResourceShapes()
        var sum = Sum()
    }

    struct Untaught: Hashable {
        let why: String
        let action: String
        let resource: String
    }

    /// The most data resources that one action may read and still have them all named.
    static let dataCountMax = 20
    /// The most rows of what was not learned.
    private static let untaughtCountMax = 200

    let agents: String
    private let actions: ActionNames
    private(set) var learned: [Use: Learned] = [:]
    private(set) var untaught: [Untaught: Sum] = [:]
    /// Calls of rows beyond those that are told.
    private(set) var untoldUntaughtCount = 0
    private(set) var all = Sum()

    /// Whether no call was taken in.
    package var isEmpty: Bool { all.count == 0 && untaught.isEmpty }

    /// No call yet. `agents` is the pattern of agents to draft for; `actions` says which IAM actions exist.
    package init(agents: String, actions: ActionNames) { (self.agents, self.actions) = (agents, actions) }

    /// Takes in `call`, of which `count` alike were let through; `asked` when a human let them.
    package mutating func learn(_ call: RecordedCall, count: Int, asked: Bool) {
        all.add(count, at: call.at)
        for one in call.pairs {
            let pair = one.pair
            guard !isIdentity(pair.action) else { continue }
            if let why = notTaught(call, pair) {
                refuse(why, pair, count: count, at: call.at)
                continue
            }
            let use = Use(mode: mode(of: pair, asked: asked), action: pair.action)
            learned[use, default: Learned()].shapes.add(pattern(of: pair.resource) ?? "*")
            learned[use]?.sum.add(count, at: call.at)
        }
        if call.gaps.missingPairCount != 0 {
            let action = Action(prefix: call.service, name: call.operation)
            let pair = Pair(action: action, resource: .unknown, level: .unknown, sensitivity: .unrated)
            refuse("some of its pairs are not recorded", pair, count: count, at: call.at)
        }
    }

    /// Takes in `call`, of which `count` alike were not let through: they are only told, with `why`.
    package mutating func refuse(_ call: RecordedCall, count: Int, why: String) {
        for one in call.pairs { refuse(why, one.pair, count: count, at: call.at) }
    }

    private mutating func refuse(_ why: String, _ pair: Pair, count: Int, at: Instant) {
        let row = Untaught(
            why: why, action: pair.action.description, resource: pair.resource.description)
        if untaught[row] == nil, untaught.count >= Self.untaughtCountMax {
            untoldUntaughtCount += count
        } else {
            untaught[row, default: Sum()].add(count, at: at)
        }
    }

    private func isIdentity(_ action: Action) -> Bool {
        action == Action(prefix: "sts", name: "GetCallerIdentity")
    }

    private func mode(of pair: Pair, asked: Bool) -> Mode {
        if pair.level.mutates || asked { return .ask }
        switch pair.sensitivity {
        case .metadata: return .read
        case .data, .unrated: return .dataRead
        case .credential: return .credentialRead
        }
    }

    /// Why no statement is drafted of a pair; nil when one is.
    private func notTaught(_ call: RecordedCall, _ pair: Pair) -> String? {
        if call.vendsCredentials { return "the reply holds credentials" }
        if !actions.contains(pair.action.prefix, pair.action.name) { return "not an action of IAM" }
        if pattern(of: pair.resource) == nil { return "the call does not name the resource" }
        return nil
    }
}

/// `resource` as a policy writes it: what is not known as a wildcard, what is as itself. Nil when nobody can
/// say which account's it is, or that it is an ARN at all.
private func pattern(of resource: Resource) -> String? {
    if let text = resource.text, text.utf8.elementsEqual("*".utf8) { return text }
    var (pattern, colonCount) = ("", 0)
    let parts = resource.presumed.map { [Resource.Part.known($0)] } ?? resource.parts
    for part in parts {
        switch part {
        case .known(let text):
            for scalar in text.unicodeScalars {
                if scalar == ":" { colonCount += 1 }
                let isSign = scalar == "*" || scalar == "?" || scalar == "$"
                pattern += isSign ? "${\(scalar)}" : String(scalar)
            }
        case .unknown, .unknownCharacters:
            guard colonCount >= 5 else { return nil }
            if case .unknownCharacters(let count) = part {
                pattern += String(repeating: "?", count: count)
            } else {
                pattern += "*"
            }
        }
    }
    return pattern.utf8.starts(with: "arn:".utf8) && colonCount >= 5 ? pattern : nil
}
