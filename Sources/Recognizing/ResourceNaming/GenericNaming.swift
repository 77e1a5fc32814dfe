import Vocabulary

/// Names what calls of every other service touch, by the catalog's ARN formats and where it found their
/// variables.
///
/// A resource type that the action requires is always named; what the request does not say is an unknown run.
/// An optional one is named as far as the request says; if it says nothing of any, the resource is some
/// resource of the service. A member that holds an ARN counts only if the ARN is of a format of the action's
/// own types: a rule's Lambda target is not its rule.
enum GenericNaming {
    /// Adds the pairs of the call.
    static func name(_ draft: inout Draft) throws(RecognitionError) {
        let model = draft.facts.model
        for action in model.actions {
            if let condition = action.condition,
                try !CallCondition(condition).holds(in: draft.facts.parameters)
            {
                continue
            }
            guard action.isKnown else {
                draft.want(action.action, on: .unknown)
                continue
            }
            let resources: [Resource]
            // Others have members of that name, of another form or for other things than what is made.
            if action.condition?.begins(with: "TagSpecification") == true, action.prefix == "ec2" {
                resources = try tagged(draft, action)
            } else if action.isStar {
                resources = [.star]
            } else if action.resources.isEmpty {
                resources = [try PathNaming.path(of: draft)]
            } else {
                resources = try self.resources(of: action, draft)
            }
            for resource in resources { draft.want(action.action, on: resource) }
        }
        // A machine takes the role that is inside its profile: which one is not in the request.
        if model.actions.contains(where: { $0.level.mutates }),
            names("iaminstanceprofile", draft.facts.parameters)
        {
            draft.want("iam:PassRole", on: draft.place.global.resource("iam", .known("role/"), .unknown))
        }
    }

    // MARK: - Resources

    /// The resources of `action`; never empty.
    private static func resources(of action: CatalogAction, _ draft: Draft) throws(RecognitionError)
        -> [Resource]
    {
        var types: [CatalogResource] = []
        for type in action.resources {
            let isTouched = try type.condition.map { condition throws(RecognitionError) in
                try CallCondition(condition).holds(in: draft.facts.parameters)
            }
            if isTouched ?? true { types.append(type) }
        }
        var (found, partly): ([Resource], [Resource]) = ([], [])
        // Members that hold a whole ARN come first: the ARN says which of the types that share the member is
        // meant.
        var (settled, taken): (Set<String>, Set<String>) = ([], [])
        for path in unique(types.compactMap(\.arnPath)) {
            let sharing = types.filter { $0.arnPath?.utf8.elementsEqual(path.utf8) ?? false }
            let mayBeName = sharing.contains(where: \.arnMayBeName)
            var others: [String] = []
            for text in try values(at: path, in: draft.facts.parameters) {
                let isOneOf = ARN(parsing: text).map { arn in
                    sharing.contains { ARNFormat($0.arnFormat).fits(arn) }
                }
                guard isOneOf == true else {
                    others.append(text)
                    continue
                }
                found.append(Resource(text))
                taken.insert(text)
                if !mayBeName { settled.insert(path) }
            }
            // An ARN of something else names no resource of these, where their own members do.
            let hasNames = sharing.contains { $0.variables.contains { $0.source != nil } }
            if mayBeName || others.isEmpty || hasNames && !settled.contains(path) { continue }
            settled.insert(path)
            for text in others { found.append(try byName(text, sharing, draft)) }
        }
        var (named, unclaimed): (Set<String>, Set<String>) = ([], [])
        for type in types where type.arnPath.map({ !settled.contains($0) }) ?? true {
            if try isNamed(type, by: taken, draft) { continue }
            let filled = try filled(type, besides: taken, draft)
            named.formUnion(filled.named)
            unclaimed.formUnion(filled.ofOthers)
            if type.isRequired || filled.share == .all || filled.saysLast {
                found += filled.resources
            } else if filled.share == .some {
                partly += filled.resources
            }
        }
        // What every type leaves to another is some resource of theirs.
        if !unclaimed.subtracting(named).isEmpty { found.append(anything(of: types, draft.place)) }
        if !found.isEmpty { return found }
        return partly.isEmpty ? [anything(of: types, draft.place)] : partly
    }

    /// Whether the ARNs of `taken` are all that the call says of `type`, which its variables alone do not
    /// name.
    private static func isNamed(
        _ type: CatalogResource, by taken: Set<String>, _ draft: Draft
    ) throws(RecognitionError) -> Bool {
        guard let path = type.arnPath, type.arnMayBeName,
            type.variables.contains(where: { $0.source == nil && !ARNFormat.placeNames.contains($0.name) })
        else { return false }
        let texts = try values(at: path, in: draft.facts.parameters)
        return !texts.isEmpty && texts.allSatisfy(taken.contains)
    }

