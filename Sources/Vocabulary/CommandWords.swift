/// The words of `command` as a POSIX shell splits them, with quotes and backslashes and nothing else: no
/// variables, no globs. Nil when a quote does not close.
package func commandWords(_ command: String) -> [String]? {
    var words: [String] = []
    var word: String?
    var quote: Character?
    var escapes = false
    for character in command {
        if escapes {
            // Inside double quotes a backslash counts only before a quote or another one.
            if quote == "\"", character != "\"", character != "\\" { word = (word ?? "") + "\\" }
            word = (word ?? "") + String(character)
            escapes = false
        } else if character == "\\", quote != "'" {
            escapes = true
        } else if let open = quote {
            if character == open { quote = nil } else { word = (word ?? "") + String(character) }
        } else if character == "'" || character == "\"" {
            quote = character
            word = word ?? ""
        } else if character.isWhitespace {
            if let done = word { words.append(done) }
            word = nil
        } else {
            word = (word ?? "") + String(character)
        }
    }
    guard quote == nil, !escapes else { return nil }
    if let done = word { words.append(done) }
    return words
}
