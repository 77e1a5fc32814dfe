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

    func read(_ json: consuming JSON, as shape: CatalogShape, at path: String) throws(RecognitionError)
        -> JSON
    {
        try read(&json, as: shape) { path }
        return json
    }

    /// Reads in place: a large document is not built a second time. `path` is written out only for a
    /// message: most documents need none.
    private func read(
        _ json: inout JSON, as shape: CatalogShape, _ path: () -> String
    ) throws(RecognitionError) {
        switch shape.kind {
        case .structure:
            guard var members = json.takeMembers() else { break }
            try structure(&members, shape, path)
            json = .object(members)
            return
        case .map:
            guard var members = json.takeMembers() else { break }
            guard let value = shape.value, !members.contains(where: { isCBOR && CBORReader.isMark($0.name) })
            else {
                throw .malformed(part: part, why: "`\(path())` is not a map")
            }
            for index in members.indices {
                let name = members[index].name
                try read(&members[index].value, as: value) { "\(path()).\(shown(name))" }
            }
            json = .object(members)
            return
        case .list:
            guard let element = shape.element, var elements = json.takeElements() else { break }
            for index in elements.indices {
                try read(&elements[index], as: element) { "\(path())[\(index)]" }
            }
            json = .array(elements)
            return
        case .string, .blob, .boolean, .integer, .long, .float, .double, .timestamp, .document: break
        }
        switch (shape.kind, json) {
        case (.blob, .object), (.timestamp, .object), (.float, .object), (.double, .object):
            guard isCBOR, let value = CBORReader.unmarked(json, as: shape.kind) else {
                throw .malformed(part: part, why: "`\(path())` is not a \(shape.kind)")
            }
            json = value
        case (.string, .string), (.boolean, .bool), (.document, _), (_, .null): return
        case (.blob, .string) where !isCBOR: return
        case (.timestamp, .number) where !isCBOR: return
        case (.timestamp, .string) where !isCBOR: return
        // `1.0` and `1e3` are numbers that a service may take for a whole one: kept as spelled.
        case (.integer, .number), (.long, .number): return
        case (.float, .number), (.double, .number): return
        case (.float, .string(let text)), (.double, .string(let text)):
            guard !isCBOR, ["NaN", "Infinity", "-Infinity"].contains(text) else {
                throw .malformed(part: part, why: "`\(path())` is not a \(shape.kind)")
            }
        default: throw .malformed(part: part, why: "`\(path())` is not a \(shape.kind)")
        }
    }

    /// INVARIANT: no two of `members` have one name, which the parsers of JSON and CBOR refuse, so no two are
    /// the same member of the model, nor have one name as ``unmodeled(_:)``.
    private func structure(
        _ members: inout [JSON.Member], _ shape: CatalogShape, _ path: () -> String
    ) throws(RecognitionError) {
        // A byte string or a timestamp is no structure.
        guard !isCBOR || !members.contains(where: { CBORReader.isMark($0.name) }) else {
            throw .malformed(part: part, why: "`\(path())` is not a structure")
        }
        // Names that the model does not have are looked up in vain: a million of them would take seconds.
        guard members.count <= shape.members.count + unmodeledCountMax else {
            let path = path()
            throw .malformed(part: part, why: "`\(path.isEmpty ? "." : path)` has too many members")
        }
        var kept = 0
        for index in members.indices {
            let name = members[index].name
            func spot() -> String {
                let above = path()
                return above.isEmpty ? shown(name) : "\(above).\(shown(name))"
            }
            if let known = find(name, in: shape) {
                if known.isRenamed { members[index].name = known.name }
                // A JSON value may stand as it is, or as the text of one.
                if !known.isJSONValue { try read(&members[index].value, as: known.shape, spot) }
            } else if let near = findIgnoringCase(name, in: shape) {
                throw .malformed(part: part, why: "`\(spot())` is spelled `\(near.name)`")
            } else if shape.isUnion, name.isSame(as: "__type") {
                continue
            } else {
                members[index].name = unmodeled(name)
            }
            if case .null = members[index].value { continue }
            if kept != index { members.swapAt(kept, index) }
            kept += 1
        }
        members.removeLast(members.count - kept)
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
func scalar(
    _ text: String, as shape: CatalogShape, part: String, name: @autoclosure () -> String
) throws(RecognitionError) -> JSON {
    switch shape.kind {
    case .boolean:
        switch text {
        case "true", "True", "TRUE", "1": return .bool(true)
        case "false", "False", "FALSE", "0": return .bool(false)
        default: throw .malformed(part: part, why: "`\(name())` is neither true nor false")
        }
    case .integer, .long:
        guard let value = Int64(text), String(value) == text else {
            throw .malformed(part: part, why: "`\(name())` is not a whole number")
        }
        return .number(text)
    case .float, .double:
        if case .number? = try? JSON(parsing: Array(text.utf8)) { return .number(text) }
        return .string(text)
    case .string, .blob, .timestamp, .document: return .string(text)
    case .structure, .list, .map: throw .malformed(part: part, why: "`\(name())` is not a \(shape.kind)")
    }
}

extension JSON {
    /// The members of an object, which is left empty so that they can change where they are.
    fileprivate mutating func takeMembers() -> [Member]? {
        guard case .object(let members) = self else { return nil }
        self = .null
        return members
    }

    /// The same of the elements of an array.
    fileprivate mutating func takeElements() -> [JSON]? {
        guard case .array(let elements) = self else { return nil }
        self = .null
        return elements
    }

    /// Appends ``canonical`` to `out`, without the members that SDKs fill with a fresh token on every call
    /// and without those that `isLeftOut` says.
    func writeMeaning(
        as shape: CatalogShape?, to out: inout [UInt8], without isLeftOut: (CatalogMember) -> Bool
    ) {
        guard let shape else { return writeCanonical(to: &out) }
        switch (shape.kind, self) {
        case (.structure, .object(let members)):
            out.append(0x7B)
            var isFirst = true
            for member in JSON.sorted(members) {
                let known = shape.member(named: member.name)
                if let known, known.isIdempotencyToken || isLeftOut(known) { continue }
                member.write(as: known?.shape, to: &out, isFirst: isFirst)
                isFirst = false
            }
            out.append(0x7D)
        case (.list, .array(let elements)):
            out.append(0x5B)
            var isFirst = true
            for element in elements {
                if !isFirst { out.append(0x2C) }
                isFirst = false
                element.writeMeaning(as: shape.element, to: &out) { _ in false }
            }
            out.append(0x5D)
        case (.map, .object(let members)):
            out.append(0x7B)
            var isFirst = true
            for member in JSON.sorted(members) {
                member.write(as: shape.value, to: &out, isFirst: isFirst)
                isFirst = false
            }
            out.append(0x7D)
        default: writeCanonical(to: &out)
        }
    }
}

extension JSON.Member {
    fileprivate func write(as shape: CatalogShape?, to out: inout [UInt8], isFirst: Bool) {
        if !isFirst { out.append(0x2C) }
        JSON.write(name, to: &out)
        out.append(0x3A)
        value.writeMeaning(as: shape, to: &out) { _ in false }
    }
}
