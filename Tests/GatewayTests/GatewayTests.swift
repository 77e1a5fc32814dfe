import Testing

@Suite("Gateway") struct GatewayTests {}
