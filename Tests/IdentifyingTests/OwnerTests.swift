import Identifying
import Testing
import Vocabulary

@Suite("Identifying: the connection's owner") struct OwnerTests {
    let agent: AgentName
    let head = RequestHead(method: "POST", target: "/", fields: [HeaderField("host", "127.0.0.1")])

    init() throws { agent = try AgentName(parsing: "support-7") }

    func caller(uid: UInt32?, of uids: [UInt32]) throws(IdentificationError) -> Caller {
        try caller(by: ListenerBinding.OwnerCheck(uids: uids, uid: uid))
    }

    func caller(by owner: ListenerBinding.OwnerCheck?) throws(IdentificationError) -> Caller {
        var keys = KeyRing()
        let now = Instant(secondsSinceEpoch: 1_795_336_260)
        let binding = ListenerBinding(agent: agent, session: SessionID(random: 7), owner: owner)
        return try identify(head, at: binding, keys: &keys, now: now, wall: now).caller(
            sending: [], content: [], chunks: nil)
    }

    @Test func `an unsigned call from a uid of the agent is as strong as that uid`() throws {
        #expect(try caller(uid: 1_501, of: [1_500, 1_501]).strength == .uid)
    }

    @Test func `another uid, or one that the kernel does not say, is refused`() {
        for uid in [nil, 0, 1_502] as [UInt32?] {
            #expect(throws: IdentificationError.foreignUID(agent: agent, uid: uid, uids: [1_501])) {
                try caller(uid: uid, of: [1_501])
            }
        }
    }

    @Test func `where no uids are named the listener alone says who calls`() throws {
        #expect(try caller(by: nil).strength == .listener)
    }
}
