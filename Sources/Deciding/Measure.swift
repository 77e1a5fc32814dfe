import Vocabulary

/// A number or a moment as an operator orders it: in units of 1/1,000,000,000, moments as seconds since
/// 1970-01-01T00:00:00Z.
struct Measure: Hashable, Comparable, Sendable {
    let billionths: Int128

    static func < (left: Measure, right: Measure) -> Bool { left.billionths < right.billionths }

    init(billionths: Int128) { self.billionths = billionths }

    private static let billion: Int128 = 1_000_000_000

    /// The number that `text` spells in decimal: a sign or none, 1 to 18 digits, and up to 9 behind a point.
    init?(number text: String) {
        var rest = text.utf8[...]
        let isNegative = rest.first == 0x2D
        if isNegative { rest = rest.dropFirst() }
        let halves = rest.split(separator: 0x2E, maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = Self.digits(halves[0], 1...18) else { return nil }
        var billionths = whole * Self.billion
        if halves.count == 2 {
            guard let fraction = Self.fraction(halves[1]) else { return nil }
            billionths += fraction
        }
        self.billionths = isNegative ? -billionths : billionths
    }

    /// The moment that `text` spells: `2026-11-24`, the same with `T08:30Z`, with seconds, up to 9 digits of
    /// them behind a point, or an offset up to 14 hours as `+02:00`; or 5 to 12 digits, seconds of the epoch.
    ///
    /// - SeeAlso: W3C "Date and Time Formats" (ISO 8601), which IAM's Date operators take.
    init?(date text: String) {
        let bytes = Array(text.utf8)
        if let seconds = Self.digits(bytes[...], 5...12) {
            billionths = seconds * Self.billion
            return
        }
        guard bytes.count >= 10, bytes[4] == 0x2D, bytes[7] == 0x2D,
            let year = Self.digits(bytes[0..<4], 4...4), let month = Self.digits(bytes[5..<7], 2...2),
            let day = Self.digits(bytes[8..<10], 2...2),
            let days = daysSinceEpoch(year: Int(year), month: Int(month), day: Int(day))
        else { return nil }
        guard let time = bytes.count == 10 ? 0 : Self.time(bytes[10...]) else { return nil }
        billionths = Int128(days) * 86_400 * Self.billion + time
    }

    /// `T08:30Z` and its longer forms, as billionths of a second since midnight in UTC.
    private static func time(_ bytes: ArraySlice<UInt8>) -> Int128? {
        var rest = bytes
        func next(_ mark: UInt8, _ most: Int128) -> Int128? {
            guard rest.count >= 3, rest.first == mark,
                let value = digits(rest.dropFirst().prefix(2), 2...2), value <= most
            else { return nil }
            rest = rest.dropFirst(3)
            return value
        }
        guard let hour = next(0x54, 23), let minute = next(0x3A, 59) else { return nil }
        var total = (hour * 3_600 + minute * 60) * billion
        if rest.first == 0x3A {
            guard let second = next(0x3A, 59) else { return nil }
            total += second * billion
            if rest.first == 0x2E {
                let digits = rest.dropFirst().prefix { $0.isDigit }
                guard let part = fraction(digits) else { return nil }
                total += part
                rest = rest.dropFirst(1 + digits.count)
            }
        }
        if rest.elementsEqual([0x5A]) { return total }
        guard let sign = rest.first, sign == 0x2B || sign == 0x2D, let hours = next(sign, 14),
            let minutes = next(0x3A, 59), rest.isEmpty
        else { return nil }
        let offset = (hours * 3_600 + minutes * 60) * billion
        return sign == 0x2D ? total + offset : total - offset
    }

    private static func fraction(_ digits: some Collection<UInt8>) -> Int128? {
        guard let value = self.digits(digits, 1...9) else { return nil }
        return (digits.count..<9).reduce(value) { value, _ in value * 10 }
    }

    private static func digits(_ bytes: some Collection<UInt8>, _ count: ClosedRange<Int>) -> Int128? {
        guard count.contains(bytes.count), bytes.allSatisfy(\.isDigit) else { return nil }
        return bytes.reduce(0) { $0 * 10 + Int128($1 - 0x30) }
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar, years 1 to 9999; nil where there is no such day.
private func daysSinceEpoch(year: Int, month: Int, day: Int) -> Int? {
    let isLeap = year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400))
    let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    guard year >= 1, (1...12).contains(month), (1...lengths[month - 1]).contains(day) else { return nil }
    let before = year - 1
    let untilYear = before * 365 + before / 4 - before / 100 + before / 400
    return untilYear + lengths.prefix(month - 1).reduce(0, +) + day - 1 - 719_162
}
