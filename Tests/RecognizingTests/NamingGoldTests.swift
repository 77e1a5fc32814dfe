import Foundation
import Testing
import Vocabulary

@testable import Recognizing

/// One line of `fixtures/pairs`: a call, and the pairs that the documentation says it needs.
struct PairFixture: CustomTestStringConvertible, Sendable {
    let json: JSON
    let place: String

    var testDescription: String { "\(place) \(service) \(operation)" }
    var service: String { json["service"]?.string ?? "" }
    var operation: String { json["operation"]?.string ?? "" }

    static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("fixtures/pairs")

    /// Every line of every file.
    static let all: [PairFixture] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { $0.hasSuffix(".jsonl") }.sorted().flatMap { name -> [PairFixture] in
            guard let text = try? String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
            else { return [] }
            return text.utf8.split(separator: 0x0A).enumerated().compactMap { number, line in
                guard let json = try? JSON(parsing: Array(line)) else { return nil }
                return PairFixture(json: json, place: "\(name):\(number + 1)")
            }
        }
    }()

    func facts() throws -> CallFacts {
        let model = try #require(Catalog.builtIn.service(named: service)?.operation(named: operation))
        return CallFacts(
            model: model, parameters: try #require(json["parameters"]),
            partition: json["partition"]?.string ?? "aws", region: try #require(json["region"]?.string),
            account: json["account"]?.string)
    }
}

/// The resource as fixtures write it: `<unknown>` for a run of any length, `<unknown 6>` for six characters.
func spelled(_ resource: Resource) -> String {
    resource.parts.map { part in
        switch part {
        case .known(let text): text
        case .unknown: "<unknown>"
        case .unknownCharacters(let count): "<unknown \(count)>"
        }
    }.joined()
}

@Suite("Naming, the gold set") struct NamingGoldTests {
    static let services = [
        "dynamodb", "dynamodbstreams", "s3", "sqs", "sns", "sts", "iam", "lambda", "kms", "secretsmanager",
        "ssm",
    ]

    @Test func `what naming says of a condition key is what the catalog shows of it`() throws {
        for fixture in PairFixture.all where fixture.json["refused"] == nil {
            let facts = try fixture.facts()
            let named = try namePairs(facts)
            let fills = Dictionary(uniqueKeysWithValues: facts.model.keyFills.map { ($0.key, $0) })
            let actions = facts.model.actions
            for key in Set(actions.flatMap(\.conditionKeys)) where !key.contains("$") && !key.contains("<") {
                let listed = actions.indices.filter { fills[key]?.isListed(for: $0) ?? true }
                let kinds = fills[key]?.kinds ?? []
                let pair = named.pairs.first { pair in
                    listed.contains { actions[$0].action == pair.action }
                        && (kinds.isEmpty
                            || kinds.contains {
                                ConditionKeys.ResourcePart.whole(of: $0).value(in: pair.resource) != nil
                            })
                }
                guard let pair else { continue }
                let value = named.keys.value(of: key, for: pair)
                let about: Comment = "\(fixture.testDescription): \(key) \(value)"
                switch fills[key]?.source {
                case .member(let path):
                    // A value that is no text is not known: nothing is said then.
                    guard let texts = KeyFilling.values(of: path, in: facts.parameters) else { continue }
                    #expect(texts.isEmpty == (value == .absent), about)
                case .memberIfAny(let path):
                    let texts = KeyFilling.values(of: path, in: facts.parameters) ?? []
                    #expect(value == (texts.isEmpty ? .unknown : .filled(texts)), about)
                case .literal(let text): #expect(value == .filled([text]), about)
                case .region: #expect(value == .filled([facts.region]), about)
                case .resource(let part):
                    #expect(value == part.value(in: pair.resource).map { .filled([$0]) } ?? .unknown, about)
                case .account: #expect(value == facts.account.map { .filled([$0]) } ?? .unknown, about)
                case .absentUnless: #expect(value == .absent || value == .unknown, about)
                case .computed, .tags, .text: continue
                case .absent: #expect(value == .absent, about)
                case nil: #expect(value == .unknown, about)
                }
            }
        }
    }

    @Test("every call of the gold set needs just its pairs", arguments: services + ["other"])
    func gold(_ service: String) throws {
        let fixtures = PairFixture.all.filter { $0.place.hasPrefix("\(service).jsonl:") }
        #expect(!fixtures.isEmpty)
        for fixture in fixtures {
            let facts = try fixture.facts()
            if fixture.json["refused"]?.string == "malformed" {
                #expect("\(fixture.testDescription) \(facts.parameters.text)") {
                    _ = try namePairs(facts)
                } throws: { error in
                    if case .malformed = error as? RecognitionError { true } else { false }
                }
                continue
            }
            let named: NamedPairs
            do { named = try namePairs(facts) } catch {
                Issue.record("\(fixture.testDescription): \(error)")
                continue
            }
            // Bytes: Swift holds two spellings of é equal.
            let found = named.pairs.map { Array("\($0.action) \(spelled($0.resource))".utf8) }
            let wanted = try #require(fixture.json["pairs"]?.array).map { pair in
                Array("\(pair.array?.first?.string ?? "") \(pair.array?.last?.string ?? "")".utf8)
            }
            let shown = found.map { String(decoding: $0, as: UTF8.self) }
            #expect(found == wanted, "\(fixture.testDescription) \(facts.parameters.text): \(shown)")
            let count = Int(fixture.json["itemCount"]?.integer ?? 1)
            #expect(named.itemCount == count, "\(fixture.testDescription)")
            for key in fixture.json["keys"]?.members ?? [] {
                let values = key.value.array?.compactMap(\.string)
                #expect(
                    named.keys[key.name] == (values.map { .filled($0) } ?? .absent),
                    "\(fixture.testDescription)")
            }
        }
    }

    @Test("the gold set holds every operation", arguments: services)
    func everyOperation(_ service: String) throws {
        let operations = try #require(Catalog.builtIn.service(named: service)).operations.map(\.name)
        let held = Set(PairFixture.all.filter { $0.service == service }.map(\.operation))
        #expect(Set(operations).subtracting(held).isEmpty)
    }

    @Test("every action of an exactly named call is one of the reference", arguments: services)
    func knownActions(_ service: String) throws {
        for fixture in PairFixture.all where fixture.service == service && fixture.json["pairs"] != nil {
            for pair in try namePairs(fixture.facts()).pairs {
                // SAR does not list it yet.
                if pair.action.name == "UpdateDelegationRequest" { continue }
                #expect(
                    Catalog.builtIn.isKnownAction(prefix: pair.action.prefix, name: pair.action.name),
                    "\(pair.action)")
                #expect(pair.level != .unknown)
            }
        }
    }
}
