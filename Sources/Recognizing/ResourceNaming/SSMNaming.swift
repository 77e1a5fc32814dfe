import Vocabulary

/// Names what calls of AWS Systems Manager touch.
///
/// A parameter's ARN has no slash between `parameter/` and a leading `/`; a `:version` or `:label` behind the
/// name selects and is no part of it. `GetParametersByPath` is authorized by IAM on the path and reads what
/// lies below: both are pairs, so a `Deny` below the path holds. Documents whose names begin with `aws`,
/// `amazon` or `amzn` and parameters below `/aws/service/` are AWS's own: their ARN has no account. A read of
/// `/aws/reference/secretsmanager/NAME` reads that secret and needs leave to ("Referencing AWS Secrets
/// Manager secrets from Parameter Store parameters").
enum SSMNaming {
    static let table = OperationTable(
        """
        parameter: DeleteParameter GetParameter GetParameterHistory LabelParameterVersion PutParameter
        parameter: UnlabelParameterVersion
        parameters: DeleteParameters GetParameters
        path: GetParametersByPath
        document: CreateDocument DeleteDocument DescribeDocument DescribeDocumentPermission GetDocument
        document: ListDocumentMetadataHistory ListDocumentVersions ModifyDocumentPermission UpdateDocument
        document: UpdateDocumentDefaultVersion UpdateDocumentMetadata UpdateAssociationStatus
        association/AssociationId: DeleteAssociation DescribeAssociation DescribeAssociationExecutionTargets
        association/AssociationId: DescribeAssociationExecutions ListAssociationVersions UpdateAssociation
        automation-execution/AutomationExecutionId: DescribeAutomationStepExecutions GetAutomationExecution
        automation-execution/AutomationExecutionId: SendAutomationSignal StopAutomationExecution
        maintenancewindow/WindowId: DeleteMaintenanceWindow DeregisterTargetFromMaintenanceWindow
        maintenancewindow/WindowId: DeregisterTaskFromMaintenanceWindow DescribeMaintenanceWindowExecutions
        maintenancewindow/WindowId: DescribeMaintenanceWindowTargets DescribeMaintenanceWindowTasks
        maintenancewindow/WindowId: GetMaintenanceWindow GetMaintenanceWindowTask
        maintenancewindow/WindowId: RegisterTargetWithMaintenanceWindow RegisterTaskWithMaintenanceWindow
        maintenancewindow/WindowId: UpdateMaintenanceWindow UpdateMaintenanceWindowTarget
        maintenancewindow/WindowId: UpdateMaintenanceWindowTask
        maintenancewindow/-: CancelMaintenanceWindowExecution
        windowtarget/WindowTargetId: DeregisterTargetFromMaintenanceWindow UpdateMaintenanceWindowTarget
        windowtask/WindowTaskId: DeregisterTaskFromMaintenanceWindow UpdateMaintenanceWindowTask
        opsitem/OpsItemId: AssociateOpsItemRelatedItem DeleteOpsItem DisassociateOpsItemRelatedItem GetOpsItem
        opsitem/OpsItemId: UpdateOpsItem
        opsitem/AccessRequestId: GetAccessToken
        patchbaseline/BaselineId: DeletePatchBaseline DeregisterPatchBaselineForPatchGroup GetPatchBaseline
        patchbaseline/BaselineId: DescribeEffectivePatchesForPatchBaseline RegisterDefaultPatchBaseline
        patchbaseline/BaselineId: RegisterPatchBaselineForPatchGroup UpdatePatchBaseline
        resource-data-sync/SyncName: CreateResourceDataSync DeleteResourceDataSync GetOpsSummary ListNodes
        resource-data-sync/SyncName: ListNodesSummary UpdateResourceDataSync
        session/SessionId: ResumeSession TerminateSession
        managed-instance/InstanceId: DeregisterManagedInstance UpdateManagedInstanceRole
        servicesetting/SettingId: GetServiceSetting ResetServiceSetting UpdateServiceSetting
        opsmetadata: DeleteOpsMetadata GetOpsMetadata UpdateOpsMetadata
        resource: DeleteResourcePolicy GetResourcePolicies PutResourcePolicy
        instance: DescribeEffectiveInstanceAssociations DescribeInstanceAssociationsStatus
        instance: DescribeInstancePatchStates DescribeInstancePatches GetConnectionStatus PutComplianceItems
        instance: UpdateAssociationStatus
        tags: AddTagsToResource ListTagsForResource RemoveTagsFromResource
        own: CreateAssociation CreateAssociationBatch GetCalendarState GetDefaultPatchBaseline SendCommand
        own: StartAccessRequest StartAssociationsOnce StartAutomationExecution StartChangeRequestExecution
        own: StartSession
        star: CancelCommand CreateActivation CreateMaintenanceWindow CreateOpsItem CreateOpsMetadata
        star: CreatePatchBaseline DeleteActivation DeleteInventory DescribeActivations
        star: DescribeAutomationExecutions DescribeAvailablePatches DescribeInstanceInformation
        star: DescribeInstancePatchStatesForPatchGroup DescribeInstanceProperties DescribeInventoryDeletions
        star: DescribeMaintenanceWindowExecutionTaskInvocations DescribeMaintenanceWindowExecutionTasks
        star: DescribeMaintenanceWindowSchedule DescribeMaintenanceWindows DescribeMaintenanceWindowsForTarget
        star: DescribeOpsItems DescribeParameters DescribePatchBaselines DescribePatchGroupState
        star: DescribePatchGroups DescribePatchProperties DescribeSessions GetCommandInvocation
        star: GetDeployablePatchSnapshotForInstance GetExecutionPreview GetInventory GetInventorySchema
        star: GetMaintenanceWindowExecution GetMaintenanceWindowExecutionTask
        star: GetMaintenanceWindowExecutionTaskInvocation GetPatchBaselineForPatchGroup ListAssociations
        star: ListCommandInvocations ListCommands ListComplianceItems ListComplianceSummaries ListDocuments
        star: ListInventoryEntries ListOpsItemEvents ListOpsItemRelatedItems ListOpsMetadata
        star: ListResourceComplianceSummaries ListResourceDataSync PutInventory StartExecutionPreview
        """)

