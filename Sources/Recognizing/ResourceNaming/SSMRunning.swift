import Vocabulary

/// The calls of Systems Manager that run something on instances, and what others bring along.
extension SSMNaming {
    /// Calls that name documents, instances, or neither by their own rules.
    static func start(_ draft: inout Draft, _ action: String) throws(RecognitionError) {
        let (parameters, place) = (draft.parameters, draft.place)
        switch draft.operation {
        case "SendCommand":
            draft.want(action, on: try document(parameters.text("DocumentName"), part: "DocumentName", place))
            try targets(&draft, action, in: parameters)
            if parameters.has("OutputS3BucketName") {
                let part = "OutputS3BucketName"
                let bucket = try S3Bucket(parsing: parameters.text(part), part: part)
                guard case .bucket(let name) = bucket else { return draft.want(action, on: .unknown) }
                draft.want(action, on: Resource("arn:\(place.partition):s3:::\(name)"))
            }
        case "StartSession":
            draft.want(action, on: try instance(parameters.text("Target"), part: "Target", place))
            if parameters.has("DocumentName") {
                draft.want(
                    action, on: try document(parameters.text("DocumentName"), part: "DocumentName", place))
            }
        case "StartAutomationExecution", "StartChangeRequestExecution":
            try automation(&draft, action, in: parameters)
            for book in try parameters.structures("Runbooks") { try automation(&draft, action, in: book) }
            draft.want(action, on: place.resource("ssm", .known("automation-execution/"), .unknown))
        case "CreateAssociation":
            draft.want(action, on: place.resource("ssm", .known("association/"), .unknown))
            try association(&draft, action, in: parameters)
        case "CreateAssociationBatch":
            let entries = try parameters.structures("Entries")
            guard !entries.isEmpty else { throw parameters.malformed("Entries", "is empty") }
            for entry in entries { try association(&draft, action, in: entry) }
            draft.itemCount = entries.count
        case "StartAssociationsOnce":
            let ids = try parameters.texts("AssociationIds")
            guard !ids.isEmpty else { throw parameters.malformed("AssociationIds", "is empty") }
            for id in ids {
                guard id.isName(others: "-", lengthMax: 64) else {
                    throw parameters.malformed("AssociationIds", "is no id of an association")
                }
                draft.want(action, on: place.resource("ssm", .known("association/\(id)")))
            }
            draft.itemCount = ids.count
        case "StartAccessRequest": try targets(&draft, action, in: parameters)
        case "GetCalendarState":
            for name in try parameters.texts("CalendarNames") {
                draft.want(action, on: try document(name, part: "CalendarNames", place))
            }
            guard !draft.wants.isEmpty else { throw parameters.malformed("CalendarNames", "is empty") }
        default:
            // GetDefaultPatchBaseline: until one is registered, the baseline is one of AWS's own accounts.
            let somewhere = Place(partition: place.partition, region: place.region, account: nil)
            draft.want(action, on: somewhere.resource("ssm", .known("patchbaseline/"), .unknown))
        }
    }

    /// A runbook: its document, its definition of the version asked for, and the role it is given.
    private static func automation(
        _ draft: inout Draft, _ action: String, in parameters: Parameters
    ) throws(RecognitionError) {
        let part = parameters.spot("DocumentName")
        let text = try parameters.text("DocumentName")
        let document = try document(text, part: part, draft.place)
        draft.want(action, on: document)
        let version = try parameters.textIfAny("DocumentVersion") ?? "$DEFAULT"
        guard version.isName(others: "$_.-", lengthMax: 64) else {
            throw parameters.malformed("DocumentVersion", "is no version")
        }
        let arn = document.text.flatMap(ARN.init(parsing:))
        let name = arn?.resource.after("document/") ?? text
        let place = arn?.place ?? (isOfAWS(name) ? draft.place.ofAWS : draft.place)
        draft.want(action, on: place.resource("ssm", .known("automation-definition/\(name):\(version)")))
        for entry in try parameters.entries("Parameters")
        where ["AutomationAssumeRole", "AssumeRole"].contains(entry.name) {
            for value in entry.value.array ?? [entry.value] {
                guard let text = value.string, !text.isEmpty else { continue }
                let role = Parameters(
                    .object([.init(entry.name, value)]), path: parameters.spot("Parameters"))
                draft.want("iam:PassRole", on: try draft.role(entry.name, in: role))
            }
        }
    }

