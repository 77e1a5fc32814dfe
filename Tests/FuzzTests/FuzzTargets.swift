import Recognizing
import Vocabulary

/// One parser of outside bytes: what it must hold for every input, beyond not ending the process.
///
/// A property that does not hold ends the process, which is what a fuzzer looks for.
struct FuzzTarget: Sendable {
    let name: String
    /// How its inputs are written, for changes that keep them readable.
    let grammar: Grammar
    let run: @Sendable ([UInt8]) -> Void

    init(_ name: String, _ grammar: Grammar, run: @escaping @Sendable ([UInt8]) -> Void) {
        self.name = name
        self.grammar = grammar
        self.run = run
    }

    static let all: [FuzzTarget] = core + doors

    private static let core = [
        FuzzTarget("recognize", .request, run: recognizeRequest),
        FuzzTarget("head", .request, run: readHead),
        FuzzTarget("line", .json, run: readLine),
        FuzzTarget("json", .json, run: readJSON),
        FuzzTarget("cbor", .cbor, run: readCBOR),
        FuzzTarget("xml", .xml, run: readXML),
        FuzzTarget("form", .form, run: readForm),
        FuzzTarget("percent", .form, run: readEscapes),
        FuzzTarget("gunzip", .gzip, run: readGzip),
        FuzzTarget("chunked", .chunked, run: readChunked),
        FuzzTarget("partiql", .partiQL, run: readStatement),
        FuzzTarget("arn", .arn, run: readARN),
        FuzzTarget("source", .arn, run: readNames),
        FuzzTarget("naming", .json, run: readParametersOfAnyOperation),
        FuzzTarget("policy", .text, run: readPolicy),
        FuzzTarget("log", .json, run: readLog),
        FuzzTarget("verify", .json, run: verifyLog),
        FuzzTarget("identify", .request, run: identifyCaller),
    ]

    static let setting = RecognitionSetting(account: "111122223333", region: "us-east-1")
}

/// Ends the process when what must hold does not; a release build says why of a fatal error alone.
func must(_ holds: Bool, _ what: @autoclosure () -> String) {
    if !holds { fatalError(what()) }
}
