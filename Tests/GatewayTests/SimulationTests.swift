import Approving
import Deciding
import Glibc
import Recognizing
import Testing
import Vocabulary

@testable import Gateway

@Suite("Simulation") struct SimulationTests {
    /// Twenty worlds of 1,000 steps; `SEED=n` plays one of them again.
    @Test func `whatever fails when, the promises hold after each step`() throws {
        let named = getenv("SEED").flatMap { UInt64(String(cString: $0)) }
        let base = named ?? UInt64.random(in: 0..<1 << 40)
        var counts: [String: Int] = [:]
        for seed in base..<base + (named == nil ? 20 : 1) {
            let world = try World(seed: seed)
            for step in 0..<1_000 {
                try world.step()
                let faults = broken(in: world)
                try #require(faults.isEmpty, "SEED=\(seed), step \(step): \(faults)")
            }
            counts.merge(world.counts) { $0 + $1 }
        }
        // A world in which nothing happens keeps every promise.
        for what in [
            "asked", "joined", "approved", "denied", "kills", "sent freely", "sent under a grant",
            "beyond a limit",
        ] {
            #expect(named != nil || counts[what, default: 0] > 20, "\(what): \(counts)")
        }
    }

    private func broken(in world: World) -> [String] {
        var faults: [String] = []
        let asking = StatementID(document: "orders", sid: "DeletesAsk")
        var uses: [Use: [RequestID]] = [:]
        var invocations: [SendKey: Instant] = [:]
        let written = Set(
            world.log.compactMap { fact in
                if case .request(let sending, _, _, _) = fact { sending.request } else { nil }
            })
        for (sending, at) in world.sends where !sending.uses.isEmpty && !world.freed.contains(sending.request)
        {
            for use in sending.uses { uses[use, default: []].append(sending.request) }
            guard let key = sending.key, !world.harmless.contains(sending.request) else { continue }
            // Stored outcomes are kept so long and no longer.
            if let earlier = invocations.updateValue(at, forKey: key), at.since(earlier) < SentBook.keptFor {
                faults.append("invocation \(key.invocation) was sent at \(earlier) and at \(at)")
            }
        }
        for (sending, _) in world.sends where !written.contains(sending.request) {
            faults.append("\(sending.request) was sent and is not in the log")
        }
        for (sending, _) in world.sends where sending.mutates && sending.uses.isEmpty {
            faults.append("\(sending.request) of \(asking) was sent without a grant")
        }
        faults += overrun(world)
        for (use, requests) in uses where requests.count > 1 {
            faults.append("\(use.grant) use \(use.number) was sent as \(requests)")
        }
        for use in uses.keys where world.desk.room[use.approval].map({ $0.state != .approved }) ?? false {
            faults.append(
                "\(use.approval) was used and is \(String(describing: world.desk.room[use.approval]?.state))")
        }
        var open: Set<WaitingKey> = []
        // One past its time is over, though its end may still be on its way into the log.
        for approval in world.desk.room.waiting where world.now < approval.expires {
            let key = WaitingKey(agent: approval.requester.caller.agent, digest: approval.asked.digest)
            if !open.insert(key).inserted { faults.append("\(approval.id) asks what another asks") }
        }
        return faults
    }

    /// Windows of a minute in which an agent sent more reads than its limit of two.
    private func overrun(_ world: World) -> [String] {
        var reads: [AgentName: [Instant]] = [:]
        for (sending, _) in world.sends where !sending.mutates && !world.harmless.contains(sending.request) {
            guard let decided = world.decided[sending.request] else { return ["\(sending.request)"] }
            reads[decided.agent, default: []].append(decided.at)
        }
        return reads.flatMap { agent, moments in
            let sorted = moments.sorted()
            return zip(sorted, sorted.dropFirst(2)).compactMap { first, third in
                third.since(first) < .seconds(60)
                    ? "\(agent) sent three reads from \(first) to \(third)" : nil
            }
        }
    }

    private struct WaitingKey: Hashable {
        let agent: AgentName
        let digest: Digest
    }
}
