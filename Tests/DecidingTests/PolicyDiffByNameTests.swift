import Testing
import Vocabulary

@testable import Deciding

/// What is asked for by name, and has a path that nobody says.
@Suite("What two policy sets decide of roles by name") struct PolicyDiffByNameTests {
    private static func lines(_ before: String, _ after: String) throws -> [String] {
        func set(_ patterns: String) -> String {
            patterns.split(separator: "\n").enumerated().map { number, line in
                let words = line.split(separator: " ")
                return "- {Sid: S\(number), Effect: \(words[0]), Action: \"iam:PassRole\", Resource: "
                    + "\"arn:aws:iam::111122223333:\(words[1])\"}"
            }.joined(separator: "\n")
        }
        return try PolicyDiffTests.diff(set(before), set(after)).changes.map {
            "\($0.kind.rawValue) \($0.witness.resource)"
        }
    }

    private static let app = "arn:aws:iam::111122223333:role/<unknown>app"

    @Test func `a permit that names a role whose ARN another one covers is new access by name`() throws {
        let (wide, named) = ("Allow role/a*", "Allow role/a*\nAllow role/app")
        #expect(try Self.lines(wide, named) == ["new access \(Self.app)"])
        #expect(try Self.lines(named, wide) == ["lost access \(Self.app)"])
        #expect(try Self.lines(named, named + "\nAllow role/app").isEmpty)
    }

    @Test func `a denial of a path denies the role that is asked for by its name`() throws {
        let (open, shut) = ("Allow role/app", "Allow role/app\nDeny role/secure/*")
        #expect(try Self.lines(open, shut) == ["lost access \(Self.app)"])
        #expect(try Self.lines(shut, open) == ["new access \(Self.app)"])
    }

    @Test func `behind a wildcard stands a name, of any kind of entity`() throws {
        let before = "Allow role/*\nDeny role/x/*"
        // `role/*` covers what has any path, and a denial of one path denies it; a permit lifts no denial.
        #expect(try Self.lines(before, before + "\nAllow role/*app").isEmpty)
        let everywhere = try ResourcePattern(parsing: "arn:aws:iam::*:*app")
        let named = EntitiesByName([try #require(everywhere.openShape)])
        let told = named.resources.map(\.description)
        #expect(told.contains(Self.app) && told.contains("arn:aws:iam::111122223333:user/<unknown>app"))
        #expect(told.count == 5 && named.isComplete)
    }
}
