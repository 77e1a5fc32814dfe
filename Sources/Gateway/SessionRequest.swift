import Vocabulary

/// What a run asks for. Strict: an unknown member may have been meant to narrow something.
struct SessionRequest: Hashable {
    let agent: AgentName?
    let task: String?
    let reason: String?
    let seconds: Int
    let account: String?
    let approval: ApprovalID?

    /// Keys live at least so long, lest a client renew them all the time.
    static let secondsMin = 60

    init(_ body: JSON, lifetimeMax: Duration) throws(ConfigurationError) {
        let known = ["agent", "task", "reason", "seconds", "account", "resume"]
        guard let members = body.members else { throw ConfigurationError("the body is no JSON object") }
        for member in members where !known.contains(member.name) {
            throw ConfigurationError("`\(shown(member.name))` is not known; \(list(known, last: "and")) are")
        }
        func text(_ name: String, upTo most: Int) throws(ConfigurationError) -> String? {
            guard let value = body[name], value != .null else { return nil }
            guard let text = value.string, (1...most).contains(text.count) else {
                throw ConfigurationError("`\(name)` must be a text of 1 to \(most) characters")
            }
            return text
        }
        agent = try text("agent", upTo: 64).map { name throws(ConfigurationError) in
            try agentName(name, key: "agent")
        }
        task = try text("task", upTo: ClaimedText.lengthMax)
        reason = try text("reason", upTo: ClaimedText.lengthMax)
        account = try text("account", upTo: 12)
        if let account, account.utf8.count != 12 || !account.utf8.allSatisfy(\.isDigit) {
            throw ConfigurationError("`account` must be 12 digits")
        }
        if let name = try text("resume", upTo: 64) {
            guard let id = try? ApprovalID(parsing: name) else {
                throw ConfigurationError("`\(shown(name))` is no approval: apr-…")
            }
            approval = id
        } else {
            approval = nil
        }
        let most = Int(lifetimeMax.components.seconds)
        switch body["seconds"] {
        case nil, .null: seconds = most
        case let value:
            guard let count = value?.integer, (Int64(Self.secondsMin)...Int64(most)).contains(count) else {
                throw ConfigurationError(
                    "`seconds` must be a whole number from \(Self.secondsMin) to \(most)")
            }
            seconds = Int(count)
        }
    }
}
