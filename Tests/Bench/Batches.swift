import Vocabulary

/// Calls whose bodies grow: what a recognition of them takes must grow as their bytes do, and no faster.
struct Batch {
    let name: String
    let request: InboundRequest

    private init(
        _ name: String, method: String = "POST", target: String, _ fields: [HeaderField], _ body: String
    ) {
        self.name = name
        let fields =
            [HeaderField("Host", "127.0.0.1:8990")] + fields
            + [HeaderField("Content-Length", String(body.utf8.count))]
        request = InboundRequest(
            head: RequestHead(method: method, target: target, fields: fields), body: Array(body.utf8))
    }

    private static func json(_ target: String, _ version: String, _ name: String, _ body: String)
        -> Batch
    {
        let fields = [
            HeaderField("X-Amz-Target", target),
            HeaderField("Content-Type", "application/x-amz-json-\(version)"),
        ]
        return Batch(name, target: "/", fields, body)
    }

    /// A text of `byteCount` bytes.
    private static func text(_ byteCount: Int) -> String {
        String(repeating: "abcdefgh", count: byteCount / 8)
    }

    private static func joined(_ count: Int, _ element: (Int) -> String) -> String {
        (0..<count).map(element).joined(separator: ",")
    }

    private static func writeItems(_ count: Int, valueByteCount: Int) -> Batch {
        let items = joined(count) { number in
            #"{"PutRequest": {"Item": {"id": {"S": "o-\#(number)"}, "total": {"N": "\#(number)"}, "#
                + #""text": {"S": "\#(text(valueByteCount))"}}}}"#
        }
        return json(
            "DynamoDB_20120810.BatchWriteItem", "1.0", "BatchWriteItem of \(count) items",
            #"{"RequestItems": {"orders": [\#(items)]}}"#)
    }

    private static func transactItems(_ count: Int) -> Batch {
        let items = joined(count) { number in
            #"{"Put": {"TableName": "orders-\#(number % 10)", "Item": {"id": {"S": "o-\#(number)"}, "#
                + #""text": {"S": "\#(text(256))"}}}}"#
        }
        return json(
            "DynamoDB_20120810.TransactWriteItems", "1.0", "TransactWriteItems of \(count)",
            #"{"TransactItems": [\#(items)], "ClientRequestToken": "6a1f5e0c"}"#)
    }

    private static func messages(_ count: Int, byteCount: Int) -> Batch {
        let entries = joined(count) { #"{"Id": "m\#($0)", "MessageBody": "\#(text(byteCount))"}"# }
        return json(
            "AmazonSQS.SendMessageBatch", "1.0", "SendMessageBatch of \(count)",
            #"{"QueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/orders", "#
                + #""Entries": [\#(entries)]}"#
        )
    }

    private static func deletes(_ count: Int) -> Batch {
        let objects = (0..<count).map { "<Object><Key>logs/2026/11/24/part-\($0).gz</Key></Object>" }
        return Batch(
            "DeleteObjects of \(count) keys", target: "/bucket?delete",
            [HeaderField("Content-Type", "application/xml")],
            #"<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">\#(objects.joined())</Delete>"#)
    }

    private static func records(_ count: Int, byteCount: Int) -> Batch {
        let records = joined(count) { #"{"Data": "\#(text(byteCount))", "PartitionKey": "key-\#($0)"}"# }
        return json(
            "Kinesis_20131202.PutRecords", "1.1", "PutRecords of \(count)",
            #"{"StreamName": "orders", "Records": [\#(records)]}"#)
    }

    private static func metrics(_ count: Int) -> Batch {
        let items = (1...count).map { number in
            "&MetricData.member.\(number).MetricName=latency&MetricData.member.\(number).Value=\(number)"
        }
        return Batch(
            "PutMetricData of \(count), a form", target: "/",
            [HeaderField("Content-Type", "application/x-www-form-urlencoded")],
            "Action=PutMetricData&Version=2010-08-01&Namespace=orders" + items.joined())
    }

    private static func invoke(megabytes: Int) -> Batch {
        Batch(
            "Invoke, \(megabytes) MiB payload", target: "/2015-03-31/functions/orders/invocations", [],
            #"{"text": "\#(text(megabytes << 20))"}"#)
    }

    /// Numbers and texts without order, as deep as a document may be: what a parser is slowest with.
    private static func document(megabytes: Int) -> Batch {
        let item = #"{"a":1,"b":[true,null,"x"],"c":{"d":"\u00e9\n"}},"#
        let count = (megabytes << 20) / item.utf8.count
        let items = String(repeating: item, count: min(count, 90_000))
        return json(
            "Kinesis_20131202.PutRecords", "1.1", "PutRecords, \(megabytes) MiB of small members",
            #"{"StreamName": "orders", "Records": [], "more": [\#(items)1]}"#)
    }

    /// A map of many names in no order: they must be distinct, and the digest sorts them.
    private static func item(nameCount: Int) -> Batch {
        let attributes = joined(nameCount) { #""k\#(($0 * 7_919) % nameCount)": {"S": "o-\#($0)"}"# }
        return json(
            "DynamoDB_20120810.PutItem", "1.0", "PutItem of \(nameCount) names",
            #"{"TableName": "orders", "Item": {\#(attributes)}}"#)
    }

    /// Each kind from small to large.
    static var all: [Batch] {
        [1, 25, 100].map { writeItems($0, valueByteCount: 256) } + [writeItems(25, valueByteCount: 16 << 10)]
            + [10, 25, 100].map(transactItems)
            + [1, 10].map { messages($0, byteCount: 1 << 10) } + [messages(10, byteCount: 24 << 10)]
            + [10, 100, 1000].map(deletes)
            + [10, 100, 500].map { records($0, byteCount: 1 << 10) }
            + [1, 2, 4, 8].map { records(64 * $0, byteCount: 16 << 10) }
            + [10, 100, 1000].map(metrics)
            + [1, 2, 4].map(invoke)
            + [1, 2, 4].map(document)
            + [1_000, 50_000, 100_000, 200_000].map { item(nameCount: $0) }
    }
}
