/// What an action touches: an ARN, `*` for an action that has no resource types, or either with parts that
/// the request does not say.
///
/// A sequence of known texts and unknown runs: `arn:aws:dynamodb:us-east-1:111122223333:table/` and then
/// something unknown. Known text is literal: a `*` in it is a star of the name, never a wildcard.
package struct Resource: Hashable, Sendable, CustomStringConvertible {
    /// One run of the resource.
    package enum Part: Hashable, Sendable {
        /// Literal text, never empty.
        case known(String)
        /// Text that the request does not say; any number of characters, none included.
        case unknown
        /// Text that the request does not say, exactly `count` characters of `A-Z`, `a-z` and `0-9`, at least
        /// one: the ending that Secrets Manager gives a secret's ARN. A pattern's `??????` covers six of
        /// them.
        case unknownCharacters(count: Int)
    }

    /// The runs in order; neighboring known runs are joined, neighboring ``Part/unknown`` ones folded.
    package let parts: [Part]

    /// The text that the author of a policy means when a pattern names this very resource and ends,
    /// literally, as it does: an IAM role asked for by name, `role/app`, whose path the request does not say.
    ///
    /// `Allow` and `AllowWithApproval` also match a resource with unknown runs if their pattern matches this
    /// text **and** the pattern ends with the literal text of the last part. IAM names are unique in an
    /// account whatever their path, so such a pattern names that one entity. `Deny` and `RequireApproval` go
    /// by ``parts`` alone, which this text completes.
    package let presumed: String?

    /// The resource made of `parts`; neighboring known runs are joined, neighboring unknown ones folded,
    /// empty ones dropped.
    package init(_ parts: [Part], presumed: String? = nil) {
        self.presumed = presumed
        var joined: [Part] = []
        // Known runs are put together in one text, which is copied once.
        var known = ""
        for part in parts {
            if case .known(let text) = part {
                if known.isEmpty, parts.count > 1 { known.reserveCapacity(Self.byteCount(of: parts)) }
                known += text
                continue
            }
            if case .unknownCharacters(count: ...0) = part { continue }
            if !known.isEmpty {
                joined.append(.known(known))
                known = ""
            }
            if case .unknown = part, joined.last == .unknown { continue }
            joined.append(part)
        }
        if !known.isEmpty { joined.append(.known(known)) }
        self.parts = joined
    }

    private static func byteCount(of parts: [Part]) -> Int {
        parts.reduce(0) { count, part in
            if case .known(let text) = part { count + text.utf8.count } else { count }
        }
    }

    /// The resource fully named by `text`.
    package init(_ text: String) {
        parts = text.isEmpty ? [] : [.known(text)]
        presumed = nil
    }

    /// What an action without resource types is judged against: the literal `*`.
    package static let star = Resource("*")

    /// Nothing is known of it, not even its type.
    package static let unknown = Resource([.unknown])

    /// Whether every character is known.
    package var isKnown: Bool { text != nil }

    /// The whole text, if every character is known.
    package var text: String? {
        if parts.isEmpty { return "" }
        guard parts.count == 1, case .known(let text) = parts[0] else { return nil }
        return text
    }

    /// The text with `<unknown>` for each unknown run.
    package var description: String {
        if let text { return text }
        return parts.map { part in
            switch part {
            case .known(let text): text
            case .unknown, .unknownCharacters: "<unknown>"
            }
        }.joined()
    }
}

// MARK: - Records

extension Resource {
    /// What a record needs beside ``description`` to tell the resource exactly: nothing for one that is known
    /// whole; else `parts`, a list of texts with `null` for an unknown run and a number for so many unknown
    /// letters or digits, and `presumed`.
    package var recorded: [JSON.Member] {
        guard !isKnown else { return [] }
        let list = parts.map { part -> JSON in
            switch part {
            case .known(let text): .string(text)
            case .unknown: .null
            case .unknownCharacters(let count): .integer(count)
            }
        }
        return [JSON.Member("parts", .array(list))]
            + (presumed.map { [JSON.Member("presumed", .string($0))] } ?? [])
    }

    /// The resource whose ``description`` is `text` and whose ``recorded`` members are among those of `json`;
    /// nil when they are none.
    package init?(_ text: String, recorded json: JSON) {
        guard let list = json["parts"] else {
            self.init(text)
            return
        }
        guard let list = list.array else { return nil }
        var parts: [Part] = []
        for part in list {
            switch part {
            case .null: parts.append(.unknown)
            case .string(let text): parts.append(.known(text))
            default:
                guard let count = part.integer.flatMap({ Int(exactly: $0) }), count > 0 else { return nil }
                parts.append(.unknownCharacters(count: count))
            }
        }
        self.init(parts, presumed: json["presumed"]?.string)
    }

    /// Whether both are the same bytes with the same unknown runs: Swift's `==` holds canonically equivalent
    /// texts equal, and policies tell them apart.
    package func hasBytes(of other: Resource) -> Bool {
        parts.count == other.parts.count
            && zip(parts, other.parts).allSatisfy { left, right in
                switch (left, right) {
                case (.known(let left), .known(let right)): left.hasBytes(of: right)
                case (.unknown, .unknown): true
                case (.unknownCharacters(let left), .unknownCharacters(let right)): left == right
                case (.known, _), (.unknown, _), (.unknownCharacters, _): false
                }
            }
    }
}