    /// What an association binds: a document and instances, or neither in sight.
    private static func association(
        _ draft: inout Draft, _ action: String, in parameters: Parameters
    ) throws(RecognitionError) {
        let part = parameters.spot("Name")
        draft.want(action, on: try document(parameters.text("Name"), part: part, draft.place))
        if let id = try parameters.textIfAny("InstanceId") {
            draft.want(action, on: try instance(id, part: parameters.spot("InstanceId"), draft.place))
        }
        try targets(&draft, action, in: parameters)
    }

    /// `InstanceIds` and `Targets`: those that list instances name them, every other one reaches some
    /// instance.
    static func targets(_ draft: inout Draft, _ action: String, in parameters: Parameters)
        throws(RecognitionError)
    {
        for id in try parameters.texts("InstanceIds") {
            draft.want(action, on: try instance(id, part: parameters.spot("InstanceIds"), draft.place))
        }
        for target in try parameters.structures("Targets") {
            let values = try target.texts("Values")
            if target.value("Key")?.string?.asciiLowercased == "instanceids", !values.isEmpty,
                !values.contains("*")
            {
                for id in values {
                    draft.want(action, on: try instance(id, part: target.spot("Values"), draft.place))
                }
            } else {
                for instance in someInstances(draft.place) { draft.want(action, on: instance) }
            }
        }
        if parameters.has("TargetMaps") {
            for instance in someInstances(draft.place) { draft.want(action, on: instance) }
        }
    }

    /// The resource type that an operation creates, for the tags it is given.
    private static let created = [
        "CreateMaintenanceWindow": "maintenancewindow", "CreateOpsItem": "opsitem",
        "CreateOpsMetadata": "opsmetadata",
        "CreatePatchBaseline": "patchbaseline", "CreateAssociation": "association",
        "StartAutomationExecution": "automation-execution",
        "StartChangeRequestExecution": "automation-execution",
        "StartAccessRequest": "opsitem", "CreateActivation": "managed-instance",
    ]

    /// Roles, tags and keys that a call brings along.
    static func extend(_ draft: inout Draft) throws(RecognitionError) {
        let (parameters, place) = (draft.parameters, draft.place)
        for member in ["ServiceRoleArn", "AssociationDispatchAssumeRole"] { try draft.passRole(member) }
        if let run = try parameters.structure("TaskInvocationParameters")?.structure("RunCommand") {
            try draft.passRole("ServiceRoleArn", in: run)
        }
        if draft.operation == "CreateActivation" { try draft.passRole("IamRole") }
        if draft.operation == "UpdateManagedInstanceRole" {
            draft.want("ssm:UpdateManagedInstanceRole", on: try draft.role("IamRole", in: parameters))
            try draft.passRole("IamRole")
        }
        if draft.operation == "UpdateAssociation" {
            if let name = try parameters.textIfAny("Name") {
                draft.want("ssm:UpdateAssociation", on: try document(name, part: "Name", place))
            }
            try targets(&draft, "ssm:UpdateAssociation", in: parameters)
        }
        if draft.operation == "PutParameter", parameters.value("Type")?.string == "SecureString" {
            let isLarge = parameters.value("Tier")?.string == "Advanced"
            try draft.useKey("KeyId", [isLarge ? "kms:GenerateDataKey" : "kms:Encrypt"])
        }
        if ["GetOpsItem", "UpdateOpsItem"].contains(draft.operation), parameters.has("OpsItemArn") {
            draft.want(
                "ssm:\(draft.operation)", on: try draft.arn("OpsItemArn", service: "ssm", kinds: ["opsitem/"])
            )
        }
        switch draft.operation {
        case "PutParameter", "CreateDocument":
            try draft.tag("Tags", "ssm:AddTagsToResource", on: draft.wants.prefix(1).map(\.resource))
        case "AddTagsToResource": try draft.tag("Tags", "ssm:AddTagsToResource", on: [])
        default:
            guard let type = created[draft.operation] else { return }
            let resource = place.resource("ssm", .known("\(type)/"), .unknown)
            try draft.tag("Tags", "ssm:AddTagsToResource", on: [resource])
        }
        if draft.operation == "PutParameter" {
            draft.fill("ssm:Overwrite", [parameters.flag("Overwrite") ? "true" : "false"])
        }
    }
}
