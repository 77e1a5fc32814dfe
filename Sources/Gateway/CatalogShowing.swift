import Recognizing
import Vocabulary

/// Why `countersign catalog` cannot say what it was asked.
package struct CatalogQuestionError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String
}

/// A page of `countersign catalog show`: for a reader, and for a program.
package struct CatalogPage: Sendable {
    package let text: String
    package let json: JSON
}

/// What the catalog knows of `name`: a service (`dynamodb`), an operation (`dynamodb:Query`) or an IAM action
/// (`s3:ListBucket`).
///
/// - Parameters:
///   - region: Where the hosts that it shows are.
///   - useFIPS: Whether it shows the hosts for FIPS 140.
///   - useDualStack: Whether it shows the hosts that IPv6 reaches.
/// - Throws: ``CatalogQuestionError`` for a name that is none of these, with the nearest ones.
package func catalogPage(
    of name: String, region: String, useFIPS: Bool = false, useDualStack: Bool = false,
    catalog: Catalog = .builtIn
) throws(CatalogQuestionError) -> CatalogPage {
    let variant = EndpointVariant(fips: useFIPS, dualStack: useDualStack)
    guard catalog.partition(region: region) != nil else {
        throw CatalogQuestionError(description: "the catalog knows no region `\(shown(region))`")
    }
    let halves = name.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    if halves.count == 1, let service = catalog.service(named: name) {
        return page(of: service, region: region, variant: variant)
    }
    if halves.count == 2 {
        if let operation = operation(halves[0], halves[1], in: catalog) {
            return page(of: operation, region: region, variant: variant)
        }
        if let action = catalog.listedAction(prefix: halves[0], name: halves[1]) {
            return page(of: action, in: catalog)
        }
    }
    let near = catalog.actionsNear(name).map { "`\($0)`" }
    throw CatalogQuestionError(
        description: "`\(shown(name))` is no service, no SERVICE:OPERATION and no IAM action"
            + (near.isEmpty ? "" : "; near it: \(list(near))"))
}

/// The operation of that name, in any case.
private func operation(_ service: String, _ name: String, in catalog: Catalog) -> CatalogOperation? {
    guard let service = catalog.service(named: service) else { return nil }
    return service.operation(named: name)
        ?? service.operations.first { $0.name.lowercased() == name.lowercased() }
}

// MARK: - An operation

private func page(
    of operation: CatalogOperation, region: String, variant: EndpointVariant
) -> CatalogPage {
    var lines = ["\(operation.service.name):\(operation.name)"]
    func say(_ word: String, _ text: String) { lines.append("  " + padded(word, 12) + text) }
    say("called as", operation.callForms.joined(separator: "; "))
    say("shows", words(of: operation).joined(separator: ", "))
    say("goes to", place(operation.endpoint(region: region, variant: variant), operation.hostPrefix))
    let tokens = operation.tokens
    if !tokens.isEmpty { say("token", "\(list(tokens)) is not part of what is approved") }
    say("named", explanation(of: operation))
    for action in operation.actions {
        lines.append("")
        lines.append("  " + line(of: action))
        if action.isStar { lines.append("    on *") }
        for resource in action.resources {
            lines.append("    " + line(of: resource, isCode: operation.isNamedByCode))
        }
    }
    let keys = operation.knownKeys
    if !keys.isEmpty { lines += ["", "  condition keys"] }
    let width = keys.map(\.key.utf8.count).max() ?? 0
    lines += keys.map { "    " + padded($0.key, width + 2) + text(of: $0, in: operation) }
    return CatalogPage(
        text: lines.joined(separator: "\n"), json: json(of: operation, region: region, variant: variant))
}

private func line(of action: CatalogAction) -> String {
    let level = action.isKnown ? action.level.description : "not listed by AWS: denied"
    let condition = action.condition.map { ", if \($0)" } ?? ""
    return "\(action.action)  \(level)\(condition)"
}

/// Of an operation that code names, the members that the rule found say nothing.
private func line(of resource: CatalogResource, isCode: Bool) -> String {
    let head = "\(resource.type)\(resource.isRequired ? "*" : "")  \(resource.arnFormat)"
    if isCode { return head }
    var sources = resource.variables.map { "\($0.name) \($0.source.map { "from \($0)" } ?? "not known")" }
    if let path = resource.arnPath {
        sources.insert(resource.arnMayBeName ? "ARN or name in \(path)" : "ARN in \(path)", at: 0)
    }
    let condition = resource.condition.map { ", if \($0)" } ?? ""
    return "\(head)  \(list(sources, atMost: 9))\(condition)"
}

