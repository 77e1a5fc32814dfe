import Vocabulary

/// Names what calls of AWS IAM touch.
///
/// IAM authorizes by ARNs that hold the entity's path, and a request that names a role, user, group, instance
/// profile or server certificate does not say its path: `role/<unknown>app`. So a `Deny` on `role/secure/*`
/// matches it and an `Allow` on `role/team/*` does not. `Resource.presumed` is the ARN without a path: an
/// `Allow` on just `role/app` matches, since a name is unique in its account whatever its path
/// (docs/decisions/0011-what-a-call-touches.md).
///
/// A name that is left out means the caller, and that would be the gateway: malformed.
enum IAMNaming {
    static let table = OperationTable(
        """
        user: AttachUserPolicy CreateAccessKey CreateLoginProfile CreateServiceSpecificCredential
        user: DeactivateMFADevice DeleteAccessKey DeleteLoginProfile DeleteSSHPublicKey
        user: DeleteServiceSpecificCredential DeleteSigningCertificate DeleteUser
        user: DeleteUserPermissionsBoundary DeleteUserPolicy DetachUserPolicy EnableMFADevice GetLoginProfile
        user: GetMFADevice GetSSHPublicKey GetUser GetUserPolicy ListAccessKeys ListAttachedUserPolicies
        user: ListGroupsForUser ListMFADevices ListSSHPublicKeys ListServiceSpecificCredentials
        user: ListSigningCertificates ListUserPolicies ListUserTags PutUserPermissionsBoundary PutUserPolicy
        user: ResetServiceSpecificCredential ResyncMFADevice TagUser UntagUser UpdateAccessKey
        user: UpdateLoginProfile UpdateSSHPublicKey UpdateServiceSpecificCredential UpdateSigningCertificate
        user: UpdateUser UploadSSHPublicKey UploadSigningCertificate
        group: AddUserToGroup AttachGroupPolicy DeleteGroup DeleteGroupPolicy DetachGroupPolicy GetGroup
        group: GetGroupPolicy ListAttachedGroupPolicies ListGroupPolicies PutGroupPolicy RemoveUserFromGroup
        group: UpdateGroup
        role: AttachRolePolicy DeleteRole DeleteRolePermissionsBoundary DeleteRolePolicy DetachRolePolicy
        role: GetRole GetRolePolicy ListAttachedRolePolicies ListInstanceProfilesForRole ListRolePolicies
        role: ListRoleTags PutRolePermissionsBoundary PutRolePolicy TagRole UntagRole UpdateAssumeRolePolicy
        role: UpdateRole UpdateRoleDescription
        profile: AddRoleToInstanceProfile DeleteInstanceProfile GetInstanceProfile ListInstanceProfileTags
        profile: RemoveRoleFromInstanceProfile TagInstanceProfile UntagInstanceProfile
        certificate: DeleteServerCertificate GetServerCertificate ListServerCertificateTags
        certificate: TagServerCertificate UntagServerCertificate UpdateServerCertificate
        policy: CreatePolicyVersion DeletePolicy DeletePolicyVersion GetPolicy GetPolicyVersion
        policy: ListEntitiesForPolicy ListPolicyTags ListPolicyVersions SetDefaultPolicyVersion TagPolicy
        policy: UntagPolicy
        oidc: AddClientIDToOpenIDConnectProvider DeleteOpenIDConnectProvider GetOpenIDConnectProvider
        oidc: ListOpenIDConnectProviderTags RemoveClientIDFromOpenIDConnectProvider TagOpenIDConnectProvider
        oidc: UntagOpenIDConnectProvider UpdateOpenIDConnectProviderThumbprint
        saml: DeleteSAMLProvider GetSAMLProvider ListSAMLProviderTags TagSAMLProvider UntagSAMLProvider
        saml: UpdateSAMLProvider
        mfa: DeleteVirtualMFADevice ListMFADeviceTags TagMFADevice UntagMFADevice
        delegation: AcceptDelegationRequest AssociateDelegationRequest GetDelegationRequest
        delegation: RejectDelegationRequest SendDelegationToken UpdateDelegationRequest
        create: CreateGroup CreateInstanceProfile CreatePolicy CreateRole CreateUser CreateVirtualMFADevice
        create: UploadServerCertificate
        principal: GenerateServiceLastAccessedDetails GetContextKeysForPrincipalPolicy
        principal: ListPoliciesGrantingServiceAccess SimulatePrincipalPolicy
        own: ChangePassword CreateDelegationRequest CreateOpenIDConnectProvider CreateSAMLProvider
        own: CreateServiceLinkedRole DeleteServiceLinkedRole GenerateOrganizationsAccessReport
        own: GetAccessKeyLastUsed GetHumanReadableSummary GetServiceLinkedRoleDeletionStatus
        star: CreateAccountAlias DeleteAccountAlias DeleteAccountPasswordPolicy
        star: DisableOrganizationsRootCredentialsManagement DisableOrganizationsRootSessions
        star: DisableOutboundWebIdentityFederation EnableOrganizationsRootCredentialsManagement
        star: EnableOrganizationsRootSessions EnableOutboundWebIdentityFederation GenerateCredentialReport
        star: GetAccountAuthorizationDetails GetAccountPasswordPolicy GetAccountSummary
        star: GetContextKeysForCustomPolicy GetCredentialReport GetOrganizationsAccessReport
        star: GetOutboundWebIdentityFederationInfo GetServiceLastAccessedDetails
        star: GetServiceLastAccessedDetailsWithEntities ListAccountAliases ListDelegationRequests ListGroups
        star: ListInstanceProfiles ListOpenIDConnectProviders ListOrganizationsFeatures ListPolicies ListRoles
        star: ListSAMLProviders ListServerCertificates ListUsers ListVirtualMFADevices
        star: SetSecurityTokenServicePreferences SimulateCustomPolicy UpdateAccountPasswordPolicy
        """)

