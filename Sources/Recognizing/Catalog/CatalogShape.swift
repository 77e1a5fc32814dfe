import Vocabulary

/// What kind of value a shape is.
package enum CatalogKind: UInt8, Hashable, Sendable, CaseIterable {
    case structure = 0
    case list = 1
    case map = 2
    case string = 3
    case blob = 4
    case boolean = 5
    case integer = 6
    case long = 7
    case float = 8
    case double = 9
    case timestamp = 10
    /// Any JSON value.
    case document = 11
}

/// How a timestamp is written.
package enum CatalogTimestamp: UInt8, Hashable, Sendable, CaseIterable {
    /// The protocol's own form: a number in JSON bodies, ISO 8601 in XML, query and URIs, RFC 822 in headers.
    case unspecified = 0
    case unixTimestamp = 1
    case iso8601 = 2
    /// `Wed, 21 Oct 2015 07:28:00 GMT`.
    case httpDate = 3
}

/// Where a member stands in a REST request.
package enum CatalogLocation: UInt8, Hashable, Sendable, CaseIterable {
    case body = 0
    /// A label of the path.
    case uri = 1
    case query = 2
    case header = 3
    /// A map whose names follow a header prefix, which is the wire name: `x-amz-meta-`.
    case headers = 4
    /// A map whose names are query names.
    case queryMap = 5
    /// The member is the whole body.
    case payload = 6
}

/// The form of a value: what a body, a query or a header may say.
///
/// Shapes that read alike are one shape, whichever service they come from; they may contain themselves.
package struct CatalogShape: Sendable, Hashable {
    let file: CatalogFile
    let index: Int

    private var record: CatalogRecord { file.record(.shapes, index) }

    /// What kind of value it is.
    package var kind: CatalogKind { CatalogKind(rawValue: record.byte(0) & 15) ?? .document }
    private func has(_ flag: UInt8) -> Bool { record.byte(1) & flag != 0 }
    /// Whether a list or map is written without a wrapper (XML, query).
    package var isFlattened: Bool { has(1) }
    /// Whether exactly one member is set.
    package var isUnion: Bool { has(2) }
    /// Whether its members are the events of a stream.
    package var isEventStream: Bool { has(4) }
    /// Whether it is a blob that streams.
    package var isStreaming: Bool { has(8) }
    /// Whether the model marks the value as sensitive: not to be shown.
    package var isSensitive: Bool { has(16) }
    /// How a timestamp is written, where the model says so.
    package var timestampFormat: CatalogTimestamp {
        CatalogTimestamp(rawValue: record.byte(0) >> 4) ?? .unspecified
    }

    /// The members of a structure, in the order of the model; empty for other kinds.
    package var members: some RandomAccessCollection<CatalogMember> {
        memberRange.lazy.map { CatalogMember(file: file, index: $0) }
    }

    var memberRange: Range<Int> {
        guard kind == .structure else { return 0..<0 }
        let (start, count) = (Int(record.long(2)) & 0xF_FFFF, Int(record.long(2)) >> 20)
        return start..<start + count
    }

    /// The member of that model name.
    package func member(named name: some StringProtocol) -> CatalogMember? {
        first { $0.nameText.equals(name) }
    }

    /// The member written as `wireName` in the body (of JSON, CBOR, XML); wire names of bodies are
    /// case-sensitive.
    package func member(wireName: some StringProtocol) -> CatalogMember? {
        first { $0.wireText.equals(wireName) && $0.isInBody }
    }

    /// The body member whose wire name is `name` but for the case of letters, so that `tablename` can be
    /// refused.
    package func member(wireNameIgnoringCase name: some StringProtocol) -> CatalogMember? {
        first { $0.wireText.equalsIgnoringCase(name) && $0.isInBody }
    }

    /// The member that is the whole body; nil when the body holds the body members.
    package var payload: CatalogMember? { first { $0.location == .payload } }

    private func first(where isIt: (CatalogMember) -> Bool) -> CatalogMember? {
        for index in memberRange {
            let member = CatalogMember(file: file, index: index)
            if isIt(member) { return member }
        }
        return nil
    }

    /// The shape of a list's elements; nil for other kinds.
    package var element: CatalogShape? {
        kind == .list ? CatalogShape(file: file, index: record.short(2)) : nil
    }
    /// The name of an element where the model gives one: in XML and query `member` if nil; for a flattened
    /// list in query it replaces the list's own name.
    package var elementName: String? {
        guard kind == .list, let name = record.optionalShort(4) else { return nil }
        return file.record(.itemNames, name).text(0).string
    }
    private var map: CatalogRecord? { kind == .map ? file.record(.maps, Int(record.long(2))) : nil }
    /// The shape of a map's keys; nil for other kinds.
    package var key: CatalogShape? { map.map { CatalogShape(file: file, index: $0.short(0)) } }
    /// The shape of a map's values; nil for other kinds.
    package var value: CatalogShape? { map.map { CatalogShape(file: file, index: $0.short(2)) } }
    /// The name of a map's keys in XML and query; `key` if nil.
    package var keyName: String? { map?.optionalText(4)?.string }
    /// The name of a map's values in XML and query; `value` if nil.
    package var valueName: String? { map?.optionalText(7)?.string }

    package static func == (left: CatalogShape, right: CatalogShape) -> Bool { left.index == right.index }
    package func hash(into hasher: inout Hasher) { hasher.combine(index) }
}

