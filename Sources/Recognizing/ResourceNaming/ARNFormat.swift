import Vocabulary

/// An ARN format of the Service Authorization Reference:
/// `arn:${Partition}:ecs:${Region}:${Account}:cluster/${ClusterName}`.
struct ARNFormat {
    private enum Token {
        case text(String)
        case variable(String)
    }

    private let tokens: [Token]
    private let text: String

    init(_ text: String) {
        self.text = text
        var tokens: [Token] = []
        var rest = text
        while let mark = rest.range(ofASCII: "${"), let end = rest.range(ofASCII: "}", from: mark.upperBound)
        {
            tokens.append(.text(rest.bytes(0..<mark.lowerBound)))
            tokens.append(.variable(rest.bytes(mark.upperBound..<end.lowerBound)))
            rest = rest.bytes(end.upperBound..<rest.utf8.count)
        }
        tokens.append(.text(rest))
        self.tokens = tokens
    }

    /// The resource at `place` with `values` for its variables; a variable without one is an unknown run.
    func resource(_ place: Place, _ values: [String: String]) -> Resource {
        Resource(
            tokens.map { token in
                switch token {
                case .text(let text): .known(text)
                case .variable(let name):
                    (values[name] ?? Self.value(of: name, at: place)).map { .known($0) } ?? .unknown
                }
            })
    }

    /// The variables that the place of the call fills unless the request says them.
    static let placeNames: Set<String> = ["Partition", "Region", "Account"]

    private static func value(of name: String, at place: Place) -> String? {
        switch name {
        case "Partition": place.partition
        case "Region": place.region
        case "Account": place.account
        default: nil
        }
    }

    /// Whether `arn` is of this format: the service, what the format says of region and account, and its
    /// literal text.
    func fits(_ arn: ARN) -> Bool {
        let parts = text.parts(by: 0x3A, maxSplits: 5)
        guard parts.count == 6, parts[2] == arn.service || parts[2].begins(with: "${") else { return false }
        for (format, part) in [(parts[3], arn.region), (parts[4], arn.account)]
        where !format.begins(with: "${") && format != part { return false }
        var rest = arn.resource.utf8[...]
        var isOpen = false
        for token in ARNFormat(parts[5]).tokens {
            switch token {
            case .variable: isOpen = true
            case .text(let text):
                guard !text.isEmpty else { continue }
                if !isOpen {
                    guard rest.starts(with: text.utf8) else { return false }
                    rest = rest.dropFirst(text.utf8.count)
                } else {
                    // A variable holds at least one character.
                    guard let next = rest.dropFirst().firstStart(of: text) else { return false }
                    rest = rest[next...].dropFirst(text.utf8.count)
                }
                isOpen = false
            }
        }
        return isOpen ? !rest.isEmpty : rest.isEmpty
    }
}

extension String {
    /// The first place of `needle` from byte `start` on, as byte offsets.
    fileprivate func range(ofASCII needle: String, from start: Int = 0) -> Range<Int>? {
        let tail = utf8.dropFirst(start)
        guard let found = tail.firstStart(of: needle) else { return nil }
        let lower = utf8.distance(from: utf8.startIndex, to: found)
        return lower..<lower + needle.utf8.count
    }

    /// The bytes of `range`, which are whole characters where they come from ``range(ofASCII:from:)``.
    fileprivate func bytes(_ range: Range<Int>) -> String {
        String(decoding: utf8.dropFirst(range.lowerBound).prefix(range.count), as: UTF8.self)
    }
}

extension Substring.UTF8View {
    /// Where `needle` first begins.
    fileprivate func firstStart(of needle: String) -> Index? {
        indices.first { self[$0...].starts(with: needle.utf8) }
    }
}
