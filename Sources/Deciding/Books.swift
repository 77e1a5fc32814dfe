import Vocabulary

/// The agents of `agents.yaml`.
package struct AgentBook: Hashable, Sendable {
    /// One agent that the operator knows.
    package struct Agent: Hashable, Sendable {
        package let name: AgentName
        /// Who answers for it, as the file says; nil when it does not.
        package let owner: String?
        /// The uids that may open its sessions, and that its unsigned calls must come from; none: any.
        package let uids: [UInt32]
        /// The groups of the host whose members may open its sessions: names, or gids as digits.
        package let groups: [String]
        /// The IAM JSON files that apply to it.
        package let policies: [String]
    }

    /// In the order of the file; names are distinct.
    package let agents: [Agent]
    /// Where each stands: calls ask for theirs.
    private let places: [AgentName: Int]

    init(agents: [Agent] = []) {
        self.agents = agents
        places = Dictionary(agents.enumerated().map { ($0.element.name, $0.offset) }) { first, _ in first }
    }

    /// The agent `name`; nil when the book has none.
    package subscript(name: AgentName) -> Agent? { places[name].map { agents[$0] } }

    /// The agents that run as `uid`.
    package func agents(forUID uid: UInt32) -> [Agent] { agents.filter { $0.uids.contains(uid) } }
}

/// The people and groups of `approvers.yaml`: who may answer an approval.
package struct ApproverBook: Hashable, Sendable {
    /// One person.
    package struct Person: Hashable, Sendable {
        package let name: ApproverName
        /// The uids that the control socket may see; no two people share one.
        package let uids: [UInt32]
        /// The SSH keys that the person's reviews may be signed with; no two people share one.
        package let keys: [SSHPublicKey]
    }

    /// In the order of the file; names are distinct, also from those of groups.
    package let people: [Person]
    /// The members of each group, sorted.
    package let groups: [String: [ApproverName]]

    init(people: [Person] = [], groups: [String: [ApproverName]] = [:]) {
        self.people = people
        self.groups = groups
    }

    /// The person `name`; nil when the book has none.
    package subscript(name: ApproverName) -> Person? { people.first { $0.name == name } }

    /// The person whose uid is `uid`; nil when it is nobody's.
    package func approver(forUID uid: UInt32) -> ApproverName? {
        people.first { $0.uids.contains(uid) }?.name
    }

    /// The names of the groups that `person` is in, sorted.
    package func groups(of person: ApproverName) -> [String] {
        groups.filter { $0.value.contains(person) }.keys.sorted()
    }

    /// Whether a review by `person` counts towards any of `quorums`.
    package func mayReview(_ person: ApproverName, for quorums: [ApprovalTerms.Quorum]) -> Bool {
        quorums.contains { quorum in quorum.needs.contains { counts(person, for: $0.name) } }
    }

    /// Whether the approving reviews of `reviewers` meet all `quorums`.
    ///
    /// In one quorum a person counts once, also when in several of its groups; each quorum counts anew. A
    /// person whom the book no longer has counts for nothing. No quorum at all is never met.
    package func fulfils(_ quorums: [ApprovalTerms.Quorum], by reviewers: [ApproverName]) -> Bool {
        !quorums.isEmpty && quorums.allSatisfy { missing(from: $0, by: reviewers).isEmpty }
    }

    /// The needs of `quorum` that the reviews of `reviewers` leave open, with how many reviews each still
    /// wants.
    package func missing(
        from quorum: ApprovalTerms.Quorum, by reviewers: [ApproverName]
    ) -> [ApprovalTerms.Quorum.Need] {
        let people = Set(reviewers).filter { self[$0] != nil }.sorted { $0.text < $1.text }
        if quorum.anyOne {
            let isMet = people.contains { person in quorum.needs.contains { counts(person, for: $0.name) } }
            return isMet ? [] : quorum.needs
        }
        return seats(of: quorum, taken: people)
    }

    private func counts(_ person: ApproverName, for name: String) -> Bool {
        guard self[person] != nil else { return false }
        return person.text.utf8.elementsEqual(name.utf8) || (groups[name]?.contains(person) ?? false)
    }

    /// Seats the people of `people` at the needs of `quorum`, as many as can sit; returns the needs with
    /// empty seats.
    ///
    /// Augmenting paths (Kuhn): who sits may move to another seat that they fit, to make room. At most needs
    /// x people steps each.
    private func seats(of quorum: ApprovalTerms.Quorum, taken people: [ApproverName]) -> [ApprovalTerms.Quorum
        .Need]
    {
        var seated: [[ApproverName]] = quorum.needs.map { _ in [] }

        func seat(_ person: ApproverName, tried: inout Set<Int>) -> Bool {
            for (place, need) in quorum.needs.enumerated()
            where !tried.contains(place) && counts(person, for: need.name) {
                tried.insert(place)
                if seated[place].count < need.count {
                    seated[place].append(person)
                    return true
                }
                for (index, other) in seated[place].enumerated() where seat(other, tried: &tried) {
                    seated[place][index] = person
                    return true
                }
            }
            return false
        }

        for person in people {
            var tried: Set<Int> = []
            _ = seat(person, tried: &tried)
        }
        return zip(quorum.needs, seated).compactMap { need, people in
            people.count < need.count ? .init(name: need.name, count: need.count - people.count) : nil
        }
    }
}
