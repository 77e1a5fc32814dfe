import Vocabulary

/// A REST request as far as it routes: method, path, names of the query and of the header fields.
package struct RestRequest: Sendable {
    package let method: String
    /// As it came: percent-encoded, beginning with `/`. For S3 the bucket is the first segment, also when it
    /// stood in the host.
    package let path: String
    /// Decoded names and values in order, without those of a signature (`X-Amz-Signature` and so on); nil: no
    /// `=` was there.
    package let query: [(name: String, value: String?)]
    /// The names of the header fields, lower case.
    package let headers: [String]

    package init(method: String, path: String, query: [(name: String, value: String?)], headers: [String]) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
    }
}

/// An operation that a REST request fits, and what its path labels hold.
package struct RestMatch: Sendable {
    package let operation: CatalogOperation
    /// The labels by their wire names, percent-decoded exactly once, in the order of the path.
    package let labels: [(name: String, value: String)]
    /// Query names that neither the template nor a member has; a caller that is strict refuses them.
    package let unknownQuery: [String]
    /// False when the path fits but for one trailing slash: SDKs of other families leave it out or add it.
    /// Send the template's form then. Never false for S3, where the slash belongs to the key.
    package let isExactSlash: Bool
}

/// Why a path is one that no operation has.
package enum PathError: Error, Sendable, Hashable {
    /// `%` without two hexadecimal digits.
    case badPercentEncoding(segment: String)
    /// The decoded segment is not UTF-8.
    case invalidUTF8(segment: String)
    /// More segments than ``Router/segmentCountMax``.
    case tooManySegments
    /// The path does not begin with `/`.
    case notAbsolute
}

/// Finds the operations that a REST request (rest-json, rest-xml) may mean.
package struct Router: Sendable {
    /// The most segments that a path may have; an S3 key has at most 1,024 bytes.
    package static let segmentCountMax = 1_100

    let catalog: Catalog

    package init(_ catalog: Catalog = .builtIn) { self.catalog = catalog }

    /// The operations that the request fits best; more than one only if nothing in path, query and header
    /// names tells them apart. The caller decides what that means. Empty: no operation that we know.
    ///
    /// Literal query and required query and headers must be there. Of those that fit, in this order: literal
    /// segments before labels before labels of many segments; fewest unknown query names; most literal query;
    /// within one service also most required query, then most required headers. Dot segments fit nothing but
    /// S3, where they are part of the key.
    ///
    /// - Parameters:
    ///   - signedAs: The service of the credential scope. Without it, S3 is a candidate only if no other
    ///     service fits, and services that live on hosts of their own are none.
    ///   - hosts: The services whose listed host the request names: those that own every path of their hosts
    ///     are candidates there alone.
    ///   - isCandidate: Which services may be meant, by what else is known of the request.
    package func restCandidates(
        for request: RestRequest, signedAs: String?, atHostsOf hosts: [String] = [],
        among isCandidate: (CatalogService) -> Bool = { _ in true }
    ) throws(PathError) -> [RestMatch] {
        let segments = try Self.segments(of: request.path)
        let signers = signedAs.map { catalog.services(signedAs: $0) }
        let hasDots = segments.contains { $0.utf8.first == 0x2E && ($0 == "." || $0 == "..") }
        func mayBe(_ service: CatalogService) -> Bool {
            // This is asked for each of many services: what costs least goes first.
            let isElsewhere = service.livesOnResourceHosts
            guard signers?.contains(service) ?? !isElsewhere, isCandidate(service) else { return false }
            if isElsewhere, HostNaming.ownsEveryPath.contains(service.name), !hosts.contains(service.name) {
                return false
            }
            return !hasDots || service.isS3
        }
        var search = RestSearch(catalog: catalog, request: request, segments: segments, isExactSlash: true)
        search.run(mayBe)
        if search.fits.allSatisfy({ $0.operation.service.isS3 }) {
            let isS3Named = signers != nil && !search.fits.isEmpty
            let other = segments.last == "" && segments.count > 1 ? segments.dropLast() : segments + [""]
            var second = RestSearch(
                catalog: catalog, request: request, segments: Array(other), isExactSlash: false)
            if !isS3Named { second.run { !$0.isS3 && mayBe($0) } }
            if !second.fits.isEmpty { search = second }
        }
        return search.best(signedAs: signedAs)
    }

    /// The segments after the first slash, each decoded once.
    ///
    /// - Throws: ``PathError`` for a bad escape, for bytes that are not UTF-8, for too many segments.
    static func segments(of path: String) throws(PathError) -> [String] {
        guard path.utf8.first == 0x2F else { throw .notAbsolute }
        let bytes = Array(path.utf8)
        var found: [String] = []
        var start = 1
        while true {
            guard found.count < segmentCountMax else { throw .tooManySegments }
            let end = bytes[start...].firstIndex(of: 0x2F) ?? bytes.endIndex
            found.append(try decoded(bytes[start..<end]))
            if end == bytes.endIndex { return found }
            start = end + 1
        }
    }

    private static func decoded(_ piece: ArraySlice<UInt8>) throws(PathError) -> String {
        guard piece.contains(0x25) else { return String(decoding: piece, as: UTF8.self) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(piece.count)
        var rest = piece
        while let byte = rest.popFirst() {
            guard byte == 0x25 else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst()?.hexValue, let low = rest.popFirst()?.hexValue else {
                throw .badPercentEncoding(segment: String(decoding: piece, as: UTF8.self))
            }
            bytes.append(high << 4 | low)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .invalidUTF8(segment: String(decoding: piece, as: UTF8.self))
        }
        return text
    }
}
