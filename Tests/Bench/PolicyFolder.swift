import Deciding
import Recognizing
import Vocabulary

/// A policy folder as a company of 200 teams may have it, made of a seed: single actions and wildcards, names
/// and prefixes, conditions and variables, and rules for everybody that every call meets. And for each
/// statement a pair that it is about.
struct PolicyFolder {
    struct Target {
        let agent: String
        let pair: Pair
    }

    private struct Service {
        let prefix: String
        let head: String
        let actions: [String]

        init(_ prefix: String, _ head: String) {
            self.prefix = prefix
            self.head = head
            actions = Catalog.builtIn.listedActions(prefix: prefix).map(\.action.name).sorted()
        }
    }

    private static let here = "us-east-1:111122223333:"
    private static let services = [
        Service("s3", "arn:aws:s3:::"), Service("dynamodb", "arn:aws:dynamodb:\(here)table/"),
        Service("sqs", "arn:aws:sqs:\(here)"), Service("lambda", "arn:aws:lambda:\(here)function:"),
        Service("secretsmanager", "arn:aws:secretsmanager:\(here)secret:"),
        Service("ec2", "arn:aws:ec2:\(here)instance/"), Service("kms", "arn:aws:kms:\(here)key/"),
        Service("logs", "arn:aws:logs:\(here)log-group:"), Service("iam", "arn:aws:iam::111122223333:role/"),
        Service("sns", "arn:aws:sns:\(here)"),
    ]
    private static let approvers =
        "Countersign: 1\nPeople:\n  - {Name: mia, Uids: [1001]}\n  - {Name: bo, Uids: [1002]}\n"
        + "Groups:\n  oncall: [mia, bo]\n"

    private(set) var files: [PolicyFile] = []
    private(set) var targets: [Target] = []
    private var state: UInt64

    /// `statementCount` statements, a multiple of 50, in documents of as many, each one team's; one in forty
    /// is everybody's.
    init(statementCount: Int, seed: UInt64 = 1) {
        state = seed
        add("approvers.yaml", Self.approvers)
        add("lake.yaml", Self.lake)
        for team in 0..<((statementCount - 100) / 50) {
            let agents = team % 40 == 0 ? "\"*\"" : "\"team-\(team)-*\", \"shared-\(team % 7)\""
            var text = "Countersign: 1\nId: team-\(team)\nAgents: [\(agents)]\nStatement:\n"
            for number in 0..<50 {
                text += team % 40 == 0 ? forEverybody(number, team) : forTeam(number, team)
            }
            add("team-\(team).yaml", text)
        }
    }

    /// The document of a team of its own, whose agent deletes what lies in its 100 buckets.
    private static let lake =
        "Countersign: 1\nId: lake\nAgents: [lake-a]\nStatement:\n"
        + (0..<100).map {
            statement($0, "Allow", services[0], ["DeleteObject"], "arn:aws:s3:::lake-\($0)/*", "")
        }
        .joined()

    private mutating func add(_ name: String, _ text: String) {
        files.append(PolicyFile(name: name, bytes: Array(text.utf8)))
    }

    private mutating func draw(_ count: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((state >> 33) % UInt64(count))
    }

    private mutating func draw<T>(_ values: [T]) -> T { values[draw(values.count)] }

    private mutating func forTeam(_ number: Int, _ team: Int) -> String {
        let service = draw(Self.services)
        let name = "\(service.head)t\(team)-\(number)"
        var actions = (0..<(1 + draw(5))).map { _ in draw(service.actions) }
        let first = actions[0]
        switch draw(12) {
        case 0: actions = ["*"]
        case 1, 2: actions.append("\(first.prefix(5))*")
        default: break
        }
        let (resource, ending): (String, String) =
            switch draw(20) {
            case 0...7: ("\(name)/*", "/2026/11/25/part-0007.gz")
            case 8: ("\(name)-*/data/*.gz", "-a/data/part-0007.gz")
            case 9: ("\(service.head)t\(team)-*", "")
            case 10: ("\(service.head)home/${countersign:Agent}/\(number)/*", "/a")
            case 11: ("*", "/a")
            default: (name, "")
            }
        targets.append(
            Target(
                agent: "team-\(team)-a",
                pair: Pair(
                    action: Action(prefix: service.prefix, name: first), resource: Resource(name + ending),
                    level: .read, sensitivity: .data)))
        let effect = draw(["Allow", "Allow", "Allow", "Allow", "AllowWithApproval", "Deny"])
        let condition = draw([
            "", "", "", "", "", "", "", "StringEquals: {aws:RequestedRegion: [us-east-1, eu-west-1]}",
            "StringEquals: {countersign:AccessLevel: [Read, List, Write]}",
            "StringLike: {countersign:Strength: \"l*\"}",
        ])
        return Self.statement(number, effect, service, actions, resource, condition)
    }

    /// What is about everything is a guard rail; the rest is what anybody may read.
    private mutating func forEverybody(_ number: Int, _ team: Int) -> String {
        let service = draw(Self.services)
        let actions = (0...draw(4)).map { _ in draw(service.actions) }
        if number == 0 {
            return "  - Sid: S0\n    Effect: Allow\n    Action: \"*\"\n    Resource: \"*\"\n"
                + "    Condition: {StringEquals: {countersign:AccessLevel: [Read, List], "
                + "countersign:Sensitivity: metadata}}\n"
        }
        let isGuard = draw(3) == 0
        return Self.statement(
            number, isGuard ? "Deny" : "Allow", service, actions,
            isGuard ? "*" : "\(service.head)public-\(team)-\(number)/*",
            isGuard ? "StringNotEquals: {aws:RequestedRegion: [us-east-1, eu-west-1]}" : "")
    }

    private static func statement(
        _ number: Int, _ effect: String, _ service: Service, _ actions: [String], _ resource: String,
        _ condition: String
    ) -> String {
        let names = actions.map { "\"\(service.prefix):\($0)\"" }.joined(separator: ", ")
        let asks = effect.utf8.elementsEqual("AllowWithApproval".utf8)
        return "  - Sid: S\(number)\n    Effect: \(effect)\n    Action: [\(names)]\n"
            + "    Resource: \"\(resource)\"\n"
            + (condition.isEmpty ? "" : "    Condition: {\(condition)}\n")
            + (asks ? "    Approval: {Approvers: [oncall]}\n" : "")
    }
}
