/// Why a policy set is refused: everything found wrong with it, in the order of the files and their lines.
package struct PolicyError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The most faults that are told at once.
    package static let issueCountMax = 100

    /// One fault, where it is.
    package struct Issue: Hashable, Sendable, CustomStringConvertible {
        package let file: String
        /// From 1; columns count characters.
        package let line: Int
        package let column: Int
        /// Lower case, no full stop, names the text at fault and the way out.
        package let message: String
        /// Which kind of fault it is.
        package let rule: LoadRule

        package init(
            file: String, line: Int, column: Int, message: String, rule: LoadRule = .doesNotLoad
        ) {
            self.file = file
            self.line = line
            self.column = column
            self.message = message
            self.rule = rule
        }

        /// `orders.yaml:4:11: statement has no …`, as compilers write it.
        package var description: String { "\(file):\(line):\(column): \(message)" }
    }

    /// Never empty.
    package let issues: [Issue]

    init(issues: [Issue]) {
        let ordered = issues.enumerated().sorted { left, right in
            let (first, second) = (left.element, right.element)
            return (first.file, first.line, first.column, left.offset)
                < (second.file, second.line, second.column, right.offset)
        }
        self.issues = ordered.prefix(Self.issueCountMax).map(\.element)
    }

    /// One line a fault.
    package var description: String { issues.map(\.description).joined(separator: "\n") }
}

/// The faults found so far while a set is read: reading goes on after each, so that one start shows them all.
struct IssueList {
    private(set) var issues: [PolicyError.Issue] = []

    mutating func add(
        _ file: String, _ place: Place, _ message: String, _ rule: LoadRule = .doesNotLoad
    ) {
        issues.append(
            .init(file: file, line: place.line, column: place.column, message: message, rule: rule))
    }
}

/// Text from a file, shortened and made harmless for one line of an error.
func shown(_ text: String) -> String {
    let safe = text.unicodeScalars.prefix(80).map { scalar in
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) ? "\u{FFFD}" : String(scalar)
    }
    return safe.joined() + (text.unicodeScalars.count > 80 ? "…" : "")
}
