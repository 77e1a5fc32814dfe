import Vocabulary

/// The first five parts of an ARN's pattern, compared in any case: `arn:aws:s3::`.
///
/// A class, since most statements of a set share a few of them.
final class ARNHead: Sendable {
    let parts: [Pattern]
    /// Whether it has no wildcard: then its colons are those of every ARN that it matches, taken as one text
    /// or part by part.
    let isLiteral: Bool
    /// The bytes before its first wildcard, in lower case; where it has none, all of it with the fifth colon.
    private let opening: [UInt8]

    /// The head `text`, which holds four colons: the first part is `arn`, and the service holds no wildcard.
    fileprivate init(parsing text: String) throws(PatternFault) {
        let split = text.utf8.split(separator: 0x3A, omittingEmptySubsequences: false)
        guard split.count == 5, split[0].elementsEqual("arn".utf8) else {
            throw PatternFault("an ARN begins with `arn:`")
        }
        guard !text.utf8.contains(0x24) else {
            throw PatternFault("a variable stands in the last part of an ARN, after the fifth colon")
        }
        guard !split[2].isEmpty, !split[2].contains(0x2A), !split[2].contains(0x3F) else {
            throw PatternFault("the service of an ARN must be named, without a wildcard")
        }
        parts = split.map { Pattern(Substring($0), foldsCase: true) }
        isLiteral = parts.allSatisfy(\.isLiteral)
        opening = Beginning(of: parts.map(\.tokens)).text + (isLiteral ? [0x3A] : [])
    }

    /// How the pattern begins whose sixth part begins with `tokens`, after which comes a variable where
    /// `endsInVariable`.
    func beginning(of tokens: [Pattern.Token], endsInVariable: Bool) -> Beginning {
        guard isLiteral else { return Beginning(opening, reach: .some) }
        var beginning = Beginning(opening, reach: endsInVariable ? .some : .exact)
        beginning.go(on: tokens, isLast: !endsInVariable)
        return beginning
    }
}

/// The heads of a set's patterns, each read once.
final class ARNHeads {
    private var read: [ExactText: ARNHead] = [:]

    /// The head `text`.
    ///
    /// - Throws: what is wrong with it, in a reader's words.
    func head(_ text: String) throws(PatternFault) -> ARNHead {
        if let known = read[ExactText(text)] { return known }
        let head = try ARNHead(parsing: text)
        read[ExactText(text)] = head
        return head
    }
}

extension String {
    /// Where the fifth colon stands.
    var fifthColon: Index? {
        var count = 0
        return utf8.indices.first { index in
            if utf8[index] == 0x3A { count += 1 }
            return count == 5
        }
    }
}
