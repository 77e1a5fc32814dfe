import Testing
import Vocabulary

@testable import Deciding

@Suite("Counting reviews") struct BooksTests {
    typealias Quorum = ApprovalTerms.Quorum

    static func book() throws -> ApproverBook {
        try PolicySet.load(files: [PolicyFile("approvers.yaml", people)], actions: knownActions).approvers
    }

    static func names(_ texts: [String]) throws -> [ApproverName] {
        try texts.map { try ApproverName(parsing: $0) }
    }

    static func anyOf(_ names: String...) -> Quorum {
        Quorum(needs: names.map { .init(name: $0, count: 1) }, anyOne: true)
    }

    static func each(_ counts: KeyValuePairs<String, Int>) -> Quorum {
        Quorum(needs: counts.map { .init(name: $0.key, count: $0.value) }, anyOne: false)
    }

    @Test(
        "a list wants any one, a map so many of each, and a person counts once in a quorum",
        arguments: [
            ([anyOf("oncall")], [], false), ([anyOf("oncall")], ["alice"], true),
            ([anyOf("oncall")], ["carol"], false),
            ([anyOf("oncall", "carol")], ["carol"], true), ([anyOf("oncall")], ["mallory"], false),
            ([each(["oncall": 2])], ["alice"], false), ([each(["oncall": 2])], ["alice", "alice"], false),
            ([each(["oncall": 2])], ["alice", "bob"], true),
            ([each(["oncall": 1, "secops": 1])], ["alice"], false),
            ([each(["oncall": 1, "secops": 1])], ["alice", "bob"], true),
            ([each(["secops": 1, "oncall": 1])], ["alice", "bob"], true),
            ([each(["oncall": 1, "secops": 1])], ["bob", "carol"], true),
            ([each(["oncall": 2, "secops": 1])], ["alice", "bob"], false),
            ([each(["oncall": 2, "secops": 1])], ["alice", "bob", "carol"], true),
            ([each(["alice": 1, "secops": 1])], ["alice", "carol"], true),
            ([each(["secops": 1, "alice": 1])], ["alice", "carol"], true),
            // Each quorum counts anew: alice may serve two statements.
            ([anyOf("oncall"), anyOf("secops")], ["alice"], true),
            ([anyOf("oncall"), anyOf("secops")], ["bob"], false),
            ([], ["alice", "bob", "carol"], false),
        ])
    func quorums(_ quorums: [Quorum], _ reviewers: [String], _ expected: Bool) throws {
        #expect(try Self.book().fulfils(quorums, by: Self.names(reviewers)) == expected)
    }

    @Test func `what is missing is named`() throws {
        let quorum = Self.each(["oncall": 2, "secops": 1])
        let missing = try Self.book().missing(from: quorum, by: Self.names(["alice"]))
        #expect(missing.map(\.name) == ["oncall", "secops"])
        #expect(missing.map(\.count) == [1, 1])
        #expect(try Self.book().missing(from: Self.anyOf("oncall", "carol"), by: []).count == 2)
    }

    @Test func `a person is known by uid, and may review what their groups may`() throws {
        let (book, alice) = (try Self.book(), try ApproverName(parsing: "alice"))
        #expect(book.approver(forUID: 1001) == alice)
        #expect(book.approver(forUID: 1004)?.text == "carol")
        #expect(book.approver(forUID: 0) == nil)
        #expect(book.groups(of: alice) == ["oncall", "secops"])
        #expect(book.mayReview(alice, for: [Self.anyOf("secops")]))
        #expect(try !book.mayReview(ApproverName(parsing: "bob"), for: [Self.anyOf("secops")]))
        #expect(try !book.mayReview(ApproverName(parsing: "oncall"), for: [Self.anyOf("oncall")]))
    }

    /// Seats are filled as well as any seating could: compared with trying every one.
    @Test func `a quorum is met exactly when some seating meets it`() throws {
        var random = SeededRandom(seed: 11)
        let everyone = ["alice", "bob", "carol", "dave"]
        for _ in 0..<400 {
            let groups = (0..<3).map { group in (group, everyone.filter { _ in Bool.random(using: &random) })
            }
            let members = try groups.filter { !$0.1.isEmpty }
                .map { (name: "g\($0.0)", people: try Self.names($0.1)) }
            let book = ApproverBook(
                people: try Self.names(everyone).map { .init(name: $0, uids: [], keys: []) },
                groups: Dictionary(uniqueKeysWithValues: members.map { ($0.name, $0.people) }))
            let needs = members.map {
                Quorum.Need(name: $0.name, count: Int.random(in: 1...2, using: &random))
            }
            let reviewers = try Self.names(everyone.filter { _ in Bool.random(using: &random) })
            guard !needs.isEmpty else { continue }
            let seats = needs.flatMap { need in Array(repeating: need.name, count: need.count) }
            func canSeat(_ seats: ArraySlice<String>, _ people: [ApproverName]) -> Bool {
                guard let seat = seats.first else { return true }
                return people.contains { person in
                    book.groups(of: person).contains(seat)
                        && canSeat(seats.dropFirst(), people.filter { $0 != person })
                }
            }
            let quorum = Quorum(needs: needs, anyOne: false)
            #expect(
                book.fulfils([quorum], by: reviewers) == canSeat(seats[...], reviewers),
                "\(quorum) \(reviewers)")
        }
    }
}
