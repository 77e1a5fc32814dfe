import Accepting
import Deciding
import Identifying
import Recognizing
import SigV4
import Vocabulary

/// Answers a line of `countersign debug recognize --jsonl`: the head checks of Accepting, `identify` and
/// `recognize`, as the gate runs them.
///
/// - Throws: ``ConfigurationError`` for an account, a region or a host of a resource that is none.
package func debugRecognizer(
    account: String?, region: String?, resourceHosts: [String] = [], usesScope: Bool
) throws(ConfigurationError) -> ([UInt8]) -> [UInt8] {
    var flags: [String: [String]] = [:]
    if let account { flags["account"] = [account] }
    if let region { flags["region"] = [region] }
    if !resourceHosts.isEmpty { flags["resource-host"] = resourceHosts }
    let checked = try Configuration(flags: flags, environment: [:], file: [:])
    let setting = RecognitionSetting(
        account: checked.account, region: checked.region, resourceHosts: checked.resourceHosts,
        usesScope: usesScope)
    let rooms = SurroundingRooms(
        head: { method, target, fields in
            if let fault = headFault(method: method, target: target, fields: fields, version: "HTTP/1.1") {
                return .failure(
                    PrintedRejection(status: fault.status, code: fault.code, message: fault.message))
            }
            return .success(makeRequestHead(method: method, target: target, fields: fields))
        },
        words: { PrintedRejection(status: $0.status, code: code($0), message: text($0)) })
    return { recognizeLine($0, setting: setting, rooms: rooms) }
}

/// Answers a line of `countersign debug sign --jsonl`.
package func debugSigner() -> ([UInt8]) -> [UInt8] { debugSignLine }

/// Answers a line of `countersign debug decide --jsonl`, with the actions of the catalog.
package func debugDecider() -> ([UInt8]) -> [UInt8] {
    let actions = ActionNames(.builtIn)
    return { decideLine($0, actions: actions) }
}
