import Testing
import Vocabulary

@testable import Recognizing

@Suite("Naming, sources of values") struct ValueSourceTests {
    static let place = Place(partition: "aws", region: "us-east-1", account: "111122223333")

    /// What `source` makes of `parameters`: the value, `unreadable`, or nothing.
    static func value(_ source: String, _ parameters: String) throws -> String? {
        let parameters = try JSON(parsing: Array(parameters.utf8))
        switch try ValueSource(source).value(in: parameters, element: nil, of: nil, at: place) {
        case .text(let text, _): return text
        case .elsewhere(let text, _, let place):
            return "\(text) in \(place.region) of \(place.account ?? "?")"
        case .unreadable(let whole):
            #expect(parameters.members?.contains { $0.value.string == whole } == true)
            return "(unreadable)"
        case .ofAnother: return "(of another)"
        case nil: return nil
        }
    }

    @Test(
        "the first alternative that the request has counts",
        arguments: [
            ("A", #"{"A": "x"}"#, "x"), ("A", #"{"B": "x"}"#, nil), ("A", #"{"A": null}"#, nil),
            ("A | B", #"{"A": "x", "B": "y"}"#, "x"), ("A | B", #"{"B": "y"}"#, "y"),
            ("A | 'default'", "{}", "default"), ("A.B", #"{"A": {"B": 7}}"#, "7"),
            ("A ~ rest(:) | 'z'", #"{"A": "x"}"#, "z"),
        ])
    func alternatives(_ source: String, _ parameters: String, _ expected: String?) throws {
        #expect(try Self.value(source, parameters) == expected)
    }

    @Test(
        "transforms",
        arguments: [
            ("A ~ after(/hostedzone/)", "/hostedzone/Z1", "Z1"), ("A ~ after(/hostedzone/)", "Z1", "Z1"),
            ("A ~ before(:)", "fam:3", "fam"), ("A ~ before(:)", "fam", "fam"),
            ("A ~ rest(:)", "fam:3", "3"), ("A ~ rest(:)", "fam", nil),
            ("A ~ last(/)", "a/b/c", "c"), ("A ~ first(/)", "a/b/c", "a"),
            ("A ~ lower", "REGIONAL", "regional"), ("A ~ upper", "Action_1é", "ACTION_1é"),
            ("A ~ arn(cluster/)", "web", "web"),
            ("A ~ arn(cluster/)", "arn:aws:ecs:us-east-1:111122223333:cluster/web", "web"),
            ("A ~ arn(cluster/)", "arn:aws:ecs:us-east-1:111122223333:service/web", "(unreadable)"),
            // Another account or region is another resource of the same name, another partition is none.
            (
                "A ~ arn(cluster/)", "arn:aws:ecs:us-east-1:444455556666:cluster/web",
                "web in us-east-1 of 444455556666"
            ),
            (
                "A ~ arn(cluster/) ~ first(/)", "arn:aws:ecs:eu-west-1:111122223333:cluster/web/x",
                "web in eu-west-1 of 111122223333"
            ),
            ("A ~ arn(cluster/)", "arn:aws:ecs:us-east-1::cluster/web", "web"),
            ("A ~ owner", "arn:aws:x:us-east-1:444455556666:y", "444455556666"), ("A ~ owner", "y", nil),
            ("A ~ home", "arn:aws:x:eu-west-1:444455556666:y", "eu-west-1"),
            ("A ~ owner", "arn:aws:s3:::b", nil),
            ("A ~ rest(:) ~ then(/)", "a:b", "b/"), ("A ~ rest(:) ~ then(/)", "a", nil),
            ("A ~ arn(cluster/)", "arn:aws-cn:ecs:us-east-1:111122223333:cluster/web", "(unreadable)"),
            ("A ~ before(:)", "arn:aws:x:us-east-1:111122223333:y", "arn:aws:x:us-east-1:111122223333:y"),
            ("A ~ last(/)", "a/", "(unreadable)"), ("A ~ id(vol-)", "vol-1", "vol-1"),
            ("A ~ id(vol-)", "i-1", "(of another)"), ("A ~ id(vol-) | 'x'", "i-1", "(of another)"),
            ("A ~ begins(ou-)", "ou-a-1", "ou-a-1"), ("A ~ begins(ou-)", "r-a", "(of another)"),
            ("A ~ global ~ lower", "CLOUDFRONT", "global"), ("A ~ global ~ lower", "REGIONAL", "regional"),
            ("A ~ id(tgw-)", "tgw-attach-1", "(of another)"), ("A ~ id(i-)", "i-", "(of another)"),
            ("A ~ begins(us.)", "us.a.b-1:0", "us.a.b-1:0"), ("A ~ begins(us.)", "usa.b", "(of another)"),
            ("A ~ only(pcs_)", "pcs_1", "pcs_1"), ("A ~ only(pcs_)", "web", nil),
            ("A ~ only(a) | 'x'", "b", "x"),
            ("A ~ not(alias/)", "k1", "k1"), ("A ~ not(alias/)", "alias/k", nil),
            ("A ~ not(alias/)", "arn:aws:x:us-east-1:111122223333:alias/k", nil),
            (
                "A ~ not(alias/)", "arn:aws:x:us-east-1:111122223333:key/alias/",
                "arn:aws:x:us-east-1:111122223333:key/alias/"
            ),
            ("A ~ begins(a.) | A ~ begins(b.)", "b.1", "b.1"),
            ("A ~ plain", "0f-1A", "0f-1A"), ("A ~ plain", "alias/x", nil), ("A ~ plain | 'x'", "a b", "x"),
            ("A ~ plain(_.)", "a_b.c-1", "a_b.c-1"), ("A ~ plain(_.)", "a/b", nil),
            ("A ~ owner", "arn:aws:iam::444455556666:role/t/x", "444455556666"),
            ("A ~ owner", "444455556666", nil),
            ("A ~ owner", "arn:aws:s3:::bucket", nil), ("A ~ sixth ~ first(/)", "role/x", nil),
            ("A ~ sixth ~ first(/)", "arn:aws-cn:iam::444455556666:role/t/x", "role"),
            ("A ~ sixth ~ rest(/)", "arn:aws:iam::444455556666:role/t/x", "t/x"),
            ("A ~ account", "111122223333", "111122223333"), ("A ~ account", "s3tables", "(unreadable)"),
            ("A ~ account", "1111222233334", "(unreadable)"), ("A ~ account", "11112222333a", "(unreadable)"),
            ("A ~ begins(a.) | A ~ begins(b.)", "c.1", "(of another)"),
        ])
    func transforms(_ source: String, _ text: String, _ expected: String?) throws {
        #expect(try Self.value(source, #"{"A": "\#(text)"}"#) == expected)
    }

    @Test("variables in one list go together element by element")
    func elements() throws {
        let source = ValueSource("L[].B ~ after(x) | 'd'")
        #expect(source.lists == ["L[]"])
        let root = try JSON(parsing: Array(#"{"L": [{"B": "xa"}, {}], "B": "no"}"#.utf8))
        let elements = root["L"]?.array ?? []
        let found = try elements.map {
            try source.value(in: root, element: $0, of: "L[]", at: Self.place)
        }
        #expect(found == [.text("a", of: "xa"), .text("d", of: "d")])
        // A path through another list has no value for this one's element.
        #expect(
            try ValueSource("M[].B").value(in: root, element: elements[0], of: "L[]", at: Self.place) == nil)
    }

    @Test func `an ARN of another service names nothing here`() throws {
        let source = ValueSource("StreamARN ~ arn(stream/)")
        func found(_ arn: String) throws -> ValueSource.Value? {
            try source.value(
                in: .object([.init("StreamARN", .string(arn))]), element: nil, of: nil, at: Self.place,
                service: "kinesis")
        }
        let (region, account) = (Self.place.region, Self.place.account ?? "")
        let own = "arn:aws:kinesis:\(region):\(account):stream/s"
        let others = "arn:aws:kindsis:\(region):\(account):stream/s"
        #expect(try found(own) == .text("s", of: own))
        #expect(try found(others) == .unreadable(others))
    }

    @Test(
        "conditions",
        arguments: [
            ("A", #"{"A": "x"}"#, true), ("A", "{}", false), ("A", #"{"A": []}"#, false),
            ("!A", "{}", true), ("!A", #"{"A": "x"}"#, false),
            ("A='x'", #"{"A": "x"}"#, true), ("A='x'", #"{"A": "xy"}"#, false), ("A='x'", "{}", false),
            ("A^='x'", #"{"A": "xy"}"#, true), ("A^='x'", #"{"A": "y"}"#, false),
            ("A$='/x'", #"{"A": "a/x"}"#, true), ("A$='/x'", #"{"A": "a/xy"}"#, false),
            ("!A$='/x'", #"{"A": "a/x"}"#, false), ("A*=':x/'", #"{"A": "a:x/b"}"#, true),
            ("A*=':x/'", #"{"A": "a:y-x/b"}"#, false),
            ("!A='x'", #"{"A": "x"}"#, false), ("!A='x'", #"{"A": "y"}"#, true), ("!A='x'", "{}", true),
            ("!A^='x'", #"{"A": "xy"}"#, false), ("!A^='x'", #"{"A": "y"}"#, true),
            ("A & !B", #"{"A": "x"}"#, true), ("A & !B", #"{"A": "x", "B": "y"}"#, false),
            ("!A='x'", #"{"A": "y"}"#, true), ("!A='x'", "{}", true), ("!A='x'", #"{"A": "x"}"#, false),
            ("!A or A='x'", #"{"A": "x"}"#, true), ("!A or A='x'", #"{"A": "y"}"#, false),
            ("A & B or C", #"{"C": "x"}"#, true), ("A & B or C", #"{"A": "x"}"#, false),
            ("L[].K='x'", #"{"L": [{"K": "y"}, {"K": "x"}]}"#, true),
        ])
    func conditions(_ text: String, _ parameters: String, _ expected: Bool) throws {
        let parameters = try JSON(parsing: Array(parameters.utf8))
        #expect(try CallCondition(text).holds(in: parameters) == expected)
    }
}
