import Recognizing
import Vocabulary

/// What the rules of `policy check` ask of the catalog: the IAM actions by number, and the operations that
/// need each.
final class LintCatalog: Sendable {
    /// An operation's need of an action.
    struct Use: Sendable {
        let operation: CatalogOperation
        let action: CatalogAction
        /// The action's number among those of the operation.
        let number: Int

        /// `dynamodb:BatchGetItem`, by the service's IAM prefix.
        var name: String { "\(operation.service.iamPrefix):\(operation.name)" }
    }

    /// One IAM action.
    struct KnownAction: Sendable {
        let action: Action
        let level: AccessLevel
        /// The name as patterns compare it.
        let scalars: [UInt32]
        /// Empty where the catalog lists no operation for it: some are permissions without an operation,
        /// others are named by code.
        fileprivate(set) var uses: [Use] = []
        /// What the operations that need it lay open; data where the catalog lists none.
        fileprivate(set) var sensitivities: [Sensitivity] = [.data]

        /// The operation of the action's own whose reply holds credentials; nil where there is none. Others
        /// that need the action beside their own do not make it one that gives credentials away.
        var vendingUse: Use? { uses.first { $0.number == 0 && $0.operation.vendsCredentials } }
    }

    let catalog: Catalog
    /// By prefix, then name.
    let actions: [KnownAction]
    /// Which of ``actions`` are of a prefix.
    let ranges: [String: Range<Int>]
    let formats: ARNFormats
    /// Those of ``actions`` whose own operation vends credentials.
    let vending: [Int]

    init(_ catalog: Catalog) {
        self.catalog = catalog
        var actions: [KnownAction] = []
        var ranges: [String: Range<Int>] = [:]
        var places: [Action: Int] = [:]
        for prefix in catalog.actionPrefixes {
            let start = actions.count
            for listed in catalog.listedActions(prefix: prefix) {
                places[listed.action] = actions.count
                actions.append(
                    KnownAction(
                        action: listed.action, level: listed.level,
                        scalars: listed.action.name.unicodeScalars.map(\.value)))
            }
            ranges[prefix] = start..<actions.count
        }
        for operation in catalog.operations {
            for (number, action) in operation.actions.enumerated() {
                guard let place = places[action.action] else { continue }
                actions[place].uses.append(Use(operation: operation, action: action, number: number))
            }
        }
        for place in actions.indices where !actions[place].uses.isEmpty {
            let rated = Set(actions[place].uses.map(\.operation.sensitivity))
            // What is not rated counts as data.
            actions[place].sensitivities = [.metadata, .data, .credential].filter {
                rated.contains($0) || $0 == .data && rated.contains(.unrated)
            }
        }
        vending = actions.indices.filter { actions[$0].vendingUse != nil }
        (self.actions, self.ranges) = (actions, ranges)
        formats = ARNFormats(actions)
    }

    /// The numbers of the actions that `pattern` matches, ascending.
    func numbers(of pattern: ActionPattern) -> [Int] {
        guard let prefix = pattern.prefix else { return Array(actions.indices) }
        return (ranges[prefix] ?? 0..<0).filter { pattern.name.matches(actions[$0].scalars[...]) }
    }

    // MARK: - Condition keys

    /// What becomes of a condition key when a call needs an action.
    enum Standing: Hashable {
        /// Some request says it, or it is known of every call.
        case filled
        /// It is known that no request carries it.
        case absent
        /// AWS has it for the action, and no request says it.
        case unknowable
        /// AWS does not list it for the action: its value is not known there.
        case notListed
        /// The catalog does not say.
        case unsure
    }

    /// Keys that hold the same for every call.
    private static let everyCall: Set<String> = Set(
        [
            "aws:RequestedRegion", "aws:CurrentTime", "aws:EpochTime", "aws:ResourceAccount", "aws:CalledVia",
            "aws:CalledViaFirst", "aws:CalledViaLast", "aws:SourceArn", "aws:SourceAccount",
            "aws:PrincipalServiceName", "aws:PrincipalServiceNamesList", "aws:PrincipalIsAWSService",
            "aws:PrincipalAccount", "aws:UserAgent", "aws:ViaAWSService", "aws:SecureTransport",
        ].map(\.asciiLowercased))