    /// The entities that have a path: the first part of their ARN's resource, and the member that names them.
    private static let entities = [
        "user": ("user", "UserName"), "group": ("group", "GroupName"), "role": ("role", "RoleName"),
        "profile": ("instance-profile", "InstanceProfileName"),
        "certificate": ("server-certificate", "ServerCertificateName"),
    ]

    /// The kinds that a member names by ARN: that member, and how the ARN's resource begins.
    private static let byARN = [
        "policy": ("PolicyArn", ["policy/"]), "oidc": ("OpenIDConnectProviderArn", ["oidc-provider/"]),
        "saml": ("SAMLProviderArn", ["saml-provider/"]),
    ]

    /// Adds the pairs of the call.
    static func name(_ draft: inout Draft) throws(RecognitionError) {
        guard let row = table[draft.operation]?.first else {
            throw .unknownOperation(service: "iam", method: "", path: draft.operation)
        }
        let (parameters, action) = (draft.parameters, "iam:\(row.action)")
        if let (type, member) = entities[row.kind] {
            if draft.operation == "ListServiceSpecificCredentials", parameters.flag("AllUsers") {
                return draft.want(action, on: draft.place.global.resource("iam", .known("user/"), .unknown))
            }
            draft.want(action, on: try named(type, member, in: parameters, place: draft.place))
            try extend(&draft, action, type, member)
        } else if let (member, kinds) = byARN[row.kind] {
            draft.want(action, on: try draft.arn(member, service: "iam", kinds: kinds))
        } else {
            switch row.kind {
            case "create": try create(&draft, action)
            case "mfa": draft.want(action, on: try device(parameters, draft.place))
            case "delegation":
                let id = try parameters.name("DelegationRequestId", of: "delegation request", others: "-_")
                draft.want(action, on: draft.place.global.resource("iam", .known("delegation-request/\(id)")))
            case "principal":
                let member = parameters.has("Arn") ? "Arn" : "PolicySourceArn"
                let kinds = ["user/", "group/", "role/", "policy/"]
                draft.want(action, on: try draft.arn(member, service: "iam", kinds: kinds))
            case "own": try own(&draft, action)
            default: draft.want(action, on: .star)
            }
        }
        try tags(&draft)
        if parameters.has("PermissionsBoundary") {
            draft.fill("iam:PermissionsBoundary", from: "PermissionsBoundary")
        }
        if parameters.has("PolicyArn") { draft.fill("iam:PolicyARN", from: "PolicyArn") }
    }

