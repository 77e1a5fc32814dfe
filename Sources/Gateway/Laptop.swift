import Deciding
import Glibc
import Vocabulary

/// `serve --laptop`: one person on their own machine, who is agent's owner, operator and sole approver.
///
/// It is the gate as it is anywhere, with policies in the person's own configuration folder, made if they are
/// not there; and with reviews from the agent's own uid, since there is no other.
enum Laptop {
    /// Makes a starter policy in the folder `path` if there is no such folder; whether it did.
    ///
    /// - Throws: ``FileError``.
    static func makePolicies(in path: String) throws(FileError) -> Bool {
        guard access(path, F_OK) != 0 else { return false }
        try makePrivateFolder(path)
        for (name, text) in files(uid: geteuid()) {
            try writeFile("\(path)/\(name)", Array(text.utf8))
            guard chmod("\(path)/\(name)", 0o600) == 0 else {
                throw FileError("\(path)/\(name)", "cannot be made private", errno: errno)
            }
        }
        return true
    }

    /// The starter policy and the book that names its one approver.
    static func files(uid: UInt32) -> [(name: String, text: String)] {
        [
            (
                "approvers.yaml",
                """
                # The one person who answers here: you.
                Countersign: 1
                People:
                  - {Name: me, Uids: [\(uid)]}
                """ + "\n"
            ),
            (
                "starter.yaml",
                """
                # Looking at names and settings passes; everything else asks you. An Allow of your own, in
                # a file beside this one, opens what you are tired of answering: see docs/policy.md.
                Countersign: 1
                Id: starter
                Agents: ["*"]
                Statement:
                  - Sid: MetadataReadsPass
                    Effect: Allow
                    Action: "*"
                    Resource: "*"
                    Condition:
                      StringEquals:
                        countersign:AccessLevel: [Read, List]
                        countersign:Sensitivity: metadata
                  - Sid: AllElseAsks
                    Effect: AllowWithApproval
                    Action: "*"
                    Resource: "*"
                    Approval: {Approvers: [me], Scope: exact, GrantTTL: 15m, MaxUses: 1, PendingTTL: 30m}
                """ + "\n"
            ),
        ]
    }

    /// Refuses policies that know other approvers than this user: their reviews would not be worth what they
    /// say, as anyone's of this uid count.
    static func checkApprovers(_ policy: PolicySet) throws(ConfigurationError) {
        let people = policy.approvers.people
        guard people.count == 1, people.allSatisfy({ $0.uids == [geteuid()] }) else {
            throw ConfigurationError(
                "--laptop is for one person, who is the only approver: approvers.yaml must name one, with "
                    + "uid \(geteuid()); run `serve` without --laptop for a team")
        }
    }

    /// What one uid cannot protect.
    static let banner = [
        "  WARNING: --laptop: you are the only approver, and agents run as you. Whatever runs under your "
            + "uid can answer for you, change these policies and read your ~/.aws: this keeps an agent from "
            + "mistakes, not from intent.",
        "  `countersign run --sandbox` keeps an agent's command from all three.",
    ]
}
