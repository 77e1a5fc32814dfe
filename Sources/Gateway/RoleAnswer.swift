import Identifying
import Recognizing
import Vocabulary

/// A call of `sts:AssumeRole` by an agent with an issued key, which the gate answers itself: with keys of its
/// own that stand for the role. AWS's keys of that role never leave the gate; calls signed with these are
/// judged as the same agent's and signed as the role.
///
/// It is decided and recorded like any call; only nothing is sent. An agent without an issued key has none to
/// follow on from: there policy alone says whether it is relayed.
struct RoleRequest: Hashable {
    let role: String
    let duration: Duration

    /// How long AWS lets such keys be good; an hour unless the call says otherwise.
    static let durations: ClosedRange<Int> = 900...43_200

    /// What `meaning` asks for; nil when it is another call, or not one of a key of ours.
    ///
    /// - Throws: ``RoleRequestError`` when it asks for what these keys cannot stand for: left out, they would
    ///   do more than was asked for.
    init?(_ meaning: Meaning, of caller: Caller) throws(RoleRequestError) {
        guard meaning.service == "sts", meaning.operation == "AssumeRole", caller.issued != nil else {
            return nil
        }
        let members = meaning.parameters.members ?? []
        let odd = members.map(\.name).filter {
            !["RoleArn", "RoleSessionName", "DurationSeconds"].contains($0)
        }
        guard odd.isEmpty else { throw .unsupported(odd.sorted()) }
        guard let role = meaning.parameters["RoleArn"]?.string else { throw .unsupported(["RoleArn"]) }
        self.role = role
        var seconds = 3_600
        if let asked = meaning.parameters["DurationSeconds"] {
            guard let count = asked.integer.flatMap({ Int(exactly: $0) }), Self.durations.contains(count)
            else {
                throw .unsupported(["DurationSeconds"])
            }
            seconds = count
        }
        duration = .seconds(seconds)
    }
}

/// Why a role is not given to an agent though policy allows it.
struct RoleRequestError: Error, Hashable {
    /// The parameters at fault.
    let parameters: [String]

    var text: String {
        "Countersign gives this role in keys of its own, which cannot stand for "
            + "\(list(parameters.map { "`\(brief($0))`" })) as asked: it takes RoleArn, RoleSessionName and "
            + "DurationSeconds (900 to 43200). Nothing was sent to AWS."
    }

    static func unsupported(_ parameters: [String]) -> RoleRequestError {
        RoleRequestError(parameters: parameters)
    }
}

extension Gateway {
    /// Keys for `asked`, as STS would answer them; good for no longer than the key that asks.
    func assumed(_ asked: RoleRequest, by caller: Caller, request: RequestID) throws(NameError) -> StoredReply
    {
        let now = clock.now
        let parts = asked.role.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let end = min(now.advanced(by: asked.duration), caller.issued?.expires ?? now)
        func said(_ text: ClaimedText?) -> String? { text?.source == .sessionToken ? text?.text : nil }
        let identity = try IssuedIdentity(
            agent: caller.agent, session: caller.session, task: said(caller.task),
            reason: said(caller.reason), owner: caller.issued?.owner,
            account: parts.count == 6 ? parts[4] : nil, role: asked.role, issued: now, expires: end)
        let keys = hostKey.issue(
            identity, id: IssuedKeyID(random: (Clock.randomBits(), Clock.randomBits())))
        // What AWS is told of the caller, and CloudTrail shows: not the name that the agent chose.
        let name = "\(caller.agent)@\(caller.session)"
        let role = asked.role.split(separator: "/").last.map(String.init) ?? ""
        let partition = parts.count == 6 ? parts[1] : "aws"
        let secret = keys.secretKey.withBytes { String(decoding: $0, as: UTF8.self) }
        let token = keys.sessionToken.withBytes { String(decoding: $0, as: UTF8.self) }
        let seconds = Instant(secondsSinceEpoch: keys.expires.nanosecondsSinceEpoch / 1_000_000_000)
        let body =
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>"
            + "<AssumedRoleUser><AssumedRoleId>AROACOUNTERSIGN:\(name)</AssumedRoleId>"
            + "<Arn>arn:\(partition):sts::\(identity.account ?? ""):assumed-role/\(role)/\(name)</Arn>"
            + "</AssumedRoleUser><Credentials><AccessKeyId>\(keys.accessKeyID)</AccessKeyId>"
            + "<SecretAccessKey>\(secret)</SecretAccessKey><SessionToken>\(token)</SessionToken>"
            + "<Expiration>\(seconds)</Expiration></Credentials></AssumeRoleResult>"
            + "<ResponseMetadata><RequestId>\(request)</RequestId></ResponseMetadata></AssumeRoleResponse>\n"
        return StoredReply(
            status: 200,
            fields: [
                HeaderField("content-type", "text/xml"), HeaderField("x-amzn-requestid", "\(request)"),
                HeaderField("cache-control", "no-store"),
            ], body: Array(body.utf8))
    }
}
