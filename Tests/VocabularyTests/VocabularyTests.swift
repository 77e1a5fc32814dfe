import Testing

@Suite("Vocabulary") struct VocabularyTests {}
