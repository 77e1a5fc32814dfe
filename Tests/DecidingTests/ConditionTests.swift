import Recognizing
import Testing
import Vocabulary

@testable import Deciding

@Suite("Judging conditions") struct ConditionTests {
    /// Whether an `Allow` and whether a `Deny` with the condition takes effect: `both`, `none`, or `deny`
    /// alone where the truth is unknown.
    static func effect(
        _ condition: String, keys: ConditionKeys = ConditionKeys(), task: String? = "T-1", items: Int = 1,
        level: AccessLevel = .write
    ) throws -> String {
        func takesEffect(_ effect: String) throws -> Bool {
            let set = try PolicySet.of(
                """
                - {Sid: S, Effect: \(effect), Action: "dynamodb:*", Resource: "*", Condition: {\(condition)}}
                """)
            let said = try set.says("dynamodb:GetItem", level: level, keys: keys, task: task, items: items)
            return said.hasSuffix("test/S")
        }
        switch (try takesEffect("Allow"), try takesEffect("Deny")) {
        case (true, true): return "both"
        case (false, false): return "none"
        case (false, true): return "deny"
        case (true, false): return "allow"
        }
    }

    static func keys(_ values: [String]?) -> ConditionKeys {
        var keys = ConditionKeys()
        keys["x:k"] = values.map { .filled($0) } ?? .absent
        return keys
    }

    /// Each row: the operator with its values, and what it makes of `a`, of `b`, of an absent and of an
    /// unknown key.
    @Test(
        "operators over one value",
        arguments: [
            ("StringEquals: {x:k: a}", ["both", "none", "none", "deny"]),
            ("stringequals: {X:K: [c, a]}", ["both", "none", "none", "deny"]),
            ("StringNotEquals: {x:k: [a, c]}", ["none", "both", "both", "deny"]),
            ("StringEqualsIfExists: {x:k: a}", ["both", "none", "both", "deny"]),
            ("StringNotEqualsIfExists: {x:k: a}", ["none", "both", "both", "deny"]),
            ("StringEqualsIgnoreCase: {x:k: A}", ["both", "none", "none", "deny"]),
            ("StringEquals: {x:k: A}", ["none", "none", "none", "deny"]),
            ("StringNotEqualsIgnoreCase: {x:k: A}", ["none", "both", "both", "deny"]),
            ("StringLike: {x:k: \"[!ab]*\"}", ["none", "none", "none", "deny"]),
            ("StringLike: {x:k: \"?\"}", ["both", "both", "none", "deny"]),
            ("StringLike: {x:k: A}", ["none", "none", "none", "deny"]),
            ("StringNotLike: {x:k: \"a*\"}", ["none", "both", "both", "deny"]),
            ("StringEquals: {x:k: \"*\"}", ["none", "none", "none", "deny"]),
            ("\"Null\": {x:k: \"true\"}", ["none", "none", "both", "deny"]),
            ("\"Null\": {x:k: \"false\"}", ["both", "both", "none", "deny"]),
            ("ForAllValues:StringEquals: {x:k: a}", ["both", "none", "both", "deny"]),
            ("ForAnyValue:StringEquals: {x:k: a}", ["both", "none", "none", "deny"]),
            ("Bool: {x:k: \"true\"}", ["deny", "deny", "none", "deny"]),
            ("NumericEquals: {x:k: 1}", ["deny", "deny", "none", "deny"]),
        ])
    func oneValue(_ condition: String, _ expected: [String]) throws {
        let found = [
            try Self.effect(condition, keys: Self.keys(["a"])),
            try Self.effect(condition, keys: Self.keys(["b"])),
            try Self.effect(condition, keys: Self.keys(nil)), try Self.effect(condition),
        ]
        #expect(found == expected)
    }

