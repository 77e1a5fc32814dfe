import Vocabulary

/// Where a variable of an ARN format gets its value: a line of the catalog, written by hand in
/// `scripts/catalog.d/naming` or found by the generator's rule.
///
/// Alternatives stand between ` | `; the first that the request has counts. Each is a text in quotes, or a
/// member path with what is done to its value after ` ~ `:
///
/// - `arn(cluster/)`: of an ARN what follows `cluster/` in its sixth part, anything else as it is; if the ARN
///   lies in another account or region, so does what it names;
/// - `after(/hostedzone/)`: without that beginning, if it begins so; `before(:)`: up to the first colon;
/// - `last(/)`, `first(/)`: the last, the first part between slashes; `rest(:)`: what the first colon leaves,
///   nothing if there is none;
/// - `id(vol-)`: the whole, if it begins so and goes on in letters and digits: else it names a resource of
///   another type;
/// - `begins(r-)`: the same with anything after that beginning;
/// - `sixth`: an ARN's sixth part, `owner`: its account, `home`: its region, wherever it lies; nothing of any
///   other value;
/// - `plain`: letters, digits and hyphens, and those of `plain(_.)`; any other value says no name (an alias
///   is no key's id);
/// - `account`: twelve digits, the account that owns the resource; of anything else nothing is known;
/// - `only(pcs_)`: nothing unless it begins so; `not(alias/)`: nothing if it, or its ARN's last part, does;
/// - `then(/)`: with that after it; `lower`, `upper`: in that case; `global`: `CLOUDFRONT` as `global`, which
///   ARNs of WAF call that scope.
///
/// An ARN is left as it is by all but `arn`, `sixth`, `owner`, `home` and `not`: it names a whole resource,
/// or nothing.
struct ValueSource {
    /// A value as the request says it.
    enum Value: Hashable {
        /// A value, and the text of the request that it was made of.
        case text(String, of: String)
        /// A value that is a part of an ARN that lies elsewhere: the resource lies there too.
        case elsewhere(String, of: String, Place)
        /// The request names something here that is no value of the variable: this text.
        case unreadable(String)
        /// This text names a resource of another type.
        case ofAnother(String)
    }

    private enum Choice {
        case literal(String)
        case member(path: String, transforms: [Substring])
    }

    private let choices: [Choice]

    init(_ text: String) {
        choices = text.split(by: " | ").map { choice in
            if choice.utf8.first == 0x27 {
                return .literal(String(choice.unicodeScalars.dropFirst().dropLast()))
            }
            let parts = choice.split(by: " ~ ")
            return .member(path: parts.first ?? "", transforms: parts.dropFirst().map { $0[...] })
        }
    }

    /// The lists and maps that the paths run through, the innermost of each: `Entries[]`.
    var lists: [String] {
        choices.compactMap { choice in
            guard case .member(let path, _) = choice else { return nil }
            return listPath(path)
        }
    }

    /// The value in `parameters`, for the element `element` of the list at `list` if one is meant; nil when
    /// the request has none. Paths through other lists have none. An ARN that `arn` takes apart must be one
    /// of `service`, if that is not empty: another service's names nothing here.
    func value(
        in parameters: JSON, element: JSON?, of list: String?, at place: Place, service: String = ""
    ) throws(RecognitionError) -> Value? {
        var other: Value?
        for choice in choices {
            switch choice {
            case .literal(let text): return other ?? .text(text, of: text)
            case .member(let path, let transforms):
                let found: [String]
                switch (listPath(path), element) {
                case (nil, _): found = try GenericNaming.values(at: path, in: parameters)
                case (let inner?, let element?) where list.map { inner.utf8.elementsEqual($0.utf8) } ?? false:
                    let rest = String(decoding: path.utf8.dropFirst(inner.utf8.count), as: UTF8.self)
                    found = try GenericNaming.values(
                        at: rest.after(".") ?? rest, in: element, spot: path)
                case (.some, _): continue
                }
                guard let text = found.first else { continue }
                switch Self.changed(text, by: transforms, at: place, service: service) {
                case .ofAnother(let text)?: other = .ofAnother(text)
                case let value?: return value
                case nil: continue
                }
            }
        }
        return other
    }

    /// What the transform of that name takes from an ARN, wherever it lies; nil for every other name.
    private static func part(named name: Substring.UTF8View.SubSequence) -> ((ARN) -> String)? {
        switch String(decoding: name, as: UTF8.self) {
        case "sixth": \.resource
        case "owner": \.account
        case "home": \.region
        default: nil
        }
    }

