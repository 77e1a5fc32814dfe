import Vocabulary

/// A request's head and query without what belongs to one connection or to the client's own signature.
///
/// What is left out here is neither read nor sent.
struct StrippedHead {
    /// Without the fields that `Connection` names; with those that a presigned request carries in its query.
    let head: RequestHead
    /// Decoded once; without the fields of a signature.
    let query: [QueryItem]

    /// - Throws: ``RecognitionError/malformed(part:why:)`` for bad escapes, and for a field that stands in
    ///   the head and in a presigned query.
    init(_ head: RequestHead) throws(RecognitionError) {
        var fields = head.fields
        if head["connection"] != nil {
            let hops = head.values(of: "connection").flatMap { $0.split(separator: ",") }.map {
                mediaType(String($0))
            }
            fields.removeAll { hops.contains($0.name) }
        }
        var items = try queryItems(head.rawQuery ?? "", part: "the query")
        let isPresigned = items.contains {
            $0.name.utf8.count >= 14
                && ["x-amz-credential", "awsaccesskeyid", "x-amz-signature"].contains($0.name.asciiLowercased)
        }
        if isPresigned {
            // Who frames a body says so in the head: there it is read before anything else is.
            for item in items where Framing.isAnnounced(by: HeaderField(item.name, item.value ?? "")) {
                throw .malformed(part: "the query", why: "`\(shown(item.name))` belongs into the head")
            }
            var seen: Set<String> = []
            for name in items.map(\.name.asciiLowercased) where signatureQueryNames.contains(name) {
                guard seen.insert(name).inserted else {
                    throw .malformed(part: "the query", why: "`\(name)` is there twice")
                }
            }
            items.removeAll { signatureQueryNames.contains($0.name.asciiLowercased) }
            // AWS takes the `x-amz-` parameters of a presigned request for the fields of that name.
            for item in items where item.name.asciiLowercased.hasPrefix("x-amz-") {
                let field = HeaderField(item.name, item.value ?? "")
                guard !fields.contains(where: { $0.name.isSame(as: field.name) }) else {
                    throw .malformed(
                        part: "the query", why: "`\(shown(item.name))` is also in the head, or twice")
                }
                guard field.value.utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) else {
                    throw .malformed(
                        part: "the query", why: "`\(shown(item.name))` holds what a field cannot")
                }
                fields.append(field)
            }
            items.removeAll { $0.name.asciiLowercased.hasPrefix("x-amz-") }
        }
        self.head = RequestHead(method: head.method, target: head.target, fields: fields)
        query = items
    }
}
