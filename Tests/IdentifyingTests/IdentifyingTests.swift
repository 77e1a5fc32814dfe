import Testing

@Suite("Identifying") struct IdentifyingTests {}
