import Vocabulary

/// Names what calls of AWS Secrets Manager touch.
///
/// A secret's ARN ends in a hyphen and six characters that Secrets Manager chose and a request by name does
/// not say: `secret:db-` and six unknown characters, which `secret:db-??????` and `secret:db-*` cover and
/// `secret:db2-*` does not. An ARN whose name ends like that is taken as complete, as the service takes it.
enum SecretNaming {
    static let table = OperationTable(
        """
        secret: CancelRotateSecret DeleteResourcePolicy DeleteSecret DescribeSecret GetResourcePolicy
        secret: GetSecretValue ListSecretVersionIds PutResourcePolicy PutSecretValue
        secret: RemoveRegionsFromReplication ReplicateSecretToRegions RestoreSecret RotateSecret
        secret: StopReplicationToReplica TagResource UntagResource UpdateSecret UpdateSecretVersionStage
        own: BatchGetSecretValue CreateSecret ValidateResourcePolicy
        star: GetRandomPassword ListSecrets
        """)

    /// What a secret's name may hold besides letters and digits.
    static let nameCharacters = "/_+=.@-!"

    /// Adds the pairs of the call.
    static func name(_ draft: inout Draft) throws(RecognitionError) {
        guard let row = table[draft.operation]?.first else {
            throw .unknownOperation(service: "secretsmanager", method: "", path: draft.operation)
        }
        let (parameters, place, action) = (draft.parameters, draft.place, "secretsmanager:\(row.action)")
        switch (row.kind, draft.operation) {
        case ("secret", _):
            let secret = try secret(parameters.text("SecretId"), part: "SecretId", place)
            draft.want(action, on: secret)
            try extend(&draft, action, secret)
            draft.fill("secretsmanager:SecretId", from: "SecretId")
        case (_, "CreateSecret"):
            let secret = try secret(parameters.text("Name"), part: "Name", place, isName: true)
            draft.want(action, on: secret)
            try draft.tag("Tags", "secretsmanager:TagResource", on: [secret])
            if parameters.has("AddReplicaRegions") {
                draft.want("secretsmanager:ReplicateSecretToRegions", on: secret)
                try useReplicaKeys(&draft)
            }
            try draft.useKey("KmsKeyId", ["kms:GenerateDataKey", "kms:Decrypt"])
            draft.fill("secretsmanager:Name", from: "Name")
        case (_, "BatchGetSecretValue"): try batch(&draft, action)
        case (_, "ValidateResourcePolicy"):
            let unknown = place.resource("secretsmanager", .known("secret:"), .unknown)
            let isNamed = parameters.has("SecretId")
            draft.want(
                action,
                on: isNamed ? try secret(parameters.text("SecretId"), part: "SecretId", place) : unknown)
        default: draft.want(action, on: .star)
        }
    }

    /// The secret `text`, a name (if `isName` never anything else), a whole ARN or one without its last six
    /// characters.
    static func secret(
        _ text: String, part: String, _ place: Place, isName: Bool = false
    ) throws(RecognitionError) -> Resource {
        if !isName, text.begins(with: "arn:") {
            guard let arn = ARN(parsing: text), arn.service == "secretsmanager", arn.account.isAccount,
                let name = arn.resource.after("secret:"), name.isName(others: nameCharacters)
            else { throw .malformed(part: part, why: "is no ARN of a secret") }
            let end = name.utf8.suffix(7)
            let isWhole =
                end.count == 7 && name.utf8.count > 7 && end.first == 0x2D
                && end.dropFirst().allSatisfy(\.isAlphanumeric)
            return isWhole ? Resource(text) : Resource([.known(text + "-"), .unknownCharacters(count: 6)])
        }
        guard text.isName(others: nameCharacters) else {
            throw .malformed(part: part, why: "is no name of a secret")
        }
        return place.resource("secretsmanager", .known("secret:\(text)-"), .unknownCharacters(count: 6))
    }

    /// Every secret of the batch is read by itself; filters reach secrets that the request does not name.
    private static func batch(_ draft: inout Draft, _ action: String) throws(RecognitionError) {
        let parameters = draft.parameters
        draft.want(action, on: .star)
        let ids = try parameters.texts("SecretIdList")
        for id in ids {
            draft.want(
                "secretsmanager:GetSecretValue",
                on: try secret(id, part: parameters.spot("SecretIdList"), draft.place))
        }
        draft.itemCount = max(1, ids.count)
        guard ids.isEmpty || parameters.has("Filters") else { return }
        draft.want("secretsmanager:ListSecrets", on: .star)
        draft.want(
            "secretsmanager:GetSecretValue",
            on: draft.place.resource("secretsmanager", .known("secret:"), .unknown))
    }

    private static func extend(_ draft: inout Draft, _ action: String, _ secret: Resource)
        throws(RecognitionError)
    {
        let parameters = draft.parameters
        switch draft.operation {
        case "TagResource": try draft.tag("Tags", action, on: [secret])
        case "UpdateSecret":
            try draft.useKey("KmsKeyId", ["kms:GenerateDataKey", "kms:Encrypt", "kms:Decrypt"])
        case "ReplicateSecretToRegions": try useReplicaKeys(&draft)
        case "RotateSecret":
            if parameters.has("RotationLambdaARN") {
                let function = try LambdaFunction(parameters, "RotationLambdaARN", draft.place)
                draft.want("lambda:InvokeFunction", on: function.resource)
            }
            try draft.passRole("ExternalSecretRotationRoleArn")
        default: break
        }
    }

    /// A replica's own key encrypts there.
    private static func useReplicaKeys(_ draft: inout Draft) throws(RecognitionError) {
        for replica in try draft.parameters.structures("AddReplicaRegions") where replica.has("KmsKeyId") {
            let region = try replica.name("Region", of: "region", others: "-", lengthMax: 32)
            try draft.useKey(
                "KmsKeyId", ["kms:GenerateDataKey", "kms:Encrypt"], in: replica, place: draft.place.in(region)
            )
        }
    }
}