private func explanation(of operation: CatalogOperation) -> String {
    if operation.isNamedByCode { return "by code that follows the service's documentation" }
    let origin = operation.service.isNamedByHand ? "members read by hand" : "members that a rule found"
    return switch operation.naming {
    case .exact: "exactly: it takes no resource, or its path is the resource"
    case .filled: "whole, by \(origin)"
    case .partly: "in part, by \(origin); the rest is unknown"
    case .unknown: "not: no member says which resource"
    case .noAction: "not: AWS lists no action for it, so it is denied"
    }
}

private func words(of operation: CatalogOperation) -> [String] {
    var words = [operation.sensitivity.description]
    if operation.vendsCredentials { words.append("its reply holds credentials: a statement must name it") }
    if operation.isUnsignedByModel { words.append("called without a signature: not relayed") }
    if operation.isDeprecated { words.append("deprecated") }
    return words
}

private func place(_ endpoint: CatalogEndpoint?, _ prefix: String?) -> String {
    guard let endpoint else { return "nowhere: there is no such host" }
    return "https://\(prefix ?? "")\(endpoint.host)\(endpoint.basePath)  signed for \(endpoint.signingName) "
        + "in \(endpoint.signingRegion)" + (endpoint.usesSigV4a ? " with SigV4a, which is not made" : "")
}

/// How a key is known, and of which pairs, where not of all whose action has it.
private func text(of key: KnownKey, in operation: CatalogOperation) -> String {
    guard let fill = key.fill else { return "not knowable" }
    let having = operation.actions.indices.filter {
        operation.actions[$0].conditionKeys.contains(key.key)
    }
    let said = having.filter(fill.isListed)
    let actions = said == having ? [] : said.map { "\(operation.actions[$0].action)" }
    let pairs =
        (actions.isEmpty ? "" : "; of \(list(actions))")
        + (fill.kinds.isEmpty ? "" : "; of \(list(fill.kinds.map { "`\($0)`" })) only")
    return fill.source.words + pairs
}

/// A condition key that AWS lists, and how it is known; nil: not knowable.
private struct KnownKey {
    let key: String
    let fill: CatalogKeyFill?
}

extension CatalogOperation {
    /// How a request names it, in each protocol.
    fileprivate var callForms: [String] {
        service.protocols.map { spoken in
            switch spoken {
            case .awsJSON10, .awsJSON11: "\(spoken) \(service.targetPrefix ?? "").\(name)"
            case .restJSON, .restXML: "\(spoken) \(method) \(uriTemplate)"
            case .query, .ec2: "\(spoken) Action=\(name)&Version=\(service.apiVersion)"
            case .rpcV2CBOR: "\(spoken) POST /service/\(service.targetPrefix ?? "")/operation/\(name)"
            }
        }
    }

    /// The top members that SDKs fill with a fresh token.
    fileprivate var tokens: [String] { input?.members.filter(\.isIdempotencyToken).map(\.name) ?? [] }

    /// The condition keys that AWS lists for its actions.
    fileprivate var knownKeys: [KnownKey] {
        let known = Dictionary(keyFills.map { ($0.key, $0) }) { first, _ in first }
        return Set(actions.flatMap(\.conditionKeys)).sorted().map { KnownKey(key: $0, fill: known[$0]) }
    }
}

private func json(of operation: CatalogOperation, region: String, variant: EndpointVariant) -> JSON {
    let endpoint = operation.endpoint(region: region, variant: variant)
    let keys = operation.knownKeys.map { known in
        let state: JSON =
            switch known.fill?.source {
            case .member(let path): .object([.init("from", .string(path)), .init("else", .string("absent"))])
            case .memberIfAny(let path):
                .object([.init("from", .string(path)), .init("else", .string("unknown"))])
            case .literal(let text): .object([.init("is", .string(text))])
            case .tags(let path): .object([.init("tags", .string(path))])
            case .region: .string("region")
            case .resource(.id(let prefix)): .object([.init("id_of", .string(prefix))])
            case .resource(.whole(let prefix)): .object([.init("arn_of", .string(prefix))])
            case .account: .string("account")
            case .text(let text, let isElseAbsent):
                .object([
                    .init("text", .string(text)),
                    .init("else", .string(isElseAbsent ? "absent" : "unknown")),
                ])
            case .absentUnless(let members): .object([.init("absent_unless", .strings(members))])
            case .computed: .string("computed")
            case .absent: .string("absent")
            case nil: .string("unknown")
            }
        return JSON.Member(known.key, state)
    }
    return .object([
        .init("service", .string(operation.service.name)), .init("operation", .string(operation.name)),
        .init("called_as", .strings(operation.callForms)),
        .init("sensitivity", .string(operation.sensitivity.description)),
        .init("vends_credentials", .bool(operation.vendsCredentials)),
        .init("unsigned_by_model", .bool(operation.isUnsignedByModel)),
        .init("tokens", .strings(operation.tokens)),
        .init("host_prefix", operation.hostPrefix.map { .string($0) } ?? .null),
        .init("endpoint", endpoint.map(json) ?? .null),
        .init("named", .string(operation.naming.rawValue)),
        .init("named_by_code", .bool(operation.isNamedByCode)),
        .init("actions", .array(operation.actions.map(json))), .init("condition_keys", .object(keys)),
    ])
}

