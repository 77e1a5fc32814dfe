import Approving
@testable import Deciding
import Glibc
import Hashing
@testable import Recognizing
import Testing
import Vocabulary

@testable import Recording

/// The entry as a reader of the log finds it.
func stored(_ entry: Entry) throws -> StoredEntry {
    var line: [UInt8] = []
    LogLine.bytes(seq: 1, prev: LogLine.origin, body: LogLine.body(of: entry), into: &line)
    return try StoredEntry(line: line)
}

/// The one call that `entry` is.
func recordedCall(_ entry: Entry) throws -> RecordedCall {
    guard case .calls(let call, let count) = try ReplayedEntry(try stored(entry)) else {
        throw NoCall()
    }
    #expect(count == 1)
    return call
}

struct NoCall: Error {}

/// The calls of `fixtures/calls`, recognized.
enum RecordedFixture {
    static let meanings: [Meaning] = {
        let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        let folder = root.joined(separator: "/") + "/fixtures/calls"
        let names =
            ["cbor", "dynamodb", "forms", "hosts", "json", "names", "regions", "s3-buckets", "s3-keys"]
            + ["s3-points", "s3-subresources", "s3-writes"]
        return names.flatMap { name -> [Meaning] in
            guard let bytes = try? readFile("\(folder)/\(name).jsonl") else { return [] }
            return bytes.split(separator: 0x0A).compactMap { line in
                (try? JSON(parsing: Array(line))).flatMap(meaning)
            }
        }
    }()

    private static func meaning(_ json: JSON) -> Meaning? {
        guard let method = json["method"]?.string, let target = json["target"]?.string else { return nil }
        let fields = (json["headers"]?.array ?? []).compactMap { row in
            row.array.flatMap { $0.count == 2 ? $0 : nil }.flatMap { pair in
                pair[0].string.flatMap { name in pair[1].string.map { HeaderField(name, $0) } }
            }
        }
        let head = RequestHead(
            method: method, target: target, fields: fields + [HeaderField("User-Agent", "Boto3/1.43.11")])
        let body =
            json["body"]?.string.map { Array($0.utf8) }
            ?? json["body_b64"]?.string.flatMap { Base64.decode($0.utf8) } ?? []
        let setting = RecognitionSetting(account: "111122223333", region: "us-east-1")
        return try? recognize(
            InboundRequest(head: head, body: body), caller: Sample.caller(), setting: setting
        ).meaning
    }
}

@Suite("Recording: judging recorded calls again") struct ReplayTests {
    // MARK: - What is recorded suffices

    @Test func `a recorded call has the pairs and the condition keys of the call itself`() throws {
        #expect(RecordedFixture.meanings.count > 400)
        var keyCount = 0
        for meaning in RecordedFixture.meanings {
            let call = try recordedCall(Entry.request(try reservation(meaning), facts: Sample.facts))
            #expect(call.gaps == RecordedCall.Gaps(), "\(meaning.operation)")
            #expect(call.pairs.map(\.pair) == meaning.pairs, "\(meaning.operation)")
            let names =
                meaning.keys.names + meaning.keys.families.map { $0.prefix + "never-said" }
                + ["aws:resourcetag/x", "s3:prefix", "aws:useragent"]
            for group in call.groups {
                let again = call.meaning(of: group)
                for pair in group.pairs {
                    for name in names {
                        let (now, then) = (
                            again.keys.value(of: name, for: pair), meaning.keys.value(of: name, for: pair)
                        )
                        #expect(now == then, "\(meaning.operation): \(name)")
                        keyCount += 1
                    }
                }
                #expect(again.digest != meaning.digest, "leave given to a replay fits no call")
            }
        }
        #expect(keyCount > 10_000)
    }

    @Test func `of a refused call all pairs are recorded, those that failed first`() throws {
        let pairs = ["GetItem", "DeleteItem", "PutItem"].map { Sample.pair($0, level: .write) }
        let meaning = Sample.meaning(pairs: pairs)
        let entry = try denied(meaning, [pairs[1]])
        let json = try stored(entry).json
        #expect(json["pairs"]?.array?.map { $0["action"] } == ["dynamodb:DeleteItem"])
        #expect(json["other_pairs"]?.array?.count == 2)
        let call = try recordedCall(entry)
        #expect(call.pairs.map(\.pair) == [pairs[1], pairs[0], pairs[2]])
        #expect(call.gaps == RecordedCall.Gaps())
    }

