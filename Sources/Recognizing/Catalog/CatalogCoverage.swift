import Vocabulary

/// How much is known of one service's operations; what `countersign catalog coverage` prints.
package struct CatalogCoverage: Sendable, Hashable {
    /// How the resources of an operation's own action are known.
    package enum Naming: String, Sendable, Hashable, CaseIterable {
        /// By code of ours that follows the service's documentation, or the action takes no resource: `*`.
        case exact
        /// Every required part of the ARN comes from a member of the request.
        case filled
        /// Some resource types or parts of them do, others are unknown runs.
        case partly
        /// The request names none of them: unknown, as nothing or as some resource of the service.
        case unknown
        /// No action is known: the operation is denied.
        case noAction
    }

    /// How a condition key that AWS lists for a needed action is known.
    package enum KeyStanding: String, Sendable, Hashable, CaseIterable {
        /// From what the request says, or always the same; where the request says nothing, absent or not
        /// knowable.
        case filled
        /// Known not to be there, at least where the request lacks certain members.
        case absent
        /// In no request: not knowable, which counts against the caller.
        case unknown
    }

    /// A part of an ARN that requests do not say, and in how many operations.
    package struct Gap: Sendable, Hashable {
        /// `db-cluster DbClusterResourceId`: the resource type and the variable of its format.
        package let part: String
        package let operationCount: Int
        /// How many of them make the resource, so that AWS names it after the call.
        package let makingCount: Int
    }

    package let service: String
    /// Whether a person read where its resources are named.
    package let isNamedByHand: Bool
    /// What keeps calls of it from AWS, though its operations are known; nil for most.
    package var obstacle: String?
    package var operationCount = 0
    /// Operations that are recognized from a request and can be signed.
    package var recognizedCount = 0
    package var namings: [Naming: Int] = [:]
    /// For each needed action of each operation, the condition keys that AWS lists for it.
    package var keys: [KeyStanding: Int] = [:]
    /// Operations whose sensitivity is rated; the others count as data.
    package var ratedCount = 0
    /// Operations whose reply holds credentials.
    package var vendingCount = 0
    /// What the partly and not named operations lack, the most frequent first.
    package var gaps: [Gap] = []

    init(service: String, isNamedByHand: Bool) {
        self.service = service
        self.isNamedByHand = isNamedByHand
    }

    /// The sum of `rows`, named for how many there are; without gaps.
    package init(sumOf rows: [CatalogCoverage]) {
        self.init(service: "all \(rows.count)", isNamedByHand: rows.allSatisfy(\.isNamedByHand))
        for row in rows {
            operationCount += row.operationCount
            recognizedCount += row.recognizedCount
            namings.merge(row.namings) { $0 + $1 }
            keys.merge(row.keys) { $0 + $1 }
            ratedCount += row.ratedCount
            vendingCount += row.vendingCount
        }
    }
}

extension Catalog {
    /// How much is known of each service, by name.
    package var coverage: [CatalogCoverage] { services.map(\.coverage) }
}

extension CatalogService {
    /// How much is known of the service's operations.
    package var coverage: CatalogCoverage {
        var row = CatalogCoverage(service: name, isNamedByHand: isNamedByHand)
        let cannotBeSigned = takesBearerTokens || usesOnlySigV4a
        row.obstacle =
            takesBearerTokens
            ? "takes bearer tokens, no signatures"
            : usesOnlySigV4a
                ? "signs with SigV4a only, which is not made"
                : livesOnResourceHosts ? "reached on hosts that the operator lists" : nil
        var (gaps, making): ([String: Int], [String: Int]) = ([:], [:])
        for operation in operations {
            row.operationCount += 1
            // Operations without a signature are not relayed.
            row.recognizedCount += !cannotBeSigned && !operation.isUnsignedByModel ? 1 : 0
            row.namings[operation.naming, default: 0] += 1
            row.keys.merge(operation.keyStandings) { $0 + $1 }
            row.ratedCount += operation.sensitivity == .unrated ? 0 : 1
            row.vendingCount += operation.vendsCredentials ? 1 : 0
            for gap in Set(operation.gaps) {
                gaps[gap, default: 0] += 1
                making[gap, default: 0] += operation.makesItsResource ? 1 : 0
            }
        }
        row.gaps = gaps.map {
            .init(part: $0.key, operationCount: $0.value, makingCount: making[$0.key] ?? 0)
        }
        .sorted { ($1.operationCount, $0.part) < ($0.operationCount, $1.part) }
        return row
    }

    private var usesOnlySigV4a: Bool {
        resourceHostForms.isEmpty
            && Catalog(file: file).regions.allSatisfy { endpoint(region: $0.name)?.usesSigV4a ?? true }
    }
}

extension CatalogOperation {
    /// How the resources of its own action are known.
    package var naming: CatalogCoverage.Naming {
        guard let action = actions.first, action.isKnown else { return .noAction }
        if isNamedByCode || action.isStar { return .exact }
        if action.resources.isEmpty { return service.namesResourcesByPath ? .exact : .unknown }
        let wanted = action.wantedResources
        let full = wanted.count(where: \.isFilled)
        if full == wanted.count || full > 0 && !action.resources.contains(where: \.isRequired) {
            return .filled
        }
        return full > 0 || wanted.contains { $0.variables.contains { $0.source != nil } } ? .partly : .unknown
    }

    /// How many of its actions' condition keys are known how.
    package var keyStandings: [CatalogCoverage.KeyStanding: Int] {
        let fills = Dictionary(keyFills.map { ($0.key, $0) }) { first, _ in first }
        var counts: [CatalogCoverage.KeyStanding: Int] = [:]
        for (number, action) in actions.enumerated() {
            for key in action.conditionKeys {
                let fill = fills[key].flatMap { $0.isListed(for: number) ? $0 : nil }
                counts[fill.map { $0.source.isAbsent ? .absent : .filled } ?? .unknown, default: 0] += 1
            }
        }
        return counts
    }

    /// Whether code of ours names its resources.
    package var isNamedByCode: Bool { exactNamer(service: service.name, operation: name) != nil }

    /// Whether it makes what it names, as its own name says: what AWS chooses then is in no request.
    var makesItsResource: Bool {
        let verbs = ["Create", "Register", "Import", "Copy", "Restore", "Allocate", "Request", "Purchase"]
        return actions.first?.level == .write && verbs.contains { name.hasPrefix($0) }
    }

    /// The parts of its resources that no member of the request says: `table TableName`.
    var gaps: [String] {
        guard naming == .partly || naming == .unknown, let action = actions.first else { return [] }
        return action.wantedResources.filter { !$0.isFilled }.flatMap { resource in
            resource.variables.filter { $0.source == nil }.map { "\(resource.type) \($0.name)" }
        }
    }
}

extension CatalogAction {
    /// The resource types that a call should name: the required ones, or all if none is.
    fileprivate var wantedResources: [CatalogResource] {
        let required = resources.filter(\.isRequired)
        return required.isEmpty ? resources : required
    }
}

extension CatalogResource {
    /// Whether the input has a member for the whole ARN or for each variable.
    package var isFilled: Bool {
        if arnPath != nil, !arnMayBeName { return true }
        return variables.allSatisfy { $0.source != nil }
    }
}

extension CatalogKeySource {
    fileprivate var isAbsent: Bool {
        switch self {
        case .absent, .absentUnless: true
        case .member, .memberIfAny, .literal, .text, .tags, .region, .resource, .account, .computed: false
        }
    }
}