    /// Each row: the operator, the key's values, and what follows.
    @Test(
        "operators over several values",
        arguments: [
            ("StringEquals: {x:k: [a, b]}", ["a", "b"], "deny"),
            ("StringNotEquals: {x:k: c}", ["a", "b"], "deny"),
            ("ForAllValues:StringEquals: {x:k: [a, b, c]}", ["a", "b"], "both"),
            ("ForAllValues:StringEquals: {x:k: a}", ["a", "b"], "none"),
            ("ForAllValues:StringEquals: {x:k: a}", [], "both"),
            ("ForAllValues:StringNotEquals: {x:k: c}", ["a", "b"], "both"),
            ("ForAllValues:StringNotEquals: {x:k: b}", ["a", "b"], "none"),
            ("ForAnyValue:StringEquals: {x:k: b}", ["a", "b"], "both"),
            ("ForAnyValue:StringEquals: {x:k: c}", ["a", "b"], "none"),
            ("ForAnyValue:StringEquals: {x:k: a}", [], "none"),
            ("ForAnyValue:StringNotEquals: {x:k: a}", ["a", "b"], "both"),
            ("ForAnyValue:StringNotEquals: {x:k: [a, b]}", ["a", "b"], "none"),
            ("ForAnyValue:StringLike: {x:k: \"tenant-?\"}", ["tenant-1", "other"], "both"),
        ])
    func severalValues(_ condition: String, _ values: [String], _ expected: String) throws {
        #expect(try Self.effect(condition, keys: Self.keys(values)) == expected)
    }

    @Test func `all lines must hold, and one that cannot be known leaves only the denial`() throws {
        let both = "StringEquals: {x:k: a, countersign:Agent: support-7}"
        #expect(try Self.effect(both, keys: Self.keys(["a"])) == "both")
        #expect(try Self.effect(both, keys: Self.keys(["b"])) == "none")
        #expect(try Self.effect(both) == "deny")
        #expect(try Self.effect("StringEquals: {x:k: a, countersign:Agent: other}") == "none")
    }

    @Test(
        "keys of our own",
        arguments: [
            ("StringEquals: {countersign:Agent: support-7}", "both"),
            ("StringLike: {countersign:Agent: \"etl-*\"}", "none"),
            ("StringEquals: {countersign:Strength: listener}", "both"),
            ("StringEquals: {countersign:Strength: signed}", "none"),
            ("StringEquals: {countersign:Task: T-1}", "both"),
            ("\"Null\": {countersign:Task: \"true\"}", "none"),
            ("StringEquals: {countersign:AccessLevel: Write}", "both"),
            ("StringEquals: {countersign:AccessLevel: [Read, List]}", "none"),
            ("Bool: {countersign:Mutates: \"true\"}", "both"),
            ("Bool: {countersign:Mutates: \"false\"}", "none"),
            ("StringEquals: {countersign:Sensitivity: metadata}", "both"),
            ("StringEquals: {countersign:Protocol: awsJson1.0}", "both"),
            ("NumericGreaterThan: {countersign:ItemCount: 24}", "both"),
            ("NumericLessThanEquals: {countersign:ItemCount: 24}", "none"),
            ("NumericNotEquals: {countersign:ItemCount: 25}", "none"),
            ("NumericLessThan: {countersign:ItemCount: 26}", "both"),
            ("NumericGreaterThanEquals: {countersign:ItemCount: 25}", "both"),
            ("NumericEquals: {countersign:BodyBytes: 0}", "both"),
            ("NumericEquals: {countersign:HourUTC: 8}", "both"),
            ("StringEquals: {countersign:HourUTC: 8}", "both"),
            ("StringEquals: {aws:RequestedRegion: us-east-1}", "both"),
            ("StringEquals: {aws:RequestedRegion: eu-west-1}", "none"),
            ("StringLike: {aws:CurrentTime: \"20??-??-??T*Z\"}", "both"),
            ("NumericGreaterThan: {aws:EpochTime: 1700000000}", "both"),
            ("NumericLessThan: {aws:EpochTime: 1700000000}", "none"),
            ("StringEquals: {aws:ResourceAccount: \"111122223333\"}", "both"),
            ("StringEquals: {aws:ResourceAccount: \"222233334444\"}", "none"),
            ("StringEquals: {aws:PrincipalOrgID: o-1}", "deny"),
        ])
    func ownKeys(_ condition: String, _ expected: String) throws {
        #expect(try Self.effect(condition, items: 25) == expected)
    }

