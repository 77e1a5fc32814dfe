import Vocabulary

/// An Amazon Resource Name that a request spells out: six parts,
/// `arn:partition:service:region:account:resource`.
///
/// - SeeAlso: AWS General Reference, "Amazon Resource Names (ARNs)".
struct ARN: Hashable, Sendable {
    let text: String
    let partition: String
    let service: String
    /// May be empty.
    let region: String
    /// 12 digits, `aws`, `aws-managed` (Network Firewall's own rule groups), or empty.
    let account: String
    /// The sixth part, with every further colon.
    let resource: String

    /// The ARN in `text`; nil unless every part is of an ARN's form. Nothing is trimmed or mended.
    init?(parsing text: String) {
        let parts = text.parts(by: 0x3A, maxSplits: 5)
        guard parts.count == 6, parts[0] == "arn", parts[1].begins(with: "aws"),
            parts[1].utf8.allSatisfy({ $0.isLowerAlphanumeric || $0 == 0x2D }),
            parts[2].isName(others: "-"), parts[3].isEmpty || parts[3].isName(others: "-"),
            parts[4].isEmpty || ["aws", "aws-managed"].contains(parts[4]) || parts[4].isAccount,
            !parts[5].isEmpty, parts[5].utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return nil }
        (self.text, partition, service) = (text, parts[1], parts[2])
        (region, account, resource) = (parts[3], parts[4], parts[5])
    }

    /// Where it lies.
    var place: Place { Place(partition: partition, region: region, account: account) }

    /// Where it lies; what it leaves out is as in `place`.
    func place(or place: Place) -> Place {
        Place(
            partition: partition, region: region.isEmpty ? place.region : region,
            account: account.isEmpty ? place.account : account)
    }
}

/// The partition, region and account of a resource; an account that nobody said is nil.
struct Place: Hashable, Sendable {
    let partition: String
    let region: String
    let account: String?

    /// The ARN `arn:partition:service:region:account:` and `tail` here; an account that nobody said is an
    /// unknown run.
    func resource(_ service: String, _ tail: Resource.Part...) -> Resource { resource(service, tail: tail) }

    /// The same with the tail as a list.
    func resource(_ service: String, tail: [Resource.Part]) -> Resource {
        let front: [Resource.Part] = [
            .known("arn:"), .known(partition), .known(":"), .known(service), .known(":"), .known(region),
            .known(":"), account.map { .known($0) } ?? .unknown, .known(":"),
        ]
        return Resource(front + tail)
    }

    /// The same place in no region: IAM's ARNs have none.
    var global: Place { Place(partition: partition, region: "", account: account) }

    /// The same partition and region in no account: what AWS itself owns.
    var ofAWS: Place { Place(partition: partition, region: region, account: "") }

    /// The same partition and account in `region`.
    func `in`(_ region: String) -> Place { Place(partition: partition, region: region, account: account) }
}

extension String {
    /// Whether the text is an account id: 12 digits.
    var isAccount: Bool { utf8.count == 12 && utf8.allSatisfy(\.isDigit) }
}
