/// What one PartiQL statement of DynamoDB does, and to which table: its words are read, its conditions are
/// not.
///
/// A statement is one of DynamoDB's four forms, in which the words that begin a clause stand once and where
/// they belong; anything else is nothing that is known: comments, several statements, selects inside,
/// Amazon Ion between backticks, escapes in names. A name without quotes may be read without its case, so it
/// is not taken for a name.
///
/// - SeeAlso: DynamoDB Developer Guide, "PartiQL statements for DynamoDB", "IAM security policies with
///   PartiQL".
struct PartiQLStatement: Hashable {
    enum Verb: String, Hashable, CaseIterable {
        case select = "Select"
        case insert = "Insert"
        case update = "Update"
        case delete = "Delete"
    }

    let verb: Verb
    /// The table's name as it stands between quotes; nil when it has none.
    let table: String?
    /// The index, likewise; nil for the table itself.
    let index: String?
    /// Whether an index is meant, named between quotes or not.
    let isOfIndex: Bool

    private struct Name {
        let text: String?
    }

    private enum Token: Hashable {
        /// In upper case.
        case word(String)
        case quoted(String)
        case text
        case symbol(UInt8)
    }

    /// The words that begin a clause of some form; none of them may stand anywhere else.
    private static let clauses: Set<String> = [
        "SELECT", "INSERT", "UPDATE", "DELETE", "FROM", "INTO", "VALUE", "VALUES", "SET", "REMOVE", "WHERE",
        "ORDER", "EXISTS", "JOIN", "UNION", "WITH", "AS", "LET", "UPSERT", "REPLACE", "CREATE", "DROP",
    ]

    /// The statement `text`; nil when it is not surely one of the four.
    init?(parsing text: String) {
        guard let tokens = Self.tokens(of: text), case .word(let first)? = tokens.first else { return nil }
        var at = 1
        let inner: Set<String>
        switch first {
        case "SELECT":
            verb = .select
            guard let from = tokens.firstIndex(of: .word("FROM")), from > 1,
                !tokens[1..<from].contains(where: Self.isClause)
            else { return nil }
            at = from + 1
            inner = ["WHERE", "ORDER"]
        case "INSERT":
            verb = .insert
            guard tokens.dropFirst().first == .word("INTO") else { return nil }
            at = 2
            inner = ["VALUE"]
        case "UPDATE":
            verb = .update
            inner = ["SET", "REMOVE", "WHERE"]
        case "DELETE":
            verb = .delete
            guard tokens.dropFirst().first == .word("FROM") else { return nil }
            at = 2
            inner = ["WHERE"]
        default: return nil
        }
        guard let named = Self.name(tokens, &at) else { return nil }
        table = named.text
        if at < tokens.count, tokens[at] == .symbol(0x2E) {
            at += 1
            guard let part = Self.name(tokens, &at) else { return nil }
            (index, isOfIndex) = (part.text, true)
        } else {
            (index, isOfIndex) = (nil, false)
        }
        let rest = tokens[at...]
        // The name ends the statement, which only a select may, or a clause of its form follows.
        switch rest.first {
        case nil: if verb != .select { return nil }
        case .word(let word)?: if !inner.contains(word) { return nil }
        case .quoted?, .text?, .symbol?: return nil
        }
        for case .word(let word) in rest where Self.clauses.contains(word) && !inner.contains(word) {
            return nil
        }
        if rest.count(where: { $0 == .word("WHERE") }) > 1 { return nil }
    }

    private static func isClause(_ token: Token) -> Bool {
        guard case .word(let word) = token else { return false }
        return clauses.contains(word)
    }

    /// The name at `at`, which moves past it; its text is nil when it stands without quotes. Nil when there
    /// is none.
    private static func name(_ tokens: [Token], _ at: inout Int) -> Name? {
        guard at < tokens.count else { return nil }
        defer { at += 1 }
        switch tokens[at] {
        case .quoted(let text): return Name(text: text)
        case .word(let word): return clauses.contains(word) ? nil : Name(text: nil)
        case .text, .symbol: return nil
        }
    }

    /// The tokens of `text`; nil when it holds anything that is none.
    private static func tokens(of text: String) -> [Token]? {
        let bytes = Array(text.utf8)
        var (tokens, at) = ([Token](), 0)
        while at < bytes.count {
            let byte = bytes[at]
            switch byte {
            case 0x20, 0x09, 0x0A, 0x0D: at += 1
            case 0x22, 0x27:
                // A quote written twice is one that belongs to the text: of a string that may be, of a name
                // not.
                guard let end = closing(bytes, from: at) else { return nil }
                let inside = bytes[(at + 1)..<end]
                // Whether a backslash takes the quote after it along is not for us to guess.
                guard !inside.contains(0x5C) else { return nil }
                if byte == 0x22 {
                    guard !inside.isEmpty, !inside.contains(0x22) else { return nil }
                    tokens.append(.quoted(String(decoding: inside, as: UTF8.self)))
                } else {
                    tokens.append(.text)
                }
                at = end + 1
            case 0x2D where at + 1 < bytes.count && bytes[at + 1] == 0x2D: return nil
            case 0x2F: return nil
            case _ where byte.isAlphanumeric || byte == 0x5F:
                let start = at
                while at < bytes.count, bytes[at].isAlphanumeric || bytes[at] == 0x5F { at += 1 }
                tokens.append(.word(String(decoding: bytes[start..<at], as: UTF8.self).uppercased()))
            case _ where symbols.contains(byte):
                tokens.append(.symbol(byte))
                at += 1
            default: return nil
            }
        }
        return tokens
    }

    /// `. , ( ) [ ] { } : = < > ! ? * + -`
    private static let symbols = Set(".,()[]{}:=<>!?*+-".utf8)

    /// Where the quote that opens at `start` closes; nil when it does not.
    private static func closing(_ bytes: [UInt8], from start: Int) -> Int? {
        var at = start + 1
        while at < bytes.count {
            guard bytes[at] == bytes[start] else {
                at += 1
                continue
            }
            guard at + 1 < bytes.count, bytes[at + 1] == bytes[start] else { return at }
            at += 2
        }
        return nil
    }
}
