import Deciding
import Vocabulary

/// What AWS is told of who calls: in CloudTrail, and to policies that ask for tags.
///
/// - SeeAlso: AWS STS API Reference, "AssumeRole": `RoleSessionName`, `SourceIdentity`, `Tags`; IAM User
///   Guide, "Pass session tags in AWS STS".
extension AssumeRole {
    /// Characters of a session name or source identity.
    static let nameCountMax = 64
    /// Characters of a tag's value.
    static let tagValueCountMax = 256

    /// Credentials of `role` for `key`'s calls, cut down to `policy`; without `isWhole` only the tags that
    /// policies are likely to ask for.
    init(
        _ role: String, for key: RoleSessionKey, approval: ApprovalID?, host: String?,
        policy: SessionPolicy?, duration: Duration, isWhole: Bool = true
    ) {
        let session = "@" + key.session.text
        self.init(
            role: role, sessionName: key.agent.text.prefix(Self.nameCountMax - session.utf8.count) + session)
        // It has at least two characters; no agent has a `=` in its name.
        sourceIdentity = key.agent.text.utf8.count < 2 ? "agent=" + key.agent.text : key.agent.text
        let texts: [(String, String?)] = [
            ("countersign:agent", key.agent.text), ("countersign:approval", approval?.text),
            ("countersign:task", isWhole ? key.task : nil), ("countersign:host", isWhole ? host : nil),
        ]
        for (name, text) in texts {
            guard let value = text.map(tagValue), !value.isEmpty else { continue }
            tags.append(Tag(name, value))
        }
        // A role that is assumed from this one is still this agent's.
        transitiveKeys = ["countersign:agent"]
        sessionPolicy = policy?.text
        self.duration = duration
    }
}

/// `text` as a tag may have it: letters, digits, blanks and `_.:/=+-@`, all else a `_`.
private func tagValue(_ text: String) -> String {
    var value = String.UnicodeScalarView()
    for scalar in text.unicodeScalars.prefix(AssumeRole.tagValueCountMax) {
        let isPlain = scalar.isASCII && UInt8(ascii: scalar).isAlphanumeric
        value.append(isPlain || " _.:/=+-@".unicodeScalars.contains(scalar) ? scalar : "_")
    }
    return String(value)
}

/// The role of a session, or the role itself: `arn:aws:iam::111122223333:role/gateway`; nil for whom no role
/// is: a user, the account.
///
/// The ARN of a session does not say the path of its role; where there is one the role must be stated.
func roleARN(of arn: String) -> String? {
    let parts = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
    guard parts.count == 6, parts[0] == "arn", parts[4].utf8.count == 12 else { return nil }
    let steps = parts[5].split(separator: "/", omittingEmptySubsequences: false)
    switch (parts[2], steps.first) {
    case ("iam", "role"?) where steps.count > 1: return arn
    case ("sts", "assumed-role"?) where steps.count == 3:
        return "arn:\(parts[1]):iam::\(parts[4]):role/\(steps[1])"
    default: return nil
    }
}

/// What the trust policy of `role` must say so that `caller`, the gateway's role or user, can scope down.
package func downscopeTrust(for caller: String) -> JSON {
    [
        "Effect": "Allow", "Principal": ["AWS": .string(caller)],
        "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
    ]
}
