import Vocabulary

/// Which agents are meant: a name with `*` and `?`, as policies write it.
package struct AgentPattern: Hashable, Sendable {
    /// As it was written.
    package let text: String
    private let pattern: Pattern

    /// The pattern `text`; nil unless it is 1 to 64 of `a-z`, `0-9`, `-`, `*` and `?`.
    package init?(parsing text: String) {
        let isPattern =
            (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { $0.isLowerAlphanumeric || [0x2D, 0x2A, 0x3F].contains($0) }
        guard isPattern else { return nil }
        self.text = text
        pattern = Pattern(text[...])
    }

    /// Whether `agent` is meant.
    package func matches(_ agent: AgentName) -> Bool { pattern.matches(agent.text) }
}
