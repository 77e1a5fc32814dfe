/// An IAM action, `s3:PutObject`. Compared without regard to case, as IAM does; printed as AWS spells it.
package struct Action: Hashable, Sendable, CustomStringConvertible {
    /// The IAM prefix, lower case: `s3`.
    package let prefix: String
    /// The name as AWS spells it: `PutObject`.
    package let name: String

    package init(prefix: String, name: String) {
        self.prefix = prefix
        self.name = name
    }

    package static func == (left: Action, right: Action) -> Bool {
        left.prefix == right.prefix
            && (left.name == right.name || left.name.asciiLowercased == right.name.asciiLowercased)
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(prefix)
        hasher.combine(name.asciiLowercased)
    }

    package var description: String { "\(prefix):\(name)" }
}

/// What IAM's Service Authorization Reference says an action does.
package enum AccessLevel: UInt8, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    case unknown = 0
    case read = 1
    case list = 2
    case write = 3
    case tagging = 4
    case permissionsManagement = 5

    /// Whether the level changes anything; an unknown level does.
    package var mutates: Bool {
        switch self {
        case .read, .list: false
        case .unknown, .write, .tagging, .permissionsManagement: true
        }
    }

    package var description: String {
        switch self {
        case .unknown: "Unknown"
        case .read: "Read"
        case .list: "List"
        case .write: "Write"
        case .tagging: "Tagging"
        case .permissionsManagement: "Permissions management"
        }
    }
}

/// What a call's answer or effect lays open. An operation without a row in the catalog is `unrated` and
/// counts as data.
package enum Sensitivity: UInt8, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    case unrated = 0
    case metadata = 1
    case data = 2
    case credential = 3

    package var description: String {
        switch self {
        case .unrated, .data: "data"
        case .metadata: "metadata"
        case .credential: "credential"
        }
    }
}

/// How a call is written on the wire.
package enum WireProtocol: UInt8, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    case awsJSON10 = 0
    case awsJSON11 = 1
    case restJSON = 2
    case restXML = 3
    case query = 4
    case ec2 = 5
    case rpcV2CBOR = 6

    package var description: String {
        switch self {
        case .awsJSON10: "awsJson1.0"
        case .awsJSON11: "awsJson1.1"
        case .restJSON: "restJson1"
        case .restXML: "restXml"
        case .query: "awsQuery"
        case .ec2: "ec2Query"
        case .rpcV2CBOR: "rpcv2Cbor"
        }
    }
}

/// One (IAM action, resource) that a call needs.
package struct Pair: Hashable, Sendable {
    package let action: Action
    package let resource: Resource
    package let level: AccessLevel
    package let sensitivity: Sensitivity

    package init(action: Action, resource: Resource, level: AccessLevel, sensitivity: Sensitivity) {
        self.action = action
        self.resource = resource
        self.level = level
        self.sensitivity = sensitivity
    }
}
