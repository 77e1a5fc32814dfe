import Vocabulary

/// Names what calls of AWS KMS touch.
///
/// A key is given by its id, its ARN, an alias or an alias ARN. Which key an alias stands for is not in the
/// request: `key/<unknown>` of the alias's account and region, and the condition key `kms:RequestAlias`. A
/// symmetric ciphertext names its key to KMS alone, and it may be another account's: without `KeyId` the
/// account is unknown, too.
enum KMSNaming {
    static let table = OperationTable(
        """
        key: CancelKeyDeletion CreateGrant DeleteImportedKeyMaterial DeriveSharedSecret DescribeKey DisableKey
        key: DisableKeyRotation EnableKey EnableKeyRotation Encrypt GenerateDataKey GenerateDataKeyPair
        key: GenerateDataKeyPairWithoutPlaintext GenerateDataKeyWithoutPlaintext GenerateMac GetKeyLastUsage
        key: GetKeyPolicy GetKeyRotationStatus GetParametersForImport GetPublicKey ImportKeyMaterial
        key: ListGrants ListKeyPolicies ListKeyRotations ListResourceTags PutKeyPolicy ReplicateKey
        key: RevokeGrant RotateKeyOnDemand ScheduleKeyDeletion Sign TagResource UntagResource
        key: UpdateKeyDescription UpdatePrimaryRegion Verify VerifyMac
        any: Decrypt RetireGrant
        alias: CreateAlias DeleteAlias UpdateAlias
        both: ReEncrypt
        star: ConnectCustomKeyStore CreateCustomKeyStore CreateKey DeleteCustomKeyStore
        star: DescribeCustomKeyStores DisconnectCustomKeyStore GenerateRandom ListAliases ListKeys
        star: ListRetirableGrants UpdateCustomKeyStore
        """)

    /// Adds the pairs of the call.
    static func name(_ draft: inout Draft) throws(RecognitionError) {
        guard let row = table[draft.operation]?.first else {
            throw .unknownOperation(service: "kms", method: "", path: draft.operation)
        }
        let (parameters, place, action) = (draft.parameters, draft.place, "kms:\(row.action)")
        switch row.kind {
        case "key":
            let key = try key("KeyId", in: parameters, place: place)
            draft.want(action, on: key)
            try extend(&draft, action, key)
        case "any":
            let key =
                parameters.has("KeyId") ? try key("KeyId", in: parameters, place: place) : someKey(place)
            draft.want(action, on: key)
        case "alias": try alias(&draft, action)
        case "both":
            let source =
                parameters.has("SourceKeyId")
                ? try key("SourceKeyId", in: parameters, place: place) : someKey(place)
            draft.want("kms:ReEncryptFrom", on: source)
            draft.want("kms:ReEncryptTo", on: try key("DestinationKeyId", in: parameters, place: place))
        default:
            draft.want(action, on: .star)
            if draft.operation == "CreateKey" {
                try draft.tag(
                    "Tags", "kms:TagResource", on: [place.resource("kms", .known("key/"), .unknown)])
            }
        }
        let member = row.kind == "both" ? "DestinationKeyId" : "KeyId"
        if let text = try parameters.textIfAny(member) {
            draft.fill("kms:RequestAlias", aliasName(text).map { [$0] } ?? [])
        }
    }

    /// A key of this region, of whatever account.
    private static func someKey(_ place: Place) -> Resource {
        Place(partition: place.partition, region: place.region, account: nil)
            .resource("kms", .known("key/"), .unknown)
    }

    /// `alias/NAME` of an alias name or alias ARN; nil for a key.
    private static func aliasName(_ text: String) -> String? {
        let name = ARN(parsing: text)?.resource ?? text
        return name.begins(with: "alias/") ? name : nil
    }

    /// The key that `member` names; nothing but an id, a key ARN, an alias name or an alias ARN is one.
    static func key(_ member: String, in parameters: Parameters, place: Place) throws(RecognitionError)
        -> Resource
    {
        let text = try parameters.text(member)
        var (place, name) = (place, text)
        if text.begins(with: "arn:") {
            guard let arn = ARN(parsing: text), arn.service == "kms", arn.account.isAccount else {
                throw parameters.malformed(member, "is no ARN of a key")
            }
            if let id = arn.resource.after("key/"), id.isName(others: "-", lengthMax: 256) {
                return Resource(text)
            }
            (place, name) = (arn.place, arn.resource)
        }
        if let alias = name.after("alias/") {
            guard alias.isName(others: "/_-", lengthMax: 250) else {
                throw parameters.malformed(member, "is no alias")
            }
            return place.resource("kms", .known("key/"), .unknown)
        }
        guard name == text, name.isName(others: "-", lengthMax: 256) else {
            throw parameters.malformed(member, "is no key id, key ARN or alias")
        }
        return place.resource("kms", .known("key/\(name)"))
    }

    /// An alias needs the action on itself, on the key it is given, and on the key it is taken from.
    private static func alias(_ draft: inout Draft, _ action: String) throws(RecognitionError) {
        let (parameters, place) = (draft.parameters, draft.place)
        let name = try parameters.text("AliasName")
        guard let rest = name.after("alias/"), rest.isName(others: "/_-", lengthMax: 250) else {
            throw parameters.malformed("AliasName", "is no alias")
        }
        draft.want(action, on: place.resource("kms", .known(name)))
        if draft.operation != "DeleteAlias" {
            draft.want(action, on: try key("TargetKeyId", in: parameters, place: place))
        }
        if draft.operation != "CreateAlias" {
            draft.want(action, on: place.resource("kms", .known("key/"), .unknown))
        }
    }

    private static func extend(_ draft: inout Draft, _ action: String, _ key: Resource)
        throws(RecognitionError)
    {
        let parameters = draft.parameters
        switch draft.operation {
        case "TagResource": try draft.tag("Tags", action, on: [key])
        case "ReplicateKey":
            // The replica is a new key of the same id in the other region.
            let region = try parameters.name("ReplicaRegion", of: "region", others: "-", lengthMax: 32)
            draft.want("kms:CreateKey", on: .star)
            try draft.tag("Tags", "kms:TagResource", on: [moved(key, to: region, draft)])
        case "UpdatePrimaryRegion":
            let region = try parameters.name("PrimaryRegion", of: "region", others: "-", lengthMax: 32)
            draft.want(action, on: moved(key, to: region, draft))
        default: break
        }
    }

    /// The multi-Region key of the same id in `region`.
    private static func moved(_ key: Resource, to region: String, _ draft: Draft) -> Resource {
        guard let arn = key.text.flatMap(ARN.init(parsing:)) else {
            return draft.place.in(region).resource("kms", .known("key/"), .unknown)
        }
        return arn.place.in(region).resource("kms", .known(arn.resource))
    }
}