    /// Keys that AWS has for calls of every service, and that no request says. `aws:RequestTag/` and
    /// `aws:TagKeys` are not among them: services list those.
    ///
    /// - SeeAlso: IAM User Guide, "AWS global condition context keys", with its cross-service keys.
    private static let global: [String] = [
        "aws:AssumedRoot", "aws:ChatbotSourceArn", "aws:Ec2InstanceSourcePrivateIPv4",
        "aws:Ec2InstanceSourceVpc", "aws:FederatedProvider", "aws:MultiFactorAuthAge",
        "aws:MultiFactorAuthPresent", "aws:PrincipalArn", "aws:PrincipalOrgID", "aws:PrincipalOrgPaths",
        "aws:PrincipalTag/*", "aws:PrincipalType", "aws:Referer", "aws:ResourceOrgID",
        "aws:ResourceOrgPaths", "aws:ResourceTag/*", "aws:SignInSessionArn", "aws:SourceIdentity",
        "aws:SourceIp", "aws:SourceOrgID", "aws:SourceOrgPaths", "aws:SourceVpc", "aws:SourceVpcArn",
        "aws:SourceVpce", "aws:TokenIssueTime", "aws:VpcSourceIp", "aws:VpceAccount", "aws:VpceOrgID",
        "aws:VpceOrgPaths", "aws:userid", "aws:username", "codebuild:BuildArn", "codebuild:ProjectArn",
        "ec2:RoleDelivery", "ec2:SourceInstanceArn", "glue:CredentialIssuingService", "glue:RoleAssumedBy",
        "identitystore:UserId", "lambda:SourceFunctionArn", "ssm:SourceInstanceArn",
    ]
    private static let globalNames = Set(global.filter { !$0.hasSuffix("*") }.map(\.asciiLowercased))
    private static let globalPrefixes = global.filter { $0.hasSuffix("*") }.map {
        String($0.asciiLowercased.dropLast())
    }

    /// The spellings that an unknown key is compared with for "did you mean".
    static let spelled =
        global.map { String($0.prefix { $0 != "*" }) }
        + ["aws:RequestTag/", "aws:TagKeys", "aws:RequestedRegion", "aws:CurrentTime", "aws:UserAgent"]

    /// Whether AWS or the gateway has a key of that name, in lower case.
    func isKnownKey(_ name: String) -> Bool {
        Self.everyCall.contains(name) || Self.isGlobal(name) || catalog.isKnownConditionKey(name)
            || name.hasPrefix("aws:requesttag/") || name == "aws:tagkeys"
    }

    private static func isGlobal(_ name: String) -> Bool {
        globalNames.contains(name) || globalPrefixes.contains { name.hasPrefix($0) && name != $0 }
    }

    /// What becomes of `key` in calls that need action `number`.
    func standing(of key: Condition.Key, for number: Int) -> Standing {
        guard case .request(let name) = key else { return .filled }
        if Self.everyCall.contains(name) { return .filled }
        let uses = actions[number].uses
        var isAbsent = false
        for use in uses {
            for fill in use.operation.keyFills
            where fill.isListed(for: use.number) && Self.names(fill.key, name) {
                guard case .absent = fill.source else { return .filled }
                isAbsent = true
            }
        }
        if isAbsent { return .absent }
        let isListed = uses.contains { $0.action.conditionKeys.contains { Self.names($0, name) } }
        if isListed || Self.isGlobal(name) { return .unknowable }
        return uses.isEmpty ? .unsure : .notListed
    }

    /// Whether the key that AWS spells `template`, `aws:RequestTag/${TagKey}` or
    /// `s3:ExistingObjectTag/<key>`, is `name`, in lower case.
    static func names(_ template: String, _ name: String) -> Bool {
        let fixed = template.utf8.prefix { $0 != 0x24 && $0 != 0x3C }
        let folded = String(Substring(fixed)).asciiLowercased
        return fixed.count == template.utf8.count
            ? folded.utf8.elementsEqual(name.utf8)
            : name.utf8.starts(with: folded.utf8) && name.utf8.count > folded.utf8.count
    }
}
