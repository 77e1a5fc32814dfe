import Vocabulary

/// Text of a policy file with IAM's wildcards: `*` for any run of characters, none included, `?` for exactly
/// one.
///
/// Only policy text is ever a pattern; what it is compared with is literal, also where it holds `*`, `?` or
/// `$`. Characters are Unicode scalars and compare as such.
struct Pattern: Hashable, Sendable {
    enum Token: Hashable, Sendable {
        case scalar(UInt32)
        /// An ASCII letter in lower case, equal to both cases of itself.
        case letter(UInt32)
        case one
        /// One character beside a `*`: on its way to it, text that nobody knows may be passed over.
        case oneAmidAny
        case any

        /// Whether it is a character and no wildcard.
        var isCharacter: Bool {
            switch self {
            case .scalar, .letter: true
            case .one, .oneAmidAny, .any: false
            }
        }

        /// A number that no other token has.
        fileprivate var code: UInt64 {
            switch self {
            case .scalar(let value): UInt64(value) << 3
            case .letter(let value): UInt64(value) << 3 | 1
            case .one: 2
            case .oneAmidAny: 3
            case .any: 4
            }
        }
    }

    let tokens: [Token]

    /// A sum over the tokens: hashing each of them is slow, and a set holds thousands of patterns.
    func hash(into hasher: inout Hasher) {
        hasher.combine(tokens.reduce(UInt64(tokens.count)) { $0 &* 1_099_511_628_211 ^ $1.code })
    }

    /// Whether the text holds no wildcard.
    let isLiteral: Bool

    /// The pattern `text`; every `*` and `?` is a wildcard.
    init(_ text: Substring, foldsCase: Bool = false) {
        self.init(tokens: Pattern.tokens(of: text, areWild: true, foldsCase: foldsCase))
    }

    /// The tokens that the characters of `text` are; `*` and `?` are themselves unless `areWild`.
    static func tokens(of text: Substring, areWild: Bool, foldsCase: Bool) -> [Token] {
        var text = text
        // Nearly every policy is ASCII, where a byte is a character.
        let tokens = text.withUTF8 { bytes -> [Token]? in
            guard bytes.allSatisfy({ $0 < 0x80 }) else { return nil }
            return [Token](unsafeUninitializedCapacity: bytes.count) { tokens, count in
                for byte in bytes {
                    tokens.initializeElement(
                        at: count, to: token(Unicode.Scalar(byte), isWild: areWild, foldsCase: foldsCase))
                    count += 1
                }
            }
        }
        return tokens ?? text.unicodeScalars.map { token($0, isWild: areWild, foldsCase: foldsCase) }
    }

    /// The token that `scalar` of a policy's text is.
    static func token(_ scalar: Unicode.Scalar, isWild: Bool, foldsCase: Bool) -> Token {
        switch scalar {
        case "*" where isWild: .any
        case "?" where isWild: .one
        default: foldsCase ? folded(scalar.value) : .scalar(scalar.value)
        }
    }

    init(tokens: [Token]) {
        isLiteral = tokens.allSatisfy(\.isCharacter)
        // Most parts of most patterns are plain text.
        self.tokens = isLiteral ? tokens : Pattern.grouped(tokens)
    }

    /// The one text that the pattern matches; nil where it has a wildcard or folds case.
    var literalText: String? {
        var text = String.UnicodeScalarView()
        for token in tokens {
            guard case .scalar(let value) = token, let scalar = Unicode.Scalar(value) else { return nil }
            text.append(scalar)
        }
        return String(text)
    }

    /// The pattern of everything.
    static let everything = Pattern("*")

    private static func folded(_ value: UInt32) -> Token {
        switch value {
        case 0x41...0x5A: .letter(value | 0x20)
        case 0x61...0x7A: .letter(value)
        default: .scalar(value)
        }
    }

    /// The same language, with every run of wildcards that holds a `*` written as its `?` first, then one
    /// `*`.
    private static func grouped(_ tokens: [Token]) -> [Token] {
        var result: [Token] = []
        result.reserveCapacity(tokens.count)
        var (ones, hasAny) = (0, false)
        func closeRun() {
            result += Array(repeating: hasAny ? Token.oneAmidAny : .one, count: ones)
            if hasAny { result.append(.any) }
            (ones, hasAny) = (0, false)
        }
        for token in tokens {
            switch token {
            case .one, .oneAmidAny: ones += 1
            case .any: hasAny = true
            case .scalar, .letter:
                closeRun()
                result.append(token)
            }
        }
        closeRun()
        return result
    }

