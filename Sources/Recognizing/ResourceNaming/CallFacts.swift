import Vocabulary

/// What naming looks at: one operation and what the request says to it.
package struct CallFacts: Sendable {
    /// The catalog's row of the operation.
    package let model: CatalogOperation
    /// All parameters by their model names: path labels, query, header fields and body merged into one
    /// object.
    package let parameters: JSON
    package let partition: String
    package let region: String
    /// 12 digits; nil when neither the configuration nor the request says.
    package let account: String?
    /// The listed host of one resource that the call goes to; nil for most.
    package let host: ResourceHost?

    package init(
        model: CatalogOperation, parameters: JSON, partition: String, region: String, account: String?,
        host: ResourceHost? = nil
    ) {
        self.model = model
        self.parameters = parameters
        self.partition = partition
        self.region = region
        self.account = account
        self.host = host
    }

    /// The service's client name.
    package var service: String { model.service.name }
    /// The operation's name.
    package var operation: String { model.name }
}
