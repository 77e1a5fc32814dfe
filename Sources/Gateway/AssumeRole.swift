import Recognizing
import SigV4
import Vocabulary

/// What `sts:AssumeRole` is asked for.
///
/// - SeeAlso: AWS STS API Reference, "AssumeRole".
package struct AssumeRole: Hashable, Sendable {
    /// One session tag.
    package struct Tag: Hashable, Sendable {
        package let key: String
        package let value: String

        package init(_ key: String, _ value: String) {
            self.key = key
            self.value = value
        }
    }

    package var role: String
    /// 2 to 64 of letters, digits and `_+=,.@-`.
    package var sessionName: String
    package var sourceIdentity: String?
    package var tags: [Tag] = []
    /// The keys of those tags that a role assumed with the new credentials keeps.
    package var transitiveKeys: [String] = []
    /// An IAM policy in JSON that the session's permissions are cut down to.
    package var sessionPolicy: String?
    /// 15 minutes to 12 hours; nil for AWS's own hour.
    package var duration: Duration?
    package var externalID: String?

    package init(role: String, sessionName: String) {
        self.role = role
        self.sessionName = sessionName
    }
}

/// What STS gave for a role.
package struct AssumedRole: Hashable, Sendable {
    package let credentials: Credentials
    /// `arn:aws:sts::111122223333:assumed-role/gateway/support-7@ses-9F31AAAA`.
    package let arn: String
    /// How much of the space for policy and tags is used, in percent; nil when STS did not say.
    package let packedSize: Int?
    package let awsRequestID: String?
}

/// Whose credentials they are.
package struct CallerIdentity: Hashable, Sendable {
    package let account: String
    package let arn: String
    /// AWS's own clock when it answered.
    package let date: String?
    package let awsRequestID: String?
}

extension OwnCalls {
    /// Asks STS for credentials of a role, signed with `credentials`. `purpose` is for the log.
    package func assumeRole(
        _ asked: AssumeRole, with credentials: Credentials, purpose: String
    ) throws(OwnCallError) -> AssumedRole {
        var form = Form("AssumeRole")
        form.add("RoleArn", asked.role)
        form.add("RoleSessionName", asked.sessionName)
        form.add("SourceIdentity", asked.sourceIdentity)
        for (index, tag) in asked.tags.enumerated() {
            form.add("Tags.member.\(index + 1).Key", tag.key)
            form.add("Tags.member.\(index + 1).Value", tag.value)
        }
        for (index, key) in asked.transitiveKeys.enumerated() {
            form.add("TransitiveTagKeys.member.\(index + 1)", key)
        }
        form.add("Policy", asked.sessionPolicy)
        form.add("DurationSeconds", asked.duration.map { "\($0.components.seconds)" })
        form.add("ExternalId", asked.externalID)
        let answer = try ask(form, for: asked.role, purpose: purpose, with: credentials)
        return try assumed(answer, of: "AssumeRole")
    }

    /// Asks STS for credentials of a role by a token of an identity provider; the call is not signed.
    package func assumeRole(
        _ role: String, sessionName: String, webIdentity token: Secret, purpose: String
    ) throws(OwnCallError) -> AssumedRole {
        var form = Form("AssumeRoleWithWebIdentity")
        form.add("RoleArn", role)
        form.add("RoleSessionName", sessionName)
        form.add("WebIdentityToken", token.withBytes { String(decoding: $0, as: UTF8.self) })
        let answer = try ask(form, for: role, purpose: purpose, with: nil)
        return try assumed(answer, of: "AssumeRoleWithWebIdentity")
    }

    /// Asks STS whose `credentials` are: it answers whatever they may do.
    package func callerIdentity(
        of credentials: Credentials, purpose: String
    ) throws(OwnCallError) -> CallerIdentity {
        let answer = try ask(Form("GetCallerIdentity"), for: nil, purpose: purpose, with: credentials)
        let reply = try read(answer)
        func text(_ name: String) -> String? {
            reply.text("GetCallerIdentityResponse", "GetCallerIdentityResult", name)
        }
        guard let account = text("Account"), account.utf8.count == 12, account.utf8.allSatisfy(\.isDigit)
        else { throw .unreadable("it names no account") }
        guard let arn = text("Arn") else { throw .unreadable("it has no `Arn`") }
        return CallerIdentity(
            account: account, arn: arn, date: answer.date, awsRequestID: answer.awsRequestID)
    }

    private func ask(
        _ form: Form, for role: String?, purpose: String, with credentials: Credentials?
    ) throws(OwnCallError) -> Answer {
        // The path says the region, which nothing else in the call does.
        let region = sts.region ?? stsRegion(ofPartition: role)
        let head = RequestHead(
            method: "POST", target: "/_aws/sts/\(region)/",
            fields: [
                HeaderField("host", "127.0.0.1"),
                HeaderField("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ])
        let request = InboundRequest(head: head, body: Array(form.text.utf8))
        return try ask(
            request, of: sts.with(account: nil, region: region), purpose: purpose, with: credentials)
    }

    private func read(_ answer: Answer) throws(OwnCallError) -> XMLReply {
        do { return try XMLReply(parsing: answer.reply.body) } catch {
            throw .unreadable("it is not XML as STS writes it")
        }
    }

    private func assumed(_ answer: Answer, of operation: String) throws(OwnCallError) -> AssumedRole {
        let reply = try read(answer)
        let result = ("\(operation)Response", "\(operation)Result")
        func text(_ name: String) throws(OwnCallError) -> String {
            guard let text = reply.text(result.0, result.1, "Credentials", name) else {
                throw .unreadable("it has no `\(name)`")
            }
            return text
        }
        guard let end = Instant(parsing: try text("Expiration")) else {
            throw .unreadable("its `Expiration` is no time")
        }
        let credentials: Credentials
        do {
            credentials = try soundCredentials(
                id: try text("AccessKeyId"), secret: try text("SecretAccessKey"),
                token: try text("SessionToken"), expiration: end, from: "the answer of STS")
        } catch let error as CredentialError { throw .unreadable(error.message) } catch let error
            as OwnCallError
        { throw error } catch { throw .unreadable("\(error)") }
        // Keys of a role without their token would only be refused.
        guard credentials.sessionToken != nil else { throw .unreadable("its `SessionToken` is empty") }
        guard let arn = reply.text(result.0, result.1, "AssumedRoleUser", "Arn") else {
            throw .unreadable("it has no `AssumedRoleUser`")
        }
        return AssumedRole(
            credentials: credentials, arn: arn,
            packedSize: reply.text(result.0, result.1, "PackedPolicySize").flatMap(Int.init),
            awsRequestID: answer.awsRequestID)
    }
}

/// Where STS is asked for a role when no region is known: roles are only known in their own partition.
private func stsRegion(ofPartition role: String?) -> String {
    switch role?.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).dropFirst().first {
    case "aws-cn": "cn-north-1"
    case "aws-us-gov": "us-gov-west-1"
    default: "us-east-1"
    }
}

/// The form of a call to STS.
private struct Form {
    private(set) var text: String

    init(_ action: String) { text = "Action=\(action)&Version=2011-06-15" }

    mutating func add(_ name: String, _ value: String?) {
        if let value { text += "&\(name)=\(percentEncoded(value))" }
    }
}
