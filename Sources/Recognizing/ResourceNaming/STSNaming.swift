import Vocabulary

/// Names what calls of AWS STS touch.
///
/// Session tags and a source identity need actions of their own on the same role (IAM User Guide, "Pass
/// session tags in AWS STS"). `GetCallerIdentity` needs no permission at all; its pair is there to be shown.
enum STSNaming {
    static let table = OperationTable(
        """
        role: AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity
        root: AssumeRoot
        federated: GetFederationToken
        star: DecodeAuthorizationMessage GetAccessKeyInfo GetCallerIdentity GetDelegatedAccessToken
        star: GetSessionToken GetWebIdentityToken
        """)

    /// Adds the pairs of the call.
    static func name(_ draft: inout Draft) throws(RecognitionError) {
        guard let row = table[draft.operation]?.first else {
            throw .unknownOperation(service: "sts", method: "", path: draft.operation)
        }
        let (parameters, action) = (draft.parameters, "sts:\(row.action)")
        switch row.kind {
        case "role":
            let role = try draft.arn("RoleArn", service: "iam", kinds: ["role/"])
            draft.want(action, on: role)
            try draft.tag("Tags", "sts:TagSession", on: [role])
            if !(try parameters.texts("TransitiveTagKeys")).isEmpty { draft.want("sts:TagSession", on: role) }
            if parameters.has("SourceIdentity") { draft.want("sts:SetSourceIdentity", on: role) }
            if parameters.has("ProvidedContexts") { draft.want("sts:SetContext", on: role) }
            draft.fill("sts:RoleSessionName", from: "RoleSessionName")
            draft.fill("sts:ExternalId", from: "ExternalId")
            draft.fill("sts:SourceIdentity", from: "SourceIdentity")
            draft.fill("sts:TransitiveTagKeys", try parameters.texts("TransitiveTagKeys"))
        case "root":
            let target = try parameters.text("TargetPrincipal")
            let account =
                target.isAccount
                ? target
                : ARN(parsing: target).flatMap { arn in
                    arn.service == "iam" && arn.resource == "root" ? arn.account : nil
                }
            guard let account, account.isAccount else {
                throw parameters.malformed("TargetPrincipal", "is no account and no ARN of a root user")
            }
            let place = Place(partition: draft.place.partition, region: "", account: account)
            draft.want(action, on: place.resource("iam", .known("root")))
        case "federated":
            let name = try parameters.name(
                "Name", of: "federated user's name", others: "_+=,.@-", lengthMax: 32)
            let user = draft.place.global.resource("sts", .known("federated-user/\(name)"))
            draft.want(action, on: user)
            try draft.tag("Tags", "sts:TagSession", on: [user])
        default:
            draft.want(action, on: .star)
            if draft.operation == "GetWebIdentityToken" {
                try draft.tag("Tags", "sts:TagGetWebIdentityToken", on: [.star])
            }
        }
    }
}
