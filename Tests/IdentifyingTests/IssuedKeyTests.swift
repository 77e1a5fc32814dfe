import Testing
import Vocabulary

@testable import Identifying

func hostKey(_ byte: UInt8 = 1) throws -> HostKey {
    try #require(HostKey(bytes: [UInt8](repeating: byte, count: 32)))
}

func identity(
    agent: String = "support-7", task: String? = "JIRA-42", reason: String? = "erase o-91",
    owner: String? = "mia@example.com", account: String? = "111122223333",
    role: String? = "arn:aws:iam::111122223333:role/orders", expires: Int64 = 1_795_365_060
) throws -> IssuedIdentity {
    try IssuedIdentity(
        agent: AgentName(parsing: agent), session: SessionID(random: 7), task: task, reason: reason,
        owner: owner, account: account, role: role, issued: Instant(secondsSinceEpoch: 1_795_336_260),
        expires: Instant(secondsSinceEpoch: expires))
}

extension Secret {
    var shownInTests: String { withBytes { String(decoding: $0, as: UTF8.self) } }
}

@Suite("Issued keys") struct IssuedKeyTests {
    let id = IssuedKeyID(random: (0x0123_4567_89AB_CDEF, 0xFEDC_0000_0000_0000))

    @Test func `a token carries its whole identity back`() throws {
        let key = try hostKey()
        for identity in [
            try identity(), try identity(task: nil, reason: nil, owner: nil, account: nil, role: nil),
        ] {
            let keys = key.issue(identity, id: id)
            #expect(try key.identity(in: keys.sessionToken.shownInTests, of: id) == identity)
            #expect(keys.expires == identity.expires && keys.accessKeyID == id.description)
        }
    }

    @Test func `access key ids look like AWS's and can be read in one spelling`() throws {
        #expect(id.description == "CSAKAERUKZ4JVPG677W4")
        #expect(IssuedKeyID(parsing: id.description) == id)
        for text in [
            "CSAKAERUKZ4JVPG677W", "CSAKAERUKZ4JVPG677W4A", "AKIAAERUKZ4JVPG677W4", "CSAKaERUKZ4JVPG677W4",
            "CSAK0ERUKZ4JVPG677W4", "CSAK1ERUKZ4JVPG677W4", "CSAKÄRUKZ4JVPG677W4", "csakAERUKZ4JVPG677W4", "",
        ] { #expect(IssuedKeyID(parsing: text) == nil, "\(text)") }
    }

    @Test func `secrets follow from host key and key id, and are plain text of 40 characters`() throws {
        let secret = try hostKey().issue(try identity(), id: id).secretKey.shownInTests
        #expect(secret.count == 40)
        #expect(secret.utf8.allSatisfy { $0.isAlphanumeric || $0 == 0x2D || $0 == 0x5F })
        #expect(try hostKey().issue(try identity(agent: "x"), id: id).secretKey.shownInTests == secret)
        #expect(try hostKey(2).issue(try identity(), id: id).secretKey.shownInTests != secret)
        let other = IssuedKeyID(random: (0x0123_4567_89AB_CDEF, 0xFEDD_0000_0000_0000))
        #expect(try hostKey().issue(try identity(), id: other).secretKey.shownInTests != secret)
    }

    @Test func `a token of another host key or another key id is refused`() throws {
        let token = try hostKey().issue(try identity(), id: id).sessionToken.shownInTests
        #expect(throws: IdentificationError.self) { try hostKey(2).identity(in: token, of: id) }
        let other = IssuedKeyID(random: (1, 0))
        #expect(
            throws: IdentificationError.badToken(why: "it was issued for another access key id")
        ) { try hostKey().identity(in: token, of: other) }
    }

