import Testing

@Suite("Deciding") struct DecidingTests {}
