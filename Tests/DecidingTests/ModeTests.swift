import Recognizing
import Testing
import Vocabulary

@testable import Deciding

@Suite("Observing") struct ModeTests {
    static let statements = """
        - {Sid: Read, Effect: Allow, Action: "dynamodb:GetItem", Resource: "*", Limit: {Calls: 1, Per: 1m}}
        - {Sid: Never, Effect: Deny, Action: "dynamodb:DeleteTable", Resource: "*"}
        - Sid: Ask
          Effect: AllowWithApproval
          Action: ["dynamodb:DeleteItem", "iam:CreateAccessKey"]
          Resource: "*"
          Approval: {Approvers: [oncall]}
        - {Sid: Role, Effect: Allow, Action: "sts:AssumeRole", Resource: "*"}
        """

    static func decided(
        _ meaning: Meaning, _ mode: Mode, limits: LimitBook = LimitBook(), grants: GrantBook = GrantBook()
    ) throws -> Decision {
        decide(
            meaning, caller: try caller(), under: try PolicySet.of(statements), grants: grants,
            limits: limits, mode: mode, at: noon)
    }

    static func call(_ action: String, vends: Bool = false, bar: SendingBar? = nil) throws -> Meaning {
        try meaning([pair(action, Resource(orders))], vends: vends, bar: bar)
    }

    @Test(
        "what policy would deny or ask about is let through, and marked; enforcing, it is not",
        arguments: [
            ("dynamodb:GetItem", "allow test/Read", "allow test/Read"),
            ("dynamodb:DeleteTable", "deny test/Never", "observed: deny test/Never"),
            ("dynamodb:PutItem", "deny byDefault", "observed: deny byDefault"),
            ("dynamodb:DeleteItem", "ask test/Ask", "observed: ask test/Ask"),
        ])
    func marked(_ action: String, _ enforced: String, _ observed: String) throws {
        let call = try Self.call(action)
        #expect(try Self.decided(call, .enforce).word == enforced)
        let decision = try Self.decided(call, .observe)
        #expect(decision.word == observed)
        guard case .allow(let allowance) = decision else { return #expect(Bool(false), "refused") }
        #expect(allowance.mode == .observe && allowance.grants.isEmpty)
        #expect((allowance.would != nil) == observed.hasPrefix("observed"))
        #expect(allowance.grounds.contains(.observed) == (allowance.would != nil))
    }

    @Test func `credentials are handed out only where policy itself allows it by name`() throws {
        for mode in Mode.allCases {
            #expect(
                try Self.decided(Self.call("sts:AssumeRole", vends: true), mode).word == "allow test/Role")
            let denied = try Self.decided(Self.call("sts:GetSessionToken", vends: true), mode)
            #expect(denied.word == "deny byDefault")
        }
        let asked = try Self.call("iam:CreateAccessKey", vends: true)
        #expect(try Self.decided(asked, .enforce).word == "ask test/Ask")
        #expect(try Self.decided(asked, .observe).word == "deny vendsCredentials", "nobody is asked")
    }

    @Test func `what is not understood, or cannot be sent as it is, is refused`() throws {
        for bar in [SendingBar.unknownOperation, .unsignedByModel, .bearerToken, .session] {
            let call = try Self.call("dynamodb:GetItem", bar: bar)
            #expect(try Self.decided(call, .observe).word == "deny barred: \(bar.rawValue)")
        }
        #expect(try Self.decided(meaning([]), .observe).word == "deny byDefault")
        for action in ["dynamodb:", ":GetItem", "dynamodb:*"] {
            #expect(try Self.decided(Self.call(action), .observe).word == "deny byDefault", "\(action)")
        }
        let mixed = try meaning([
            pair("dynamodb:GetItem", Resource(orders)), pair("dynamodb:", Resource(orders)),
        ])
        #expect(try Self.decided(mixed, .observe).word == "deny byDefault")
    }

    @Test func `limits are counted as if policy held`() throws {
        var (book, grants) = (LimitBook(), GrantBook())
        let (call, who, set) = (
            try Self.call("dynamodb:GetItem"), try caller(), try PolicySet.of(Self.statements)
        )
        func send() throws -> String {
            let decision = try Self.decided(call, .observe, limits: book)
            guard case .allow(let allowance) = decision else { return decision.word }
            let reservation = try grants.reserve(
                try GrantBookTests.call(call), for: allowance, caller: who, request: RequestID(random: 1),
                policy: set.digest, counting: &book, at: noon)
            #expect(reservation.limits.isEmpty == (allowance.would != nil))
            return decision.word
        }
        #expect(try send() == "allow test/Read")
        for _ in 1...3 { #expect(try send() == "observed: deny limit:test/Read") }
        let limit = try #require(set.statements.first { $0.id.sid == "Read" }?.limit)
        let read = StatementID(document: "test", sid: "Read")
        #expect(book.used(of: limit, in: read, by: who, at: noon).calls == 1)
    }
}