    @Test func `a pair that differs in bytes only is not lost between those that failed and the others`()
        throws
    {
        // Swift holds both spellings equal; a policy may refuse one of them.
        let names = ["arn:aws:s3:::b/\u{E9}", "arn:aws:s3:::b/e\u{301}"]
        let pairs = names.map { Sample.pair("GetItem", level: .read, resource: Resource($0)) }
        let call = try recordedCall(try denied(Sample.meaning(pairs: pairs), [pairs[1]]))
        #expect(
            call.pairs.map { Array(($0.pair.resource.text ?? "").utf8) }
                == [names[1], names[0]].map { Array($0.utf8) })
    }

    @Test func `a call that asked is recorded with what policy judged`() throws {
        var keys = Sample.keys
        keys["aws:RequestTag/env"] = .filled(["prod"])
        let meaning = Sample.meaning("DeleteItem", level: .write, keys: keys)
        let asked = Approval.Asked(
            Call(meaning: meaning, sealed: Sample.sealed()), parameters: .null,
            judged: keyMembers(meaning, pairs: meaning.pairs))
        let question = Question(
            pairs: meaning.pairs, statements: [],
            terms: ApprovalTerms(quorums: []), fingerprint: sha256(""))
        let approval = Approval(
            id: try ApprovalID(parsing: "apr-7Q2MK4XD"), created: moment(),
            requester: Approval.Requester(caller: try Sample.caller(), uid: nil, peer: "x"), asked: asked,
            question: question, policy: Sample.policy)
        let change = ApprovalChange.requested(approval)
        let entry = try #require(Entry.change(change.entryType, at: moment(), body: change.body))
        let call = try recordedCall(entry)
        #expect(call.pairs.map(\.pair) == meaning.pairs)
        #expect(call.digest == meaning.digest)
        #expect(call.caller.task?.text == "JIRA-42")
        let again = call.meaning(of: call.groups[0])
        for name in meaning.keys.names {
            #expect(again.keys.value(of: name, for: meaning.pairs[0]) == meaning.keys[name], "\(name)")
        }
        let read = try ApprovalChange(entryType: "approval", body: try stored(entry).json)
        #expect(read == change, "what is rebuilt at start is what was asked")
    }

    // MARK: - What is not recorded

    @Test(
        "no value of a key with a secret's name is recorded",
        arguments: ["aws:RequestTag/db-password", "kms:EncryptionContext:SecretKey", "x:apikey"])
    func secretKey(_ name: String) throws {
        var keys = Sample.keys
        keys[name] = .filled(["canary"])
        let entry = Entry.request(try reservation(Sample.meaning(keys: keys)), facts: Sample.facts)
        let line = try stored(entry).json
        #expect(!line.text.contains("canary"))
        #expect(line["keys"]?[name.asciiLowercased] == .null)
        #expect(try recordedCall(entry).pairs.first?.unrecorded == [name.asciiLowercased])
    }

    @Test func `no condition key is filled from a member with a secret's name, but for yes and no`() {
        var found: Set<String> = []
        for service in Catalog.builtIn.services {
            for operation in service.operations {
                for fill in operation.keyFills {
                    let path: String
                    switch fill.source {
                    case .member(let text), .memberIfAny(let text): path = text
                    default: continue
                    }
                    let member =
                        path.split(separator: " ")[0].split(separator: ".").last.map(String.init) ?? ""
                    if Redaction.isSecret(member.filter { $0 != "[" && $0 != "]" }) { found.insert(fill.key) }
                }
            }
        }
        // A yes or no: whether Secrets Manager keeps the password.
        #expect(found == ["rds:ManageMasterUserPassword"])
    }

    @Test func `keys are cut at their bound, and the reader knows`() throws {
        var keys = ConditionKeys()
        for number in 0..<100 {
            keys["aws:RequestTag/t\(number)"] = .filled([String(repeating: "v", count: 100)])
        }
        keys["aws:TagKeys"] = .filled((0..<500).map { "tag-\($0)" })
        let entry = Entry.request(try reservation(Sample.meaning(keys: keys)), facts: Sample.facts)
        let json = try stored(entry).json
        #expect(json["keys_cut"] == true)
        #expect((json["keys"]?.line.count ?? 0) < 6_200)
        let call = try recordedCall(entry)
        #expect(call.gaps.areKeysCut)
        #expect(call.pairs[0].keys.keys.count < 100)
    }

    @Test func `the value of a long key is not recorded`() throws {
        var keys = Sample.keys
        keys["s3:prefix"] = .filled([String(repeating: "p", count: 2_044)])
        let call = try recordedCall(
            Entry.request(try reservation(Sample.meaning(keys: keys)), facts: Sample.facts))
        #expect(call.pairs[0].unrecorded == ["s3:prefix"])
        keys["s3:prefix"] = .filled([String(repeating: "p", count: 2_043)])
        let whole = try recordedCall(
            Entry.request(try reservation(Sample.meaning(keys: keys)), facts: Sample.facts))
        #expect(whole.pairs[0].unrecorded.isEmpty)
    }

    @Test func `the longest entry of every part fits on a line`() throws {
        let wild = String(repeating: "\u{1}", count: 500)
        var keys = Sample.keys
        for number in 0..<200 { keys["aws:RequestTag/\(wild)\(number)"] = .filled([wild]) }
        let pairs = (0..<1_000).map { number in
            Sample.pair("GetItem", level: .read, resource: Resource("arn:aws:s3:::b/\(wild)\(number)"))
        }
        let caller = Caller(
            agent: try Sample.agent(), session: try Sample.caller().session, strength: .listener,
            task: ClaimedText(wild, source: .header), reason: ClaimedText(wild, source: .header), scope: nil)
        let meaning = Sample.meaning(pairs: pairs, keys: keys)
        let refusal = Refusal.denied(
            at: moment(), request: RequestID(random: 3), caller: caller, meaning: meaning,
            denial: Denial(
                items: pairs.map { .init(pair: $0, reason: .statement(.init(document: wild, sid: wild))) }),
            policy: Sample.policy, code: "AccessDenied", peer: wild)
        let count = LogLine.headByteCountMax + LogLine.body(of: refusal.entry).count
        #expect(count <= LogLine.byteCountMax, "\(count)")
    }

    @Test func `the longest request fits on a line, with all its limits`() throws {
        let wild = String(repeating: "\u{1}", count: 500)
        var keys = Sample.keys
        for number in 0..<200 { keys["aws:RequestTag/\(wild)\(number)"] = .filled([wild]) }
        let pairs = (0..<1_000).map { number in
            Sample.pair("GetItem", level: .read, resource: Resource("arn:aws:s3:::b/\(wild)\(number)"))
        }
        let meaning = Sample.meaning(pairs: pairs, keys: keys)
        let name = String(repeating: "n", count: 128)
        let ids = (0..<1_000).map { StatementID(document: name, sid: name.dropLast(3) + "\($0)") }
        let most = Dictionary(uniqueKeysWithValues: Limit.Unit.allCases.map { ($0, 1_000_000_000_000) })
        let limit = Limit(most: most, per: .seconds(86_400), by: .session, beyond: .deny)
        let amount = Limit.Amount(calls: 1, items: 999_999_999_999, bytes: 999_999_999_999)
        var book = LimitBook()
        let standings = try book.count(
            ids.prefix(LimitBook.limitsPerCallMax).map {
                LimitClaim(statement: $0, limit: limit, amount: amount, mayExceed: false)
            }, by: try Sample.caller(), at: moment())
        let reservation = Reservation(
            call: Call(meaning: meaning, sealed: Sample.sealed("GetItem")), caller: try Sample.caller(),
            allowance: Allowance(meaning, grounds: ids.map { .statement($0) }, fingerprint: nil),
            request: RequestID(random: 1), uses: [try Sample.use()], limits: standings,
            policy: Sample.policy, at: moment())
        let facts = RequestFacts(
            invocation: wild, attempt: 1, peer: wild, userAgent: wild, accessKeyID: wild)
        let entry = Entry.request(reservation, facts: facts)
        let count = LogLine.headByteCountMax + LogLine.body(of: entry).count
        #expect(count <= LogLine.byteCountMax, "\(count)")
        #expect(try stored(entry)["limits"]?.array?.count == LimitBook.limitsPerCallMax)
    }

    @Test func `what hangs on the gate's host is judged by that of its start, and without it cannot be told`()
        throws
    {
        func set(_ condition: String) throws -> PolicySet {
            let text = """
                Countersign: 1
                Id: x
                Agents: ["*"]
                Statement:
                  - {Sid: S, Effect: Allow, Action: "dynamodb:GetItem", Resource: "*"\(condition)}
                """
            return try PolicySet.load(
                files: [PolicyFile(name: "x.yaml", bytes: Array(text.utf8))], actions: ActionNames(.builtIn))
        }
        let entry = try stored(Entry.request(try reservation(Sample.meaning()), facts: Sample.facts))
        func replayed(on host: String?, _ condition: String) throws -> Replayed.Word? {
            guard case .calls(let call, 1) = try ReplayedEntry(entry, host: host) else { return nil }
            return call.replayed(under: try set(condition)).word
        }
        let here = ", Condition: {StringEquals: {countersign:Host: web-14}}"
        #expect(try replayed(on: nil, "") == .allow)
        #expect(try replayed(on: nil, here) == .cannotTell)
        #expect(try replayed(on: "web-14", here) == .allow)
        #expect(try replayed(on: "web-15", here) == .deny)
        let elsewhere = ", Condition: {StringNotEquals: {countersign:Host: web-14}}"
        #expect(try replayed(on: "web-14", elsewhere) == .deny)
    }

    // MARK: - Which entries are calls

    @Test func `an approval is one call: its answers and the first use of its grant are none`() throws {
        let use = Entry.request(
            try Sample.reservation(mutates: true, uses: [try Sample.use()]), facts: Sample.facts)
        #expect(try isNoCall(use))
        let second = Use(
            grant: try Sample.use().grant, approval: try Sample.use().approval, number: 2, maxUses: 2)
        let again = Entry.request(try Sample.reservation(mutates: true, uses: [second]), facts: Sample.facts)
        #expect(try !isNoCall(again))
        func told(_ code: String, approval: ApprovalID?) throws -> Bool {
            try isNoCall(
                Refusal.denied(
                    at: moment(), request: RequestID(random: 3), caller: try Sample.caller(),
                    meaning: Sample.meaning(), denial: nil, policy: Sample.policy, approval: approval,
                    code: code, peer: "x"
                ).entry)
        }
        #expect(try told("ApprovalRequired", approval: try Sample.use().approval))
        #expect(try told("ApprovalExpired", approval: nil))
        #expect(try told("OutcomeUnknown", approval: nil))
        #expect(try !told("ApprovalRequired", approval: nil), "a call that could not even be asked for")
    }

    @Test func `a refusal stands for as many calls as it counts`() throws {
        var flood = FloodControl()
        let refusal = Refusal.denied(
            at: moment(), request: RequestID(random: 3), caller: try Sample.caller(),
            meaning: Sample.meaning(),
            denial: Denial(items: [.init(pair: Sample.pair("GetItem", level: .read), reason: .byDefault)]),
            policy: Sample.policy, code: "AccessDenied", peer: "x")
        var counts: [Int] = []
        for entry in (0..<4).flatMap({ _ in flood.offered(refusal, at: moment()) }) + flood.ended() {
            guard case .calls(_, let count) = try ReplayedEntry(try stored(entry)) else { continue }
            counts.append(count)
        }
        #expect(counts == [1, 3])
    }

    @Test func `an entry that does not hold what its type must is an error that names the member`() throws {
        let entry = try stored(Entry(.request, at: moment(), [JSON.Member("agent", "support-7")]))
        #expect(throws: MemberError(member: "session")) { _ = try ReplayedEntry(entry) }
    }

    @Test func `an entry of an earlier version is read, and what it does not say is known to be missing`()
        throws
    {
        let bare = try stored(Entry.request(try Sample.reservation(), facts: Sample.facts)).json.members ?? []
        let dropped = ["v", "seq", "prev", "t", "type", "keys", "protocol"]
        let old = Entry(.request, at: moment(), bare.filter { !dropped.contains($0.name) })
        let call = try recordedCall(old)
        #expect(call.gaps.areKeysCut)
        #expect(call.wireProtocol == nil)
        #expect(call.gaps.missingPairCount == 0)
        let denied = Entry(
            .denied, at: moment(),
            bare.filter { !dropped.contains($0.name) } + [JSON.Member("reasons", ["by default"])])
        #expect(try recordedCall(denied).gaps.missingPairCount == nil)
    }

    private func reservation(_ meaning: Meaning) throws -> Reservation {
        try Sample.reservation(meaning: meaning)
    }

    private func denied(_ meaning: Meaning, _ failing: [Pair]) throws -> Entry {
        Refusal.denied(
            at: moment(), request: RequestID(random: 3), caller: try Sample.caller("etl-2"), meaning: meaning,
            denial: Denial(items: failing.map { .init(pair: $0, reason: .byDefault) }), policy: Sample.policy,
            code: "AccessDenied", peer: "x"
        ).entry
    }

    private func isNoCall(_ entry: Entry) throws -> Bool {
        if case .none = try ReplayedEntry(try stored(entry)) { true } else { false }
    }
}
