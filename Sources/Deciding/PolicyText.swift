import Vocabulary

/// A text of a policy file as a comparison uses it: characters, wildcards where they may stand, and policy
/// variables.
///
/// `${*}`, `${?}` and `${$}` are the characters themselves; `${service:Key}` is the key's one value, and
/// `${service:Key, 'text'}` that or `text` where the key is absent. What a variable puts in is literal, also
/// where it holds `*` or `?`.
///
/// - SeeAlso: IAM User Guide, "IAM policy elements: Variables and tags".
final class PolicyText: Hashable, Sendable {
    /// One piece of the text.
    private enum Piece: Sendable {
        case tokens([Pattern.Token])
        case variable(Condition.Key, otherwise: [Pattern.Token]?)
    }

    /// What the text is worth in one call.
    enum Resolved: Hashable, Sendable {
        case pattern(Pattern)
        /// A variable has no value, or several: the text equals nothing.
        case nothing
        /// A variable cannot be known. The pattern has a `*` in its place: what that does not match, the text
        /// does not match either.
        case unknown(Pattern)
    }

    /// As the file has it.
    let text: String
    /// What it is worth when it has no variable.
    let fixed: Pattern?
    /// The characters of a text that matches nothing but them.
    let literal: String?
    /// Empty for a text without `$`, which ``fixed`` says all of.
    private let pieces: [Piece]
    private let hasWildcards: Bool
    private let foldsCase: Bool

    /// Whether it has a variable.
    var hasVariables: Bool { fixed == nil }

    /// The text up to its first variable.
    var leadingTokens: [Pattern.Token] {
        if let fixed { return fixed.tokens }
        guard case .tokens(let tokens)? = pieces.first else { return [] }
        return tokens
    }

    /// The keys that its variables stand for.
    var variables: [Condition.Key] {
        pieces.compactMap { if case .variable(let key, _) = $0 { key } else { nil } }
    }

    /// Reads `text`; `*` and `?` are characters where `hasWildcards` is false.
    ///
    /// - Throws: for a `${` that begins no variable, in a reader's words.
    init(parsing text: String, hasWildcards: Bool, foldsCase: Bool = false) throws(PatternFault) {
        (self.text, self.hasWildcards, self.foldsCase) = (text, hasWildcards, foldsCase)
        guard text.utf8.contains(0x24) else {
            let pattern = Pattern(
                tokens: Pattern.tokens(of: text[...], areWild: hasWildcards, foldsCase: foldsCase))
            fixed = pattern
            literal = foldsCase || !pattern.isLiteral ? nil : text
            pieces = []
            return
        }
        let scalars = Array(text.unicodeScalars)
        var (pieces, literal, at) = ([Piece](), [Pattern.Token](), 0)
        while at < scalars.count {
            guard scalars[at] == "$", at + 1 < scalars.count, scalars[at + 1] == "{" else {
                literal.append(Pattern.token(scalars[at], isWild: hasWildcards, foldsCase: foldsCase))
                at += 1
                continue
            }
            guard let end = scalars[at...].firstIndex(of: "}") else {
                throw PatternFault("`${` without its `}`: a dollar sign is written `${$}`")
            }
            let name = scalars[(at + 2)..<end]
            at = end + 1
            if name.count == 1, let only = name.first, ["*", "?", "$"].contains(only) {
                literal.append(Pattern.token(only, isWild: false, foldsCase: foldsCase))
                continue
            }
            if !literal.isEmpty { pieces.append(.tokens(literal)) }
            literal = []
            pieces.append(try Self.variable(String(String.UnicodeScalarView(name)), foldsCase: foldsCase))
        }
        fixed = pieces.isEmpty ? Pattern(tokens: literal) : nil
        self.literal = foldsCase ? nil : fixed?.literalText
        self.pieces = literal.isEmpty ? pieces : pieces + [.tokens(literal)]
    }

    static func == (left: PolicyText, right: PolicyText) -> Bool {
        left.text.hasBytes(of: right.text) && left.hasWildcards == right.hasWildcards
            && left.foldsCase == right.foldsCase
    }

    func hash(into hasher: inout Hasher) { hasher.combine(exactly: text) }

    /// `service:Key` or `service:Key, 'text'`.
    private static func variable(_ text: String, foldsCase: Bool) throws(PatternFault) -> Piece {
        let halves = text.unicodeScalars.split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(halves[0])
        let key: Condition.Key
        switch Condition.Key.reading(name) {
        case .success(let found): key = found
        case .failure(let fault): throw PatternFault("variable `${\(shown(text))}`: \(fault.message)")
        }
        guard halves.count == 2 else { return .variable(key, otherwise: nil) }
        let rest = Array(halves[1].drop { $0 == " " })
        guard rest.count >= 2, rest.first == "'", rest.last == "'", !rest.dropFirst().dropLast().contains("'")
        else {
            throw PatternFault(
                "variable `${\(shown(text))}`: what holds without a value goes in single quotes: "
                    + "`${\(shown(name)), 'text'}`")
        }
        let otherwise = rest.dropFirst().dropLast().map {
            Pattern.token($0, isWild: false, foldsCase: foldsCase)
        }
        return .variable(key, otherwise: otherwise)
    }

    /// What the text is compared as with a `*` for every variable.
    var open: Pattern {
        fixed
            ?? Pattern(
                tokens: pieces.flatMap { piece -> [Pattern.Token] in
                    if case .tokens(let tokens) = piece { tokens } else { [.any] }
                })
    }

    /// What the text is worth in `context`.
    func resolved(in context: ConditionContext) -> Resolved {
        if let fixed { return .pattern(fixed) }
        var (tokens, isKnown) = ([Pattern.Token](), true)
        for piece in pieces {
            switch piece {
            case .tokens(let some): tokens += some
            case .variable(let key, let otherwise):
                switch context.value(of: key) {
                case .unknown:
                    isKnown = false
                    tokens.append(.any)
                case .filled(let values) where values.count == 1:
                    tokens += values[0].unicodeScalars.map {
                        Pattern.token($0, isWild: false, foldsCase: foldsCase)
                    }
                case .filled(let values) where !values.isEmpty: return .nothing
                case .absent, .filled:
                    guard let otherwise else { return .nothing }
                    tokens += otherwise
                }
            }
        }
        return isKnown ? .pattern(Pattern(tokens: tokens)) : .unknown(Pattern(tokens: tokens))
    }
}
