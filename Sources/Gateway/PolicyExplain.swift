import Deciding
import Glibc
import Recognizing
import Vocabulary

/// What `countersign policy explain` is asked.
package struct PolicyQuestion: Sendable {
    /// Whose call it is.
    package enum Subject: Sendable {
        /// A program and its arguments.
        case client([String])
        /// A file with one raw HTTP request; `-`: standard input.
        case request(String)
    }

    package let subject: Subject
    /// Who calls; nil for the agent of the configuration's first listener.
    package let agent: String?
    /// The folder of policies.
    package let policies: String
    package let strength: IdentityStrength
    package let task: String?
    /// The moment that the call is judged at.
    package let at: Instant
    /// The host of the gate, for `countersign:Host`; nil where it is not known.
    package let host: String?
    /// How long the client may take.
    package let limit: Duration

    /// A question with these parts.
    package init(
        _ subject: Subject, agent: String?, policies: String, strength: IdentityStrength, task: String?,
        at: Instant, host: String?, limit: Duration
    ) {
        (self.subject, self.agent, self.policies) = (subject, agent, policies)
        (self.strength, self.task, self.at, self.host, self.limit) = (strength, task, at, host, limit)
    }
}

/// What the policies say of what a client called.
package struct PolicyExplanation: Sendable {
    /// Whether it is a yes.
    package enum Verdict: String, Sendable {
        case allowed
        /// At least one call asks, none is denied.
        case asks
        case denied
        /// No call came, or one that is not recognized.
        case unknown
    }

    let question: PolicyQuestion
    let policy: PolicySet
    let agent: AgentName
    let recognition: RecognitionSetting
    let calls: [ExplainedCall]
    /// Nil for a raw request.
    let end: ClientEnd?
}

/// One call that came, and what the policies say of it.
struct ExplainedCall: Sendable {
    enum What: Sendable {
        case recognized(Explanation, isAnswered: Bool)
        case refused(DryRefusal)
    }

    let what: What
    /// How often it came.
    let count: Int
}

/// Runs what `question` names against a dry run and explains every call that it makes.
///
/// `configuration` gives account, region and what else decides where a call belongs. SIGINT, SIGTERM and
/// SIGHUP meanwhile end the client.
///
/// - Throws: ``ConfigurationError`` for policies or a file that cannot be read, a name that is no agent's, a
///   client that cannot be run, and a signal.
package func explainPolicies(
    _ question: PolicyQuestion, configuration: Configuration
) throws -> PolicyExplanation {
    let policy = try loadPolicies(question.policies)
    let bytes: [UInt8]? =
        switch question.subject {
        case .client: nil
        case .request("-"): try readStandardInput()
        case .request(let path): try readFile(path, limit: rawRequestByteCountMax, isGuarded: false)
        }
    let agent = try question.agent.map { try agentName($0, key: "agent") } ?? configuration.doors[0].agent
    let recognition = RecognitionSetting(
        account: configuration.account, region: configuration.region, upstream: configuration.upstream,
        variant: configuration.variant, resourceHosts: configuration.resourceHosts)
    let run = DryRun(
        agent: agent, strength: question.strength, task: question.task,
        desk: Desk(policy: policy, recognition: recognition), now: question.at)
    let end: ClientEnd? = try untilSignal { (stop: StopFlag) -> ClientEnd? in
        try DryStand.open(run) { stand in
            switch question.subject {
            case .client(let command):
                return try runClient(
                    command, address: stand.address, agent: agent, region: recognition.region,
                    // A terminal stops a group of its background that reads from it.
                    task: question.task, input: isatty(0) == 1 ? .nothing : .inherited,
                    limit: question.limit, stop: stop, isEnough: { run.isFull })
            case .request:
                try stand.send(bytes ?? [])
                return nil
            }
        }
    }
    if end?.how == .interrupted { throw ConfigurationError("interrupted; the client was ended") }
    let calls = run.calls.map { call, count in
        let what: ExplainedCall.What =
            switch call {
            case .recognized(let meaning, let caller, let isAnswered):
                .recognized(
                    explain(meaning, caller: caller, under: policy, host: question.host, at: question.at),
                    isAnswered: isAnswered)
            case .refused(let refusal): .refused(refusal)
            }
        return ExplainedCall(what: what, count: count)
    }
    return PolicyExplanation(
        question: question, policy: policy, agent: agent, recognition: recognition, calls: calls, end: end)
}

extension PolicyExplanation {
    /// The strictest of all calls.
    package var verdict: Verdict {
        var worst = Verdict.allowed
        for call in calls {
            switch call.what {
            case .refused(let refusal):
                if !refusal.isIdentity { return .unknown }
                worst = .denied
            case .recognized(let explanation, _):
                switch explanation.decision {
                case .allow: break
                case .ask: if worst == .allowed { worst = .asks }
                case .deny: worst = .denied
                }
            }
        }
        return calls.isEmpty ? .unknown : worst
    }
}
