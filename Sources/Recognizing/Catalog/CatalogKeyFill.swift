import Vocabulary

/// A condition key of an operation, and how it is known.
package struct CatalogKeyFill: Sendable {
    private let record: CatalogRecord

    init(record: CatalogRecord) { self.record = record }

    /// As AWS spells it: `aws:RequestTag/${TagKey}`.
    package var key: String { record.text(0).string }
    /// How it is known.
    package var source: CatalogKeySource {
        let what = record.optionalText(4)?.string ?? ""
        return switch record.number(8) {
        case 1: .member(what)
        case 2: .computed
        case 4: .memberIfAny(what)
        case 5: .literal(what)
        case 6: .tags(what)
        case 7: .region
        default: .absent
        }
    }

    /// Whether AWS lists the key for the needed action with that number in ``CatalogOperation/actions``.
    func isListed(for action: Int) -> Bool { action < 32 && record.number(12) & (1 << UInt32(action)) != 0 }
}

/// How a condition key of a call is known.
package enum CatalogKeySource: Hashable, Sendable {
    /// It is what the request says at this member path; absent when the request says nothing there.
    case member(String)
    /// The same; not knowable when the request says nothing there, or not in the form after ` if `:
    /// `cluster if arn`.
    case memberIfAny(String)
    /// Every request of the operation has this value.
    case literal(String)
    /// The tags at this member path: their names, or one key a tag.
    case tags(String)
    /// The region that the call goes to.
    case region
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
        case .computed: "worked out, as far as the request says it"
        case .absent: "absent: no request of it carries it"
        }
    }
}