private func json(_ endpoint: CatalogEndpoint) -> JSON {
    .object([
        .init("url", .string("https://\(endpoint.host)\(endpoint.basePath)")),
        .init("signing_name", .string(endpoint.signingName)),
        .init("signing_region", .string(endpoint.signingRegion)), .init("sigv4a", .bool(endpoint.usesSigV4a)),
    ])
}

private func json(_ action: CatalogAction) -> JSON {
    .object([
        .init("action", .string(action.action.description)),
        .init("level", .string(action.level.description)),
        .init("known", .bool(action.isKnown)), .init("if", action.condition.map { .string($0) } ?? .null),
        .init("star", .bool(action.isStar)),
        .init(
            "resources",
            .array(
                action.resources.map { resource in
                    .object([
                        .init("type", .string(resource.type)), .init("arn", .string(resource.arnFormat)),
                        .init("required", .bool(resource.isRequired)),
                        .init("if", resource.condition.map { .string($0) } ?? .null),
                        .init("arn_in", resource.arnPath.map { .string($0) } ?? .null),
                        .init(
                            "from",
                            .object(
                                resource.variables.map {
                                    .init($0.name, $0.source.map { .string($0) } ?? .null)
                                })),
                    ])
                })),
    ])
}

// MARK: - A service, an action

private func page(of service: CatalogService, region: String, variant: EndpointVariant) -> CatalogPage {
    let coverage = service.coverage
    let head = [
        service.name,
        "  protocols   \(service.protocols.map(\.description).joined(separator: ", "))",
        "  signs as    \(([service.signingName] + service.signingAliases).joined(separator: ", "))",
        "  IAM prefix  \(service.iamPrefix)",
        "  goes to     \(place(service.endpoint(region: region, variant: variant), nil))",
    ]
    let forms = service.resourceHostForms.map { "  listed      \($0.pattern)" }
    let note = coverage.obstacle.map { ["  note        \($0)"] } ?? []
    let rows = service.operations.map { operation in
        let action = operation.actions.first
        return [
            operation.name, action.map { "\($0.action)" } ?? "", action?.level.description ?? "",
            operation.naming.rawValue, operation.sensitivity.description,
            operation.vendsCredentials ? "vends" : "",
        ]
    }
    let columns = ["operation", "action", "level", "resource", "shows", ""]
    let text = (head + forms + note + [""] + table([columns] + rows)).joined(separator: "\n")
    return CatalogPage(
        text: text,
        json: .object([
            .init("service", .string(service.name)),
            .init("protocols", .strings(service.protocols.map(\.description))),
            .init("signing_names", .strings([service.signingName] + service.signingAliases)),
            .init("iam_prefix", .string(service.iamPrefix)),
            .init("endpoint", service.endpoint(region: region, variant: variant).map(json) ?? .null),
            .init(
                "operations",
                .array(service.operations.map { json(of: $0, region: region, variant: variant) })),
        ]))
}

private func page(of listed: ListedAction, in catalog: Catalog) -> CatalogPage {
    var keys: Set<String> = []
    var users: [String] = []
    for operation in catalog.operations {
        for action in operation.actions where action.action == listed.action {
            keys.formUnion(action.conditionKeys)
            users.append(
                "\(operation.service.name):\(operation.name)" + (action.condition.map { " if \($0)" } ?? ""))
        }
    }
    let lines =
        ["\(listed.action)  \(listed.level)"]
        + (users.isEmpty
            ? ["  no operation is known to need it"] : ["  needed by"] + users.map { "    \($0)" })
        + (keys.isEmpty ? [] : ["  condition keys"] + keys.sorted().map { "    \($0)" })
    return CatalogPage(
        text: lines.joined(separator: "\n"),
        json: .object([
            .init("action", .string(listed.action.description)),
            .init("level", .string(listed.level.description)), .init("needed_by", .strings(users)),
            .init("condition_keys", .strings(keys.sorted())),
        ]))
}