    /// The entity of `type` that `member` names without its path.
    static func named(
        _ type: String, _ member: String, in parameters: Parameters, place: Place
    ) throws(RecognitionError) -> Resource {
        guard parameters.has(member) else {
            throw parameters.malformed(
                member, "is missing: without it the call would mean the gateway itself")
        }
        let name = try parameters.name(member, of: "name of IAM", others: "_+=,.@-", lengthMax: 128)
        let place = place.global
        let whole = place.resource("iam", .known("\(type)/"), .unknown, .known(name))
        return Resource(whole.parts, presumed: place.resource("iam", .known("\(type)/\(name)")).text)
    }

    /// The role that a call of another service names: with its path (`service-role/app`) just that one,
    /// without one some role of that name.
    static func role(
        _ member: String, in parameters: Parameters, place: Place
    ) throws(RecognitionError) -> Resource {
        let steps = try parameters.text(member).parts(by: 0x2F)
        guard steps.count > 1 else { return try named("role", member, in: parameters, place: place) }
        let whole = try parameters.name(
            member, of: "name of IAM, with its path", others: "_+=,.@-/", lengthMax: 576)
        guard !steps.contains("") else {
            throw parameters.malformed(member, "is no name of IAM, with its path")
        }
        return place.global.resource("iam", .known("role/\(whole)"))
    }

    /// The entity of `type` at `path`, which begins and ends with a slash, named by `member`.
    private static func placed(
        _ type: String, path: String, _ member: String, _ draft: Draft
    ) throws(RecognitionError) -> Resource {
        guard path.begins(with: "/"), path.ends(with: "/"), path.utf8.count <= 512,
            path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { throw draft.parameters.malformed("Path", "must begin and end with `/`") }
        let name = try draft.parameters.name(member, of: "name of IAM", others: "_+=,.@-", lengthMax: 128)
        return draft.place.global.resource("iam", .known(type + path + name))
    }

    private static let creates = [
        "CreateGroup": ("group", "GroupName"),
        "CreateInstanceProfile": ("instance-profile", "InstanceProfileName"),
        "CreatePolicy": ("policy", "PolicyName"), "CreateRole": ("role", "RoleName"),
        "CreateUser": ("user", "UserName"), "CreateVirtualMFADevice": ("mfa", "VirtualMFADeviceName"),
        "UploadServerCertificate": ("server-certificate", "ServerCertificateName"),
    ]

    private static func create(_ draft: inout Draft, _ action: String) throws(RecognitionError) {
        guard let (type, member) = creates[draft.operation] else { return }
        let path = try draft.parameters.textIfAny("Path") ?? "/"
        draft.want(action, on: try placed(type, path: path, member, draft))
    }

    /// The action that tags what an operation creates.
    private static let tagActions = [
        "CreateRole": "TagRole", "CreateUser": "TagUser", "CreatePolicy": "TagPolicy",
        "CreateInstanceProfile": "TagInstanceProfile", "CreateVirtualMFADevice": "TagMFADevice",
        "CreateOpenIDConnectProvider": "TagOpenIDConnectProvider", "CreateSAMLProvider": "TagSAMLProvider",
        "UploadServerCertificate": "TagServerCertificate",
    ]

    private static func tags(_ draft: inout Draft) throws(RecognitionError) {
        guard let created = draft.wants.first?.resource, draft.parameters.has("Tags") else { return }
        let action = tagActions[draft.operation] ?? draft.operation
        try draft.tag("Tags", "iam:\(action)", on: [created])
    }

