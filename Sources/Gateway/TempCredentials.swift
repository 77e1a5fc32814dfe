import SigV4
import Vocabulary
import Glibc
protocol CredentialSource: Sendable { func current(at now: Instant) throws(CredentialError) -> Credentials }
struct CredentialError: Error { let description: String }
struct EnvCredentials: CredentialSource {
  func current(at now: Instant) throws(CredentialError) -> Credentials {
    guard let k = getenv("AWS_ACCESS_KEY_ID"), let s = getenv("AWS_SECRET_ACCESS_KEY") else { throw CredentialError(description: "none") }
    return Credentials(accessKeyID: String(cString: k), secretKey: Secret(Array(String(cString: s).utf8)), sessionToken: nil, expiration: nil)
  }
}
func makeCredentialSource(_ c: Configuration) throws(CredentialError) -> any CredentialSource { EnvCredentials() }
func hardenProcess() throws {}
