import Vocabulary

/// A service's operations by the kind of resource that their action touches, written as a person reads it.
///
/// A line is `kind: Operation Operation>Action …`; `kind+kind` needs a pair for each; an operation whose
/// action has another name says so after `>`. Parsed once a process.
struct OperationTable: Sendable {
    struct Row: Hashable, Sendable {
        let kind: String
        /// The action's name without its prefix.
        let action: String
    }

    private let rows: [String: [Row]]

    init(_ text: String) {
        var rows: [String: [Row]] = [:]
        for line in text.split(separator: "\n") {
            let halves = line.split(separator: ":", maxSplits: 1)
            guard halves.count == 2 else { continue }
            let kinds = halves[0].split(separator: "+").map { $0.filter { $0 != " " } }
            for word in halves[1].split(separator: " ") {
                let names = word.split(separator: ">")
                guard let operation = names.first, let action = names.last else { continue }
                rows[String(operation), default: []] += kinds.map { Row(kind: $0, action: String(action)) }
            }
        }
        self.rows = rows
    }

    /// The rows of `operation`; nil when the table does not know it.
    subscript(operation: String) -> [Row]? { rows[operation] }

    /// Every operation of the table, sorted.
    var operations: [String] { rows.keys.sorted() }
}
