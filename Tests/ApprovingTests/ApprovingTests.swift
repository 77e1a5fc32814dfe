import Testing

@Suite("Approving") struct ApprovingTests {}
