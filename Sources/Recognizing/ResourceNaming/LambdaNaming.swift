import Vocabulary

/// Names what calls of AWS Lambda touch.
///
/// A function is named by name, partial ARN or ARN, each with an optional `:version` or `:alias`; with one of
/// those, or a `Qualifier`, the resource is the qualified ARN, which a policy on `function:name` alone does
/// not cover (Developer Guide, "Fine-tuning the Resources and Conditions sections of policies"). What the
/// call hands to the function is checked too: its role, its layers, its package in S3, the capacity provider.
enum LambdaNaming {
    static let table = OperationTable(
        """
        function: AddPermission CreateAlias CreateFunction CreateFunctionUrlConfig DeleteAlias DeleteFunction
        function: DeleteFunctionCodeSigningConfig DeleteFunctionConcurrency DeleteFunctionEventInvokeConfig
        function: DeleteFunctionUrlConfig DeleteProvisionedConcurrencyConfig GetAlias GetFunction
        function: GetFunctionCodeSigningConfig GetFunctionConcurrency GetFunctionConfiguration
        function: GetFunctionEventInvokeConfig GetFunctionRecursionConfig GetFunctionScalingConfig
        function: GetFunctionUrlConfig GetPolicy GetProvisionedConcurrencyConfig GetRuntimeManagementConfig
        function: Invoke>InvokeFunction InvokeAsync InvokeWithResponseStream>InvokeFunction ListAliases
        function: ListDurableExecutionsByFunction ListFunctionEventInvokeConfigs ListFunctionUrlConfigs
        function: ListProvisionedConcurrencyConfigs ListVersionsByFunction PublishVersion
        function: PutFunctionCodeSigningConfig PutFunctionConcurrency PutFunctionEventInvokeConfig
        function: PutFunctionRecursionConfig PutFunctionScalingConfig PutProvisionedConcurrencyConfig
        function: PutRuntimeManagementConfig RemovePermission UpdateAlias UpdateFunctionCode
        function: UpdateFunctionConfiguration UpdateFunctionEventInvokeConfig UpdateFunctionUrlConfig
        layer-version: AddLayerVersionPermission DeleteLayerVersion GetLayerVersion GetLayerVersionPolicy
        layer-version: RemoveLayerVersionPermission
        layer-arn: GetLayerVersionByArn>GetLayerVersion
        layer: PublishLayerVersion
        mapping: DeleteEventSourceMapping GetEventSourceMapping UpdateEventSourceMapping
        signing: DeleteCodeSigningConfig GetCodeSigningConfig ListFunctionsByCodeSigningConfig
        signing: UpdateCodeSigningConfig
        provider: CreateCapacityProvider DeleteCapacityProvider GetCapacityProvider
        provider: ListFunctionVersionsByCapacityProvider UpdateCapacityProvider
        execution: CheckpointDurableExecution GetDurableExecution GetDurableExecutionHistory
        execution: GetDurableExecutionState StopDurableExecution
        callback: SendDurableExecutionCallbackFailure SendDurableExecutionCallbackHeartbeat
        callback: SendDurableExecutionCallbackSuccess
        resource: ListTags TagResource UntagResource
        star: CreateCodeSigningConfig CreateEventSourceMapping GetAccountSettings ListCapacityProviders
        star: ListCodeSigningConfigs ListEventSourceMappings ListFunctions ListLayerVersions ListLayers
        """)

    /// Adds the pairs of the call.
    static func name(_ draft: inout Draft) throws(RecognitionError) {
        guard let row = table[draft.operation]?.first else {
            throw .unknownOperation(service: "lambda", method: "", path: draft.operation)
        }
        let (parameters, place, action) = (draft.parameters, draft.place, "lambda:\(row.action)")
        switch row.kind {
        case "function":
            let function = try LambdaFunction(parameters, "FunctionName", place)
            draft.want(action, on: function.resource)
            try extend(&draft, function)
        case "layer-version":
            guard let version = parameters.value("VersionNumber")?.integer, version > 0 else {
                throw parameters.malformed("VersionNumber", "is no version")
            }
            draft.want(action, on: try layer(parameters, place, version: version))
        case "layer-arn": draft.want(action, on: try draft.arn("Arn", service: "lambda", kinds: ["layer:"]))
        case "layer":
            draft.want(action, on: try layer(parameters, place, version: nil))
            try readPackage(&draft, parameters.structure("Content"))
        case "mapping":
            let id = try parameters.name("UUID", of: "event source mapping", others: "-", lengthMax: 64)
            draft.want(action, on: place.resource("lambda", .known("event-source-mapping:\(id)")))
        case "signing":
            draft.want(
                action,
                on: try draft.arn("CodeSigningConfigArn", service: "lambda", kinds: ["code-signing-config:"]))
        case "provider": try provider(&draft, action)
        case "execution":
            draft.want(
                action, on: try draft.arn("DurableExecutionArn", service: "lambda", kinds: ["function:"]))
        case "callback": draft.want(action, on: place.resource("lambda", .known("function:"), .unknown))
        case "resource": draft.want(action, on: try draft.arn("Resource", service: "lambda"))
        default: draft.want(action, on: .star)
        }
        try extendAny(&draft)
    }