    @Test func `the account of a resource is known where its region is not`() throws {
        func resource(_ tail: String) -> Resource {
            Resource([.known("arn:aws:dynamodb:"), .unknown, .known(tail)])
        }
        let set = try PolicySet.of(
            """
            - {Sid: Ours, Effect: Allow, Action: "*", Resource: "*"}
            - Sid: Others
              Effect: Deny
              Action: "*"
              Resource: "*"
              Condition: {StringNotEquals: {aws:ResourceAccount: "111122223333"}}
            """)
        #expect(try set.says("dynamodb:GetItem", resource(":111122223333:table/a")) == "allow test/Ours")
        #expect(try set.says("dynamodb:GetItem", resource(":222233334444:table/a")) == "deny test/Others")
        #expect(try set.says("dynamodb:GetItem", resource("table/111122223333:a")) == "deny test/Others")
        let partly = Resource([.known("arn:aws:dynamodb::11112222"), .unknown, .known(":table/a")])
        #expect(try set.says("dynamodb:GetItem", partly) == "deny test/Others")
    }

    @Test(
        "the account of a resource is unknown where its ARN says none",
        arguments: [
            "arn:aws:s3:::b/k", "arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:dynamodb:us-east-1:",
        ])
    func accountOfResource(_ text: String) throws {
        let resource = Resource(text.utf8.last == 0x3A ? [.known(text), .unknown] : [.known(text)])
        for test in ["StringEquals", "StringNotEquals"] {
            for effect in ["Allow", "Deny"] {
                let set = try PolicySet.of(
                    """
                    - Sid: S
                      Effect: \(effect)
                      Action: "*"
                      Resource: "*"
                      Condition: {\(test): {aws:ResourceAccount: "111122223333"}}
                    """)
                #expect(try set.says("s3:GetObject", resource).hasSuffix("test/S") == (effect == "Deny"))
            }
        }
    }

    @Test func `the request cannot fill a key of ours`() throws {
        var keys = ConditionKeys()
        keys["countersign:Agent"] = .filled(["admin"])
        #expect(try Self.effect("StringEquals: {countersign:Agent: admin}", keys: keys) == "none")
    }

    @Test func `a call without a task has none, and an unknown level is no level`() throws {
        #expect(try Self.effect("\"Null\": {countersign:Task: \"true\"}", task: nil) == "both")
        #expect(try Self.effect("StringEquals: {countersign:AccessLevel: Read}", level: .unknown) == "deny")
        #expect(
            try Self.effect("StringNotEquals: {countersign:AccessLevel: Read}", level: .unknown) == "deny")
        #expect(try Self.effect("Bool: {countersign:Mutates: \"true\"}", level: .unknown) == "both")
    }

    @Test func `an operation without a rating counts as data`() throws {
        let set = try PolicySet.of(
            """
            - Sid: S
              Effect: Allow
              Action: dynamodb:GetItem
              Resource: "*"
              Condition: {StringEquals: {countersign:Sensitivity: data}}
            """)
        #expect(try set.says("dynamodb:GetItem", sensitivity: .unrated) == "allow test/S")
        #expect(try set.says("dynamodb:GetItem", sensitivity: .metadata) == "deny byDefault")
        #expect(try set.says("dynamodb:GetItem", sensitivity: .credential) == "deny byDefault")
    }

    @Test func `a request value with wildcards is compared as it is`() throws {
        #expect(try Self.effect("StringLike: {x:k: \"prod\"}", keys: Self.keys(["*"])) == "none")
        #expect(try Self.effect("StringNotLike: {x:k: \"prod*\"}", keys: Self.keys(["?rod"])) == "both")
    }
}
