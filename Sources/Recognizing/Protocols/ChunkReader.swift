import Vocabulary

/// Reads a body in aws-chunked framing, once from its beginning to its end, in a time linear to its size.
///
/// ```
/// SIZE[;chunk-signature=DIGITS] CRLF bytes CRLF …  0[;chunk-signature=DIGITS] CRLF
/// [name:value CRLF … [x-amz-trailer-signature:DIGITS CRLF]] CRLF
/// ```
///
/// One spelling of everything: sizes in hexadecimal without sign or leading zeros, signatures of 64
/// lower-case digits where the mode has them and nowhere else, no other extension, no blanks.
struct ChunkReader {
    private let body: [UInt8]
    private let framing: Framing
    private var place = 0
    private(set) var content: [UInt8] = []
    private(set) var signatures = ChunkSignatures()
    /// In lower case, in the order of the body.
    private(set) var trailers: [HeaderField] = []

    init(body: [UInt8], framing: Framing) {
        self.body = body
        self.framing = framing
    }

    /// Reads all of it: content of just `byteCount` bytes, and just the trailers that `names` lists.
    mutating func read(byteCount: Int, trailers names: [String]) throws(RecognitionError) {
        // Only what is there is made room for, whatever the head says.
        content.reserveCapacity(min(byteCount, body.count))
        while try readChunk() {}
        guard content.count == byteCount else {
            throw malformed("it holds \(content.count) bytes, x-amz-decoded-content-length says \(byteCount)")
        }
        try readTrailers(names)
        guard try takeLine().isEmpty else {
            throw malformed("it has a trailer that x-amz-trailer does not name")
        }
        guard place == body.count else { throw malformed("bytes follow its end") }
    }

    /// Reads a chunk; whether it was not the last one, which is empty.
    private mutating func readChunk() throws(RecognitionError) -> Bool {
        let line = try takeLine()
        let digits = line.prefix { $0 != 0x3B }
        let extent = line[digits.endIndex...]
        let count = try size(digits)
        if framing == .unsigned {
            guard extent.isEmpty else { throw malformed("a chunk of it has an extension") }
        } else {
            guard extent.starts(with: signatureExtension), extent.count == signatureExtension.count + 64,
                isSignature(extent.suffix(64))
            else { throw malformed("a chunk of it has no `;chunk-signature=` of 64 lower-case digits") }
            signatures.append(byteCount: count, signature: extent.suffix(64))
        }
        guard count > 0 else { return false }
        guard count <= body.count - place - 2 else { throw malformed("a chunk of it is cut short") }
        content += body[place..<place + count]
        place += count
        guard body[place] == 0x0D, body[place + 1] == 0x0A else {
            throw malformed("a chunk of it is not followed by a line end")
        }
        place += 2
        return true
    }

    private func size(_ digits: ArraySlice<UInt8>) throws(RecognitionError) -> Int {
        // Eight digits are past every body that is read; sixteen would be past the number.
        guard (1...8).contains(digits.count), digits.first != 0x30 || digits.count == 1 else {
            throw malformed("a chunk size of it is not one plain hexadecimal number")
        }
        var count = 0
        for digit in digits {
            guard let value = hexValue(digit) else {
                throw malformed("a chunk size of it is not one plain hexadecimal number")
            }
            count = count << 4 | value
        }
        return count
    }

    private mutating func readTrailers(_ names: [String]) throws(RecognitionError) {
        var signed: [UInt8] = []
        for _ in names {
            let line = try takeLine(mayEndTwice: true)
            let name = String(decoding: line.prefix { $0 != 0x3A }, as: UTF8.self).asciiLowercased
            guard !line.isEmpty else { throw malformed("it lacks a trailer that x-amz-trailer names") }
            guard names.contains(name), line.count > name.utf8.count else {
                throw malformed("it has a trailer `\(shown(name))` that x-amz-trailer does not name")
            }
            guard !trailers.contains(where: { $0.name.isSame(as: name) }) else {
                throw malformed("it has the trailer `\(name)` twice")
            }
            let value = line.dropFirst(name.utf8.count + 1)
            trailers.append(HeaderField(name, String(decoding: value, as: UTF8.self)))
            signed += name.utf8 + [0x3A] + value + [0x0A]
        }
        guard framing == .signedWithTrailers else { return }
        let line = try takeLine()
        guard line.starts(with: trailerSignatureName), line.count == trailerSignatureName.count + 64,
            isSignature(line.suffix(64))
        else { throw malformed("its trailers have no x-amz-trailer-signature of 64 lower-case digits") }
        signatures.trailer = ChunkSignatures.Trailer(signed: signed, signature: Array(line.suffix(64)))
    }

    /// The next line without its end, CRLF. A trailer's may be LF CRLF, as minio-go writes it.
    private mutating func takeLine(mayEndTwice: Bool = false) throws(RecognitionError) -> ArraySlice<UInt8> {
        // Longer than any line that is well formed: of a longer one no more is looked at.
        let window = body[place..<min(body.count, place + lineByteCountMax)]
        guard let end = window.firstIndex(where: { $0 == 0x0A || $0 == 0x0D }), end + 1 < body.count else {
            throw malformed(
                window.count < lineByteCountMax ? "it is cut short" : "a line of it is too long")
        }
        let line = body[place..<end]
        var next = end
        if mayEndTwice, body[next] == 0x0A { next += 1 }
        guard next + 1 < body.count, body[next] == 0x0D, body[next + 1] == 0x0A else {
            throw malformed("a line of it does not end with CRLF")
        }
        place = next + 2
        return line
    }

    private func malformed(_ why: String) -> RecognitionError {
        .malformed(part: "the aws-chunked body", why: why)
    }
}

/// A chunk's line with its signature has 90 bytes, the longest trailer (SHA-512) 111.
private let lineByteCountMax = 160
private let signatureExtension = Array(";chunk-signature=".utf8)
private let trailerSignatureName = Array("x-amz-trailer-signature:".utf8)

private func isSignature(_ digits: ArraySlice<UInt8>) -> Bool {
    digits.allSatisfy { $0.isDigit || (0x61...0x66).contains($0) }
}

private func hexValue(_ digit: UInt8) -> Int? {
    switch digit {
    case 0x30...0x39: Int(digit) - 0x30
    case 0x41...0x46: Int(digit) - 0x41 + 10
    case 0x61...0x66: Int(digit) - 0x61 + 10
    default: nil
    }
}
