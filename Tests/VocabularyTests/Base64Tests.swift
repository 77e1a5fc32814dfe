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
}
