import Vocabulary

/// The parameters that an XML body writes, by the shape of its root.
///
/// Elements that the model does not have are kept as ``unmodeled(_:)``; one that equals a known name but for
/// case is refused, and so are an element that stands twice and is no flattened list, and text where elements
/// belong.
func parameters(_ element: XMLElement, as shape: CatalogShape) throws(RecognitionError) -> JSON {
    let part = "the XML body"
    if [.structure, .list, .map].contains(shape.kind), element.children.isEmpty,
        !element.text.utf8.allSatisfy({ [0x20, 0x09, 0x0A].contains($0) })
    {
        throw .malformed(part: part, why: "`\(shown(element.name))` holds text instead of elements")
    }
    switch shape.kind {
    case .structure:
        var members: [JSON.Member] = []
        var taken: Set<Int> = []
        for member in shape.members where member.location == .body {
            let name = member.wireText
            let found = element.children.indices.filter { name.equals(element.children[$0].name) }
            if found.isEmpty {
                if let attribute = element.attributes.first(where: { name.equals($0.name) }) {
                    members.append(.init(member.name, .string(attribute.value)))
                }
                continue
            }
            taken.formUnion(found)
            let isFlat = member.isFlattened || member.shape.isFlattened
            if isFlat, member.shape.kind == .list, let item = member.shape.element {
                var elements: [JSON] = []
                for index in found { elements.append(try parameters(element.children[index], as: item)) }
                members.append(.init(member.name, .array(elements)))
            } else if isFlat, member.shape.kind == .map {
                members.append(
                    .init(member.name, try map(found.map { element.children[$0] }, as: member.shape)))
            } else {
                guard found.count == 1 else {
                    throw .malformed(part: part, why: "`\(shown(member.wireName))` is there twice")
                }
                members.append(
                    .init(member.name, try parameters(element.children[found[0]], as: member.shape)))
            }
        }
        return .object(members + (try unknownElements(element, taken, shape)))
    case .list:
        guard let item = shape.element else { return .null }
        let name = shape.elementName ?? "member"
        var elements: [JSON] = []
        for child in element.children {
            guard child.name.isSame(as: name) else {
                throw .malformed(part: part, why: "`\(shown(child.name))` is no `\(name)`")
            }
            elements.append(try parameters(child, as: item))
        }
        return .array(elements)
    case .map:
        guard element.children.allSatisfy({ $0.name.isSame(as: "entry") }) else {
            throw .malformed(part: part, why: "`\(shown(element.name))` holds something other than `entry`")
        }
        return try map(element.children, as: shape)
    default:
        guard element.children.isEmpty else {
            throw .malformed(part: part, why: "`\(shown(element.name))` is one value")
        }
        return try scalar(element.text, as: shape, part: part, name: shown(element.name))
    }
}

/// The map whose entries `elements` are, each of one key and one value.
private func map(_ elements: [XMLElement], as shape: CatalogShape) throws(RecognitionError) -> JSON {
    var members: [JSON.Member] = []
    var seen: Set<ExactText> = []
    for entry in elements {
        let keys = entry.children.filter { $0.name.isSame(as: shape.keyName ?? "key") }
        let values = entry.children.filter { $0.name.isSame(as: shape.valueName ?? "value") }
        guard entry.children.count == 2, let key = keys.first, key.children.isEmpty, let value = values.first,
            let kind = shape.value, seen.insert(ExactText(key.text)).inserted
        else {
            throw .malformed(part: "the XML body", why: "an entry of a map is not one new key and one value")
        }
        members.append(.init(key.text, try parameters(value, as: kind)))
    }
    return .object(members)
}

private func unknownElements(
    _ element: XMLElement, _ taken: Set<Int>, _ shape: CatalogShape
) throws(RecognitionError) -> [JSON.Member] {
    var members: [JSON.Member] = []
    var seen: Set<ExactText> = []
    for (index, child) in element.children.enumerated() where !taken.contains(index) {
        if let near = shape.member(wireNameIgnoringCase: child.name.caseFolded) {
            throw .malformed(
                part: "the XML body", why: "`\(shown(child.name))` is spelled `\(near.wireName)`")
        }
        guard seen.insert(ExactText(child.name)).inserted else {
            throw .malformed(part: "the XML body", why: "`\(shown(child.name))` is there twice")
        }
        members.append(.init(unmodeled(child.name), whole(child)))
    }
    return members
}

/// Everything an element says that the model does not have, so that it changes the digest.
private func whole(_ element: XMLElement) -> JSON {
    if element.children.isEmpty { return .string(element.text) }
    return .array(element.children.map { [.string($0.name), whole($0)] })
}
