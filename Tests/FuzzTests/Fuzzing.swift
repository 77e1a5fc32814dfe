import Glibc

/// The target that the environment names; scripts/fuzz checks that it is one.
private let target: FuzzTarget = {
    let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
        fatalError("FUZZ_TARGET names no target: \(name)")
    }
    return target
}()

/// What one input may take of a processor, under the sanitizers: some hundred times what the slowest of
/// scripts/fuzz's size take. More grows faster than its input.
private let secondsMax = 2.0

/// What libFuzzer calls for every input. Only scripts/fuzz builds this file.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let begun = clock()
    target.run(Array(UnsafeBufferPointer(start: bytes, count: count)))
    let seconds = Double(clock() - begun) / Double(CLOCKS_PER_SEC)
    must(seconds < secondsMax, "\(count) bytes took \(seconds) s")
    return 0
}

@_silgen_name("LLVMFuzzerMutate")
private func changedByLibFuzzer(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int, _ limit: Int) -> Int

/// How libFuzzer makes the next input: half of the time by its own means, half of the time by the target's
/// grammar.
@_cdecl("LLVMFuzzerCustomMutator")
func mutate(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int, _ limit: Int, _ seed: UInt32) -> Int {
    var mutator = Mutator(seed: seed)
    guard mutator.below(2) == 0 else { return changedByLibFuzzer(bytes, count, limit) }
    let given = Array(UnsafeBufferPointer(start: bytes, count: count))
    let made = mutator.changed(given, target.grammar) { content in
        var room = content + [UInt8](repeating: 0, count: max(64, content.count))
        let size = room.count
        let filled = room.withUnsafeMutableBufferPointer { buffer in
            // INVARIANT: the buffer has at least 64 bytes, so it has a first one.
            changedByLibFuzzer(buffer.baseAddress!, content.count, size)
        }
        return Array(room.prefix(filled))
    }
    let kept = min(made.count, limit)
    for index in 0..<kept { bytes[index] = made[index] }
    return kept
}
