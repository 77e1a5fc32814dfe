import Foundation
import Testing
import Vocabulary

@testable import Deciding

/// Keys that ssh-keygen made, or that were put together from its keys, with the fingerprints that it prints
/// of them.
@Suite("SSH keys of approvers") struct SSHKeyTests {
    struct Sample {
        let name: String
        let fingerprint: String
        let line: String
    }

    static func samples() throws -> [Sample] {
        let file = Fixtures.root.appendingPathComponent("fixtures/ssh/keys.txt")
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map {
            let parts = $0.split(separator: "\t").map(String.init)
            return Sample(name: parts[0], fingerprint: parts[1], line: parts[2])
        }
    }

    static func line(_ name: String) throws -> String {
        try #require(try samples().first { $0.name == name }).line
    }

    static func fault(_ text: String) -> String {
        do {
            _ = try SSHPublicKey(parsing: text)
            return ""
        } catch { return error.description }
    }

    @Test func `each kind of key is read, and has the fingerprint that ssh-keygen prints`() throws {
        for sample in try Self.samples() where sample.name != "rsa1024" {
            let key = try SSHPublicKey(parsing: sample.line)
            #expect(key.fingerprint == sample.fingerprint)
            let words = sample.line.split(separator: " ", maxSplits: 2).map(String.init)
            #expect(key.algorithm.rawValue == words[0])
            #expect(Base64.encode(key.blob) == words[1])
            #expect(key.comment == (words.count == 3 ? words[2] : ""))
        }
        #expect(try SSHPublicKey(parsing: try Self.line("sk-ed25519")).comment == "yubi key")
        #expect(Set(try Self.samples().map { $0.line.prefix { $0 != " " } }).count == 7)
    }