    /// `whole` after all `transforms`; nil when nothing is left of it.
    private static func changed(
        _ whole: String, by transforms: [Substring], at place: Place, service: String
    ) -> Value? {
        var text = whole
        var elsewhere: Place?
        for transform in transforms {
            let name = transform.utf8.prefix { $0 != 0x28 }
            let argument = String(
                decoding: transform.utf8.dropFirst(name.count + 1).dropLast(), as: UTF8.self)
            let isARN = text.begins(with: "arn:")
            if name.elementsEqual("not".utf8) {
                // An alias says that there is a key, and not which.
                let said = isARN ? ARN(parsing: text)?.resource ?? text : text
                guard !said.begins(with: argument) else { return nil }
                continue
            }
            if name.elementsEqual("arn".utf8) {
                guard isARN else { continue }
                guard let arn = ARN(parsing: text), let rest = arn.resource.after(argument), !rest.isEmpty,
                    arn.partition == place.partition,
                    service.isEmpty || arn.service.utf8.elementsEqual(service.utf8)
                else { return .unreadable(whole) }
                let there = arn.place(or: place)
                if there != place { elsewhere = there }
                text = rest
                continue
            }
            if let part = part(named: name) {
                guard let arn = ARN(parsing: text), !part(arn).isEmpty else { return nil }
                text = part(arn)
                continue
            }
            if isARN { continue }
            let mark = argument.utf8.first ?? 0
            switch String(decoding: name, as: UTF8.self) {
            case "after": text = text.after(argument) ?? text
            case "before", "first": text = text.parts(by: mark, maxSplits: 1)[0]
            case "last": text = text.parts(by: mark).last ?? text
            case "rest":
                let parts = text.parts(by: mark, maxSplits: 1)
                guard parts.count == 2 else { return nil }
                text = parts[1]
            case "id":
                guard let rest = text.after(argument), rest.isName(others: "") else {
                    return .ofAnother(whole)
                }
            case "plain": if !text.isName(others: "-" + argument) { return nil }
            case "account":
                guard text.utf8.count == 12, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                    return .unreadable(whole)
                }
            case "begins": if !text.begins(with: argument) { return .ofAnother(whole) }
            case "only": if !text.begins(with: argument) { return nil }
            case "global": text = text.utf8.elementsEqual("CLOUDFRONT".utf8) ? "global" : text
            case "lower": text = text.asciiLowercased
            case "upper": text = String(decoding: text.utf8.map(\.uppercased), as: UTF8.self)
            case "then": text += argument
            // INVARIANT: the generator refuses every other name. Were one to come here, nothing is named.
            default: return .unreadable(whole)
            }
        }
        if text.isEmpty { return .unreadable(whole) }
        return elsewhere.map { .elsewhere(text, of: whole, $0) } ?? .text(text, of: whole)
    }
}

/// When an action is needed or a resource touched: all terms between ` & ` of one part between ` or ` hold.
///
/// `Member`: the request says something there; `Member='x'`: a value is `x`; `Member^='x'`: one begins with
/// `x`; `Member*='x'`: one contains `x`; `Member$='x'`: one ends with `x`; `!` before any of them: it is not
/// so.
struct CallCondition {
    private let text: String

    init(_ text: String) { self.text = text }

    /// Whether `parameters` meet it.
    func holds(in parameters: JSON) throws(RecognitionError) -> Bool {
        for part in text.split(by: " or ") {
            var holds = true
            for term in part.split(by: " & ") where holds {
                let negated = term.after("!")
                holds = try Self.holds(negated ?? term, in: parameters) == (negated == nil)
            }
            if holds { return true }
        }
        return false
    }

    private static func holds(_ term: String, in parameters: JSON) throws(RecognitionError) -> Bool {
        let path = String(decoding: term.utf8.prefix { !"=^*$".utf8.contains($0) }, as: UTF8.self)
        guard path.utf8.count < term.utf8.count else { return GenericNaming.isSaid(path, in: parameters) }
        let wanted = String(decoding: term.utf8.drop { $0 != 0x27 }.dropFirst().dropLast(), as: UTF8.self)
        let comparison = term.utf8.dropFirst(path.utf8.count).first
        return try GenericNaming.values(at: path, in: parameters).contains {
            switch comparison {
            case 0x5E: $0.begins(with: wanted)
            case 0x24: $0.ends(with: wanted)
            case 0x2A: $0.split(by: wanted).count > 1
            default: $0.utf8.elementsEqual(wanted.utf8)
            }
        }
    }
}

extension UInt8 {
    /// The byte with ASCII letters in upper case.
    fileprivate var uppercased: UInt8 { (0x61...0x7A).contains(self) ? self & 0xDF : self }
}

/// The path up to its last list or map; nil when it runs through none.
private func listPath(_ path: String) -> String? {
    let bytes = Array(path.utf8)
    guard let end = bytes.lastIndex(where: { $0 == 0x5D || $0 == 0x7D }) else { return nil }
    return String(decoding: bytes[...end], as: UTF8.self)
}

extension String {
    /// The pieces between every `separator`.
    fileprivate func split(by separator: String) -> [String] {
        let (bytes, mark) = (Array(utf8), Array(separator.utf8))
        var pieces: [String] = []
        var (start, at) = (0, 0)
        while at + mark.count <= bytes.count {
            guard bytes[at..<at + mark.count].elementsEqual(mark) else {
                at += 1
                continue
            }
            pieces.append(String(decoding: bytes[start..<at], as: UTF8.self))
            at += mark.count
            start = at
        }
        return pieces + [String(decoding: bytes[start...], as: UTF8.self)]
    }
}
