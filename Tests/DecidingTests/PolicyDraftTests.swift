import Recognizing
import Testing
import Vocabulary

@testable import Deciding

/// Bits from a seed, the same on every run.
private struct Dice {
    var state: UInt64

    mutating func roll(_ count: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((state >> 33) % UInt64(count))
    }

    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[roll(elements.count)] }
}

private let actions = ActionNames(.builtIn)

private func read(_ action: String, _ resource: String, _ sensitivity: Sensitivity = .metadata) throws
    -> RecordedCall
{ try recorded([pair(action, Resource(resource), .read, sensitivity)]) }

private func write(_ action: String, _ resource: String) throws -> RecordedCall {
    try recorded([pair(action, Resource(resource), .write, .data)])
}

extension PolicyDraft {
    fileprivate init() { self.init(agents: "support-*", actions: actions) }

    fileprivate mutating func learn(_ calls: [RecordedCall], asked: Bool = false) {
        for call in calls { learn(call, count: 1, asked: asked) }
    }

    /// The set that the draft makes once a human has named a group.
    fileprivate func loaded() throws -> PolicySet {
        try PolicySet.load(
            files: [
                PolicyFile("learned.yaml", text(approvers: ["oncall"])), PolicyFile("approvers.yaml", people),
            ], actions: actions)
    }

    fileprivate var body: String { text(approvers: ["oncall"]) }
}

@Suite("Deciding: drafting a policy from calls") struct PolicyDraftTests {
    @Test func `a resource whose account nobody can say is told and not drafted`() throws {
        var draft = PolicyDraft()
        let queue = Resource([.known("arn:aws:sqs:us-east-1:"), .unknown, .known(":jobs")])
        draft.learn([try recorded([pair("sqs:SendMessage", queue, .write, .data)])])
        #expect(draft.body.contains("the call does not name the resource: sqs:SendMessage"))
        #expect(!draft.body.contains("arn:aws:sqs:us-east-1:*"))
    }

    @Test func `pairs that the log leaves out are told`() throws {
        var (draft, gaps) = (PolicyDraft(), RecordedCall.Gaps())
        gaps.missingPairCount = 3
        draft.learn([try recorded(gaps: gaps)])
        #expect(draft.body.contains("some of its pairs are not recorded: dynamodb:GetItem"))
        var whole = PolicyDraft()
        whole.learn([try recorded()])
        #expect(!whole.body.contains("not recorded"))
    }

    @Test func `reads become Allow, writes AllowWithApproval, for these agents only`() throws {
        var draft = PolicyDraft()
        draft.learn([
            try read("dynamodb:DescribeTable", orders), try write("dynamodb:DeleteItem", orders),
            try read("dynamodb:GetItem", orders, .data),
        ])
        let set = try draft.loaded()
        #expect(try read("dynamodb:DescribeTable", orders).replayed(under: set).word == .allow)
        #expect(try read("dynamodb:GetItem", orders, .data).replayed(under: set).word == .allow)
        #expect(try write("dynamodb:DeleteItem", orders).replayed(under: set).word == .ask)
        #expect(try write("dynamodb:DeleteTable", orders).replayed(under: set).word == .deny)
        #expect(try write("dynamodb:DeleteItem", orders + "-old").replayed(under: set).word == .deny)
        let other = try recorded([pair("dynamodb:GetItem", Resource(orders), .read, .data)], agent: "etl-1")
        #expect(other.replayed(under: set).word == .deny)
    }

    @Test func `the draft does not load before a human has named who is asked`() throws {
        var draft = PolicyDraft()
        draft.learn([try write("dynamodb:DeleteItem", orders)])
        let files = [
            PolicyFile("learned.yaml", draft.text(approvers: nil)), PolicyFile("approvers.yaml", people),
        ]
        #expect(faults(files, actions: actions).contains { $0.contains(PolicyDraft.placeholder) })
        _ = try draft.loaded()
        var reads = PolicyDraft()
        reads.learn([try read("dynamodb:DescribeTable", orders)])
        #expect(!reads.text(approvers: nil).contains(PolicyDraft.placeholder))
    }