    @Test func `a token with any character changed, added or left out is refused`() throws {
        let key = try hostKey()
        let token = Array(key.issue(try identity(), id: id).sessionToken.shownInTests)
        let alphabet = "AQgw_-9z+/=%. "
        for place in token.indices {
            for character in alphabet where character != token[place] {
                var changed = token
                changed[place] = character
                #expect(throws: IdentificationError.self) { try key.identity(in: String(changed), of: id) }
            }
            var shorter = token
            shorter.remove(at: place)
            #expect(throws: IdentificationError.self) { try key.identity(in: String(shorter), of: id) }
        }
        for changed in ["", "=", String(token) + "A", String(token) + "=", " " + String(token)] {
            #expect(throws: IdentificationError.self) { try key.identity(in: changed, of: id) }
        }
    }

    @Test func `another version is refused as that`() throws {
        let key = try hostKey()
        let token = key.issue(try identity(), id: id).sessionToken.shownInTests
        var bytes = try #require(Base64.decodeForURL(token.utf8))
        bytes[0] = 2
        #expect(throws: IdentificationError.badToken(why: "it is of another version of Countersign")) {
            try key.identity(in: Base64.encodeForURL(bytes), of: id)
        }
    }

    @Test func `the longest identity fits, and longer texts are cut to it`() throws {
        let long = try identity(
            agent: String(repeating: "a", count: 64), task: String(repeating: "t", count: 500),
            reason: String(repeating: "漢", count: 500), owner: String(repeating: "o", count: 200),
            role: "arn:" + String(repeating: "r", count: 636))
        #expect(long.reason?.utf8.count == 1_500)
        let key = try hostKey()
        let token = key.issue(long, id: id).sessionToken.shownInTests
        #expect(token.utf8.count <= SessionToken.textByteCountMax)
        #expect(try key.identity(in: token, of: id) == long)
        #expect(throws: IdentificationError.badToken(why: "it is longer than any that was issued")) {
            try key.identity(in: String(repeating: "A", count: 4_097), of: id)
        }
        // One character may be of any size: bytes are bounded too.
        let zalgo = "e" + String(repeating: "\u{301}", count: 3_000)
        for text in [String(repeating: "t", count: 501), String(repeating: "漢", count: 501), zalgo] {
            let cut = try identity(task: text, reason: text)
            #expect(cut.task.map { $0.utf8.count <= 500 && $0.hasSuffix("…") } == true)
            #expect(cut.reason.map { $0.utf8.count <= 1_500 && $0.hasSuffix("…") } == true)
            let token = key.issue(cut, id: id).sessionToken.shownInTests
            #expect(try key.identity(in: token, of: id) == cut)
        }
    }

    @Test func `an identity holds no account, owner or role that is none`() throws {
        for account in ["", "11112222333", "1111222233334", "11112222333x", "１11122223333"] {
            #expect(throws: NameError.self) { try identity(account: account) }
        }
        for owner in ["", "a\nb", "a\u{202E}b", String(repeating: "o", count: 201)] {
            #expect(throws: NameError.self) { try identity(owner: owner) }
        }
        for role in ["", "role/x", "arn:aws:iam::1:role/a b", "arn:" + String(repeating: "r", count: 637)] {
            #expect(throws: NameError.self) { try identity(role: role) }
        }
    }

    @Test func `no secret shows when any of it is printed`() throws {
        let key = try hostKey(0x41)
        let keys = key.issue(try identity(), id: id)
        let secrets = [
            keys.secretKey.shownInTests, keys.sessionToken.shownInTests, String(repeating: "A", count: 32),
            "65, 65",
        ]
        var dumped = ""
        dump(key, to: &dumped)
        dump(keys, to: &dumped)
        let text = "\(key) \(keys) \(String(reflecting: key)) \(String(reflecting: keys)) \(dumped)"
        for secret in secrets { #expect(!text.contains(secret)) }
        #expect(HostKey(bytes: [UInt8](repeating: 1, count: 31)) == nil)
        #expect(HostKey(bytes: [UInt8](repeating: 1, count: 33)) == nil)
    }
}