    /// Adds the pairs of the call.
    static func name(_ draft: inout Draft) throws(RecognitionError) {
        guard let rows = table[draft.operation] else {
            throw .unknownOperation(service: "ssm", method: "", path: draft.operation)
        }
        let (parameters, place, action) = (draft.parameters, draft.place, "ssm:\(draft.operation)")
        for row in rows {
            let steps = row.kind.parts(by: 0x2F)
            if steps.count == 2 {
                draft.want(action, on: try identified(steps[0], by: steps[1], parameters, place))
                continue
            }
            switch row.kind {
            case "parameter":
                draft.want(action, on: try parameter(parameters.text("Name"), part: "Name", draft))
                try readSecret(&draft, [parameters.text("Name")], part: "Name")
            case "parameters":
                let names = try parameters.texts("Names")
                for name in names { draft.want(action, on: try parameter(name, part: "Names", draft)) }
                try readSecret(&draft, names, part: "Names")
                guard !names.isEmpty else { throw parameters.malformed("Names", "is empty") }
                draft.itemCount = names.count
            case "path": try byPath(&draft, action)
            case "document":
                draft.want(action, on: try document(parameters.text("Name"), part: "Name", place))
            case "opsmetadata":
                draft.want(
                    action, on: try draft.arn("OpsMetadataArn", service: "ssm", kinds: ["opsmetadata/"]))
            case "resource": draft.want(action, on: try draft.arn("ResourceArn", service: "ssm"))
            case "instance":
                for instance in try instances(of: parameters, place) { draft.want(action, on: instance) }
            case "tags": draft.want(action, on: try tagged(draft))
            case "own": try start(&draft, action)
            default: draft.want(action, on: .star)
            }
        }
        try extend(&draft)
    }

