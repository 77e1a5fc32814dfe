import Foundation
import Recognizing
import Testing
import Vocabulary

@testable import Deciding

/// fixtures/policies/semantics.txt: what conditions are worth, by AWS's documentation.
@Suite("Conditions as AWS documents them") struct SemanticsTests {
    /// One condition with its truth for each value of `x:k`.
    struct Row: CustomStringConvertible {
        let source: String
        let condition: String
        let cells: [(column: String, truth: String)]

        var description: String { "\(source): \(condition)" }
    }

    static let rows: [Row] = {
        let url = Fixtures.policies.appendingPathComponent("semantics.txt")
        guard let text = try? String(contentsOf: url, encoding: .utf8) else { return [] }
        var (rows, source, columns) = ([Row](), "", [String]())
        for line in text.split(separator: "\n") {
            if line.hasPrefix("= ") {
                source = String(line.dropFirst(2))
            } else if line.hasPrefix(": ") {
                columns = line.dropFirst(2).components(separatedBy: " | ")
            } else if !line.hasPrefix("#") {
                let halves = line.components(separatedBy: " => ")
                let truths = (halves.last ?? "").split(separator: " ").map(String.init)
                rows.append(Row(source: source, condition: halves[0], cells: Array(zip(columns, truths))))
            }
        }
        return rows
    }()

    @Test func `the table has at least 600 cases`() {
        #expect(Self.rows.map(\.cells.count).reduce(0, +) >= 600)
    }

    /// `y`: a permit and a denial both take effect; `n`: neither; `u`: the denial alone.
    @Test("a condition is worth what documentation says", arguments: SemanticsTests.rows)
    func row(_ row: Row) throws {
        func set(_ effect: String) throws -> PolicySet {
            let text = """
                {"Countersign": 1, "Id": "test", "Agents": ["*"], "Statement": [{
                "Sid": "S", "Effect": "\(effect)", "Action": "dynamodb:*", "Resource": "*",
                "Condition": \(row.condition)}]}
                """
            return try .load(files: [PolicyFile("test.json", text)], actions: knownActions)
        }
        let (permit, denial) = (try set("Allow"), try set("Deny"))
        for (column, truth) in row.cells {
            let keys = try Self.keys(column)
            let isPermitted = try permit.says("dynamodb:GetItem", keys: keys).hasSuffix("test/S")
            let isDenied = try denial.says("dynamodb:GetItem", keys: keys).hasSuffix("test/S")
            let found = isPermitted ? (isDenied ? "y" : "permit alone") : isDenied ? "u" : "n"
            #expect(found == truth, "\(row) with x:k \(column)")
        }
    }

    private static func keys(_ column: String) throws -> ConditionKeys {
        var keys = ConditionKeys()
        keys["v:one"] = .filled(["a"])
        keys["v:star"] = .filled(["*"])
        keys["v:two"] = .filled(["a", "b"])
        keys["v:none"] = .absent
        keys["v:empty"] = .filled([""])
        switch column {
        case "missing": keys["x:k"] = .absent
        case "empty": keys["x:k"] = .filled([])
        case "?": break
        default:
            let values = try #require(try JSON(parsing: Array(column.utf8)).array)
            keys["x:k"] = .filled(values.compactMap(\.string))
        }
        return keys
    }
}
