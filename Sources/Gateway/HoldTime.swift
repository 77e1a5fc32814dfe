import Deciding
import Vocabulary

/// How long a call that asks is held before it is answered `ApprovalRequired`, by what its client was
/// measured to bear.
///
/// 50 s for AWS CLI and boto3 (60 s read time-out), 110 s Terraform, 25 s Java, CRT and Rust, 10 s
/// aiobotocore, 2 s pyarrow (C++), else 15 s.
func holdTime(_ terms: ApprovalTerms, client userAgent: String?) -> Duration {
    switch terms.hold {
    case .fixed(let wait): return wait
    case .auto: break
    }
    let text = (userAgent ?? "").asciiLowercased
    // First match wins: aiobotocore and Terraform carry botocore's or the Go SDK's name as well.
    for (mark, seconds) in clientHolds where text.contains(mark) { return .seconds(seconds) }
    return .seconds(15)
}

private let clientHolds: [(mark: String, seconds: Int)] = [
    ("aiobotocore", 10), ("terraform", 110), ("crts3nativeclient", 25), ("aws-sdk-java", 25),
    ("aws-sdk-rust", 25),
    ("aws-sdk-cpp", 2), ("aws-cli", 50), ("boto3", 50), ("botocore", 50),
]
