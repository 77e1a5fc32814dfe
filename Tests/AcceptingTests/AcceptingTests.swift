import Testing

@Suite("Accepting") struct AcceptingTests {}
