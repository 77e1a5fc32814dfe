extension LintRule {
    /// Every rule of `policy check`, in the order of docs/policy-check.md.
    package static let all: [LintRule] = [
        // What a statement opens.
        LintRule(
            "allow-everything", .error, "an Allow of every action on every resource", Lint.allowEverything),
        LintRule(
            "allow-wide-writes", .warning, "an Allow of writes by a wildcard, on every resource",
            Lint.allowWideWrites),
        LintRule("allow-not-action", .warning, "NotAction with Allow", Lint.allowNotAction),
        LintRule("allow-not-resource", .warning, "NotResource with Allow", Lint.allowNotResource),
        LintRule(
            "sensitive-read-allowed", .warning, "an Allow that opens data or secrets on every resource",
            Lint.sensitiveReadAllowed),
        LintRule("pass-role-wide", .warning, "an Allow to pass any role to a service", Lint.passRoleWide),
        LintRule(
            "vending-named", .warning, "an Allow that names an operation whose reply holds credentials",
            Lint.vendingNamed),
        LintRule(
            "vending-by-wildcard", .note,
            "a wildcard over operations whose replies hold credentials, which stay denied",
            Lint.vendingByWildcard),
        LintRule(
            "agent-says-so", .warning, "a statement that permits by what the agent says of itself",
            Lint.agentSaysSo),
        // What never matches, or adds nothing.
        LintRule(
            "resource-mismatch", .error, "an action with resources that it is never on",
            Lint.resourceMismatch),
        LintRule(
            "resource-not-supported", .error, "an action without resources in IAM beside an ARN",
            Lint.resourceNotSupported),
        LintRule(
            "shadowed", .warning, "a statement that never decides, since a stricter one covers it",
            Lint.shadowed),
        LintRule("duplicate", .warning, "a statement that another one says already", Lint.duplicate),
        LintRule(
            "ask-never-asks", .warning, "an AllowWithApproval all of which an Allow opens",
            Lint.askNeverAsks),
        LintRule(
            "contradiction", .error, "conditions that no call can meet together", Lint.contradiction),
        LintRule("time-over", .warning, "a statement whose last moment is past", Lint.timeOver),
        LintRule(
            "agent-excluded", .error, "a statement whose agents are none of its document's",
            Lint.agentExcluded),
        LintRule(
            "unknown-agent", .warning, "a pattern of agents that no agent of agents.yaml has",
            Lint.unknownAgent),
        // Condition keys.
        LintRule("unknown-key", .error, "a condition key that AWS does not have", Lint.unknownKey),
        LintRule(
            "key-not-for-action", .warning, "a condition key that AWS does not list for an action",
            Lint.keyNotForAction),
        LintRule(
            "tags-not-sent", .warning, "a condition on the tags of a request over actions without any",
            Lint.tagsNotSent),
        LintRule(
            "unknowable-key", .error, "a condition on a key that the gateway cannot know",
            Lint.unknowableKey),
        LintRule(
            "key-never-sent", .warning, "a condition on a key that no request of these actions carries",
            Lint.keyNeverSent),
        LintRule(
            "variable-unknowable", .error, "a policy variable that the gateway cannot know",
            Lint.variableUnknowable),
        LintRule(
            "for-all-values-without-null", .warning,
            "ForAllValues in a statement that permits, without a Null that demands the key",
            Lint.forAllValuesWithoutNull),
        LintRule(
            "wildcard-is-literal", .warning, "a wildcard in a comparison that has none",
            Lint.wildcardIsLiteral),
        // Asking.
        LintRule(
            "gate-bypassed", .warning, "a gate on an action while another that does the same is allowed",
            Lint.gateBypassed),
        LintRule(
            "head-beside-gate", .note, "a gate on reads that HEAD and other metadata calls share",
            Lint.headBesideGate),
        LintRule(
            "state-can-ask", .warning, "Terraform's state or lock objects can ask", Lint.stateCanAsk),
        LintRule(
            "self-approval", .warning, "approvers that only the agent's owner can be", Lint.selfApproval),
        LintRule("quorum-of-all", .note, "a quorum of everybody in the group", Lint.quorumOfAll),
    ]
}
