import Vocabulary

/// What a statement does with the calls it matches.
package enum Effect: String, Hashable, Sendable, CaseIterable {
    case allow = "Allow"
    case deny = "Deny"
    /// Allows once approved: asks only where no `Allow` covers the call.
    case allowWithApproval = "AllowWithApproval"
    /// The floor: asks even where an `Allow` exists.
    case requireApproval = "RequireApproval"

    /// Whether it opens something: then what the request does not say counts against it, else for it.
    var permits: Bool {
        switch self {
        case .allow, .allowWithApproval: true
        case .deny, .requireApproval: false
        }
    }

    /// Whether it asks humans, and so has an `Approval` block.
    package var asks: Bool {
        switch self {
        case .allowWithApproval, .requireApproval: true
        case .allow, .deny: false
        }
    }
}

/// The agents of a statement. A class, so that the statements of a document share one.
final class Callers: Sendable {
    /// The document's, then the statement's own: one of each must fit.
    let lists: [[Pattern]]

    init(_ lists: [[Pattern]]) { self.lists = lists }
}

/// One rule of the policy set.
///
/// A class, so that a decision looks at many without a copy of any.
package final class Statement: Sendable {
    /// The effect, with the terms of those that ask.
    enum Rule: Hashable, Sendable {
        case allow
        case deny
        case allowWithApproval(ApprovalTerms)
        case requireApproval(ApprovalTerms)
    }

    /// What of the call it is for.
    struct Scope: Hashable, Sendable {
        var actions: [ActionPattern] = []
        /// `NotAction`: every action but these.
        var exceptsActions = false
        var resources: [ResourcePattern] = []
        /// `NotResource`: every resource but these.
        var exceptsResources = false
        /// All must hold.
        var conditions: [Condition] = []
    }

    package let id: StatementID
    let rule: Rule
    /// Where it stands, for people.
    package let file: String
    package let line: Int
    /// SHA-256 over its content and its document's agents: the same for any layout or comment.
    package let digest: Digest
    let callers: Callers
    let scope: Scope
    /// How much it lets through in a window of time; nil for as much as comes.
    package let limit: Limit?
    /// What it does with the calls it matches.
    package let effect: Effect

    init(
        id: StatementID, rule: Rule, file: String, line: Int, digest: Digest, callers: Callers,
        scope: Scope, limit: Limit? = nil
    ) {
        self.id = id
        self.rule = rule
        self.file = file
        self.line = line
        self.digest = digest
        self.callers = callers
        self.scope = scope
        self.limit = limit
        effect =
            switch rule {
            case .allow: .allow
            case .deny: .deny
            case .allowWithApproval: .allowWithApproval
            case .requireApproval: .requireApproval
            }
    }

    /// The lists of ``callers``.
    var agents: [[Pattern]] { callers.lists }

    /// The terms of a statement that asks, always or beyond its limit; nil for the others.
    package var terms: ApprovalTerms? {
        switch (rule, limit?.beyond) {
        case (.allowWithApproval(let terms), _), (.requireApproval(let terms), _): terms
        case (.allow, .ask(let terms)): terms
        case (.allow, _), (.deny, _): nil
        }
    }

    /// Whether it takes effect on the pair of `context`, whose resource is `resource`.
    ///
    /// What the request leaves unknown is resolved against the caller: a statement that permits needs a yes,
    /// one that restricts anything but a no.
    func applies(to resource: ResourceText, in context: ConditionContext) -> Bool {
        guard covers(agent: context.agent), covers(action: context.pair.action) else { return false }
        return takesEffect(covers(resource, in: context)) && conditionsHold(in: context)
    }

    /// Whether its conditions are worth enough for it to take effect.
    func conditionsHold(in context: ConditionContext) -> Bool {
        takesEffect(scope.conditions.reduce(.yes) { $0 && $1.holds(in: context) })
    }

    /// Whether its conditions may hold for one resource of an action and not for another.
    func hasConditionsOfResource(in context: ConditionContext) -> Bool {
        scope.conditions.contains { $0.isOfResource(in: context) }
    }

    /// Whether it takes effect where its resources and conditions together are worth `truth`: the least of
    /// theirs, so it does where it does for each.
    func takesEffect(_ truth: Truth) -> Bool {
        switch effect.permits {
        case true: truth == .yes
        case false: truth != .no
        }
    }

    /// Whether its limit counts the pair of `context`: as what restricts, a limit takes effect on anything
    /// but a no.
    func limits(_ resource: ResourceText, in context: ConditionContext) -> Bool {
        guard limit != nil, covers(agent: context.agent), covers(action: context.pair.action) else {
            return false
        }
        let truth = covers(resource, in: context, presumes: false)
        return (truth && scope.conditions.reduce(.yes) { $0 && $1.holds(in: context) }) != .no
    }

    /// Whether its `Action` names the action and nothing else.
    func names(_ action: Action) -> Bool {
        !scope.exceptsActions && scope.actions.contains { $0.names(action) }
    }

    /// Whether its `Resource` says `"*"`.
    var isForEveryResource: Bool { !scope.exceptsResources && scope.resources.contains { $0.isEverything } }

    /// Whether it is for this agent.
    func covers(agent: [UInt32]) -> Bool {
        agents.allSatisfy { patterns in patterns.contains { $0.matches(agent[...]) } }
    }

    /// Whether it is about this action.
    func covers(action: Action) -> Bool {
        scope.actions.contains { $0.matches(action) } != scope.exceptsActions
    }

    /// Whether it is about this resource.
    func covers(_ resource: ResourceText, in context: ConditionContext) -> Truth {
        covers(resource, in: context, presumes: effect.permits)
    }

    private func covers(
        _ resource: ResourceText, in context: ConditionContext, presumes: Bool
    ) -> Truth {
        let covered = scope.resources.reduce(Truth.no) {
            $0 || $1.covers(resource, presumes: presumes, in: context)
        }
        guard scope.exceptsResources else { return covered }
        // An exception that a missing value makes void, or may, is no leave to touch everything.
        if covered == .no, scope.resources.contains(where: { $0.mayBeVoid(in: context) }) { return .unknown }
        return !covered
    }
}

extension Statement {
    /// The statement as if every condition held that hangs on a key for which `isDoubtful`, and a pattern
    /// with such a key in it covered every resource; and those keys, none for a statement that has none.
    func assuming(_ isDoubtful: (Condition.Key) -> Bool) -> (statement: Statement, keys: [String]) {
        var (scope, keys) = (self.scope, [String]())
        scope.conditions = scope.conditions.filter { condition in
            let doubtful = condition.keys.filter(isDoubtful)
            keys += doubtful.map(\.name)
            return doubtful.isEmpty
        }
        let inResources = scope.resources.flatMap(\.variables).filter(isDoubtful)
        if !inResources.isEmpty {
            keys += inResources.map(\.name)
            (scope.resources, scope.exceptsResources) = ([.everything], false)
        }
        guard !keys.isEmpty else { return (self, []) }
        let assumed = Statement(
            id: id, rule: rule, file: file, line: line, digest: digest, callers: callers, scope: scope,
            limit: limit)
        return (assumed, keys)
    }
}
