import Vocabulary

/// One operation of a service.
package struct CatalogOperation: Sendable, Hashable {
    let file: CatalogFile
    let index: Int

    var record: CatalogRecord { file.record(.operations, index) }
    /// What it shares with other operations.
    private var trait: CatalogRecord { file.record(.traits, record.short(13)) }

    /// `GetItem`.
    package var name: String { record.text(0).string }
    /// The service whose operation it is.
    package var service: CatalogService { CatalogService(file: file, index: record.short(11)) }
    /// `GET`, `POST`, ...; `POST` for protocols without paths.
    package var method: String { file.record(.methods, Int(trait.byte(2))).text(0).string }
    /// The path, with labels and literal query: `/{Bucket}/{Key+}?acl`; `/` for protocols without paths.
    package var uriTemplate: String { record.text(3).string }
    /// What goes before the host: `{AccountId}.`, whose labels are input members; nil for most.
    package var hostPrefix: String? { trait.optionalText(4)?.string }
    /// The input structure; nil for an operation without input.
    package var input: CatalogShape? {
        record.optionalShort(6).map { CatalogShape(file: file, index: $0) }
    }

    /// The query names and values that are fixed by the template: `acl`, `list-type=2`.
    package var queryLiterals: [(name: String, value: String?)] {
        literalRange.map { number in
            let record = file.record(.queryLiterals, number)
            return (record.text(0).string, record.optionalText(3)?.string)
        }
    }

    /// Where a call of it is sent in `region`: the service's host, but for the few operations that have
    /// another (S3's ListDirectoryBuckets). The host prefix goes before it.
    package func endpoint(region: String, variant: EndpointVariant = []) -> CatalogEndpoint? {
        CatalogEndpoint(
            file: file, hosts: trait.optionalShort(10) ?? service.hosts, region: region, variant: variant)
    }

    /// Whether it has a host other than its service's.
    package var hasOwnHost: Bool { trait.optionalShort(10) != nil }

    /// How the condition keys are known that the request fills or is known not to carry. A key that is not
    /// here is not knowable from the request.
    package var keyFills: [CatalogKeyFill] {
        trait.list(12).map { CatalogKeyFill(record: file.record(.keyFills, $0)) }
    }

    var literalRange: Range<Int> { trait.list(7) }

    /// The IAM actions it needs, the one of its own name first. Never empty. An operation whose action nobody
    /// lists has one of its own name, with ``CatalogAction/isKnown`` false.
    package var actions: [CatalogAction] {
        record.list(8).map {
            CatalogAction(record: file.record(.needs, $0), sensitivity: sensitivity)
        }
    }

    /// What the call lays open; `unrated` counts as data.
    package var sensitivity: Sensitivity { Sensitivity(rawValue: trait.byte(3)) ?? .unrated }

    private func has(_ flag: Int) -> Bool { trait.short(0) & flag != 0 }
    /// Whether the model says that it is called without a signature: not relayed (THREATS.md section 8).
    package var isUnsignedByModel: Bool { has(1) }
    /// Whether the payload is not part of the signature (`UNSIGNED-PAYLOAD`).
    package var hasUnsignedPayload: Bool { has(2) }
    /// Whether the reply holds keys, tokens, passwords or the like (THREATS.md section 8): a statement must
    /// name it.
    package var vendsCredentials: Bool { has(4) }
    /// Whether the reply's shape has a secret access key or a session token.
    package var replyCarriesKeys: Bool { has(8) }
    /// Whether a payload member streams in: object data.
    package var streamsIn: Bool { has(16) }
    /// Whether the reply's payload streams out.
    package var streamsOut: Bool { has(32) }
    /// Whether the request is an event stream.
    package var eventsIn: Bool { has(64) }
    /// Whether the reply is one.
    package var eventsOut: Bool { has(128) }
    /// Whether no member goes into the body, in a REST protocol: a body is refused.
    package var isBodyless: Bool { has(256) }
    /// Whether the model calls it deprecated.
    package var isDeprecated: Bool { has(512) }

    package static func == (left: CatalogOperation, right: CatalogOperation) -> Bool {
        left.index == right.index
    }
    package func hash(into hasher: inout Hasher) { hasher.combine(index) }
}

