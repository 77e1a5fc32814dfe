import Vocabulary

/// One walk down the tree of path templates, and what it found.
struct RestSearch {
    /// An operation whose path, literal query, required query and required headers fit.
    struct Fit {
        let operation: CatalogOperation
        /// Two bits a template segment, from the top: literal 3, label 2, label of many segments 1.
        let specificity: UInt64
        /// Which segments of the path each segment of the template took.
        let spans: [Range<Int>]
        let unknownQuery: [String]
        let requiredQueryCount: Int
        let requiredHeaderCount: Int

        /// Whether this one fits better than `other`; see ``Router/restCandidates(for:signedAs:among:)``.
        ///
        /// Required names tell apart only operations of one service: of two services, one may merely demand
        /// more.
        func isBetter(than other: Fit) -> Bool {
            if specificity != other.specificity { return specificity > other.specificity }
            if unknownQuery.count != other.unknownQuery.count {
                return unknownQuery.count < other.unknownQuery.count
            }
            let literals = (operation.literalRange.count, other.operation.literalRange.count)
            if literals.0 != literals.1 { return literals.0 > literals.1 }
            guard operation.service == other.operation.service else { return false }
            if requiredQueryCount != other.requiredQueryCount {
                return requiredQueryCount > other.requiredQueryCount
            }
            return requiredHeaderCount > other.requiredHeaderCount
        }
    }

    let catalog: Catalog
    let request: RestRequest
    let segments: [String]
    let isExactSlash: Bool
    private(set) var fits: [Fit] = []
    /// Which segments of the path the walk has given to each segment of the template so far.
    private var spans: [Range<Int>] = []

    init(catalog: Catalog, request: RestRequest, segments: [String], isExactSlash: Bool) {
        self.catalog = catalog
        self.request = request
        self.segments = segments
        self.isExactSlash = isExactSlash
    }

    private var file: CatalogFile { catalog.file }

    /// Finds every fit among the services that `mayBe` lets pass.
    mutating func run(_ mayBe: (CatalogService) -> Bool) {
        let methods = 0..<file.count(of: .methods)
        guard let method = file.search(.methods, in: methods, for: request.method) else { return }
        walk(file.record(.methods, method).short(3), at: 0, specificity: 0, mayBe)
    }

    /// The best fits; S3 only if nothing else fits or the scope says so.
    func best(signedAs: String?) -> [RestMatch] {
        var left = fits
        if signedAs == nil, left.contains(where: { !$0.operation.service.isS3 }) {
            left.removeAll { $0.operation.service.isS3 }
        }
        var winners: [Fit] = []
        for fit in left where !winners.contains(where: { $0.isBetter(than: fit) }) {
            winners.removeAll { fit.isBetter(than: $0) }
            winners.append(fit)
        }
        // A deprecated operation that reads like a current one of its service is that one's old name (S3
        // lifecycle, notification). Both S3 services' bucket lists are `GET /`; the scope tells them apart.
        let isExpress =
            signedAs.map { $0.asciiLowercased == "s3express" } ?? false
            || request.query.contains {
                $0.name == "max-directory-buckets" || $0.name == "x-id" && $0.value == "ListDirectoryBuckets"
            }
        winners = winners.filter { fit in
            guard fit.operation.service.isS3, fit.spans.count == 1, fit.operation.uriTemplate == "/" else {
                return true
            }
            return (fit.operation.name == "ListDirectoryBuckets") == isExpress
        }
        let current = winners.filter { !$0.operation.isDeprecated }
        return winners.compactMap { fit in
            let isOldName =
                fit.operation.isDeprecated
                && current.contains { $0.operation.service == fit.operation.service }
            return isOldName ? nil : match(fit)
        }
    }

    private func match(_ fit: Fit) -> RestMatch {
        var labels: [(name: String, value: String)] = []
        var template = fit.operation.uriTemplate
        template.withUTF8 { bytes in
            // Each span is of one segment of the template, the first of which begins after the slash.
            var start = 1
            for span in fit.spans {
                let end = bytes[start...].firstIndex { $0 == 0x2F || $0 == 0x3F } ?? bytes.endIndex
                if start < end, bytes[start] == 0x7B {
                    let name = bytes[(start + 1)..<end].prefix { $0 != 0x2B && $0 != 0x7D }
                    labels.append((String(decoding: name, as: UTF8.self), value(of: span)))
                }
                start = min(end + 1, bytes.endIndex)
            }
        }
        return RestMatch(
            operation: fit.operation, labels: labels, unknownQuery: fit.unknownQuery,
            isExactSlash: isExactSlash)
    }

