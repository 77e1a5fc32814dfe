import Testing

@Suite("Forwarding") struct ForwardingTests {}