    /// What calls on a function bring along.
    private static func extend(_ draft: inout Draft, _ function: LambdaFunction) throws(RecognitionError) {
        let parameters = draft.parameters
        switch draft.operation {
        case "InvokeAsync": draft.want("lambda:InvokeFunction", on: function.resource)
        case "CreateFunction", "UpdateFunctionConfiguration":
            try draft.passRole("Role")
            for (index, text) in try parameters.texts("Layers").enumerated() {
                guard let arn = ARN(parsing: text), arn.service == "lambda",
                    arn.resource.begins(with: "layer:")
                else {
                    throw parameters.malformed("Layers[\(index)]", "is no ARN of a layer")
                }
                draft.want("lambda:GetLayerVersion", on: Resource(text))
            }
            try readPackage(&draft, parameters.structure("Code"))
            let settings = try parameters.structure("CapacityProviderConfig")?
                .structure("LambdaManagedInstancesCapacityProviderConfig")
            if let settings {
                let kinds = ["capacity-provider:"]
                draft.want(
                    "lambda:PassCapacityProvider",
                    on: try draft.arn("CapacityProviderArn", service: "lambda", kinds: kinds, in: settings))
            }
            if draft.operation == "CreateFunction" {
                try draft.tag("Tags", "lambda:TagResource", on: [function.resource])
            }
        case "UpdateFunctionCode": try readPackage(&draft, parameters)
        case "PutFunctionCodeSigningConfig":
            let arn = try draft.arn(
                "CodeSigningConfigArn", service: "lambda", kinds: ["code-signing-config:"])
            draft.want("lambda:PutFunctionCodeSigningConfig", on: arn)
        case "CreateFunctionUrlConfig", "UpdateFunctionUrlConfig", "AddPermission":
            draft.fill(
                "lambda:FunctionUrlAuthType",
                from: draft.operation == "AddPermission" ? "FunctionUrlAuthType" : "AuthType")
            if draft.operation == "AddPermission" { draft.fill("lambda:Principal", from: "Principal") }
        default: break
        }
    }

    /// What calls on nothing that has a name yet bring along.
    private static func extendAny(_ draft: inout Draft) throws(RecognitionError) {
        let (parameters, place) = (draft.parameters, draft.place)
        switch draft.operation {
        case "CreateEventSourceMapping", "UpdateEventSourceMapping":
            if parameters.has("FunctionName") {
                let function = try LambdaFunction(parameters, "FunctionName", place)
                if let text = function.resource.text { draft.fill("lambda:FunctionArn", [text]) }
            }
            guard draft.operation == "CreateEventSourceMapping" else { return }
            let created = place.resource("lambda", .known("event-source-mapping:"), .unknown)
            try draft.tag("Tags", "lambda:TagResource", on: [created])
        case "CreateCodeSigningConfig":
            let created = place.resource("lambda", .known("code-signing-config:"), .unknown)
            try draft.tag("Tags", "lambda:TagResource", on: [created])
        case "TagResource": try draft.tag("Tags", "lambda:TagResource", on: [])
        default: break
        }
    }

    private static func readPackage(_ draft: inout Draft, _ package: Parameters?) throws(RecognitionError) {
        guard let package else { return }
        try draft.readObject(bucket: "S3Bucket", key: "S3Key", version: "S3ObjectVersion", in: package)
    }