    /// Some resource of the one service that all `types` belong to.
    private static func anything(of types: [CatalogResource], _ place: Place) -> Resource {
        let services = Set(types.map { $0.arnFormat.parts(by: 0x3A, maxSplits: 5).dropFirst(2).first ?? "" })
        guard services.count == 1, let service = services.first, service.isName(others: "-") else {
            return .unknown
        }
        return Resource([.known("arn:\(place.partition):\(service):"), .unknown])
    }

    /// A bare name where an ARN belongs: of a role its name, with its path or an unknown one; of anything
    /// else nothing.
    private static func byName(
        _ text: String, _ types: [CatalogResource], _ draft: Draft
    ) throws(RecognitionError) -> Resource {
        guard !text.begins(with: "arn:"), types.count == 1, isRole(types[0]) else { return .unknown }
        let name = Parameters(.object([.init("Role", .string(text))]))
        return try IAMNaming.role("Role", in: name, place: draft.place)
    }

    private static func isRole(_ type: CatalogResource) -> Bool {
        type.arnFormat.ends(with: ":iam::${Account}:role/${RoleNameWithPath}")
    }

    /// How much of a resource the request says.
    private enum Share {
        case none, some, all
    }

    /// What one type's variables say.
    private struct Filled {
        var resources: [Resource] = []
        /// How much of them the request says.
        var share = Share.all
        /// Whether the request says the last variable of one: then it means that one, whatever else is open.
        var saysLast = false
        /// The texts that name a resource of this type, and those that name one of another.
        var (named, ofOthers): (Set<String>, Set<String>) = ([], [])
    }

    /// The resources of one type as its variables say; none for the ARNs of `taken`.
    ///
    /// Variables that lie in one list belong together element by element. Which element of one list goes with
    /// which of another is not known: each list names its own, with the other's unknown.
    private static func filled(
        _ type: CatalogResource, besides taken: Set<String>, _ draft: Draft
    ) throws(RecognitionError) -> Filled {
        let sources = type.variables.map { (name: $0.name, source: $0.source.map(ValueSource.init)) }
        var rounds: [(list: String, element: JSON)?] = []
        for list in unique(sources.flatMap { $0.source?.lists ?? [] }) {
            rounds += try few(found(at: list, in: draft.facts.parameters), at: list).map { (list, $0) }
        }
        var (filled, shares): (Filled, [Share]) = (Filled(), [])
        for round in rounds.isEmpty ? [nil] : rounds {
            let share = try fill(&filled, type, sources, round?.element, of: round?.list, taken, draft)
            if let share { shares.append(share) }
        }
        if shares.isEmpty { filled.share = .none }
        if !shares.allSatisfy({ $0 == .all }) {
            filled.share = shares.allSatisfy { $0 == .none } ? .none : .some
        }
        return filled
    }

    /// Adds one resource of `type`, whose variables in the list at `list` are those of `element`, unless it
    /// is an ARN of `taken` or of another type. How much the request says of it; nil when it is none.
    private static func fill(
        _ filled: inout Filled, _ type: CatalogResource, _ sources: [(name: String, source: ValueSource?)],
        _ element: JSON?, of list: String?, _ taken: Set<String>, _ draft: Draft
    ) throws(RecognitionError) -> Share? {
        let format = ARNFormat(type.arnFormat)
        var (values, places): ([String: String], Set<Place>) = ([:], [])
        var (known, wanted) = (0, 0)
        let service = type.arnFormat.parts(by: 0x3A, maxSplits: 5).dropFirst(2).first ?? ""
        for (name, source) in sources {
            let isPlace = ARNFormat.placeNames.contains(name)
            wanted += isPlace ? 0 : 1
            switch try source?.value(
                in: draft.facts.parameters, element: element, of: list, at: draft.place, service: service)
            {
            case .text(let text, _) where text.begins(with: "arn:"), .unreadable(let text):
                filled.named.insert(text)
                if !taken.contains(text) { filled.resources.append(whole(text, of: type, draft.place)) }
                return .all
            case .text(let text, let whole):
                filled.named.insert(whole)
                if isRole(type) {
                    filled.resources.append(try byName(text, [type], draft))
                    return .all
                }
                values[name] = text
                known += isPlace ? 0 : 1
                if whole.begins(with: "arn:") { places.insert(draft.place) }
                if name.utf8.elementsEqual((sources.last?.name ?? "").utf8) { filled.saysLast = true }
            case .elsewhere(let text, let whole, let there):
                filled.named.insert(whole)
                if taken.contains(whole), ARN(parsing: whole).map(format.fits) == true { return .all }
                values[name] = text
                known += isPlace ? 0 : 1
                places.insert(there)
                if name.utf8.elementsEqual((sources.last?.name ?? "").utf8) { filled.saysLast = true }
            // No account of another: the call's own.
            case .ofAnother where isPlace: continue
            case .ofAnother(let text):
                filled.ofOthers.insert(text)
                return nil
            case nil: continue
            }
        }
        // Parts of ARNs that lie in two places make no name; nor do those of one, with another account said
        // beside it.
        let isOneName =
            places.count < 2
            && places.subtracting([draft.place]).allSatisfy { there in
                (values["Account"] ?? there.account) == there.account
                    && (values["Region"] ?? there.region) == there.region
            }
        filled.resources.append(
            isOneName
                ? format.resource(places.first ?? draft.place, values) : anything(of: [type], draft.place))
        return known == wanted ? .all : known == 0 ? Share.none : .some
    }