/// A member of a structure.
package struct CatalogMember: Sendable, Hashable {
    let file: CatalogFile
    let index: Int

    /// The number of its form, which like members of other structures share.
    private var form: Int { file.record(.members, index).short(0) }
    private var record: CatalogRecord { file.record(.memberForms, form) }
    private func isSpelledApart(_ record: CatalogRecord) -> Bool { record.byte(6) & 128 != 0 }
    /// One of the two names: most members have one, the others a row of their own with both.
    private func text(_ place: Int) -> CatalogText {
        let record = record
        return isSpelledApart(record)
            ? file.record(.spellings, record.triple(0)).text(place) : record.text(0)
    }

    var wireText: CatalogText { text(0) }
    var nameText: CatalogText { text(3) }

    /// The name in the model, which paths of ``CatalogResource`` and parsed parameters use: `TableName`.
    package var name: String { nameText.string }
    /// The name on the wire: of the JSON member, XML element, header, query parameter or path label. For ec2
    /// with its capital.
    package var wireName: String { wireText.string }
    /// The name in the query protocol (before `.1`, `.Name` and so on).
    package var queryName: String { queryText.string }
    /// ``queryName`` in place.
    var queryText: CatalogText {
        guard has(128) else { return wireText }
        var (low, high) = (0, file.count(of: .queryNames))
        while low < high {
            let middle = (low + high) / 2
            let row = file.record(.queryNames, middle)
            if row.short(0) == form { return row.text(2) }
            if row.short(0) < form { low = middle + 1 } else { high = middle }
        }
        return wireText
    }

    /// Whether its name on the wire is another than its name in the model. Equal texts are one in the file.
    var isRenamed: Bool { isSpelledApart(record) }
    /// The form of its value.
    package var shape: CatalogShape { CatalogShape(file: file, index: record.short(3)) }
    /// Where it stands in a REST request; body for all other protocols.
    package var location: CatalogLocation { CatalogLocation(rawValue: record.byte(6) & 127) ?? .body }
    /// Whether it is a member of the body's document.
    package var isInBody: Bool { record.byte(6) & 127 == CatalogLocation.body.rawValue }

    private func has(_ flag: UInt8) -> Bool { record.byte(5) & flag != 0 }
    /// Whether the model demands it.
    package var isRequired: Bool { has(1) }
    /// Whether SDKs fill it with a fresh token on every call.
    package var isIdempotencyToken: Bool { has(2) }
    /// Whether its list or map is written without a wrapper.
    package var isFlattened: Bool { has(4) }
    /// Whether a header holds it as base64 of JSON.
    package var isJSONValue: Bool { has(8) }
    /// Whether a host prefix names it.
    package var isHostLabel: Bool { has(16) }
    /// Whether it is a payload that streams.
    package var isStreaming: Bool { has(32) }
    /// Whether it is an event stream.
    package var isEventStream: Bool { has(64) }

    package static func == (left: CatalogMember, right: CatalogMember) -> Bool { left.index == right.index }
    package func hash(into hasher: inout Hasher) { hasher.combine(index) }
}