    @Test func `what hands out credentials or secrets, or names no resource, is told and not drafted`() throws
    {
        var draft = PolicyDraft()
        let role = Resource("arn:aws:iam::111122223333:role/app")
        let secret = Resource("arn:aws:secretsmanager:us-east-1:111122223333:secret:db-AbCdEf")
        draft.learn([
            try recorded([pair("sts:AssumeRole", role)], vends: true),
            try recorded([pair("secretsmanager:GetSecretValue", secret, .read, .credential)]),
            try recorded([pair("sqs:SendMessage", .unknown)]), try recorded([pair("x:Nothing", .star)]),
        ])
        let lines = draft.body.split(separator: "\n").map(String.init)
        #expect(lines.contains { $0.hasPrefix("#   the reply holds credentials: sts:AssumeRole on") })
        #expect(lines.contains { $0.hasPrefix("#   the call does not name the resource: sqs:SendMessage") })
        #expect(lines.contains { $0.hasPrefix("#   not an action of IAM: x:Nothing") })
        #expect(lines.contains { $0.contains("secretsmanager:GetSecretValue") })
        #expect(
            lines.filter { $0.contains("secretsmanager") || $0.contains("Effect") }.allSatisfy {
                $0.drop { $0 == " " }.hasPrefix("#")
            })
        #expect(try draft.loaded().statements.isEmpty)
    }

    @Test func `what was refused is told and never drafted`() throws {
        var draft = PolicyDraft()
        draft.learn([try read("dynamodb:DescribeTable", orders)])
        draft.refuse(try write("dynamodb:DeleteTable", orders), count: 12, why: "refused by policy")
        #expect(
            draft.body.contains(
                "#   refused by policy: dynamodb:DeleteTable on \(orders), 12 calls, 2026-11-22T08:31Z"))
        #expect(try write("dynamodb:DeleteTable", orders).replayed(under: try draft.loaded()).word == .deny)
    }

    @Test func `a read that a human was asked for keeps asking`() throws {
        var draft = PolicyDraft()
        draft.learn([try read("dynamodb:GetItem", orders, .data)], asked: true)
        #expect(try read("dynamodb:GetItem", orders, .data).replayed(under: try draft.loaded()).word == .ask)
    }

    @Test func `no name that an agent chose can add to the draft`() throws {
        var draft = PolicyDraft()
        let hostile =
            "arn:aws:s3:::lake/x\"\n  - Sid: Evil\n    Effect: Allow\n    Action: '*'\n    Resource: '*'\n"
            + "# \u{85}\u{2028}- x"
        draft.learn([
            try write("s3:PutObject", hostile), try read("s3:GetObject", "arn:aws:s3:::lake/*?${a}", .data),
        ])
        draft.refuse(try write("s3:DeleteObject", hostile), count: 1, why: "refused by policy")
        let set = try draft.loaded()
        #expect(set.statements.map(\.id.sid).sorted() == ["S3Asks", "S3ReadData"])
        #expect(try write("s3:PutObject", hostile).replayed(under: set).word == .ask)
        #expect(
            try read("s3:GetObject", "arn:aws:s3:::lake/*?${a}", .data).replayed(under: set).word == .allow)
        #expect(try read("s3:GetObject", "arn:aws:s3:::lake/abc", .data).replayed(under: set).word == .deny)
    }

    @Test func `a read of metadata opens neither the data nor the writes of its action`() throws {
        let name = "arn:aws:s3:::lake/a"
        var draft = PolicyDraft()
        draft.learn([try read("s3:GetObject", name)])
        let set = try draft.loaded()
        #expect(try read("s3:GetObject", name).replayed(under: set).word == .allow)
        #expect(try read("s3:GetObject", name, .data).replayed(under: set).word == .deny)
        #expect(try write("s3:GetObject", name).replayed(under: set).word == .deny)
    }

    // MARK: - Patterns

    private func patterns(_ resources: [String]) -> [String] {
        var shapes = ResourceShapes()
        for resource in resources { shapes.add(resource) }
        return shapes.patterns
    }

    @Test func `a resource that stands alone stays as it is`() {
        let all = ["arn:aws:s3:::lake/2026/11/24/part-0007.gz", orders, "*"]
        #expect(patterns(all) == all.sorted())
    }

    @Test func `ids, dates and numbers become stars where several differ in them only`() {
        let lake = "arn:aws:s3:::lake/curated/"
        #expect(patterns([lake + "2026-11-23/part-1.gz", lake + "2026-11-24/part-2.gz"]) == [lake + "*/*"])
        #expect(
            patterns(
                ["6a1f5e0c-9d4b-4f8e-8d0a-2f7b7e3c1a55", "0b1f5e0c-9d4b-4f8e-8d0a-2f7b7e3c1a56"].map {
                    lake + $0 + "/x"
                })
                == [lake + "*/x"])
        #expect(
            patterns([lake + "2026/11/part-1", lake + "2026/12/part-1"]) == [lake + "2026/*/part-1"],
            "what they have in common stays")
        #expect(patterns([lake + "alpha/x", lake + "beta/x"]) == [lake + "alpha/x", lake + "beta/x"])
        let functions = (1...3).map { "arn:aws:lambda:us-east-1:111122223333:function:f:\($0)" }
        #expect(patterns(functions) == ["arn:aws:lambda:us-east-1:111122223333:function:f:*"])
        let instances = ["i-0123456789abcdef0", "i-0fedcba9876543210"].map {
            "arn:aws:ec2:us-east-1:111122223333:instance/\($0)"
        }
        #expect(patterns(instances) == ["arn:aws:ec2:us-east-1:111122223333:instance/*"])
    }

    @Test func `no table, bucket, account or region is left`() {
        let tables = (1...30).map { "arn:aws:dynamodb:us-east-1:111122223333:table/2026112\($0)" }
        #expect(patterns(tables).count == 30)
        let buckets = (1...30).map { "arn:aws:s3:::bucket-\($0)/a/b" }
        #expect(patterns(buckets).count == 30)
        let accounts = (10...20).map { "arn:aws:sqs:us-east-1:1111222233\($0):jobs" }
        #expect(patterns(accounts).count == 11)
    }

    @Test func `many keys become the folders that they lie in`() {
        let lake = "arn:aws:s3:::lake/"
        let names = ["ash", "birch", "cedar", "elm", "fir", "oak"]
        #expect(patterns(names.map { lake + "in/" + $0 }) == [lake + "in/*"])
        #expect(patterns(names.dropLast().map { lake + "in/" + $0 }).count == 5)
        let both = names.map { lake + "in/" + $0 } + names.map { lake + "out/deep/" + $0 }
        #expect(patterns(both) == [lake + "in/*", lake + "out/deep/*"])
        #expect(patterns(names.map { lake + $0 + "/x" }) == [lake + "*"])
    }

    @Test func `a million keys take bounded memory and one pattern`() {
        var shapes = ResourceShapes()
        for number in 0..<100_000 { shapes.add("arn:aws:s3:::lake/in/\(number % 7)/key\(number)x") }
        #expect(shapes.count <= 2_000)
        #expect(
            shapes.patterns == ["arn:aws:s3:::lake/in/*"] || shapes.patterns == ["arn:aws:s3:::lake/in/*/*"])
        #expect(!shapes.isCut)
    }

    @Test func `a table more than are kept is said to be missing`() {
        var shapes = ResourceShapes()
        for number in 0..<2_001 { shapes.add("arn:aws:dynamodb:us-east-1:111122223333:table/t\(number)") }
        #expect(shapes.isCut)
    }

    // MARK: - Property

    @Test(
        "what was done is let through or asked, its neighbors in other accounts and buckets are not",
        arguments: 0..<60)
    func property(_ seed: Int) throws {
        var dice = Dice(state: UInt64(seed) &* 7_919 &+ 1)
        let words = [
            "in", "out", "2026", "11", "24", "part-7", "a b", "é", "*", "x?", "$", "key\"", "6a1f5e0c9d4b",
            "v2",
        ]
        var calls: [RecordedCall] = []
        for _ in 0..<(1 + dice.roll(60)) {
            let key = (0...dice.roll(4)).map { _ in dice.pick(words) }.joined(separator: "/")
            let isWrite = dice.roll(2) == 0
            let resource: String
            let action: String
            switch dice.roll(4) {
            case 0:
                (action, resource) = (
                    "dynamodb:GetItem",
                    "arn:aws:dynamodb:us-east-1:111122223333:table/\(dice.pick(["orders", "t1", "t2"]))"
                )
            case 1:
                (action, resource) = (
                    "sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:\(dice.pick(["jobs", "jobs-2"]))"
                )
            default:
                (action, resource) = (
                    dice.pick(["s3:GetObject", "s3:PutObject"]), "arn:aws:s3:::lake-\(dice.roll(2))/\(key)"
                )
            }
            let one = pair(
                action, Resource(resource), isWrite ? .write : .read, dice.pick([.metadata, .data]))
            calls.append(try recorded([one]))
        }
        var draft = PolicyDraft()
        draft.learn(calls)
        let set = try draft.loaded()
        let drafted = set.statements.flatMap { $0.scope.actions.map(\.text) }
        for call in calls {
            let (one, said) = (call.pairs[0].pair, call.replayed(under: set).word)
            let isComment = draft.body.contains("# - Sid: S3ReadData") && one.sensitivity == .data
            #expect(said == .allow || said == .ask || isComment, "seed \(seed): \(one)")
            if one.level == .write { #expect(said != .deny, "seed \(seed): \(one)") }
            let text = one.resource.text ?? ""
            for other in [
                text.replacing("111122223333", with: "999988887777"),
                text.replacing(":::lake", with: ":::sea"),
                text.replacing("us-east-1", with: "us-west-2"), text.replacing("table/", with: "table/x"),
            ] where other != text {
                let neighbor = try recorded([
                    pair(one.action.description, Resource(other), one.level, one.sensitivity)
                ])
                #expect(neighbor.replayed(under: set).word == .deny, "seed \(seed): \(other)")
            }
        }
        #expect(drafted.allSatisfy { !$0.contains("*") })
    }
}