    /// The segments of `span` with the slashes between them.
    private func value(of span: Range<Int>) -> String {
        span.count == 1 ? segments[span.lowerBound] : segments[span].joined(separator: "/")
    }

    /// Walks on behind the segments of `span`, which one segment of the template takes.
    private mutating func walk(
        _ node: Int, past span: Range<Int>, specificity: UInt64, _ mayBe: (CatalogService) -> Bool
    ) {
        spans.append(span)
        walk(node, at: span.upperBound, specificity: specificity, mayBe)
        spans.removeLast()
    }

    private mutating func walk(
        _ node: Int, at position: Int, specificity: UInt64, _ mayBe: (CatalogService) -> Bool
    ) {
        let record = file.record(.nodes, node)
        guard position < segments.count else {
            for reference in record.short(6)..<file.record(.nodes, node + 1).short(6) {
                let index = file.record(.operationRefs, reference).short(0)
                consider(CatalogOperation(file: file, index: index), specificity, mayBe)
            }
            return
        }
        // INVARIANT: the generator refuses templates of more than 31 segments, so the shift is never
        // negative.
        let shift = UInt64(62 - 2 * spans.count)
        let segment = segments[position]
        let one = position..<position + 1
        if let edge = file.search(.edges, in: edges(of: node), for: segment) {
            let child = file.record(.edges, edge).short(3)
            walk(child, past: one, specificity: specificity | 3 << shift, mayBe)
        }
        if let label = record.optionalShort(2), !segment.isEmpty {
            walk(label, past: one, specificity: specificity | 2 << shift, mayBe)
        }
        guard let greedy = record.optionalShort(4) else { return }
        // A label of many segments takes any number of them; only its last end matters unless more template
        // follows.
        let isLast = edges(of: greedy).isEmpty
        for end in (isLast ? segments.count : position + 1)...segments.count {
            if end == position + 1, segment.isEmpty { continue }
            walk(greedy, past: position..<end, specificity: specificity | 1 << shift, mayBe)
        }
    }

    /// The literal segments after a node: up to where the next node's begin.
    private func edges(of node: Int) -> Range<Int> {
        file.record(.nodes, node).short(0)..<file.record(.nodes, node + 1).short(0)
    }

    private mutating func consider(
        _ operation: CatalogOperation, _ specificity: UInt64, _ mayBe: (CatalogService) -> Bool
    ) {
        guard literalsFit(operation), mayBe(operation.service) else { return }
        // By bytes and in place: this runs for each of a hundred services at `/tags/{arn}`.
        var isKnown = request.query.map { $0.name == "x-id" }
        func mark(_ name: CatalogText) -> Bool {
            var isThere = false
            for (index, item) in request.query.enumerated() where name.equals(item.name) {
                isKnown[index] = true
                isThere = true
            }
            return isThere
        }
        for number in operation.literalRange { _ = mark(file.record(.queryLiterals, number).text(0)) }
        var (requiredQueryCount, requiredHeaderCount) = (0, 0)
        for index in operation.input?.memberRange ?? 0..<0 {
            let member = CatalogMember(file: file, index: index)
            switch member.location {
            case .query:
                let isThere = mark(member.wireText)
                guard isThere || !member.isRequired else { return }
                requiredQueryCount += member.isRequired ? 1 : 0
            case .queryMap:
                isKnown = isKnown.map { _ in true }
            case .header where member.isRequired:
                let name = member.wireText
                guard request.headers.contains(where: { name.equalsIgnoringCase($0) }) else { return }
                requiredHeaderCount += 1
            case .body, .uri, .header, .headers, .payload:
                continue
            }
        }
        let unknown = isKnown.indices.filter { !isKnown[$0] }.map { request.query[$0].name }
        fits.append(
            Fit(
                operation: operation, specificity: specificity, spans: spans, unknownQuery: unknown,
                requiredQueryCount: requiredQueryCount, requiredHeaderCount: requiredHeaderCount))
    }

    private func literalsFit(_ operation: CatalogOperation) -> Bool {
        operation.literalRange.allSatisfy { number in
            let record = file.record(.queryLiterals, number)
            guard let given = request.query.first(where: { record.text(0).equals($0.name) }) else {
                return false
            }
            // `?acl` also comes as `?acl=`.
            return record.optionalText(3).map { $0.equals(given.value ?? "") } ?? (given.value ?? "").isEmpty
        }
    }
}