    /// A new name or path needs the action on what it becomes as well; a role put into an instance profile is
    /// passed.
    private static func extend(
        _ draft: inout Draft, _ action: String, _ type: String, _ member: String
    ) throws(RecognitionError) {
        let parameters = draft.parameters
        switch draft.operation {
        case "UpdateUser", "UpdateGroup", "UpdateServerCertificate":
            let newName = "New\(member)"
            guard parameters.has(newName) || parameters.has("NewPath") else { return }
            let name = parameters.has(newName) ? newName : member
            if let path = try parameters.textIfAny("NewPath") {
                draft.want(action, on: try placed(type, path: path, name, draft))
            } else {
                draft.want(action, on: try named(type, name, in: parameters, place: draft.place))
            }
        case "AddRoleToInstanceProfile": try draft.passRole("RoleName")
        default: break
        }
    }

    /// The device of `SerialNumber`: an ARN, or the number on a piece of hardware.
    private static func device(_ parameters: Parameters, _ place: Place) throws(RecognitionError) -> Resource
    {
        let text = try parameters.text("SerialNumber")
        guard text.begins(with: "arn:") else { return place.global.resource("iam", .known("mfa/"), .unknown) }
        guard let arn = ARN(parsing: text), arn.service == "iam",
            arn.resource.begins(with: "mfa/") || arn.resource.begins(with: "sms-mfa/")
        else { throw parameters.malformed("SerialNumber", "is no ARN of an MFA device") }
        return Resource(arn.text)
    }

    private static func own(_ draft: inout Draft, _ action: String) throws(RecognitionError) {
        let (parameters, place) = (draft.parameters, draft.place.global)
        switch draft.operation {
        case "ChangePassword":
            throw parameters.malformed(
                "UserName", "cannot be given: the call would change the gateway's own password")
        case "CreateDelegationRequest":
            draft.want(action, on: place.resource("iam", .known("delegation-request/"), .unknown))
        case "CreateOpenIDConnectProvider":
            guard let url = try parameters.text("Url").after("https://"), !url.isEmpty,
                url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x3F && $0 != 0x23 })
            else { throw parameters.malformed("Url", "is no https URL") }
            draft.want(action, on: place.resource("iam", .known("oidc-provider/\(url)")))
        case "CreateSAMLProvider":
            let name = try parameters.name("Name", of: "name of IAM", others: "_.-", lengthMax: 128)
            draft.want(action, on: place.resource("iam", .known("saml-provider/\(name)")))
        case "CreateServiceLinkedRole":
            // AWS chooses the role's name.
            let service = try parameters.name(
                "AWSServiceName", of: "service principal", others: ".-", lengthMax: 128)
            draft.want(
                action, on: place.resource("iam", .known("role/aws-service-role/\(service)/"), .unknown))
            draft.fill("iam:AWSServiceName", [service])
        case "DeleteServiceLinkedRole":
            let name = try parameters.name("RoleName", of: "name of IAM", others: "_+=,.@-", lengthMax: 128)
            let role: [Resource.Part] = [.known("role/aws-service-role/"), .unknown, .known("/\(name)")]
            draft.want(action, on: place.resource("iam", tail: role))
        case "GenerateOrganizationsAccessReport":
            let path = try parameters.name(
                "EntityPath", of: "path of an organization", others: "-/", lengthMax: 427)
            draft.want(action, on: place.resource("iam", .known("access-report/\(path)")))
        case "GetAccessKeyLastUsed": draft.want(action, on: place.resource("iam", .known("user/"), .unknown))
        case "GetHumanReadableSummary":
            draft.want(action, on: try draft.arn("EntityArn", service: "iam", kinds: ["delegation-request/"]))
        default:
            // `task/aws-service-role/SERVICE/ROLE/ID` (IAM API Reference, DeleteServiceLinkedRole).
            let steps = try parameters.text("DeletionTaskId").parts(by: 0x2F)
            guard steps.count == 5, steps[0] == "task", steps[1] == "aws-service-role",
                steps[2...].allSatisfy({ $0.isName(others: "_+=,.@-") })
            else { return draft.want(action, on: place.resource("iam", .known("role/"), .unknown)) }
            let name = "aws-service-role/\(steps[2])/\(steps[3])"
            draft.want(action, on: place.resource("iam", .known("role/\(name)")))
        }
    }
}