/// An IAM action that an operation needs.
package struct CatalogAction: Sendable {
    private let record: CatalogRecord
    private var listed: CatalogRecord { record.file.record(.actions, record.short(0)) }
    private var rating: CatalogRecord { record.file.record(.ratings, listed.short(5)) }

    init(record: CatalogRecord, sensitivity: Sensitivity) {
        self.record = record
        self.sensitivity = sensitivity
    }

    /// The operation's sensitivity.
    package let sensitivity: Sensitivity
    /// `s3`.
    package var prefix: String { record.file.record(.prefixes, listed.short(3)).text(0).string }
    /// `GetObject`.
    package var name: String { listed.text(0).string }
    /// Prefix and name as one value.
    package var action: Action { Action(prefix: prefix, name: name) }
    /// What the Service Authorization Reference says it does; unknown if it does not list it.
    package var level: AccessLevel { AccessLevel(rawValue: rating.byte(0)) ?? .unknown }
    /// Whether the Service Authorization Reference lists it; if not, its name is made up from the
    /// operation's.
    package var isKnown: Bool { rating.byte(1) != 0 }
    /// When the action is needed: the member path that must be there, or as `CallCondition` reads it; nil:
    /// always.
    package var condition: String? { record.optionalText(2)?.string }
    /// The condition keys that the Service Authorization Reference lists for it and its resource types, as
    /// AWS spells them: `aws:ResourceTag/${TagKey}`.
    package var conditionKeys: [String] {
        rating.list(2).map { record.file.record(.actionKeys, $0).text(0).string }
    }
    /// Whether the action has no resource types: its resource is `*`.
    package var isStar: Bool { record.optionalShort(5) == nil }
    /// The action's resource types. A call touches one of each required type, or if none is required at least
    /// one of all; empty and not ``isStar``: unknown.
    package var resources: [CatalogResource] {
        isStar ? [] : record.list(5).map { CatalogResource(record: record.file.record(.resources, $0)) }
    }
}

/// A resource type of an action, and where the input says which resource it is.
package struct CatalogResource: Sendable {
    /// A variable of an ARN format and where its value comes from.
    package struct Variable: Hashable, Sendable {
        /// `TableName`, as the format writes it between `${` and `}`.
        package let name: String
        /// A member path from the input's structure down, by model names (`TableName`, `Entries[].Id`,
        /// `Map{}.Arn`), or alternatives of them (`ValueSource`); nil: not in the request.
        package let source: String?
    }

    private let record: CatalogRecord

    init(record: CatalogRecord) { self.record = record }

    private var kind: CatalogRecord { record.file.record(.resourceTypes, record.short(0)) }

    /// `table`.
    package var type: String { kind.text(0).string }
    /// `arn:${Partition}:dynamodb:${Region}:${Account}:table/${TableName}`.
    package var arnFormat: String { kind.text(3).string }
    /// Whether every call of the action names one.
    package var isRequired: Bool { record.byte(8) & 1 != 0 }
    /// The member that holds the whole ARN; accept its value only if it fits ``arnFormat``.
    package var arnPath: String? { record.optionalText(2)?.string }
    /// Whether the member at ``arnPath`` may hold just a name instead, which ``variables`` then take.
    package var arnMayBeName: Bool { record.byte(8) & 2 != 0 }
    /// When a call touches one, as ``CatalogAction/condition`` says it; nil: always.
    package var condition: String? { record.optionalText(9)?.string }
    /// The variables of the format in its order; Partition, Region and Account only where a member says them.
    package var variables: [Variable] {
        record.list(5).map { number in
            let fill = record.file.record(.fills, number)
            return Variable(name: fill.text(0).string, source: fill.optionalText(3)?.string)
        }
    }
}
