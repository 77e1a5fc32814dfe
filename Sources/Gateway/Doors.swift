import Accepting
import Identifying
import Recording
import Vocabulary

/// Serves every listener: agents' calls go into the corridor, the two sockets to their planes.
struct DoorKeeper: ExchangeHandler {
    let gateway: Gateway

    func serve(_ exchange: Exchange) {
        switch exchange.tag {
        case .agent(let agent):
            if exchange.head.rawPath == CredentialDoor.path {
                return gateway.handOutCredentials(exchange, at: agent)
            }
            // INVARIANT: every agent listener has its binding before it opens.
            guard var binding = gateway.bindings[agent] else { return exchange.abort() }
            if let uids = gateway.desk.policy.agents[agent]?.uids, !uids.isEmpty {
                let check = ListenerBinding.OwnerCheck(uids: uids, uid: gateway.uid(of: exchange))
                binding = ListenerBinding(agent: agent, session: binding.session, owner: check)
            }
            Passage(exchange, binding: binding, gateway: gateway).begin()
        case .control: plane(exchange) { gateway.control($0, reply: $1) }
        case .agents: plane(exchange) { gateway.agents($0, reply: $1) }
        }
    }

    func refused(_ fault: RequestFault, at tag: ListenerTag, from peer: Peer) -> Reply {
        if case .agent(let agent) = tag {
            gateway.log.record(
                .rejected(
                    at: gateway.clock.now, request: RequestID(random: Clock.randomBits()), agent: agent,
                    status: fault.status, code: fault.code, message: fault.message, peer: peerText(peer)))
        }
        return Reply(plain: fault)
    }

    /// The most that a review or a revocation may hold.
    private static let bodyByteCountMax = 65_536

    /// Reads one request of a socket as JSON and answers it as JSON. Browsers have no business here, nor has
    /// what forwards for them: any `Origin` and any host but `localhost` is refused.
    private func plane(
        _ exchange: Exchange,
        _ serve: @escaping (ControlRequest, @escaping @Sendable (ControlReply) -> Void) -> Void
    ) {
        guard case .unix(let uid, let gid, _) = exchange.peer, exchange.head["origin"] == nil,
            exchange.head["host"] == "localhost"
        else {
            return answer(
                exchange, .error(403, "Forbidden", "this socket is for local commands: Host: localhost"))
        }
        let isPost = exchange.head.method == "POST"
        guard !isPost || exchange.head["content-type"] == "application/json" else {
            return answer(exchange, .error(415, "UnsupportedMediaType", "send application/json"))
        }
        let groups = [gid] + (exchange.peerGroups ?? [])
        let reply = ExchangeBox(exchange: exchange)
        exchange.readBody(limit: Self.bodyByteCountMax) { result in
            guard case .success(let bytes) = result,
                let body = bytes.isEmpty ? .null : try? JSON(parsing: bytes)
            else {
                return answer(
                    exchange, .error(400, "BadRequest", "the body is not one JSON value of at most 64 KiB"))
            }
            guard let request = ControlRequest(exchange.head, body: body, uid: uid, groups: groups)
            else {
                return answer(exchange, .error(400, "BadRequest", "a name stands twice in the query"))
            }
            serve(request) { answer(reply.exchange, $0) }
        }
    }
}

extension ControlRequest {
    /// Nil when a name stands twice in the query.
    fileprivate init?(_ head: RequestHead, body: JSON, uid: UInt32, groups: [UInt32]) {
        var query: [String: String] = [:]
        for item in (head.rawQuery ?? "").split(separator: "&") {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard query.updateValue(parts.count > 1 ? String(parts[1]) : "", forKey: String(parts[0])) == nil
            else { return nil }
        }
        // One spelling each: an empty segment makes another path.
        let path = head.rawPath.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        self.init(
            method: head.method, path: path.map(String.init), query: query, body: body, uid: uid,
            groups: groups)
    }
}

/// Carries an exchange through closures that come back on its loop.
private struct ExchangeBox: @unchecked Sendable {
    // INVARIANT: @unchecked is sound because replies are given on the loop only.
    let exchange: Exchange
}

private func answer(_ exchange: Exchange, _ reply: ControlReply) {
    exchange.answer(
        status: reply.status,
        fields: [HeaderField("content-type", "application/json"), HeaderField("cache-control", "no-store")],
        body: reply.body.line + [0x0A])
}
