import Hashing
import Vocabulary

/// The call of an operation that its service's model does not have: named, so that the record and the answer
/// say what was tried, and never sent.
///
/// AWS adds operations every day; what one touches nobody can tell before the catalog knows it.
///
/// - Throws: ``RecognitionError/noRegion(service:)`` and ``RecognitionError/noEndpoint(service:region:)`` as
///   for any call.
func barred(
    _ operation: UnknownOperation, request: InboundRequest, caller: Caller, hints: OuterHints,
    setting: RecognitionSetting
) throws(RecognitionError) -> Call {
    let service = operation.service
    let catalog = Catalog(file: service.file)
    guard let region = hints.region ?? setting.region ?? globalRegion(service, setting.variant) else {
        throw .noRegion(service: service.name)
    }
    guard let partition = catalog.partition(region: region),
        let endpoint = service.endpoint(region: region, variant: setting.variant)
    else { throw .noEndpoint(service: service.name, region: region, variant: setting.variant) }
    let pair = Pair(
        action: Action(prefix: service.iamPrefix, name: operation.name), resource: .unknown, level: .unknown,
        sensitivity: .unrated)
    let wire = sha256(request.body)
    // Without a model nothing is read: the body stands for the parameters.
    let parameters: JSON = ["body": ["sha256": .string(wire.hex), "bytes": .integer(request.body.count)]]
    let form: JSON = [
        "agent": .string(caller.agent.text), "service": .string(service.name),
        "operation": .string(operation.name), "region": .string(region), "parameters": parameters,
    ]
    let meaning = Meaning(
        service: service.name, operation: operation.name, wireProtocol: operation.wireProtocol,
        partition: partition, account: setting.account ?? "", region: region, pairs: [pair],
        parameters: parameters, bar: .unknownOperation, bodyByteCount: request.body.count,
        digest: sha256(form.canonical))
    // INVARIANT: `decide` denies every call with a bar, so these bytes are never signed; they are what came.
    let sealed = SealedRequest(
        method: request.head.method, usesTLS: true, authority: endpoint.host, awsHost: endpoint.host,
        path: hints.path, query: "", fields: [], body: .bytes(request.body),
        signingName: endpoint.signingName, signingRegion: endpoint.signingRegion, pathStyle: .normalized,
        mayRepeat: false, wireDigest: wire)
    return Call(meaning: meaning, sealed: sealed)
}
