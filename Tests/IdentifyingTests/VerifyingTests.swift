import Hashing
import SigV4
import Testing
import Vocabulary

@testable import Identifying

@Suite("Identifying: signatures by issued keys") struct VerifyingTests {
    private func ring(_ byte: UInt8 = 1) throws -> KeyRing { KeyRing(try hostKey(byte)) }

    @Test func `every request that botocore signs is its agent's, stage by stage`() throws {
        let requests = try SignedRequest.all()
        #expect(requests.count >= 500)
        var keys = try ring()
        for request in requests {
            let caller = try caller(request, &keys)
            #expect(caller?.agent.text == "support-7" && caller?.strength == .signed, "\(request.id)")
            #expect(caller?.task?.source == .sessionToken)
            #expect(caller?.issued?.account == "111122223333" && caller?.issued?.owner == "mia@example.com")
            guard case .issued(let signature) = try presented(request.head) else { continue }
            let payloadHash =
                switch signature.payload {
                case .stated(let hash): hash
                case .inferred: sha256(request.body).bytes.lowercaseHex
                case .unsigned: Array("UNSIGNED-PAYLOAD".utf8)
                case .unsignedChunks: Array("STREAMING-UNSIGNED-PAYLOAD-TRAILER".utf8)
                case .signedChunks(let form): Array(form.utf8)
                }
            let canonical = signature.canonicalRequest(payloadHash: payloadHash)
            #expect(
                String(decoding: canonical.bytes, as: UTF8.self) == request.canonicalRequest, "\(request.id)")
            let toSign = stringToSign(canonical, timestamp: signature.timestamp, scope: signature.scope)
            #expect(String(decoding: toSign, as: UTF8.self) == request.stringToSign, "\(request.id)")
        }
        #expect(keys.count == 2)
    }

    private func caller(_ request: SignedRequest, _ keys: inout KeyRing) throws -> Caller? {
        do { return try request.caller(&keys) } catch {
            Issue.record("\(request.id): \(error)")
            return nil
        }
    }

    @Test func `the session, the task, the role and the end come from the token`() throws {
        var keys = try ring()
        let first = try SignedRequest.named("s3-copy").caller(&keys)
        let second = try SignedRequest.named("s3-delete-many").caller(&keys)
        let callers = [first, second].sorted { $0.session.text < $1.session.text }
        #expect(callers.map(\.session.text) == ["ses-0123ABCD", "ses-0123ABCE"])
        #expect(callers.map(\.task?.text) == ["JIRA-42", "größe 東京"])
        #expect(callers.map(\.reason?.text) == ["erase o-91", nil])
        #expect(callers.map(\.issued?.role) == [nil, "arn:aws:iam::111122223333:role/orders"])
        #expect(callers[0].scope == CredentialScope(region: "eu-west-1", service: "s3"))
        #expect(callers[0].issued?.expires == SignedRequest.signed.advanced(by: .seconds(28_800)))
    }

    // MARK: What a changed request gets

    /// Changes of `request`, each of which must be refused.
    private func changes(of request: SignedRequest, _ number: Int) -> [(what: String, SignedRequest)] {
        var changes: [(String, SignedRequest)] = []
        let target = Array(request.target.utf8)
        // Of a token every ninth byte of each request is enough: there are many requests.
        let token = Array("oken=".utf8)
        let start = target.indices.first { target[$0...].starts(with: token) } ?? target.count
        for place in target.indices
        where place < start || place > target.count - 130 || (place + number).isMultiple(of: 9) {
            // Without its query a presigned request is an unsigned one, and carries no credential at all.
            guard target[place] != 0x3F else { continue }
            let other: UInt8 = target[place] == 0x51 ? 0x52 : 0x51
            changes.append(("target byte \(place)", request.targeting { $0.with(other, at: place) }))
        }
        let mark = request.target.contains("?") ? "&" : "?"
        for added in ["a=1", "acl", "x-id=GetObject", "X-Amz-Meta-A=1", "X-Amz-Expires=600", "versionId=1"] {
            changes.append(("added \(added)", request.targeting { $0 + mark + added }))
        }
        for field in request.fields where isSigned(field.name, in: request) || field.name == "authorization" {
            let bytes = Array(field.value.utf8)
            let isLong = bytes.count > 100
            for place in bytes.indices where !isLong || (place + number).isMultiple(of: 9) {
                let other: UInt8 = bytes[place] == 0x51 ? 0x52 : 0x51
                changes.append(
                    (
                        "\(field.name) byte \(place)",
                        request.changing(field.name) { $0.with(other, at: place) }
                    ))
            }
            changes.append(("no \(field.name)", request.removing(field.name)))
            changes.append(("\(field.name) longer", request.changing(field.name) { $0 + "x" }))
        }
        changes.append(("an unsigned field", request.adding("x-amz-acl", "public-read")))
        var other = request
        other.method = request.method == "DELETE" ? "PUT" : "DELETE"
        changes.append(("method", other))
        return changes
    }

    private func isSigned(_ name: String, in request: SignedRequest) -> Bool {
        request.canonicalRequest?.contains("\n\(name):") ?? false
    }

    @Test("every change to a signed request is refused", arguments: 0..<8)
    func changed(part: Int) throws {
        var keys = try ring()
        for (number, request) in try SignedRequest.all().enumerated() where number % 8 == part {
            for (what, changed) in changes(of: request, number) {
                let caller = try? changed.caller(&keys)
                #expect(caller == nil, "\(request.id) passes with another \(what): \(changed.target)")
            }
        }
    }

    @Test func `another body is refused wherever the body is signed`() throws {
        var keys = try ring()
        var count = 0
        for request in try SignedRequest.all() where !request.body.isEmpty {
            guard case .issued(let signature) = try presented(request.head) else { continue }
            if case .unsigned = signature.payload { continue }
            if case .unsignedChunks = signature.payload { continue }
            for place in request.body.indices where place < 64 {
                var changed = request
                changed.body[place] ^= 1
                #expect(throws: IdentificationError.self) { try changed.caller(&keys) }
            }
            var longer = request
            longer.body.append(0)
            #expect(throws: IdentificationError.self) { try longer.caller(&keys) }
            var none = request
            none.body = []
            #expect(throws: IdentificationError.self) { try none.caller(&keys) }
            count += 1
        }
        #expect(count >= 100)
    }

    @Test func `what is signed on another host is refused`() throws {
        var keys = try ring(2)
        for request in try SignedRequest.all() {
            #expect(
                throws: IdentificationError.badToken(
                    why: "it was not issued on this host, or was changed since")
            ) {
                try request.caller(&keys)
            }
        }
        var none = KeyRing()
        #expect(throws: IdentificationError.foreignCredential("an issued key, and none are issued here")) {
            try SignedRequest.named("dynamodb").caller(&none)
        }
    }
}
