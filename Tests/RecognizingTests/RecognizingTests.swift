import Testing

@Suite("Recognizing") struct RecognizingTests {}
