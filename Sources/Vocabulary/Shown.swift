/// `text` as it may be shown anywhere: control, format, separator, private-use, unassigned and surrogate
/// characters are written as `\u{…}`, so that nothing hides, reorders or breaks a line. Blanks stay.
package func shown(_ text: String) -> String {
    if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return text }
    guard text.unicodeScalars.contains(where: { !isPlain($0) }) else { return text }
    var out = ""
    for scalar in text.unicodeScalars {
        if isPlain(scalar) {
            out.unicodeScalars.append(scalar)
        } else {
            out += "\\u{" + String(scalar.value, radix: 16) + "}"
        }
    }
    return out
}

private func isPlain(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return (0x20..<0x7F).contains(scalar.value) }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned,
        .spaceSeparator:
        return false
    default: return true
    }
}