    // MARK: - Names

    /// `type/ID` with the id in `member`; without it, some resource of that type.
    private static func identified(
        _ type: String, by member: String, _ parameters: Parameters, _ place: Place
    ) throws(RecognitionError) -> Resource {
        guard parameters.has(member) else { return place.resource("ssm", .known("\(type)/"), .unknown) }
        let text = try parameters.text(member)
        if text.begins(with: "arn:") {
            guard let arn = ARN(parsing: text), arn.service == "ssm", arn.resource.begins(with: "\(type)/")
            else {
                throw parameters.malformed(member, "is no ARN of a \(type)")
            }
            return Resource(text)
        }
        let name = type == "servicesetting" ? text.after("/") ?? text : text
        guard name.isName(others: type == "servicesetting" ? "-_./" : "-_.", lengthMax: 1000) else {
            throw parameters.malformed(member, "is no id of a \(type)")
        }
        return place.resource("ssm", .known("\(type)/\(name)"))
    }

    /// The operations whose parameter names may end in `:version` or `:label`.
    private static let selecting: Set<String> = ["GetParameter", "GetParameters"]

    /// The parameter `text`, a name or an ARN.
    static func parameter(_ text: String, part: String, _ draft: Draft) throws(RecognitionError) -> Resource {
        var (place, name) = (draft.place, text)
        if text.begins(with: "arn:") {
            guard let arn = ARN(parsing: text), arn.service == "ssm",
                let rest = arn.resource.after("parameter/")
            else {
                throw .malformed(part: part, why: "is no ARN of a parameter")
            }
            (place, name) = (arn.place, rest)
        }
        if selecting.contains(draft.operation) {
            let halves = name.parts(by: 0x3A)
            guard halves.count <= 2,
                halves.dropFirst().allSatisfy({ $0.isName(others: "_.-", lengthMax: 100) })
            else {
                throw .malformed(part: part, why: "has a selector that is no version and no label")
            }
            name = halves[0]
        }
        let path = name.after("/") ?? name
        let others = path.begins(with: secretReference) ? SecretNaming.nameCharacters : "_.-/"
        guard name.isName(others: others, lengthMax: 2048) else {
            throw .malformed(part: part, why: "is no parameter name")
        }
        if isPublic(path), !text.begins(with: "arn:") { place = place.ofAWS }
        return place.resource("ssm", .known("parameter/\(path)"))
    }

    /// Whether everything at `path`, without its first slash, is a parameter of AWS's own.
    private static func isPublic(_ path: String) -> Bool {
        path.begins(with: "aws/service/") || path == "aws/service"
    }

    private static let secretReference = "aws/reference/secretsmanager/"

    /// The secrets that reads of `names` fetch from Secrets Manager in the caller's name.
    private static func readSecret(
        _ draft: inout Draft, _ names: [String], part: String
    ) throws(RecognitionError) {
        guard selecting.contains(draft.operation) else { return }
        for name in names {
            let arn = ARN(parsing: name)
            let path = (arn?.resource.after("parameter") ?? name).parts(by: 0x3A)[0]
            guard let id = (path.after("/") ?? path).after(secretReference) else { continue }
            let place = arn?.place ?? draft.place
            draft.want(
                "secretsmanager:GetSecretValue",
                on: try SecretNaming.secret(id, part: part, place, isName: true))
        }
    }

    private static func byPath(_ draft: inout Draft, _ action: String) throws(RecognitionError) {
        let path = try draft.parameters.text("Path")
        guard path.begins(with: "/"), path == "/" || path.isName(others: "_.-/", lengthMax: 2048) else {
            throw draft.parameters.malformed("Path", "must begin with `/`")
        }
        let inner = path.after("/") ?? path
        let tree = inner.isEmpty || inner.ends(with: "/") ? inner : inner + "/"
        let place = isPublic(inner) ? draft.place.ofAWS : draft.place
        draft.want(action, on: place.resource("ssm", .known("parameter/\(inner)")))
        draft.want(action, on: place.resource("ssm", .known("parameter/\(tree)"), .unknown))
        draft.fill("ssm:Recursive", [draft.parameters.flag("Recursive") ? "true" : "false"])
    }

