import Vocabulary

/// Reads the form of an awsQuery or ec2 call by the operation's shape.
///
/// Names are dotted paths: `Tags.member.1.Key`, flattened `Tag.1.Key`, maps `Attributes.entry.1.key`. A name
/// that stands twice, a list index that is not 1, 2, … spelled plainly, or a value that also has members is
/// refused. Names that the model does not have are kept.
struct FormReader {
    let isEC2: Bool
    private let part = "the form"
    /// The most parts of all names together.
    private let stepCountMax = 200_000

    /// A dotted name's node.
    private final class Node {
        var value: String?
        private(set) var children: [(name: String, node: Node)] = []
        private var places: [[UInt8]: Int] = [:]

        func child(_ name: String) -> Node {
            if let found = existing(name) { return found }
            let made = Node()
            places[Array(name.utf8)] = children.count
            children.append((name, made))
            return made
        }

        func existing(_ name: String) -> Node? { places[Array(name.utf8)].map { children[$0].node } }
    }

    /// The parameters that `items` (without `Action` and `Version`) write.
    func read(_ items: [QueryItem], as shape: CatalogShape?) throws(RecognitionError) -> JSON {
        let root = Node()
        var stepCount = 0
        for item in items {
            var node = root
            let steps = item.name.split(separator: ".", omittingEmptySubsequences: false)
            guard steps.count <= 32 else { throw malformed(item.name, "is nested too deep") }
            stepCount += steps.count
            guard stepCount <= stepCountMax else { throw malformed(item.name, "is one part too many") }
            for step in steps {
                guard !step.isEmpty else { throw malformed(item.name, "has an empty part") }
                node = node.child(String(step))
            }
            guard node.value == nil else { throw malformed(item.name, "is there twice") }
            node.value = item.value ?? ""
        }
        guard let shape else { return .object(try leftovers(root, known: [], path: "")) }
        return try structure(root, shape, path: "")
    }

    private func structure(_ node: Node, _ shape: CatalogShape, path: String) throws(RecognitionError) -> JSON
    {
        var members: [JSON.Member] = []
        var known: [String] = []
        for member in shape.members {
            let name = member.queryName
            guard let child = node.existing(name) ?? alternative(node, member) else { continue }
            known.append(node.children.first { $0.node === child }?.name ?? name)
            members.append(
                .init(
                    member.name, try value(child, member.shape, isFlattened(member), path: "\(path)\(name)")))
        }
        for (name, _) in node.children where !known.contains(where: { $0.isSame(as: name) }) {
            let lower = name.caseFolded
            if let near = shape.members.first(where: { $0.queryName.asciiLowercased.isSame(as: lower) }) {
                throw malformed("\(path)\(name)", "is spelled `\(near.queryName)`")
            }
        }
        return .object(members + (try leftovers(node, known: known, path: "")))
    }

    /// A flattened list may stand under its element's name.
    private func alternative(_ node: Node, _ member: CatalogMember) -> Node? {
        guard !isEC2, isFlattened(member), let name = member.shape.elementName else { return nil }
        return node.existing(name)
    }

    private func isFlattened(_ member: CatalogMember) -> Bool {
        isEC2 || member.isFlattened || member.shape.isFlattened
    }

    private func value(
        _ node: Node, _ shape: CatalogShape, _ isFlattened: Bool, path: String
    ) throws(RecognitionError) -> JSON {
        switch shape.kind {
        case .structure:
            guard node.value == nil else { throw malformed(path, "is a structure") }
            return try structure(node, shape, path: "\(path).")
        case .list:
            // An empty list is written as the bare name.
            if node.value == "", node.children.isEmpty { return .array([]) }
            guard node.value == nil, let element = shape.element else { throw malformed(path, "is a list") }
            let holder =
                isFlattened ? node : try only(node, [shape.elementName ?? "member", "member"], path: path)
            var elements: [JSON] = []
            for child in try indexed(holder, path: path) {
                elements.append(
                    try value(
                        child, element, element.isFlattened || isEC2, path: "\(path).\(elements.count + 1)"))
            }
            return .array(elements)
        case .map:
            guard node.value == nil, let valueShape = shape.value else { throw malformed(path, "is a map") }
            let holder = isFlattened ? node : try only(node, ["entry"], path: path)
            var members: [JSON.Member] = []
            var seen: Set<[UInt8]> = []
            for child in try indexed(holder, path: path) {
                guard let key = child.existing(shape.keyName ?? "key")?.value,
                    let entry = child.existing(shape.valueName ?? "value"), child.children.count == 2
                else { throw malformed(path, "has an entry without key and value") }
                guard seen.insert(Array(key.utf8)).inserted else {
                    throw malformed(path, "has a key twice")
                }
                members.append(.init(key, try value(entry, valueShape, false, path: "\(path).\(key)")))
            }
            return .object(members)
        default:
            guard let text = node.value, node.children.isEmpty else { throw malformed(path, "is one value") }
            return try scalar(text, as: shape, part: part, name: path)
        }
    }

    /// The one child that a list or map that is not flattened has.
    private func only(_ node: Node, _ names: [String], path: String) throws(RecognitionError) -> Node {
        guard node.children.count == 1, let child = node.children.first, names.contains(child.name) else {
            throw malformed(path, "must be written `.\(names[0]).1`")
        }
        return child.node
    }

    /// The children by their indices, which must be 1, 2, … in decimal without leading zeros and without
    /// holes.
    private func indexed(_ node: Node, path: String) throws(RecognitionError) -> [Node] {
        var found: [Int: Node] = [:]
        for (name, child) in node.children {
            guard let index = Int(name), index >= 1, String(index).isSame(as: name) else {
                throw malformed("\(path).\(name)", "is no list index")
            }
            found[index] = child
        }
        var ordered: [Node] = []
        for index in found.keys.sorted() {
            guard let child = found[index], index == ordered.count + 1 else {
                throw malformed("\(path).\(index)", "follows a hole in its list")
            }
            ordered.append(child)
        }
        return ordered
    }

    private func leftovers(_ node: Node, known: [String], path: String) throws(RecognitionError) -> [JSON
        .Member]
    {
        var members: [JSON.Member] = []
        for (name, child) in node.children where !known.contains(where: { $0.isSame(as: name) }) {
            if let text = child.value { members.append(.init(unmodeled(path + name), .string(text))) }
            if !child.children.isEmpty { members += try leftovers(child, known: [], path: "\(path)\(name).") }
        }
        return members
    }

    private func malformed(_ name: String, _ why: String) -> RecognitionError {
        .malformed(part: part, why: "`\(shown(name))` \(why)")
    }
}