    private static func provider(_ draft: inout Draft, _ action: String) throws(RecognitionError) {
        let text = try draft.parameters.text("CapacityProviderName")
        let provider =
            text.begins(with: "arn:")
            ? try draft.arn("CapacityProviderName", service: "lambda", kinds: ["capacity-provider:"])
            : draft.place.resource(
                "lambda",
                .known(
                    "capacity-provider:"
                        + (try draft.parameters.name(
                            "CapacityProviderName", of: "capacity provider", others: "-_", lengthMax: 140))))
        draft.want(action, on: provider)
        guard draft.operation == "CreateCapacityProvider" else { return }
        try draft.tag("Tags", "lambda:TagResource", on: [provider])
        if let permissions = try draft.parameters.structure("PermissionsConfig") {
            try draft.passRole("CapacityProviderOperatorRoleArn", in: permissions)
        }
    }

    /// The layer of `LayerName`, a name or an ARN, or its `version`.
    private static func layer(
        _ parameters: Parameters, _ place: Place, version: Int64?
    ) throws(RecognitionError) -> Resource {
        let text = try parameters.text("LayerName")
        var (place, name) = (place, text)
        if text.begins(with: "arn:") {
            guard let arn = ARN(parsing: text), arn.service == "lambda",
                let rest = arn.resource.after("layer:")
            else {
                throw parameters.malformed("LayerName", "is no ARN of a layer")
            }
            (place, name) = (arn.place, rest)
        }
        guard name.isName(others: "-_", lengthMax: 140) else {
            throw parameters.malformed("LayerName", "is no layer")
        }
        return place.resource("lambda", .known("layer:\(name)" + (version.map { ":\($0)" } ?? "")))
    }
}

/// A function as a request names it: `name`, `ACCOUNT:function:name` or an ARN, each with an optional
/// `:qualifier`.
struct LambdaFunction: Hashable, Sendable {
    let place: Place
    let name: String
    let qualifier: String?

    /// The function in `member`, with the member `Qualifier` if there is one; both qualifiers must agree.
    ///
    /// The grammar is the service model's pattern of `FunctionName`: every part before the name may be left
    /// out.
    init(_ parameters: Parameters, _ member: String, _ place: Place) throws(RecognitionError) {
        let text = try parameters.text(member)
        var (place, parts) = (place, text.parts(by: 0x3A)[...])
        if text.begins(with: "arn:") {
            guard let arn = ARN(parsing: text), arn.service == "lambda", arn.account.isAccount,
                arn.resource.begins(with: "function:")
            else { throw parameters.malformed(member, "is no ARN of a function") }
            (place, parts) = (arn.place, arn.resource.parts(by: 0x3A)[...])
        } else {
            if parts.count > 2, let region = parts.first, Self.isRegion(region),
                parts.dropFirst().first?.isAccount == true
            {
                place = place.in(region)
                parts = parts.dropFirst()
            }
            // `us-east-1:prod`: a function of that name, or one called `prod`? Nobody means the first.
            guard parts.count < 2 || parts.first != place.region else {
                throw parameters.malformed(member, "names a region and no account")
            }
            if parts.count > 1, let account = parts.first, account.isAccount {
                place = Place(partition: place.partition, region: place.region, account: account)
                parts = parts.dropFirst()
            }
        }
        if parts.count > 1, parts.first == "function" { parts = parts.dropFirst() }
        guard let name = parts.first, parts.count <= 2, name.isName(others: "-_", lengthMax: 140) else {
            throw parameters.malformed(member, "is no function name and no ARN of a function")
        }
        let inName = parts.dropFirst().first
        let given = try parameters.textIfAny("Qualifier")
        for qualifier in [inName, given] {
            guard let qualifier else { continue }
            guard
                qualifier == "$LATEST" || qualifier.isName(others: "-_.", lengthMax: 128)
                    || qualifier == "$LATEST.PUBLISHED"
            else { throw parameters.malformed("Qualifier", "is no version and no alias") }
        }
        if let inName, let given, inName != given {
            throw parameters.malformed("Qualifier", "is not the one of `\(member)`")
        }
        (self.place, self.name, qualifier) = (place, name, inName ?? given)
    }

    /// `us-east-1`, `us-gov-west-1`.
    private static func isRegion(_ text: String) -> Bool {
        let steps = text.parts(by: 0x2D)
        return steps.count >= 3 && steps[0].utf8.count <= 4
            && steps[steps.count - 1].utf8.allSatisfy(\.isDigit)
            && !steps[steps.count - 1].isEmpty && text.isName(others: "-", lengthMax: 32)
    }

    var resource: Resource {
        place.resource("lambda", .known("function:\(name)" + (qualifier.map { ":\($0)" } ?? "")))
    }
}
