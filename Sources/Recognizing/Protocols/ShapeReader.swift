import Vocabulary

/// Reads a JSON document (of awsJson, rest-json, or CBOR turned into JSON) by the operation's shape: members
/// by their model names, types as the model has them.
///
/// Members that the model does not have are kept under a name that none of it has (``unmodeled(_:)``), so
/// that they change the digest and nothing else; one that equals a known name but for the case of letters is
/// refused. A member that is null counts as absent and is dropped.
struct ShapeReader {
    /// Where the document stands, for messages.
    let part: String
    /// Whether members are found by their wire names; by their model names in CBOR.
    let usesWireNames: Bool
    /// Whether the document was CBOR: byte strings and timestamps are marked, and stand only where they
    /// should.
    var isCBOR: Bool { !usesWireNames }

    func read(_ json: JSON, as shape: CatalogShape, at path: String) throws(RecognitionError) -> JSON {
        try read(json, as: shape) { path }
    }

    /// `path` is written out only for a message: most documents need none.
    private func read(
        _ json: JSON, as shape: CatalogShape, _ path: () -> String
    ) throws(RecognitionError) -> JSON {
        switch (shape.kind, json) {
        case (.structure, .object(let members)): return try structure(members, shape, path)
        case (.map, .object(let members)):
            guard let value = shape.value, !members.contains(where: { isCBOR && CBORReader.isMark($0.name) })
            else {
                throw .malformed(part: part, why: "`\(path())` is not a map")
            }
            var read: [JSON.Member] = []
            for member in members {
                let element = try self.read(member.value, as: value) { "\(path()).\(shown(member.name))" }
                read.append(.init(member.name, element))
            }
            return .object(read)
        case (.list, .array(let elements)):
            guard let element = shape.element else { return json }
            var read: [JSON] = []
            for (index, value) in elements.enumerated() {
                read.append(try self.read(value, as: element) { "\(path())[\(index)]" })
            }
            return .array(read)
        case (.blob, .object), (.timestamp, .object):
            guard isCBOR, let value = CBORReader.unmarked(json, as: shape.kind) else {
                throw .malformed(part: part, why: "`\(path())` is not a \(shape.kind)")
            }
            return value
        case (.string, .string), (.boolean, .bool), (.document, _), (_, .null): return json
        case (.blob, .string) where !isCBOR: return json
        case (.timestamp, .number) where !isCBOR: return json
        case (.timestamp, .string) where !isCBOR: return json
        case (.integer, .number(let text)), (.long, .number(let text)):
            // `1.0` and `1e3` are numbers that a service may take for a whole one: kept as spelled.
            return .number(text)
        case (.float, .number), (.double, .number): return json
        case (.float, .string(let text)) where ["NaN", "Infinity", "-Infinity"].contains(text): return json
        case (.double, .string(let text)) where ["NaN", "Infinity", "-Infinity"].contains(text): return json
        default: throw .malformed(part: part, why: "`\(path())` is not a \(shape.kind)")
        }
    }

    private func structure(_ members: [JSON.Member], _ shape: CatalogShape, _ path: () -> String)
        throws(RecognitionError) -> JSON
    {
        var read: [JSON.Member] = []
        var seen: Set<[UInt8]> = []
        // A byte string or a timestamp is no structure.
        guard !isCBOR || !members.contains(where: { CBORReader.isMark($0.name) }) else {
            throw .malformed(part: part, why: "`\(path())` is not a structure")
        }
        // Names that the model does not have are looked up in vain: a million of them would take seconds.
        guard members.count <= shape.members.count + unmodeledCountMax else {
            let path = path()
            throw .malformed(part: part, why: "`\(path.isEmpty ? "." : path)` has too many members")
        }
        for member in members {
            func spot() -> String {
                let above = path()
                return above.isEmpty ? shown(member.name) : "\(above).\(shown(member.name))"
            }
            var name = member.name
            var value = member.value
            if let known = find(member.name, in: shape) {
                name = known.name(foundAs: member.name)
                // A JSON value may stand as it is, or as the text of one.
                if !known.isJSONValue { value = try self.read(member.value, as: known.shape, spot) }
            } else if let near = findIgnoringCase(member.name, in: shape) {
                throw .malformed(part: part, why: "`\(spot())` is spelled `\(near.name)`")
            } else if shape.isUnion, member.name.isSame(as: "__type") {
                continue
            } else {
                name = unmodeled(member.name)
            }
            guard seen.insert(Array(name.utf8)).inserted else {
                throw .malformed(part: part, why: "`\(spot())` is there twice")
            }
            if value != .null { read.append(.init(name, value)) }
        }
        return .object(read)
    }

    private func find(_ name: String, in shape: CatalogShape) -> CatalogMember? {
        usesWireNames ? shape.member(wireName: name) : shape.member(named: name)
    }

    private func findIgnoringCase(_ name: String, in shape: CatalogShape) -> CatalogMember? {
        let lower = name.caseFolded
        if usesWireNames { return shape.member(wireNameIgnoringCase: lower) }
        return shape.members.first { $0.name.asciiLowercased.isSame(as: lower) }
    }
}

/// The most members of one structure that the model does not have.
private let unmodeledCountMax = 100

/// The name under which a parameter is kept that the model does not have: `?Name`. No model name begins so,
/// and what AWS ignores must never be read as what it heeds.
func unmodeled(_ name: String) -> String { "?" + name }

/// `text`, from a path label, a query, a header, a form or an XML element, as the value its shape says.
///
/// - Throws: ``RecognitionError/malformed(part:why:)`` when it is no such value.
func scalar(_ text: String, as shape: CatalogShape, part: String, name: String) throws(RecognitionError)
    -> JSON
{
    switch shape.kind {
    case .boolean:
        switch text {
        case "true", "True", "TRUE", "1": return .bool(true)
        case "false", "False", "FALSE", "0": return .bool(false)
        default: throw .malformed(part: part, why: "`\(name)` is neither true nor false")
        }
    case .integer, .long:
        guard let value = Int64(text), String(value) == text else {
            throw .malformed(part: part, why: "`\(name)` is not a whole number")
        }
        return .number(text)
    case .float, .double:
        if case .number? = try? JSON(parsing: Array(text.utf8)) { return .number(text) }
        return .string(text)
    case .string, .blob, .timestamp, .document: return .string(text)
    case .structure, .list, .map: throw .malformed(part: part, why: "`\(name)` is not a \(shape.kind)")
    }
}

extension JSON {
    /// The value without the members that SDKs fill with a fresh token on every call.
    func withoutIdempotencyTokens(_ shape: CatalogShape?) -> JSON {
        guard let shape else { return self }
        switch (shape.kind, self) {
        case (.structure, .object(let members)):
            return .object(
                members.compactMap { member in
                    guard let known = shape.member(named: member.name) else { return member }
                    if known.isIdempotencyToken { return nil }
                    return .init(member.name, member.value.withoutIdempotencyTokens(known.shape))
                })
        case (.list, .array(let elements)):
            return .array(elements.map { $0.withoutIdempotencyTokens(shape.element) })
        case (.map, .object(let members)):
            return .object(members.map { .init($0.name, $0.value.withoutIdempotencyTokens(shape.value)) })
        default: return self
        }
    }
}
