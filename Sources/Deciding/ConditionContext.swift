import Recognizing
import Vocabulary

/// What the condition keys of one pair are worth: the request's own, and those that Deciding computes.
///
/// A class, so that all statements that are tried look at one; a decision takes it from pair to pair.
final class ConditionContext {
    /// The keys of our own. A policy may use no other that begins with `countersign:`.
    enum OwnKey: String, CaseIterable {
        case agent = "countersign:Agent"
        case session = "countersign:Session"
        case strength = "countersign:Strength"
        case task = "countersign:Task"
        case host = "countersign:Host"
        case accessLevel = "countersign:AccessLevel"
        case mutates = "countersign:Mutates"
        case sensitivity = "countersign:Sensitivity"
        case wireProtocol = "countersign:Protocol"
        case itemCount = "countersign:ItemCount"
        case bodyBytes = "countersign:BodyBytes"
        case hourUTC = "countersign:HourUTC"

        private static let byName = Dictionary(
            uniqueKeysWithValues: allCases.map { (ExactText($0.rawValue.asciiLowercased), $0) })

        /// The key named `text` in any case.
        init?(named text: String) {
            guard let key = Self.byName[ExactText(text.asciiLowercased)] else { return nil }
            self = key
        }

        /// All values that the key can have; nil when they are not few.
        var values: [String]? {
            switch self {
            case .strength: IdentityStrength.allCases.map(\.rawValue)
            case .accessLevel: AccessLevel.allCases.filter { $0 != .unknown }.map(\.description)
            case .mutates: ["true", "false"]
            case .sensitivity: [Sensitivity.metadata, .data, .credential].map(\.description)
            case .wireProtocol: WireProtocol.allCases.map(\.description)
            case .agent, .session, .task, .host, .itemCount, .bodyBytes, .hourUTC: nil
            }
        }
    }

    let meaning: Meaning
    let caller: Caller
    let at: Instant
    var pair: Pair
    /// The name of the host that the gate runs on; nil where it is not known.
    let host: String?
    /// The agent's name as patterns compare it: once for all statements.
    let agent: [UInt32]

    init(meaning: Meaning, caller: Caller, at: Instant, pair: Pair, host: String? = nil) {
        self.meaning = meaning
        self.caller = caller
        self.at = at
        self.pair = pair
        self.host = host
        agent = caller.agent.text.unicodeScalars.map(\.value)
    }

    /// What is known of `key`.
    func value(of key: Condition.Key) -> ConditionKeys.Value {
        switch key {
        case .own(let key): return own(key)
        case .request(let name):
            let value = meaning.keys.value(of: name, for: pair)
            return value == .unknown ? general(name) ?? .unknown : value
        }
    }

    /// Whether the value of `key` depends on the pair's resource, and not on its action and the call alone.
    func isOfResource(_ key: Condition.Key) -> Bool {
        switch key {
        case .own: return false
        case .request(let name):
            return name.utf8.elementsEqual("aws:resourceaccount".utf8) || meaning.keys.isOfResource(name)
        }
    }

    /// Keys that hold for every call, of which recognizing need not speak; nil for any other.
    private func general(_ name: String) -> ConditionKeys.Value? {
        switch name {
        case "aws:requestedregion": meaning.region.isEmpty ? nil : .filled([meaning.region])
        // The gateway's clock is what a time limit goes by; AWS goes by its own.
        case "aws:currenttime": .filled([at.description])
        case "aws:epochtime": .filled([String(at.nanosecondsSinceEpoch / 1_000_000_000)])
        case "aws:resourceaccount": accountOfResource.map { .filled([$0]) }
        default: nil
        }
    }

    /// The account in the pair's ARN; nil where the ARN has none or it is not known.
    private var accountOfResource: String? {
        guard case .known(let text)? = pair.resource.parts.first, text.utf8.starts(with: "arn:".utf8) else {
            return nil
        }
        var (colonCount, account) = (0, [UInt8]())
        for part in pair.resource.parts where colonCount < 5 {
            // What is unknown in the first five parts holds no colon.
            guard case .known(let text) = part else {
                if colonCount == 4 { return nil }
                continue
            }
            for byte in text.utf8 where colonCount < 5 {
                if byte == 0x3A { colonCount += 1 } else if colonCount == 4 { account.append(byte) }
            }
        }
        guard colonCount == 5, account.count == 12, account.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return String(decoding: account, as: UTF8.self)
    }

    private func own(_ key: OwnKey) -> ConditionKeys.Value {
        switch key {
        case .agent: .filled([caller.agent.text])
        case .session: .filled([caller.session.text])
        case .strength: .filled([caller.strength.rawValue])
        case .task: caller.task.map { .filled([$0.text]) } ?? .absent
        case .host: host.map { .filled([$0]) } ?? .unknown
        case .accessLevel: pair.level == .unknown ? .unknown : .filled([pair.level.description])
        case .mutates: .filled([pair.level.mutates ? "true" : "false"])
        case .sensitivity: .filled([pair.sensitivity.description])
        case .wireProtocol: .filled([meaning.wireProtocol.description])
        case .itemCount: .filled([String(meaning.itemCount)])
        case .bodyBytes: .filled([String(meaning.bodyByteCount)])
        case .hourUTC: .filled([String(at.hourUTC)])
        }
    }
}