    /// The resource that `text` is where a name belongs: an ARN names the whole, if it is one of `type`. Of
    /// what is another's in the service nothing is known; what is of another service is none of it.
    private static func whole(_ text: String, of type: CatalogResource, _ place: Place) -> Resource {
        guard let arn = ARN(parsing: text) else { return .unknown }
        if ARNFormat(type.arnFormat).fits(arn) { return Resource(text) }
        return type.arnFormat.parts(by: 0x3A)[2] == arn.service ? anything(of: [type], place) : .unknown
    }

    /// The values at `path`, whatever they are; nulls are absent.
    private static func found(at path: String, in parameters: JSON) -> [JSON] {
        var current = [parameters]
        // No path: the value itself.
        guard !path.isEmpty else { return current.filter { $0 != .null } }
        for step in path.parts(by: 0x2E) {
            if step.utf8.elementsEqual("**".utf8) {
                current = current.flatMap(allWithin)
                continue
            }
            let name = String(decoding: step.utf8.prefix { $0 != 0x5B && $0 != 0x7B }, as: UTF8.self)
            current = current.compactMap { $0[name] }
            var suffix = step.utf8.dropFirst(name.utf8.count)
            while let mark = suffix.first {
                suffix = suffix.dropFirst(2)
                current = current.flatMap { mark == 0x5B ? $0.array ?? [] : ($0.members ?? []).map(\.value) }
            }
        }
        return current.filter { $0 != .null }
    }

    /// `json`, and all that stands in it at any depth.
    private static func allWithin(_ json: JSON) -> [JSON] {
        let inner = json.array ?? (json.members ?? []).map(\.value)
        return [json] + inner.flatMap(allWithin)
    }

    /// Whether the request says something at `path`: an empty list or map says nothing.
    static func isSaid(_ path: String, in parameters: JSON) -> Bool {
        found(at: path, in: parameters).contains { $0 != .array([]) && $0 != .object([]) }
    }

    /// Whether a member of that name (in lower case) stands anywhere in `json`.
    private static func names(_ name: String, _ json: JSON) -> Bool {
        switch json {
        case .object(let members):
            members.contains { $0.name.asciiLowercased == name && $0.value != .null || names(name, $0.value) }
        case .array(let elements): elements.contains { names(name, $0) }
        case .null, .bool, .number, .string: false
        }
    }

    /// The texts at `path` (`TableName`, `Entries[].Id`, `Map{}.Arn`), none when the request does not carry
    /// it.
    ///
    /// - Throws: for a value that is no text, and one with control characters.
    static func values(
        at path: String, in parameters: JSON, spot: String? = nil
    ) throws(RecognitionError) -> [String] {
        var texts: [String] = []
        for value in try few(found(at: path, in: parameters), at: spot ?? path) {
            let text: String
            switch value {
            case .string(let string): text = string
            case .number(let number): text = number
            case .bool(let truth): text = truth ? "true" : "false"
            case .null, .array, .object: throw .malformed(part: spot ?? path, why: "must be a text")
            }
            guard !text.isEmpty, text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                throw .malformed(
                    part: spot ?? path, why: "must be a text that is not empty and has no control characters")
            }
            texts.append(text)
        }
        return texts
    }

    // MARK: - Tags

    /// EC2's tags say of what type the tagged resources will be; their ids do not exist yet.
    private static func tagged(_ draft: Draft, _ action: CatalogAction) throws(RecognitionError) -> [Resource]
    {
        let types = draft.facts.model.actions.first?.resources ?? []
        var found: [Resource] = []
        for member in ["TagSpecifications", "TagSpecification"] where draft.parameters.has(member) {
            for specification in try draft.parameters.structures(member) {
                guard let type = try specification.textIfAny("ResourceType") else {
                    found.append(draft.place.resource(action.prefix, .unknown))
                    continue
                }
                // An image's ARN has no account, an address pool's no region.
                guard let known = types.first(where: { $0.type.utf8.elementsEqual(type.utf8) }) else {
                    found.append(draft.place.resource(action.prefix, .known("\(type)/"), .unknown))
                    continue
                }
                // A key pair or a placement group has the name that the call gives it.
                let named = try filled(known, besides: [], draft)
                found +=
                    named.share == .all
                    ? named.resources : [ARNFormat(known.arnFormat).resource(draft.place, [:])]
            }
        }
        return found.isEmpty ? [.unknown] : found
    }
}
