import Vocabulary

/// How much is known of one service's operations; what `countersign catalog coverage` prints.
package struct CatalogCoverage: Sendable, Hashable {
    package let service: String
    package var operationCount = 0
    /// Operations whose IAM action is known.
    package var withAction = 0
    /// Operations whose own action's resource can be filled from the request.
    package var filled = 0
    /// Operations of which some, but not all required resource types can be filled.
    package var partlyFilled = 0
    /// Operations whose resource cannot be filled: it is unknown.
    package var unfilled = 0
    /// Operations whose action has no resource types: the resource is `*`.
    package var star = 0
    /// Operations without a known action: denied.
    package var unknown = 0
    /// Operations whose sensitivity is rated.
    package var rated = 0
    /// Operations whose reply holds credentials.
    package var vendsCredentials = 0
}

extension Catalog {
    /// How much is known of each service, by name.
    package var coverage: [CatalogCoverage] { services.map(\.coverage) }
}

extension CatalogService {
    /// How much is known of the service's operations.
    package var coverage: CatalogCoverage {
        var row = CatalogCoverage(service: name)
        for operation in operations {
            row.operationCount += 1
            row.rated += operation.sensitivity == .unrated ? 0 : 1
            row.vendsCredentials += operation.vendsCredentials ? 1 : 0
            guard let action = operation.actions.first, action.isKnown else {
                row.unknown += 1
                continue
            }
            row.withAction += 1
            if action.isStar {
                row.star += 1
                continue
            }
            let resources = action.resources
            let required = resources.filter(\.isRequired)
            let wanted = required.isEmpty ? resources : required
            let full = wanted.count(where: \.isFilled)
            if full > 0, full == wanted.count || required.isEmpty {
                row.filled += 1
            } else if full > 0 {
                row.partlyFilled += 1
            } else {
                row.unfilled += 1
            }
        }
        return row
    }
}

extension CatalogResource {
    /// Whether the input has a member for the whole ARN or for each variable.
    package var isFilled: Bool {
        if arnPath != nil, !arnMayBeName { return true }
        return variables.allSatisfy { $0.source != nil }
    }
}
