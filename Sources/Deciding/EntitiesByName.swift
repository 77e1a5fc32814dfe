import Vocabulary

/// Users, roles and their like of IAM as requests ask for them: by a name, without the path that their ARN
/// has.
///
/// What permits covers such a resource also where it names it and ends in that name
/// (``Vocabulary/Resource/presumed``), which no text of an ARN shows. So a comparison of policies tries each
/// name that a pattern may name.
struct EntitiesByName {
    private static let kinds = ["role", "user", "group", "instance-profile", "server-certificate"]
    /// How many are tried.
    private static let countMax = 400

    private(set) var resources: [Resource] = []
    /// Whether every name that one of the patterns may name is among them.
    private(set) var isComplete = true
    private var seen: Set<ExactText> = []

    /// Those that one of `shapes` may name.
    init(_ shapes: [TextClasses.Shape]) {
        for shape in shapes {
            guard case .arn(let head, let last) = shape, head.count == 5, head[2].matches("iam") else {
                continue
            }
            guard let name = Self.name(last) else { continue }
            for kind in Self.kinds where last.matches("\(kind)/\(name)") { add(head, kind, name) }
        }
    }

    /// The one name that `pattern` may name and end in: what stands behind its last slash or wildcard.
    private static func name(_ pattern: Pattern) -> String? {
        let ending = pattern.tokens.reversed().prefix { $0.isCharacter && $0 != .scalar(0x2F) }.reversed()
        return ending.isEmpty ? nil : Pattern(tokens: Array(ending)).literalText
    }

    private mutating func add(_ head: [Pattern], _ kind: String, _ name: String) {
        func text(_ part: Pattern, otherwise: String) -> String { part.isLiteral ? part.text : otherwise }
        let partition = text(head[1], otherwise: "aws")
        let place = "arn:\(partition):iam::\(text(head[4], otherwise: "111122223333")):\(kind)/"
        guard seen.insert(ExactText(place + name)).inserted else { return }
        guard resources.count < Self.countMax else {
            isComplete = false
            return
        }
        resources.append(Resource([.known(place), .unknown, .known(name)], presumed: place + name))
    }
}