    @Test func `a key that breaks off, goes on or says another kind than its line is none`() throws {
        for sample in try Self.samples() where sample.name != "rsa1024" {
            let key = try SSHPublicKey(parsing: sample.line)
            func fault(_ blob: [UInt8], _ algorithm: SSHPublicKey.Algorithm? = nil) -> String {
                Self.fault("\((algorithm ?? key.algorithm).rawValue) \(Base64.encode(blob))")
            }
            for count in 0..<key.blob.count { #expect(!fault(Array(key.blob[..<count])).isEmpty) }
            #expect(fault(key.blob + [0]).contains("goes on after"))
            for other in SSHPublicKey.Algorithm.allCases where other != key.algorithm {
                #expect(fault(key.blob, other).contains("of another kind"))
            }
        }
    }

    @Test func `what only resembles a key of its kind is none`() throws {
        func wire(_ parts: [[UInt8]]) -> [UInt8] {
            parts.flatMap { part in
                [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: part.count >> $0) } + part
            }
        }
        func fault(_ algorithm: String, _ parts: [[UInt8]]) -> String {
            Self.fault("\(algorithm) \(Base64.encode(wire([Array(algorithm.utf8)] + parts)))")
        }
        let (bytes, point) = ([UInt8](repeating: 7, count: 32), [4] + [UInt8](repeating: 7, count: 64))
        let modulus = [0, 0x80] + [UInt8](repeating: 1, count: 255)
        #expect(fault("ssh-ed25519", [bytes]).isEmpty)
        #expect(fault("ssh-ed25519", [bytes + [7]]) == "the key has 33 bytes, and not 32")
        #expect(fault("ecdsa-sha2-nistp256", [Array("nistp256".utf8), point]).isEmpty)
        #expect(fault("ecdsa-sha2-nistp256", [Array("nistp384".utf8), point]).contains("another curve"))
        let compressed = [2] + point.dropFirst()
        #expect(fault("ecdsa-sha2-nistp256", [Array("nistp256".utf8), compressed]).contains("uncompressed"))
        #expect(fault("ssh-rsa", [[1, 0, 1], modulus]).isEmpty)
        #expect(fault("ssh-rsa", [[1, 0, 1], Array(modulus.dropFirst())]).contains("RFC 4251"), "negative")
        #expect(fault("ssh-rsa", [[1, 0, 1], [0] + modulus]).contains("RFC 4251"), "a needless zero")
        #expect(fault("ssh-rsa", [[1], modulus]).contains("not those of an RSA key"))
        #expect(fault("ssh-rsa", [[1, 0], modulus]).contains("not those of an RSA key"), "an even exponent")
        let even = modulus.dropLast() + [2]
        #expect(fault("ssh-rsa", [[1, 0, 1], Array(even)]).contains("not those of an RSA key"))
        let long = [1] + [UInt8](repeating: 1, count: 2_048)
        #expect(fault("ssh-rsa", [[1, 0, 1], long]).contains("16385 bits is not accepted"))
        #expect(
            Self.fault(try Self.line("rsa1024")) == "an RSA key of 1024 bits is not accepted: 2048 to 16384")
        #expect(fault("sk-ssh-ed25519@openssh.com", [bytes, Array("ssh:".utf8)]).isEmpty)
        #expect(fault("sk-ssh-ed25519@openssh.com", [bytes, Array("https://x".utf8)]).contains("`ssh:`"))
    }

    @Test func `a line is one algorithm, one blank and one key, and says what mends it`() throws {
        let line = try Self.line("ed25519")
        let options =
            "options before a key are not accepted, nor blanks: begin with the algorithm, such as "
            + "`ssh-ed25519`"
        #expect(Self.fault("restrict,command=\"/bin/true\" \(line)") == options)
        #expect(Self.fault(" \(line)") == options)
        let base64 = "after `ssh-ed25519` and one blank stands the key in base 64, whole and padded"
        #expect(Self.fault(line.replacing("ed25519 ", with: "ed25519  ")) == base64)
        #expect(Self.fault("ssh-ed25519") == base64)
        #expect(Self.fault("ssh-ed25519 AAAA*") == base64)
        #expect(Self.fault(line + "\nx").hasPrefix("a key is one line"))
        #expect(Self.fault(line.replacing(" ", with: "\t")).hasPrefix("a key is one line"))
        #expect(Self.fault("ssh-dss AAAA").hasPrefix("`ssh-dss` is no algorithm that is accepted"))
        #expect(Self.fault("ssh-ed25519-cert-v01@openssh.com AAAA").hasPrefix("a certificate"))
        #expect(Self.fault("").hasPrefix("this begins with no algorithm"))
    }

    @Test func `no part of what may be a secret is told`() throws {
        let secret = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU"
        for text in ["-----BEGIN OPENSSH PRIVATE KEY-----\n\(secret)", secret, "ssh-ed25519 \(secret)"] {
            #expect(!Self.fault(text).contains(secret.prefix(6)))
            #expect(!Self.fault(text).isEmpty)
        }
    }

    @Test func `a fault is told at its place, and no key is two people's`() throws {
        let (one, other) = (try Self.line("ed25519"), try Self.line("p256"))
        func told(_ alice: [String], _ bob: [String]) -> [String] {
            let lists = [alice, bob].map { $0.map { "\"\($0)\"" }.joined(separator: ",\n      ") }
            let text = """
                Countersign: 1
                People:
                  - {Name: alice, Uids: [1], Keys: [\(lists[0])]}
                  - {Name: bob, Uids: [2], Keys: [\(lists[1])]}
                """
            return faults([PolicyFile("approvers.yaml", text)])
        }
        #expect(
            told([one, "ssh-dss AAAA"], [other]).first?.hasPrefix("approvers.yaml:4:7: `ssh-dss` is no")
                == true)
        let fingerprint = try SSHPublicKey(parsing: one).fingerprint
        #expect(
            told([one], [other, one + " again"]) == [
                "approvers.yaml:4:5: key \(fingerprint) is also that of `alice`: "
                    + "a signature must say whose it is"
            ])
        #expect(
            told([one, one + " again"], [other]) == ["approvers.yaml:4:7: key \(fingerprint) is here twice"])
        let set = try PolicySet.load(
            files: [
                PolicyFile(
                    "approvers.yaml",
                    "Countersign: 1\nPeople:\n  - {Name: alice, Keys: [\"\(one)\", \"\(other)\"]}\n")
            ], actions: knownActions)
        #expect(
            set.approvers.people.first?.keys == [
                try SSHPublicKey(parsing: one), try SSHPublicKey(parsing: other),
            ])
    }
}
