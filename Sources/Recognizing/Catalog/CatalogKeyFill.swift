import Vocabulary

/// A condition key of an operation, and how it is known.
package struct CatalogKeyFill: Sendable {
    private let record: CatalogRecord

    init(record: CatalogRecord) { self.record = record }

    /// As AWS spells it: `aws:RequestTag/${TagKey}`.
    package var key: String { record.text(0).string }
    /// Whether naming works it out.
    var isComputed: Bool { record.byte(6) == 2 }
    /// How it is known.
    package var source: CatalogKeySource {
        let what = text.what
        return switch record.byte(6) {
        case 1: .member(what)
        case 2: .computed
        case 4: .memberIfAny(what)
        case 5: .literal(what)
        case 6: .tags(what)
        case 7: .region
        case 8: .resource(.id(after: what))
        case 9: .resource(.whole(of: what))
        case 10: .account
        case 11: .absentUnless(what.parts(by: 0x20))
        case 12: .text(what, isElseAbsent: true)
        case 13: .text(what, isElseAbsent: false)
        default: .absent
        }
    }

    /// The kinds of resources that AWS has the key of, by how the sixth part of their ARN begins; empty: all.
    package var kinds: [String] { text.kinds }

    /// What is written behind ` on ` is the kinds.
    private var text: (what: String, kinds: [String]) {
        let text = record.optionalText(3)?.string ?? ""
        guard text.utf8.contains(0x20) else { return (text, []) }
        let words = text.parts(by: 0x20)
        guard let on = words.lastIndex(where: { $0.utf8.elementsEqual("on".utf8) }) else { return (text, []) }
        return (words[..<on].joined(separator: " "), Array(words[(on + 1)...]))
    }

    /// Whether it holds for the needed action with that number in ``CatalogOperation/actions``: AWS lists the
    /// key for it.
    package func isListed(for action: Int) -> Bool {
        action < 32 && record.long(7) & (1 << UInt32(action)) != 0
    }
}

/// How a condition key of a call is known.
package enum CatalogKeySource: Hashable, Sendable {
    /// It is what the request says at this member path; absent when the request says nothing there, not
    /// knowable when it is not in the form after ` if `, `cluster if arn`, or when a member after ` unless `
    /// is there.
    case member(String)
    /// The same; not knowable when the request says nothing there.
    case memberIfAny(String)
    /// Every request of the operation has this value.
    case literal(String)
    /// The tags at this member path: their names, or one key a tag.
    case tags(String)
    /// The region that the call goes to.
    case region
    /// A part of the pair's own resource.
    case resource(ConditionKeys.ResourcePart)
    /// The gateway's own account.
    case account
    /// A text with the values of members in braces: `VPCId={VPC.VPCId},VPCRegion={VPC.VPCRegion}`; absent or
    /// not knowable when the request has none of them.
    case text(String, isElseAbsent: Bool)
    /// Absent when the request has none of these members, else not knowable.
    case absentUnless([String])
    /// Naming works it out from the request.
    case computed
    /// No request of this operation carries it.
    case absent

    /// What it says, in words.
    package var words: String {
        switch self {
        case .member(let path): "from \(path), else absent"
        case .memberIfAny(let path): "from \(path), else not knowable"
        case .literal(let text): "always \(text)"
        case .tags(let path): "the tags in \(path)"
        case .region: "the region that the call goes to"
        case .resource(.id(let prefix)): "what follows `\(prefix)` in the resource's ARN"
        case .resource(.whole(let prefix)): "the resource's own ARN, of \(prefix)"
        case .account: "the gateway's own account"
        case .text(let text, let isElseAbsent):
            "\(text), else \(isElseAbsent ? "absent" : "not knowable")"
        case .absentUnless(let members):
            "absent if the request has no \(members.joined(separator: " and no ")), else not knowable"
        case .computed: "worked out, as far as the request says it"
        case .absent: "absent: no request of it carries it"
        }
    }
}
