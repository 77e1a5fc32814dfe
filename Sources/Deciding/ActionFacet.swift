import Recognizing
import Vocabulary

/// One way in which calls need an action: what its operation lays open, and whether the reply holds
/// credentials.
///
/// `s3:GetObject` is needed by a read of the object and by a look at its head: one shows data, one metadata.
struct ActionFacet: Hashable {
    let level: AccessLevel
    /// Never `unrated`, which counts as data.
    let sensitivity: Sensitivity
    let vends: Bool
}

/// An action of IAM with all its facets.
struct FacetedAction {
    let action: Action
    /// The operations that need it so, by name; none where no operation is known to.
    let facets: [(facet: ActionFacet, operations: [String])]

    /// Every action that IAM lists or an operation of `catalog` needs, but for those that no policy decides;
    /// only those of the services `prefixes` where it is not nil.
    static func all(in catalog: Catalog, of prefixes: Set<String>? = nil) -> [FacetedAction] {
        var found: [Action: [ActionFacet: Set<String>]] = [:]
        for service in catalog.services where !service.takesBearerTokens && !service.needsSignatureV2 {
            for operation in service.operations where !operation.isUnsignedByModel {
                let vends = operation.vendsCredentials || operation.replyCarriesKeys
                for need in operation.actions where prefixes?.contains(need.action.prefix) ?? true {
                    let facet = ActionFacet(level: need.level, need.sensitivity, vends: vends)
                    found[need.action, default: [:]][facet, default: []].insert(operation.name)
                }
            }
        }
        for prefix in prefixes.map(Array.init) ?? catalog.actionPrefixes {
            for listed in catalog.listedActions(prefix: prefix) where found[listed.action] == nil {
                found[listed.action] = [ActionFacet(level: listed.level, .unrated, vends: false): []]
            }
        }
        // Calls of objects in a directory bucket need a session, to read or to write, as they themselves are.
        let session = Action(prefix: "s3express", name: "CreateSession")
        for level in [AccessLevel.read, .write] where prefixes?.contains(session.prefix) ?? true {
            for sensitivity in [Sensitivity.metadata, .data] {
                found[session, default: [:]][ActionFacet(level: level, sensitivity, vends: false)] = []
            }
        }
        found[Action(prefix: "sts", name: "GetCallerIdentity")] = nil
        return found.map { action, facets in
            FacetedAction(
                action: action,
                facets: facets.map { ($0.key, $0.value.sorted()) }.sorted { $0.facet.order < $1.facet.order })
        }
        .sorted { ($0.action.prefix, $0.action.name) < ($1.action.prefix, $1.action.name) }
    }
}

extension ActionFacet {
    init(level: AccessLevel, _ sensitivity: Sensitivity, vends: Bool) {
        self.init(level: level, sensitivity: sensitivity == .unrated ? .data : sensitivity, vends: vends)
    }

    fileprivate var order: Int {
        Int(level.rawValue) * 8 + Int(sensitivity.rawValue) * 2 + (vends ? 1 : 0)
    }
}