    // MARK: - Known text

    /// Whether the pattern matches the whole of `text`. Time: at most the product of both lengths, mostly
    /// their sum.
    func matches(_ text: ArraySlice<UInt32>) -> Bool {
        var (at, textAt) = (0, text.startIndex)
        var retry: (at: Int, textAt: Int)?
        while textAt < text.endIndex {
            if at < tokens.count, tokens[at] == .any {
                at += 1
                retry = (at, textAt)
            } else if at < tokens.count, Pattern.accepts(tokens[at], text[textAt]) {
                at += 1
                textAt += 1
            } else if let last = retry {
                // The last `*` takes one character more; an earlier one never needs to.
                (at, textAt) = (last.at, last.textAt + 1)
                retry = (at, textAt)
            } else {
                return false
            }
        }
        while at < tokens.count, tokens[at] == .any { at += 1 }
        return at == tokens.count
    }

    /// Whether the pattern matches the whole of `text`.
    func matches(_ text: String) -> Bool { matches(text.unicodeScalars.map(\.value)[...]) }

    static func accepts(_ token: Token, _ scalar: UInt32) -> Bool {
        switch token {
        case .scalar(let value): value == scalar
        case .letter(let value): value == ((0x41...0x5A).contains(scalar) ? scalar | 0x20 : scalar)
        case .one, .oneAmidAny: true
        case .any: false
        }
    }

    /// Whether a token takes every, or at least one, ASCII letter or digit.
    static func acceptsAlphanumeric(_ token: Token, every: Bool) -> Bool {
        switch token {
        case .one, .oneAmidAny: true
        case .letter: !every
        case .scalar(let value): !every && UInt8(exactly: value).map(\.isAlphanumeric) ?? false
        case .any: false
        }
    }

    /// Whether the pattern ends in `text`, literally and with its case.
    func ends(with text: [UInt32]) -> Bool {
        !text.isEmpty && tokens.suffix(text.count).elementsEqual(text.map { .scalar($0) })
    }

    // MARK: - Text with unknown runs

    /// Whether the pattern matches whatever the unknown runs of `text` stand for.
    func matchesEvery(_ text: ArraySlice<Symbol>) -> Bool { reaches(text, every: true) }

    /// Whether the pattern matches for at least one text in place of each unknown run of `text`.
    func matchesSome(_ text: ArraySlice<Symbol>) -> Bool { reaches(text, every: false) }

    /// Carries the set of reachable places of the pattern along the text. Time: the product of both lengths.
    private func reaches(_ text: ArraySlice<Symbol>, every: Bool) -> Bool {
        var current = [Bool](repeating: false, count: tokens.count + 1)
        current[0] = true
        for symbol in text {
            var next = [Bool](repeating: false, count: tokens.count + 1)
            for at in 0...tokens.count where current[at] {
                let token = at < tokens.count ? tokens[at] : nil
                if token == .any {
                    // It takes the symbol, known or not, or is done.
                    next[at] = true
                    current[at + 1] = true
                }
                switch symbol {
                case .scalar(let value):
                    if let token, Pattern.accepts(token, value) { next[at + 1] = true }
                case .someAlphanumeric:
                    if let token, Pattern.acceptsAlphanumeric(token, every: every) { next[at + 1] = true }
                case .unknown where every, .unknownWithoutColon where every:
                    // Only a run with a `*` takes text of any length; its other characters must then be known
                    // ones.
                    if token == .oneAmidAny { next[at] = true }
                case .unknown, .unknownWithoutColon:
                    // The run ends here, or its next character is just the one that the token wants.
                    next[at] = true
                    let isBarred = symbol == .unknownWithoutColon && token == .scalar(0x3A)
                    if token != nil, !isBarred { current[at + 1] = true }
                }
            }
            current = next
        }
        for at in tokens.indices where current[at] && tokens[at] == .any { current[at + 1] = true }
        return current[tokens.count]
    }
}

/// One character of a resource, or a run of it that the request does not say.
enum Symbol: Hashable, Sendable {
    case scalar(UInt32)
    /// One character of `A-Z`, `a-z`, `0-9`, the request does not say which.
    case someAlphanumeric
    case unknown
    /// The same in one of an ARN's first five parts, where no colon stands.
    case unknownWithoutColon
}
