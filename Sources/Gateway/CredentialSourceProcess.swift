import Glibc
import SigV4
import Vocabulary

/// The bounds of a credential process.
package enum CredentialProcessLimits {
    /// The most that it may write.
    package static let outputBytesMax = 65_536
    /// How long it may take.
    package static let duration = Duration.seconds(60)
}

/// Runs `command` as AWS tools run `credential_process`, without a shell, and reads the credentials that it
/// prints.
///
/// Blocks the calling thread for at most `limit`. Its standard error goes nowhere: nobody knows what a tool
/// writes there.
///
/// - Throws: ``CredentialError/processFailed(why:)``, or others for what it printed.
func runCredentialProcess(
    _ command: String, limit: Duration = CredentialProcessLimits.duration
) throws(CredentialError) -> Credentials {
    guard let arguments = commandWords(command), arguments.first?.isEmpty == false else {
        throw .processFailed(why: "the command's quotes do not close, or it is empty")
    }
    let child: ChildProcess
    do { child = try ChildProcess(arguments) } catch { throw .processFailed(why: error.why) }
    return try credentials(inProcessOutput: try child.output(limit: limit))
}

/// The credentials in the JSON object that a credential process prints, version 1.
///
/// - SeeAlso: AWS SDKs and Tools Reference Guide, "Process credential provider".
func credentials(inProcessOutput bytes: [UInt8]) throws(CredentialError) -> Credentials {
    let object: JSON
    do { object = try JSON(parsing: bytes) } catch {
        throw .processFailed(why: "its output is not one JSON object")
    }
    guard case .object = object else { throw .processFailed(why: "its output is not one JSON object") }
    guard object["Version"]?.integer == 1 else {
        throw .processFailed(why: "its output is not of `Version` 1")
    }
    func text(_ name: String) throws(CredentialError) -> String? {
        switch object[name] {
        case nil, .null: return nil
        case .string(let text): return text
        default: throw .processFailed(why: "`\(name)` in its output is not a string")
        }
    }
    guard let id = try text("AccessKeyId") else {
        throw .processFailed(why: "its output has no `AccessKeyId`")
    }
    guard let secret = try text("SecretAccessKey") else {
        throw .processFailed(why: "its output has no `SecretAccessKey`")
    }
    var end: Instant?
    if let expiration = try text("Expiration") {
        end = Instant(parsingWithOffset: expiration)
        guard end != nil else {
            throw .processFailed(why: "`Expiration` in its output is not an ISO 8601 time")
        }
    }
    return try soundCredentials(
        id: id, secret: secret, token: try text("SessionToken") ?? "", expiration: end,
        from: "the output of the credential process")
}

extension Instant {
    /// The moment written in `text` as ISO 8601 with `Z` or an offset like `+00:00`; nil for anything else.
    init?(parsingWithOffset text: String) {
        if text.hasSuffix("Z") {
            self.init(parsing: text)
            return
        }
        let offset = Array(text.utf8.suffix(6))
        guard offset.count == 6, offset[0] == 0x2B || offset[0] == 0x2D, offset[3] == 0x3A,
            let hours = Int(String(decoding: offset[1...2], as: UTF8.self)), (0...23).contains(hours),
            let minutes = Int(String(decoding: offset[4...5], as: UTF8.self)), (0...59).contains(minutes),
            [offset[1], offset[2], offset[4], offset[5]].allSatisfy(\.isDigit),
            let local = Instant(parsing: String(text.dropLast(6)) + "Z")
        else { return nil }
        let ahead = Duration.seconds(hours * 3_600 + minutes * 60)
        self = local.advanced(by: offset[0] == 0x2B ? .zero - ahead : ahead)
    }
}

extension ChildProcess {
    /// Everything that it writes before it ends well; otherwise it and its group are killed.
    fileprivate func output(limit: Duration) throws(CredentialError) -> [UInt8] {
        defer { close(output) }
        let deadline = loopNanoseconds() + limit.wholeNanoseconds
        let bytes: [UInt8]
        do throws(CredentialError) { bytes = try read(until: deadline) } catch {
            end()
            throw error
        }
        while !hasEnded {
            guard loopNanoseconds() < deadline else {
                end()
                throw .processFailed(why: "it took longer than \(limit)")
            }
            usleep(2_000)
        }
        let status = reap()
        // The low seven bits are the signal that ended it, the next eight its exit code.
        guard status & 0x7F == 0 else { throw .processFailed(why: "signal \(status & 0x7F) ended it") }
        guard status >> 8 & 0xFF == 0 else {
            throw .processFailed(why: "it ended with code \(status >> 8 & 0xFF); run it by hand to see why")
        }
        return bytes
    }

    private func read(until end: Int64) throws(CredentialError) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 8_192)
        while true {
            let left = end - loopNanoseconds()
            guard left > 0 else { throw .processFailed(why: "it took too long") }
            var watched = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            let ready = poll(&watched, 1, Int32(min(left / 1_000_000 + 1, 1_000)))
            guard ready > 0 else { continue }
            let count = Glibc.read(output, &buffer, buffer.count)
            if count == 0 { return bytes }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw .processFailed(why: "its output cannot be read")
            }
            bytes += buffer[..<count]
            guard bytes.count <= CredentialProcessLimits.outputBytesMax else {
                throw .processFailed(
                    why: "its output is larger than \(CredentialProcessLimits.outputBytesMax) bytes")
            }
        }
    }
}
