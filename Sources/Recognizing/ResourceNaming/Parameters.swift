import Vocabulary

/// One structure of a call's parameters, with its path for messages: `TransactItems[2].Put`.
///
/// A member that is JSON null counts as absent, as every service takes it. A member of another type than
/// asked for, or an empty name, is malformed: no resource is ever named after a guess.
struct Parameters {
    /// Where it stands: written out only for a message.
    private indirect enum Spot {
        case path(String)
        case member(String, of: Spot)
        case element(Int, String, of: Spot)

        var path: String {
            switch self {
            case .path(let path): return path
            case .member(let name, let above):
                let path = above.path
                return path.isEmpty ? name : "\(path).\(name)"
            case .element(let index, let name, let above):
                return Spot.member("\(name)[\(index)]", of: above).path
            }
        }
    }

    let json: JSON
    private let here: Spot

    init(_ json: JSON, path: String = "") {
        self.init(json, .path(path))
    }

    private init(_ json: JSON, _ here: Spot) {
        self.json = json
        self.here = here
    }

    /// Where it stands.
    var path: String { here.path }

    /// The path of the member `name`.
    func spot(_ name: String) -> String { Spot.member(name, of: here).path }

    /// The member `name`; nil when it is absent or null.
    func value(_ name: String) -> JSON? {
        guard let value = json[name] else { return nil }
        if case .null = value { return nil }
        return value
    }

    /// Whether the member `name` is there.
    func has(_ name: String) -> Bool { value(name) != nil }

    /// The text of the member `name`, never empty; nil when it is absent.
    func textIfAny(_ name: String) throws(RecognitionError) -> String? {
        guard let value = value(name) else { return nil }
        guard let text = value.string, !text.isEmpty else {
            throw malformed(name, "must be a text that is not empty")
        }
        return text
    }

    /// The text of the member `name`, which must be there and not empty.
    func text(_ name: String) throws(RecognitionError) -> String {
        guard let text = try textIfAny(name) else { throw malformed(name, "is missing") }
        return text
    }

    /// The texts of the list `name`, none of them empty; no texts when it is absent.
    func texts(_ name: String) throws(RecognitionError) -> [String] {
        var texts: [String] = []
        for (index, element) in try elements(name).enumerated() {
            guard let text = element.string, !text.isEmpty else {
                throw malformed("\(name)[\(index)]", "must be a text that is not empty")
            }
            texts.append(text)
        }
        return texts
    }

    /// The structure `name`; nil when it is absent.
    func structure(_ name: String) throws(RecognitionError) -> Parameters? {
        guard let value = value(name) else { return nil }
        guard value.members != nil else { throw malformed(name, "must be a structure") }
        return Parameters(value, .member(name, of: here))
    }

    /// The structures of the list `name`; none when it is absent.
    func structures(_ name: String) throws(RecognitionError) -> [Parameters] {
        var found: [Parameters] = []
        for (index, element) in try elements(name).enumerated() {
            guard element.members != nil else { throw malformed("\(name)[\(index)]", "must be a structure") }
            found.append(Parameters(element, .element(index, name, of: here)))
        }
        return found
    }

    /// The names and values of the map `name`, in order; none when it is absent.
    func entries(_ name: String) throws(RecognitionError) -> [JSON.Member] {
        guard let value = value(name) else { return [] }
        guard let members = value.members else { throw malformed(name, "must be a map") }
        guard members.count <= pairCountMax else {
            throw malformed(name, "has more than \(pairCountMax) entries")
        }
        return members
    }

    /// Whether the Boolean `name` is there and is anything but `false`: a header may spell it as text.
    func flag(_ name: String) -> Bool {
        switch value(name) {
        case nil: false
        case .bool(let value)?: value
        case .string(let text)?: text.asciiLowercased != "false"
        case .null?, .number?, .array?, .object?: true
        }
    }

    /// The number of elements of the list `name`, at least 1.
    func count(_ name: String) throws(RecognitionError) -> Int { max(1, try elements(name).count) }

    /// The refusal of the member `name`.
    func malformed(_ name: String, _ why: String) -> RecognitionError {
        .malformed(part: shown(spot(name)), why: why)
    }

    private func elements(_ name: String) throws(RecognitionError) -> [JSON] {
        guard let value = value(name) else { return [] }
        guard let elements = value.array else { throw malformed(name, "must be a list") }
        guard elements.count <= pairCountMax else {
            throw malformed(name, "has more than \(pairCountMax) elements")
        }
        return elements
    }
}

extension Parameters {
    /// The text of `name`, at most `lengthMax` characters of letters, digits and `others`; the message calls
    /// it a `kind`.
    func name(
        _ name: String, of kind: String, others: String, lengthMax: Int = 512
    ) throws(RecognitionError) -> String {
        let text = try text(name)
        guard text.isName(others: others, lengthMax: lengthMax) else {
            throw malformed(name, "is no \(kind)")
        }
        return text
    }
}

extension String {
    /// Whether the text is 1 to `lengthMax` of letters, digits (ASCII) and the characters of `others`.
    func isName(others: String, lengthMax: Int = 512) -> Bool {
        (1...lengthMax).contains(utf8.count)
            && utf8.allSatisfy { $0.isAlphanumeric || others.utf8.contains($0) }
    }

    /// Whether the bytes of `prefix` begin the text: `hasPrefix` would also take a composed letter for two.
    func begins(with prefix: String) -> Bool {
        utf8.count >= prefix.utf8.count && utf8.starts(with: prefix.utf8)
    }

    /// Whether the bytes of `suffix` end the text.
    func ends(with suffix: String) -> Bool { utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8) }

    /// The text after its first `count` bytes; nil unless a character ends there.
    func after(_ prefix: String) -> String? {
        begins(with: prefix) ? String(decoding: utf8.dropFirst(prefix.utf8.count), as: UTF8.self) : nil
    }

    /// The parts between every `separator` (ASCII), empty ones too.
    func parts(by separator: UInt8, maxSplits: Int = .max) -> [String] {
        utf8.split(separator: separator, maxSplits: maxSplits, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
    }
}
