import Vocabulary

/// Takes out of AWS's error replies what they echo of the gateway's own credentials (THREATS.md section 13):
/// the key id, the session token, the signature, and the canonical request that S3 and others quote when a
/// signature does not match.
enum EchoRedaction {
    private static let mark = Array("[redacted]".utf8)
    private static let elements = [
        "AWSAccessKeyId", "CanonicalRequest", "CanonicalRequestBytes", "SignatureProvided", "StringToSign",
        "StringToSignBytes",
    ]
    private static let quoted = Array("The Canonical String for this request should have been".utf8)

    /// Whether the field `name` holds anything of the gateway's own that must not come back.
    static func concerns(_ name: String) -> Bool {
        name == "authorization" || name == "x-amz-security-token"
    }

    /// What of `fields` must not come back: session token, key id and signature.
    static func needles(in fields: [HeaderField]) -> [[UInt8]] {
        var needles: [[UInt8]] = []
        for field in fields {
            if field.name == "x-amz-security-token" { needles.append(Array(field.value.utf8)) }
            guard field.name == "authorization" else { continue }
            for part in field.value.split(whereSeparator: { $0 == " " || $0 == "," }) {
                if part.hasPrefix("Credential=") {
                    needles.append(Array(part.dropFirst(11).prefix { $0 != "/" }.utf8))
                }
                if part.hasPrefix("Signature=") { needles.append(Array(part.dropFirst(10).utf8)) }
            }
        }
        var distinct: [[UInt8]] = []
        for needle in needles where needle.count >= 4 && !distinct.contains(needle) {
            distinct.append(needle)
        }
        return distinct
    }

    /// `head` with every needle in its fields replaced.
    static func redact(_ head: ReplyHead, needles: [[UInt8]]) -> ReplyHead {
        let fields = head.fields.map { field in
            let value = needles.reduce(Array(field.value.utf8)) { replacing($1, in: $0) }
            return HeaderField(field.name, String(decoding: value, as: UTF8.self))
        }
        return ReplyHead(status: head.status, fields: fields, bodyByteCount: head.bodyByteCount)
    }

    /// `body` with every needle and every quoted canonical request replaced.
    static func redact(_ body: [UInt8], needles: [[UInt8]]) -> [UInt8] {
        var out = body
        for name in elements {
            out = replacing(between: Array("<\(name)>".utf8), and: Array("</\(name)>".utf8), in: out)
        }
        out = cuttingCanonicalString(out)
        for needle in needles { out = replacing(needle, in: out) }
        return out
    }

    /// `body` without `needle`, however its bytes are spelled.
    private static func replacing(_ needle: [UInt8], in body: [UInt8]) -> [UInt8] {
        guard let first = needle.first else { return body }
        var (out, start, at): ([UInt8], Int, Int) = ([], 0, 0)
        while at < body.count {
            let mayBegin = body[at] == first || [0x25, 0x5C, 0x26].contains(body[at])
            if mayBegin, let end = EchoSpelling.end(of: needle, in: body, at: at) {
                out += body[start..<at] + mark
                (start, at) = (end, end)
            } else {
                at += 1
            }
        }
        return start == 0 ? body : out + body[start...]
    }

    private static func replacing(between open: [UInt8], and close: [UInt8], in body: [UInt8]) -> [UInt8] {
        var (out, start): ([UInt8], Int) = ([], 0)
        while let found = index(of: open, in: body, from: start) {
            let inner = found + open.count
            out += body[start..<inner]
            out += mark
            // An element that is never closed is taken out to the end.
            start = index(of: close, in: body, from: inner) ?? body.count
        }
        return out + body[start...]
    }

    /// Other services quote the canonical request inside their message: it goes from its opening words to the
    /// end of the text.
    private static func cuttingCanonicalString(_ body: [UInt8]) -> [UInt8] {
        guard let found = index(of: quoted, in: body, from: 0) else { return body }
        var end = found
        while end < body.count, body[end] != 0x22, body[end] != 0x3C {
            end += body[end] == 0x5C ? 2 : 1
        }
        return Array(body[..<found]) + mark + Array(body[min(end, body.count)...])
    }

    private static func index(of needle: [UInt8], in body: [UInt8], from start: Int) -> Int? {
        guard let first = needle.first, start >= 0, body.count - start >= needle.count else { return nil }
        var at = start
        while at <= body.count - needle.count {
            if body[at] == first, body[at..<(at + needle.count)].elementsEqual(needle) { return at }
            at += 1
        }
        return nil
    }
}
