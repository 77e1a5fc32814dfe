import Testing
import Vocabulary

@Suite("Base64") struct Base64Tests {
    @Test(
        "the vectors of RFC 4648 go both ways",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ])
    func vectors(_ plain: String, _ encoded: String) {
        #expect(Base64.encode(Array(plain.utf8)) == encoded)
        #expect(Base64.decode(encoded.utf8) == Array(plain.utf8))
    }

    @Test func `every byte comes back`() {
        let bytes = (0...255).map { UInt8($0) }
        #expect(Base64.decode(Base64.encode(bytes).utf8) == bytes)
        #expect(Base64.encode(bytes).hasPrefix("AAECAwQF"))
        #expect(Base64.encode([0xFB, 0xFF]) == "+/8=")
    }

    @Test(
        "any other spelling is refused",
        arguments: [
            "Zg", "Zg=", "Zg===", "Z===", "====", "Zh==", "Zm9=", "Zm 9v", "Zm9v\n", "Zm9-", "Zm_v",
            "Zg==Zg==",
            "=Zg=", "Zg=A", "Zm9vé",
        ])
    func strict(_ text: String) {
        #expect(Base64.decode(text.utf8) == nil)
    }

    @Test func `the alphabet for urls has its own two characters and no padding`() {
        #expect(Base64.encodeForURL([0xFB, 0xFF]) == "-_8")
        for count in 0...9 {
            let bytes = [UInt8](repeating: 0xFB, count: count)
            #expect(Base64.decodeForURL(Base64.encodeForURL(bytes).utf8) == bytes)
        }
        for text in ["+/8", "-_8=", "-_9", "A", "-_8 ", "-_8\n", "-_8é"] {
            #expect(Base64.decodeForURL(text.utf8) == nil, "\(text)")
        }
    }
}
