import Recognizing

/// Whether what policy says holds.
package enum Mode: String, Hashable, Sendable, CaseIterable {
    case enforce
    /// What policy would ask about or deny is let through and marked. For a team that wants to see what its
    /// policies would do before they do it.
    case observe
}

/// What policy would have done with a call that is let through only because the gate observes.
package enum Would: Hashable, Sendable {
    case ask(Question)
    case deny(Denial)
}

extension Decision {
    /// What becomes of the decision in a gate that only observes: what asks or is denied is allowed, with
    /// the mark of it.
    ///
    /// Not so a call that is not understood or cannot be sent as it is, and one whose reply holds
    /// credentials: that is let through only where policy itself allows it. Nobody is asked.
    func observed(_ meaning: Meaning) -> Decision {
        let would: Would
        switch self {
        case .allow(let allowance): return .allow(allowance.observing)
        case .ask(let question): would = .ask(question)
        case .deny(let denial): would = .deny(denial)
        }
        let isUnderstood = !meaning.pairs.isEmpty && meaning.pairs.allSatisfy { $0.action.isNamed }
        guard isUnderstood, meaning.bar == nil, !meaning.vendsCredentials else {
            guard case .ask(let question) = would else { return self }
            return .deny(Denial(items: question.pairs.map { .init(pair: $0, reason: .vendsCredentials) }))
        }
        return .allow(Allowance(meaning, observing: would))
    }
}
