import Vocabulary

/// A host that AWS made for one resource, which the operator lists as `SERVICE=HOST[/PATH]`: an API's, a
/// domain's, a device endpoint's. No table gives these; nothing else than what is listed is dialled.
///
/// It is of a form that the catalog knows for the service, so it lies under a suffix of AWS and is signed for
/// that service alone: `apigatewaymanagementapi=a1b2c3.execute-api.eu-west-1.amazonaws.com/prod`.
package struct ResourceHost: Hashable, Sendable, CustomStringConvertible {
    /// The client name of the service.
    package let service: String
    /// The host, with the port where the service has one of its own.
    package let authority: String
    /// What goes before the operation's path: empty, or `/prod`.
    package let basePath: String
    /// The region that the host's name says.
    package let region: String
    package let signingName: String

    /// The host without the port.
    package var name: String { String(authority.prefix { $0 != ":" }) }
    package var description: String { "\(service)=\(authority)\(basePath)" }

    /// - Throws: ``ResourceHostError`` for an unknown service, one without hosts of that kind, and a host or
    ///   path that is not of its form.
    package init(parsing text: String, catalog: Catalog = .builtIn) throws(ResourceHostError) {
        let halves = text.parts(by: 0x3D, maxSplits: 1)
        guard halves.count == 2, let service = catalog.service(named: halves[0]) else {
            throw ResourceHostError(
                "`\(shown(text))` is not SERVICE=HOST[/PATH] with a service of the catalog")
        }
        guard !service.resourceHostForms.isEmpty else {
            throw ResourceHostError("`\(service.name)` has no hosts of its resources")
        }
        let place = halves[1].parts(by: 0x2F, maxSplits: 1)
        let basePath = place.count == 2 ? "/" + place[1] : ""
        for form in service.resourceHostForms {
            guard let region = form.region(of: place[0], catalog: catalog) else { continue }
            guard form.takesPath ? isPathSegment(basePath) : basePath.isEmpty else {
                throw ResourceHostError(
                    form.takesPath
                        ? "`\(shown(text))` must name the stage: HOST/STAGE"
                        : "`\(shown(text))` has a path; a host of \(service.name) has none")
            }
            self.service = service.name
            self.authority = place[0]
            self.basePath = basePath
            self.region = region
            signingName = form.signingName
            return
        }
        let forms = service.resourceHostForms.map(\.pattern).joined(separator: ", ")
        throw ResourceHostError("`\(shown(place[0]))` is no host of \(service.name), which are \(forms)")
    }
}

/// Why a listed host is not taken.
package struct ResourceHostError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}

private func isPathSegment(_ path: String) -> Bool {
    path.hasPrefix("/") && (2...64).contains(path.utf8.count)
        && path.utf8.dropFirst().allSatisfy { $0.isAlphanumeric || $0 == 0x2D || $0 == 0x5F || $0 == 0x24 }
}

extension CatalogService {
    /// A form of the hosts of a service's resources.
    package struct ResourceHostForm: Hashable, Sendable {
        /// `{id}.execute-api.{region}.{dns}`: `{id}` is one label, `{dns}` the suffix of the region's
        /// partition; a port at the end.
        package let pattern: String
        package let signingName: String
        /// Whether a first path segment belongs to it (an API's stage).
        package let takesPath: Bool

        /// The region in `authority`; nil unless it is of this form, in lower case.
        func region(of authority: String, catalog: Catalog) -> String? {
            let (wanted, given) = (pattern.parts(by: 0x3A), authority.parts(by: 0x3A))
            guard wanted.dropFirst().elementsEqual(given.dropFirst(), by: { $0.isSame(as: $1) }) else {
                return nil
            }
            let (forms, labels) = (wanted[0].parts(by: 0x2E), given[0].parts(by: 0x2E))
            guard labels.count >= forms.count else { return nil }
            let hasSuffix = forms.last?.isSame(as: "{dns}") ?? false
            var region: String?
            for (form, label) in zip(hasSuffix ? forms.dropLast() : forms[...], labels) {
                switch form {
                case "{id}": guard isLabel(label) else { return nil }
                case "{region}":
                    guard catalog.partition(region: label) != nil else { return nil }
                    region = label
                default: guard label.isSame(as: form) else { return nil }
                }
            }
            // INVARIANT: every form names a region and ends with `.{dns}`, or with a suffix that the
            // partition `aws` alone has; the generator refuses others.
            guard let region else { return nil }
            guard hasSuffix else {
                let isWhole = labels.count == forms.count && given.count == 1
                return isWhole && catalog.partition(region: region) == "aws" ? region : nil
            }
            guard let suffix = catalog.dnsSuffix(region: region) else { return nil }
            let rest = labels.dropFirst(forms.count - 1).joined(separator: ".")
            return rest.isSame(as: suffix) ? region : nil
        }
    }

    /// The forms of the hosts that AWS makes for single resources of the service; most have none.
    package var resourceHostForms: [ResourceHostForm] {
        record.list(26).map { number in
            let row = file.record(.hostPatterns, number)
            return ResourceHostForm(
                pattern: row.text(0).string, signingName: row.text(3).string, takesPath: row.byte(6) != 0)
        }
    }
}

private func isLabel(_ text: String) -> Bool {
    (1...63).contains(text.utf8.count) && text.utf8.first != 0x2D && text.utf8.last != 0x2D
        && text.utf8.allSatisfy { $0.isLowerAlphanumeric || $0 == 0x2D }
}
