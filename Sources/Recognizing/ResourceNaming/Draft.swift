import Vocabulary

/// One action on one resource that a call needs.
///
/// Equal when the bytes are, since Swift holds `é` equal to `e` with an accent and S3 does not: both keys are
/// deleted. Actions are equal in any case, as IAM has it.
struct Touch: Hashable {
    let action: Action
    let resource: Resource

    static func == (left: Touch, right: Touch) -> Bool {
        left.action == right.action
            && left.resource.parts.elementsEqual(right.resource.parts) { left, right in
                switch (left, right) {
                case (.known(let left), .known(let right)): left.isSame(as: right)
                case (.unknown, .unknown): true
                case (.unknownCharacters(let left), .unknownCharacters(let right)): left == right
                case (.known, _), (.unknown, _), (.unknownCharacters, _): false
                }
            }
    }

    func hash(into hasher: inout Hasher) {
        // The actions of one call are few; its resources may be many.
        hasher.combine(action.name.utf8.count)
        for part in resource.parts {
            if case .known(let text) = part { hasher.combine(exactly: text) }
        }
    }
}

/// What is found out about one call while it is being named: its pairs in order and without doubles, and its
/// keys.
struct Draft {
    /// One thing that the call needs.
    struct Want {
        let touch: Touch
        /// What the call does with the action where that is known better than the action's own level says.
        var level: AccessLevel?

        var action: Action { touch.action }
        var resource: Resource { touch.resource }
    }

    let facts: CallFacts
    private(set) var wants: [Want] = []
    private var seen: Set<Touch> = []
    /// Few wants are looked through; a set of more than this many pays.
    private static let fewMax = 4
    var itemCount = 1
    var keys = ConditionKeys()

    let operation: String
    let parameters: Parameters
    /// Where the call goes.
    let place: Place

    init(_ facts: CallFacts) {
        self.facts = facts
        operation = facts.operation
        parameters = Parameters(facts.parameters)
        place = Place(partition: facts.partition, region: facts.region, account: facts.account)
    }

    /// The call needs `action`, written `prefix:Name`, on `resource`.
    mutating func want(_ action: String, on resource: Resource) {
        guard let colon = action.utf8.firstIndex(of: 0x3A) else { return }
        let name = action.utf8[colon...].dropFirst()
        want(
            Action(prefix: String(action[..<colon]), name: String(Substring(name))),
            on: resource)
    }

    mutating func want(_ action: Action, on resource: Resource, level: AccessLevel? = nil) {
        let touch = Touch(action: action, resource: resource)
        guard isNew(touch) else {
            // One that reads and writes it has the action's own level again.
            for index in wants.indices where wants[index].level != level && wants[index].touch == touch {
                wants[index].level = nil
            }
            return
        }
        wants.append(Want(touch: touch, level: level))
    }

    private mutating func isNew(_ touch: Touch) -> Bool {
        if wants.count < Self.fewMax { return !wants.contains { $0.touch == touch } }
        if seen.isEmpty { seen.formUnion(wants.map(\.touch)) }
        return seen.insert(touch).inserted
    }

    /// The key `name` is filled with `values`, or known to be absent when there are none.
    mutating func fill(_ name: String, _ values: [String]) {
        keys[name] = values.isEmpty ? .absent : .filled(values)
    }

    /// The key `name` is filled with the member `member` as it is spelled, or known to be absent.
    mutating func fill(_ name: String, from member: String) {
        switch parameters.value(member) {
        case .string(let text)?: fill(name, [text])
        case .number(let text)?: fill(name, [text])
        case .bool(let value)?: fill(name, [value ? "true" : "false"])
        case nil: fill(name, [])
        case .null?, .array?, .object?: keys[name] = .unknown
        }
    }
}

// MARK: - What several services share

extension Draft {
    /// The ARN in `member`, which must be one of `service` whose sixth part begins with one of `kinds` (none:
    /// any).
    func arn(
        _ member: String, service: String, kinds: [String] = [], in parameters: Parameters? = nil
    ) throws(RecognitionError) -> Resource {
        let parameters = parameters ?? self.parameters
        let text = try parameters.text(member)
        guard let arn = ARN(parsing: text), arn.service == service,
            kinds.isEmpty || kinds.contains(where: { arn.resource.begins(with: $0) })
        else { throw parameters.malformed(member, "is no ARN of \(service)") }
        guard !text.utf8.contains(where: { $0 == 0x2A || $0 == 0x3F }) else {
            throw parameters.malformed(member, "is a pattern and no ARN")
        }
        return Resource(text)
    }

    /// The call hands the role in `member` to the service: `iam:PassRole` on it. An ARN is taken as it is; of
    /// a bare name the path is unknown.
    mutating func passRole(_ member: String, in parameters: Parameters? = nil) throws(RecognitionError) {
        let parameters = parameters ?? self.parameters
        guard parameters.has(member) else { return }
        want("iam:PassRole", on: try role(member, in: parameters))
    }

    /// The role in `member`, an ARN or a name.
    func role(_ member: String, in parameters: Parameters) throws(RecognitionError) -> Resource {
        let text = try parameters.text(member)
        if text.begins(with: "arn:") {
            return try arn(member, service: "iam", kinds: ["role/"], in: parameters)
        }
        return try IAMNaming.role(member, in: parameters, place: place)
    }

    /// Tags given as a list of structures or as a map: keys `aws:RequestTag/…` and `aws:TagKeys`, and
    /// `action` on each of `resources` when there are any.
    mutating func tag(_ member: String, _ action: String, on resources: [Resource]) throws(RecognitionError) {
        var tags: [(key: String, value: String)] = []
        if parameters.value(member)?.members != nil {
            for entry in try parameters.entries(member) {
                tags.append((entry.name, entry.value.string ?? ""))
            }
        } else {
            for tag in try parameters.structures(member) {
                let key = tag.has("TagKey") ? try tag.text("TagKey") : try tag.text("Key")
                tags.append((key, (tag.value("TagValue") ?? tag.value("Value"))?.string ?? ""))
            }
        }
        fill("aws:TagKeys", tags.map(\.key))
        keys.say(family: "aws:RequestTag/", tags.map { ($0.key, $0.value) }, of: nil)
        guard !tags.isEmpty else { return }
        for resource in resources { want(action, on: resource) }
    }

    /// The KMS key in `member` (id, ARN, alias name or alias ARN), if it is there: each of `actions` on it.
    mutating func useKey(
        _ member: String, _ actions: [String], in parameters: Parameters? = nil, place: Place? = nil
    ) throws(RecognitionError) {
        let parameters = parameters ?? self.parameters
        guard parameters.has(member) else { return }
        let key = try KMSNaming.key(member, in: parameters, place: place ?? self.place)
        for action in actions { want(action, on: key) }
    }

    /// The object of a package in S3 that the call has a service read: `s3:GetObject`, of a version if one is
    /// named.
    mutating func readObject(
        bucket: String, key: String, version: String, in parameters: Parameters
    ) throws(RecognitionError) {
        guard parameters.has(bucket) || parameters.has(key) else { return }
        let source = try S3Bucket(parsing: parameters.text(bucket), part: parameters.spot(bucket))
        let action = parameters.has(version) ? "GetObjectVersion" : "GetObject"
        want(action, source, key: try parameters.text(key))
    }
}
