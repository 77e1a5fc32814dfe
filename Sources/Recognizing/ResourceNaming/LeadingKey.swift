import Vocabulary

extension KeyFilling {
    /// `dynamodb:LeadingKeys`, as far as the request tells which attribute is the partition key: the one
    /// attribute of a key that has no other, the one that a query sets equal to a value.
    ///
    /// The key of a table with a sort key has two attributes, and the request does not say which is which.
    /// Only texts are taken: how AWS writes numbers and bytes for comparison is not documented.
    ///
    /// - SeeAlso: Amazon DynamoDB Developer Guide, "Using IAM policy conditions for fine-grained access
    ///   control".
    mutating func fillLeadingKey() {
        let parameters = facts.parameters
        let value: JSON?
        switch facts.operation {
        case "GetItem", "DeleteItem", "UpdateItem":
            guard let attributes = parameters["Key"]?.members, attributes.count == 1 else { return }
            value = attributes[0].value
        case "Query": value = Self.queriedKey(parameters)
        default: return
        }
        guard let members = value?.members, members.count == 1, let text = members[0].value.string,
            members[0].name.utf8.elementsEqual("S".utf8), !text.isEmpty
        else { return }
        keys["dynamodb:LeadingKeys"] = .filled([text])
    }

    /// `dynamodb:Attributes` of `PutItem`, whose item names every attribute that the request touches, unless
    /// a condition names others.
    ///
    /// Whether AWS counts the attributes of the key among those that other requests name is not documented.
    mutating func fillAttributes() {
        let parameters = facts.parameters
        guard facts.operation == "PutItem", let item = parameters["Item"]?.members, !item.isEmpty,
            item.count <= pairCountMax, (parameters["ConditionExpression"] ?? .null) == .null,
            (parameters["Expected"] ?? .null) == .null
        else { return }
        keys["dynamodb:Attributes"] = .filled(item.map(\.name))
    }

    /// The value that the query's partition key must equal; nil when the expression has more than one `=`,
    /// or an index is asked, whose keys are others.
    private static func queriedKey(_ parameters: JSON) -> JSON? {
        guard parameters["IndexName"] ?? .null == .null, parameters["KeyConditions"] ?? .null == .null,
            let expression = parameters["KeyConditionExpression"]?.string
        else { return nil }
        let bytes = Array(expression.utf8)
        let equals = bytes.indices.filter { bytes[$0] == 0x3D }
        // `<=` and `>=` are of the sort key.
        let plain = equals.filter { $0 > 0 && bytes[$0 - 1] != 0x3C && bytes[$0 - 1] != 0x3E }
        guard plain.count == 1, let equal = plain.first else { return nil }
        var rest = bytes[(equal + 1)...].drop { $0 == 0x20 }
        guard rest.first == 0x3A else { return nil }
        rest = rest.prefix { $0 == 0x3A || $0 == 0x5F || $0.isAlphanumeric }
        return parameters["ExpressionAttributeValues"]?[String(decoding: rest, as: UTF8.self)]
    }
}
