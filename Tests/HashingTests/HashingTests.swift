import Testing

@Suite("Hashing") struct HashingTests {}
