import Vocabulary

@testable import Recognizing

/// A statement of PartiQL, read once more by other means: without its strings, whose quotes are the only ones
/// that may hide anything, it must begin with its verb and name its table first.
@Sendable func readStatement(_ bytes: [UInt8]) {
    guard let text = String(validating: bytes, as: UTF8.self), let statement = PartiQLStatement(parsing: text)
    else { return }
    let bare = withoutStrings(bytes)
    must(bare.count { $0 == 0x22 }.isMultiple(of: 2), "a name whose quotes do not close")
    // By bytes: a mark that combines with a quote would hide it.
    let words = bare.split(separator: 0x22, omittingEmptySubsequences: false).map {
        String(decoding: $0, as: UTF8.self)
    }
    let outside = words.enumerated().filter { $0.offset.isMultiple(of: 2) }.map { $0.element }.joined(
        separator: " ")
    let spelled = outside.split { !($0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_")) }.map {
        $0.uppercased()
    }
    must(spelled.first == statement.verb.rawValue.uppercased(), "another verb than the first word")
    for mark in ["--", "/*", "`", ";", "<<\\"] {
        must(!outside.contains(mark), "`\(mark)` outside of quotes")
    }
    for verb in PartiQLStatement.Verb.allCases {
        let count = spelled.count { $0 == verb.rawValue.uppercased() }
        must(count == (verb == statement.verb ? 1 : 0), "\(verb.rawValue) \(count) times")
    }
    if let table = statement.table {
        let entry = ["FROM", "INTO", "UPDATE"]
        let before = words.indices.filter { !$0.isMultiple(of: 2) }.first { index in
            let last = words[index - 1].split { !($0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_")) }
                .last.map { $0.uppercased() }
            return last.map(entry.contains) ?? false
        }
        must(before.map { words[$0].utf8.elementsEqual(table.utf8) } ?? false, "another table: \(table)")
    }
    must(PartiQLStatement(parsing: "\n \(text)\t") == statement, "blanks at the ends matter")
    for more in [";", " -- x", "/**/", "; DELETE FROM \"t\"", " SELECT", " FROM \"t\"", "`", "\"", "'"] {
        must(PartiQLStatement(parsing: text + more) == nil, "`\(more)` at the end is overlooked")
    }
    namedByStatement(statement, text)
}

private func withoutStrings(_ bytes: [UInt8]) -> [UInt8] {
    var (bare, inString, inName): ([UInt8], Bool, Bool) = ([], false, false)
    for byte in bytes {
        if byte == 0x27, !inName {
            inString.toggle()
            bare.append(0x20)
            continue
        }
        if byte == 0x22, !inString { inName.toggle() }
        if !inString { bare.append(byte) }
    }
    return bare
}

private func namedByStatement(_ statement: PartiQLStatement, _ text: String) {
    for model in operation("dynamodb", "ExecuteStatement") {
        guard let pairs = try? namePairs(facts(model, ["Statement": .string(text)])).pairs else {
            fatalError("a statement that names nothing: \(text)")
        }
        let isSure =
            pairs.count == 1 && pairs[0].action.description == "dynamodb:PartiQL\(statement.verb.rawValue)"
        must(isSure || pairs.allSatisfy { $0.resource == .unknown }, "other pairs: \(pairs)")
        guard isSure, let named = pairs[0].resource.text, let table = statement.table else { continue }
        let own = "arn:aws:dynamodb:us-east-1:111122223333:table/\(table)"
        must(named.isSame(as: own) || named.begins(with: own + "/index/"), "another table: \(named)")
    }
}

private func operation(_ service: String, _ name: String) -> [CatalogOperation] {
    Catalog.builtIn.service(named: service)?.operation(named: name).map { [$0] } ?? []
}

private func facts(_ model: CatalogOperation, _ parameters: JSON) -> CallFacts {
    CallFacts(
        model: model, parameters: parameters, partition: "aws", region: "us-east-1", account: "111122223333")
}

/// An ARN is what it spells; it fits a format only if some filling of the format's variables writes it.
@Sendable func readARN(_ bytes: [UInt8]) {
    guard let text = String(validating: bytes, as: UTF8.self), let arn = ARN(parsing: text) else { return }
    let parts = ["arn", arn.partition, arn.service, arn.region, arn.account, arn.resource]
    must(arn.text.isSame(as: text) && parts.joined(separator: ":").isSame(as: text), "an ARN that was mended")
    must(text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }, "an ARN that is not printable")
    for format in (formats[arn.service] ?? []) + (formats["$"] ?? []) where ARNFormat(format).fits(arn) {
        let tail = format.parts(by: 0x3A, maxSplits: 5).last ?? ""
        must(writes(Array(tail.utf8), Array(arn.resource.utf8)), "`\(format)` does not write \(text)")
    }
}

/// Every format of the catalog by the service that it spells out; under `$` those that leave it open.
private let formats: [String: [String]] = {
    let all = Set(Catalog.builtIn.operations.flatMap { $0.actions.flatMap { $0.resources.map(\.arnFormat) } })
    return Dictionary(grouping: all.sorted()) { format in
        let service = format.parts(by: 0x3A, maxSplits: 3).dropFirst(2).first ?? ""
        return service.begins(with: "$") ? "$" : service
    }
}()

/// Whether `format` writes `text` with one character or more for each `${Name}`: all ways are tried.
private func writes(_ format: [UInt8], _ text: [UInt8]) -> Bool {
    var reached: Set<Int> = [0]
    var at = 0
    while at < format.count, !reached.isEmpty {
        if format[at...].starts(with: "${".utf8), let end = format[at...].firstIndex(of: 0x7D) {
            // Neighboring variables are one run.
            if at == 0 || format[at - 1] != 0x7D {
                let least = reached.min() ?? 0
                reached = least < text.count ? Set((least + 1)...text.count) : []
            }
            at = end + 1
        } else {
            reached = Set(reached.filter { $0 < text.count && text[$0] == format[at] }.map { $0 + 1 })
            at += 1
        }
    }
    return reached.contains(text.count)
}

/// Copy sources and the names that a request may give to what it touches.
@Sendable func readNames(_ bytes: [UInt8]) {
    guard let text = String(validating: bytes, as: UTF8.self) else { return }
    for source in (try? S3Source.all(parsing: text, part: "x")) ?? [] {
        must(!source.key.isEmpty && !source.key.utf8.contains { $0 < 0x20 }, "a key of no object")
    }
    let named = [
        ("dynamodb", "GetItem", "TableName"), ("sqs", "SendMessage", "QueueUrl"),
        ("sns", "Publish", "TopicArn"),
        ("kms", "Encrypt", "KeyId"), ("secretsmanager", "GetSecretValue", "SecretId"),
        ("ssm", "GetParameter", "Name"), ("lambda", "Invoke", "FunctionName"), ("iam", "GetRole", "RoleName"),
        ("sts", "AssumeRole", "RoleArn"), ("ssm", "StartSession", "Target"),
        ("iam", "GetPolicy", "PolicyArn"),
    ]
    for (service, name, member) in named {
        for model in operation(service, name) {
            for pair in checkPairs(facts(model, .object([.init(member, .string(text))]))) {
                must(
                    !pair.resource.description.utf8.contains { $0 < 0x20 || $0 == 0x2A || $0 == 0x3F },
                    "a name that is a pattern: \(pair)")
            }
        }
    }
}

/// `{"service":…,"operation":…,"parameters":{…}}`: what any operation of any service names, whatever it is
/// told.
@Sendable func readParametersOfAnyOperation(_ bytes: [UInt8]) {
    guard let json = try? JSON(parsing: bytes), let service = json["service"]?.string,
        let name = json["operation"]?.string, let parameters = json["parameters"], parameters.members != nil
    else { return }
    for model in operation(service, name) { checkPairs(facts(model, parameters)) }
}

/// The pairs of the call, which are the same when they are named again.
@discardableResult
private func checkPairs(_ facts: CallFacts) -> [Pair] {
    guard let named = try? namePairs(facts) else { return [] }
    must(!named.pairs.isEmpty, "no pairs")
    must((try? namePairs(facts))?.pairs == named.pairs, "two namings")
    return named.pairs
}
