import Recognizing
import Vocabulary

/// The address that endpoint discovery must answer with, so that the client stays here; nil for any other
/// call.
///
/// Timestream's clients ask `DescribeEndpoints` for a cell host and then dial that, past the gate and with
/// worthless keys; DynamoDB's do so when they are told to. What they are given is where this call came in:
/// its Host and, for `/_aws/<service>`, its path.
func stayingAddress(of meaning: Meaning?, head: RequestHead) -> String? {
    guard let meaning, meaning.operation == "DescribeEndpoints", discovering.contains(meaning.service),
        let host = head["host"]
    else { return nil }
    let path = head.rawPath
    return "http://\(host)\(path == "/" ? "" : path)"
}

private let discovering: Set<String> = ["dynamodb", "timestream-query", "timestream-write"]

extension StoredReply {
    /// AWS's answer to discovery with `address` as the one endpoint; an error stays as it is.
    ///
    /// The body is written anew, not mended: whatever AWS named, the client must not dial it. Clients keep
    /// the answer for as long as AWS lets them, a day.
    func naming(_ address: String) -> StoredReply {
        guard status == 200 else { return self }
        let body: JSON = ["Endpoints": [["Address": .string(address), "CachePeriodInMinutes": 1_440]]]
        return StoredReply(
            status: status,
            // DynamoDB's clients compare the body with this checksum.
            fields: fields.filter { !["x-amz-crc32", "content-encoding"].contains($0.name) }, body: body.line)
    }
}
