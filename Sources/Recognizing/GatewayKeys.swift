import Vocabulary

/// The condition keys of a call that its way through the gateway fills: it makes each call itself, with its
/// own credentials and over TLS, so no service calls in between.
///
/// They are worked out when a policy asks: of every call they would be twenty names and values.
struct GatewayKeys: Hashable, Sendable {
    /// The gateway's own account, if it is known.
    let account: String?
    let region: String
    let userAgent: String?
    let wireProtocol: WireProtocol
    let itemCount: Int
    let bodyByteCount: Int

    /// The keys, as they are asked for: in lower case.
    private enum Key: String, CaseIterable {
        case calledVia = "aws:calledvia"
        case calledViaFirst = "aws:calledviafirst"
        case calledViaLast = "aws:calledvialast"
        case sourceARN = "aws:sourcearn"
        case sourceAccount = "aws:sourceaccount"
        case principalServiceName = "aws:principalservicename"
        case principalServiceNames = "aws:principalservicenameslist"
        case principalIsService = "aws:principalisawsservice"
        case principalAccount = "aws:principalaccount"
        case requestedRegion = "aws:requestedregion"
        case userAgent = "aws:useragent"
        case viaService = "aws:viaawsservice"
        case secureTransport = "aws:securetransport"
        case wireProtocol = "countersign:protocol"
        case itemCount = "countersign:itemcount"
        case bodyBytes = "countersign:bodybytes"
    }

    private static let keys = Dictionary(uniqueKeysWithValues: Key.allCases.map { ($0.rawValue, $0) })

    /// The names something is known of.
    var names: [String] { Key.allCases.map(\.rawValue).filter { self[$0] != nil } }

    /// What is known of `name`, in lower case; nil: nothing.
    subscript(name: String) -> ConditionKeys.Value? {
        guard let key = Self.keys[name] else { return nil }
        switch key {
        case .calledVia, .calledViaFirst, .calledViaLast, .sourceARN, .sourceAccount, .principalServiceName,
            .principalServiceNames:
            return .absent
        case .principalIsService, .viaService: return .filled(["false"])
        case .secureTransport: return .filled(["true"])
        case .principalAccount: return account.map { .filled([$0]) }
        case .requestedRegion: return .filled([region])
        case .userAgent: return userAgent.map { .filled([$0]) } ?? .absent
        case .wireProtocol: return .filled([wireProtocol.description])
        case .itemCount: return .filled([String(itemCount)])
        case .bodyBytes: return .filled([String(bodyByteCount)])
        }
    }
}
