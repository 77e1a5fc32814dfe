/// The pairs of a call: exact for the services that have a naming of their own, by the catalog for all others.
///
/// - Throws: ``RecognitionError`` when a resource is named in a form that is refused.
func namePairs(_ facts: CallFacts) throws(RecognitionError) -> NamedPairs {
    try genericPairs(facts)
}
