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
        let name: String
        var value: String?
        /// Whether the model has it.
        var isKnown = false
        private(set) var children: [Node] = []
        private var places: [ExactText: Int] = [:]
        /// Few children are looked through; an index of more than this many pays.
        private static let fewMax = 8

        init(_ name: String) { self.name = name }

        /// The child whose name is `step`, made if there is none. Names mostly come in order, so that it is
        /// the last one.
        func child(_ step: ArraySlice<UInt8>) -> Node {
            if let last = children.last, last.name.utf8.elementsEqual(step) { return last }
            if children.count <= Self.fewMax,
                let found = children.first(where: { $0.name.utf8.elementsEqual(step) })
            {
                return found
            }
            let name = String(decoding: step, as: UTF8.self)
            if children.count > Self.fewMax, let found = existing(name) { return found }
            let made = Node(name)
            children.append(made)
            if children.count == Self.fewMax + 1 {
                for (place, child) in children.enumerated() { places[ExactText(child.name)] = place }
            } else if children.count > Self.fewMax {
                places[ExactText(name)] = children.count - 1
            }
            return made
        }

        func existing(_ name: String) -> Node? {
            guard children.count > Self.fewMax else { return children.first { $0.name.isSame(as: name) } }
            return places[ExactText(name)].map { children[$0] }
        }
    }

    /// The parameters that `items` (without `Action` and `Version`) write.
    func read(_ items: [QueryItem], as shape: CatalogShape?) throws(RecognitionError) -> JSON {
        let root = Node("")
        var stepCount = 0
        for item in items {
            var node = root
            let name = Array(item.name.utf8)
            let count = name.reduce(1) { $0 + ($1 == 0x2E ? 1 : 0) }
            guard count <= 32 else { throw malformed(item.name, "is nested too deep") }
            stepCount += count
            guard stepCount <= stepCountMax else { throw malformed(item.name, "is one part too many") }
            var start = 0
            for _ in 0..<count {
                let end = name[start...].firstIndex(of: 0x2E) ?? name.endIndex
                guard end > start else { throw malformed(item.name, "has an empty part") }
                node = node.child(name[start..<end])
                start = end + 1
            }
            guard node.value == nil else { throw malformed(item.name, "is there twice") }
            node.value = item.value ?? ""
        }
        guard let shape else { return .object(try leftovers(root, path: "")) }
        return try structure(root, shape) { "" }
    }

    /// `path` is written out only for a message.
    private func structure(
        _ node: Node, _ shape: CatalogShape, path: () -> String
    ) throws(RecognitionError) -> JSON {
        var members: [JSON.Member] = []
        for member in shape.members {
            let queryName = member.queryText
            guard
                let child = node.children.first(where: { queryName.equals($0.name) })
                    ?? alternative(node, member)
            else { continue }
            child.isKnown = true
            let value = try value(child, member.shape, isFlattened(member)) { path() + queryName.string }
            members.append(.init(member.name, value))
        }
        for child in node.children where !child.isKnown {
            let lower = child.name.caseFolded
            if let near = shape.members.first(where: { $0.queryText.equalsIgnoringCase(lower) }) {
                throw malformed(path() + child.name, "is spelled `\(near.queryName)`")
            }
        }
        return .object(members + (try leftovers(node, path: "")))
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
        _ node: Node, _ shape: CatalogShape, _ isFlattened: Bool, path: () -> String
    ) throws(RecognitionError) -> JSON {
        switch shape.kind {
        case .structure:
            guard node.value == nil else { throw malformed(path(), "is a structure") }
            return try structure(node, shape) { path() + "." }
        case .list:
            // An empty list is written as the bare name.
            if node.value == "", node.children.isEmpty { return .array([]) }
            guard node.value == nil, let element = shape.element else { throw malformed(path(), "is a list") }
            let holder =
                isFlattened ? node : try only(node, [shape.elementName ?? "member", "member"], path: path)
            var elements: [JSON] = []
            for child in try indexed(holder, path: path) {
                let number = elements.count + 1
                elements.append(
                    try value(child, element, element.isFlattened || isEC2) { "\(path()).\(number)" })
            }
            return .array(elements)
        case .map:
            guard node.value == nil, let valueShape = shape.value else { throw malformed(path(), "is a map") }
            let holder = isFlattened ? node : try only(node, ["entry"], path: path)
            var members: [JSON.Member] = []
            var seen: Set<ExactText> = []
            for child in try indexed(holder, path: path) {
                guard let key = child.existing(shape.keyName ?? "key")?.value,
                    let entry = child.existing(shape.valueName ?? "value"), child.children.count == 2
                else { throw malformed(path(), "has an entry without key and value") }
                guard seen.insert(ExactText(key)).inserted else {
                    throw malformed(path(), "has a key twice")
                }
                members.append(.init(key, try value(entry, valueShape, false) { "\(path()).\(key)" }))
            }
            return .object(members)
        default:
            guard let text = node.value, node.children.isEmpty else {
                throw malformed(path(), "is one value")
            }
            return try scalar(text, as: shape, part: part, name: path())
        }
    }

    /// The one child that a list or map that is not flattened has.
    private func only(_ node: Node, _ names: [String], path: () -> String) throws(RecognitionError) -> Node {
        guard node.children.count == 1, let child = node.children.first, names.contains(child.name) else {
            throw malformed(path(), "must be written `.\(names[0]).1`")
        }
        return child
    }

    /// The children by their indices, which must be 1, 2, … in decimal without leading zeros and without
    /// holes.
    private func indexed(_ node: Node, path: () -> String) throws(RecognitionError) -> [Node] {
        var found: [(index: Int, node: Node)] = []
        for child in node.children {
            guard let index = Int(child.name), index >= 1, String(index).isSame(as: child.name) else {
                throw malformed("\(path()).\(child.name)", "is no list index")
            }
            found.append((index, child))
        }
        // They mostly come in order.
        if found.indices.contains(where: { found[$0].index != $0 + 1 }) { found.sort { $0.index < $1.index } }
        for (place, one) in found.enumerated() where one.index != place + 1 {
            throw malformed("\(path()).\(one.index)", "follows a hole in its list")
        }
        return found.map(\.node)
    }

    /// What the model does not have.
    private func leftovers(_ node: Node, path: String) throws(RecognitionError) -> [JSON.Member] {
        var members: [JSON.Member] = []
        for child in node.children where !child.isKnown {
            let name = path + child.name
            if let text = child.value { members.append(.init(unmodeled(name), .string(text))) }
            if !child.children.isEmpty { members += try leftovers(child, path: "\(name).") }
        }
        return members
    }

    private func malformed(_ name: String, _ why: String) -> RecognitionError {
        .malformed(part: part, why: "`\(shown(name))` \(why)")
    }
}
