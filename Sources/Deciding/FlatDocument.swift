import Vocabulary

/// Why a document of settings cannot be read; `description` has file, line and column.
package struct FlatDocumentError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String
}

/// The settings in the document `bytes`, named `name` in errors: one map of keys, each with one text or a
/// list of texts.
///
/// Held to the same strict YAML as the policies, since it is read by the same reader: every scalar a string,
/// no key twice.
///
/// - Throws: ``FlatDocumentError``.
package func flatSettings(named name: String, _ bytes: [UInt8]) throws(FlatDocumentError) -> [String:
    [String]]
{
    let root: Node
    do { root = try readDocument(named: name, bytes) } catch { throw fault(name, error.place, error.message) }
    if case .text("", _) = root.content { return [:] }
    guard case .map(let entries) = root.content else {
        throw fault(name, root.place, "a map of settings must stand here")
    }
    var settings: [String: [String]] = [:]
    for entry in entries {
        switch entry.value.content {
        case .text(let text, _): settings[entry.key] = [text]
        case .list(let elements):
            settings[entry.key] = []
            for element in elements {
                guard case .text(let text, _) = element.content else {
                    throw fault(name, element.place, "`\(shown(entry.key))` is a list of texts")
                }
                settings[entry.key]?.append(text)
            }
        case .map: throw fault(name, entry.place, "`\(shown(entry.key))` is a text or a list of texts")
        }
    }
    return settings
}

private func fault(_ name: String, _ place: Place, _ message: String) -> FlatDocumentError {
    FlatDocumentError(description: "\(name):\(place.line):\(place.column): \(message)")
}