    /// The document `text`, a name or an ARN.
    static func document(_ text: String, part: String, _ place: Place) throws(RecognitionError) -> Resource {
        if text.begins(with: "arn:") {
            guard let arn = ARN(parsing: text), arn.service == "ssm", arn.resource.begins(with: "document/")
            else {
                throw .malformed(part: part, why: "is no ARN of a document")
            }
            return Resource(text)
        }
        guard text.isName(others: "_.-", lengthMax: 128) else {
            throw .malformed(part: part, why: "is no document name")
        }
        return (isOfAWS(text) ? place.ofAWS : place).resource("ssm", .known("document/\(text)"))
    }

    /// Whether AWS owns the document: nobody else may begin a name so (CreateDocument, `Name`).
    static func isOfAWS(_ document: String) -> Bool {
        ["aws", "amazon", "amzn"].contains { document.asciiLowercased.begins(with: $0) }
    }

    /// The instance `id`: of EC2, or a managed one; the id's beginning says which.
    static func instance(_ id: String, part: String, _ place: Place) throws(RecognitionError) -> Resource {
        if id.begins(with: "ecs:") { return place.resource("ecs", .known("task/"), .unknown) }
        guard id.isName(others: "-_", lengthMax: 64) else {
            throw .malformed(part: part, why: "is no instance")
        }
        if id.begins(with: "i-") { return place.resource("ec2", .known("instance/\(id)")) }
        if id.begins(with: "mi-") { return place.resource("ssm", .known("managed-instance/\(id)")) }
        throw .malformed(part: part, why: "is no instance")
    }

    private static func instances(of parameters: Parameters, _ place: Place) throws(RecognitionError)
        -> [Resource]
    {
        var ids = try parameters.texts("InstanceIds")
        for member in ["InstanceId", "Target", "ResourceId"] {
            if let id = try parameters.textIfAny(member) { ids.append(id) }
        }
        var found: [Resource] = []
        for id in ids { found.append(try instance(id, part: "InstanceId", place)) }
        guard !found.isEmpty else { throw parameters.malformed("InstanceId", "is missing") }
        return found
    }

    /// Some instance of either kind: what a tag or a resource group selects is not in the request.
    static func someInstances(_ place: Place) -> [Resource] {
        [
            place.resource("ec2", .known("instance/"), .unknown),
            place.resource("ssm", .known("managed-instance/"), .unknown),
        ]
    }

    private static let taggedTypes = [
        "Document": "document", "ManagedInstance": "managed-instance",
        "MaintenanceWindow": "maintenancewindow",
        "Parameter": "parameter", "PatchBaseline": "patchbaseline", "OpsItem": "opsitem",
        "OpsMetadata": "opsmetadata", "Automation": "automation-execution", "Association": "association",
    ]

    /// The resource of `ResourceType` and `ResourceId`.
    private static func tagged(_ draft: Draft) throws(RecognitionError) -> Resource {
        let (parameters, place) = (draft.parameters, draft.place)
        guard let type = taggedTypes[try parameters.text("ResourceType")] else {
            throw parameters.malformed("ResourceType", "is no type that has tags")
        }
        let id = try parameters.text("ResourceId")
        switch type {
        case "parameter": return try parameter(id, part: "ResourceId", draft)
        case "document": return try document(id, part: "ResourceId", place)
        case "opsmetadata":
            guard !id.begins(with: "arn:") else {
                return try identified(type, by: "ResourceId", parameters, place)
            }
            guard id.isName(others: "-_./") else { throw parameters.malformed("ResourceId", "is no id") }
            return place.resource("ssm", .known("opsmetadata/" + (id.after("/") ?? id)))
        default: return try identified(type, by: "ResourceId", parameters, place)
        }
    }
}
