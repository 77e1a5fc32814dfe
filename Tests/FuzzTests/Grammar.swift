/// How the inputs of a target are written. A fuzzer that only changes bytes hardly ever gets past a quote
/// that does not close or a checksum that is wrong; what it may also do is said here.
struct Grammar: Sendable {
    /// How a change finds its pieces.
    enum Form: Sendable {
        /// Pieces end at any of ``delimiters``, which are pieces of their own.
        case text
        case cbor
        /// One gzip member: what it unpacks to is changed and packed again.
        case gzip
    }

    let form: Form
    let delimiters: Set<UInt8>
    /// What may be put in: words that a parser looks for, and what is likely to be read in two ways.
    let fragments: [String]

    init(_ form: Form, _ delimiters: String = "", _ fragments: [String] = []) {
        self.form = form
        self.delimiters = Set(delimiters.utf8)
        self.fragments = fragments
    }

    static let text = Grammar(.text, " \n:,\"'[]{}-")
    static let cbor = Grammar(.cbor)
    static let gzip = Grammar(.gzip)

    static let json = Grammar(
        .text, "{}[],:\"\\ ",
        [
            "null", "true", "1e400", "-0", "1.0", "\"\"", "\\u0000", "\\u0054", "\\ud83d\\ude00", "\\ud800",
            "\u{FEFF}", "\u{212A}", "e\u{301}", "\"__type\":\"a#b\"", "\"TableName\":\"orders\"",
            "arn:aws:dynamodb:us-east-1:111122223333:table/orders", "arn:aws:iam::111122223333:role/r",
            "\"body_b64\":\"\"", "\"id\":\"1\"", "[[[[[[[[", "]]]]]]]]",
        ])

    static let xml = Grammar(
        .text, "<>/=\"'&; \n",
        [
            "<![CDATA[", "]]>", "<!--", "-->", "<!DOCTYPE a>", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
            "&amp;", "&#x41;", "&#0;", "&#xD;", "\r\n", "\r",
            "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"",
            "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"", "xsi:type=\"Group\"", "<Key>k</Key>",
            "<VersionId>v</VersionId>", "<Object>", "</Object>", "\u{FEFF}", "a:Key",
        ])

    static let form = Grammar(
        .text, "&=.+%;",
        [
            "Action=GetRole", "Version=2010-05-08", "&", "%26", "%3D", "%2E", "%00", "%C0%AF", "%e9", "%2f",
            "%252F", ".member.1", ".member.2", ".1", ".01", ".+1", ".0", ".entry.1.key=k",
            ".entry.1.value=v", "Action.1=a", "action=a", "Action[]=a", "Tags.member.1.Key=k", "Tag.1.Key=k",
        ])

    static let request = Grammar(
        .text, "\n/?&=:;,. \"{}%",
        [
            "\nhost: dynamodb.us-east-1.amazonaws.com", "\nhost: b.s3.amazonaws.com", "\nhost: b.localhost",
            "\nx-amz-target: DynamoDB_20120810.GetItem", "\nsmithy-protocol: rpc-v2-cbor",
            "\ncontent-type: application/x-amz-json-1.0", "\ncontent-type: application/x-www-form-urlencoded",
            "\ncontent-encoding: gzip", "\nx-amz-copy-source: /b/k?versionId=v", "\nconnection: x-amz-target",
            "?Action=GetRole&Version=2010-05-08", "&X-Amz-Credential=a/20261124/us-east-1/s3/aws4_request",
            "&X-Amz-Signature=0", "&versionId=v", "&acl", "&tagging", "&uploads=", "&x-id=GetObject", "/../",
            "/./",
            "//", "%2F", "%2e%2e", "%00", "%C3%A9", "/_aws/s3/", "/_aws/lambda/eu-west-1",
            "/111122223333/queue", "/service/GraniteServiceVersion20100801/operation/PutMetricData",
            "\nx-amz-acl: public-read", "\nx-amz-tagging: a=b", "POST ", "GET ", "DELETE ", "PUT ",
        ])

    static let chunked = Grammar(
        .text, "\n\r:;=, ",
        [
            "\r\n", "0\r\n\r\n", "5\r\nhello\r\n", "\nx-amz-decoded-content-length: 5", "00", "+5",
            "FFFFFFFF",
            "\nx-amz-decoded-content-length: 0", "\nx-amz-trailer: x-amz-checksum-crc32", "\n\r\n",
            "x-amz-checksum-crc32:NhCmhg==\r\n", "x-amz-checksum-xxhash3:AAAAAAAAAAA=\r\n", "x-amz-acl:x\r\n",
            ",x-amz-checksum-xxhash3", "\nx-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            "\nx-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER", "\ncontent-encoding: aws-chunked",
            "gzip,", ";chunk-signature=" + String(repeating: "0a", count: 32), ";a=b", "-TRAILER",
            "x-amz-trailer-signature:" + String(repeating: "0a", count: 32) + "\r\n", "\ncontent-length: 5",
        ])

    static let partiQL = Grammar(
        .text, " \"'.,()[]{}=?;-/*`<>\n",
        [
            "SELECT", "INSERT", "UPDATE", "DELETE", "FROM", "INTO", "VALUE", "SET", "REMOVE", "WHERE",
            "ORDER BY",
            "EXISTS", "AND", "OR", "RETURNING ALL OLD *", "\"orders\"", "\"orders\".\"by-day\"", "''", "\"\"",
            "--", "/*", "*/", "`", ";", "\\", "{'id': 'a'}", "<<", ">>", "\u{17F}elect", "\u{A0}", "\u{212A}",
        ])

    static let arn = Grammar(
        .text, ":/?&%=. \n*",
        [
            "arn:aws:", "arn:aws-cn:", "arn:", ":111122223333:", "table/", "index/", "stream/", "role/",
            "user/",
            "function:", "key/", "alias/", "secret:", "parameter/", "queue", "topic", "object/",
            "accesspoint/",
            "?versionId=", "%2F", "%3F", "$LATEST", "https://sqs.us-east-1.amazonaws.com/111122223333/q",
            "..",
            "\u{E9}", "i-0123456789abcdef0", "mrk-", "-AbCdEf",
        ])
}
