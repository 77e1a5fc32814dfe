/// A kind of fault that keeps a set from loading. `policy check`, and what reads its SARIF, know it by an id
/// that never changes.
package enum LoadRule: String, Hashable, Sendable, CaseIterable {
    case badSyntax = "bad-syntax"
    case duplicateKey = "duplicate-key"
    case unknownField = "unknown-field"
    case missingField = "missing-field"
    case wrongType = "wrong-type"
    case laterVersion = "later-version"
    case duplicateName = "duplicate-name"
    case unknownAction = "unknown-action-pattern"
    case malformedResource = "malformed-resource"
    case badCondition = "bad-condition"
    case unknownApprover = "unknown-approver"
    case unmetQuorum = "unmet-quorum"
    case badKey = "bad-ssh-key"
    /// Any other.
    case doesNotLoad = "does-not-load"

    /// What it is for, in a line.
    package var summary: String {
        switch self {
        case .badSyntax: "a file that is no strict YAML or JSON document"
        case .duplicateKey: "a key that is twice in one map"
        case .unknownField: "a key that its place does not have"
        case .missingField: "a key that must be stated"
        case .wrongType: "a text, list or map where another stands"
        case .laterVersion: "what this version does not carry out"
        case .duplicateName: "a name, uid or SSH key that is two things'"
        case .unknownAction: "a pattern that no IAM action matches"
        case .malformedResource: "a resource that is no ARN of AWS"
        case .badCondition: "an operator, key or value that no condition has"
        case .unknownApprover: "a group or person that approvers.yaml does not have"
        case .unmetQuorum: "approvers that can never be met"
        case .badKey: "an SSH key that no review could be signed with"
        case .doesNotLoad: "whatever else keeps the set from being served"
        }
    }
}
